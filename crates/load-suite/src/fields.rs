//! What does a table of a suite say? Keys are taken one by one; what nobody took is a mistake.

use std::time::Duration;

use crate::nearest::nearest;
use crate::node::{Node, Place, SuiteError, Value};
use crate::units;

/// A value and where it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct At<T> {
    /// Where.
    pub place: Place,
    /// What.
    pub value: T,
}

impl<T> At<T> {
    /// A mistake in this value.
    pub fn wrong(&self, message: impl Into<String>) -> SuiteError {
        SuiteError::at(&self.place, message)
    }

    /// The value that `map` makes of it, in the same place.
    pub fn map<U>(self, map: impl FnOnce(T) -> U) -> At<U> {
        At { place: self.place, value: map(self.value) }
    }
}

/// A table that is being read.
#[derive(Clone, Debug, PartialEq)]
pub struct Fields {
    /// Where the table begins.
    pub place: Place,
    left: Vec<(String, Node)>,
    asked: Vec<&'static str>,
}

impl Fields {
    /// Reads `node`, which must be a table; `what` it is, for people: "a step".
    ///
    /// # Errors
    /// It is something else.
    pub fn of(node: Node, what: &str) -> Result<Self, SuiteError> {
        let kind = node.kind();
        match node.value {
            Value::Table(left) => Ok(Self { place: node.place, left, asked: Vec::new() }),
            _ => {
                Err(SuiteError::at(&node.place, format!("{what} is a table of keys and values, not {kind}")))
            }
        }
    }

    /// A mistake in this table.
    pub fn wrong(&self, message: impl Into<String>) -> SuiteError {
        SuiteError::at(&self.place, message)
    }

    /// Takes the value of `key`.
    pub fn node(&mut self, key: &'static str) -> Option<Node> {
        self.asked.push(key);
        let at = self.left.iter().position(|(name, _)| name == key)?;
        Some(self.left.remove(at).1)
    }

    /// Changes the value of `key`, where it is there and was not taken.
    pub(crate) fn change(
        &mut self,
        key: &str,
        change: impl FnOnce(&mut Node) -> Result<(), SuiteError>,
    ) -> Result<(), SuiteError> {
        match self.left.iter_mut().find(|(name, _)| name == key) {
            Some((_, node)) => change(node),
            None => Ok(()),
        }
    }

    /// Whether `key` is there and was not taken.
    pub fn has(&self, key: &str) -> bool {
        self.left.iter().any(|(name, _)| name == key)
    }

    /// Whether `key` is there, was not taken and is a list.
    pub fn list(&self, key: &str) -> bool {
        self.left.iter().any(|(name, node)| name == key && matches!(node.value, Value::List(_)))
    }

    /// Takes a text.
    ///
    /// # Errors
    /// It is no text.
    pub fn text(&mut self, key: &'static str) -> Result<Option<At<String>>, SuiteError> {
        let Some(node) = self.node(key) else { return Ok(None) };
        text(node, key).map(Some)
    }

    /// Takes a text that must be there; `expected` says what.
    ///
    /// # Errors
    /// It is missing, or no text.
    pub fn required(&mut self, key: &'static str, expected: &str) -> Result<At<String>, SuiteError> {
        self.text(key)?.ok_or_else(|| self.wrong(format!("no {key}; expected {expected}")))
    }

    /// Takes a text or a list of texts.
    ///
    /// # Errors
    /// It is something else.
    pub fn texts(&mut self, key: &'static str) -> Result<Vec<At<String>>, SuiteError> {
        let Some(node) = self.node(key) else { return Ok(Vec::new()) };
        match node.value {
            Value::List(list) => list.into_iter().map(|node| text(node, key)).collect(),
            _ => Ok(vec![text(node, key)?]),
        }
    }

    /// Takes a whole number of at least `least`, as a number or a text like `10k`.
    ///
    /// # Errors
    /// It is something else.
    pub fn count(&mut self, key: &'static str, least: u64) -> Result<Option<u64>, SuiteError> {
        let Some(node) = self.node(key) else { return Ok(None) };
        let count = match &node.value {
            Value::Integer(number) => u64::try_from(*number).ok(),
            Value::Text(text) => units::count(text).ok(),
            _ => None,
        };
        match count {
            Some(count) if count >= least => Ok(Some(count)),
            _ => Err(SuiteError::at(
                &node.place,
                format!("{key}: expected a whole number of at least {least}, like 5000 or \"10k\""),
            )),
        }
    }

    /// Takes a duration: a text like `30s`, or a number of seconds.
    ///
    /// # Errors
    /// It is something else.
    pub fn duration(&mut self, key: &'static str) -> Result<Option<At<Duration>>, SuiteError> {
        let Some(node) = self.node(key) else { return Ok(None) };
        let written = match &node.value {
            Value::Text(text) => text.clone(),
            Value::Integer(number) => number.to_string(),
            Value::Float(number) => number.to_string(),
            _ => {
                return Err(SuiteError::at(
                    &node.place,
                    format!("{key}: expected a duration like \"30s\", not {}", node.kind()),
                ));
            }
        };
        let value = units::duration(&written)
            .map_err(|error| SuiteError::at(&node.place, format!("{key}: {error}")))?;
        Ok(Some(At { place: node.place, value }))
    }

