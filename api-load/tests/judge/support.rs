//! Runs the binary and reads what it leaves behind; every result is checked against the laws.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use load_report::laws;
use load_report::model::RunFile;
use load_report::read::read_run;
use target_server::{Config, Script, Server};
use tempfile::TempDir;

/// Tests that measure time have the machine to themselves.
static MACHINE: Mutex<()> = Mutex::new(());

/// Waits for the machine.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    MACHINE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A server that follows `script`.
pub(crate) fn server(script: &str) -> Server {
    let script = Script::parse("test", script).unwrap();
    Server::start(Config { script, ..Config::default() }).unwrap()
}

/// Where `server` listens.
pub(crate) fn url(server: &Server, path: &str) -> String {
    format!("http://{}{path}", server.http_addr().unwrap())
}

/// A run of the binary in a results folder of its own.
pub(crate) struct Tool {
    folder: TempDir,
}

/// What a run left behind.
pub(crate) struct Left {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) run: Option<RunFile>,
}

impl Left {
    /// The summary of a run that must have one.
    pub(crate) fn run(&self) -> &RunFile {
        self.run.as_ref().unwrap_or_else(|| panic!("no summary; {}\n{}", self.stdout, self.stderr))
    }
}

impl Tool {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The folder of the only run.
    pub(crate) fn results(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    /// The binary with `args`, words separated by spaces.
    pub(crate) fn command(&self, url: &str, args: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_api-load"));
        command.args(["--run-id", "run", "--results"]).arg(self.folder.path());
        if !url.is_empty() {
            command.args(["--url", url]);
        }
        command.args(args.split_whitespace()).stdin(Stdio::null());
        command
    }

    /// Starts the binary with its output caught.
    pub(crate) fn start(&self, url: &str, args: &str) -> Child {
        self.command(url, args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Runs the binary to its end.
    pub(crate) fn run(&self, url: &str, args: &str) -> Left {
        self.left(&self.command(url, args).output().unwrap())
    }

    /// Waits for a binary that was started.
    pub(crate) fn wait(&self, child: Child) -> Left {
        self.left(&child.wait_with_output().unwrap())
    }

    fn left(&self, output: &Output) -> Left {
        let path = self.results().join("api_summary.json");
        let path = if path.exists() { path } else { self.results().join("null_summary.json") };
        let run = std::fs::read(&path).ok().map(|bytes| read_run("summary", &bytes).unwrap());
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

/// Sends `signal` (a name as `kill` knows it) to a process.
pub(crate) fn signal(pid: u32, signal: &str) {
    // The process may have ended in the meantime.
    let _ = Command::new("kill").args(["-s", signal, &pid.to_string()]).stderr(Stdio::null()).status();
}

/// Waits for so many milliseconds: the tests interrupt real runs at given moments.
pub(crate) fn pass(ms: u64) {
    std::thread::sleep(std::time::Duration::from_millis(ms));
}

/// Tries `test` up to `times`: figures of time are those of the quietest run, for the machine is shared.
pub(crate) fn best_of(times: usize, test: impl Fn() -> Result<(), String>) {
    let mut last = String::new();
    for _ in 0..times {
        match test() {
            Ok(()) => return,
            Err(why) => last = why,
        }
    }
    panic!("{last}");
}
