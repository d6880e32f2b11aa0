//! How does a foreign text become a template? What is literal stays so, also where it looks like `{{...}}`.

use std::fmt::Write as _;

use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};

/// What cannot stand in a path or query as it is, besides what has a meaning there.
const TARGET: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'`')
    .add(b'{')
    .add(b'}')
    .add(b'|')
    .add(b'\\')
    .add(b'^');

/// All but the unreserved characters of RFC 3986.
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A template under construction.
#[derive(Debug, Default)]
pub(crate) struct Text(String);

impl Text {
    /// Adds a text that stands for itself.
    pub(crate) fn literal(&mut self, text: &str) {
        for c in text.chars() {
            if c == '{' && self.0.ends_with('{') {
                self.0.pop();
                self.0 += "{{pick('{{')}}";
            } else {
                self.0.push(c);
            }
        }
    }

    /// Adds a placeholder, written without its braces.
    pub(crate) fn insert(&mut self, expression: &str) {
        if self.0.ends_with('{') {
            self.0.pop();
            self.0 += "{{pick('{')}}";
        }
        let _ = write!(self.0, "{{{{{expression}}}}}");
    }

    /// The template.
    pub(crate) fn done(self) -> String {
        self.0
    }
}

/// A text that stands for itself.
pub(crate) fn literal(text: &str) -> String {
    let mut out = Text::default();
    out.literal(text);
    out.done()
}

/// A path or query that stands for itself; what is encoded already stays as it is.
pub(crate) fn target(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        let encoded =
            text.as_bytes().get(at + 1..at + 3).is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit));
        match c {
            '%' if !encoded => out += "%25",
            _ => out.extend(utf8_percent_encode(c.encode_utf8(&mut [0; 4]), TARGET)),
        }
    }
    out
}

/// One value in a path or query.
pub(crate) fn component(text: &str) -> String {
    utf8_percent_encode(text, COMPONENT).to_string()
}

/// A template in which everything outside of placeholders is encoded as `encode` says.
pub(crate) fn encoded(template: &str, encode: fn(&str) -> String) -> String {
    let mut out = String::new();
    for (literal, placeholder) in pieces(template) {
        out += &encode(literal);
        out += placeholder;
    }
    out
}

/// Pairs of a literal text and the placeholder behind it, which is empty at the end.
pub(crate) fn pieces(template: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = Some(template);
    std::iter::from_fn(move || {
        let text = rest?;
        let found = text.find("{{").and_then(|at| Some((at, text[at..].find("}}")? + at + 2)));
        let Some((at, end)) = found else {
            rest = None;
            return Some((text, ""));
        };
        rest = Some(&text[end..]);
        Some((&text[..at], &text[at..end]))
    })
}

/// The part before `?` and the one behind it.
pub(crate) fn split_query(target: &str) -> (&str, Option<&str>) {
    target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)))
}

/// A piece of a path or query, decoded.
pub(crate) fn decoded(encoded: &str) -> String {
    percent_encoding::percent_decode_str(encoded).decode_utf8_lossy().into_owned()
}

/// Names and values of a query or a form, decoded.
pub(crate) fn pairs(query: &str) -> Vec<(String, String)> {
    let decode = |text: &str| decoded(&text.replace('+', " "));
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(k, v)| (decode(k), decode(v)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_placeholder_is_quoted() {
        assert_eq!(literal("a {b} {{c}} {{{"), "a {b} {{pick('{{')}}c}} {{pick('{{')}}{");
        let mut text = Text::default();
        text.literal("x{");
        text.insert("uuid");
        assert_eq!(text.done(), "x{{pick('{')}}{{uuid}}");
    }

    #[test]
    fn targets_keep_what_is_encoded() {
        assert_eq!(target("/a b/%20/%zz/ü?q={x}&y=1"), "/a%20b/%20/%25zz/%C3%BC?q=%7Bx%7D&y=1");
        assert_eq!(component("a/b c~"), "a%2Fb%20c~");
        assert_eq!(encoded("/x y/{{id}}/z", target), "/x%20y/{{id}}/z");
    }

    #[test]
    fn pieces_are_the_whole() {
        let whole = |text| pieces(text).flat_map(|(a, b)| [a, b]).collect::<String>();
        for text in ["", "a", "{{a}}", "x{{a}}y{{b}}", "{{open", "a}}b{{c}}{{d}}"] {
            assert_eq!(whole(text), text);
        }
    }
}