    /// Takes true or false.
    ///
    /// # Errors
    /// It is something else.
    pub fn flag(&mut self, key: &'static str) -> Result<bool, SuiteError> {
        match self.node(key) {
            None => Ok(false),
            Some(Node { value: Value::Boolean(value), .. }) => Ok(value),
            Some(node) => Err(SuiteError::at(
                &node.place,
                format!("{key}: expected true or false, not {}", node.kind()),
            )),
        }
    }

    /// Takes one of several words.
    ///
    /// # Errors
    /// It is none of them.
    pub fn word<T: Copy>(
        &mut self,
        key: &'static str,
        words: &[(&'static str, T)],
    ) -> Result<Option<T>, SuiteError> {
        let Some(word) = self.text(key)? else { return Ok(None) };
        if let Some((_, value)) = words.iter().find(|(name, _)| *name == word.value) {
            return Ok(Some(*value));
        }
        let known: Vec<_> = words.iter().map(|(name, _)| format!("{name:?}")).collect();
        Err(word.wrong(format!("{key}: {:?} is none of {}", word.value, known.join(", "))))
    }

    /// Takes a table.
    ///
    /// # Errors
    /// It is something else.
    pub fn table(&mut self, key: &'static str) -> Result<Option<Fields>, SuiteError> {
        self.node(key).map(|node| Self::of(node, key)).transpose()
    }

    /// Takes a list of tables.
    ///
    /// # Errors
    /// It is something else.
    pub fn tables(&mut self, key: &'static str) -> Result<Vec<Fields>, SuiteError> {
        let Some(node) = self.node(key) else { return Ok(Vec::new()) };
        match node.value {
            Value::List(list) => list.into_iter().map(|node| Self::of(node, key)).collect(),
            _ => Err(SuiteError::at(
                &node.place,
                format!("{key}: expected a list of tables ([[...{key}]]), not {}", node.kind()),
            )),
        }
    }

    /// Takes everything: a table whose keys are names that the user chose.
    pub fn entries(&mut self) -> Vec<(String, Node)> {
        std::mem::take(&mut self.left)
    }

    /// Everything must have been taken.
    ///
    /// # Errors
    /// A key that nothing in `what` asked for, with the one that may have been meant.
    pub fn finish(self, what: &str) -> Result<(), SuiteError> {
        let Some((key, node)) = self.left.first() else { return Ok(()) };
        let hint = match nearest(key, self.asked.iter().copied()) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("known are {}", self.asked.join(", ")),
        };
        Err(SuiteError::at(&node.place, format!("{what} has no {key}; {hint}")))
    }
}

/// `node` as a text; numbers and truths are texts, too.
///
/// # Errors
/// It is a list or a table.
pub fn text(node: Node, key: &str) -> Result<At<String>, SuiteError> {
    let value = match node.value {
        Value::Text(text) => text,
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Boolean(value) => value.to_string(),
        Value::List(_) | Value::Table(_) => {
            return Err(SuiteError::at(&node.place, format!("{key}: expected a text, not {}", node.kind())));
        }
    };
    Ok(At { place: node.place, value })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Fields {
        Fields::of(Node::parse("s.toml", text).unwrap(), "a suite").unwrap()
    }

    fn said<T: std::fmt::Debug>(result: Result<T, SuiteError>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn keys_are_taken_by_kind() {
        let mut fields =
            fields("a = \"x\"\nb = 3\nc = \"10k\"\nd = 1.5\ne = true\nf = [\"p\", 2]\n[g]\nh = 1\n");
        assert_eq!(fields.text("a").unwrap().unwrap().value, "x");
        assert_eq!((fields.count("b", 1), fields.count("c", 1)), (Ok(Some(3)), Ok(Some(10_000))));
        assert_eq!(fields.duration("d").unwrap().unwrap().value, Duration::from_millis(1_500));
        assert_eq!((fields.flag("e"), fields.flag("none")), (Ok(true), Ok(false)));
        assert_eq!(
            fields.texts("f").unwrap().iter().map(|text| text.value.as_str()).collect::<Vec<_>>(),
            ["p", "2"]
        );
        assert_eq!(fields.table("g").unwrap().unwrap().count("h", 0), Ok(Some(1)));
        assert_eq!(fields.finish("a suite"), Ok(()));
    }

    #[test]
    fn mistakes_say_where_and_what_was_expected() {
        let text = "a = []\nb = -1\nc = \"5 parsecs\"\nwieght = 3\n";
        assert_eq!(said(fields(text).text("a")), "s.toml:1: a: expected a text, not a list");
        assert!(
            said(fields(text).count("b", 1))
                .starts_with("s.toml:2: b: expected a whole number of at least 1")
        );
        assert!(said(fields(text).duration("c")).starts_with("s.toml:3: c: \"5 parsecs\" is not a duration"));
        assert!(said(fields(text).table("b")).starts_with("s.toml:2: b is a table"));
        assert_eq!(said(fields(text).required("d", "a name")), "s.toml:1: no d; expected a name");
        let mut unknown = fields("wieght = 3\n");
        assert_eq!(unknown.count("weight", 1), Ok(None));
        assert_eq!(
            said(unknown.finish("a user class")),
            "s.toml:1: a user class has no wieght; did you mean weight?"
        );
        assert!(
            said(fields("order = \"any\"").word("order", &[("a", 1), ("b", 2)]))
                .contains("none of \"a\", \"b\"")
        );
    }
}
