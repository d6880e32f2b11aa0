//! What does a call give to the metrics of its suite?

use std::time::Duration;

use load_suite::scope::Scope;
use load_suite::suite::Gives;
use serde_json::Value as Json;

use super::{Feeds, Meter};
use crate::protocol::{Fault, Outcome, Probe};

/// Whether a call that came to `result` is one for metrics, and a good one: of the looks of a poll the last one is.
pub fn counts(result: &Result<Outcome, Fault>, scope: &Scope) -> Option<bool> {
    match result {
        Ok(outcome) if outcome.pending => (!scope.looks_again).then_some(false),
        result => Some(result.is_ok()),
    }
}

/// Gives metrics what the answer has for them whatever the step expects; `status` is none where there was no answer.
pub fn feed_by_answer(feeds: &Feeds, status: Option<u32>, header: &dyn Fn(&str) -> bool, probe: &Probe<'_>) {
    for (gives, meter) in feeds {
        let is = match gives {
            Gives::Status(ranges) => status
                .is_some_and(|status| ranges.iter().any(|(first, last)| (*first..=*last).contains(&status))),
            Gives::Header(name) => status.is_some() && header(name),
            _ => continue,
        };
        is_case(*meter, is, probe);
    }
}

/// Counts a call that is, or is not, a case of what `meter` is about.
fn is_case(meter: Meter, is: bool, probe: &Probe<'_>) {
    match meter {
        Meter::Counter(counter) => probe.count(counter, u64::from(is)),
        Meter::Rate(cases, all) => {
            probe.count(cases, u64::from(is));
            probe.count(all, 1);
        }
        Meter::Trend(_) => {}
    }
}

/// Gives metrics what a call has for them: whether it was good, how long it took, and its answer as JSON.
pub fn feed(feeds: &Feeds, ok: bool, time: Duration, json: Option<&Json>, probe: &Probe<'_>) {
    for (gives, meter) in feeds {
        let ns = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        match (gives, *meter) {
            (Gives::Time, Meter::Trend(series)) => probe.observe(series, ns),
            (Gives::Ok | Gives::Failed, meter) => is_case(meter, ok == matches!(gives, Gives::Ok), probe),
            (Gives::Like(values), meter) => {
                let holds = |json| {
                    values.iter().all(|(path, tests)| {
                        let found = path.find(json);
                        tests.iter().all(|test| test.holds(&found))
                    })
                };
                is_case(meter, json.is_some_and(holds), probe);
            }
            (Gives::Number(n), Meter::Counter(counter)) if ok => probe.count(counter, *n),
            (Gives::Json(path), meter) if ok => {
                let value = json.and_then(|json| path.find(json).first().and_then(|value| value.as_f64()));
                match (value.filter(|value| *value >= 0.0), meter) {
                    (Some(ms), Meter::Trend(series)) => probe.observe(series, (ms * 1e6) as u64),
                    (Some(n), Meter::Counter(counter)) => probe.count(counter, n as u64),
                    _ => {}
                }
            }
            _ => {}
        }
    }
}
