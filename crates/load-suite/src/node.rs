//! What was written where? TOML as a tree in which everything knows its file and line.

use std::fmt;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// As it was opened.
    pub file: Arc<str>,
    /// Counted from 1.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// A mistake in a suite: where, what is wrong and what was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuiteError {
    /// Where; none when it is not in a file.
    pub place: Option<Place>,
    /// What is wrong and what was expected.
    pub message: String,
}

impl SuiteError {
    /// A mistake at `place`.
    pub fn at(place: &Place, message: impl Into<String>) -> Self {
        Self { place: Some(place.clone()), message: message.into() }
    }

    /// A mistake that is in no file.
    pub fn new(message: impl Into<String>) -> Self {
        Self { place: None, message: message.into() }
    }
}

impl fmt::Display for SuiteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for SuiteError {}

/// A value and where it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Where.
    pub place: Place,
    /// What.
    pub value: Value,
}

/// A value of TOML.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A text.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// Another number.
    Float(f64),
    /// true or false.
    Boolean(bool),
    /// `[...]`, or `[[name]]` several times.
    List(Vec<Node>),
    /// Keys and values in the order of the file.
    Table(Vec<(String, Node)>),
}

impl Node {
    /// Reads a file.
    ///
    /// # Errors
    /// Where it is not TOML.
    pub fn parse(file: &str, text: &str) -> Result<Self, SuiteError> {
        let lines = Lines { file: file.into(), text };
        let table = DeTable::parse(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            SuiteError::at(&lines.place(at), error.message().to_owned())
        })?;
        lines.table(table.get_ref(), 0)
    }

    /// An empty table of `file`.
    pub fn empty(file: &str) -> Self {
        Self { place: Place { file: file.into(), line: 1 }, value: Value::Table(Vec::new()) }
    }

    /// What `json` says, all of it at `place`; null is an empty text.
    pub fn of_json(place: &Place, json: &serde_json::Value) -> Self {
        let value = match json {
            serde_json::Value::Null => Value::Text(String::new()),
            serde_json::Value::Bool(value) => Value::Boolean(*value),
            serde_json::Value::Number(number) => match number.as_i64() {
                Some(number) => Value::Integer(number),
                None => Value::Float(number.as_f64().unwrap_or_default()),
            },
            serde_json::Value::String(text) => Value::Text(text.clone()),
            serde_json::Value::Array(list) => {
                Value::List(list.iter().map(|item| Self::of_json(place, item)).collect())
            }
            serde_json::Value::Object(members) => {
                let member = |(key, value): (&String, _)| (key.clone(), Self::of_json(place, value));
                Value::Table(members.iter().map(member).collect())
            }
        };
        Self { place: place.clone(), value }
    }

    /// What kind of value it is, for people.
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Value::Text(_) => "a text",
            Value::Integer(_) => "a whole number",
            Value::Float(_) => "a number",
            Value::Boolean(_) => "true or false",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
        }
    }

    /// The value of `key`, where this is a table.
    pub fn get(&self, key: &str) -> Option<&Self> {
        match &self.value {
            Value::Table(entries) => entries.iter().find(|(name, _)| name == key).map(|(_, node)| node),
            _ => None,
        }
    }

    fn name(&self) -> Option<&str> {
        match &self.get("name")?.value {
            Value::Text(name) => Some(name),
            _ => None,
        }
    }

    /// `over` on top of this: tables key by key, lists of things with a `name` by that name, everything else replaced. An empty list
    /// names nothing: it replaces, too.
    #[must_use]
    pub fn overlaid(self, over: Self) -> Self {
        let value = match (self.value, over.value) {
            (Value::Table(mut entries), Value::Table(new)) => {
                for (key, node) in new {
                    match entries.iter_mut().find(|(name, _)| *name == key) {
                        Some((_, old)) => *old = old.clone().overlaid(node),
                        None => entries.push((key, node)),
                    }
                }
                Value::Table(entries)
            }
            (Value::List(old), Value::List(new))
                if !old.is_empty()
                    && !new.is_empty()
                    && old.iter().chain(&new).all(|node| node.name().is_some()) =>
            {
                let mut list = old;
                for node in new {
                    match list.iter_mut().find(|there| there.name() == node.name()) {
                        Some(there) => *there = there.clone().overlaid(node),
                        None => list.push(node),
                    }
                }
                Value::List(list)
            }
            (_, new) => new,
        };
        Self { place: over.place, value }
    }

    /// The value as JSON.
    pub fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Text(text) => text.as_str().into(),
            Value::Integer(number) => (*number).into(),
            Value::Float(number) => (*number).into(),
            Value::Boolean(value) => (*value).into(),
            Value::List(list) => list.iter().map(Self::to_json).collect(),
            Value::Table(entries) => serde_json::Value::Object(
                entries.iter().map(|(key, node)| (key.clone(), node.to_json())).collect(),
            ),
        }
    }
}

