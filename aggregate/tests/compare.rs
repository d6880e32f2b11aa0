//! What the tool says of runs and baselines: exit codes, refusals, what is kept.

#![expect(clippy::unwrap_used, reason = "a test may panic; helpers of tests are not recognised as such")]

mod support;

use std::fs;
use std::process::Command;

use load_report::figures::Record;
use load_report::hist::Histogram;
use load_report::model::Segment;
use serde_json::Value;
use support::{Answer, Folder, common, run, target, whole};

/// The sample of component `api`, every call and second of it `by` times as long.
fn slower(by: u64, thresholds: &[&str]) -> Record {
    let mut record = whole("api", thresholds);
    for point in &mut record.timeseries.points {
        for ms in [&mut point.p50_ms, &mut point.p95_ms, &mut point.p99_ms] {
            *ms = ms.map(|ms| ms * by as f64);
        }
    }
    for op in record.data.phases.iter_mut().flat_map(|phase| &mut phase.ops) {
        for times in [&mut op.response_ok, &mut op.service_ok] {
            let mut longer = Histogram::new();
            times.iter().for_each(|(low, _, n)| longer.record_n(low * by, n));
            *times = longer;
        }
    }
    record
}

/// A folder of results folders: `then`, and `now` twice as slow.
fn results() -> Folder {
    let folder = Folder::new();
    for name in ["then", "same", "now"] {
        fs::create_dir(folder.path(name)).unwrap();
        folder.run_in(name, slower(if name == "now" { 2 } else { 1 }, &[]));
    }
    folder
}

/// `aggregate` in `folder`.
fn aggregate(folder: &Folder, line: &str) -> Answer {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aggregate"));
    command.args(line.split(' ')).current_dir(folder.0.path());
    run(command.env_remove("GITHUB_ACTIONS").env_remove("GITHUB_STEP_SUMMARY"))
}

#[test]
fn what_is_worse_is_112_and_named() {
    let folder = results();
    let answer = aggregate(&folder, "compare then now");
    assert_eq!(answer.code, 112, "{}{}", answer.out, answer.err);
    assert!(answer.out.starts_with("REGRESSION: now (run 20261121T025500Z) against the baseline then"));
    let named = answer.out.lines().find(|line| line.contains("response p95")).unwrap();
    assert!(named.ends_with("worse") && named.contains("+100 %"), "{named}");
    let back = aggregate(&folder, "compare now then");
    assert!(back.code == 0 && back.out.starts_with("BETTER"), "{}", back.out);
    let same = aggregate(&folder, "compare then same");
    assert!(same.code == 0 && same.out.starts_with("NO CHANGE"), "{}", same.out);
    // A file of one component is as good as its folder.
    assert_eq!(aggregate(&folder, "compare then/api_summary.json now").code, 112);
    let forgiven = aggregate(&folder, "compare --noise 99.9% then now");
    assert_eq!(forgiven.code, 112, "twice as slow is more: {}", forgiven.out);
}

#[test]
fn it_is_told_for_programs_and_for_pages() {
    let folder = results();
    let json: Value =
        serde_json::from_str(&aggregate(&folder, "compare then now --format json").out).unwrap();
    assert_eq!((&json["schema"], &json["verdict"]), (&"quintet/compare/v1".into(), &"worse".into()));
    let rows = json["components"][0]["rows"].as_array().unwrap();
    assert!(rows.iter().any(|row| row["figure"] == "response_p99" && row["judgement"] == "worse"));
    let page = aggregate(&folder, "compare then now --format md").out;
    assert!(page.starts_with("## REGRESSION") && page.contains("| ❌ worse |"), "{page}");
}

#[test]
fn what_cannot_be_compared_is_refused_in_one_line() {
    let folder = results();
    let refused = |line: &str, code: i32, expected: &str| {
        let answer = aggregate(&folder, line);
        assert_eq!(answer.code, code, "{line}: {}{}", answer.out, answer.err);
        assert!(answer.err.contains(expected), "{line}: {}", answer.err);
        assert!(answer.err.lines().count() == 1 && answer.out.is_empty(), "{line}: {}", answer.err);
    };
    fs::create_dir(folder.path("other")).unwrap();
    let mut record = whole("api", &[]);
    record.header.plan.rate_per_s = Some(50.0);
    folder.run_in("other", record);
    refused("compare then other", 116, "api of other: arrival rate 50.0 instead of 100.0; --allow-different");
    let forced = aggregate(&folder, "compare then other --allow-different");
    assert!(
        forced.code == 0 && forced.out.contains("WARNING: not alike: api of other: arrival rate"),
        "{}",
        forced.out
    );
    folder.file("broken_summary.json", "{\"schema\": \"quintet/run/v1\", ");
    refused("compare then broken_summary.json", 116, "broken_summary.json: truncated");
    refused("compare nothing now", 116, "nothing: no such results folder or run file, and no baseline in");
    fs::create_dir(folder.path("stopped")).unwrap();
    let mut record = whole("api", &[]);
    record.interrupted = true;
    folder.run_in("stopped", record);
    refused("compare stopped now", 116, "stopped: api was stopped by a signal, so it is no baseline");
    assert_eq!(aggregate(&folder, "compare then").code, 104);
    assert_eq!(aggregate(&folder, "compare then now --noise 5").code, 104);
}

