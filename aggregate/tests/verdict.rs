//! What the tool says about a good folder: exit codes, targets, files.

#![expect(clippy::unwrap_used, reason = "a test may panic; helpers of tests are not recognised as such")]

mod support;

use std::fs;

use support::{Folder, run, target, whole};

#[test]
fn a_good_run_passes_and_leaves_its_files() {
    let folder = Folder::new();
    let answer = folder.run(whole("api", &["error_rate: rate<5%"])).run(whole("ws", &[])).aggregate(&[]);
    assert_eq!(answer.code, 0, "{}", answer.err);
    assert!(answer.out.starts_with("PASS  run 20261121T025500Z; exit code 0\n"), "{}", answer.out);
    let summary = folder.summary();
    assert_eq!(summary["schema"], "quintet/summary/v1");
    assert_eq!(summary["verdict"], "pass");
    let names: Vec<_> = summary["components"].as_array().unwrap().iter().map(|c| &c["component"]).collect();
    assert_eq!(names, ["api", "ws"]);
    assert_eq!(summary["components"][0]["totals"]["requests"], 1001);
    assert!(fs::read_to_string(folder.path("SUMMARY.md")).unwrap().starts_with("# PASS"));
    assert!(fs::read_to_string(folder.path("junit.xml")).unwrap().contains("<testsuite name=\"api\""));
}

#[test]
fn a_second_time_gives_the_same_bytes() {
    let folder = Folder::new();
    folder.run(whole("api", &["error_rate: rate<1%"])).run(whole("ws", &[]));
    let read = || {
        ["summary.json", "SUMMARY.md", "report.html", "junit.xml"]
            .map(|name| fs::read(folder.path(name)).unwrap())
    };
    let first = (folder.aggregate(&[]).out, read());
    let second = (folder.aggregate(&[]).out, read());
    assert_eq!(first, second);
}

#[test]
fn a_failed_threshold_is_99_and_named() {
    let folder = Folder::new();
    let answer = folder.run(whole("api", &["error_rate: rate<1%"])).aggregate(&[]);
    assert_eq!(answer.code, 99);
    assert!(answer.out.starts_with("FAIL") && answer.out.contains("✗ error_rate: rate<1%"), "{}", answer.out);
    let quiet = folder.aggregate(&["--quiet"]);
    assert_eq!((quiet.code, quiet.out.lines().count()), (99, 1));
}

#[test]
fn a_warning_passes() {
    let folder = Folder::new();
    let answer = folder.run(whole("api", &["warn error_rate: rate<1%"])).aggregate(&[]);
    assert_eq!(answer.code, 0);
    assert!(answer.out.starts_with("WARNING"), "{}", answer.out);
}

#[test]
fn a_stopped_run_is_105_and_an_invalid_one_111() {
    let folder = Folder::new();
    let mut stopped = whole("api", &[]);
    stopped.interrupted = true;
    let answer = folder.run(stopped).aggregate(&[]);
    assert!(answer.code == 105 && answer.out.contains("api was stopped by a signal"), "{}", answer.out);

    let folder = Folder::new();
    let mut lost = whole("api", &[]);
    lost.health.lost.push("worker 1".into());
    let answer = folder.run(lost).aggregate(&[]);
    assert_eq!(answer.code, 111);
    assert!(answer.out.contains("why invalid: api: lost: worker 1"), "{}", answer.out);
}

#[test]
fn bad_usage_is_104() {
    let folder = Folder::new();
    folder.run(whole("api", &[]));
    assert_eq!(folder.aggregate(&["--no-such-flag"]).code, 104);
    let answer = folder.aggregate(&["--report", "x.pdf"]);
    assert!(
        answer.code == 104 && answer.err.contains("ends in .html, .md, .json, .xml or .csv"),
        "{}",
        answer.err
    );
    let answer =
        folder.with_targets("[[target]]\nname = \"a\"\nexpr = \"api::response_time: p(95)<5MB\"\n", &[]);
    assert!(answer.code == 104 && answer.err.contains("targets.toml:3: "), "{}", answer.err);
    assert!(!folder.path("summary.json").exists());
}

