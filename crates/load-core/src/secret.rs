//! What must never be printed? Values that are struck out of every text that leaves the process.

use serde_json::Value;

/// Shorter values would strike out half of every text.
const SHORTEST: usize = 4;
const STRUCK: &str = "***";

/// The secrets of a run.
#[derive(Debug, Default)]
pub struct Secrets(Vec<String>);

impl Secrets {
    /// These values, longest first, so that one that contains another is struck out whole.
    pub fn new(mut values: Vec<String>) -> Self {
        values.retain(|value| value.len() >= SHORTEST);
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        values.dedup();
        Self(values)
    }

    /// `text` without secrets.
    pub fn strike(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret, STRUCK))
    }

    /// `value` with its texts struck; numbers and keys stay as they are, so that it still is what it was.
    pub fn strike_json(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.strike(text),
            Value::Array(values) => values.iter_mut().for_each(|value| self.strike_json(value)),
            Value::Object(values) => values.values_mut().for_each(|value| self.strike_json(value)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_struck_out_whole() {
        let secrets = Secrets::new(vec!["hunter2".into(), "hunter2-long".into(), "ab".into()]);
        assert_eq!(secrets.strike("about hunter2-long and hunter2"), "about *** and ***");
    }
}