#[test]
fn baselines_are_kept_and_never_overwritten_unasked() {
    let folder = results();
    let saved = aggregate(&folder, "baseline save good then --results .");
    assert_eq!(
        (saved.code, saved.out.as_str()),
        (0, "./baselines/good: run 20261121T025500Z, api\n"),
        "{}",
        saved.err
    );
    let kept = folder.path("baselines/good/api_summary.json");
    let before = fs::read(&kept).unwrap();
    let again = aggregate(&folder, "baseline save good now --results .");
    assert!(again.code == 104 && again.err.contains("--replace takes its place"), "{}", again.err);
    assert_eq!(fs::read(&kept).unwrap(), before);
    assert_eq!(aggregate(&folder, "compare good now --results .").code, 112);
    assert_eq!(aggregate(&folder, "baseline list --results .").out, "good: run 20261121T025500Z, api\n");
    let shown = aggregate(&folder, "baseline show good --results .").out;
    assert!(shown.starts_with("api: PASS, run 20261121T025500Z of 2026-11-21T02:55:00Z, 100/s"), "{shown}");
    assert_eq!(aggregate(&folder, "baseline save good now --replace --results .").code, 0);
    assert_eq!(aggregate(&folder, "compare good now --results .").code, 0);
    // Nothing else is left of what was replaced.
    assert_eq!(fs::read_dir(folder.path("baselines")).unwrap().count(), 1);
}

#[test]
fn what_proves_nothing_is_not_kept_and_names_are_checked() {
    let folder = results();
    let mut record = whole("api", &[]);
    record.interrupted = true;
    fs::create_dir(folder.path("stopped")).unwrap();
    folder.run_in("stopped", record);
    let refused = aggregate(&folder, "baseline save bad stopped --results .");
    assert!(refused.code == 116 && refused.err.contains("stopped by a signal"), "{}", refused.err);
    for name in ["../good", "a/b", ".hidden", ".."] {
        assert_eq!(aggregate(&folder, &format!("baseline save {name} then --results .")).code, 104, "{name}");
    }
    assert!(!folder.path("baselines").exists());
    assert_eq!(aggregate(&folder, "baseline show none --results .").code, 116);
    assert_eq!(aggregate(&folder, "baseline list --results .").out, "no baselines in ./baselines\n");
}

#[test]
fn segments_and_profiles_are_kept_as_what_they_are_together() {
    let folder = Folder::new();
    for name in ["parts", "profiles", "profiles/peak", "profiles/smoke"] {
        fs::create_dir(folder.path(name)).unwrap();
    }
    for index in 0..2 {
        folder.run_in("parts", common::record("api", Segment { index, of: 2 }));
    }
    folder.run_in("profiles/peak", whole("api", &[])).run_in("profiles/smoke", whole("ws", &[]));
    for name in ["parts", "profiles"] {
        let saved = aggregate(&folder, &format!("baseline save {name} {name} --results ."));
        assert_eq!(saved.code, 0, "{}", saved.err);
    }
    assert!(folder.path("baselines/parts/api_summary.json").exists());
    assert!(folder.path("baselines/profiles/peak/api_summary.json").exists());
    let answer = aggregate(&folder, "compare baselines/profiles profiles");
    assert!(answer.code == 0 && answer.out.contains("\nsmoke/ws: "), "{}{}", answer.out, answer.err);
}

#[test]
fn the_summary_tells_the_comparison() {
    let folder = results();
    aggregate(&folder, "baseline save good then --results .");
    let answer = aggregate(&folder, "./now --baseline good");
    assert_eq!(answer.code, 112, "{}{}", answer.out, answer.err);
    assert!(answer.out.contains("worse than the baseline: api: response p50"), "{}", answer.out);
    let summary: Value = serde_json::from_slice(&fs::read(folder.path("now/summary.json")).unwrap()).unwrap();
    assert_eq!((&summary["verdict"], &summary["exit"]), (&"fail".into(), &"regression".into()));
    assert_eq!(summary["comparison"]["verdict"], "worse");
    let page = fs::read_to_string(folder.path("now/SUMMARY.md")).unwrap();
    assert!(page.contains("\n## REGRESSION: ") && page.contains("❌ worse"), "{page}");
    assert_eq!(aggregate(&folder, "same --baseline then").code, 0);
    // What cannot be compared is told all the same, with the code that says so.
    let mut record = whole("api", &[]);
    record.header.plan.vus = 9;
    fs::create_dir(folder.path("other")).unwrap();
    folder.run_in("other", record);
    let answer = aggregate(&folder, "other --baseline then");
    assert!(
        answer.code == 116 && answer.out.contains("not compared with the baseline: the runs are not alike"),
        "{}",
        answer.out
    );
    assert!(answer.out.starts_with("NO DATA"), "{}", answer.out);
    assert!(folder.path("other/summary.json").exists());
}

#[test]
fn thresholds_of_changes_want_a_baseline() {
    let folder = results();
    let limit = target("steady", "api::response_time: delta(p(95)) < 5%");
    folder.file("targets.toml", &limit);
    let refused = aggregate(&folder, "now --targets targets.toml");
    assert!(refused.code == 104 && refused.err.contains("needs --baseline"), "{}", refused.err);
    let answer =
        aggregate(&folder, "now --targets targets.toml --baseline then --noise 99.9% --allow-different");
    assert_eq!(answer.code, 112, "{}", answer.out);
    assert_eq!(aggregate(&folder, "same --targets targets.toml --baseline then").code, 0);
    // One of the run's own plan: its tool had a baseline, and what it said stands where aggregate has none.
    fs::create_dir(folder.path("own")).unwrap();
    let own = "response_time: delta(p(95)) < 5%";
    let judged = slower(2, &[own]).judge_against(&[own.parse().unwrap()], Some(&slower(1, &[]).judge(&[])));
    folder.file("own/api_summary.json", load_report::render::json::run(&judged));
    let answer = aggregate(&folder, "own");
    assert!(answer.code == 112 && answer.out.contains("observed 100 %"), "{}", answer.out);
    assert_eq!(aggregate(&folder, "own --baseline own").code, 0);
}
