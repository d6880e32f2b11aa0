//! What must an answer be? The statuses and the text that make it a good one.

use std::fmt;
use std::str::FromStr;

use crate::search::Needle;

/// What a good answer is like.
#[derive(Clone)]
pub struct Expect {
    /// Its status is one of these.
    pub statuses: Statuses,
    /// Its body contains this.
    pub text: Option<Needle>,
}

/// Statuses from the first to the last, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusRange {
    first: u16,
    last: u16,
}

impl FromStr for StatusRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.parse().ok().filter(|status| (100..=599).contains(status));
        let text = text.trim();
        let range = match text.split_once('-') {
            Some((first, last)) => number(first).zip(number(last)),
            None => match text.strip_suffix("xx") {
                Some(class) => number(&format!("{class}00")).map(|first| (first, first + 99)),
                None => number(text).map(|status| (status, status)),
            },
        };
        match range {
            Some((first, last)) if first <= last => Ok(Self { first, last }),
            _ => {
                Err("expected a status like 200, a range like 200-299, or a class like 2xx, from 100 to 599"
                    .into())
            }
        }
    }
}

impl fmt::Display for StatusRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}-{}", self.first, self.last)
        }
    }
}

/// A set of statuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statuses(Vec<StatusRange>);

impl Statuses {
    /// These; where there are none, what k6 takes for good: 200 to 399.
    pub fn new(given: Vec<StatusRange>) -> Self {
        if given.is_empty() { Self(vec![StatusRange { first: 200, last: 399 }]) } else { Self(given) }
    }

    /// Those of all of `several`.
    pub fn all<'a>(several: impl Iterator<Item = &'a Self>) -> Self {
        Self(several.flat_map(|statuses| &statuses.0).copied().collect())
    }

    /// Whether `status` is one of them.
    pub fn contains(&self, status: u16) -> bool {
        self.0.iter().any(|range| (range.first..=range.last).contains(&status))
    }
}

impl fmt::Display for Statuses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, range) in self.0.iter().enumerate() {
            write!(f, "{}{range}", if index > 0 { "," } else { "" })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_ranges_and_classes_are_understood() {
        let given = ["201", "4xx", "500-503"].map(|text| text.parse().unwrap());
        let statuses = Statuses::new(given.to_vec());
        assert_eq!(statuses.to_string(), "201,400-499,500-503");
        for (status, is_in) in
            [(200, false), (201, true), (400, true), (499, true), (503, true), (504, false)]
        {
            assert_eq!(statuses.contains(status), is_in, "{status}");
        }
        let default = Statuses::new(Vec::new());
        assert!(
            default.contains(200)
                && default.contains(399)
                && !default.contains(400)
                && !default.contains(101)
        );
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "abc", "99", "1000", "300-200", "xx", "2x", "-"] {
            assert!(text.parse::<StatusRange>().is_err(), "{text}");
        }
    }
}
