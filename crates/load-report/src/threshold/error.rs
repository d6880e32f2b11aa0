//! What is wrong with an expression, and where?

use std::fmt;
use std::ops::Range;

/// A threshold that cannot be read. Its text shows the expression with carets under the place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThresholdError {
    text: String,
    /// Bytes of `text` that the message is about.
    at: Range<usize>,
    message: String,
    help: Option<String>,
}

impl ThresholdError {
    pub(super) fn new(text: &str, at: Range<usize>, message: impl Into<String>) -> Self {
        Self { text: text.to_owned(), at, message: message.into(), help: None }
    }

    /// Adds what to do about it.
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Where the mistake begins, in characters, counted from 1.
    pub fn column(&self) -> usize {
        self.text[..self.at.start].chars().count() + 1
    }

    /// What is wrong, in one line without the place.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for ThresholdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", printable(&self.message))?;
        if !self.text.is_empty() {
            let width = self.text[self.at.clone()].chars().count().max(1);
            write!(f, "\n  {}", printable(&self.text))?;
            write!(f, "\n  {}{}", " ".repeat(self.column() - 1), "^".repeat(width))?;
        }
        self.help.iter().try_for_each(|help| write!(f, "\n{help}"))
    }
}

/// A line break or an escape sequence in an expression would move the carets, or worse, the terminal's.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

impl std::error::Error for ThresholdError {}

/// The one of `known` that `word` most likely stands for; none when nothing is near.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.len() / 3).max(2);
    let near = known.into_iter().map(|name| (strsim::levenshtein(word, name), name));
    near.filter(|&(d, _)| d <= limit).min_by_key(|&(d, _)| d).map(|(_, name)| name)
}
