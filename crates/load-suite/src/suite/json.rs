//! How does a table of a suite become JSON? As it is, with `{{...}}` left in its texts.

use crate::fields::At;
use crate::node::{Node, SuiteError, Value};
use crate::template::{Escape, Names, Template};

use super::expect::compile;

/// A text is JSON as it stands; everything else is written as JSON.
///
/// # Errors
/// An unknown `{{...}}`.
pub fn json(node: Node, names: &Names) -> Result<Template, SuiteError> {
    let place = node.place.clone();
    let source = match node.value {
        Value::Text(source) => source,
        _ => written(&node),
    };
    let at = At { place, value: source };
    compile(&at, names, Escape::Json)
}

/// `node` as JSON, in whose texts `{{...}}` stays as it is. A text that is one `{{... | raw}}` loses its quotes.
fn written(node: &Node) -> String {
    match &node.value {
        Value::Text(text) if is_raw(text) => text.clone(),
        Value::Text(text) => format!(
            "\"{}\"",
            around_placeholders(text, |text| {
                let quoted = serde_json::Value::from(text).to_string();
                quoted[1..quoted.len() - 1].to_owned()
            })
        ),
        Value::List(list) => {
            let items: Vec<_> = list.iter().map(written).collect();
            format!("[{}]", items.join(","))
        }
        Value::Table(entries) => {
            let member = |(key, node): &(String, Node)| {
                format!("{}:{}", serde_json::Value::from(key.as_str()), written(node))
            };
            let members: Vec<_> = entries.iter().map(member).collect();
            format!("{{{}}}", members.join(","))
        }
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) => node.to_json().to_string(),
    }
}

fn is_raw(text: &str) -> bool {
    let inner = text.strip_prefix("{{").and_then(|text| text.strip_suffix("}}"));
    inner.is_some_and(|inner| {
        !inner.contains("}}") && inner.rsplit_once('|').is_some_and(|(_, filter)| filter.trim() == "raw")
    })
}

/// `text` with everything outside of `{{...}}` put through `map`.
pub fn around_placeholders(text: &str, map: impl Fn(&str) -> String) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once("{{") {
        out += &map(before);
        let (inner, behind) = after.split_once("}}").unwrap_or((after, ""));
        out.extend(["{{", inner, "}}"]);
        rest = behind;
    }
    out + &map(rest)
}
