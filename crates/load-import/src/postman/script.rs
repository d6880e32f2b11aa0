//! What do the tests of a request ask? The simple ones, line by line; the others are named so that somebody can write
//! them anew.

mod line;

use serde_json::Value;

use crate::json::Json;
use crate::model::{Status, Step};
use crate::secret::is_secret;
use crate::text;

use super::variables::Variables;

use line::Line;

/// Lines that are named of one script, at most.
const NAMED: usize = 8;

/// What the scripts of one request or folder come to.
#[derive(Debug, Default)]
pub(super) struct Script {
    statuses: Vec<Status>,
    texts: Vec<String>,
    headers: Vec<(String, String)>,
    json: Vec<(String, Value)>,
    time: Option<u64>,
    /// Names as the collection has them, and paths.
    pub(super) captures: Vec<(String, String)>,
    /// Lines that could not be translated.
    pub(super) notes: Vec<String>,
}

/// What one statement says.
#[derive(Debug, PartialEq)]
enum Says {
    Status(Vec<Status>),
    Text(String),
    Header(String, String),
    Json(String, Value),
    Time(u64),
    Capture(String, String),
    /// A name for the answer, or for a part of it.
    Alias(String, String),
    /// Something that needs no translation.
    Nothing,
}

impl Script {
    /// The scripts of a request, a folder or the collection.
    pub(super) fn read(holder: &Value) -> Self {
        let mut script = Self::default();
        for event in
            holder["event"].as_array().into_iter().flatten().filter(|event| event["disabled"] != true)
        {
            let listen = event["listen"].as_str().unwrap_or_default();
            let source = match &event["script"]["exec"] {
                Value::Array(lines) => lines.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n"),
                Value::String(text) => text.clone(),
                _ => continue,
            };
            script.add(listen, &source, holder["name"].as_str().unwrap_or_default());
        }
        script
    }

    fn add(&mut self, listen: &str, source: &str, name: &str) {
        let (mut aliases, mut unknown) = (Vec::new(), Vec::new());
        for line in source.lines().map(str::trim).filter(|line| !line.is_empty()) {
            // Before the request there is no answer that a test or a capture could be about.
            let said = if listen == "test" { Line::read(line, &aliases) } else { Line::nothing(line) };
            let Some(said) = said else {
                unknown.push(masked(line));
                continue;
            };
            for says in said {
                match says {
                    Says::Alias(name, path) => aliases.push((name, path)),
                    says => self.take(says),
                }
            }
        }
        let place = if name.is_empty() { String::new() } else { format!(" of {name}") };
        let more = unknown.len().saturating_sub(NAMED);
        for line in unknown.iter().take(NAMED) {
            self.notes.push(format!("Not translated, script {listen}{place}: {line}"));
        }
        if more > 0 {
            self.notes.push(format!("Not translated, script {listen}{place}: {more} more lines"));
        }
    }

    fn take(&mut self, says: Says) {
        match says {
            Says::Status(statuses) => self.statuses.extend(statuses),
            Says::Text(text) => self.texts.push(text),
            Says::Header(name, value) => self.headers.push((name, value)),
            Says::Json(path, value) => self.json.push((path, value)),
            Says::Time(ms) => self.time = Some(ms),
            Says::Capture(name, path) => self.captures.push((name, path)),
            Says::Alias(..) | Says::Nothing => {}
        }
    }

    /// Adds to `step` what the tests ask and keep.
    pub(super) fn apply(&self, step: &mut Step) {
        let expect = &mut step.expect;
        for status in &self.statuses {
            if !expect.statuses.contains(status) {
                expect.statuses.push(*status);
            }
        }
        expect.texts.extend(self.texts.iter().map(|text| text::literal(text)));
        for (name, value) in &self.headers {
            if !expect.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
                expect.headers.push((name.clone(), text::literal(value)));
            }
        }
        for (path, value) in &self.json {
            if !expect.json.iter().any(|(known, _)| known == path) {
                expect.json.push((path.clone(), Json::literal(value)));
            }
        }
        if let Some(ms) = self.time {
            expect.time = Some(format!("{ms}ms"));
        }
        for (name, path) in &self.captures {
            let name = Variables::captured(name);
            step.captures.retain(|(known, _)| *known != name);
            step.captures.push((name, path.clone()));
        }
    }
}

/// A line for a comment; where it is about a secret, without its texts.
fn masked(line: &str) -> String {
    if !line.split(|c: char| !c.is_alphanumeric() && c != '_').any(is_secret) {
        return line.to_owned();
    }
    let (mut out, mut quote) = (String::new(), None);
    for c in line.chars() {
        match quote {
            None => {
                out.push(c);
                if matches!(c, '"' | '\'' | '`') {
                    quote = Some(c);
                    out += "...";
                }
            }
            Some(open) if c == open => {
                out.push(c);
                quote = None;
            }
            Some(_) => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_about_secrets_are_named_without_them() {
        assert_eq!(masked("pm.globals.set(\"token\", \"abc\" + x)"), "pm.globals.set(\"...\", \"...\" + x)");
        assert_eq!(masked("pm.globals.set('a', 'b')"), "pm.globals.set('a', 'b')");
    }
}
