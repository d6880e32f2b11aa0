//! What does a server offer? The subcommands `list` and `describe`, by reflection or from a definition.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use clap::Command;
use load_core::About;
use load_core::error::UsageError;
use load_core::protocol::Control;
use load_net::http2::greet::in_time;
use load_report::exit::Exit;
use prost_reflect::{
    Cardinality, DescriptorPool, EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor,
};
use tokio::task::LocalSet;

use crate::args::ServerArgs;
use crate::descriptor::{MethodName, offer};
use crate::server::{Server, types};

/// Messages in messages of an example, at most.
const DEEPEST: usize = 4;

/// What `list` takes.
#[derive(clap::Args)]
struct ListArgs {
    /// Which server.
    #[command(flatten)]
    server: ServerArgs,
}

/// What `describe` takes.
#[derive(clap::Args)]
struct DescribeArgs {
    /// A service, a method (pkg.Service/Method), a message or an enumeration.
    #[arg(value_name = "NAME")]
    name: String,
    /// Which server.
    #[command(flatten)]
    server: ServerArgs,
}

/// Why there is nothing to tell, in one line.
struct Refused(Exit, String);

/// The subcommand `list`: every method of every service.
pub fn list(about: About, argv: &[String]) -> Exit {
    match read::<ListArgs>(about, argv) {
        Ok(args) => tell(about, listed(&args.server)),
        Err(exit) => exit,
    }
}

/// The subcommand `describe`: a service, method or type, and a request to begin with.
pub fn describe(about: About, argv: &[String]) -> Exit {
    match read::<DescribeArgs>(about, argv) {
        Ok(args) => tell(about, described(&args)),
        Err(exit) => exit,
    }
}

fn read<A: clap::Args>(about: About, argv: &[String]) -> Result<A, Exit> {
    let command = A::augment_args(Command::new(about.name)).version(about.version);
    let after = format!("Examples:\n{}\n\n{}", about.examples, Exit::help());
    let command = command.about(about.about).long_about(None).after_help(after);
    let args = command.try_get_matches_from(argv).and_then(|matches| A::from_arg_matches(&matches));
    args.map_err(|error| {
        // Nobody is left to be told when this cannot be written.
        let _ = error.print();
        if error.use_stderr() { Exit::Usage } else { Exit::Pass }
    })
}

fn tell(about: About, told: Result<String, Refused>) -> Exit {
    match told {
        Ok(text) => {
            let written = io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush());
            if written.is_ok() { Exit::Pass } else { Exit::NotWritten }
        }
        Err(Refused(exit, why)) => {
            let _ = writeln!(io::stderr(), "{}: {why}", about.name);
            exit
        }
    }
}

/// The types of `services`, or of all where that names none.
fn pool(args: &ServerArgs, wanted: Option<&str>) -> Result<DescriptorPool, Refused> {
    let usage = |error: UsageError| Refused(Exit::Usage, error.to_string());
    if let Some((_, pool)) = types(args).map_err(usage)? {
        return Ok(pool);
    }
    let server = Server::new(args).map_err(usage)?;
    let asked = async {
        let (_, link) = server.greet().await?;
        let mut services = server.services(&link).await?;
        let named = wanted.and_then(|name| services.iter().find(|service| *service == name).cloned());
        match named {
            Some(named) => services = vec![named],
            // Servers offer it, and many do not know its types.
            None => services.retain(|service| !service.starts_with("grpc.reflection.")),
        }
        server.pool(&link, &services, &mut Control::default()).await
    };
    let failed = |error: io::Error| Refused(Exit::Internal, error.to_string());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let asked = LocalSet::new().block_on(&runtime, in_time(&server.url.authority, asked));
    asked.map_err(|why| Refused(Exit::Unreachable, why))
}

fn listed(args: &ServerArgs) -> Result<String, Refused> {
    let pool = pool(args, None)?;
    let mut methods: Vec<_> =
        pool.services().flat_map(|service| service.methods().collect::<Vec<_>>()).collect();
    methods.sort_by(|a, b| a.full_name().cmp(b.full_name()));
    let named: Vec<_> = methods
        .iter()
        .map(|m| (format!("{}/{}", m.parent_service().full_name(), m.name()), kind(m)))
        .collect();
    let width = named.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines: Vec<_> = named.iter().map(|(name, kind)| format!("{name:width$}  {kind}\n")).collect();
    Ok(lines.concat())
}

fn kind(method: &MethodDescriptor) -> &'static str {
    match (method.is_client_streaming(), method.is_server_streaming()) {
        (false, false) => "unary",
        (true, false) => "client streams",
        (false, true) => "server streams",
        (true, true) => "both stream",
    }
}

