//! What does a run say about a threshold?

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::exit::Exit;

/// A threshold with what was observed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ThresholdReport {
    /// As given.
    pub expression: String,
    /// `fail` or `warn`.
    pub level: String,
    /// The observed value with its unit; none when there was nothing to observe.
    pub observed: Option<f64>,
    /// What it was compared with, in the same unit; none when there was nothing to observe.
    #[serde(default)]
    pub limit: Option<f64>,
    /// The unit of both: `ms`, `bytes`, `count`, `ratio`, `per_s`, `bytes_per_s`.
    pub unit: String,
    /// Whether it holds.
    pub passed: bool,
    /// What the run can say about it.
    pub outcome: ThresholdOutcome,
    /// How bad that is; none where it holds or nothing is proven.
    #[serde(default)]
    pub severity: Option<Severity>,
    /// It speaks of a change since the baseline: when it fails, the exit code is that of a regression.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub delta: bool,
    /// In words, where the figures alone do not tell.
    pub note: Option<String>,
}

/// What a run can say about a threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ThresholdOutcome {
    /// It holds.
    Pass,
    /// It does not hold, at level `warn`.
    Warn,
    /// It does not hold, or there was nothing to observe.
    Fail,
    /// The generator was the limit, so the failure proves nothing about the target.
    Invalid,
    /// Not evaluated, with the reason in the note.
    Skipped,
}

impl ThresholdReport {
    /// The exit code that goes with it. A change that could not be observed is a failure like any other.
    pub fn exit(&self) -> Exit {
        match self.outcome {
            ThresholdOutcome::Pass | ThresholdOutcome::Warn | ThresholdOutcome::Skipped => Exit::Pass,
            ThresholdOutcome::Fail if self.delta && self.observed.is_some() => Exit::Regression,
            ThresholdOutcome::Fail => Exit::Failed,
            ThresholdOutcome::Invalid => Exit::Invalid,
        }
    }
}

impl ThresholdOutcome {
    /// How bad it is, as far as that is known without a value; none where it holds or nothing is proven.
    pub fn severity(self) -> Option<Severity> {
        match self {
            Self::Warn => Some(Severity::Warning),
            Self::Fail => Some(Severity::Error),
            Self::Pass | Self::Invalid | Self::Skipped => None,
        }
    }
}

/// How bad it is that a threshold does not hold. It is for readers: verdict and exit code follow from the outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Of level `warn`.
    Warning,
    /// The run fails.
    Error,
    /// The run fails, with a time of more than twice its limit, or a share of more than three times its limit.
    Critical,
}

impl Severity {
    /// In capitals, for people.
    pub fn label(self) -> &'static str {
        match self {
            Self::Warning => "WARNING",
            Self::Error => "ERROR",
            Self::Critical => "CRITICAL",
        }
    }
}
