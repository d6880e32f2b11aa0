//! What happens when connections end, in good order or not?

use load_report::fault::FaultKind;
use tool_tests::{args, pass, timed};

use crate::nginx::Nginx;
use crate::node::Node;
use crate::{run, tool};

#[test]
fn nginx_says_goaway_after_a_hundred_requests_and_next_to_nothing_is_lost() {
    let nginx = Nginx::start("http2", "keepalive_requests 100;");
    let left = run(&nginx.url("http"), "-c 2 --streams 4 -n 5000 --no-thresholds");
    let run = left.run();
    let calls = &run.ledger.calls;
    assert_eq!(calls.ok + calls.failed.total(), 5_000);
    // A call that is begun while GOAWAY is on its way is refused before it is sent, or not answered.
    assert_eq!(calls.failed.total(), calls.failed.get(FaultKind::Closed), "{:?}", run.faults);
    assert!(calls.failed.total() * 20 < calls.ok, "{:?}", run.faults);
    assert!(run.connections.opened >= 45, "{:?}", run.connections);
    assert_eq!(nginx.log().len() as u64, calls.ok, "{:?}", run.faults);
}

#[test]
fn after_goaway_answers_still_come_and_the_next_call_goes_over_a_new_connection() {
    let server = Node::start();
    let left = run(&server.url("/goaway/50"), "-c 1 --streams 1 -n 500 --no-thresholds");
    let run = left.run();
    assert_eq!(run.ledger.calls.ok, 500, "{:?}", run.faults);
    assert_eq!(run.connections.opened, 10, "{:?}", run.connections);
    assert_eq!(server.counts()["ok"], 500);
}

#[test]
fn goaway_between_two_calls_is_heard_while_nothing_is_sent() {
    let server = Node::start();
    let left = run(&server.url("/goaway/2"), "-r 20 -d 1s -c 1 --streams 1 --no-thresholds");
    let run = left.run();
    assert_eq!((run.ledger.calls.ok, run.ledger.calls.failed.total()), (20, 0), "{:?}", run.faults);
    assert!((10..=11).contains(&run.connections.opened), "{:?}", run.connections);
}

#[test]
fn a_connection_that_breaks_takes_its_calls_along_and_is_opened_again() {
    let server = Node::start();
    let left = run(&server.url("/destroy/100"), "-c 2 --streams 4 -n 2000 --no-thresholds");
    let run = left.run();
    let calls = &run.ledger.calls;
    assert_eq!(calls.ok + calls.failed.total(), 2_000);
    let counts = server.counts();
    let answered = counts["ok"].as_u64().unwrap();
    // Answers that the server had written may have gone with the connection.
    assert!((calls.ok..=calls.ok + calls.failed.total()).contains(&answered), "{counts} {:?}", run.faults);
    assert!((10..=100).contains(&calls.failed.total()), "{:?}", run.faults);
    assert!(run.connections.opened >= 10, "{:?}", run.connections);
}

#[test]
fn a_server_killed_in_the_middle_fails_calls_at_the_schedules_pace_until_it_is_back() {
    timed(|| {
        let (tool, first) = (tool(), Node::start());
        let (port, url) = (first.port, first.url("/"));
        let child = tool.start(args(&url, "--http2 --threads 1 -r 500 -d 9s -c 4 --streams 4"));
        pass(3_000);
        drop(first);
        pass(3_000);
        let again = Node::at(port, None);
        let left = tool.wait(child);
        let run = left.run();
        assert_eq!(run.ledger.calls.scheduled, 4_500);
        assert!(run.ledger.calls.failed.get(FaultKind::Connect) > 1_000);
        assert!(again.counts()["requests"].as_u64().unwrap() >= 800);
        left.exits(99)?;
        left.paced(500, &[4], &[1, 8])
    });
}
