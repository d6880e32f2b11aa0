//! Where does a request go? The host behind the variables that it is written with, and the path as it is written.

use serde_json::Value;

use crate::host;
use crate::text;

use super::variables::Variables;
use super::{enabled, plain};

/// Where the target is looked for when a collection does not say it.
const LOCAL: &str = "http://127.0.0.1:8080";

/// A host and what follows.
pub(super) struct Place {
    /// `http://host`, or what stands in its place and is not known.
    pub(super) host: String,
    /// Path and query with variables of the collection.
    pub(super) target: String,
}

impl Place {
    /// The place of a request; none when it has no URL.
    pub(super) fn read(request: &Value, variables: &Variables) -> Option<Self> {
        let said = if request.is_string() { request } else { &request["url"] };
        let raw = match said {
            Value::String(raw) => raw.clone(),
            said => said["raw"].as_str().map_or_else(|| assembled(said), str::to_owned),
        };
        let raw = raw.trim();
        let behind_scheme = raw.find("://").map_or(0, |at| at + 3);
        let end = raw[behind_scheme..].find(['/', '?', '#']).map_or(raw.len(), |at| behind_scheme + at);
        let (authority, rest) = raw.split_at(end);
        if authority.is_empty() {
            return None;
        }
        let rest = with_path_variables(rest.split('#').next().unwrap_or_default(), &said["variable"]);
        let expanded = variables.expanded(authority);
        let whole = if expanded.contains("://") { expanded } else { format!("http://{expanded}") };
        let (host, base) = host::split(&whole).unwrap_or_else(|| (authority.to_owned(), "/".to_owned()));
        let base = base.trim_end_matches('/');
        let slash = if base.is_empty() && !rest.starts_with('/') { "/" } else { "" };
        Some(Self { host, target: format!("{base}{slash}{rest}") })
    }
}

/// The URL of the target that `host` means, with what a reader should know of it.
pub(super) fn known(host: &str, notes: &mut Vec<String>) -> String {
    if host::split(host).is_some() {
        return host.to_owned();
    }
    notes.push(format!("The collection does not say what {host} is; {LOCAL} is a guess, or say --url."));
    LOCAL.to_owned()
}

/// A URL of its pieces.
fn assembled(said: &Value) -> String {
    let joined = |key: &str, between: &str| match &said[key] {
        Value::Array(list) => {
            let piece = |piece: &Value| plain(piece.get("value").unwrap_or(piece));
            list.iter().map(piece).collect::<Vec<_>>().join(between)
        }
        other => plain(other),
    };
    let (protocol, port) = (plain(&said["protocol"]), plain(&said["port"]));
    let protocol = if protocol.is_empty() { protocol } else { format!("{protocol}://") };
    let port = if port.is_empty() { port } else { format!(":{port}") };
    let query: Vec<_> = enabled(&said["query"]).map(|(name, value)| format!("{name}={value}")).collect();
    let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
    let path = joined("path", "/");
    format!("{protocol}{}{port}/{}{query}", joined("host", "."), path.trim_start_matches('/'))
}

/// `/orders/:id` with the value of `id`.
fn with_path_variables(rest: &str, values: &Value) -> String {
    let (path, query) = text::split_query(rest);
    let segment = |segment: &str| {
        let Some(name) = segment.strip_prefix(':').filter(|name| !name.is_empty()) else {
            return segment.to_owned();
        };
        let value = enabled(values).find(|(key, _)| key == name).map(|(_, value)| value);
        value.filter(|value| !value.is_empty()).unwrap_or_else(|| format!("{{{{{name}}}}}"))
    };
    let path = path.split('/').map(segment).collect::<Vec<_>>().join("/");
    query.map_or_else(|| path.clone(), |query| format!("{path}?{query}"))
}
