//! Which answer gave a value to a later call? What a server said first and a client said later, as a whole.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;

use serde_json::Value;

use crate::names::{self, Given};
use crate::text;

use super::entry::Entry;

/// A shorter value is the same by chance.
const SHORTEST: usize = 8;
/// Values of answers that are remembered, at most.
const MOST: usize = 200_000;

/// A value that an answer gave to a later call.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Link {
    /// Index of the call that was answered.
    pub(super) from: usize,
    /// Where in the answer.
    pub(super) path: String,
    pub(super) value: String,
    /// The variable that holds it.
    pub(super) name: String,
}

/// The values that are captured, in the order of their answers.
pub(super) fn find(entries: &[&Entry<'_>]) -> Vec<Link> {
    let (mut answered, mut sent) = (HashMap::<String, (usize, String)>::new(), BTreeSet::new());
    let mut found = Vec::new();
    for (at, entry) in entries.iter().enumerate() {
        let mut values = said(entry);
        values.retain(|value| value.len() >= SHORTEST);
        for value in &values {
            if let Some((from, path)) = answered.remove(value) {
                found.push((from, path, value.clone()));
            }
        }
        // What a client has said once is its own.
        sent.extend(values);
        if let Some(answer) = &entry.answer {
            let mut remember = |value: String, path: &str| {
                if value.len() >= SHORTEST && answered.len() < MOST && !sent.contains(&value) {
                    answered.entry(value).or_insert_with(|| (at, path.to_owned()));
                }
            };
            leaves(answer, &mut String::from("$"), &mut remember);
        }
    }
    found.sort_by_key(|(from, _, _)| *from);
    let mut given = Given::default();
    let link = |(from, path, value): (usize, String, String)| {
        let name = given.unique(&name(&path), "_");
        Link { from, path, value, name }
    };
    found.into_iter().map(link).collect()
}

/// Every value that a request says as a whole.
fn said(entry: &Entry<'_>) -> Vec<String> {
    let (path, query) = text::split_query(&entry.target);
    let mut all: Vec<_> = path.split('/').map(text::decoded).collect();
    let raw = |pair: &str| text::decoded(pair.split_once('=').map_or(pair, |(_, value)| value));
    all.extend(query.unwrap_or_default().split('&').map(raw));
    for (_, value) in &entry.headers {
        all.push((*value).to_owned());
        all.extend(value.split_once(' ').map(|(_, token)| token.to_owned()));
    }
    if let Ok(body) = serde_json::from_str::<Value>(entry.body) {
        leaves(&body, &mut String::new(), &mut |value, _| all.push(value));
    } else if entry.mime.starts_with("application/x-www-form-urlencoded") {
        all.extend(text::pairs(entry.body).into_iter().map(|(_, value)| value));
    }
    all.extend(entry.fields.iter().map(|field| text::decoded(field.value)));
    all
}

/// Texts and numbers in `value`, with their paths.
fn leaves(value: &Value, path: &mut String, take: &mut impl FnMut(String, &str)) {
    let length = path.len();
    match value {
        Value::String(text) => take(text.clone(), path),
        Value::Number(number) => take(number.to_string(), path),
        Value::Array(list) => {
            for (index, item) in list.iter().enumerate() {
                let _ = write!(path, "[{index}]");
                leaves(item, path, take);
                path.truncate(length);
            }
        }
        Value::Object(map) => {
            for (key, item) in map {
                *path += &member(key);
                leaves(item, path, take);
                path.truncate(length);
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}

/// A key as a piece of a JSONPath (RFC 9535).
pub(crate) fn member(key: &str) -> String {
    let is_plain = key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    // The escapes of JSON are those of a path in double quotes.
    if is_plain { format!(".{key}") } else { format!("[{}]", Value::from(key)) }
}

/// A variable's name for the value at `path`: its key, with the one above it where it says nothing by itself.
fn name(path: &str) -> String {
    let keys: Vec<_> = path
        .split(['.', '[', ']', '"', '$'])
        .filter(|key| key.parse::<u64>().is_err() && !key.is_empty())
        .collect();
    match keys.as_slice() {
        [.., above, last @ ("id" | "uuid" | "key" | "value" | "name" | "href")] => {
            names::variable(&format!("{above}_{last}"))
        }
        [.., last] => names::variable(last),
        [] => "value".to_owned(),
    }
}
