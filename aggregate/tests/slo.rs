//! What does the report of objectives say? Of a folder, by another profile, and of the recorded run.

#![expect(clippy::unwrap_used, reason = "a test may panic; helpers of tests are not recognised as such")]

mod support;

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use support::{Answer, Folder, run, whole};

const FRAME: &str = "============================================================";

fn slo(arguments: &[&str]) -> Answer {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    run(Command::new(env!("CARGO_BIN_EXE_aggregate")).arg("slo").args(arguments).current_dir(root))
}

fn of(folder: &Folder, arguments: &[&str]) -> Answer {
    slo(&[&[folder.0.path().to_str().unwrap()], arguments].concat())
}

fn json(answer: &Answer) -> Value {
    serde_json::from_str(&answer.out).unwrap_or_else(|error| panic!("{error}: {} {}", answer.out, answer.err))
}

#[test]
fn objectives_are_ok_warnings_errors_or_critical() {
    let folder = Folder::new();
    // The sample: p50 52 ms, p95 97 ms, errors 2.39 %, 98/s.
    folder.run(whole(
        "api",
        &[
            "warn response_time: med<40",
            "response_time: p(95)<45",
            "response_time{op:GET /orders}: p(95)<90",
            "error_rate<5%",
            "throughput>=99/s",
        ],
    ));
    let answer = of(&folder, &["--format", "json"]);
    assert_eq!(answer.code, 99, "{}", answer.err);
    let report = json(&answer);
    assert_eq!(report["passed"], false);
    let counts = ["critical_count", "error_count", "warning_count"].map(|key| report[key].as_u64().unwrap());
    assert_eq!(counts, [1, 2, 1]);
    let severities: Vec<_> =
        report["checks"].as_array().unwrap().iter().map(|check| &check["severity"]).collect();
    assert_eq!(severities, ["warning", "critical", "error", "ok", "error"]);
    let worst = &report["violations"][0];
    assert_eq!(
        (&worst["severity"], &worst["category"], &worst["threshold"]),
        (&"critical".into(), &"latency".into(), &45.0.into())
    );
    assert!((worst["actual_value"].as_f64().unwrap() - 97.32).abs() < 0.1, "{worst}");
    assert_eq!(worst["metric_name"], "response_time p(95)");
    let metrics = &report["metrics_summary"];
    assert_eq!((&metrics["total_requests"], &metrics["failed_requests"]), (&1001.into(), &21.into()));
    assert!((metrics["throughput_rps"].as_f64().unwrap() - 98.0).abs() < 0.01);
    let op = &report["ops"][1];
    assert_eq!(
        (&op["name"], &op["total_requests"], &op["failed_requests"]),
        (&"POST /orders|<b>".into(), &501.into(), &21.into())
    );
}

#[test]
fn the_text_has_the_frame_of_the_original() {
    let folder = Folder::new();
    folder.run(whole("api", &["warn response_time: med<40", "error_rate<5%"]));
    let answer = of(&folder, &[]);
    assert_eq!(answer.code, 0, "{}", answer.err);
    let head = format!(
        "{FRAME}\nSLO VALIDATION REPORT\n{FRAME}\nResult: PASSED\n\nWARNINGS:\n  [WARNING] api: response_time med 52.3 ms exceeds expected 40.0 ms\n\nMETRICS SUMMARY:\n  response_time_p50_ms: 52.33\n"
    );
    assert!(answer.out.starts_with(&head), "{}", answer.out);
    assert!(answer.out.ends_with(&format!("\n{FRAME}\n")) && answer.out.contains("\nMETRICS BY OP, ms:\n"));
    assert!(!answer.out.contains("VIOLATIONS") && !answer.out.contains("DEMO"));
    folder.run(whole("ws", &["error_rate<1%"]));
    let two = of(&folder, &[]);
    assert!(
        two.code == 99
            && two.out.contains(
                "Result: FAILED\n\nVIOLATIONS:\n  [ERROR] ws: error_rate rate 2.39 % exceeds expected 1.00 %"
            ),
        "{}",
        two.out
    );
    assert!(two.out.contains("  ws.total_requests: 1001\n"), "{}", two.out);
}

#[test]
fn the_demo_is_a_recorded_run_and_says_so() {
    let own = slo(&["--demo"]);
    assert_eq!(own.code, 0, "{}", own.err);
    assert!(own.out.contains("DEMO: a recorded run") && own.out.contains("Result: PASSED"), "{}", own.out);
    // It makes 10.8 calls a second, of which medium expects 20 and warns.
    let medium = slo(&["--demo", "--profile", "medium", "--format", "json"]);
    assert_eq!(medium.code, 0, "{}", medium.err);
    let report = json(&medium);
    assert_eq!(
        (&report["warning_count"], &report["metrics_summary"]["total_requests"]),
        (&1.into(), &645.into())
    );
    assert_eq!(report["warnings"][0]["metric_name"], "throughput value");
    assert!(report["demo"].as_str().unwrap().contains("not a run of yours"));
    // soak fails where there are fewer than 15 a second.
    assert_eq!(slo(&["--demo", "--profile", "soak"]).code, 99);
}

#[test]
fn what_makes_no_sense_is_refused() {
    for (arguments, expected) in [
        (&[][..], "expected the folder of a run, or --demo"),
        (&["results", "--demo"][..], "cannot be used with"),
        (&["--demo", "--profile", "nothing"][..], "nothing"),
    ] {
        let answer = slo(arguments);
        assert!(answer.code == 104 && answer.err.contains(expected), "{} {}", answer.code, answer.err);
    }
}
