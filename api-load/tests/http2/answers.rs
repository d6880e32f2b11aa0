//! What is made of answers that are not good?

use load_report::fault::FaultKind;
use load_report::model::RunFile;

use crate::node::Node;
use crate::raw::{self, cut, ok, ok_and_no_more, refusal, too_long, window};
use crate::run;

/// The kind, code and sample of the only kind of fault.
fn fault(run: &RunFile) -> (FaultKind, u32, &str) {
    let faults: Vec<_> = run.faults.iter().filter(|fault| fault.op.is_some()).collect();
    assert_eq!(faults.len(), 1, "{:?}", run.faults);
    (faults[0].kind, faults[0].code, faults[0].sample.as_str())
}

#[test]
fn statuses_and_texts_are_judged_as_in_http1() {
    for (path, flags, kind, code) in [
        ("/missing/4", "", FaultKind::Rejected, 404),
        ("/busy/4", "", FaultKind::RateLimited, 429),
        ("/missing/4", "--expect-status 200,404 --expect-text hello", FaultKind::Wrong, 0),
        ("/big/4", "--max-body 1000000", FaultKind::TooLarge, 0),
    ] {
        let server = Node::start();
        let left = run(&server.url(path), &format!("-c 2 --streams 4 -n 400 --no-thresholds {flags}"));
        let run = left.run();
        let calls = &run.ledger.calls;
        assert_eq!((calls.ok, calls.failed.get(kind)), (300, 100), "{path} {:?}", run.faults);
        assert_eq!((fault(run).1, run.connections.opened), (code, 2), "{path}");
        assert_eq!(server.counts()["ok"], 400);
    }
}

#[test]
fn long_bodies_pass_all_windows() {
    let server = Node::start();
    let left = run(&server.url("/big"), "-c 2 --streams 4 -n 48");
    let run = left.run();
    assert_eq!((left.code, run.ledger.calls.ok), (0, 48), "{}\n{:?}", left.stdout, run.faults);
    assert_eq!(run.connections.opened, 2);
}

#[test]
fn the_answer_to_head_has_no_body() {
    let server = Node::start();
    let left = run(&server.url("/"), "-X HEAD -c 1 --streams 2 -n 20");
    assert_eq!((left.code, left.run().ledger.calls.ok), (0, 20), "{}", left.stdout);
}

#[test]
fn a_reset_ends_its_call_and_nothing_else() {
    let every_second: [(raw::Answer, _, _); 2] = [
        (|stream| if stream % 4 == 1 { refusal(stream) } else { ok(stream) }, 7, "REFUSED_STREAM"),
        (|stream| if stream % 4 == 1 { cut(stream) } else { ok(stream) }, 2, "INTERNAL_ERROR"),
    ];
    for (answer, code, name) in every_second {
        let address = raw::start(answer);
        let left = run(&format!("http://{address}/"), "-c 2 --streams 4 -n 400 --no-thresholds");
        let run = left.run();
        let calls = &run.ledger.calls;
        assert_eq!(calls.ok + calls.failed.get(FaultKind::Reset), 400, "{:?}", run.faults);
        // Each connection alternates, whatever its share of the calls.
        assert!(calls.ok.abs_diff(200) <= 1, "{:?}", run.faults);
        let (_, told, sample) = fault(run);
        assert!(told == code && sample.contains(name), "{told} {sample}");
        assert_eq!(run.connections.opened, 2);
    }
}

#[test]
fn a_call_that_is_given_up_resets_its_stream_and_nothing_else() {
    let server = Node::start();
    let left = run(&server.url("/never/10"), "-c 2 --streams 4 -n 400 --timeout 100ms --no-thresholds");
    let run = left.run();
    let calls = &run.ledger.calls;
    assert_eq!((calls.ok, calls.failed.get(FaultKind::Timeout)), (360, 40), "{:?}", run.faults);
    assert_eq!(run.connections.opened, 2);
    let counts = server.counts();
    assert_eq!((&counts["requests"], &counts["connections"]), (&400.into(), &2.into()));
    assert_eq!(counts["cancelled"], 40);
}

#[test]
fn an_answer_that_breaks_http2_ends_its_call_and_nothing_else() {
    let address = raw::start(|stream| if stream % 4 == 1 { too_long(stream) } else { ok(stream) });
    let left = run(&format!("http://{address}/"), "-c 1 --streams 1 -n 40 --no-thresholds");
    let run = left.run();
    let calls = &run.ledger.calls;
    assert_eq!((calls.ok, calls.failed.get(FaultKind::Malformed)), (20, 20), "{:?}", run.faults);
    let (_, code, sample) = fault(run);
    assert!(code == 1 && sample.contains("PROTOCOL_ERROR"), "{code} {sample}");
    assert_eq!(run.connections.opened, 1);
}

#[test]
fn a_server_may_say_that_it_wants_no_more_of_the_request() {
    let address = raw::start(ok_and_no_more);
    let body = "x".repeat(100_000);
    let left =
        run(&format!("http://{address}/"), &format!("-c 1 --streams 2 -n 40 --expect-text ok --body {body}"));
    assert_eq!(left.run().ledger.calls.ok, 40, "{:?}", left.run().faults);
}

#[test]
fn a_window_that_overflows_ends_the_connection() {
    let address = raw::start(|stream| if stream == 5 { window() } else { ok(stream) });
    let left = run(&format!("http://{address}/"), "-c 1 --streams 1 -n 30 --no-thresholds");
    let run = left.run();
    let calls = &run.ledger.calls;
    assert_eq!((calls.ok, calls.failed.get(FaultKind::Malformed)), (20, 10), "{:?}", run.faults);
    let (_, code, sample) = fault(run);
    assert!(code == 3 && run.connections.opened == 10, "{code} {sample} {:?}", run.connections);
}
