//! Are the codes and reasons of close frames told apart, however many there are?

use load_report::fault::FaultKind::Closed;

use crate::raw::{CLOSE, Raw, frame};
use crate::support::{args, tool};

/// A server that closes its connections with these codes in turn, in answer to the first message.
fn closes(codes: Vec<u16>) -> Raw {
    Raw::start(move |peer| {
        peer.upgrade();
        peer.hear();
        let code = codes[(peer.number - 1) % codes.len()];
        let reason = format!("because of {code}");
        peer.say(&frame(0x88, &[&code.to_be_bytes(), reason.as_bytes()].concat()));
        peer.hear_out(false);
    })
}

#[test]
fn each_code_is_a_row_of_its_own_with_the_reason() {
    let codes = [1000_u16, 1001, 1003, 1008, 1011, 1012, 1013, 3000, 4000, 4999];
    let server = closes(codes.to_vec());
    let tool = tool();
    let left = tool.run(args(&server.url(), &format!("-u 1 -n {}", 2 * codes.len())));
    let run = left.run();
    assert_eq!((left.code, run.ledger.calls.failed.get(Closed)), (99, 2 * codes.len() as u64));
    let csv = std::fs::read_to_string(tool.results().join("ws_failures.csv")).unwrap();
    for (fault, code) in run.faults.iter().zip(codes) {
        assert_eq!((fault.kind, fault.code, fault.count), (Closed, code.into(), 2), "{:?}", run.faults);
        let expected = format!("closed by the server with code {code} \"because of {code}\"");
        assert_eq!(fault.sample, expected);
        assert!(left.stdout.contains(&format!("closed {code} ")), "{}", left.stdout);
        assert!(csv.contains(&format!("closed {code}: ")), "{csv}");
    }
    // Every close is answered with the same code.
    let mut answered: Vec<_> =
        server.heard().iter().filter_map(|heard| heard.frames.get(1)?.code()).collect();
    answered.sort_unstable();
    assert_eq!(answered, codes.iter().flat_map(|code| [*code; 2]).collect::<Vec<_>>());
}

#[test]
fn a_close_without_a_code_is_1005() {
    let server = Raw::start(|peer| {
        peer.upgrade();
        peer.hear();
        peer.say(&frame(0x88, b""));
        peer.hear_out(false);
    });
    let left = tool().run(args(&server.url(), "-u 1 -n 3"));
    let [fault] = &left.run().faults[..] else { panic!("{:?}", left.run().faults) };
    assert_eq!((fault.kind, fault.code, fault.count), (Closed, 1005, 3));
    let heard = server.heard();
    let answer = heard[0].frames.last().unwrap();
    assert_eq!((answer.opcode(), answer.payload.len()), (CLOSE, 0), "answered likewise");
}

#[test]
fn a_server_that_closes_idle_connections_is_told_apart_from_one_that_ends_calls() {
    let server = Raw::start(|peer| {
        peer.upgrade();
        peer.say(&frame(0x88, &[&1001_u16.to_be_bytes()[..], b"restart \x1b[31m"].concat()));
        peer.hear_out(false);
    });
    let left = tool().run(args(&server.url(), "-u 1 -d 500ms --send none --think 100ms"));
    let idle = left.run().faults.iter().find(|fault| fault.op.is_none()).unwrap();
    assert_eq!((idle.kind, idle.code), (Closed, 1001), "{:?}", left.run().faults);
    assert!(idle.sample.contains("restart") && !left.stdout.contains('\x1b'), "{idle:?}");
}

#[test]
fn codes_without_end_are_counted_without_end_of_memory() {
    // All codes that a server may choose by itself: more than a table has rows for, in the end.
    let server = closes((3000..5000).collect());
    let left = tool().run(args(&server.url(), "-u 4 -n 1500"));
    let run = left.run();
    assert_eq!(run.ledger.calls.failed.get(Closed), 1_500);
    assert_eq!(run.faults.iter().map(|fault| fault.count).sum::<u64>(), 1_500);
    assert!(run.faults.len() > 900 && run.faults.len() <= 1_001, "{} rows", run.faults.len());
    assert!(left.stdout.lines().count() < 150, "{} lines", left.stdout.lines().count());
}
