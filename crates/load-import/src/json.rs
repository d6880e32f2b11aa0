//! What is a JSON value whose texts are templates, and which may hold a placeholder in the place of a number?

use std::fmt::Write as _;

use serde_json::{Number, Value};

use crate::text;

/// A value. Keys and texts are templates.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    /// A placeholder outside of quotes, with its braces.
    Raw(String),
    List(Vec<Json>),
    Table(Vec<(String, Json)>),
}

impl Json {
    /// A value that stands for itself.
    pub(crate) fn literal(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(b) => Self::Bool(*b),
            Value::Number(n) => Self::Number(n.clone()),
            Value::String(s) => Self::Text(text::literal(s)),
            Value::Array(list) => Self::List(list.iter().map(Self::literal).collect()),
            Value::Object(map) => Self::Table(
                map.iter().map(|(key, value)| (text::literal(key), Self::literal(value))).collect(),
            ),
        }
    }

    /// As TOML in one line, when TOML can say it.
    pub(crate) fn inline(&self) -> Option<String> {
        Some(match self {
            // TOML has neither of these, and no numbers beyond 64 bits with a sign.
            Self::Null | Self::Raw(_) => return None,
            Self::Number(n) if n.is_u64() && !n.is_i64() => return None,
            Self::Bool(b) => b.to_string(),
            Self::Number(n) => n.to_string(),
            Self::Text(text) => quoted(text),
            Self::List(list) => {
                let items = list.iter().map(Self::inline).collect::<Option<Vec<_>>>()?;
                format!("[{}]", items.join(", "))
            }
            Self::Table(table) if table.is_empty() => "{}".to_owned(),
            Self::Table(table) => {
                let item =
                    |(name, value): &(String, Self)| Some(format!("{} = {}", key(name), value.inline()?));
                format!("{{ {} }}", table.iter().map(item).collect::<Option<Vec<_>>>()?.join(", "))
            }
        })
    }

    /// As JSON over several lines.
    pub(crate) fn pretty(&self) -> String {
        let mut out = String::new();
        self.print(0, &mut out);
        out
    }

    fn print(&self, indent: usize, out: &mut String) {
        // A vector and a table differ in their brackets and keys alone.
        let mut block =
            |open: char, close: char, items: &mut dyn Iterator<Item = (Option<&String>, &Self)>| {
                out.push(open);
                let mut is_first = true;
                for (key, value) in items {
                    *out += if is_first { "\n" } else { ",\n" };
                    is_first = false;
                    let _ = write!(out, "{:1$}", "", indent + 2);
                    if let Some(key) = key {
                        let _ = write!(out, "{}: ", in_json(key));
                    }
                    value.print(indent + 2, out);
                }
                if !is_first {
                    let _ = write!(out, "\n{:1$}", "", indent);
                }
                out.push(close);
            };
        match self {
            Self::List(list) => block('[', ']', &mut list.iter().map(|value| (None, value))),
            Self::Table(table) => block('{', '}', &mut table.iter().map(|(key, value)| (Some(key), value))),
            Self::Null => *out += "null",
            Self::Bool(b) => *out += if *b { "true" } else { "false" },
            Self::Number(n) => *out += &n.to_string(),
            Self::Text(text) => *out += &in_json(text),
            Self::Raw(placeholder) => *out += placeholder,
        }
    }
}

/// A text in the quotes of JSON; placeholders in it stay as they are.
fn in_json(template: &str) -> String {
    let mut out = String::from('"');
    for (literal, placeholder) in text::pieces(template) {
        let quoted = Value::from(literal).to_string();
        out += &quoted[1..quoted.len() - 1];
        out += placeholder;
    }
    out + "\""
}

/// A text as TOML: without escapes where that is possible.
pub(crate) fn quoted(text: &str) -> String {
    let needs_escapes = text.contains(['"', '\\']);
    if needs_escapes && !text.contains('\'') && !text.chars().any(char::is_control) {
        return format!("'{text}'");
    }
    // The escapes of JSON are among those of TOML, which wants one more.
    Value::from(text).to_string().replace('\u{7F}', "\\u007F")
}

/// A text over several lines as TOML.
pub(crate) fn block(text: &str) -> String {
    let is_plain = text.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\t'));
    if text.contains('\n') && is_plain && !text.contains("'''") && !text.ends_with('\'') {
        return format!("'''\n{text}'''");
    }
    quoted(text)
}

/// A key as TOML.
pub(crate) fn key(text: &str) -> String {
    let is_bare =
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    if is_bare { text.to_owned() } else { quoted(text) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_is_written_as_toml_or_as_json() {
        let value = Json::literal(&json!({"a b": [1, 2.5, "x\"y"], "c": {}}));
        assert_eq!(value.inline().unwrap(), r#"{ "a b" = [1, 2.5, 'x"y'], c = {} }"#);
        assert_eq!(value.pretty(), "{\n  \"a b\": [\n    1,\n    2.5,\n    \"x\\\"y\"\n  ],\n  \"c\": {}\n}");
        assert_eq!(Json::literal(&json!([null])).inline(), None);
        assert_eq!(Json::literal(&json!(u64::MAX)).inline(), None);
    }

    #[test]
    fn placeholders_keep_their_own_quotes() {
        let value = Json::Table(vec![
            ("n".into(), Json::Raw("{{int(1, 9)}}".into())),
            ("t".into(), Json::Text("a\"{{pick('{{')}}".into())),
        ]);
        assert_eq!(value.pretty(), "{\n  \"n\": {{int(1, 9)}},\n  \"t\": \"a\\\"{{pick('{{')}}\"\n}");
    }

    proptest! {
        #[test]
        fn any_text_survives_toml(text in any::<String>(), name in any::<String>()) {
            for written in [quoted(&text), block(&text)] {
                let toml = format!("{} = {written}", key(&name));
                let table: toml::Table = toml::from_str(&toml).unwrap();
                prop_assert_eq!(table.get(&name).and_then(toml::Value::as_str), Some(text.as_str()));
            }
        }
    }
}
