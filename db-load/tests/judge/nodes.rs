//! Servers of Redis's kind that are started by hand: several, with options of their own, of every make that is there.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use redis::Connection;
use tempfile::TempDir;
use tool_tests::free_port;

use crate::support::{pass, signal};

/// The password of all of them.
pub(crate) const PASSWORD: &str = "n0des-s3cret";

/// Says on the terminal why a test has tested nothing.
pub(crate) fn skipped(reason: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED: {reason}");
}

/// Makes of servers that are on the PATH.
pub(crate) fn makes() -> Vec<&'static str> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_there = |name: &&str| std::env::split_paths(&path).any(|folder| folder.join(name).is_file());
    let all: Vec<_> = ["redis-server", "valkey-server", "dragonfly"].into_iter().filter(is_there).collect();
    if all.is_empty() {
        skipped("none of redis-server, valkey-server and dragonfly is there");
    }
    all
}

/// Waits until something holds, for at most 20 s.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..2_000 {
        if holds() {
            return;
        }
        pass(10);
    }
    panic!("{what}: not within 20 s");
}

/// One server.
pub(crate) struct Node {
    make: &'static str,
    options: Vec<String>,
    child: Child,
    pub(crate) port: u16,
    folder: PathBuf,
    _whole: Option<TempDir>,
}

impl Node {
    /// A server of this make on a port of its own with more `options`, which may name `{port}`.
    pub(crate) fn start(make: &'static str, options: &[&str]) -> Self {
        let whole = tempfile::tempdir().unwrap();
        let folder = whole.path().to_owned();
        let options = options.iter().map(|&option| option.to_owned()).collect::<Vec<_>>();
        let port = free_port();
        let child = spawn(make, port, &folder, &options);
        let node = Self { make, options, child, port, folder, _whole: Some(whole) };
        node.wait();
        node
    }

    fn wait(&self) {
        for _ in 0..1_000 {
            let answers = redis::Client::open(self.url())
                .and_then(|client| client.get_connection())
                .and_then(|mut redis| redis::cmd("PING").exec(&mut redis));
            if answers.is_ok() {
                return;
            }
            pass(10);
        }
        panic!("{} does not answer on port {}", self.make, self.port);
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://:{PASSWORD}@127.0.0.1:{}", self.port)
    }

    pub(crate) fn redis(&self) -> Connection {
        redis::Client::open(self.url()).unwrap().get_connection().unwrap()
    }

    /// Ends as by a loss of power.
    pub(crate) fn kill(&mut self) {
        signal(self.child.id(), "KILL");
        self.child.wait().unwrap();
    }

    /// The same server on the same port with what it wrote down.
    pub(crate) fn start_again(&mut self) {
        self.child = spawn(self.make, self.port, &self.folder, &self.options);
        self.wait();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(make: &str, port: u16, folder: &Path, options: &[String]) -> Child {
    // Should the test be killed, the server ends nevertheless.
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", make]);
    if make == "dragonfly" {
        command.args(["--bind=127.0.0.1", &format!("--port={port}"), &format!("--requirepass={PASSWORD}")]);
        command.args(["--proactor_threads=1", "--maxmemory=512mb", "--dbfilename=", "--logtostderr"]);
    } else {
        command.args([
            "--bind",
            "127.0.0.1",
            "--port",
            &port.to_string(),
            "--save",
            "",
            "--appendonly",
            "no",
        ]);
        command.args(["--requirepass", PASSWORD, "--masterauth", PASSWORD]);
    }
    command.args(options).current_dir(folder);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Three masters that share the slots.
pub(crate) struct Cluster {
    pub(crate) nodes: Vec<Node>,
}

impl Cluster {
    /// None where the make knows no such thing. Nodes that have no CPU for a while are not taken for dead.
    pub(crate) fn start(make: &'static str) -> Option<Self> {
        Self::with_timeout(make, 15_000)
    }

    /// The same, where a node that says nothing for so many ms is taken for dead.
    pub(crate) fn with_timeout(make: &'static str, timeout_ms: u32) -> Option<Self> {
        if make == "dragonfly" {
            return None;
        }
        let timeout = timeout_ms.to_string();
        let start = |_| {
            let bus = free_port().to_string();
            let options =
                ["--cluster-enabled", "yes", "--cluster-port", &bus, "--cluster-node-timeout", &timeout];
            let more = ["--cluster-require-full-coverage", "no", "--cluster-config-file", "nodes.conf"];
            (Node::start(make, &[&options[..], &more].concat()), bus)
        };
        let started: Vec<_> = (0..3).map(start).collect();
        let mut first = started[0].0.redis();
        for ((node, bus), (from, to)) in started.iter().zip([(0, 5_461), (5_462, 10_922), (10_923, 16_383)]) {
            redis::cmd("CLUSTER").arg("ADDSLOTSRANGE").arg(from).arg(to).exec(&mut node.redis()).unwrap();
            let meet = ["MEET", "127.0.0.1", &node.port.to_string(), bus];
            redis::cmd("CLUSTER").arg(&meet).exec(&mut first).unwrap();
        }
        let cluster = Self { nodes: started.into_iter().map(|(node, _)| node).collect() };
        for _ in 0..3_000 {
            let knows_all = |node: &Node| {
                let info: String = redis::cmd("CLUSTER").arg("INFO").query(&mut node.redis()).unwrap();
                info.contains("cluster_state:ok")
                    && info.contains("cluster_slots_ok:16384")
                    && info.contains("cluster_known_nodes:3")
            };
            if cluster.nodes.iter().all(knows_all) {
                return Some(cluster);
            }
            pass(10);
        }
        panic!("no cluster within 30 s");
    }

    /// The sum over all nodes.
    pub(crate) fn sum(&self, of: impl Fn(&mut Connection) -> u64) -> u64 {
        self.nodes.iter().map(|node| of(&mut node.redis())).sum()
    }

    /// How often nodes refused with this word.
    pub(crate) fn refusals(&self, word: &str) -> u64 {
        self.sum(|redis| {
            let text: String = redis::cmd("INFO").arg("errorstats").query(redis).unwrap();
            let count = text.split(&format!("errorstat_{word}:count=")).nth(1);
            count.map_or(0, |rest| rest.lines().next().unwrap().trim().parse().unwrap())
        })
    }

    pub(crate) fn reset(&self) {
        for node in &self.nodes {
            redis::cmd("CONFIG").arg("RESETSTAT").exec(&mut node.redis()).unwrap();
        }
    }
}
