//! Do the two sides compare like with like? The check of dimensions.

use super::dimension::Dimension;
use super::error::ThresholdError;
use super::grammar::Operand;
use super::metric::{Builtin, Kind};
use super::rule::{Aggregation, Metric, Series, Term};
use super::scan::Cursor;

/// The dimension of a metric so aggregated; none when only the run can tell.
pub(super) fn of(metric: &Metric, aggregation: Aggregation) -> Option<Dimension> {
    let builtin = match metric {
        Metric::Builtin(builtin) => builtin,
        Metric::Counter(_) if aggregation == Aggregation::Rate => return Some(Dimension::Count.per_second()),
        Metric::Counter(_) => return Some(Dimension::Count),
        Metric::Share(_) => return Some(Dimension::Ratio),
        Metric::Gauge(_, dimension) if aggregation == Aggregation::Slope => {
            return Some(dimension.per_second());
        }
        Metric::Gauge(_, dimension) => return Some(*dimension),
        Metric::Extra(_) => {
            return match aggregation {
                Aggregation::Count => Some(Dimension::Count),
                Aggregation::Rate | Aggregation::Value | Aggregation::Slope => None,
                _ => Some(Dimension::Time),
            };
        }
    };
    Some(match (builtin.kind(), aggregation) {
        (Kind::Trend, Aggregation::Count) => Dimension::Count,
        (Kind::Counter, Aggregation::Rate) => builtin.dimension().per_second(),
        _ => builtin.dimension(),
    })
}

/// Whether it makes sense to ask what it grows by in a second; whatever other components record may.
pub(super) fn grows(metric: &Metric) -> bool {
    match metric {
        Metric::Gauge(_, dimension) => matches!(dimension, Dimension::Count | Dimension::Bytes),
        Metric::Extra(_) => true,
        _ => false,
    }
}

/// The dimension that all operands share.
pub(super) fn check(
    cursor: &Cursor<'_>,
    left: &[Operand],
    right: &[Operand],
) -> Result<Dimension, ThresholdError> {
    let all = || left.iter().chain(right);
    let whole = || left[0].at.start..right.last().map_or(left[0].at.end, |last| last.at.end);
    let Some(series) = all().find_map(|o| series(&o.term)) else {
        return Err(cursor.error(whole(), "nothing to observe: expected a metric on one side"));
    };
    if let Some(delta) = all()
        .find(|o| is_delta(&o.term))
        .filter(|_| all().any(|o| !is_delta(&o.term) && matches!(o.term, Term::Series(..))))
    {
        let message = "a change is compared with a number, not with another metric";
        return Err(cursor.error(delta.at.clone(), message));
    }
    let Some((first, dimension)) = all().find_map(|o| Some((o, o.dimension?))) else {
        // Only k6's custom rates and gauges come here, and what other components record.
        return Ok(of(series.0, series.1).unwrap_or(match series.1 {
            Aggregation::Rate => Dimension::Ratio,
            _ => Dimension::Count,
        }));
    };
    if let Some(other) = all().find(|o| o.dimension.is_some_and(|d| d != dimension)) {
        let (one, two) = (cursor.text(first.at.clone()), cursor.text(other.at.clone()));
        let theirs = other.dimension.map_or_else(String::new, |d| d.to_string());
        let message = format!("cannot compare: {one} is {dimension}, {two} is {theirs}");
        return Err(cursor.error(other.at.clone(), message));
    }
    all().filter(|o| o.dimension.is_none()).try_for_each(|o| bare(cursor, o, dimension, all()))?;
    Ok(dimension)
}

/// Whether it is a change since the baseline.
pub(super) fn is_delta(term: &Term) -> bool {
    matches!(term, Term::Series(_, Series { delta: true, .. }))
}

fn series(term: &Term) -> Option<(&Metric, Aggregation)> {
    match term {
        Term::Series(_, series) => Some((&series.metric, series.aggregation)),
        Term::Number(_) => None,
    }
}

/// A number without a unit where it is likely to mean something else than it says.
fn bare<'a>(
    cursor: &Cursor<'_>,
    operand: &Operand,
    dimension: Dimension,
    mut all: impl Iterator<Item = &'a Operand>,
) -> Result<(), ThresholdError> {
    let Term::Number(value) = operand.term else { return Ok(()) };
    let error = |message: String| Err(cursor.error(operand.at.clone(), message));
    let per_call = Metric::Builtin(Builtin::CpuPerCall);
    if all.any(|o| !is_delta(&o.term) && series(&o.term).is_some_and(|(metric, _)| *metric == per_call)) {
        return error(format!("bare times are milliseconds: write {value}us for this metric"));
    }
    if dimension == Dimension::Ratio && value > 1.0 {
        return error(format!("a ratio lies between 0 and 1, found {value}: percent are written {value}%"));
    }
    Ok(())
}
