//! What is said of frames that break RFC 6455, and what is the server told? Which frames does the tool send?

use load_report::fault::FaultKind::{self, Closed, Malformed, TooLarge};

use crate::raw::{CLOSE, Frame, PING, PONG, Raw, TEXT, frame};
use crate::support::{args, tool, whole};

/// Runs `line` against a server that answers the first message of each connection with `bytes`, of which the tool is to say `kind`
/// and `code`, and to the server `told`.
#[track_caller]
fn breaks(what: &str, bytes: Vec<u8>, (kind, code): (FaultKind, u32), told: u16, line: &str) -> String {
    let server = Raw::start(move |peer| {
        peer.upgrade();
        peer.hear();
        peer.say(&bytes);
        peer.hear_out(false);
    });
    let left = tool().run(args(&server.url(), &format!("-u 2 -n 4 {line}")));
    let run = left.run();
    assert_eq!((left.code, run.ledger.calls.failed.get(kind)), (99, 4), "{what}: {:?}", run.faults);
    let [fault] = &run.faults[..] else { panic!("{what}: {:?}", run.faults) };
    assert_eq!((fault.kind, fault.code, fault.count), (kind, code, 4), "{what}: {fault:?}");
    for heard in server.heard().iter().filter(|heard| heard.frames.len() > 1) {
        let last = heard.frames.last().unwrap();
        assert_eq!((last.opcode(), last.code(), last.masked), (CLOSE, Some(told), true), "{what}: {heard:?}");
        assert!(!heard.was_reset, "{what}");
    }
    let told = server.heard().iter().filter(|heard| heard.frames.len() > 1).count();
    assert_eq!(told, 4, "{what}");
    fault.sample.clone()
}

#[test]
fn frames_that_break_the_protocol_are_faults_and_the_server_is_told() {
    let close = |payload: &[u8]| frame(0x88, payload);
    let masked = [&[0x81, 0x82, 1, 2, 3, 4], &b"hi"[..]].concat();
    let broken = [
        ("masked", masked),
        ("the first reserved bit", frame(0xc1, b"hi")),
        ("the second reserved bit", frame(0xa1, b"hi")),
        ("the third reserved bit", frame(0x91, b"hi")),
        ("a reserved opcode for data", frame(0x83, b"hi")),
        ("a reserved opcode for control", frame(0x8b, b"")),
        ("a ping in pieces", frame(0x09, b"hi")),
        ("a close in pieces", frame(0x08, &1000_u16.to_be_bytes())),
        ("a ping that is too long", frame(0x89, &[0; 126])),
        ("a continuation of nothing", frame(0x80, b"hi")),
        ("a text within a text", [frame(0x01, b"a"), frame(0x81, b"b")].concat()),
        ("a binary message within a text", [frame(0x01, b"a"), frame(0x02, b"b")].concat()),
        ("a close with one byte", close(&[3])),
        ("a close that says there is no code", close(&1005_u16.to_be_bytes())),
        ("a close that says there was no close", close(&1006_u16.to_be_bytes())),
        ("a close that says there was no TLS", close(&1015_u16.to_be_bytes())),
        ("a close below all codes", close(&999_u16.to_be_bytes())),
        ("a close beyond all codes", close(&5000_u16.to_be_bytes())),
        ("a close with a code of nobody", close(&2000_u16.to_be_bytes())),
    ];
    for (what, bytes) in broken {
        breaks(what, bytes, (Malformed, 1002), 1002, "");
    }
}

#[test]
fn bad_utf_8_is_told_apart() {
    let reason = [&1000_u16.to_be_bytes(), &b"\xff"[..]].concat();
    for (what, bytes) in [
        ("in a text", frame(0x81, b"caf\xe9")),
        ("in the second piece", [frame(0x01, b"caf\xc3"), frame(0x80, b"\xff")].concat()),
        ("at the end of the last piece", [frame(0x01, b"caf"), frame(0x80, b"\xc3")].concat()),
        ("in the reason of a close", frame(0x88, &reason)),
        ("a surrogate", frame(0x81, b"\xed\xa0\x80")),
    ] {
        breaks(what, bytes, (Malformed, 1007), 1007, "");
    }
}

#[test]
fn what_is_too_large_is_told_by_its_header_alone() {
    let header = |length: u64| [&[0x82, 127], &length.to_be_bytes()[..]].concat();
    let pieces = [frame(0x02, &[0; 60]), frame(0x80, &[0; 60])].concat();
    for (what, bytes) in [
        ("one byte too many", frame(0x82, &[0; 101])),
        ("in two pieces", pieces),
        ("2^63 bytes", header(1 << 63)),
        ("2^64 - 1 bytes", header(u64::MAX)),
        ("2^62 bytes", header(1 << 62)),
    ] {
        let line = "--max-message 100 --message hello";
        let sample = breaks(what, bytes, (TooLarge, 1009), 1009, line);
        assert!(sample.contains("100"), "{sample}");
    }
}

