//! With which code does a tool leave? The one table, k6's numbers where the meaning is k6's.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The exit code of a tool of the suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// Every threshold holds; warnings included.
    Pass,
    /// A bug of the tool.
    Internal,
    /// A threshold failed.
    Failed,
    /// Bad usage, configuration or plan.
    Usage,
    /// Stopped by a signal.
    Interrupted,
    /// The generator was the limit, or the account does not balance: the figures prove nothing.
    Invalid,
    /// Worse than the baseline.
    Regression,
    /// Nothing was measured, or a component that a target names is missing.
    NoData,
    /// The target could not be reached or prepared.
    Unreachable,
    /// The results could not be written.
    NotWritten,
    /// An input is unreadable or incompatible.
    Unreadable,
}

impl Exit {
    /// Every code with what it means: printed by `--help` and in the README.
    pub const TABLE: [(Self, &'static str); 11] = [
        (Self::Pass, "pass (warnings included)"),
        (Self::Internal, "internal error"),
        (Self::Failed, "a threshold failed"),
        (Self::Usage, "bad usage, configuration or plan"),
        (Self::Interrupted, "stopped by a signal"),
        (Self::Invalid, "invalid: the generator was the limit"),
        (Self::Regression, "regression against the baseline"),
        (Self::NoData, "no data, or a component that a target names is missing"),
        (Self::Unreachable, "the target could not be reached or prepared"),
        (Self::NotWritten, "results could not be written"),
        (Self::Unreadable, "an input is unreadable or incompatible"),
    ];

    /// Where several hold, the first of these is the one to leave with.
    const PRECEDENCE: [Self; 11] = [
        Self::Internal,
        Self::Usage,
        Self::Unreachable,
        Self::Unreadable,
        Self::Interrupted,
        Self::Invalid,
        Self::NoData,
        Self::Failed,
        Self::Regression,
        Self::NotWritten,
        Self::Pass,
    ];

    /// The number that the shell sees.
    pub fn code(self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::Internal => 1,
            Self::Failed => 99,
            Self::Usage => 104,
            Self::Interrupted => 105,
            Self::Invalid => 111,
            Self::Regression => 112,
            Self::NoData => 113,
            Self::Unreachable => 114,
            Self::NotWritten => 115,
            Self::Unreadable => 116,
        }
    }

    /// The one of `codes` that tells most: [`Exit::Pass`] when there is none.
    pub fn first_of(codes: impl IntoIterator<Item = Self>) -> Self {
        let rank = |code: &Self| Self::PRECEDENCE.iter().position(|p| p == code);
        codes.into_iter().min_by_key(rank).unwrap_or(Self::Pass)
    }

    /// [`Exit::TABLE`] as text, one code a line, for `--help`.
    pub fn help() -> String {
        let rows = Self::TABLE.iter().map(|(exit, meaning)| format!("  {:>3}  {meaning}", exit.code()));
        format!("Exit codes:\n{}", rows.collect::<Vec<_>>().join("\n"))
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_ranked_and_documented_once() {
        for (exit, _) in Exit::TABLE {
            assert_eq!(Exit::PRECEDENCE.iter().filter(|&&p| p == exit).count(), 1, "{exit:?}");
        }
    }

    #[test]
    fn the_order_is_that_of_the_design() {
        let order = [104, 114, 105, 111, 113, 99, 112];
        let exits: Vec<Exit> =
            order.iter().map(|code| Exit::TABLE.iter().find(|(e, _)| e.code() == *code).unwrap().0).collect();
        for (i, &first) in exits.iter().enumerate() {
            for &second in &exits[i..] {
                assert_eq!(Exit::first_of([second, first]), first);
            }
        }
    }
}
