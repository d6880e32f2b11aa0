//! What happens when connections end, in good order or not?

use h2::Reason;
use load_report::fault::FaultKind;
use tool_tests::{pass, timed};

use crate::raw::{Answer, Raw};
use crate::support::{at, load_calls, proto, run, server, start, tool, url};

#[test]
fn goaway_after_every_hundred_calls_loses_next_to_nothing() {
    let server = server("[grpc]\ncalls_per_connection = 100\n");
    let left = run(&url(&server), "-u 8 -c 2 -n 5000 --no-thresholds");
    let (run, truth) = (left.run(), server.grpc_truth());
    assert_eq!(
        load_calls(&truth) + run.connections.opened,
        truth.calls - run.ledger.control_calls + run.connections.opened
    );
    // A call that is begun while GOAWAY is on its way is refused before it is sent: the server never saw it.
    let calls = &run.ledger.calls;
    assert_eq!(calls.ok + calls.failed.total(), 5_000);
    assert_eq!(calls.ok, truth.by_status["OK"] - run.ledger.control_calls, "{:?}", run.faults);
    assert!(calls.failed.total() * 20 < calls.ok, "{:?}", run.faults);
    assert!(run.connections.opened >= 40, "{:?}", run.connections);
}

#[test]
fn a_connection_that_breaks_takes_its_calls_along_and_is_opened_again() {
    let server = server("[grpc]\nfail = { every = 200, how = \"close\" }\n");
    let left = run(&url(&server), "-u 8 -c 2 -n 2000 --no-thresholds");
    let (run, truth) = (left.run(), server.grpc_truth());
    let calls = &run.ledger.calls;
    // Answers that the server had written may have gone with the connection.
    let answered = truth.by_status["OK"] - run.ledger.control_calls;
    assert!((calls.ok..=calls.ok + calls.failed.total()).contains(&answered), "{:?}", run.faults);
    let ended = calls.failed.get(FaultKind::Closed) + calls.failed.get(FaultKind::Reset);
    assert_eq!((ended, calls.ok + ended), (calls.failed.total(), 2_000), "{:?}", run.faults);
    assert!(calls.failed.total() >= truth.aborted.close && run.connections.opened > 5);
}

#[test]
fn goaway_with_an_error_ends_the_calls_of_its_connection() {
    let raw = Raw::start(Answer::GoAway(Reason::ENHANCE_YOUR_CALM), None);
    let left = run(&raw.url(), &format!("-u 1 -n 5 --proto {}", proto()));
    let run = left.run();
    assert_eq!(run.ledger.calls.failed.total(), 5);
    let fault = run.faults.iter().find(|fault| fault.op.is_some()).unwrap();
    assert_eq!((fault.kind, fault.code), (FaultKind::Closed, 11), "{:?}", run.faults);
    assert!(fault.sample.contains("GOAWAY: ENHANCE_YOUR_CALM"), "{}", fault.sample);
}

#[test]
fn a_call_that_is_given_up_resets_its_stream_only() {
    let server = server("[grpc]\nfail = { every = 10, how = \"never\" }\n");
    let left = run(&url(&server), "-u 8 -c 2 -n 400 --timeout 100ms --no-thresholds");
    let run = left.run();
    let calls = &run.ledger.calls;
    assert_eq!((calls.ok, calls.failed.get(FaultKind::Timeout)), (360, 40), "{:?}", run.faults);
    assert_eq!((run.connections.opened, server.grpc_truth().aborted.never), (2, 40));
}

#[test]
fn a_server_killed_in_the_middle_fails_calls_at_the_schedules_pace_until_it_is_back() {
    timed(|| {
        let (tool, first) = (tool(), server(""));
        let address = first.grpc_addr().unwrap();
        let child = start(&tool, &url(&first), "-r 500 -d 9s -u 16 -c 4");
        pass(3_000);
        drop(first);
        pass(3_000);
        let again = at("", address);
        let left = tool.wait(child);
        let run = left.run();
        assert_eq!(run.ledger.calls.scheduled, 4_500);
        assert!(run.ledger.calls.failed.get(FaultKind::Connect) > 1_000);
        assert!(load_calls(&again.grpc_truth()) >= 900);
        left.exits(99)?;
        left.paced(500, &[4], &[1, 8])
    });
}