fn described(args: &DescribeArgs) -> Result<String, Refused> {
    let name = args.name.strip_prefix('/').unwrap_or(&args.name);
    let dotted = name.replace('/', ".");
    let service = MethodName::parse(name).ok().map(|name| name.service).filter(|_| name.contains('/'));
    let pool = pool(&args.server, Some(service.as_deref().unwrap_or(name)))?;
    if let Some(service) = pool.get_service_by_name(&dotted) {
        let methods = service.methods().map(|each| format!("  {}\n", signature(&each)));
        return Ok(format!(
            "service {} {{\n{}}}\n",
            service.full_name(),
            methods.collect::<Vec<_>>().concat()
        ));
    }
    let methods = pool.services().flat_map(|service| service.methods().collect::<Vec<_>>());
    if let Some(method) = methods.into_iter().find(|method| method.full_name() == dotted) {
        let (input, output) = (method.input(), method.output());
        let mut text = format!("{}\n\n{}", signature(&method), shown(&input));
        if input != output {
            let _ = write!(text, "\n{}", shown(&output));
        }
        let example = example(&input, 0);
        let example = if method.is_client_streaming() { format!("[{example}]") } else { example };
        let _ = write!(text, "\n--json '{example}'\n");
        return Ok(text);
    }
    if let Some(message) = pool.get_message_by_name(&dotted) {
        return Ok(format!("{}\n--json '{}'\n", shown(&message), example(&message, 0)));
    }
    if let Some(named) = pool.get_enum_by_name(&dotted) {
        return Ok(values(&named));
    }
    let services: Vec<_> = pool.services().map(|service| service.full_name().to_owned()).collect();
    let why = match service.and_then(|service| pool.get_service_by_name(&service)) {
        Some(service) => {
            let methods: Vec<_> = service.methods().map(|method| method.name().to_owned()).collect();
            format!("{} has no such method; {}", service.full_name(), offer(&dotted, &methods))
        }
        None => format!("no service, method or type has this name; {}", offer(name, &services)),
    };
    Err(Refused(Exit::Usage, format!("{}: {why}", args.name)))
}

fn signature(method: &MethodDescriptor) -> String {
    let stream = |streams| if streams { "stream " } else { "" };
    format!(
        "rpc {}({}{}) returns ({}{});",
        method.name(),
        stream(method.is_client_streaming()),
        method.input().full_name(),
        stream(method.is_server_streaming()),
        method.output().full_name()
    )
}

fn shown(message: &MessageDescriptor) -> String {
    let fields = message
        .fields()
        .map(|field| format!("  {} {} = {};\n", written(&field), field.name(), field.number()));
    format!("message {} {{\n{}}}\n", message.full_name(), fields.collect::<Vec<_>>().concat())
}

/// The type of a field, as a definition has it.
fn written(field: &FieldDescriptor) -> String {
    if let Kind::Message(entry) = field.kind()
        && field.is_map()
    {
        return format!(
            "map<{}, {}>",
            named(&entry.map_entry_key_field()),
            named(&entry.map_entry_value_field())
        );
    }
    let label = match (field.cardinality(), field.containing_oneof()) {
        (Cardinality::Repeated, _) => "repeated ",
        (_, Some(oneof)) if !oneof.is_synthetic() => {
            return format!("/* {} */ {}", oneof.name(), named(field));
        }
        (_, Some(_)) => "optional ",
        _ => "",
    };
    format!("{label}{}", named(field))
}

fn named(field: &FieldDescriptor) -> String {
    match field.kind() {
        Kind::Message(message) => message.full_name().to_owned(),
        Kind::Enum(each) => each.full_name().to_owned(),
        kind => format!("{kind:?}"),
    }
}

fn values(each: &EnumDescriptor) -> String {
    let values = each.values().map(|value| format!("  {} = {};\n", value.name(), value.number()));
    format!("enum {} {{\n{}}}\n", each.full_name(), values.collect::<Vec<_>>().concat())
}

/// A request with every field, in protobuf's JSON mapping.
fn example(message: &MessageDescriptor, depth: usize) -> String {
    if message.full_name().starts_with("google.protobuf.") {
        // Timestamps and the like have forms of their own.
        return well_known(message.full_name()).into();
    }
    let (mut members, mut chosen) = (Vec::new(), Vec::new());
    for field in message.fields() {
        // Of alternatives there is one.
        if let Some(oneof) = field.containing_oneof() {
            if chosen.contains(&oneof.name().to_owned()) {
                continue;
            }
            chosen.push(oneof.name().to_owned());
        }
        let of = |field: &FieldDescriptor| match field.kind() {
            Kind::Message(_) if depth >= DEEPEST => None,
            Kind::Message(inner) => Some(example(&inner, depth + 1)),
            Kind::String | Kind::Bytes => Some("\"\"".into()),
            Kind::Bool => Some("false".into()),
            Kind::Enum(each) => each.values().next().map(|value| format!("{:?}", value.name())),
            _ => Some("0".into()),
        };
        let value = match field.kind() {
            Kind::Message(entry) if field.is_map() => {
                of(&entry.map_entry_value_field()).map(|value| format!("{{\"\": {value}}}"))
            }
            _ if field.is_list() => of(&field).map(|value| format!("[{value}]")),
            _ => of(&field),
        };
        members.extend(value.map(|value| format!("{:?}: {value}", field.name())));
    }
    format!("{{{}}}", members.join(", "))
}

fn well_known(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "Timestamp" => "\"2026-01-01T00:00:00Z\"",
        "Duration" => "\"1s\"",
        "FieldMask" | "StringValue" | "BytesValue" => "\"\"",
        "BoolValue" => "false",
        "Value" => "null",
        "ListValue" => "[]",
        "Empty" | "Struct" | "Any" => "{}",
        _ => "0",
    }
}
