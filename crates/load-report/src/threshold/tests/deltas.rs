//! What thresholds say of changes since a baseline.

use super::sample;
use crate::exit::Exit;
use crate::model::{RunFile, ThresholdOutcome as Outcome};
use crate::threshold::{Threshold, evaluate_against, evaluate_one, with_defaults};

fn read(text: &str) -> Threshold {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

/// The sample, and one of twice its successful calls.
fn pair() -> (RunFile, RunFile) {
    let twice = {
        let mut record = sample::record("api");
        for op in record.data.phases.iter_mut().flat_map(|phase| &mut phase.ops) {
            op.ok *= 2;
        }
        record.into_figures()
    };
    (sample::run(), twice)
}

#[test]
fn a_change_is_relative_and_that_of_shares_is_a_difference() {
    let (run, twice) = pair();
    for (text, baseline, expected) in [
        ("throughput: delta(value) < 5%", &twice, -0.5),
        ("throughput: delta(value) < 5%", &run, 0.0),
        ("response_time: delta(p(95)) < 5%", &twice, 0.0),
        ("error_rate: delta(rate) < 0.5%", &twice, 0.0),
        ("cache_hit: delta(min) < 0.5%", &twice, 0.0),
    ] {
        let report = evaluate_against(&read(text), &run, Some(baseline));
        let observed = report.observed.unwrap_or_else(|| panic!("{text}: {:?}", report.note));
        assert!((observed - expected).abs() < 1e-9, "{text}: {observed}");
        assert_eq!((report.unit.as_str(), report.delta), ("ratio", true));
    }
    let slower = evaluate_against(&read("throughput: delta(value) > -3%"), &run, Some(&twice));
    assert_eq!((slower.outcome, slower.observed), (Outcome::Fail, Some(-0.5)));
}

#[test]
fn a_change_for_the_worse_has_a_code_of_its_own() {
    let (run, twice) = pair();
    let judged = |texts: &[&str], baseline| {
        let thresholds: Vec<_> = texts.iter().map(|text| read(text)).collect();
        run.clone().into_record().judge_against(&thresholds, baseline).exit
    };
    let worse = "throughput: delta(value) > -3%";
    assert_eq!(judged(&[worse], Some(&twice)), Exit::Regression);
    assert_eq!(judged(&[&format!("warn {worse}")], Some(&twice)), Exit::Pass);
    assert_eq!(judged(&[worse, "response_time: max < 1ms"], Some(&twice)), Exit::Failed);
    // Without a baseline it is a failure as any other: nothing is known to be worse.
    assert_eq!(judged(&[worse], None), Exit::Failed);
}

#[test]
fn without_a_baseline_nothing_passes() {
    let run = sample::run();
    let report = evaluate_one(&read("any response_time: delta(p(95)) < 5%"), &run);
    assert_eq!((report.outcome, report.observed), (Outcome::Fail, None));
    assert_eq!(report.note.as_deref(), Some("no baseline: name one with --baseline"));
    let mut other = run.clone();
    other.data.phases.iter_mut().for_each(|phase| phase.calls.scheduled = 0);
    let report = evaluate_against(&read("requests: delta(count) < 5%"), &run, Some(&other));
    assert_eq!((report.outcome, report.observed), (Outcome::Fail, None));
}

#[test]
fn a_change_of_errors_does_not_stand_for_their_limit() {
    assert_eq!(with_defaults(vec![read("error_rate: delta(rate) < 1%")]).len(), 2);
}
