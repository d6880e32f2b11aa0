//! Does it work with servers that others wrote? Node's `ws` and Python's `websockets`, each skipped where it is missing.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdout, Command, Stdio};

use load_report::fault::FaultKind::Closed;
use load_report::model::RunFile;
use serde_json::Value;

use crate::support::{args, calls, observed, tool, whole};

/// A library that makes servers.
#[derive(Clone, Copy)]
struct Library {
    program: &'static str,
    /// What the program is told before a script.
    script: &'static str,
    check: &'static str,
    server: &'static str,
    package: &'static str,
}

const NODE: Library = Library {
    program: "node",
    script: "-e",
    check: "require('ws')",
    server: include_str!("others/server.js"),
    package: "node-ws",
};
const PYTHON: Library = Library {
    // The one that Debian's packages are for, wherever another one is.
    program: "/usr/bin/python3",
    script: "-c",
    check: "import websockets",
    server: include_str!("others/server.py"),
    package: "python3-websockets",
};

/// A server of somebody else's.
struct Other {
    child: Child,
    output: BufReader<ChildStdout>,
    port: String,
}

impl Library {
    fn command(self, script: &str) -> Command {
        let mut command = Command::new(self.program);
        // Where Debian and others put modules for everyone.
        let given = std::env::var("NODE_PATH").unwrap_or_default();
        let modules = format!("{given}:/usr/share/nodejs:/usr/lib/node_modules:/usr/local/lib/node_modules");
        command.env("NODE_PATH", modules).args([self.script, script]);
        command
    }

    /// Starts a server; none where there is no such library.
    fn serve(self, more: &[&str]) -> Option<Other> {
        let checked = self.command(self.check).stdout(Stdio::null()).stderr(Stdio::null()).status();
        if !checked.is_ok_and(|status| status.success()) {
            let mut out = std::io::stdout();
            writeln!(out, "skipped: on Debian, install {}", self.package).unwrap();
            return None;
        }
        let mut command = self.command(self.server);
        let mut child = command.args(more).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut port = String::new();
        output.read_line(&mut port).unwrap();
        Some(Other { child, output, port: port.trim().into() })
    }
}

impl Other {
    fn url(&self, scheme: &str) -> String {
        format!("{scheme}://localhost:{}/x?id={{{{vu}}}}", self.port)
    }

    /// What it counted.
    fn told(mut self) -> Told {
        drop(self.child.stdin.take());
        let mut told = String::new();
        self.output.read_to_string(&mut told).unwrap();
        self.child.wait().unwrap();
        Told(serde_json::from_str(&told).unwrap())
    }
}

#[derive(Debug)]
struct Told(Value);

impl Told {
    fn of(&self, name: &str) -> u64 {
        self.0[name].as_u64().unwrap()
    }

    /// Ends by their code.
    fn closed(&self) -> BTreeMap<String, u64> {
        serde_json::from_value(self.0["closed"].clone()).unwrap()
    }
}

/// What must hold between a run without faults and the counts of the server that it was alone with.
fn agrees(run: &RunFile, told: &Told) {
    let opened = run.connections.opened + run.ledger.control_calls;
    assert_eq!((told.of("opened"), told.of("open")), (opened, 0), "{told:?}");
    assert_eq!(told.closed(), [("1000".to_owned(), opened)].into(), "{told:?}");
    assert_eq!((told.of("offered"), told.of("compressed")), (0, 0), "nothing is compressed");
    let answers = whole(run, "messages_answers");
    assert_eq!((calls(run, "echo"), answers), (told.of("echoes"), told.of("echoes")), "{told:?}");
    assert!(told.of("pieces") > 0, "some of the answers come in pieces");
    if told.0.get("pings").is_some() {
        assert_eq!(calls(run, "ping"), told.of("pings"), "{told:?}");
    } else {
        assert!(whole(run, "pings_received") > 0);
    }
    // What met a closing connection may have been counted by the server all the same.
    let (pushed, sent) = (whole(run, "messages_pushed"), told.of("pushes") + told.of("relayed"));
    assert!(pushed <= sent && pushed > 500, "{pushed}, {told:?}");
    assert_eq!(observed(run, "message_latency") + whole(run, "timestamps_ahead"), pushed);
    assert_eq!(whole(run, "messages_received"), pushed + answers);
}

