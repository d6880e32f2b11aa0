//! When does a threshold stop the run? k6's options, behind the comparison.

use std::time::Duration;

use super::dimension::Dimension;
use super::error::ThresholdError;
use super::grammar::quantity;
use super::rule::AbortOnFail;
use super::scan::Cursor;

/// Reads the options to the end of the expression.
pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Option<AbortOnFail>, ThresholdError> {
    let (mut abort, mut delay) = (None, None);
    loop {
        cursor.eat(",");
        let start = cursor.spot();
        if cursor.peek().is_none() {
            break;
        }
        let word = cursor.word();
        let at = cursor.since(start);
        let repeated = match word {
            "abortOnFail" => abort.replace(flag(cursor)?).is_some(),
            "delayAbortEval" => delay.replace((time(cursor)?, at.clone())).is_some(),
            _ => {
                cursor.back_to(start);
                return Err(end_expected(cursor));
            }
        };
        if repeated {
            return Err(cursor.error(at, format!("`{word}` is given twice")));
        }
    }
    match (abort, delay) {
        (None, Some((_, at))) => Err(cursor.error(at, "`delayAbortEval` says nothing without `abortOnFail`")),
        (Some(true), delay) => Ok(Some(AbortOnFail { delay: delay.unwrap_or_default().0 })),
        (None | Some(false), _) => Ok(None),
    }
}

fn end_expected(cursor: &mut Cursor<'_>) -> ThresholdError {
    let chained = cursor.peek().is_some_and(|c| "<>=!".contains(c));
    let error = cursor.expected("the end, `abortOnFail` or `delayAbortEval=10s`");
    if chained { error.help("a threshold is one comparison: write two thresholds") } else { error }
}

fn flag(cursor: &mut Cursor<'_>) -> Result<bool, ThresholdError> {
    if !cursor.eat(":") && !cursor.eat("=") {
        return Ok(true);
    }
    let start = cursor.spot();
    match cursor.word() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => {
            cursor.back_to(start);
            Err(cursor.expected("true or false"))
        }
    }
}

fn time(cursor: &mut Cursor<'_>) -> Result<Duration, ThresholdError> {
    if !cursor.eat("=") && !cursor.eat(":") {
        return Err(cursor.expected("`=` and a time, as in delayAbortEval=10s"));
    }
    let quote = cursor.quote();
    let start = cursor.spot();
    let Some(first) = cursor.number() else {
        return Err(cursor.expected("a time, as in 10s"));
    };
    let (ms, dimension) = quantity(cursor, start, first)?;
    let at = cursor.since(start);
    if dimension.is_some_and(|d| d != Dimension::Time) {
        return Err(cursor.error(at, "expected a time, as in 10s"));
    }
    if let Some(quote) = quote
        && !cursor.eat(quote)
    {
        return Err(cursor.expected(&format!("the closing {quote}")));
    }
    Duration::try_from_secs_f64(ms / 1e3)
        .map_err(|_| cursor.error(at, "expected a time of 0 or more, as in 10s"))
}
