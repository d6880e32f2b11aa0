//! What happens when the target is gone, was never there, is somebody else, or does what it should not?

use std::io::Write as _;
use std::net::TcpListener;

use load_report::fault::FaultKind;

use crate::support::{alone, args, pass, server, server_at, timed, tool, url, whole};

/// A port that takes connections and says `text`, and nothing else.
fn speaker(text: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            // Whoever asked may have gone.
            let _ = stream.write_all(text.as_bytes());
            kept.push(stream);
        }
    });
    format!("ws://{address}/")
}

#[test]
fn a_target_that_cannot_be_used_is_one_line_and_114_within_5_s() {
    let (http, strict) = (server(""), server("[ws]\ntoken = \"t\"\n"));
    let http = format!("ws://{}/", http.http_addr().unwrap());
    for (target, expected) in [
        ("ws://127.0.0.1:1/", "connection refused"),
        ("ws://no-such-host.invalid/", "cannot resolve no-such-host.invalid"),
        (&http, "answered with 200 OK, expected 101 Switching Protocols"),
        (&url(&strict, "/"), "answered with 401 Unauthorized"),
        (&speaker("SSH-2.0-OpenSSH\r\n"), "answered with \"SSH-2.0-OpenSSH\\r\\n\", which is no HTTP"),
        (&speaker(""), "no answer to the upgrade within 5 s"),
    ] {
        let began = target_server::now_ns();
        tool().run(args(target, "-r 10 -d 1s --quiet")).is_refused(114, expected);
        assert!(target_server::now_ns() - began < 5_000_000_000, "{target}");
    }
}

#[test]
fn mistakes_are_one_line_and_104() {
    for (url, line, expected) in [
        ("", "-d 1s", "give --url ws://HOST"),
        ("http://127.0.0.1:1/", "-d 1s", "write ws:// instead of http://"),
        ("https://127.0.0.1:1/", "-d 1s", "write wss:// instead of https://"),
        ("ws://127.0.0.1:1/", "-d 1s --message {{what}}", "unknown {{what}}"),
        ("ws://127.0.0.1:1/", "-d 1s --send ping --message x", "--message: nothing sends it"),
        ("ws://127.0.0.1:1/", "-d 1s --send echo,echo", "echo twice"),
        ("ws://127.0.0.1:1/", "-d 1s --subprotocol a,b", "expected a name like"),
    ] {
        tool().run(args(url, line)).is_refused(104, expected);
    }
}

#[test]
fn every_fault_has_its_kind() {
    let _alone = alone();
    for (how, kind, code) in [
        ("close:1011", FaultKind::Closed, 1011),
        ("reset", FaultKind::Reset, 104),
        ("hangup", FaultKind::Closed, 1006),
        ("malformed", FaultKind::Malformed, 1002),
        ("never", FaultKind::Timeout, 0),
        ("wrong", FaultKind::Wrong, 0),
    ] {
        let server = server(&format!("[ws]\nfail = {{ how = \"{how}\" }}\n"));
        let left = tool().run(args(&url(&server, "/"), "-r 50 -d 1s -c 16 --timeout 200ms"));
        let run = left.run();
        assert_eq!((left.code, run.ledger.calls.failed.get(kind)), (99, 50), "{how}: {:?}", run.faults);
        assert!(run.faults.iter().all(|fault| fault.code == code), "{how}: {:?}", run.faults);
        assert_eq!(server.ws_truth().received.echo, 50, "{how}");
        assert_eq!(whole(run, "messages_unexpected"), server.ws_truth().wrong, "{how}");
        assert!(run.totals.response_ms.is_none(), "no time of a failed call among the successful ones");
    }
}

#[test]
fn a_message_that_is_too_large_is_told() {
    let server = server("");
    let line = "-r 20 -d 1s -c 5 --message 0123456789 --max-message 9";
    let left = tool().run(args(&url(&server, "/"), line));
    assert_eq!((left.code, left.run().ledger.calls.failed.get(FaultKind::TooLarge)), (99, 20));
}

#[test]
fn upgrades_that_are_refused_are_told() {
    let server = server("[ws]\nfail = { every = 2, how = \"refuse:503\" }\n");
    let left = tool().run(args(&url(&server, "/"), "-u 10 --think 50ms -d 1s"));
    let (run, truth) = (left.run(), server.ws_truth());
    assert_eq!(truth.opened, run.connections.opened + run.ledger.control_calls);
    assert_eq!(truth.refused, [(503, run.connections.failed)].into());
    assert!(run.connections.failed >= 5, "{truth:?}");
    assert!(run.faults.iter().all(|fault| fault.kind == FaultKind::Rejected && fault.code == 503));
}

#[test]
fn the_end_of_the_server_fails_calls_at_the_schedules_pace_until_it_is_back() {
    timed(|| {
        let (tool, first) = (tool(), server(""));
        let address = first.ws_addr().unwrap().to_string();
        let child = tool.start(args(&url(&first, "/"), "-r 500 -d 6s -c 16"));
        pass(2_000);
        drop(first);
        pass(2_000);
        let again = server_at(&address, "");
        let left = tool.wait(child);
        let run = left.run();
        assert_eq!(run.ledger.calls.scheduled, 3_000);
        assert!(run.ledger.calls.failed.get(FaultKind::Connect) > 500);
        assert_eq!((again.ws_truth().open, again.ws_truth().opened), (0, 16));
        left.exits(99)?;
        left.paced(500, &[2, 3], &[0, 5])
    });
}
