//! Which method, and what are its types? Names are looked up in descriptors, whoever gave them.

use std::path::{Path, PathBuf};

use load_core::error::UsageError;
use load_net::args::{read, wrong};
use prost_reflect::{DescriptorPool, MessageDescriptor};

/// Names that are offered instead of one that is not there.
const NEAREST: usize = 3;

/// The name of a method, as the user gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MethodName {
    /// With its package.
    pub service: String,
    /// Without its service.
    pub method: String,
}

/// A method, its types, and who streams.
#[derive(Clone, Debug)]
pub struct Method {
    /// The type of the request.
    pub input: MessageDescriptor,
    /// The type of the answer.
    pub output: MessageDescriptor,
    /// The client may send several messages.
    pub client_streams: bool,
    /// The server may.
    pub server_streams: bool,
}

impl MethodName {
    /// Reads `pkg.Service/Method`, `/pkg.Service/Method` or `pkg.Service.Method`.
    ///
    /// # Errors
    /// What was expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        let name = text.strip_prefix('/').unwrap_or(text);
        let parts = name.split_once('/').or_else(|| name.rsplit_once('.'));
        let is_name = |text: &str| {
            !text.is_empty()
                && text.split('.').all(|part| {
                    part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                        && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
                })
        };
        match parts {
            Some((service, method)) if is_name(service) && is_name(method) && !method.contains('.') => {
                Ok(Self { service: service.to_owned(), method: method.to_owned() })
            }
            _ => Err(format!("{text:?}; expected pkg.Service/Method")),
        }
    }

    /// As HTTP/2 has it.
    pub fn path(&self) -> String {
        format!("/{}/{}", self.service, self.method)
    }

    /// Finds the method in `pool`.
    ///
    /// # Errors
    /// It is not there (with the names nearest to it).
    pub fn find(&self, pool: &DescriptorPool) -> Result<Method, String> {
        let Some(service) = pool.get_service_by_name(&self.service) else {
            let names: Vec<_> = pool.services().map(|service| service.full_name().to_owned()).collect();
            return Err(no_service(&self.service, &names));
        };
        let methods: Vec<_> = service.methods().collect();
        let Some(method) = methods.iter().find(|method| method.name() == self.method) else {
            let names: Vec<_> = methods.iter().map(|method| method.name().to_owned()).collect();
            return Err(format!(
                "{} has no method {:?}; {}",
                self.service,
                self.method,
                offer(&self.method, &names)
            ));
        };
        Ok(Method {
            input: method.input(),
            output: method.output(),
            client_streams: method.is_client_streaming(),
            server_streams: method.is_server_streaming(),
        })
    }
}

/// That there is no `service` among those of these names.
pub fn no_service(service: &str, names: &[String]) -> String {
    format!("there is no service {service:?}; {}", offer(service, names))
}

impl std::fmt::Display for MethodName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.service, self.method)
    }
}

/// The names most like `wanted`.
pub fn offer(wanted: &str, names: &[String]) -> String {
    let likeness = |name: &String| strsim::jaro_winkler(&wanted.to_lowercase(), &name.to_lowercase());
    let mut names: Vec<_> = names.iter().collect();
    names.sort_by(|a, b| likeness(b).total_cmp(&likeness(a)));
    let nearest: Vec<_> = names.iter().take(NEAREST).map(|name| name.as_str()).collect();
    match (names.len(), nearest.len()) {
        (0, _) => "there is none at all".into(),
        (all, shown) if all == shown => format!("there is {}", nearest.join(", ")),
        (all, _) => format!("nearest of {all}: {}", nearest.join(", ")),
    }
}

/// Compiles the definition in `file`; what it imports is looked for in `imports`, or beside it where there are none.
///
/// # Errors
/// What is wrong with it.
pub fn compile(file: &Path, imports: &[PathBuf]) -> Result<DescriptorPool, UsageError> {
    let flag = format!("--proto {}", file.display());
    std::fs::metadata(file).map_err(|error| wrong(&flag, error))?;
    let beside =
        [file.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()];
    let imports = if imports.is_empty() { &beside[..] } else { imports };
    let compiled = || -> Result<DescriptorPool, protox::Error> {
        let mut compiler = protox::Compiler::new(imports)?;
        compiler.include_imports(true).open_file(file)?;
        Ok(compiler.descriptor_pool())
    };
    compiled().map_err(|error| wrong(&flag, explain(&error)))
}

/// Reads a `FileDescriptorSet`, in which imports are.
///
/// # Errors
/// The file is none.
pub fn read_set(file: &Path) -> Result<DescriptorPool, UsageError> {
    let bytes = read("--descriptor-set", file)?;
    DescriptorPool::decode(bytes.as_slice()).map_err(|error| {
        let flag = format!("--descriptor-set {}", file.display());
        wrong(&flag, format!("{error}; expected what protoc -o FILE --include_imports writes"))
    })
}

