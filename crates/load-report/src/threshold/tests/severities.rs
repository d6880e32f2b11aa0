//! What stands in front of a threshold and of a metric, and how bad it is that it does not hold.

use super::sample;
use crate::model::{RunFile, Severity, ThresholdOutcome as Outcome, ThresholdReport};
use crate::threshold::metric::Builtin;
use crate::threshold::{Threshold, evaluate_one, unreachable};

fn judge(text: &str, run: &RunFile) -> ThresholdReport {
    let threshold: Threshold = text.parse().unwrap_or_else(|error| panic!("{error}"));
    evaluate_one(&threshold, run)
}

#[test]
fn any_holds_where_nothing_was_measured() {
    let (run, empty) = (sample::run(), sample::empty());
    for text in [
        "any never_seen: p(95) < 5",
        "warn any unseen: max < 5",
        "any failures{op:login,phase:stress}: count > 5",
        "any error_rate{op:login,phase:stress} > 5%",
        "any lag:max - never_seen:max < 5",
    ] {
        let report = judge(text, &run);
        assert_eq!((report.outcome, report.passed, report.observed), (Outcome::Pass, true, None), "{text}");
        assert_eq!((report.note.as_deref(), report.severity), (Some("no samples"), None), "{text}");
    }
    for metric in ["error_rate", "iteration_errors", "throughput", "connect_errors"] {
        assert_eq!(judge(&format!("any {metric} > 1"), &empty).outcome, Outcome::Pass, "{metric}");
    }
    assert!(Builtin::named("any").is_none());
}

#[test]
fn any_holds_for_nothing_that_was_measured_or_does_not_exist() {
    let run = sample::run();
    assert_eq!(judge("any response_time: p(95) < 10ms", &run).outcome, Outcome::Fail);
    assert_eq!(judge("warn any response_time: p(95) < 10ms", &run).outcome, Outcome::Warn);
    for text in [
        "any respons_time: avg < 1",
        "any response_time{phase:peak}: p(95) < 5",
        "any response_time{op:logout}: p(95) < 5",
        "any checks: rate > 0.9",
        "any memory: max < 5%",
    ] {
        assert_eq!(judge(text, &run).outcome, Outcome::Fail, "{text}");
    }
    assert_eq!(judge("any ws::error_rate < 1%", &run).outcome, Outcome::Skipped);
}

#[test]
fn factors_stand_on_either_side() {
    let run = sample::run();
    // 8 opened, 2 failed.
    for (text, outcome) in [
        ("connections_failed: count < 0.3 * connections_opened: count", Outcome::Pass),
        ("connections_failed: count < 0.2 * connections_opened: count", Outcome::Fail),
        ("connections_failed: count <= 25% * 'connections_opened': count", Outcome::Pass),
        ("4*connections_failed: count == connections_opened: count", Outcome::Pass),
        ("response_time: p(99) < 2 * response_time: p(50) + 20ms", Outcome::Pass),
        ("3 * error_rate - 0.05 > 0.2", Outcome::Pass),
    ] {
        let report = judge(text, &run);
        assert_eq!(report.outcome, outcome, "{report:?}");
    }
    let report = judge("connections_failed: count < 0.2 * connections_opened: count", &run);
    assert_eq!((report.observed, report.limit), (Some(2.0), Some(1.6)));
    assert_eq!(report.note.as_deref(), Some("compared with 1.6"));
    // 20/s are offered.
    let unreachable = |text: &str| {
        let threshold: Threshold = text.parse().unwrap_or_else(|error| panic!("{error}"));
        unreachable(&threshold, &sample::plan()).is_some()
    };
    assert!(unreachable("0.5 * iterations: rate >= 11/s") && !unreachable("2 * iterations: rate >= 39/s"));
}

#[test]
fn what_is_far_beyond_its_limit_is_critical() {
    let run = sample::run();
    for (text, severity) in [
        // 91 ms.
        ("response_time: p(95) < 100", None),
        ("response_time: p(95) < 50", Some(Severity::Error)),
        ("response_time: p(95) < 45", Some(Severity::Critical)),
        ("45 > response_time: p(95)", Some(Severity::Critical)),
        ("warn response_time: p(95) < 45", Some(Severity::Warning)),
        ("response_time: p(95) < 0.4 * response_time: p(95)", Some(Severity::Critical)),
        // 10 %.
        ("error_rate < 4%", Some(Severity::Error)),
        ("error_rate < 3%", Some(Severity::Critical)),
        // Only ceilings of times and shares.
        ("error_rate > 50%", Some(Severity::Error)),
        ("failures: count < 1", Some(Severity::Error)),
        ("throughput > 19/s", Some(Severity::Error)),
        // The plan cannot offer that much, and nothing was measured.
        ("throughput > 1000/s", Some(Severity::Warning)),
        ("never_seen: p(95) < 5", Some(Severity::Error)),
        ("ws::lag: max < 1", None),
    ] {
        assert_eq!(judge(text, &run).severity, severity, "{text}");
    }
}
