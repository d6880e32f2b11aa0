//! Which runs are compared, and what do several a side say?

use super::*;
use crate::model::{Plan, Rehearsal};
use crate::verdict::{Clause, Invalid};

fn run(seed: u64) -> RunFile {
    Simulated { seed, seconds: 12, ..Simulated::default() }.run()
}

fn refused(change: impl FnOnce(&mut Plan)) -> String {
    let (one, mut other) = (run(1), run(2));
    change(&mut other.header.plan);
    let error = of_two(&one, &other, Rules::default()).unwrap_err().to_string();
    assert!(!error.contains('\n'), "{error}");
    let forced = of_two(&one, &other, Rules { allow_different: true, ..Rules::default() }).unwrap();
    assert!(!forced.different.is_empty());
    error
}

#[test]
fn unlike_runs_are_refused_in_one_line() {
    let rate = refused(|plan| plan.rate_per_s = Some(80.0));
    assert!(rate.contains("api of now: arrival rate 80.0 instead of 50.0"), "{rate}");
    assert!(
        refused(|plan| plan.model = crate::model::LoadModel::Closed)
            .contains("load model closed instead of open")
    );
    assert!(refused(|plan| plan.vus = 9).contains("users 9 instead of 0"));
    assert!(refused(|plan| plan.duration_s = 9.0).contains("duration in s 9.0 instead of 12.0"));
    assert!(refused(|plan| plan.rehearsal = Some(Rehearsal { time: 0.1, users: 1.0 })).contains("rehearsal"));
    assert!(refused(|plan| plan.ops[1] = "other".into()).contains("ops often, other instead of often, rare"));
    let suite = serde_json::json!({ "suite": { "profile": "peak" }, "method": "GET" });
    assert!(refused(|plan| plan.args = suite).contains("suite {\"profile\":\"peak\"} instead of none"));
}

#[test]
fn another_machine_is_no_other_load() {
    let (mut one, mut other) = (run(1), run(2));
    other.header.plan.target = "http://127.0.0.2:9".into();
    other.header.plan.args["url"] = "http://127.0.0.2:9".into();
    let headers = |host: &str| {
        serde_json::json!([format!("Host: {host}"), "User-Agent: quintet-api-load/0.1.0", "X-Y: z"])
    };
    one.header.plan.args["headers"] = headers("127.0.0.1:1");
    other.header.plan.args["headers"] = headers("127.0.0.2:9");
    let comparison = of_two(&one, &other, Rules::default()).unwrap();
    assert_eq!(comparison.notes, ["api: target is http://127.0.0.2:9, was http://127.0.0.1:1"]);
    other.header.plan.args["headers"][2] = "X-Y: other".into();
    assert!(matches!(of_two(&one, &other, Rules::default()), Err(Unlike::Different(_))));
}

#[test]
fn what_proves_nothing_is_no_baseline_and_no_pass() {
    let (one, mut bad) = (run(1), run(2));
    bad.invalid = vec![Invalid { clause: Clause::Clock, why: "the clock jumped".into() }];
    bad.settle();
    let error =
        of_two(&bad, &one, Rules { allow_different: true, ..Rules::default() }).unwrap_err().to_string();
    assert_eq!(error, "then: api is INVALID, so it is no baseline");
    assert_eq!(of_two(&one, &bad, Rules::default()).unwrap().exit, Exit::Invalid);
    let mut stopped = run(2);
    stopped.interrupted = true;
    assert!(
        of_two(&stopped, &one, Rules::default()).unwrap_err().to_string().contains("stopped by a signal")
    );
    assert!(
        of_two(&one, &stopped, Rules::default()).unwrap_err().to_string().contains("api of now was stopped")
    );
}

#[test]
fn a_component_on_one_side_only_is_said() {
    let (api, other) = (run(1), run(2));
    let mut ws = run(3);
    ws.header.component = "ws".into();
    let mut both = side("then", &api);
    both.runs.insert("ws".into(), &ws);
    let now = side("now", &other);
    let error =
        compare(std::slice::from_ref(&both), std::slice::from_ref(&now), Rules::default()).unwrap_err();
    assert!(error.to_string().contains("no ws in now"), "{error}");
    let allowed = Rules { allow_different: true, ..Rules::default() };
    assert_eq!(compare(&[both], std::slice::from_ref(&now), allowed).unwrap().components.len(), 1);
    let error = compare(&[side("then", &ws)], &[now], allowed).unwrap_err();
    assert_eq!(error.to_string(), "the runs have no component in common: ws against api");
}

#[test]
fn several_runs_a_side_are_judged_by_how_runs_differ() {
    fn sides(runs: &[RunFile]) -> Vec<Side<'_>> {
        runs.iter().map(|run| side("run", run)).collect()
    }
    let of = |from: u64, slow: f64| -> Vec<RunFile> {
        (from..from + 5)
            .map(|seed| Simulated { seed, seconds: 12, slow, ..Simulated::default() }.run())
            .collect()
    };
    let (then, same, slower) = (of(10, 1.0), of(20, 1.0), of(30, 1.2));
    let comparison = compare(&sides(&then), &sides(&slower), Rules::default()).unwrap();
    let row = find(&comparison, None, Figure::ResponseP50);
    assert!(row.judgement == Change::Worse && row.p_value.unwrap() < 0.01, "{row:?}");
    assert_eq!(comparison.components[0].basis, "5 runs against 5");
    assert_eq!(compare(&sides(&then), &sides(&same), Rules::default()).unwrap().verdict, Change::Same);
    let few = compare(&sides(&then[..2]), &sides(&slower[..2]), Rules::default()).unwrap();
    assert_eq!((few.verdict, few.exit), (Change::NotJudged, Exit::NoData));
    let why = find(&few, None, Figure::ResponseP50).note.unwrap();
    assert!(why.starts_with("of 2 and 2 runs nothing is less likely than 0.333"), "{why}");
    let many: Vec<RunFile> = (0..17).map(run).collect();
    assert!(matches!(
        compare(&sides(&many[..8]), &sides(&many[8..]), Rules::default()),
        Err(Unlike::TooMany(17))
    ));
}

#[test]
fn without_percentiles_over_time_they_are_not_judged() {
    let (mut one, other) = (run(1), run(2));
    for point in &mut one.timeseries.points {
        (point.p50_ms, point.p95_ms, point.p99_ms) = (None, None, None);
    }
    let comparison = of_two(&one, &other, Rules::default()).unwrap();
    let row = find(&comparison, None, Figure::ResponseP95);
    assert_eq!(
        (row.judgement, row.note.as_deref()),
        (Change::NotJudged, Some("the time series has no percentiles"))
    );
    assert_eq!(find(&comparison, None, Figure::Throughput).judgement, Change::Same);
}
