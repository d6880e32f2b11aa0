//! How bad is it that a threshold does not hold?

use crate::model::{Severity, ThresholdOutcome};

use super::dimension::Dimension;
use super::rule::Operator;

/// A time of more than so many times its limit is critical.
const TIMES: f64 = 2.0;
/// So is a share of more than so many times its limit.
const SHARES: f64 = 3.0;

/// What to make of `observed`, which was to be `operator` than `limit`; none where nothing was missed, or nothing proven.
pub(super) fn of(
    outcome: ThresholdOutcome,
    (observed, operator, limit): (f64, Operator, f64),
    dimension: Dimension,
) -> Option<Severity> {
    let factor = match dimension {
        Dimension::Time => TIMES,
        Dimension::Ratio => SHARES,
        _ => f64::INFINITY,
    };
    let ceiling = matches!(operator, Operator::Less | Operator::LessOrEqual);
    match outcome.severity()? {
        Severity::Error if ceiling && limit >= 0.0 && observed > limit * factor => Some(Severity::Critical),
        other => Some(other),
    }
}
