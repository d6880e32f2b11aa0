//! Which part of a metric does a tag select, and does the metric have that part?

use super::error::ThresholdError;
use super::metric::{Builtin, Detail};
use super::recovery::Within;
use super::rule::{Metric, OutcomeTag, Selector};
use super::scan::Cursor;

/// Reads one `key:value` into `selector`. With `lenient`, tags that no tool records are kept as they are.
///
/// k6's `name` is our `op`, and k6's `expected_response` our `outcome`.
pub(super) fn read(
    cursor: &mut Cursor<'_>,
    metric: &Metric,
    lenient: bool,
    selector: &mut Selector,
) -> Result<(), ThresholdError> {
    let start = cursor.spot();
    let key = cursor.word();
    let at = cursor.since(start);
    if key.is_empty() {
        return Err(cursor.expected("a tag: phase, op or outcome"));
    }
    if !cursor.eat(":") {
        return Err(cursor.expected("`:` and the value of the tag"));
    }
    let from = cursor.spot();
    let value = cursor.tag_value()?;
    if value.is_empty() {
        return Err(cursor.expected("the value of the tag"));
    }
    let (needs, new) = match key {
        "phase" => (Detail::Phase, selector.phase.replace(value).is_none()),
        "like" | "within" if !matches!(metric, Metric::Builtin(Builtin::RecoveryTime)) => {
            let message = format!("`{key}` is a tag of recovery_time, not of {}", metric.name());
            return Err(cursor.error(at, message));
        }
        "like" => (Detail::Phase, selector.like.replace(value).is_none()),
        "within" => {
            let Some(within) = Within::read(&value) else {
                let message = format!("expected how much slower, as 10% or 20ms, found `{value}`");
                return Err(cursor.error(cursor.since(from), message));
            };
            (Detail::Phase, selector.within.replace(within).is_none())
        }
        "op" | "name" => (Detail::Op, selector.op.replace(value).is_none()),
        "outcome" | "expected_response" => {
            let Some(outcome) = outcome(key, &value) else {
                let choices = if key == "outcome" { "ok, failed or all" } else { "true or false" };
                return Err(cursor.error(cursor.since(from), format!("expected {choices}, found `{value}`")));
            };
            (Detail::Outcome, selector.outcome.replace(outcome).is_none())
        }
        _ if lenient => {
            selector.other.push((key.to_owned(), value));
            return Ok(());
        }
        _ => {
            let message = format!("no tool records the tag `{key}`");
            return Err(cursor.error(at, message).help("known tags: phase, op (k6: name), outcome"));
        }
    };
    if !new {
        return Err(cursor.error(at, format!("the tag `{key}` is given twice")));
    }
    missing(metric, needs).map_or(Ok(()), |message| Err(cursor.error(at, message)))
}

fn outcome(key: &str, value: &str) -> Option<OutcomeTag> {
    match (key, value) {
        ("outcome", "ok") | ("expected_response", "true") => Some(OutcomeTag::Ok),
        ("outcome", "failed") | ("expected_response", "false") => Some(OutcomeTag::Failed),
        ("outcome", "all") => Some(OutcomeTag::All),
        _ => None,
    }
}

/// Why `metric` cannot be divided as `needs` says; none when it can.
fn missing(metric: &Metric, needs: Detail) -> Option<String> {
    let has = match metric {
        Metric::Builtin(builtin) => builtin.detail(),
        Metric::Extra(_) | Metric::Counter(_) | Metric::Share(_) | Metric::Gauge(..) => Detail::Phase,
    };
    let by = match needs {
        _ if has >= needs => return None,
        Detail::Run | Detail::Phase => "phase",
        Detail::Op => "op",
        Detail::Outcome => "outcome",
    };
    Some(format!("{} is not recorded by {by}", metric.name()))
}
