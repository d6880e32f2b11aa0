//! Did the sweep count what its targets counted? Reads a results folder of `run_all.sh`, and in it what the reference
//! server (`truth.json`), PostgreSQL and Redis (`truth.services`) say of themselves.
//!
//! `check_sweep RESULTS...`; the exit code is 0 when all agree, 1 when something does not.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use load_report::laws;
use load_report::model::{Quantiles, RunFile};
use load_report::read::read_run;
use serde_json::Value;

/// What is wrong, one line each.
type Wrong = Vec<String>;

fn main() -> ExitCode {
    let mut wrong = Wrong::new();
    let mut checked = 0;
    for folder in std::env::args().skip(1) {
        let found = check(Path::new(&folder)).unwrap_or_else(|why| vec![why]);
        wrong.extend(found.into_iter().map(|why| format!("{folder}: {why}")));
        checked += 1;
    }
    let mut stdout = std::io::stdout();
    let said = if wrong.is_empty() && checked > 0 {
        writeln!(stdout, "check_sweep: every component counted what its target counted, in {checked} runs")
    } else {
        writeln!(stdout, "check_sweep: {} mistakes in {checked} runs\n{}", wrong.len(), wrong.join("\n"))
    };
    ExitCode::from(u8::from(said.is_err() || !wrong.is_empty() || checked == 0))
}

/// Everything that is wrong in one results folder.
fn check(folder: &Path) -> Result<Wrong, String> {
    let mut runs = BTreeMap::new();
    for name in ["api", "ws", "dwcp", "db-postgres", "db-redis", "grpc"] {
        let file = format!("{name}_summary.json");
        let bytes = std::fs::read(folder.join(&file)).map_err(|error| format!("{file}: {error}"))?;
        runs.insert(name, read_run(&file, &bytes).map_err(|error| error.to_string())?);
    }
    let truth = std::fs::read(folder.join("truth.json")).map_err(|error| format!("truth.json: {error}"))?;
    let truth: Value = serde_json::from_slice(&truth).map_err(|error| format!("truth.json: {error}"))?;
    let services = std::fs::read_to_string(folder.join("truth.services")).unwrap_or_default();
    let mut wrong = Wrong::new();
    for (name, run) in &runs {
        wrong.extend(healthy(run).into_iter().map(|why| format!("{name}: {why}")));
    }
    for Pair { what, ours, theirs } in pairs(&runs, &truth, &services) {
        match theirs {
            None => wrong.push(format!("{what}: the target says nothing")),
            Some(theirs) if theirs != ours => {
                wrong.push(format!("{what}: {ours} here, {theirs} at the target"));
            }
            Some(_) => {}
        }
    }
    Ok(wrong)
}

/// A run in which everything went well, and in which something happened.
fn healthy(run: &RunFile) -> Wrong {
    let mut wrong = laws::violations(&run.header.plan, &run.data, run.end);
    let totals = &run.totals;
    for (what, count) in
        [("failed", totals.failures), ("unsent", totals.unsent), ("abandoned", totals.abandoned)]
    {
        if count > 0 {
            wrong.push(format!("{count} calls {what}"));
        }
    }
    if totals.requests == 0 || totals.rate_per_s <= 0.0 {
        wrong.push("no calls".into());
    }
    for (what, times) in [("response", &totals.response_ms), ("service", &totals.service_ms)] {
        match times {
            Some(Quantiles { min, mean, p50, p90, p95, p99, p999, max }) => {
                if [min, mean, p50, p90, p95, p99, p999, max].into_iter().any(|&ms| ms <= 0.0) {
                    wrong.push(format!("a {what} time of 0"));
                }
            }
            None => wrong.push(format!("no {what} times")),
        }
    }
    wrong
}

/// The same count, here and at the target.
struct Pair {
    what: String,
    ours: u64,
    theirs: Option<u64>,
}

fn pairs(runs: &BTreeMap<&str, RunFile>, truth: &Value, services: &str) -> Vec<Pair> {
    let at = |pointer: &str| truth.pointer(pointer).and_then(Value::as_u64);
    let line = |what: &str| services.lines().find_map(|line| line.strip_prefix(what)?.trim().parse().ok());
    let calls = |name: &str, op: &str| -> u64 {
        let ops = runs[name].ops.iter().filter(|report| op.is_empty() || report.name == op);
        ops.map(|report| report.figures.requests).sum()
    };
    let counter = |name: &str, counter: &str| -> u64 {
        runs[name].counters.iter().filter(|report| report.name == counter).map(|report| report.count).sum()
    };
    let pair = |what: &str, ours, theirs| Pair { what: what.to_owned(), ours, theirs };
    let redis = line("redis get ").map(|gets: u64| gets + line("redis set ").unwrap_or(0));
    vec![
        pair("api: calls", calls("api", ""), at("/requests")),
        pair("ws: echoes", calls("ws", "echo"), at("/ws/received/echo")),
        pair("ws: answers", counter("ws", "messages_answers"), at("/ws/sent/echo")),
        // One upgrade before the run asks whether there is a WebSocket.
        pair("ws: connections", runs["ws"].connections.opened + 1, at("/ws/opened")),
        pair("dwcp: orders", calls("dwcp", "POST migrations"), at("/dwcp/posts")),
        pair("dwcp: looks", calls("dwcp", "GET migrations/{job_id}"), at("/dwcp/looks")),
        pair("dwcp: statistics", calls("dwcp", "GET stats"), at("/dwcp/stats")),
        pair("dwcp: lists", calls("dwcp", "GET migrations"), at("/dwcp/lists")),
        pair("dwcp: completed jobs", counter("dwcp", "jobs_completed"), at("/dwcp/completed")),
        pair(
            "grpc: calls",
            calls("grpc", ""),
            at("/grpc/by_method/~1nova_torch.NovaOrchestrator~1RegisterAgent"),
        ),
        pair("db-postgres: reads", calls("db-postgres", "read"), line("postgres select ")),
        pair("db-postgres: writes", calls("db-postgres", "write"), line("postgres update ")),
        pair("db-redis: reads and writes", calls("db-redis", ""), redis),
    ]
}
