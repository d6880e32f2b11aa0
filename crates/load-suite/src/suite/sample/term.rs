//! What of an answer is meant? A series of Prometheus by its name and labels, or a place in JSON.

use regex::Regex;

use crate::fields::At;
use crate::node::SuiteError;
use crate::suite::path::Path;

/// Numbers of an answer that are added up.
#[derive(Clone, Debug)]
pub enum Term {
    /// Every series that fits.
    Series(Selector),
    /// What stands there.
    Json(Path),
}

/// Which series are meant: `http_requests_total{code=~"5..", job!="x"}`.
#[derive(Clone, Debug)]
pub struct Selector {
    /// Their name.
    pub name: String,
    labels: Vec<(String, Matcher)>,
}

/// What a label has to be. One that a series has not is empty.
#[derive(Clone, Debug)]
enum Matcher {
    Is(String),
    IsNot(String),
    Fits(Regex),
    FitsNot(Regex),
}

impl Term {
    /// Reads one: a path begins with `$`.
    ///
    /// # Errors
    /// It is neither a path nor a selector.
    pub(super) fn read(text: &At<String>) -> Result<Self, SuiteError> {
        if text.value.starts_with('$') {
            return Path::compile(text).map(Self::Json);
        }
        let selector = Selector::parse(&text.value);
        selector.map(Self::Series).map_err(|why| text.wrong(format!("{:?}: {why}", text.value)))
    }
}

impl Selector {
    /// Reads what Prometheus calls an instant vector selector, without a time.
    ///
    /// # Errors
    /// What is wrong and what was expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let end = text.find('{').unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        let name = name.trim_end();
        if !is_name(name) {
            return Err(
                "expected the name of a series like process_open_fds, or a path into JSON like $.cpu".into(),
            );
        }
        let mut labels = Vec::new();
        if let Some(inner) = rest.strip_prefix('{') {
            let mut inner = inner.trim_start();
            while !inner.starts_with('}') {
                let (label, after) = matcher(inner)?;
                labels.push(label);
                inner = after.trim_start();
                match inner.strip_prefix(',') {
                    Some(after) => inner = after.trim_start(),
                    None if inner.starts_with('}') => {}
                    None => return Err("expected , or } behind a label".into()),
                }
            }
            if !inner[1..].trim().is_empty() {
                return Err("text behind the closing }".into());
            }
        }
        Ok(Self { name: name.to_owned(), labels })
    }

    /// Whether a series of this name has the labels that are meant.
    pub fn fits<'a>(&self, label: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.labels.iter().all(|(name, matcher)| matcher.takes(label(name).unwrap_or_default()))
    }
}

impl Matcher {
    fn takes(&self, value: &str) -> bool {
        match self {
            Self::Is(wanted) => value == wanted,
            Self::IsNot(unwanted) => value != unwanted,
            Self::Fits(pattern) => pattern.is_match(value),
            Self::FitsNot(pattern) => !pattern.is_match(value),
        }
    }
}

/// `label="value"` and what stands behind it.
fn matcher(text: &str) -> Result<((String, Matcher), &str), String> {
    const EXPECTED: &str = "expected a label like code=\"200\", with =, !=, =~ or !~";
    let end = text.find(['=', '!']).ok_or(EXPECTED)?;
    let (label, rest) = text.split_at(end);
    let label = label.trim_end();
    if !is_name(label) {
        return Err(EXPECTED.into());
    }
    let operators = ["=~", "!~", "!=", "="];
    let operator = operators.into_iter().find(|operator| rest.starts_with(operator)).ok_or(EXPECTED)?;
    let rest = rest[operator.len()..].trim_start().strip_prefix('"').ok_or(EXPECTED)?;
    let (value, after) = quoted(rest).ok_or("a value without a closing quote")?;
    let pattern = || Regex::new(&format!("^(?:{value})$")).map_err(|error| error.to_string());
    let matcher = match operator {
        "=~" => Matcher::Fits(pattern()?),
        "!~" => Matcher::FitsNot(pattern()?),
        "!=" => Matcher::IsNot(value),
        _ => Matcher::Is(value),
    };
    Ok(((label.to_owned(), matcher), after))
}

/// What stands before the closing quote, and what behind it. `\\`, `\"` and `\n` are as in Prometheus' own format.
pub fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut rest = text.char_indices();
    while let Some((at, c)) = rest.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match rest.next()?.1 {
                'n' => value.push('\n'),
                c @ ('"' | '\\') => value.push(c),
                // A pattern has backslashes of its own.
                c => value.extend(['\\', c]),
            },
            c => value.push(c),
        }
    }
    None
}

/// Whether series and labels are called so.
fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == ':')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b':')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(selector: &str, labels: &[(&str, &str)]) -> bool {
        let selector = Selector::parse(selector).unwrap();
        let labels: Vec<(String, String)> =
            labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        selector.fits(|name| labels.iter().find(|(label, _)| label == name).map(|(_, value)| value.as_str()))
    }

    #[test]
    fn labels_are_matched_as_prometheus_does() {
        assert!(fits("a", &[("code", "200")]));
        assert!(fits("a{}", &[]));
        assert!(fits(r#"a{code="200"}"#, &[("code", "200")]));
        assert!(!fits(r#"a{code="200"}"#, &[]));
        assert!(fits(r#"a{code!="200"}"#, &[]));
        assert!(fits(r#"a { code =~ "5..|404" , job != "x", }"#, &[("code", "503"), ("job", "y")]));
        // A pattern is about the whole value.
        assert!(!fits(r#"a{code=~"5"}"#, &[("code", "503")]));
        assert!(fits(r#"a{mode!~"idle|iowait"}"#, &[("mode", "user")]));
        assert!(!fits(r#"a{mode!~"idle|iowait"}"#, &[("mode", "iowait")]));
        assert!(fits(r#"a{path="a}b,\"c\""}"#, &[("path", "a}b,\"c\"")]));
        assert!(fits(r#"a{path=~"\d+"}"#, &[("path", "12")]));
    }

    #[test]
    fn mistakes_say_what_was_expected() {
        for (text, expected) in [
            ("", "expected the name of a series"),
            ("9a", "expected the name of a series"),
            ("a b", "expected the name of a series"),
            ("a{", "expected a label"),
            ("a{b}", "expected a label"),
            ("a{b=c}", "expected a label"),
            ("a{b=\"c\"", "expected , or }"),
            ("a{b=\"c}", "closing quote"),
            ("a{b=~\"(\"}", "unclosed group"),
            ("a{b=\"c\"} d", "behind the closing }"),
        ] {
            let error = Selector::parse(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
