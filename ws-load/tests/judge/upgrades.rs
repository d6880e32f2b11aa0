//! What is said of an answer to an upgrade that is none, or that is strange but right?

use load_report::fault::FaultKind::{Closed, Connect, Malformed, RateLimited, Rejected, TooLarge, Wrong};

use crate::raw::{Peer, Raw, frame};
use crate::support::{args, observed, tool, whole};

/// One user has a WebSocket, because there is no run without any; the other one does not get it.
const LINE: &str = "-u 2 --send none --think 20ms --timeout 200ms -d 600ms";

/// Answers every upgrade but the first like this.
fn answers(make: impl Fn(&Peer) -> String + Send + Sync + 'static) -> Raw {
    Raw::start(move |peer| {
        if peer.number == 1 {
            peer.upgrade();
            peer.hear_out(true);
        } else {
            let answer = make(peer);
            peer.say(answer.as_bytes());
        }
    })
}

#[test]
fn every_other_answer_has_its_kind() {
    let status = |line: &'static str| {
        answers(move |_| format!("HTTP/1.1 {line}\r\nLocation: /there\r\nContent-Length: 2\r\n\r\nno"))
    };
    let changed =
        |from: &'static str, to: &'static str| answers(move |peer| peer.answer("").replace(from, to));
    let more = |line: &'static str| answers(move |peer| peer.answer(line));
    for (what, server, kind, code, sample) in [
        ("200", status("200 OK"), Wrong, 200, "expected 101"),
        ("301", status("301 Moved Permanently"), Wrong, 301, "expected 101"),
        ("401", status("401 Unauthorized"), Rejected, 401, "expected 101"),
        ("429", status("429 Too Many Requests"), RateLimited, 429, "expected 101"),
        ("503", status("503 Service Unavailable"), Rejected, 503, "expected 101"),
        ("accept", changed("Accept: ", "Accept: A"), Malformed, 0, "does not follow from our key"),
        ("no upgrade", changed("Upgrade: websocket", "X: y"), Malformed, 0, "without Upgrade"),
        ("no connection", changed("Connection: Upgrade", "X: y"), Malformed, 0, "without Connection"),
        (
            "an extension",
            more("Sec-WebSocket-Extensions: permessage-deflate\r\n"),
            Malformed,
            0,
            "an extension that was not offered: \"permessage-deflate\"",
        ),
        ("a subprotocol", more("Sec-WebSocket-Protocol: chat\r\n"), Malformed, 0, "not asked for: \"chat\""),
        ("garbage", answers(|_| "\u{0}\u{1}\u{2} what?\r\n\r\n".into()), Malformed, 0, "which is no HTTP"),
        ("half of it", answers(|_| "HTTP/1.1 101 Swi".into()), Closed, 0, "closed without an answer"),
        (
            "no end",
            answers(|_| format!("HTTP/1.1 101 OK\r\nX: {}", "y".repeat(20_000))),
            TooLarge,
            0,
            "no end",
        ),
    ] {
        let left = tool().run(args(&server.url(), LINE));
        let run = left.run();
        assert_eq!((left.code, run.connections.opened), (99, 1), "{what}");
        assert!(run.connections.failed >= 2, "{what}: {:?}", run.connections);
        for fault in &run.faults {
            assert_eq!((fault.kind, fault.code), (kind, code), "{what}: {fault:?}");
            assert!(fault.sample.contains(sample), "{what}: {fault:?}");
        }
    }
}

#[test]
fn an_answer_that_does_not_end_ends_with_the_timeout() {
    let server = Raw::start(|peer| {
        let answer = peer.answer("");
        let (most, last) = answer.split_at(answer.len() - 1);
        for byte in most.as_bytes() {
            peer.say(&[*byte]);
        }
        if peer.number == 1 {
            peer.say(last.as_bytes());
        }
        peer.hear_out(true);
    });
    let left = tool().run(args(&server.url(), LINE));
    let run = left.run();
    assert!(run.connections.opened == 1 && run.connections.failed >= 2, "{:?}", run.connections);
    for fault in &run.faults {
        assert_eq!((fault.kind, fault.sample.as_str()), (Connect, "no connection within the timeout"));
    }
}

