//! Who is asking? The first way that a description allows, with its secret from the environment.

use serde_json::Value;

use crate::ImportError;
use crate::secret::Secrets;
use crate::text;

use super::document::Document;

/// What goes with a request.
#[derive(Debug, Default)]
pub(super) struct Asking {
    pub(super) headers: Vec<(String, String)>,
    /// Names and templates, encoded.
    pub(super) query: Vec<(String, String)>,
    pub(super) cookies: Vec<String>,
    pub(super) notes: Vec<String>,
}

/// What `operation` asks for, or else the whole description.
pub(super) fn of(
    document: &Document,
    operation: &Value,
    secrets: &mut Secrets,
    place: &str,
) -> Result<Asking, ImportError> {
    let mut asking = Asking::default();
    let said = operation.get("security").or_else(|| document.root.get("security"));
    let ways = said.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    // An empty way means that nobody has to ask; the others show what a real user does.
    let way = ways.iter().filter_map(Value::as_object).find(|way| !way.is_empty());
    for name in way.into_iter().flat_map(|way| way.keys()) {
        let schemes = document.root.pointer("/components/securitySchemes");
        let Some(scheme) = schemes.and_then(|schemes| schemes.get(name)) else {
            asking.notes.push(format!("The security scheme {name} is not described."));
            continue;
        };
        asking.add(document.resolve(scheme, place)?, name, secrets);
    }
    Ok(asking)
}

impl Asking {
    fn add(&mut self, scheme: &Value, name: &str, secrets: &mut Secrets) {
        let word = |key: &str| scheme.get(key).and_then(Value::as_str).unwrap_or_default();
        let mut authorization = |scheme: &str, variable: &str, what: &str| {
            let variable = secrets.wanted(variable, what);
            self.headers.push(("Authorization".to_owned(), format!("{scheme} {{{{env.{variable}}}}}")));
        };
        match (word("type"), word("scheme").to_ascii_lowercase().as_str()) {
            ("http", "basic") => authorization("Basic", "API_BASIC", "base64 of user:password"),
            ("http", "bearer") | ("oauth2" | "openIdConnect", _) => {
                authorization("Bearer", "API_TOKEN", &format!("token of the security scheme {name}"));
            }
            ("apiKey", _) => {
                let variable = secrets.wanted("API_KEY", &format!("key of the security scheme {name}"));
                let (key, value) = (word("name"), format!("{{{{env.{variable}}}}}"));
                match word("in") {
                    "query" => self.query.push((text::component(key), value)),
                    "cookie" => self.cookies.push(format!("{}={value}", text::literal(key))),
                    _ => self.headers.push((key.to_owned(), value)),
                }
            }
            (kind, _) => self.notes.push(format!("The security scheme {name} ({kind}) cannot be imported.")),
        }
    }
}