#[test]
fn a_frame_that_breaks_off_is_an_end_without_a_close() {
    for bytes in [&[0x81][..], &[0x81, 5], &[0x81, 5, b'h'], &[0x81, 126, 0], &[0x01, 1, b'h'], &[]] {
        let server = Raw::start(move |peer| {
            peer.upgrade();
            peer.hear();
            peer.say(bytes);
        });
        let left = tool().run(args(&server.url(), "-u 2 -n 4"));
        let [fault] = &left.run().faults[..] else { panic!("{:?}", left.run().faults) };
        assert_eq!((fault.kind, fault.code, fault.count), (Closed, 1006, 4), "{bytes:?}");
        assert_eq!(fault.sample, "the connection ended without a close frame");
    }
}

#[test]
fn what_breaks_the_protocol_while_nobody_waits_is_told_too() {
    let server = Raw::start(|peer| {
        peer.upgrade();
        peer.say(&frame(0xc1, b"hi"));
        peer.hear_out(false);
    });
    let left = tool().run(args(&server.url(), "-u 1 -d 500ms --send none --think 50ms"));
    let idle = left.run().faults.iter().find(|fault| fault.op.is_none()).unwrap();
    assert_eq!((idle.kind, idle.code), (Malformed, 1002), "{:?}", left.run().faults);
    let heard = server.heard();
    let told = heard.iter().filter(|heard| heard.frames.last().and_then(Frame::code) == Some(1002)).count();
    // The end of the run may come first.
    assert!(told > 0 && told + 1 >= heard.len(), "{told} of {}", heard.len());
}

#[test]
fn an_answer_that_comes_byte_by_byte_is_read() {
    let server = Raw::start(|peer| {
        peer.upgrade();
        while let Some(heard) = peer.hear() {
            for byte in frame(heard.first, &heard.payload) {
                peer.say(&[byte]);
                tool_tests::pass(1);
            }
        }
    });
    // More than 125 bytes, so that the length is in pieces, too.
    let message = "0123456789".repeat(13);
    let left = tool().run(args(&server.url(), &format!("-u 2 -n 6 --message {message}")));
    let run = left.run();
    assert_eq!((left.code, run.ledger.calls.ok), (0, 6), "{}", left.stdout);
    assert!(run.totals.service_ms.unwrap().min > 100.0, "a byte a millisecond");
}

#[test]
fn a_text_is_sent_and_read_in_pieces() {
    let text = "zwölf Boxkämpfer jagen Viktor";
    for (kind, binary) in [(TEXT, ""), (2, " --binary")] {
        // The answer comes in pieces too, with a ping and a pong between them.
        let server = Raw::start(move |peer| {
            peer.upgrade();
            let mut whole = Vec::new();
            while let Some(piece) = peer.hear() {
                if piece.opcode() == CLOSE {
                    peer.say(&frame(0x88, &piece.payload));
                    break;
                }
                if piece.opcode() == PONG {
                    continue;
                }
                whole.extend(&piece.payload);
                if piece.first & 0x80 == 0 {
                    continue;
                }
                let (first, second) = whole.split_at(3);
                peer.say(&frame(kind, first));
                peer.say(&frame(0x80 | PING, b"!"));
                peer.say(&frame(0x80 | PONG, b"?"));
                peer.say(&frame(0x00, b""));
                peer.say(&frame(0x80, second));
                whole.clear();
            }
        });
        let tool = tool();
        let mut command = tool.command(args(&server.url(), &format!("-u 1 -n 3 --fragment 4{binary}")));
        let left = tool.left(&command.args(["--message", text]).output().unwrap());
        let run = left.run();
        assert_eq!(
            (left.code, run.ledger.calls.ok, whole(run, "messages_answers")),
            (0, 3, 3),
            "{}",
            left.stdout
        );
        let [heard] = &server.heard()[..] else { panic!("one connection") };
        let pieces: Vec<_> = heard.frames.iter().filter(|frame| frame.opcode() < CLOSE).collect();
        assert_eq!(pieces.len(), 3 * text.len().div_ceil(4));
        let first = &pieces[..text.len().div_ceil(4)];
        let sent: Vec<u8> = first.iter().flat_map(|piece| piece.payload.clone()).collect();
        assert_eq!(sent, text.as_bytes());
        let heads: Vec<u8> = first.iter().map(|piece| piece.first).collect();
        assert_eq!((heads[0], heads[1], *heads.last().unwrap()), (kind, 0, 0x80));
        assert!(first.iter().all(|piece| piece.masked && piece.payload.len() <= 4));
    }
}
