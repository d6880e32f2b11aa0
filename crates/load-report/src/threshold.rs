//! What did the user promise, and does a run keep it? Thresholds: k6's grammar with levels, phases, units, sums
//! and other components.
//!
//! Pure: an expression becomes a [`Threshold`] by [`Threshold::parse`], and a [`Threshold`] and run files become a
//! [`crate::model::ThresholdReport`] by [`evaluate`].

mod condition;
mod dimension;
mod error;
mod evaluate;
mod grammar;
mod metric;
mod nothing;
mod observe;
mod options;
mod reach;
mod recovery;
mod rehearse;
mod rule;
mod scan;
mod severity;
mod tags;
#[cfg(test)]
mod tests;
mod typing;

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

pub use self::condition::Condition;
pub use self::error::ThresholdError;
pub use self::evaluate::{Scope, evaluate, evaluate_against, evaluate_one};
pub use self::metric::Catalog;
pub use self::reach::{unknown, unreachable};
pub use self::rule::{AbortOnFail, Level};

use self::metric::Builtin;
use self::rule::{Metric, Rule, Series};

/// What holds unless the user says otherwise about errors: a run against a dead port must not pass.
const DEFAULT: &str = "error_rate < 1%";

/// A promise about a run, checked for sense.
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    text: String,
    rule: Rule,
}

impl Threshold {
    /// Reads an expression whose metrics are in `catalog`. Metrics of a named component may be any.
    ///
    /// # Errors
    /// Says what was expected and shows where, when the text does not follow the grammar, names what does not
    /// exist, or compares unlike dimensions.
    pub fn parse(text: &str, catalog: &Catalog) -> Result<Self, ThresholdError> {
        let text = text.trim();
        Ok(Self { text: text.to_owned(), rule: grammar::parse(text, catalog)? })
    }

    /// What it means when the threshold does not hold.
    pub fn level(&self) -> Level {
        self.rule.level
    }

    /// Whether, and from when on, the run stops when the threshold does not hold.
    pub fn abort(&self) -> Option<AbortOnFail> {
        self.rule.abort
    }

    /// Whether it holds where nothing was measured: `any` stands in front of it.
    pub fn holds_unmeasured(&self) -> bool {
        self.rule.any
    }

    /// The components that it names, sorted; the run's own is not among them unless it is named.
    pub fn components(&self) -> BTreeSet<&str> {
        self.rule.series().filter_map(|series| series.component.as_deref()).collect()
    }

    /// Whether it speaks of changes since a baseline (`delta(...)`): without one it does not hold.
    pub fn needs_baseline(&self) -> bool {
        self.rule.series().any(|series| series.delta)
    }

    /// The gauges that it speaks of.
    pub fn gauges(&self) -> impl Iterator<Item = &str> {
        let gauge =
            |series: &Series| matches!(series.metric, Metric::Gauge(..)) && series.component.is_none();
        self.rule.series().filter(move |series| gauge(series)).map(|series| series.metric.name())
    }

    /// The expression in its plainest form: the same for all ways to type it.
    pub fn normal_form(&self) -> String {
        self.rule.to_string()
    }

    /// Whether it takes the place of the default threshold: it speaks of the errors of the whole run.
    fn judges_errors(&self) -> bool {
        let errors = |series: &Series| {
            let whole =
                series.selector == rule::Selector::default() && series.component.is_none() && !series.delta;
            whole
                && [Builtin::ErrorRate, Builtin::HttpReqFailed].map(Metric::Builtin).contains(&series.metric)
        };
        self.rule.series().any(errors)
    }
}

impl fmt::Display for Threshold {
    /// As it was typed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Threshold {
    type Err = ThresholdError;

    /// Reads an expression with any metrics: [`Catalog::lenient`].
    fn from_str(text: &str) -> Result<Self, ThresholdError> {
        Self::parse(text, &Catalog::lenient())
    }
}

/// `thresholds`, with `error_rate < 1%` in front unless one of them is about the `error_rate` or
/// `http_req_failed` of the whole run. One that is limited by a tag leaves the rest of the run unguarded and
/// does not take the default's place.
pub fn with_defaults(thresholds: Vec<Threshold>) -> Vec<Threshold> {
    if thresholds.iter().any(Threshold::judges_errors) {
        return thresholds;
    }
    DEFAULT.parse().into_iter().chain(thresholds).collect()
}
