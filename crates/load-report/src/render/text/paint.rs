//! In which colours is the result told? ANSI, or none.

use crate::verdict::Verdict;

/// ANSI colours, or none.
#[derive(Clone, Copy)]
pub(super) struct Paint(pub(super) bool);

impl Paint {
    fn code(self, code: u8, text: &str) -> String {
        if self.0 { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    pub(super) fn bold(self, text: &str) -> String {
        self.code(1, text)
    }

    pub(super) fn red(self, text: &str) -> String {
        self.code(31, text)
    }

    pub(super) fn green(self, text: &str) -> String {
        self.code(32, text)
    }

    pub(super) fn yellow(self, text: &str) -> String {
        self.code(33, text)
    }

    pub(super) fn verdict(self, verdict: Verdict) -> String {
        match verdict {
            Verdict::Pass => self.green(verdict.label()),
            Verdict::Warn => self.yellow(verdict.label()),
            Verdict::Fail | Verdict::Invalid | Verdict::NoData => self.red(verdict.label()),
        }
    }
}
