//! Does it work with a server that this project did not write? Python's grpcio, which is gRPC's C core.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use load_report::fault::FaultKind;
use load_wire::nova_torch::DESCRIPTORS;
use tempfile::NamedTempFile;

use crate::support::{args, proto, run, tool};

pub(crate) struct Grpcio {
    child: Child,
    stdout: BufReader<ChildStdout>,
    pub(crate) port: u16,
    /// Which the server has read.
    _descriptors: NamedTempFile,
}

impl Grpcio {
    /// None, and a line that says why, where grpcio is not installed.
    fn start(options: &[&str]) -> Option<Self> {
        Self::with("grpcio_server.py", DESCRIPTORS, options)
    }

    /// Runs `script` with these descriptors.
    #[expect(clippy::print_stdout, reason = "a test that is skipped says so")]
    pub(crate) fn with(script: &str, types: &[u8], options: &[&str]) -> Option<Self> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python: PathBuf = here.join("../target/python-grpc/bin/python");
        if !python.exists() {
            println!("skipped: no grpcio in target/python-grpc; scripts/python_grpc.sh installs it");
            return None;
        }
        let descriptors = NamedTempFile::new().unwrap();
        std::fs::write(descriptors.path(), types).unwrap();
        let mut child = Command::new(python)
            .arg(here.join("tests/judge").join(script))
            .arg(descriptors.path())
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let port = line.trim().parse().unwrap();
        Some(Self { child, stdout, port, _descriptors: descriptors })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Ends the server: what it counted.
    pub(crate) fn counts(mut self) -> serde_json::Value {
        drop(self.child.stdin.take());
        let mut text = String::new();
        self.stdout.read_to_string(&mut text).unwrap();
        serde_json::from_str(&text).unwrap()
    }
}

impl Drop for Grpcio {
    fn drop(&mut self) {
        // It has ended, unless its test has failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn grpcio_counts_what_we_count() {
    let Some(server) = Grpcio::start(&[]) else { return };
    let json = r#"{"agent_id":"a{{seq}}","port":{{seq}}}"#;
    let left = run(&server.url(), &format!("-u 32 -c 4 -n 2000 --json {json} --metadata x-run:judge"));
    assert_eq!((left.code, left.run().ledger.calls.ok), (0, 2_000), "{}\n{}", left.stdout, left.stderr);
    // It knows v1alpha of reflection only.
    assert_eq!((left.run().ledger.control_calls, left.run().connections.opened), (2, 4));
    let counts = server.counts();
    assert_eq!(
        (&counts["calls"], &counts["ok"], &counts["metadata"]),
        (&2_000.into(), &2_000.into(), &2_000.into())
    );
    assert_eq!(counts["port"], 1_999 * 2_000 / 2, "every message was read as it was meant, once");
}

#[test]
fn statuses_of_grpcio_are_told_with_their_message() {
    let Some(server) = Grpcio::start(&["fail_every=5"]) else { return };
    let left = run(&server.url(), &format!("-r 500 -d 1s -c 2 --proto {}", proto()));
    let run = left.run();
    let calls = &run.ledger.calls;
    assert_eq!((calls.ok, calls.failed.get(FaultKind::Rejected)), (400, 100), "{:?}", run.faults);
    assert_eq!((run.faults[0].code, run.faults[0].sample.as_str()), (5, "NOT_FOUND: no agent ä 100%"));
    assert_eq!(server.counts()["ok"], 400);
}

#[test]
fn connections_that_grpcio_lets_live_shortly_are_replaced() {
    let Some(server) = Grpcio::start(&["age_ms=200"]) else { return };
    let left = run(&server.url(), "-r 300 -d 3s -u 16 -c 2 --no-thresholds");
    let run = left.run();
    let calls = &run.ledger.calls;
    assert!(
        calls.failed.total() <= 27 && run.connections.opened >= 10,
        "{:?} {:?}",
        run.faults,
        run.connections
    );
    assert_eq!(server.counts()["ok"], calls.ok, "{:?}", run.faults);
}

#[test]
fn a_megabyte_each_way_passes_grpcio() {
    let Some(server) = Grpcio::start(&[]) else { return };
    let tool = tool();
    let file = tool.folder().join("big.json");
    std::fs::write(&file, format!("{{\"agent_id\": \"{}\"}}", "x".repeat(1 << 20))).unwrap();
    let line = format!("-u 4 -c 2 -n 32 --json-file {}", file.display());
    let left = tool.run(args(&server.url(), &line));
    assert_eq!((left.code, left.run().ledger.calls.ok), (0, 32), "{}", left.stdout);
    assert_eq!(server.counts()["ok"], 32);
}

#[test]
fn what_grpcio_does_not_have_is_told_with_what_it_has() {
    let Some(server) = Grpcio::start(&[]) else { return };
    let left = run(&server.url(), "-u 1 -d 1s --quiet --method nova_torch.Orchestrator/RegisterAgent");
    left.is_refused(114, "nova_torch.NovaOrchestrator");
    let left = run(&server.url(), "-u 1 -d 1s --quiet --method nova_torch.NovaOrchestrator/Register");
    left.is_refused(114, "there is RegisterAgent");
}
