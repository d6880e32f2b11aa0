//! Servers that are thrown away, and what they know of themselves.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tempfile::TempDir;
use tokio::runtime::Runtime;
pub(crate) use tool_tests::{Left, pass, signal, timed};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/services.sh");

/// A tool of one of the two components.
pub(crate) struct Tool {
    inner: tool_tests::Tool,
    word: &'static str,
    url: String,
}

/// One server, which ends with its last user.
pub(crate) struct Service {
    name: &'static str,
    folder: TempDir,
    url: String,
}

impl Service {
    /// A server of one's own. None, with the reason on the terminal, where it cannot be had.
    pub(crate) fn start(name: &'static str) -> Option<Self> {
        let mut service = Self { name, folder: tempfile::tempdir().unwrap(), url: String::new() };
        let line = service.script("start");
        match line.trim().split_once(' ') {
            Some((first, url)) if first == name => {
                url.clone_into(&mut service.url);
                Some(service)
            }
            Some(("skipped", reason)) => {
                let _ = writeln!(std::io::stderr(), "SKIPPED: {reason}");
                None
            }
            _ => panic!("services.sh said {line:?}"),
        }
    }

    /// A PostgreSQL for all tests of this process that change nothing in it but their own tables.
    pub(crate) fn shared() -> Option<Arc<Self>> {
        static SHARED: Mutex<Weak<Service>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(service) = shared.upgrade() {
            return Some(service);
        }
        let service = Arc::new(Self::start("postgres")?);
        *shared = Arc::downgrade(&service);
        Some(service)
    }

    fn script(&self, command: &str) -> String {
        let mut script = Command::new(SCRIPT);
        script.arg(command).arg(self.folder.path()).args(["--only", self.name]);
        // Should a test be killed, its server ends nevertheless.
        script.env("QUINTET_SERVICES_LIFE", "300").stdin(Stdio::null()).stderr(Stdio::inherit());
        String::from_utf8(script.output().unwrap().stdout).unwrap()
    }

    /// Ends the server; its data stay.
    pub(crate) fn stop(&self) {
        self.script("stop");
    }

    /// Ends the server as a loss of power would.
    pub(crate) fn kill(&self) {
        let file = if self.name == "redis" { "pid" } else { "data/postmaster.pid" };
        let file = self.folder.path().join(self.name).join(file);
        let pid: u32 = std::fs::read_to_string(file).unwrap().lines().next().unwrap().parse().unwrap();
        signal(pid, "KILL");
    }

    /// The same server at the same port with the same data.
    pub(crate) fn start_again(&self) {
        assert_eq!(self.script("start").trim(), format!("{} {}", self.name, self.url));
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn password(&self) -> String {
        let (_, rest) = self.url.split_once("://").unwrap();
        rest.split('@').next().unwrap().split_once(':').unwrap().1.to_owned()
    }

    /// The part of the URL between password and database.
    pub(crate) fn address(&self) -> &str {
        self.url.rsplit_once('@').unwrap().1.split('/').next().unwrap()
    }

    /// A tool that loads this server.
    pub(crate) fn tool(&self) -> Tool {
        Tool::new(self.name, &self.url)
    }

    pub(crate) fn sql(&self) -> Sql {
        Sql::connect(&self.url)
    }

    pub(crate) fn redis(&self) -> redis::Connection {
        redis::Client::open(self.url.as_str()).unwrap().get_connection().unwrap()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Tool {
    pub(crate) fn new(word: &'static str, url: &str) -> Self {
        let inner = tool_tests::Tool::new(env!("CARGO_BIN_EXE_db-load"), &format!("db-{word}"));
        Self { inner, word, url: url.to_owned() }
    }

    fn args<'a>(&'a self, line: &'a str) -> Vec<&'a str> {
        [self.word].into_iter().chain(tool_tests::args(&self.url, line)).collect()
    }

    pub(crate) fn command(&self, line: &str) -> Command {
        self.inner.command(self.args(line))
    }

    pub(crate) fn start(&self, line: &str) -> std::process::Child {
        self.inner.start(self.args(line))
    }

    pub(crate) fn wait(&self, child: std::process::Child) -> Left {
        self.inner.wait(child)
    }

    pub(crate) fn run(&self, line: &str) -> Left {
        self.inner.run(self.args(line))
    }

    pub(crate) fn left(&self, output: &std::process::Output) -> Left {
        self.inner.left(output)
    }

    pub(crate) fn keeps(&self, secrets: &[&str], left: &Left) {
        self.inner.keeps(secrets, left);
    }

    pub(crate) fn folder(&self) -> &Path {
        self.inner.folder()
    }
}

/// A client of PostgreSQL that waits.
pub(crate) struct Sql {
    runtime: Runtime,
    client: tokio_postgres::Client,
}

impl Sql {
    fn connect(url: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (client, connection) =
            runtime.block_on(tokio_postgres::connect(url, tokio_postgres::NoTls)).unwrap();
        runtime.spawn(connection);
        Self { runtime, client }
    }

    /// The number that a query of one cell gives.
    pub(crate) fn number(&self, query: &str) -> i64 {
        self.runtime.block_on(self.client.query_one(query, &[])).unwrap().get(0)
    }

    pub(crate) fn run(&self, statements: &str) {
        self.runtime.block_on(self.client.batch_execute(statements)).unwrap();
    }

    /// The tables that runs have made.
    pub(crate) fn tables(&self) -> Vec<String> {
        let query =
            "SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relname LIKE 'quintet%' ORDER BY 1";
        let rows = self.runtime.block_on(self.client.query(query, &[])).unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// Waits until a run has made a table, and so many of its statements were executed.
    pub(crate) fn wait_for_load(&self, statements: i64) -> String {
        for _ in 0..1_000 {
            let query = "SELECT coalesce(sum(calls), 0)::bigint FROM pg_stat_statements WHERE query LIKE 'SELECT token%'";
            if self.number(query) >= statements
                && let Some(table) = self.tables().pop()
            {
                return table;
            }
            pass(10);
        }
        panic!("no load within 10 s");
    }

    /// How often statements that match were executed.
    pub(crate) fn calls(&self, pattern: &str) -> u64 {
        let query = format!(
            "SELECT coalesce(sum(calls), 0)::bigint FROM pg_stat_statements WHERE query ~* '^({pattern})'"
        );
        self.number(&query).unsigned_abs()
    }
}

/// How often Redis executed `command`, by its own count.
pub(crate) fn commands(redis: &mut redis::Connection, command: &str) -> u64 {
    let stats: String = redis::cmd("INFO").arg("commandstats").query(redis).unwrap();
    let line = stats.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
    line.map_or(0, |line| line.split(',').next().unwrap().parse().unwrap())
}

/// How many keys there are.
pub(crate) fn keys(redis: &mut redis::Connection) -> u64 {
    redis::cmd("DBSIZE").query(redis).unwrap()
}

/// The calls of op `name`.
pub(crate) fn op(left: &Left, name: &str) -> u64 {
    left.run().ops.iter().find(|op| op.name == name).map_or(0, |op| op.figures.requests)
}

/// Whether `hits` of `n` draws with chance `p` are as many as chance allows: 5 standard deviations, so that one
/// honest run in a million fails.
pub(crate) fn is_likely(hits: u64, n: u64, p: f64) -> bool {
    let n = n as f64;
    (hits as f64 - n * p).abs() <= 5.0 * (n * p * (1.0 - p)).sqrt()
}