#[test]
fn help_lists_the_exit_codes() {
    let folder = Folder::new();
    let answer = folder.aggregate(&["--help"]);
    assert_eq!(answer.code, 0);
    assert!(answer.out.contains("Exit codes:") && answer.out.contains("116  an input is unreadable"));
}

#[test]
fn a_skipped_component_is_a_warning_unless_all_are_required() {
    let folder = Folder::new();
    folder.run(whole("api", &[])).file("db.skipped.json", r#"{"component":"db","reason":"no server"}"#);
    let targets =
        target("fast", "api::response_time: p(95)<1s") + &target("db", "db::response_time: p(95)<1s");
    let answer = folder.with_targets(&targets, &[]);
    assert_eq!(answer.code, 0, "{}", answer.err);
    assert!(answer.out.starts_with("WARNING") && answer.out.contains("SKIPPED: no server"), "{}", answer.out);
    let summary = folder.summary();
    assert_eq!(
        (&summary["targets"][0]["outcome"], &summary["targets"][1]["outcome"]),
        (&"pass".into(), &"skipped".into())
    );

    let answer = folder.with_targets(&targets, &["--require-all"]);
    assert_eq!(answer.code, 99);
    assert_eq!(folder.summary()["verdict"], "fail");
}

#[test]
fn only_skipped_components_are_no_data() {
    let folder = Folder::new();
    let answer = folder.file("db.skipped.json", r#"{"component":"db","reason":"no server"}"#).aggregate(&[]);
    assert_eq!(answer.code, 113);
    assert!(answer.out.starts_with("NO DATA"), "{}", answer.out);
    let answer = folder.file("ws.skipped.json", r#"{"component":"db","reason":"x"}"#).aggregate(&[]);
    assert!(answer.code == 116 && answer.err.contains("is about \"db\""), "{}", answer.err);
}

#[test]
fn targets_span_components() {
    let folder = Folder::new();
    let mut slow = whole("ws", &[]);
    for phase in &mut slow.data.phases {
        for op in &mut phase.ops {
            op.response_ok.clear();
            op.response_ok.record_n(400_000_000, op.ok);
        }
    }
    folder.run(whole("api", &[])).run(slow);
    let holds = target("near", "ws::response_time: p(95) < api::response_time: p(95) + 400ms");
    let answer = folder.with_targets(&holds, &[]);
    assert_eq!(answer.code, 0, "{}{}", answer.out, answer.err);
    let breaks = target("near", "ws::response_time: p(95) < api::response_time: p(95) + 50ms");
    let answer = folder.with_targets(&(holds.replace("near", "far") + &breaks), &[]);
    assert_eq!(answer.code, 99);
    assert_eq!(folder.summary()["targets"][1]["passed"], false);
    assert!(answer.out.contains("[near]"), "{}", answer.out);
}

#[test]
fn a_target_of_a_missing_component_is_113() {
    let folder = Folder::new();
    folder.run(whole("api", &[]));
    let answer = folder.with_targets(&target("t", "grpc::response_time: p(95)<1s"), &[]);
    assert_eq!(answer.code, 113);
    assert!(answer.out.starts_with("NO DATA") && answer.out.contains("no results of grpc"), "{}", answer.out);
}

#[test]
fn a_target_without_component_means_the_only_one() {
    let folder = Folder::new();
    folder.run(whole("api", &[]));
    let fast = target("t", "response_time: p(95)<1s");
    assert_eq!(folder.with_targets(&fast, &[]).code, 0);
    let answer = folder.run(whole("ws", &[])).with_targets(&fast, &[]);
    assert_eq!(answer.code, 99);
    assert!(answer.out.contains("say of which component"), "{}", answer.out);
}

#[test]
fn thresholds_of_a_component_may_speak_of_another() {
    let folder = Folder::new();
    let api = whole(
        "api",
        &["response_time: p(95) < ws::response_time: p(95) + 1ms", "ws::response_time: p(95)<1ms"],
    );
    let answer = folder.run(api).run(whole("ws", &[])).aggregate(&[]);
    assert_eq!(answer.code, 99);
    let thresholds = folder.summary()["components"][0]["thresholds"].clone();
    assert_eq!((&thresholds[0]["outcome"], &thresholds[1]["outcome"]), (&"pass".into(), &"fail".into()));
}

#[test]
fn reports_are_written_by_extension_and_a_failure_is_115() {
    let folder = Folder::new();
    folder.run(whole("api", &[])).run(whole("ws", &[]));
    let paths = ["x.md", "x.json", "x.xml", "x.csv"].map(|name| folder.path(name));
    let arguments: Vec<&str> = paths.iter().flat_map(|path| ["--report", path.to_str().unwrap()]).collect();
    assert_eq!(folder.aggregate(&arguments).code, 0);
    let csv = fs::read_to_string(&paths[3]).unwrap();
    assert_eq!(csv.lines().filter(|line| line.contains(",Aggregated,")).count(), 2);
    assert_eq!(fs::read(&paths[1]).unwrap(), fs::read(folder.path("summary.json")).unwrap());

    let answer = folder.aggregate(&["--report", "/no/such/folder/x.md"]);
    assert!(answer.code == 115 && answer.err.contains("/no/such/folder/x.md"), "{}", answer.err);
    assert!(answer.out.starts_with("PASS"));
}

#[test]
fn github_gets_a_step_summary_and_annotations() {
    let folder = Folder::new();
    folder.run(whole("api", &["error_rate: rate<1%"]));
    let step = folder.path("step.md");
    fs::write(&step, "before\n").unwrap();
    let answer = run(folder.command(&["-q"]).env("GITHUB_ACTIONS", "true").env("GITHUB_STEP_SUMMARY", &step));
    assert_eq!(answer.code, 99);
    assert!(answer.out.contains("::error title=api::error_rate"), "{}", answer.out);
    let page = fs::read_to_string(&step).unwrap();
    assert!(page.starts_with("before\n# FAIL"), "{page}");
}

#[test]
fn several_profiles_have_one_verdict_and_each_its_own_files() {
    let folder = Folder::new();
    for (profile, limit) in [("smoke", "5%"), ("stress", "1%")] {
        fs::create_dir(folder.path(profile)).unwrap();
        let threshold = format!("error_rate: rate<{limit}");
        folder.run_in(profile, whole("api", &[&threshold])).run_in(profile, whole("ws", &[]));
    }
    let targets = target("fast", "api::response_time: p(95)<10s");
    let targets = folder.file("targets.toml", targets).path("targets.toml");
    let answer = folder.aggregate(&["--targets", targets.to_str().unwrap()]);
    assert_eq!(answer.code, 99, "{}", answer.err);
    let summary = folder.summary();
    assert_eq!(summary["verdict"], "fail");
    let names: Vec<_> = summary["components"].as_array().unwrap().iter().map(|c| &c["component"]).collect();
    assert_eq!(names, ["smoke/api", "smoke/ws", "stress/api", "stress/ws"]);
    let targets: Vec<_> = summary["targets"].as_array().unwrap().iter().map(|t| &t["name"]).collect();
    assert_eq!(targets, ["smoke/fast", "stress/fast"]);
    for (profile, verdict) in [("smoke", "pass"), ("stress", "fail")] {
        let own = fs::read(folder.path(profile).join("summary.json")).unwrap();
        let own: serde_json::Value = serde_json::from_slice(&own).unwrap();
        assert_eq!(own["verdict"], verdict);
    }
    assert!(answer.out.contains("profile stress: FAIL, exit code 99"), "{}", answer.out);
}
