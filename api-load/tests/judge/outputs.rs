//! Do the files that were asked for say what happened? Points and figures against the server's count and against the summary.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use load_report::model::RunFile;
use serde_json::Value;

use crate::support::{Tool, server, url};

/// A percentile of a histogram is at most this far from that of its values.
const RESOLUTION: f64 = 0.002;

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The values of each metric in a file of k6's lines, and which metrics are declared.
fn points(path: &Path) -> (BTreeMap<String, Vec<f64>>, Vec<String>) {
    let (mut values, mut declared) = (BTreeMap::<String, Vec<f64>>::new(), Vec::new());
    for line in std::fs::read_to_string(path).unwrap().lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let metric = line["metric"].as_str().unwrap().to_owned();
        match line["type"].as_str().unwrap() {
            "Metric" => declared.push(metric),
            "Point" => {
                let time = line["data"]["time"].as_str().unwrap();
                assert!(time.starts_with("20") && time.contains('T') && time.ends_with('Z'), "{time}");
                values.entry(metric).or_default().push(line["data"]["value"].as_f64().unwrap());
            }
            other => panic!("{other}"),
        }
    }
    values.values_mut().for_each(|values| values.sort_by(f64::total_cmp));
    (values, declared)
}

fn p95(sorted: &[f64]) -> f64 {
    sorted[(sorted.len() * 95).div_ceil(100) - 1]
}

#[track_caller]
fn near(one: f64, other: f64) {
    assert!((one - other).abs() <= other * RESOLUTION + 1e-6, "{one} and {other}");
}

/// The figures of a page, read by Python's own parser.
fn figures(page: &Path) -> BTreeMap<String, f64> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/judge/page.py");
    let mut python = Command::new("python3")
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    python.stdin.take().unwrap().write_all(&std::fs::read(page).unwrap()).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[track_caller]
fn page_is_that_of(run: &RunFile, page: &Path) {
    let (figures, totals) = (figures(page), &run.totals);
    let ms = totals.response_ms.unwrap();
    for (name, value) in [
        ("requests", totals.requests as f64),
        ("failures", totals.failures as f64),
        ("error_rate", totals.error_rate),
        ("rate_per_s", totals.rate_per_s),
        ("p50", ms.p50),
        ("p95", ms.p95),
        ("p99", ms.p99),
    ] {
        let shown = figures[&format!("api.{name}")];
        assert!((shown - value).abs() <= value * 1e-12, "{name}: {shown}, expected {value}");
    }
}

#[test]
fn each_call_that_the_server_counted_is_a_point_and_their_percentile_is_that_of_the_summary() {
    let server = server("[[rule]]\npath = \"/\"\ndelay = { uniform = [\"1ms\", \"20ms\"] }\n");
    for processes in ["1", "2"] {
        let (tool, before) = (Tool::new(), server.truth().requests);
        let (lines, summary) = (tool.folder().join("points.json"), tool.folder().join("k6.json"));
        let args = format!(
            "-r 400 -d 3s -c 20 --processes {processes} --no-thresholds --out json={} --out k6-summary={}",
            lines.display(),
            summary.display()
        );
        let left = tool.run(&url(&server, "/"), &args);
        let (values, declared) = points(&lines);
        assert_eq!(
            values["http_reqs"].len() as u64,
            server.truth().requests - before,
            "{processes} processes: {:?}",
            left.run().ledger
        );
        // What a machine that stands still leaves unsent is no point.
        let (calls, iterations) = (left.run().ledger.calls.ok, &left.run().ledger.iterations);
        assert_eq!((iterations.scheduled, iterations.ok), (1_200, 1_200 - iterations.unsent));
        assert_eq!(values["http_reqs"].len() as u64, calls);
        assert_eq!(values["iterations"].len() as u64, calls);
        assert!(values.keys().all(|metric| declared.contains(metric)), "{declared:?}");
        let metrics = &json(&summary)["metrics"];
        let trend = |name: &str| metrics[name]["values"]["p(95)"].as_f64().unwrap();
        near(p95(&values["http_req_duration"]), trend("http_req_duration"));
        near(p95(&values["response_time"]), trend("response_time"));
        near(p95(&values["response_time"]), left.run().totals.response_ms.unwrap().p95);
        assert_eq!(metrics["http_reqs"]["values"]["count"], calls);
        assert_eq!(
            (&metrics["http_reqs"]["type"], &metrics["http_req_duration"]["contains"]),
            (&"counter".into(), &"time".into())
        );
    }
}

