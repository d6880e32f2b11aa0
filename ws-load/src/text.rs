//! What is sent? A message with `{{...}}`, compiled before the run; the time goes in last.

use std::io::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use load_suite::scope::Scope;
use load_suite::template::{Template, TemplateError};

/// What is sent to be echoed unless the user says otherwise.
pub const ECHO: &str = r#"{"type":"echo","seq":{{seq}},"timestamp":{{timestamp}}}"#;
/// What is published unless the user says otherwise. It has no seq: numbers of several users make no order.
pub const PUBLISH: &str =
    r#"{"type":"broadcast","vu":{{vu}},"iteration":{{iteration}},"timestamp":{{timestamp}}}"#;

/// A message.
#[derive(Clone, Debug)]
pub struct Text {
    /// Between two of them, the time goes in.
    parts: Vec<Template>,
}

impl Text {
    /// Compiles `source`.
    ///
    /// # Errors
    /// An unclosed or unknown `{{...}}`.
    pub fn parse(source: &str) -> Result<Self, TemplateError> {
        let (mut parts, mut rest, mut from) = (Vec::new(), source, 0);
        while let Some((at, end)) = generator(rest, from) {
            if rest[at + 2..end - 2].trim() == "timestamp" {
                parts.push(Template::parse(&rest[..at])?);
                (rest, from) = (&rest[end..], 0);
            } else {
                from = end;
            }
        }
        parts.push(Template::parse(rest)?);
        Ok(Self { parts })
    }

    /// Appends the message to `out`.
    pub fn render(&self, scope: &Scope, out: &mut Vec<u8>) {
        for (i, part) in self.parts.iter().enumerate() {
            if i > 0 {
                let us = wall_ns() / 1_000;
                // Writing to memory cannot fail.
                let _ = write!(out, "{}.{:03}", us / 1_000, us % 1_000);
            }
            part.render(scope, out);
        }
    }
}

/// Begin and end of the first `{{...}}` at `from` or later.
fn generator(text: &str, from: usize) -> Option<(usize, usize)> {
    let at = from + text[from..].find("{{")?;
    Some((at, at + text[at..].find("}}")? + 2))
}

/// Nanoseconds of the Unix epoch on this machine's clock, which messages of other machines are compared with.
pub fn wall_ns() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(source: &str) -> String {
        let mut out = Vec::new();
        Text::parse(source).unwrap().render(&Scope::numbered(7, 3, 2), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn messages_are_filled_in() {
        assert_eq!(rendered("plain"), "plain");
        assert_eq!(rendered("{{seq}}/{{ vu }}/{{iteration}}"), "7/3/2");
        let before = wall_ns() as f64 / 1e6;
        let json: serde_json::Value = serde_json::from_str(&rendered(ECHO)).unwrap();
        let stamp = json["timestamp"].as_f64().unwrap();
        assert!(json["seq"] == 7 && stamp >= before - 0.002 && stamp <= wall_ns() as f64 / 1e6);
        assert_eq!(rendered("{{timestamp}}{{ timestamp }}").matches('.').count(), 2);
    }

    #[test]
    fn mistakes_are_told() {
        assert!(Text::parse("{{timestamp}}{{what}}").unwrap_err().to_string().contains("{{what}}"));
        assert!(Text::parse("{{seq").is_err());
    }
}
