//! Where does the API run? Servers are environments; the path that they have in common begins each request.

use serde_json::Value;

use crate::host;
use crate::names::{self, Given};
use crate::text;

use super::document::Document;

/// What a description says of its servers.
pub(super) struct Servers {
    /// Names and URLs, at least one.
    pub(super) environments: Vec<(String, String)>,
    /// What stands before each path; no `/` at its end.
    pub(super) base: String,
    pub(super) notes: Vec<String>,
}

/// Where a server is looked for that nobody names.
const LOCAL: &str = "http://127.0.0.1:8080";

/// A longer description of a server is no name.
const LONGEST: usize = 24;

pub(super) fn read(document: &Document) -> Servers {
    let list = document.root.get("servers").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let mut servers = Servers { environments: Vec::new(), base: String::new(), notes: Vec::new() };
    let mut given = Given::default();
    for server in list {
        let url = url(server);
        let (host, path) = host::split(&url).unwrap_or_else(|| (LOCAL.to_owned(), url.clone()));
        if host == LOCAL && !url.starts_with(LOCAL) {
            servers.notes.push(format!("The server {url} has no host; {LOCAL} is a guess, or say --url."));
        }
        let path = text::split_query(&path).0.trim_end_matches('/');
        let base = if path.is_empty() {
            String::new()
        } else {
            format!("/{}", text::target(path.trim_start_matches('/')))
        };
        if servers.environments.is_empty() {
            servers.base = base;
        } else if servers.base != base {
            servers
                .notes
                .push(format!("The server {url} was left out: its paths begin with something else."));
            continue;
        }
        let name = server.get("description").and_then(Value::as_str).map(names::variable).unwrap_or_default();
        let name = match name.to_ascii_lowercase() {
            name if name.is_empty() || name.len() > LONGEST || name == "value" => "default".to_owned(),
            name => name,
        };
        servers.environments.push((given.unique(&name, "_"), host));
    }
    if servers.environments.is_empty() {
        servers.notes.push(format!("No server is described; {LOCAL} is a guess, or say --url."));
        servers.environments.push(("default".to_owned(), LOCAL.to_owned()));
    }
    servers
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