#[test]
fn failures_are_points_and_thresholds_stand_with_their_metric() {
    let server = server("[[rule]]\npath = \"/\"\nstatus = 503\n");
    let tool = Tool::new();
    let (lines, summary) = (tool.folder().join("points.json"), tool.folder().join("k6.json"));
    let args = format!(
        "-u 2 -n 100 --threshold http_req_failed:rate<0.1 --out json={} --out k6-summary={}",
        lines.display(),
        summary.display()
    );
    let left = tool.run(&url(&server, "/"), &args);
    assert_eq!(left.code, 99);
    let (values, _) = points(&lines);
    let failed: f64 = values["http_req_failed"].iter().sum();
    assert!((failed - 100.0).abs() < 1e-9, "{failed}");
    let failed = &json(&summary)["metrics"]["http_req_failed"];
    assert_eq!(
        (&failed["values"]["passes"], &failed["thresholds"]["rate<0.1"]["ok"]),
        (&100.into(), &false.into())
    );
    assert!(std::fs::read_to_string(&lines).unwrap().contains("\"status\":\"503\""));
}

#[test]
fn pages_and_the_files_of_a_test_with_locust_say_what_the_summary_says() {
    let server = server("");
    let tool = Tool::new();
    let at = |name: &str| tool.folder().join(name);
    let args = format!(
        "-u 4 -d 3s --think 10ms --out html={} --out locust={} --report {}",
        at("page.html").display(),
        at("smoke_local_1").display(),
        at("report.html").display()
    );
    let left = tool.run(&url(&server, "/"), &args);
    assert_eq!(left.code, 0, "{}", left.stderr);
    let run = left.run();
    for page in ["page.html", "report.html", "smoke_local_1_report.html"] {
        page_is_that_of(run, &at(page));
    }
    let summary = json(&at("smoke_local_1_summary.json"));
    assert_eq!((&summary["test_id"], &summary["success"]), (&"smoke_local_1".into(), &true.into()));
    assert_eq!(summary["stats"]["total_requests"], run.totals.requests);
    assert_eq!(summary["stats"]["raw_stats"].as_array().unwrap().len(), run.ops.len() + 1);
    for (rest, first) in [
        ("_results_stats.csv", "Type,Name,Request Count,Failure Count,Median Response Time"),
        ("_results_stats_history.csv", "Timestamp,User Count,Type,Name,Requests/s,Failures/s,50%"),
        ("_results_failures.csv", "Method,Name,Error,Occurrences"),
        ("_exceptions.csv", "Count,Message,Traceback,Nodes"),
        (".log", "target "),
    ] {
        let text = std::fs::read_to_string(at(&format!("smoke_local_1{rest}"))).unwrap();
        assert!(text.starts_with(first), "{rest}: {text}");
    }
}

#[test]
fn what_cannot_be_written_is_refused_before_the_run() {
    let server = server("");
    for (out, expected) in [
        ("xml=a", "--out xml=a: unknown kind \"xml\"; known are raw=FILE"),
        ("json=", "--out json=: expected the name of a file behind ="),
        ("html=a.html --out html=b.html", "--out html=b.html: html is given twice"),
        ("json=/dev/null", "--out json=/dev/null: the file exists, and nothing is overwritten"),
    ] {
        let left = Tool::new().run(&url(&server, "/"), &format!("-n 1 -u 1 --out {out}"));
        assert!(left.code == 104 && left.stderr.contains(expected), "{}", left.stderr);
    }
    assert_eq!(server.truth().requests, 0);
}

#[test]
fn a_run_that_fails_says_what_to_do_for_each_kind_of_trouble() {
    let script = "[[rule]]\npath = \"/401\"\nstatus = 401\n[[rule]]\npath = \"/403\"\nstatus = 403\n\
                  [[rule]]\npath = \"/429\"\nstatus = 429\n[[rule]]\npath = \"/500\"\nstatus = 500\n\
                  [[rule]]\npath = \"/404\"\nstatus = 404\n[[rule]]\npath = \"/slow\"\ndelay = \"2s\"\n";
    let server = server(script);
    for (path, anchor) in [
        ("/401", "logins"),
        ("/403", "logins"),
        ("/429", "rate-limits"),
        ("/500", "errors-of-the-target"),
        ("/404", "missing-things"),
        ("/slow", "timeouts"),
    ] {
        let left = Tool::new().run(&url(&server, path), "-u 1 -n 2 --timeout 100ms");
        let hints: Vec<&str> =
            left.stdout.lines().filter(|line| line.contains("docs/troubleshooting.md#")).collect();
        assert_eq!((left.code, hints.len()), (99, 1), "{}", left.stdout);
        assert!(hints[0].starts_with("  2 × ") && hints[0].ends_with(&format!("#{anchor})")), "{}", hints[0]);
    }
    let good = Tool::new().run(&url(&server, "/"), "-u 1 -n 2");
    assert!(good.code == 0 && !good.stdout.contains("troubleshooting"), "{}", good.stdout);
    let nobody = Tool::new().run("http://127.0.0.1:1/", "-u 1 -n 2");
    let said = nobody.stderr.lines().last().unwrap_or_default().to_owned();
    assert!(nobody.code == 114 && said.ends_with("#refused-connections)"), "{said}");
}