/// One line, with the place where there is one.
fn explain(error: &protox::Error) -> String {
    let hint = if error.is_file_not_found() || error.to_string().contains("import") {
        "; -I DIR says where imports are"
    } else {
        ""
    };
    // The debug form has `file:line:column`, the plain one has not.
    let text = format!("{error:?}");
    let text = if text.contains('\n') || text.starts_with(['{', '[']) { error.to_string() } else { text };
    format!("{}{hint}", text.replace('\n', " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool() -> DescriptorPool {
        DescriptorPool::decode(load_wire::nova_torch::DESCRIPTORS).unwrap()
    }

    #[test]
    fn names_are_read_in_all_their_forms() {
        let name = MethodName { service: "a.b.C".into(), method: "D".into() };
        for text in ["a.b.C/D", "/a.b.C/D", "a.b.C.D"] {
            assert_eq!(MethodName::parse(text).as_ref(), Ok(&name), "{text}");
        }
        assert_eq!((name.path().as_str(), name.to_string().as_str()), ("/a.b.C/D", "a.b.C/D"));
        for text in ["", "D", "/", "a.b.C/", "a.b.C/d.e", "a..C/D", "1a.C/D", "a b/C"] {
            assert!(MethodName::parse(text).unwrap_err().contains("expected pkg.Service/Method"), "{text}");
        }
    }

    #[test]
    fn a_method_is_found_with_its_types() {
        let method =
            MethodName::parse("nova_torch.NovaOrchestrator/RegisterAgent").unwrap().find(&pool()).unwrap();
        assert_eq!(method.input.full_name(), "nova_torch.RegisterAgentRequest");
        assert_eq!(method.output.full_name(), "nova_torch.RegisterAgentResponse");
    }

    #[test]
    fn what_is_not_there_is_told_with_what_is() {
        let error = |name: &str| MethodName::parse(name).unwrap().find(&pool()).unwrap_err();
        assert_eq!(
            error("nova_torch.Orchestrator/RegisterAgent"),
            "there is no service \"nova_torch.Orchestrator\"; there is nova_torch.NovaOrchestrator"
        );
        assert_eq!(
            error("nova_torch.NovaOrchestrator/Register"),
            "nova_torch.NovaOrchestrator has no method \"Register\"; there is RegisterAgent"
        );
        let names: Vec<_> = ["Get", "List", "Delete", "Update", "Create"].map(String::from).to_vec();
        assert!(offer("Updtae", &names).starts_with("nearest of 5: Update, "));
    }

    #[test]
    fn definitions_are_compiled_with_their_imports_and_mistakes_have_their_place() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            std::fs::create_dir_all(dir.path().join("shared")).unwrap();
            std::fs::write(dir.path().join(name), text).unwrap();
            dir.path().join(name)
        };
        write("shared/types.proto", "syntax = \"proto3\"; package t; message M { string id = 1; }");
        let stream = write(
            "s.proto",
            "syntax = \"proto3\"; package t; import \"types.proto\"; service S { rpc U(M) returns (M); rpc V(M) returns (stream M); }",
        );
        let missing = compile(&stream, &[]).err().unwrap().to_string();
        assert!(missing.contains("types.proto") && missing.contains("-I DIR"), "{missing}");
        let pool = compile(&stream, &[dir.path().into(), dir.path().join("shared")]).unwrap();
        assert!(MethodName::parse("t.S/U").unwrap().find(&pool).is_ok());
        let streams = MethodName::parse("t.S.V").unwrap().find(&pool).unwrap();
        assert_eq!((streams.client_streams, streams.server_streams), (false, true));
        let set = dir.path().join("set");
        std::fs::write(&set, pool.encode_to_vec()).unwrap();
        assert!(MethodName::parse("t.S/V").unwrap().find(&read_set(&set).unwrap()).is_ok());
        let none = read_set(&stream).err().unwrap().to_string();
        assert!(none.contains("--include_imports"), "{none}");
        let broken = write("b.proto", "syntax = \"proto3\";\nmessage M { strin id = 1; }\n");
        let error = compile(&broken, &[]).err().unwrap().to_string();
        assert!(error.contains("b.proto:2:") && error.contains("strin") && !error.contains('\n'), "{error}");
        let nowhere = compile(&dir.path().join("nowhere.proto"), &[]).err().unwrap().to_string();
        assert!(nowhere.contains("nowhere.proto: No such file"), "{nowhere}");
    }
}