#[test]
fn an_answer_that_comes_byte_by_byte_is_an_answer() {
    let server = Raw::from_the_first(|peer| {
        for byte in peer.answer("Server: slow\r\n").as_bytes() {
            peer.say(&[*byte]);
            tool_tests::pass(1);
        }
        while let Some(frame) = peer.hear() {
            let mut answer = vec![frame.first, frame.payload.len() as u8];
            answer.extend(&frame.payload);
            peer.say(&answer);
            if frame.opcode() == crate::raw::CLOSE {
                break;
            }
        }
    });
    let left = tool().run(args(&server.url(), "-u 2 -n 10"));
    let run = left.run();
    assert_eq!((left.code, run.ledger.calls.ok, run.connections.opened), (0, 10, 2), "{}", left.stdout);
    // A byte a millisecond, and more than 100 of them.
    let upgrade = run.extras.iter().find(|extra| extra.name == "upgrade").unwrap();
    assert!(upgrade.count == 2 && upgrade.ms.unwrap().min > 100.0, "{upgrade:?}");
}

#[test]
fn what_comes_right_behind_the_answer_is_read() {
    let push = |seq: u8| frame(0x81, format!("{{\"seq\":{seq},\"timestamp\":1795248000}}").as_bytes());
    let server = answers_and(move |answer| {
        // The second one is cut: its other half comes later.
        let pushes = [push(0), push(1)].concat();
        let (now, later) = pushes.split_at(pushes.len() - 9);
        ([answer, now].concat(), later.to_vec())
    });
    let left = tool().run(args(&server.url(), "-u 5 --send none --think 50ms -d 500ms"));
    let run = left.run();
    assert_eq!((left.code, run.connections.opened), (0, 5), "{}", left.stdout);
    assert_eq!((whole(run, "messages_pushed"), whole(run, "messages_missing")), (10, 0));
    assert_eq!(observed(run, "message_latency") + whole(run, "timestamps_ahead"), 10);
}

/// Sends both parts of what follows from the answer to an upgrade, with a pause between them.
fn answers_and(make: impl Fn(&[u8]) -> (Vec<u8>, Vec<u8>) + Send + Sync + 'static) -> Raw {
    Raw::start(move |peer| {
        let (now, later) = make(peer.answer("").as_bytes());
        peer.say(&now);
        tool_tests::pass(50);
        peer.say(&later);
        peer.hear_out(true);
    })
}

#[test]
fn before_the_run_it_is_one_line_with_what_to_do() {
    for (line, expected) in [
        ("301 Moved Permanently", "redirects are not followed: give the URL that it leads to"),
        ("403 Forbidden", "give --token-file or --header"),
        ("404 Not Found", "is there a WebSocket at this path?"),
        ("503 Service Unavailable", "try again later"),
    ] {
        let server = Raw::from_the_first(move |peer| {
            peer.say(format!("HTTP/1.1 {line}\r\nLocation: /x?token=secret\r\n\r\n").as_bytes());
        });
        let left = tool().run(args(&server.url(), "-u 1 -d 1s --quiet"));
        left.is_refused(114, expected);
        assert!(left.stderr.contains(line) && !left.stderr.contains("secret"), "{}", left.stderr);
    }
    let server = Raw::from_the_first(|peer| {
        let answer = peer.answer("Sec-WebSocket-Extensions: permessage-deflate\r\n");
        peer.say(answer.as_bytes());
    });
    tool()
        .run(args(&server.url(), "-u 1 -d 1s --quiet"))
        .is_refused(114, "an extension that was not offered");
    let server = Raw::from_the_first(Peer::upgrade);
    let line = "-u 1 -d 1s --quiet --subprotocol chat";
    tool().run(args(&server.url(), line)).is_refused(114, "it accepts no subprotocol of chat");
}
