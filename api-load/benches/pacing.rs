//! How far from its slot does a call arrive? Measured by the server, with the slot carried in the request.
//!
//! `cargo bench -p api-load --bench pacing`: distance = arrival of call k − (t0 + k / rate), best of three, generator on
//! core 0, server on core 1; and the CPU that pacing alone takes at 20,000/s.
#![expect(clippy::expect_used, reason = "a bench that cannot start has nothing to say")]

use std::io::Write as _;
use std::process::{Command, ExitCode};

use load_report::model::RunFile;
use load_report::read::read_run;
use target_server::{Config, Server};

const SECONDS: u64 = 5;

fn run(args: &[&str]) -> RunFile {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let status = Command::new("taskset")
        .args(["-c", "0", env!("CARGO_BIN_EXE_api-load"), "--quiet", "--run-id", "run", "--threads", "1"])
        .args(["--no-thresholds", "-c", "64", "--name", "bench", "--results"])
        .arg(folder.path())
        .args(args)
        .status()
        .expect("taskset and api-load can be started");
    assert!(status.code().is_some_and(|code| code == 0 || code == 111), "{status}");
    let summary = folder.path().join("run/bench_summary.json");
    read_run("bench", &std::fs::read(summary).expect("a summary")).expect("a readable summary")
}

/// (p50, p99, max, earliest) of the distances, ns.
fn distances(rate: u64) -> (i64, i64, i64, i64) {
    let server = Server::start(Config::default()).expect("a server");
    let address = server.http_addr().expect("a listener");
    let url = format!("http://{address}/?k={{{{seq}}}}");
    let run = run(&["--url", &url, "-r", &rate.to_string(), "-d", &SECONDS.to_string()]);
    let t0 = run.header.t0_monotonic_ns;
    let slot = |k: u64| t0 + (k as f64 * 1e9 / rate as f64) as i64;
    let arrivals = server.arrivals();
    let mut distances: Vec<i64> = arrivals.iter().filter_map(|a| Some(a.t_ns as i64 - slot(a.k?))).collect();
    assert_eq!(distances.len() as u64, rate * SECONDS, "every call arrived once");
    distances.sort_unstable();
    let at = |share: f64| distances[(distances.len() as f64 * share) as usize];
    (at(0.5), at(0.99), distances[distances.len() - 1], distances[0])
}

fn main() -> ExitCode {
    let (mut out, mut good) = (std::io::stdout().lock(), true);
    let mut say = |line: String| writeln!(out, "{line}").expect("stdout");
    for rate in [1_000, 5_000, 20_000] {
        let runs: Vec<_> = (0..3).map(|_| distances(rate)).collect();
        let &(p50, p99, max, earliest) = runs.iter().min_by_key(|run| run.1).expect("three runs");
        let ms = |ns: i64| ns as f64 / 1e6;
        let ok = p99 < 500_000 && runs.iter().all(|run| run.3 >= 0);
        good &= ok;
        say(format!(
            "{rate}/s: p50 {:.3} ms, p99 {:.3} ms, max {:.2} ms, earliest {:.3} ms {}",
            ms(p50),
            ms(p99),
            ms(max),
            ms(earliest),
            if ok { "" } else { "— above 0.5 ms" }
        ));
    }
    let run = run(&["--null", "-r", "20000", "-d", "5"]);
    let share = run.generator.cpu_s / SECONDS as f64;
    good &= share <= 0.4;
    say(format!("20,000/s of pacing with --null: {:.0} % of a core", share * 100.0));
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
