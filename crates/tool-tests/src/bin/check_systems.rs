//! Did one command load everything that a system has? Reads results folders of `run_all.sh --suite SYSTEM --profile contract`,
//! each named after its system: every component is there and went well, and the server's own record (`truth.json`) has
//! nothing that it refused.
//!
//! `check_systems RESULTS/SYSTEM...`; the exit code is 0 when all is there, 1 when something is not.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use serde_json::Value;

/// What each system has, by what its documents say and not by what its suite says of itself.
const SYSTEMS: [(&str, &[&str]); 5] = [
    ("novacron", &["api", "dwcp", "ws", "database", "db-postgres"]),
    ("nova-torch", &["db-redis", "grpc", "health", "collaboration", "throughput"]),
    (
        "aragora",
        &[
            "api",
            "ws",
            "auth",
            "knowledge",
            "gauntlet",
            "websocket",
            "baseline",
            "mix",
            "rate-limit",
            "pipeline",
            "streaming",
            "burst",
            "stress",
        ],
    ),
    ("platform", &["api", "visitor"]),
    ("megaagent", &["api"]),
];

fn main() -> ExitCode {
    let folders: Vec<String> = std::env::args().skip(1).collect();
    let wrong: Vec<String> = folders
        .iter()
        .flat_map(|folder| {
            let found = check(Path::new(folder)).unwrap_or_else(|why| vec![why]);
            found.into_iter().map(move |why| format!("{folder}: {why}"))
        })
        .collect();
    let mut stdout = std::io::stdout();
    let said = if wrong.is_empty() && !folders.is_empty() {
        writeln!(stdout, "check_systems: every component of {} systems is there and went well", folders.len())
    } else {
        writeln!(stdout, "check_systems: {} mistakes\n{}", wrong.len(), wrong.join("\n"))
    };
    ExitCode::from(u8::from(said.is_err() || !wrong.is_empty() || folders.is_empty()))
}

/// Everything that is wrong in one results folder.
fn check(folder: &Path) -> Result<Vec<String>, String> {
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let (_, expected) = SYSTEMS.iter().find(|(system, _)| *system == name).ok_or("no system is called so")?;
    let (summary, truth) = (read(folder, "summary.json")?, read(folder, "truth.json")?);
    let mut wrong = Vec::new();
    // What is slower or less than the system promises in its large profiles is a warning.
    if summary["exit"] != "pass" || (summary["verdict"] != "pass" && summary["verdict"] != "warn") {
        wrong.push(format!("the verdict is {}, exit {}", summary["verdict"], summary["exit"]));
    }
    let empty = Vec::new();
    let components = summary["components"].as_array().unwrap_or(&empty);
    let there: BTreeSet<&str> = components.iter().filter_map(|run| run["component"].as_str()).collect();
    if there != expected.iter().copied().collect() {
        wrong.push(format!("the components are {there:?}; expected {expected:?}"));
    }
    for run in components {
        let (requests, failures) = (&run["totals"]["requests"], &run["totals"]["failures"]);
        if requests.as_u64().unwrap_or(0) == 0 || failures != 0 {
            wrong.push(format!("{}: {requests} calls, {failures} failed", run["component"]));
        }
    }
    let record = &truth["contract"];
    if record["name"] != name.as_str() || record["strict"] != true {
        wrong.push(format!("the target was {}, strict: {}", record["name"], record["strict"]));
    }
    if record["unknown"] != 0 || record["wrong"].as_array().is_none_or(|wrong| !wrong.is_empty()) {
        wrong.push(format!("the target refused {} calls and {}", record["unknown"], record["wrong"]));
    }
    Ok(wrong)
}

fn read(folder: &Path, name: &str) -> Result<Value, String> {
    let bytes = std::fs::read(folder.join(name)).map_err(|error| format!("{name}: {error}"))?;
    serde_json::from_slice(&bytes).map_err(|error| format!("{name}: {error}"))
}