/// A file while it is turned into a tree.
struct Lines<'a> {
    file: Arc<str>,
    text: &'a str,
}

impl Lines<'_> {
    fn place(&self, at: usize) -> Place {
        let before = self.text.as_bytes().iter().take(at);
        Place { file: Arc::clone(&self.file), line: before.filter(|&&byte| byte == b'\n').count() + 1 }
    }

    fn table(&self, table: &DeTable<'_>, at: usize) -> Result<Node, SuiteError> {
        let mut entries = Vec::with_capacity(table.len());
        for (key, value) in table {
            // A key's own place: the value of `[a.b]` is where the heading stands.
            let at = key.span().start;
            entries.push((at, (key.get_ref().to_string(), self.node(value.get_ref(), at)?)));
        }
        // In the order of the file, whatever the map's.
        entries.sort_by_key(|(at, _)| *at);
        Ok(Node {
            place: self.place(at),
            value: Value::Table(entries.into_iter().map(|(_, entry)| entry).collect()),
        })
    }

    fn node(&self, value: &DeValue<'_>, at: usize) -> Result<Node, SuiteError> {
        let place = self.place(at);
        let value = match value {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Integer(number) => {
                let parsed = i64::from_str_radix(number.as_str(), number.radix());
                Value::Integer(parsed.map_err(|_| {
                    SuiteError::at(&place, format!("{} is too large a number", number.as_str()))
                })?)
            }
            DeValue::Float(number) => match number.as_str().parse::<f64>() {
                Ok(number) if number.is_finite() => Value::Float(number),
                _ => {
                    return Err(SuiteError::at(
                        &place,
                        format!("{} is no number that can be used here", number.as_str()),
                    ));
                }
            },
            DeValue::Boolean(value) => Value::Boolean(*value),
            DeValue::Datetime(time) => Value::Text(time.to_string()),
            DeValue::Array(list) => {
                let list = list.iter().map(|item| self.node(item.get_ref(), item.span().start));
                Value::List(list.collect::<Result<_, _>>()?)
            }
            DeValue::Table(table) => return self.table(table, at),
        };
        Ok(Node { place, value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Node {
        Node::parse("a.toml", text).unwrap()
    }

    #[test]
    fn everything_knows_its_line() {
        let node = parse("x = 1\n[a.b]\ny = \"t\"\n\n[[users]]\nname = \"u\"\n[[users]]\nname = 'v'\n");
        let line = |node: &Node| node.place.line;
        let b = node.get("a").unwrap().get("b").unwrap();
        assert_eq!((line(node.get("x").unwrap()), line(b), line(b.get("y").unwrap())), (1, 2, 3));
        let Value::List(users) = &node.get("users").unwrap().value else { panic!("a list") };
        assert_eq!(users.iter().map(|user| line(user.get("name").unwrap())).collect::<Vec<_>>(), [6, 8]);
    }

    #[test]
    fn what_is_not_toml_is_pointed_at() {
        let error = Node::parse("a.toml", "x = 1\ny = \n").unwrap_err();
        assert!(error.to_string().starts_with("a.toml:2: "), "{error}");
        assert_eq!(Node::parse("a.toml", "x = 99999999999999999999").unwrap_err().place.unwrap().line, 1);
    }

    #[test]
    fn an_overlay_merges_keys_and_named_things() {
        let base = "thresholds = [\"a\"]\n[vars]\na = 1\nb = 2\n[[users]]\nname = \"u\"\nweight = 1\n[[users.tasks]]\nname = \"t\"\n";
        let over = "thresholds = [\"b\"]\n[vars]\nb = 3\n[[users]]\nname = \"u\"\nweight = 5\n[[users.tasks]]\nname = \"s\"\n[[users]]\nname = \"w\"\n";
        let merged = parse(base).overlaid(Node::parse("b.toml", over).unwrap());
        let json = merged.to_json();
        let expected = serde_json::json!({
            "thresholds": ["b"], "vars": {"a": 1, "b": 3},
            "users": [{"name": "u", "weight": 5, "tasks": [{"name": "t"}, {"name": "s"}]}, {"name": "w"}]
        });
        assert_eq!(json, expected);
        assert_eq!(merged.get("vars").unwrap().get("a").unwrap().place.to_string(), "a.toml:3");
    }

    #[test]
    fn an_empty_list_takes_away_what_has_names_and_what_has_none() {
        let base = "[[setup]]\nname = \"machines\"\n[[setup]]\nname = \"volumes\"\n[[cleanup]]\nrequest = \"DELETE /\"\n[[users]]\nname = \"u\"\n";
        let merged = parse(base).overlaid(parse("setup = []\ncleanup = []\n"));
        let expected = serde_json::json!({ "setup": [], "cleanup": [], "users": [{ "name": "u" }] });
        assert_eq!(merged.to_json(), expected);
    }
}
