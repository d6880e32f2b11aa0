//! What is counted besides what every run counts? Counters of every suite, behind those of the tool.
//!
//! With a suite, of every connection: received = answers + pushed + own + duplicate + unexpected.

use load_core::compile::{Plans, plan};
use load_report::model::RatePlan;

use crate::count;

/// The counters, in the order of their numbers.
const COUNTERS: [(&str, &str); 7] = [
    ("messages_own", "Messages that came back to who had sent them, and were no answers"),
    ("pushes_judged", "Messages that nobody had asked for, and of which the suite says what they must be"),
    ("pushes_wrong", "Those that were something else"),
    ("pushes_old", "Those that were older than they may be"),
    ("pushes_failed", "Those that were wrong or too old"),
    ("checks_passed", "Calls with an answer that was all that its step expects"),
    ("checks_made", "Calls of steps that expect something"),
];

/// Where the counters of suites are among all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counters {
    first: usize,
}

impl Counters {
    /// Behind those of the tool.
    pub fn new() -> Self {
        Self { first: count::counters().len() }
    }

    /// `COUNTERS`, the first.
    pub fn own(self) -> usize {
        self.first
    }

    /// `COUNTERS`, the second.
    pub fn judged(self) -> usize {
        self.first + 1
    }

    /// `COUNTERS`, the third.
    pub fn wrong(self) -> usize {
        self.first + 2
    }

    /// `COUNTERS`, the fourth.
    pub fn old(self) -> usize {
        self.first + 3
    }

    /// `COUNTERS`, the fifth.
    pub fn failed(self) -> usize {
        self.first + 4
    }

    /// `COUNTERS`, the sixth.
    pub fn passed(self) -> usize {
        self.first + 5
    }

    /// `COUNTERS`, the last.
    pub fn made(self) -> usize {
        self.first + 6
    }
}

impl Default for Counters {
    fn default() -> Self {
        Self::new()
    }
}

/// What is counted and timed, but for what the suite itself names.
pub fn plans() -> Plans {
    let at = Counters::new();
    let mut counters = count::counters();
    counters.extend(COUNTERS.map(plan));
    let rate = |name: &str, cases, all| RatePlan { name: name.to_owned(), cases, all };
    let rates = vec![rate("checks", at.passed(), at.made()), rate("push_errors", at.failed(), at.judged())];
    Plans { ops: Vec::new(), extras: count::series(), counters, rates }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_names() {
        let (at, plans) = (Counters::new(), plans());
        let numbers = [at.own(), at.judged(), at.wrong(), at.old(), at.failed(), at.passed(), at.made()];
        let names = numbers.map(|number| plans.counters[number].name.clone());
        assert_eq!(names, COUNTERS.map(|(name, _)| name.to_owned()));
    }
}
