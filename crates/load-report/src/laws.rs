//! Does the account balance? The laws that every run must obey, checked at the end of each.
//!
//! A violation is a bug of the tool, never of the target: the run is INVALID.

use crate::model::{End, Plan};
use crate::tally::{Ledger, PhaseTally, Tally};

/// What a run may take longer than `duration + graceful stop`, seconds.
const END_SLACK_S: f64 = 1.0;

/// The laws that `data` breaks, in words; empty when it obeys all.
pub fn violations(plan: &Plan, data: &Tally, end: End) -> Vec<String> {
    let mut broken = Vec::new();
    for (index, tally) in data.phases.iter().enumerate() {
        let name = plan.phases.get(index).map_or("?", |phase| phase.name.as_str());
        phase_violations(name, tally, &mut broken);
    }
    let deadline_s = plan.duration_s + plan.graceful_stop_s + END_SLACK_S;
    let end_s = end.end_ns as f64 / 1e9;
    if end_s > deadline_s {
        broken.push(format!("ended after {end_s:.3} s, at the latest {deadline_s:.3} s"));
    }
    broken
}

fn phase_violations(name: &str, tally: &PhaseTally, broken: &mut Vec<String>) {
    let mut equal = |what: &str, left: u64, right: u64| {
        if left != right {
            broken.push(format!("phase {name}: {what}: {left} ≠ {right}"));
        }
    };
    let sum = |count: fn(&crate::tally::OpTally) -> u64| tally.ops.iter().map(count).sum::<u64>();
    let balance = |equal: &mut dyn FnMut(&str, u64, u64), what: &str, ledger: &Ledger| {
        equal(
            &format!("{what}: scheduled = unsent + ok + failed + abandoned + lost"),
            ledger.scheduled,
            ledger.accounted(),
        );
    };
    balance(&mut equal, "iterations", &tally.iterations);
    balance(&mut equal, "calls", &tally.calls);
    equal("ok of the ops = calls ok", sum(|op| op.ok), tally.calls.ok);
    equal("failed of the ops = calls failed", sum(|op| op.failed.total()), tally.calls.failed.total());
    equal("abandoned of the ops = calls abandoned", sum(|op| op.abandoned), tally.calls.abandoned);
    equal("response times of ok calls", sum(|op| op.response_ok.count()), tally.calls.ok);
    equal("service times of ok calls", sum(|op| op.service_ok.count()), tally.calls.ok);
    equal("response times of failed calls", sum(|op| op.response_failed.count()), tally.calls.failed.total());
    equal("service times of failed calls", sum(|op| op.service_failed.count()), tally.calls.failed.total());
    equal("iteration times of ok iterations", tally.iteration_ok.count(), tally.iterations.ok);
    equal("ages of abandoned calls", tally.abandoned_age.count(), tally.calls.abandoned);
    equal("lag = wait", tally.lag.count(), tally.wait.count());
    equal("lag = lateness", tally.lag.count(), tally.lateness.count());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::FaultKind;

    fn balanced() -> PhaseTally {
        let mut tally = PhaseTally::new(1, 0, 0);
        tally.calls.scheduled = 2;
        tally.calls.ok = 1;
        tally.calls.failed.add(FaultKind::Reset, 1);
        tally.ops[0].ok = 1;
        tally.ops[0].failed.add(FaultKind::Reset, 1);
        let op = &mut tally.ops[0];
        let series =
            [&mut op.response_ok, &mut op.service_ok, &mut op.response_failed, &mut op.service_failed];
        series.into_iter().for_each(|histogram| histogram.record(1_000));
        tally
    }

    fn broken(tally: &PhaseTally) -> Vec<String> {
        let mut found = Vec::new();
        phase_violations("sustain", tally, &mut found);
        found
    }

    #[test]
    fn a_balanced_account_breaks_no_law() {
        assert_eq!(broken(&balanced()), Vec::<String>::new());
    }

    #[test]
    fn a_call_that_vanishes_breaks_the_law() {
        let mut tally = balanced();
        tally.calls.scheduled += 1;
        assert!(broken(&tally)[0].contains("3 ≠ 2"));
    }

    #[test]
    fn a_failed_call_among_the_successful_times_breaks_the_law() {
        let mut tally = balanced();
        tally.ops[0].response_ok.record(5);
        assert_eq!(broken(&tally), ["phase sustain: response times of ok calls: 2 ≠ 1"]);
    }
}