#[test]
fn others_count_the_same() {
    for (library, line) in [
        (NODE, "-u 100 --think 100ms -d 2s --send echo=3,ping=1 --subprotocol chat"),
        (NODE, "-u 100 --think 100ms -d 2s --send echo=3,ping=1 --fragment 7"),
        (PYTHON, "-u 50 --think 200ms -d 2s --send echo=3,ping=1 --subprotocol chat --binary"),
        (PYTHON, "-u 50 --think 200ms -d 2s --send echo=3,ping=1 --fragment 7"),
    ] {
        let Some(server) = library.serve(&[""]) else { continue };
        let left = tool().run(args(&server.url("ws"), line));
        let (run, told) = (left.run(), server.told());
        assert_eq!(left.code, 0, "{}", left.stdout);
        agrees(run, &told);
        let chat = if line.contains("chat") { told.of("opened") } else { 0 };
        assert_eq!(told.of("chat"), chat);
        // Nothing but its own pushes, of which those are missing that met a closing connection.
        let pushed = whole(run, "messages_pushed");
        assert!(pushed + told.of("opened") >= told.of("pushes"), "{pushed}, {told:?}");
        assert_eq!(whole(run, "messages_missing") + whole(run, "messages_duplicate"), 0);
    }
}

#[test]
fn what_one_publishes_others_hear_through_other_servers_too() {
    for library in [NODE, PYTHON] {
        let Some(server) = library.serve(&[""]) else { continue };
        let line = "-u 20 --think 100ms -d 2s --send echo=2,ping=1,publish=1";
        let left = tool().run(args(&server.url("ws"), line));
        let (run, told) = (left.run(), server.told());
        assert_eq!(left.code, 0, "{}", left.stdout);
        agrees(run, &told);
        assert_eq!(calls(run, "publish"), told.of("broadcasts"), "{told:?}");
        assert!(told.of("relayed") <= 19 * told.of("broadcasts") && told.of("relayed") > 500, "{told:?}");
        // At the end of each connection a push and the last of the broadcasts may be under way.
        let (pushed, sent) = (whole(run, "messages_pushed"), told.of("pushes") + told.of("relayed"));
        assert!(pushed + 20 * 4 >= sent, "{pushed}, {told:?}");
    }
}

#[test]
fn a_token_is_asked_for() {
    for library in [NODE, PYTHON] {
        let Some(server) = library.serve(&["right"]) else { continue };
        let url = server.url("ws");
        for more in ["", " --token wrong"] {
            let left = tool().run(args(&url, &format!("-u 1 -d 1s --quiet{more}")));
            left.is_refused(114, "401 Unauthorized, expected 101 Switching Protocols; give --token-file");
        }
        let left = tool().run(args(&url, "-u 2 -n 10 --token right"));
        let told = server.told();
        assert_eq!((left.code, calls(left.run(), "echo")), (0, 10), "{}", left.stdout);
        assert_eq!((told.of("refused"), told.of("opened"), told.of("echoes")), (2, 3, 10), "{told:?}");
    }
}

#[test]
fn codes_and_reasons_of_others_are_told() {
    for library in [NODE, PYTHON] {
        let Some(server) = library.serve(&[""]) else { continue };
        // Each user is thrown out with a code of its own.
        let left = tool().run(args(&server.url("ws"), "-u 4 -n 40 --message close:400{{vu}}:enough"));
        let (run, told) = (left.run(), server.told());
        let faults: BTreeMap<_, _> =
            run.faults.iter().map(|fault| (fault.code.to_string(), fault.count)).collect();
        let mut closed = told.closed();
        // The question before the run, and who had just come back when it ended, with or without having been told so.
        let others = closed.remove("1000").unwrap() + closed.remove("1006").unwrap_or(0);
        assert!((1..=5).contains(&others) && others + 40 == told.of("opened"), "{told:?}");
        assert_eq!((&faults, left.code), (&closed, 99), "{told:?}");
        assert_eq!(run.ledger.calls.failed.get(Closed), 40);
        assert!(faults.len() == 4 && faults.keys().all(|code| code.starts_with("400")), "{faults:?}");
        assert!(run.faults.iter().all(|fault| fault.sample.contains("\"enough\"")), "{:?}", run.faults);
    }
}

#[test]
fn over_tls_too() {
    let dir = tempfile::tempdir().unwrap();
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["localhost".into()]).unwrap();
    let [cert_file, key_file] = ["cert.pem", "key.pem"].map(|name| dir.path().join(name));
    std::fs::write(&cert_file, cert.pem()).unwrap();
    std::fs::write(&key_file, signing_key.serialize_pem()).unwrap();
    let [cert_file, key_file] = [&cert_file, &key_file].map(|file| file.to_str().unwrap());
    for trust in [&format!("--cacert {cert_file}"), "--insecure"] {
        let Some(server) = PYTHON.serve(&["", cert_file, key_file]) else { continue };
        let line = format!("-u 50 --think 200ms -d 2s --send echo=3,ping=1 {trust}");
        let left = tool().run(args(&server.url("wss"), &line));
        assert_eq!(left.code, 0, "{}", left.stdout);
        agrees(left.run(), &server.told());
    }
}
