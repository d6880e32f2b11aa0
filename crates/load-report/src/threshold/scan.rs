//! Which characters belong together? A cursor over an expression.

use std::ops::Range;

use super::error::ThresholdError;

/// Reads an expression from left to right.
pub(super) struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// What has not been read yet.
    pub(super) fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// The byte that comes next, after spaces.
    pub(super) fn spot(&mut self) -> usize {
        self.take(char::is_whitespace);
        self.at
    }

    /// From byte `start` to where reading has come.
    pub(super) fn since(&self, start: usize) -> Range<usize> {
        start..self.at
    }

    /// Goes on at byte `at`.
    pub(super) fn back_to(&mut self, at: usize) {
        self.at = at;
    }

    /// The text of `range`.
    pub(super) fn text(&self, range: Range<usize>) -> &'a str {
        &self.text[range]
    }

    /// The next character after spaces.
    pub(super) fn peek(&mut self) -> Option<char> {
        self.spot();
        self.rest().chars().next()
    }

    /// Reads `token`, after spaces, if it comes next.
    pub(super) fn eat(&mut self, token: &str) -> bool {
        self.spot();
        let eaten = self.rest().starts_with(token);
        self.at += if eaten { token.len() } else { 0 };
        eaten
    }

    /// Reads characters as long as `belongs` says so.
    pub(super) fn take(&mut self, belongs: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c| !belongs(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    /// Reads a name, after spaces; empty when none comes next.
    pub(super) fn word(&mut self) -> &'a str {
        if self.peek().is_some_and(|c| c.is_ascii_digit()) {
            return "";
        }
        self.take(|c| c.is_ascii_alphanumeric() || c == '_')
    }

    /// Reads a number without a unit, after spaces; none when none comes next.
    pub(super) fn number(&mut self) -> Option<f64> {
        let start = self.spot();
        let digits = |cursor: &mut Self| cursor.take(|c| c.is_ascii_digit()).len();
        self.take_one(&['-', '+']);
        let mut mantissa = digits(self);
        if self.take_one(&['.']) {
            mantissa += digits(self);
        }
        if mantissa == 0 {
            self.at = start;
            return None;
        }
        let end = self.at;
        if self.take_one(&['e', 'E']) {
            self.take_one(&['-', '+']);
            if digits(self) == 0 {
                self.at = end;
            }
        }
        self.text[start..self.at].parse().ok()
    }

    fn take_one(&mut self, choices: &[char]) -> bool {
        let found = self.rest().starts_with(choices);
        self.at += usize::from(found);
        found
    }

    /// Reads an opening quote, after spaces.
    pub(super) fn quote(&mut self) -> Option<&'static str> {
        ["'", "\""].into_iter().find(|quote| self.eat(quote))
    }

    /// Reads the value of a tag, after spaces: to the next comma or closing brace, or between quotes. Braces inside
    /// a plain value come in pairs, so `GET /vms/{id}` needs no quotes.
    pub(super) fn tag_value(&mut self) -> Result<String, ThresholdError> {
        let start = self.spot();
        if let Some(quote) = self.quote() {
            let value = self.take(|c| !quote.starts_with(c));
            return if self.eat(quote) {
                Ok(value.to_owned())
            } else {
                Err(self.expected(&format!("the closing {quote}")))
            };
        }
        self.at += plain_length(self.rest());
        Ok(self.text[start..self.at].trim_end().to_owned())
    }

    /// An error at `at`.
    pub(super) fn error(&self, at: Range<usize>, message: impl Into<String>) -> ThresholdError {
        ThresholdError::new(self.text, at, message)
    }

    /// The error that `what` should come next, and does not.
    pub(super) fn expected(&mut self, what: &str) -> ThresholdError {
        let start = self.spot();
        let mut characters = self.rest().chars();
        let Some(first) = characters.next() else {
            return self.error(start..start, format!("expected {what}, found the end"));
        };
        if first.is_ascii_alphanumeric() {
            self.take(|c| c.is_ascii_alphanumeric() || c == '_');
        } else {
            self.at += first.len_utf8();
        }
        let found = &self.text[start..self.at];
        self.error(start..self.at, format!("expected {what}, found `{}`", found.escape_debug()))
    }
}

/// How many bytes at the beginning of `text` are the value of a tag without quotes.
fn plain_length(text: &str) -> usize {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' | ',' if depth == 0 => return at,
            '}' => depth -= 1,
            _ => {}
        }
    }
    text.len()
}

/// Whether the value of a tag reads back as it is without quotes.
pub(super) fn is_plain(value: &str) -> bool {
    let balanced = value.matches('{').count() == value.matches('}').count();
    let quoted = value.starts_with(['\'', '"']);
    !value.is_empty() && value.trim() == value && !quoted && balanced && plain_length(value) == value.len()
}
