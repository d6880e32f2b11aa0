//! What thresholds say about runs.

use std::collections::BTreeMap;

use super::sample;
use crate::model::{LoadModel, RunFile, Segment, ThresholdOutcome as Outcome, ThresholdReport};
use crate::threshold::metric::{Builtin, Kind};
use crate::threshold::{Scope, Threshold, evaluate, evaluate_one, unreachable, with_defaults};
use crate::verdict::Verdict;

fn read(text: &str) -> Threshold {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

fn judge(text: &str, run: &RunFile) -> ThresholdReport {
    evaluate_one(&read(text), run)
}

fn outcome(text: &str, run: &RunFile) -> Outcome {
    judge(text, run).outcome
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn every_metric_is_observed() {
    let run = sample::run();
    for (series, expected, unit) in [
        ("response_time: p(50)", 45.0, "ms"),
        ("response_time: med", 45.0, "ms"),
        ("response_time: count", 180.0, "count"),
        ("response_time: max", 100.0, "ms"),
        ("response_time: min", 1.0, "ms"),
        ("response_time{phase:sustain}: avg", 50.5, "ms"),
        ("response_time{phase:sustain}: p(99)", 99.0, "ms"),
        ("response_time{phase:warm-up}: count", 50.0, "count"),
        ("response_time{op:GET /vms/{id}}: max", 80.0, "ms"),
        ("response_time{outcome:failed}: max", 500.0, "ms"),
        ("response_time{outcome:all}: count", 195.0, "count"),
        ("service_time: max", 50.0, "ms"),
        ("service_time{outcome:failed}: min", 400.0, "ms"),
        ("http_req_duration: max", 400.0, "ms"),
        ("http_req_duration: count", 195.0, "count"),
        ("http_req_duration{expected_response:true}: max", 50.0, "ms"),
        ("grpc_req_duration{name:login}: count", 100.0, "count"),
        ("lag: max", 3.0, "ms"),
        ("wait: avg", 2.0, "ms"),
        ("lateness: p(99)", 1.0, "ms"),
        ("loop_turn: count", 2.0, "count"),
        ("connect_time: avg", 3.0, "ms"),
        ("iteration_duration: max", 500.0, "ms"),
        ("iteration_duration: count", 195.0, "count"),
        ("message_latency: p(95)", 5.0, "ms"),
        ("message_latency{phase:sustain}: count", 4.0, "count"),
        ("messages_lost: count", 30.0, "count"),
        ("messages_lost{phase:stress}: count", 0.0, "count"),
        ("messages_twice: count", 0.0, "count"),
        ("twice: rate", 0.0, "ratio"),
        ("cache_hit: min", 0.89, "ratio"),
        ("cache_hit: value", 0.89, "ratio"),
        ("cache_hit{phase:sustain}: max", 0.98, "ratio"),
        ("memory: max", 12e6, "bytes"),
        ("memory: slope", 1e6, "bytes_per_s"),
        ("memory{phase:sustain}: avg", 6.5e6, "bytes"),
        ("memory{phase:warm-up}: value", 2e6, "bytes"),
        ("error_rate", 0.1, "ratio"),
        ("error_rate{phase:sustain}", 0.0, "ratio"),
        ("error_rate{phase:stress}", 0.2, "ratio"),
        ("error_rate{op:login}", 0.0, "ratio"),
        ("error_rate{op:GET /vms/{id}}", 17.0 / 97.0, "ratio"),
        ("http_req_failed", 15.0 / 195.0, "ratio"),
        ("http_req_failed{phase:stress}: rate", 15.0 / 95.0, "ratio"),
        ("http_reqs: count", 195.0, "count"),
        ("http_reqs: rate", 19.5, "per_s"),
        ("http_reqs{expected_response:false}: count", 15.0, "count"),
        ("requests: count", 197.0, "count"),
        ("failures: count", 15.0, "count"),
        ("failures{op:login}: count", 0.0, "count"),
        ("iterations: rate", 19.5, "per_s"),
        ("iteration_errors", 0.1, "ratio"),
        ("iteration_errors{phase:stress}: rate", 0.2, "ratio"),
        ("dropped_iterations: count", 3.0, "count"),
        ("abandoned: count", 2.0, "count"),
        ("data_sent: count", 18_000.0, "bytes"),
        ("data_received: rate", 18_000.0, "bytes_per_s"),
        ("messages: rate", 36.0, "per_s"),
        ("messages{phase:stress}: rate", 80.0, "per_s"),
        ("connections_opened: count", 8.0, "count"),
        ("connections_failed: count", 2.0, "count"),
        ("connect_errors: rate", 0.2, "ratio"),
        ("throughput", 18.0, "per_s"),
        ("throughput{phase:stress}: value", 40.0, "per_s"),
        ("throughput{op:login}", 10.0, "per_s"),
        ("vus", 12.0, "count"),
        ("vus: min", 3.0, "count"),
        ("vus: max", 12.0, "count"),
        ("vus: avg", 7.5, "count"),
        ("vus{phase:stress}: min", 11.0, "count"),
        ("vus_max", 64.0, "count"),
        ("connections_peak", 9.0, "count"),
        ("max_rss_bytes", 12e6, "bytes"),
        ("cpu_us_per_call", 0.02, "ms"),
    ] {
        let report = judge(&format!("{series} != {}", if unit == "ms" { "-1us" } else { "-1" }), &run);
        let observed = report.observed.unwrap_or_else(|| panic!("{series}: {:?}", report.note));
        // Buckets of histograms are up to 0.1 % wide.
        assert!((observed - expected).abs() <= expected * 0.001, "{series}: {observed}, expected {expected}");
        assert_eq!(report.unit, unit, "{series}");
        assert_eq!(report.outcome, Outcome::Pass);
    }
}

#[test]
fn percentiles_are_those_of_the_totals() {
    let run = sample::run();
    let totals = run.totals.response_ms.unwrap();
    for (rank, expected) in
        [("90", totals.p90), ("95", totals.p95), ("99", totals.p99), ("99.9", totals.p999)]
    {
        let report = judge(&format!("response_time: p({rank}) == {expected}"), &run);
        assert_eq!(report.outcome, Outcome::Pass, "{report:?}, expected {expected}");
    }
}

#[test]
fn a_threshold_holds_or_has_the_outcome_of_its_level() {
    let run = sample::run();
    assert_eq!(outcome("response_time: p(95) < 100ms", &run), Outcome::Pass);
    assert_eq!(outcome("response_time: p(95) < 10ms", &run), Outcome::Fail);
    assert_eq!(outcome("warn response_time: p(95) < 10ms", &run), Outcome::Warn);
    assert_eq!(outcome("response_time: max == 100", &run), Outcome::Pass);
    assert_eq!(outcome("response_time: max != 100", &run), Outcome::Fail);
    let report = judge("warn 10ms > response_time: max", &run);
    assert_eq!((report.observed, report.passed, report.level.as_str()), (Some(100.0), false, "warn"));
}

#[test]
fn without_samples_nothing_passes() {
    let (run, empty) = (sample::run(), sample::empty());
    for (text, why) in [
        ("never_seen: p(95) < 5", "no samples"),
        ("never_seen: count != 5", "no samples"),
        ("unseen: max < 5", "no samples"),
        ("memory: max < 5%", "memory:max is an amount of bytes, compared with a ratio"),
        ("message_latency: max < 5%", "message_latency:max is a time, compared with a ratio"),
        (
            "respons_time: avg < 1",
            "no samples: no metric `respons_time` in this run, which has: response_time",
        ),
        ("checks: rate > 0.9", "no rate or value `checks` in this run"),
        ("checks: avg > 0.9", "no metric `checks`"),
        ("message_latency: rate >= 0", "no rate or value `message_latency` in this run"),
        ("message_latency{phase:stress}: count < 5", "no samples"),
        (
            "response_time{phase:peak}: p(95) < 5",
            "no phase `peak` in this run, which has: warm-up, sustain, stress",
        ),
        (
            "response_time{op:logout}: p(95) < 5",
            "no op `logout` in this run, which has: login, GET /vms/{id}",
        ),
        ("failures{op:login,phase:stress}: count < 5", "no samples"),
        ("error_rate{op:login,phase:stress} < 5%", "no samples"),
        ("http_req_duration{status:200}: p(95) < 5", "no tool records the tag `status`"),
        ("lag:max - never_seen:max < 5", "no samples"),
    ] {
        let report = judge(text, &run);
        assert_eq!((report.outcome, report.observed, report.passed), (Outcome::Fail, None, false), "{text}");
        assert!(report.note.as_ref().is_some_and(|note| note.contains(why)), "{text}: {:?}", report.note);
        assert_eq!(outcome(&format!("warn {text}"), &run), Outcome::Warn);
    }
    for metric in Builtin::names().filter(|name| *name != "vus_max") {
        let aggregation = match Builtin::named(metric).unwrap().kind() {
            Kind::Trend => ": max",
            Kind::Counter => ": count",
            Kind::Rate | Kind::Gauge | Kind::Figure => "",
        };
        let unit = if metric == "cpu_us_per_call" { "us" } else { "" };
        assert_eq!(outcome(&format!("{metric}{aggregation} != -1{unit}"), &empty), Outcome::Fail, "{metric}");
    }
}

#[test]
fn availability_and_recovery_are_observed() {
    let run = sample::run();
    for (series, expected) in [
        ("availability", 0.9),
        ("availability{phase:stress}", 0.8),
        ("availability{op:login}: rate", 1.0),
        ("recovery_time{phase:warm-up}", 0.0),
        ("recovery_time{phase:sustain}", 1_000.0),
        ("recovery_time{phase:sustain,like:sustain,within:5%}: value", 1_000.0),
    ] {
        let report = judge(&format!("{series} >= 0"), &run);
        assert!((report.observed.unwrap() - expected).abs() < 1e-9, "{series}: {report:?}");
    }
}

#[test]
fn a_recovery_lasts_until_three_seconds_in_a_row_are_well() {
    let mut run = sample::run();
    let point = |run: &mut RunFile, second: usize, ok: u64, failed: u64, p95: f64| {
        let point = &mut run.timeseries.points[second];
        (point.ok, point.failed, point.p95_ms) = (ok, failed, (ok > 0).then_some(p95));
    };
    let behind = "recovery_time{phase:warm-up} < 4s";
    for (second, ok, failed) in [(2, 0, 9), (3, 0, 0), (4, 9, 0), (5, 98, 2), (6, 500, 5), (7, 0, 0)] {
        point(&mut run, second, ok, failed, 1.0);
    }
    // A good second does not count before one that is not, nor does one without calls.
    let report = judge(behind, &run);
    assert_eq!((report.observed, report.outcome), (Some(4_000.0), Outcome::Fail));
    assert_eq!(outcome("recovery_time{phase:warm-up} <= 4s", &run), Outcome::Pass);
    // Well, but slower than in the other phase.
    point(&mut run, 8, 10, 0, 100.0);
    let like = "recovery_time{phase:warm-up,like:sustain,within:4ms} < 1m";
    assert_eq!(judge(like, &run).observed, Some(7_000.0));
    assert_eq!(judge("recovery_time{phase:warm-up,like:sustain} < 1m", &run).observed, Some(4_000.0));
    // Of two seconds that became one the percentile lies between theirs: no figure where the bounds say different things.
    run.timeseries.points[7].p95_ms = None;
    run.timeseries.points[7].p95_between_ms = Some((1.0, 2.0));
    run.timeseries.points[8].p95_ms = None;
    for (between, observed, said) in [
        ((100.0, 101.0), Some(7_000.0), ""),
        ((1.0, 100.0), None, "was well again 4 to 7 s behind phase `warm-up`"),
    ] {
        run.timeseries.points[8].p95_between_ms = Some(between);
        let report = judge(&format!("any {like}"), &run);
        assert_eq!(report.observed, observed, "{report:?}");
        assert!(report.note.unwrap_or_default().contains(said), "{between:?}");
    }
    assert_eq!(outcome(&format!("any {like}"), &run), Outcome::Fail, "not known is not nothing");
    // Never: what comes behind the phase that follows does not count.
    (2..10).for_each(|second| point(&mut run, second, 0, 5, 0.0));
    let report = judge("recovery_time{phase:warm-up} < 1h", &run);
    assert_eq!((report.observed, report.outcome), (None, Outcome::Fail));
    assert_eq!(report.note.as_deref(), Some("not well again in the 8.0 s behind phase `warm-up`"));
    let note = judge("recovery_time{phase:stress} < 1h", &run).note.unwrap();
    assert!(note.contains("ended before the end"), "{note}");
    let unknown = |point: &mut crate::model::Point| {
        (point.ok, point.p95_ms, point.p95_between_ms) = (9, None, None);
    };
    run.timeseries.points.iter_mut().for_each(unknown);
    let note = judge(like, &run).note.unwrap();
    assert!(note.contains("no percentiles"), "{note}");
}

#[test]
fn components_are_compared() {
    let (api, db) = (sample::run(), sample::generator_bound().into_figures());
    let scope = Scope::new(BTreeMap::from([("db-redis", &db), ("api", &api)]));
    let judge = |text: &str| evaluate(&read(text), &scope);
    let held = judge("api::response_time:p(95) < db-redis::response_time:p(95) + 50ms");
    assert_eq!(held.outcome, Outcome::Pass);
    assert!(held.note.is_some_and(|note| note.starts_with("compared with 14")));
    assert_eq!(judge("api::lag:max - db-redis::lag:max == 0").observed, Some(0.0));
    let missing = judge("ws::message_latency: p(99) < 50ms");
    assert_eq!(missing.outcome, Outcome::Fail);
    assert_eq!(missing.note.as_deref(), Some("no results of component `ws`, only of: api, db-redis"));
    // The first one is meant where none is named; of the two only db-redis had a busy generator.
    assert_eq!(judge("lag: max < 1").outcome, Outcome::Fail);
    let other = evaluate(&read("lag: max < 1"), &scope.clone().with_default("db-redis"));
    assert_eq!(other.outcome, Outcome::Invalid);
}

#[test]
fn a_run_alone_skips_what_needs_others() {
    let report = judge("ws::lag:max < api::lag:max", &sample::run());
    assert_eq!((report.outcome, report.passed), (Outcome::Skipped, false));
    assert_eq!(report.note.as_deref(), Some("needs the results of ws: aggregate judges it"));
    assert_eq!(outcome("api::lag:max < 10", &sample::run()), Outcome::Pass);
}

#[test]
fn a_busy_generator_proves_only_what_holds() {
    let run = sample::generator_bound().into_figures();
    for (text, expected) in [
        ("response_time: p(95) < 200ms", Outcome::Pass),
        ("throughput > 1/s", Outcome::Pass),
        ("response_time: p(95) < 1ms", Outcome::Invalid),
        ("1ms > response_time: p(95)", Outcome::Invalid),
        ("message_latency: max < 1ms", Outcome::Invalid),
        ("throughput > 1000/s", Outcome::Invalid),
        ("1000/s <= throughput", Outcome::Invalid),
        ("http_reqs: count == 1000", Outcome::Invalid),
        // More cannot be had by a busier generator, and errors are the target's.
        ("throughput < 1/s", Outcome::Fail),
        ("response_time: min > 10ms", Outcome::Fail),
        ("lag:min - response_time:max > 10ms", Outcome::Invalid),
        ("error_rate < 1%", Outcome::Fail),
        ("never_seen: max < 1", Outcome::Fail),
        ("warn response_time: p(95) < 1ms", Outcome::Warn),
    ] {
        assert_eq!(outcome(text, &run), expected, "{text}");
    }
    assert_eq!(outcome("response_time: p(95) < 1ms", &sample::run()), Outcome::Fail);
    let judged = sample::generator_bound().judge(&[read("response_time: p(95) < 1ms")]);
    assert_eq!(judged.verdict, Verdict::Invalid);
}

#[test]
fn what_the_plan_cannot_offer_is_a_warning() {
    let run = sample::run();
    let report = judge("throughput > 25/s", &run);
    assert_eq!(report.outcome, Outcome::Warn);
    insta::assert_snapshot!(report.note.unwrap(), @"unreachable: the plan offers at most 20.0/s (arrival rate 20/s), 25.0/s are asked for");
    assert_eq!(outcome("http_reqs: rate > 20/s", &run), Outcome::Warn);
    assert_eq!(outcome("http_reqs: rate >= 20/s", &run), Outcome::Fail);
    assert_eq!(outcome("25/s < iterations: rate", &run), Outcome::Warn);
    assert_eq!(outcome("throughput < 1/s", &run), Outcome::Fail);
    let mut third = sample::run();
    third.header.segment = Segment { index: 0, of: 3 };
    assert_eq!(outcome("throughput >= 20/s", &third), Outcome::Warn);
}

#[test]
fn what_the_plan_cannot_offer_is_known_before_the_run() {
    let mut plan = sample::plan();
    // Two ops: an iteration may be two calls.
    assert_eq!(unreachable(&read("throughput > 25/s"), &plan), None);
    assert!(unreachable(&read("throughput > 45/s"), &plan).is_some());
    assert!(unreachable(&read("iterations: rate > 25/s"), &plan).is_some());
    assert_eq!(unreachable(&read("response_time: p(95) > 25ms"), &plan), None);
    (plan.model, plan.rate_per_s, plan.vus) = (LoadModel::Closed, None, 100);
    plan.ops.truncate(1);
    assert_eq!(unreachable(&read("throughput > 25/s"), &plan), None);
    plan.think_s = Some((4.0, 6.0));
    insta::assert_snapshot!(unreachable(&read("throughput > 25/s"), &plan).unwrap(), @"unreachable: the plan offers at most 20.0/s (100 users ÷ 5 s think time), 25.0/s are asked for");
    assert_eq!(unreachable(&read("throughput > 19/s"), &plan), None);
}

#[test]
fn by_default_errors_fail_the_run() {
    let judged = sample::record("api").judge(&with_defaults(vec![read("lag: max < 5")]));
    assert_eq!(judged.verdict, Verdict::Fail);
    let outcomes: Vec<_> = judged.thresholds.iter().map(|t| (t.expression.as_str(), t.outcome)).collect();
    assert_eq!(outcomes, [("error_rate < 1%", Outcome::Fail), ("lag: max < 5", Outcome::Pass)]);
}

#[test]
fn a_gauge_needs_samples_and_excuses_no_generator() {
    let mut run = sample::generator_bound().into_figures();
    assert!(run.generator.generator_bound);
    assert_eq!(outcome("cache_hit: min > 0.99", &run), Outcome::Fail);
    assert_eq!(outcome("message_latency: max < 1us", &run), Outcome::Invalid);
    run.header.plan.sample_s = None;
    let report = judge("cache_hit: min > 0", &run);
    assert_eq!(report.note.unwrap(), "no samples: the run was made with --sample off");
}
