//! Where does the API run? Servers are environments.

use serde_json::Value;

use crate::host;
use crate::names::{self, Given};
use crate::text;

use super::document::Document;

/// Where a server is looked for that nobody names.
const LOCAL: &str = "http://127.0.0.1:8080";

/// A longer description of a server is no name.
const LONGEST: usize = 24;

/// Names and URLs of environments, at least one; what a reader should know of them goes into `notes`.
pub(super) fn read(document: &Document, notes: &mut Vec<String>) -> Vec<(String, String)> {
    let list = document.root.get("servers").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let (mut environments, mut given) = (Vec::new(), Given::default());
    for server in list {
        let url = url(server);
        let (host, path) = host::split(&url).unwrap_or_else(|| {
            notes.push(format!("The server {url} has no host; {LOCAL} is a guess, or say --url."));
            (LOCAL.to_owned(), format!("/{}", url.trim_start_matches('/')))
        });
        let path = text::target(text::split_query(&path).0.trim_end_matches('/'));
        let name = server.get("description").and_then(Value::as_str).map(names::variable).unwrap_or_default();
        let name = match name.to_ascii_lowercase() {
            name if name.is_empty() || name.len() > LONGEST || name == "value" => "default".to_owned(),
            name => name,
        };
        environments.push((given.unique(&name, "_"), format!("{host}{path}")));
    }
    if environments.is_empty() {
        notes.push(format!("No server is described; {LOCAL} is a guess, or say --url."));
        environments.push(("default".to_owned(), LOCAL.to_owned()));
    }
    environments
}

/// The URL of a server with the defaults of its variables.
fn url(server: &Value) -> String {
    let mut url = server.get("url").and_then(Value::as_str).unwrap_or_default().to_owned();
    let variables = server.get("variables").and_then(Value::as_object);
    for (name, variable) in variables.into_iter().flatten() {
        let default = match variable.get("default") {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => continue,
        };
        url = url.replace(&format!("{{{name}}}"), &default);
    }
    url
}
