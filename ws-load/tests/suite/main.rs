//! Suites, run by the binary against a hub that this project's server knows nothing of.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod mistakes;
mod once;
mod pushes;
mod visits;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdout, Command, Stdio};

use load_report::model::RunFile;
use serde_json::Value as Json;
use tool_tests::{Left, Tool};

const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite");
/// The one that Debian's packages are for, wherever another one is.
const PYTHON: &str = "/usr/bin/python3";

/// A hub with its own record.
struct Hub {
    process: Child,
    output: BufReader<ChildStdout>,
    ws: String,
    http: String,
}

impl Hub {
    /// None where Python has no websockets.
    fn open() -> Option<Self> {
        Self::start(&[])
    }

    /// The same; its HTTP is over TLS, with the files of a certificate and its key.
    fn secure(files: [&str; 2]) -> Option<Self> {
        let mut hub = Self::start(&files)?;
        hub.http = hub.http.replace("http:", "https:");
        Some(hub)
    }

    fn start(files: &[&str]) -> Option<Self> {
        let check = Command::new(PYTHON).args(["-c", "import websockets"]).stderr(Stdio::null()).status();
        if !check.is_ok_and(|status| status.success()) {
            // Straight to the log: the harness keeps what a test prints to itself.
            let mut out = std::io::stdout();
            writeln!(out, "skipped: {PYTHON} has no websockets; on Debian, install python3-websockets")
                .unwrap();
            return None;
        }
        let mut process = Command::new(PYTHON)
            .arg(format!("{HERE}/hub.py"))
            .args(files)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let mut ports = String::new();
        output.read_line(&mut ports).unwrap();
        let (ws, http) = ports.trim().split_once(' ').unwrap();
        let (ws, http) = (format!("ws://127.0.0.1:{ws}"), format!("http://127.0.0.1:{http}"));
        Some(Self { process, output, ws, http })
    }

    /// What it has seen.
    fn close(mut self) -> Seen {
        drop(self.process.stdin.take());
        let mut told = String::new();
        self.output.read_to_string(&mut told).unwrap();
        self.process.wait().unwrap();
        Seen(serde_json::from_str(&told).unwrap())
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What the hub has seen.
struct Seen(Json);

impl Seen {
    /// How often; 0 for what was never seen.
    fn of(&self, name: &str) -> u64 {
        self.0[name].as_u64().unwrap_or(0)
    }
}

fn tool() -> Tool {
    Tool::new(env!("CARGO_BIN_EXE_ws-load"), "ws")
}

/// Runs the suite `text` against `hub`.
fn run(hub: &Hub, text: &str, line: &str) -> Left {
    let tool = tool();
    let path = tool.folder().join("ws.toml");
    std::fs::write(&path, text.replace("HTTP_URL", &hub.http)).unwrap();
    let words = ["--suite", path.to_str().unwrap(), "--url", &hub.ws, "--no-progress"];
    tool.run(words.into_iter().chain(line.split_whitespace()))
}

/// Good and failed calls of the op `name`.
#[track_caller]
fn calls(run: &RunFile, name: &str) -> (u64, u64) {
    let op = run.ops.iter().find(|op| op.name == name).unwrap();
    (op.figures.requests - op.figures.failures, op.figures.failures)
}

/// The counter `name` over all phases, those that are not counted too: the hub counts from the first connection.
#[track_caller]
fn whole(run: &RunFile, name: &str) -> u64 {
    let at = run.header.plan.counters.iter().position(|counter| counter.name == name).unwrap();
    run.data.phases.iter().map(|phase| phase.counters[at]).sum()
}

/// Values in the series `name` over all phases.
#[track_caller]
fn observed(run: &RunFile, name: &str) -> u64 {
    let at = run.header.plan.extras.iter().position(|extra| extra.name == name).unwrap();
    run.data.phases.iter().map(|phase| phase.extras[at].count()).sum()
}

/// The rate `name`: cases and all.
#[track_caller]
fn rate(run: &RunFile, name: &str) -> (u64, u64) {
    let rate = run.rates.iter().find(|rate| rate.name == name).unwrap();
    (rate.cases, rate.all)
}
