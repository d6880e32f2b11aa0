//! Are streams that go wrong told apart, and does the run go on?

use h2::Reason;
use load_report::fault::FaultKind;

use crate::raw::{Answer, Raw};
use crate::streams::{definition, load};

/// Two messages of `judge.Told`.
const TWO: &[u8] = b"\0\0\0\0\x02\x10\x01\0\0\0\0\x02\x10\x02";

#[test]
fn streams_of_every_shape_are_what_they_are() {
    for (answer, expected) in [
        (Answer::Bytes(TWO, 1, Some("0")), None),
        (Answer::Bytes(TWO, 64, Some("0")), None),
        // A stream may be empty.
        (Answer::Trailers("0", ""), None),
        (Answer::Bytes(TWO, 64, Some("13")), Some((FaultKind::Rejected, 13, "INTERNAL"))),
        (Answer::Bytes(TWO, 64, None), Some((FaultKind::Malformed, 0, "without grpc-status"))),
        (Answer::Bytes(&TWO[..12], 5, Some("0")), Some((FaultKind::ShortBody, 0, "2 bytes before"))),
        (
            Answer::Bytes(b"\0\0\0\0\x02\x0a\x09", 64, Some("0")),
            Some((FaultKind::Malformed, 0, "is no judge.Told")),
        ),
        (
            Answer::Bytes(b"\x01\0\0\0\x02\x10\x01", 64, Some("0")),
            Some((FaultKind::Malformed, 0, "compressed")),
        ),
        (Answer::Bytes(b"\0\x7f\0\0\0", 64, Some("0")), Some((FaultKind::TooLarge, 0, "--max-message"))),
        (Answer::Http(200, "text/html"), Some((FaultKind::Malformed, 0, "text/html"))),
        (Answer::Http(503, "text/html"), Some((FaultKind::Rejected, 503, "expected 200"))),
        (Answer::Trailers("4", "too%20late"), Some((FaultKind::Timeout, 4, "DEADLINE_EXCEEDED: too late"))),
        (Answer::Reset(Reason::INTERNAL_ERROR), Some((FaultKind::Reset, 2, "INTERNAL_ERROR"))),
    ] {
        for method in ["Many", "Echo"] {
            let raw = Raw::start(answer, None);
            let left = load(&raw.url(), method, "{}", &format!("-u 4 -c 2 -n 20 --proto {}", definition()));
            let run = left.run();
            assert_eq!((raw.calls(), run.connections.opened), (20, 2), "{method}: {:?}", run.faults);
            let Some((kind, code, says)) = expected else {
                assert_eq!((left.code, run.ledger.calls.ok), (0, 20), "{}", left.stdout);
                continue;
            };
            let [fault] = run.faults.as_slice() else { panic!("{:?}", run.faults) };
            assert_eq!((fault.kind, fault.code, fault.count), (kind, code, 20), "{}", fault.sample);
            assert!(fault.sample.contains(says), "{} lacks {says}", fault.sample);
        }
    }
}

#[test]
fn two_messages_are_too_many_where_only_the_client_streams() {
    let raw = Raw::start(Answer::Bytes(TWO, 64, Some("0")), None);
    let left = load(&raw.url(), "Sum", "{}", &format!("-u 1 -c 1 -n 5 --proto {}", definition()));
    let [fault] = left.run().faults.as_slice() else { panic!("{:?}", left.run().faults) };
    assert_eq!((fault.kind, fault.count), (FaultKind::Malformed, 5));
}

#[test]
fn goaway_ends_the_streams_of_a_connection_and_the_run_goes_on() {
    let raw = Raw::start(Answer::GoAway(Reason::ENHANCE_YOUR_CALM), None);
    let line = format!("-u 1 -n 5 --messages 3 --proto {}", definition());
    let left = load(&raw.url(), "Echo", "{}", &line);
    let run = left.run();
    assert_eq!(run.ledger.calls.failed.total(), 5);
    let fault = run.faults.iter().find(|fault| fault.op.is_some()).unwrap();
    assert_eq!((fault.kind, fault.code), (FaultKind::Closed, 11), "{:?}", run.faults);
}

#[test]
fn a_stream_that_is_given_up_leaves_the_connection_to_the_others() {
    let silent = Raw::start(Answer::Never, None);
    let line =
        format!("-u 4 -c 1 -n 12 --messages 1000 --timeout 100ms --no-thresholds --proto {}", definition());
    let left = load(&silent.url(), "Echo", "{}", &line);
    let run = left.run();
    assert_eq!(run.ledger.calls.failed.get(FaultKind::Timeout), 12, "{:?}", run.faults);
    assert_eq!((run.connections.opened, silent.calls()), (1, 12));
}
