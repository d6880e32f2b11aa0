//! Does what deploy/ asks Prometheus for exist? Every name of every expression is looked for in pages of real runs.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tool_tests::live::{Page, Watched};

use crate::support::{Tool, server, signal, url};

/// These need a target that says something of itself: db-load's tests look for them.
const OF_GAUGES: [&str; 2] = ["quintet_target", "quintet_target_looks_total"];

const SUITE: &str = r#"
metrics = { seen = "counter", took = "trend" }
[[users]]
name = "u"
[[users.tasks]]
name = "t"
request = "GET /"
metrics = { seen = 1, took = "time" }
"#;

fn deploy(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy").join(file)
}

fn yaml(file: &str) -> Value {
    let text = std::fs::read_to_string(deploy(file)).unwrap();
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Every text under a key called `expr`.
fn expressions(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| expressions(value, found)),
        Value::Object(values) => {
            for (key, value) in values {
                match value {
                    Value::String(text) if key == "expr" => found.push(text.clone()),
                    _ => expressions(value, found),
                }
            }
        }
        _ => {}
    }
}

/// The words of an expression that are not within quotes.
fn words(expression: &str) -> impl Iterator<Item = &str> {
    let unquoted = expression.split('"').step_by(2);
    unquoted.flat_map(|part| part.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':')))
}

/// The page of a run that has all there is in a run of HTTP: failures, series and counters of its own.
fn page() -> Page {
    let (server, tool) =
        (server("[[rule]]\npath = \"/\"\nfail = { every = 5, how = \"status:503\" }\n"), Tool::new());
    let suite = tool.folder().join("suite.toml");
    std::fs::write(&suite, SUITE).unwrap();
    let line = format!("--suite {} -r 50 -d 60s -c 5 --graceful-stop 1s --live 0", suite.display());
    let watched = Watched::new(tool.start(&url(&server, ""), &line));
    let page = watched.until(|page| {
        let judged = page.value("quintet_threshold_passing").is_some();
        judged && page.calls("ok") > 0.0 && page.calls("failed") > 0.0
    });
    signal(watched.pid(), "TERM");
    assert_eq!(tool.wait(watched.child()).code, 105);
    page
}

#[test]
fn every_metric_of_the_dashboard_and_of_the_rules_is_served() {
    let page = page();
    let dashboard: Value =
        serde_json::from_slice(&std::fs::read(deploy("grafana/dashboards/quintet.json")).unwrap()).unwrap();
    let rules = yaml("prometheus/rules.yml");
    let (mut asked, mut recorded) = (Vec::new(), BTreeSet::new());
    expressions(&dashboard, &mut asked);
    assert!(asked.len() >= 25, "{asked:?}");
    expressions(&rules, &mut asked);
    for rule in
        rules["groups"].as_array().unwrap().iter().flat_map(|group| group["rules"].as_array().unwrap())
    {
        recorded.extend(rule["record"].as_str());
    }
    let served = page.names();
    for expression in &asked {
        let metrics: Vec<_> = words(expression)
            .filter(|word| word.starts_with("quintet") || word.starts_with("load_test"))
            .collect();
        assert!(!metrics.is_empty(), "{expression} asks for nothing of ours");
        for metric in &metrics {
            let known = served.contains(metric) || recorded.contains(metric) || OF_GAUGES.contains(metric);
            assert!(known, "{expression} asks for {metric}, which is not served");
        }
        // What is summed by is a label of what is summed.
        let by = expression.split(" by (").skip(1).map(|rest| rest.split(')').next().unwrap());
        for label in by.flat_map(|list| list.split(", ")) {
            let has = metrics.iter().any(|metric| page.labels(metric).contains(label));
            assert!(has, "{expression} sums by {label}, which is no label of {metrics:?}");
        }
    }
    // All that a run tells is on the dashboard, but for other names of the same.
    let on_it: BTreeSet<_> = asked.iter().flat_map(|expression| words(expression)).collect();
    let not_shown = served.iter().filter(|name| {
        let same =
            ["_sum", "_count"].iter().any(|suffix| name.ends_with(suffix)) || name.starts_with("load_test_");
        !same && !on_it.contains(**name)
    });
    let not_shown: Vec<_> = not_shown.copied().collect();
    assert_eq!(
        not_shown,
        [
            "quintet_calls_lost_total",
            "quintet_calls_scheduled_total",
            "quintet_duration_seconds",
            "quintet_elapsed_seconds",
            "quintet_iterations_scheduled_total",
            "quintet_lag_seconds_bucket",
            "quintet_messages_total",
        ]
    );
    promtool_accepts(&page);
}

/// By Prometheus' own tool, where it is installed.
fn promtool_accepts(page: &Page) {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/prometheus/usr/bin/promtool");
    let promtool = if own.exists() { own } else { "promtool".into() };
    if Command::new(&promtool).arg("--version").output().is_err() {
        let _ = writeln!(std::io::stderr(), "SKIPPED: there is no promtool (scripts/prometheus.sh)");
        return;
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &page.text).unwrap();
    let metrics =
        Command::new(&promtool).args(["check", "metrics"]).stdin(file.reopen().unwrap()).output().unwrap();
    let said = String::from_utf8_lossy(&metrics.stderr);
    assert!(metrics.status.success() && said.is_empty(), "promtool check metrics: {said}");
    let config =
        Command::new(&promtool).args(["check", "config"]).arg(deploy("prometheus/prometheus.yml")).output();
    let config = config.unwrap();
    assert!(
        config.status.success(),
        "{}{}",
        String::from_utf8_lossy(&config.stdout),
        String::from_utf8_lossy(&config.stderr)
    );
}

#[test]
fn prometheus_and_grafana_are_told_the_same_things() {
    let config = yaml("prometheus/prometheus.yml");
    assert_eq!(config["rule_files"][0], "rules.yml");
    let targets: Vec<_> = (9470..9476).map(|port| Value::from(format!("127.0.0.1:{port}"))).collect();
    assert_eq!(config["scrape_configs"][0]["static_configs"][0]["targets"].as_array(), Some(&targets));
    let source = &yaml("grafana/provisioning/datasources/prometheus.yml")["datasources"][0];
    assert_eq!(source["jsonData"]["timeInterval"], config["global"]["scrape_interval"]);
    let provider = yaml("grafana/provisioning/dashboards/quintet.yml");
    assert_eq!(provider["providers"][0]["type"], "file");
}
