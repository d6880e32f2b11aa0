//! How is a tool tested as its users run it? Runs the binary and reads what it leaves behind; every result is checked
//! against the laws.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "used by tests alone, where a panic is a failed test"
)]

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use load_report::laws;
use load_report::model::RunFile;
use load_report::read::read_run;
use load_report::verdict::Clause;
use tempfile::TempDir;

pub use crate::machine::{Witness, alone, timed};
pub use crate::port::free_port;

pub mod live;
mod machine;
mod port;

/// A run that takes longer is killed, so that a test always ends.
const MOST: Duration = Duration::from_mins(2);

/// A binary, and a folder for its results.
pub struct Tool {
    binary: PathBuf,
    component: String,
    folder: TempDir,
}

/// What a run left behind.
pub struct Left {
    /// The exit code; -1 after a signal.
    pub code: i32,
    /// What was printed as the result.
    pub stdout: String,
    /// What was printed besides.
    pub stderr: String,
    /// The summary, if there is one.
    pub run: Option<RunFile>,
}

impl Left {
    /// The summary of a run that must have one.
    #[track_caller]
    pub fn run(&self) -> &RunFile {
        self.run.as_ref().unwrap_or_else(|| panic!("no summary; {}\n{}", self.stdout, self.stderr))
    }

    /// The clauses that make the run invalid.
    #[track_caller]
    pub fn clauses(&self) -> Vec<Clause> {
        self.run().invalid.iter().map(|invalid| invalid.clause).collect()
    }

    /// The protocol's counter `name`.
    #[track_caller]
    pub fn counter(&self, name: &str) -> u64 {
        let counter = self.run().counters.iter().find(|counter| counter.name == name);
        counter.unwrap_or_else(|| panic!("no counter {name}")).count
    }

    /// Asserts that the run ended with `code`.
    ///
    /// # Errors
    /// It calls itself invalid for the machine's sake instead: [`timed`] finds out whether it may.
    #[track_caller]
    pub fn exits(&self, code: i32) -> Result<(), String> {
        let by_machine = |clause: &Clause| !matches!(clause, Clause::Laws | Clause::Lost);
        if self.code == 111 && code != 111 && self.clauses().iter().all(by_machine) {
            return Err(format!("{:?}", self.run().invalid));
        }
        assert_eq!(self.code, code, "{}{}", self.stdout, self.stderr);
        Ok(())
    }

    /// Whether a run of `rate` arrivals a second over a target that went away kept its schedule, neither silent nor
    /// spinning: one of the seconds `away` has the failures that were due, those of `there` the successes and no failure,
    /// to within a tenth.
    ///
    /// # Errors
    /// What every second had, for [`timed`] to judge.
    pub fn paced(&self, rate: u64, away: &[usize], there: &[usize]) -> Result<(), String> {
        let points = &self.run().timeseries.points;
        let due = |count: u64| count.abs_diff(rate) * 10 <= rate;
        let failed = away.iter().any(|&second| due(points[second].failed));
        if failed && there.iter().all(|&second| due(points[second].ok) && points[second].failed == 0) {
            return Ok(());
        }
        let seconds: Vec<_> = points.iter().map(|point| (point.ok, point.failed)).collect();
        Err(format!("{rate} a second were due, (ok, failed) were {seconds:?}"))
    }

    /// Asserts that the tool refused to run: with `code`, one line on stderr that contains `expected`, and no results.
    #[track_caller]
    pub fn is_refused(&self, code: i32, expected: &str) {
        let line = self.stderr.trim();
        assert_eq!(self.code, code, "{line}\n{}", self.stdout);
        assert!(
            line.contains(expected) && line.lines().count() == 1,
            "expected one line with {expected:?}: {line}"
        );
        assert!(self.run.is_none(), "nothing was measured, nothing is left behind");
    }
}

impl Tool {
    /// `binary`, as `env!("CARGO_BIN_EXE_...")` names it, whose component is called `component` in file names.
    pub fn new(binary: impl Into<PathBuf>, component: &str) -> Self {
        Self { binary: binary.into(), component: component.to_owned(), folder: tempfile::tempdir().unwrap() }
    }

    /// The results folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The folder of the only run.
    pub fn results(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    /// The binary with `args`, its results in the folder.
    pub fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(args).args(["--run-id", "run", "--results"]).arg(self.folder.path());
        command.stdin(Stdio::null());
        // What is set on this machine is not meant.
        for name in ["API_URL", "WS_URL", "DWCP_WS_URL", "GRPC_URL", "DATABASE_URL", "REDIS_URL", "API_TOKEN"]
        {
            command.env_remove(name);
        }
        command
    }

    /// Starts the binary with its output caught.
    pub fn start<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Child {
        self.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Runs the binary to its end.
    pub fn run<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Left {
        self.wait(self.start(args))
    }

    /// Waits for a binary that was started, which is killed when it takes too long.
    pub fn wait(&self, child: Child) -> Left {
        let pid = child.id();
        let (done, is_done) = std::sync::mpsc::channel::<()>();
        let watchdog = std::thread::spawn(move || {
            if is_done.recv_timeout(MOST) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                signal(pid, "KILL");
            }
        });
        let output = child.wait_with_output().unwrap();
        drop(done);
        watchdog.join().expect("the watchdog only waits");
        self.left(&output)
    }

    /// Asserts that no file of the run and nothing of its output contains one of `secrets`.
    #[track_caller]
    pub fn keeps(&self, secrets: &[&str], left: &Left) {
        let mut texts = vec![("stdout".into(), left.stdout.clone()), ("stderr".into(), left.stderr.clone())];
        for path in files(&self.results()) {
            let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
            texts.push((path.display().to_string(), text));
        }
        assert!(texts.len() > 5, "the run left its files");
        for (name, text) in texts {
            for secret in secrets {
                assert!(!text.contains(secret), "{name} has a secret:\n{text}");
            }
        }
    }

    /// Reads what a run left behind.
    pub fn left(&self, output: &Output) -> Left {
        let names = [self.component.as_str(), "null"].map(|name| format!("{name}_summary.json"));
        let mut paths = names.iter().map(|name| self.results().join(name));
        let run =
            paths.find_map(|path| std::fs::read(path).ok()).map(|bytes| read_run("summary", &bytes).unwrap());
        if let Some(run) = &run {
            assert_eq!(laws::violations(&run.header.plan, &run.data, run.end), Vec::<String>::new());
        }
        Left {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            run,
        }
    }
}

/// `line` cut into words at its spaces, behind `--url URL`.
pub fn args<'a>(url: &'a str, line: &'a str) -> Vec<&'a str> {
    let url: &[&str] = if url.is_empty() { &[] } else { &["--url", url] };
    url.iter().copied().chain(line.split_whitespace()).collect()
}

/// Sends `signal` (a name as `kill` knows it) to a process.
pub fn signal(pid: u32, signal: &str) {
    // The process may have ended in the meantime.
    let _ = Command::new("kill").args(["-s", signal, &pid.to_string()]).stderr(Stdio::null()).status();
}

/// Waits for so many milliseconds: the tests interrupt real runs at given moments.
pub fn pass(ms: u64) {
    std::thread::sleep(Duration::from_millis(ms));
}

/// Every file below `folder`.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}
