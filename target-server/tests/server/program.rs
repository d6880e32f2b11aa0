//! What the program prints, how it ends, and how several processes tell one truth.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

use crate::client::{Client, MS, eventually};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use target_server::Report;
use tempfile::TempDir;
use tokio_tungstenite::tungstenite::{self, Message};

struct Program {
    child: Child,
    stdout: BufReader<ChildStdout>,
    /// Its directory for temporary files.
    temporary: TempDir,
}

impl Program {
    fn start(args: &[&str]) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_target-server"));
        let mut child = command
            .args(args)
            .env("TMPDIR", temporary.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdout, temporary }
    }

    /// Reads the line of one listener.
    fn address(&mut self, scheme: &str) -> SocketAddr {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        let url = line.trim_end().strip_prefix(&format!("{scheme} {scheme}://"));
        url.unwrap_or_else(|| panic!("printed {line:?}")).parse().unwrap()
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// The exit code and all that stderr said. It must leave nothing behind.
    fn end(mut self) -> (Option<i32>, String) {
        let mut stderr = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        let code = self.child.wait().unwrap().code();
        assert_eq!(fs::read_dir(self.temporary.path()).unwrap().count(), 0, "temporary files are left");
        (code, stderr)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It has ended already in a test that passes.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn truth(address: SocketAddr) -> Report {
    serde_json::from_str(&Client::connect(address).get("/truth").body).unwrap()
}

fn script(dir: &Path, text: &str) -> String {
    let file = dir.join("script.toml");
    fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

/// The processes whose parent is this one.
fn children(pid: u32) -> Vec<Pid> {
    let tasks = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    tasks.split_whitespace().map(|pid| Pid::from_raw(pid.parse().unwrap()).unwrap()).collect()
}

#[test]
fn a_signal_ends_it_with_success() {
    for (signal, processes) in
        [(Signal::TERM, "1"), (Signal::INT, "1"), (Signal::TERM, "3"), (Signal::INT, "2")]
    {
        let mut program = Program::start(&["--http", "127.0.0.1:0", "--processes", processes]);
        let address = program.address("http");
        assert_eq!(Client::connect(address).get("/").status, 200);
        program.signal(signal);
        assert_eq!(program.end(), (Some(0), String::new()));
    }
}

#[test]
fn processes_take_their_port_again_at_once() {
    let mut address = "127.0.0.1:0".to_owned();
    for _ in 0..3 {
        let mut program = Program::start(&["--http", &address, "--processes", "2"]);
        address = program.address("http").to_string();
        assert_eq!(Client::connect(address.parse().unwrap()).get("/").status, 200);
        program.signal(Signal::TERM);
        assert_eq!(program.end().0, Some(0));
    }
}

#[test]
fn bad_usage_and_bad_scripts_exit_104() {
    let dir = tempfile::tempdir().unwrap();
    for args in [&["--nonsense"][..], &["--http", "nowhere"], &["--https", "127.0.0.1:0"], &["--ring", "0"]] {
        assert_eq!(Program::start(args).end().0, Some(104), "{args:?}");
    }
    let file = script(dir.path(), "seed = 1\n[[rule]]\npth = \"/a\"\n");
    for processes in ["1", "3"] {
        let (code, stderr) = Program::start(&["--script", &file, "--processes", processes]).end();
        assert_eq!(code, Some(104));
        assert!(stderr.contains("script.toml:3: unknown field `pth`, expected"), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
    let (code, stderr) = Program::start(&["--script", "/nowhere/x.toml"]).end();
    assert_eq!((code, stderr.contains("/nowhere/x.toml")), (Some(104), true));
    let (code, stderr) = Program::start(&["--grpc", "127.0.0.1:0", "--processes", "2"]).end();
    assert_eq!((code, stderr.contains("expected --processes 1")), (Some(104), true));
}

#[test]
fn a_broadcast_reaches_the_connections_of_all_processes() {
    let mut program = Program::start(&["--ws", "127.0.0.1:0", "--processes", "3"]);
    let (http, ws) = (program.address("http"), program.address("ws"));
    let text = r#"{"type":"broadcast","timestamp":1.5}"#;
    let connect = || tungstenite::connect(format!("ws://{ws}/")).unwrap().0;
    let mut sockets: Vec<_> = (0..30).map(|_| connect()).collect();
    sockets[0].send(Message::text(text)).unwrap();
    for socket in &mut sockets[1..] {
        assert_eq!(socket.read().unwrap(), Message::text(text));
    }
    // Its echo comes first if the server told the sender, too.
    sockets[0].send(Message::text("alone")).unwrap();
    assert_eq!(sockets[0].read().unwrap(), Message::text("alone"));
    let told = eventually("29 are told", || {
        Some(truth(http).ws.unwrap()).filter(|told| told.broadcasts[text].receivers == 29)
    });
    assert_eq!((told.open, told.received.broadcast, told.sent.broadcast), (30, 1, 29));
    assert!(told.broadcasts[text].first_ns <= told.broadcasts[text].last_ns);
    program.signal(Signal::TERM);
    assert_eq!(program.end().0, Some(0));
}

#[test]
fn every_listener_is_announced() {
    let mut program = Program::start(&["--grpc", "127.0.0.1:0", "--ws", "127.0.0.1:0"]);
    let http = program.address("http");
    for begin in ["grpc http://", "ws ws://"] {
        let mut line = String::new();
        program.stdout.read_line(&mut line).unwrap();
        let address: SocketAddr = line.trim_end().strip_prefix(begin).unwrap().parse().unwrap();
        assert_ne!(http, address);
    }
    let truth = truth(http);
    assert_eq!(truth.grpc.map(|grpc| grpc.calls), Some(0));
    assert_eq!(truth.ws.map(|ws| ws.opened), Some(0));
    program.signal(Signal::TERM);
    assert_eq!(program.end().0, Some(0));
}

#[test]
fn an_address_that_is_taken_exits_114() {
    let mut first = Program::start(&[]);
    let address = first.address("http").to_string();
    for processes in ["1", "2"] {
        let (code, stderr) = Program::start(&["--http", &address, "--processes", processes]).end();
        assert_eq!(code, Some(114));
        assert!(stderr.contains(&address) && stderr.lines().count() == 1, "{stderr}");
    }
}

#[test]
fn help_says_what_it_is() {
    let mut program = Program::start(&["--help"]);
    let mut help = String::new();
    program.stdout.read_to_string(&mut help).unwrap();
    assert!(
        help.contains("reference system under test") && help.contains("104") && !help.contains("--member")
    );
    assert_eq!(program.end().0, Some(0));
}

#[test]
fn three_processes_tell_one_truth() {
    let mut program = Program::start(&["--processes", "3", "--ring", "1000"]);
    let address = program.address("http");
    for k in 0..60 {
        assert_eq!(Client::connect(address).get(&format!("/?k={k}")).status, 200);
    }
    let report = truth(address);
    assert_eq!((report.processes, report.requests, report.answered[&200], report.in_flight), (3, 60, 60, 0));
    assert_eq!((report.connections.accepted, report.ring.size, report.ring.held), (60, 3000, 60));
    let csv = Client::connect(address).get("/truth/arrivals").body;
    let rows: Vec<Vec<&str>> = csv.lines().skip(1).map(|line| line.split(',').collect()).collect();
    let ks: Vec<u64> = rows.iter().map(|row| row[3].parse().unwrap()).collect();
    assert_eq!(ks, (0..60).collect::<Vec<_>>(), "in the order they were sent");
    assert_eq!(rows[0][0].parse::<u64>().ok(), report.start_ns, "the first request starts the script");
    let mut connections: Vec<&str> = rows.iter().map(|row| row[1]).collect();
    connections.sort_unstable();
    connections.dedup();
    assert_eq!(connections.len(), 60, "numbers of connections are unique");
    assert_eq!(Client::connect(address).post("/truth/reset").status, 200);
    let report = truth(address);
    assert_eq!((report.requests, report.start_ns, report.ring.held), (0, None, 0));
}

#[test]
fn all_processes_stall_at_the_same_time() {
    let dir = tempfile::tempdir().unwrap();
    let file = script(dir.path(), "[[stall]]\nat = \"100ms\"\nfor = \"300ms\"\n");
    let mut program = Program::start(&["--processes", "3", "--script", &file]);
    let address = program.address("http");
    // Enough connections for every process to have some, busy until each has met the stall.
    let clients: Vec<_> = (0..24)
        .map(|_| {
            std::thread::spawn(move || {
                let mut client = Client::connect(address);
                let begun = target_server::now_ns();
                while target_server::now_ns() < begun + 500 * MS {
                    client.get("/");
                    std::thread::yield_now();
                }
            })
        })
        .collect();
    for client in clients {
        client.join().unwrap();
    }
    let report = truth(address);
    let (begin, end) = (report.start_ns.unwrap() + 100 * MS, report.start_ns.unwrap() + 400 * MS);
    let csv = Client::connect(address).get("/truth/arrivals").body;
    let mut processes = std::collections::BTreeSet::new();
    let (mut before, mut after) = (0, 0);
    for line in csv.lines().skip(1) {
        let cells: Vec<u64> = line.split(',').map(|cell| cell.parse().unwrap_or(0)).collect();
        processes.insert(cells[1] % 3);
        // A read that began just before the stall is stamped when this busy machine lets it.
        assert!(cells[0] <= begin + 50 * MS || cells[0] >= end, "read in the stall: {line}");
        before += u32::from(cells[0] < begin);
        after += u32::from(cells[0] >= end);
    }
    assert_eq!(processes.len(), 3);
    assert!(before > 100 && after > 24, "{before} before, {after} after");
}

#[test]
fn children_die_with_their_parent() {
    let mut program = Program::start(&["--processes", "2"]);
    program.address("http");
    let children = children(program.child.id());
    assert_eq!(children.len(), 2);
    program.signal(Signal::KILL);
    program.child.wait().unwrap();
    // The kernel signals them at once; what adopts them reaps them.
    let gone = |pid: &Pid| {
        test_kill_process(*pid).is_err()
            || fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()))
                .map_or(true, |stat| stat.contains(") Z "))
    };
    eventually("the end of the children", || children.iter().all(gone).then_some(()));
}

#[test]
fn the_end_of_a_child_ends_the_server() {
    let mut program = Program::start(&["--processes", "3"]);
    program.address("http");
    kill_process(children(program.child.id())[1], Signal::KILL).unwrap();
    let (code, stderr) = program.end();
    assert_eq!(code, Some(1));
    assert!(stderr.contains("process 1 ended"), "{stderr}");
}

#[test]
fn a_contract_is_named_or_is_a_file_and_is_kept_by_one_process() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("tiny.toml");
    fs::write(&file, "about = \"tiny\"\n[[routes]]\nrequest = \"GET /x\"\nanswer = { x = 1 }\n").unwrap();
    let file = file.to_str().unwrap();
    let mut program = Program::start(&["--http", "127.0.0.1:0", "--contract", file, "--strict"]);
    let address = program.address("http");
    assert_eq!(Client::connect(address).get("/x").body, "{\"x\":1}");
    assert_eq!(Client::connect(address).get("/y").status, 404);
    let record = truth(address).contract.unwrap();
    assert_eq!((record.name.as_str(), record.strict, record.unknown), ("tiny", true, 1));
    program.signal(Signal::TERM);
    assert_eq!(program.end().0, Some(0));
    for (args, told) in [
        (&["--strict"][..], "--contract"),
        (&["--no-limits"], "--contract"),
        (&["--actual"], "--contract"),
        (&["--contract", "shop"], "there is no contract \"shop\": expected one of novacron"),
        (&["--contract", "nova-torch", "--actual"], "there is no contract of the actual service"),
        (&["--contract", file, "--actual"], "there is no contract of the actual service"),
        (&["--contract", "none.toml"], "none.toml: cannot read the contract"),
        (&["--contract", "aragora", "--processes", "2"], "expected --processes 1"),
    ] {
        let (code, stderr) = Program::start(args).end();
        assert_eq!(code, Some(104), "{args:?}: {stderr}");
        assert!(stderr.contains(told), "{args:?}: {stderr}");
    }
}
