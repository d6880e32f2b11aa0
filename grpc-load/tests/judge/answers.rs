//! Are answers told apart, right from wrong and one wrong from another?

use h2::Reason;
use load_report::fault::FaultKind;
use load_report::model::RunFile;

use crate::raw::{Answer, GOOD, Raw};
use crate::support::{load_calls, proto, run, server, url};

/// Kind, code, count and sample of the only fault.
#[track_caller]
fn only_fault(run: &RunFile) -> (FaultKind, u32, u64, &str) {
    let [fault] = run.faults.as_slice() else { panic!("{:?}", run.faults) };
    (fault.kind, fault.code, fault.count, &fault.sample)
}

#[test]
fn every_status_has_its_kind_and_keeps_its_number_and_message() {
    for (number, name) in [
        (1, "cancelled"),
        (2, "unknown"),
        (3, "invalid_argument"),
        (4, "deadline_exceeded"),
        (5, "not_found"),
        (6, "already_exists"),
        (7, "permission_denied"),
        (8, "resource_exhausted"),
        (9, "failed_precondition"),
        (10, "aborted"),
        (11, "out_of_range"),
        (12, "unimplemented"),
        (13, "internal"),
        (14, "unavailable"),
        (15, "data_loss"),
        (16, "unauthenticated"),
    ] {
        let server = server(&format!("[grpc]\nfail = {{ code = \"{name}\", message = \"ä 1%\\nx\" }}\n"));
        let left = run(&url(&server), "-u 2 -c 1 -n 10");
        let kind = match number {
            4 => FaultKind::Timeout,
            8 => FaultKind::RateLimited,
            _ => FaultKind::Rejected,
        };
        let said = format!("{}: ä 1% x", name.to_uppercase());
        assert_eq!(only_fault(left.run()), (kind, number, 10, said.as_str()));
        assert_eq!((left.code, load_calls(&server.grpc_truth())), (99, 10));
        assert_eq!(server.grpc_truth().by_status[&name.to_uppercase()], 10);
        // The connection goes on.
        assert_eq!(left.run().connections.opened, 1);
    }
}

#[test]
fn a_status_that_was_expected_is_good_and_ok_is_not_then() {
    let server = server("[grpc]\nfail = { every = 2, code = \"not_found\" }\n");
    let both = run(&url(&server), "-u 2 -c 1 -n 10 --expect-code ok,NOT_FOUND");
    assert_eq!((both.code, both.run().ledger.calls.ok), (0, 10));
    let left = run(&url(&server), "-u 1 -n 10 --expect-code 5");
    assert_eq!(only_fault(left.run()), (FaultKind::Wrong, 0, 5, "status OK; expected NOT_FOUND"));
}

#[test]
fn answers_of_every_shape_are_what_they_are() {
    for (answer, expected) in [
        (Answer::Bytes(GOOD, 1, Some("0")), None),
        (Answer::Bytes(b"\0\0\0\0\0", 64, Some("0")), None),
        (Answer::Bytes(GOOD, 64, Some("13")), Some((FaultKind::Rejected, 13, "INTERNAL"))),
        (
            Answer::Trailers("14", "down%20it%20went"),
            Some((FaultKind::Rejected, 14, "UNAVAILABLE: down it went")),
        ),
        (Answer::Trailers("0", ""), Some((FaultKind::Malformed, 0, "without a message"))),
        (Answer::Trailers("99", ""), Some((FaultKind::Rejected, 99, "status 99"))),
        (Answer::Bytes(GOOD, 64, None), Some((FaultKind::Malformed, 0, "without grpc-status"))),
        (
            Answer::Bytes(b"\x01\0\0\0\x02\x08\x01", 64, Some("0")),
            Some((FaultKind::Malformed, 0, "compressed")),
        ),
        (
            Answer::Bytes(b"\0\0\0\0\0\0\0\0\0\0", 3, Some("0")),
            Some((FaultKind::Malformed, 0, "more than one")),
        ),
        (
            Answer::Bytes(b"\0\0\0\0\x09\x08", 64, Some("0")),
            Some((FaultKind::ShortBody, 0, "8 bytes before")),
        ),
        (Answer::Bytes(b"\0\x7f\0\0\0", 64, Some("0")), Some((FaultKind::TooLarge, 0, "--max-message"))),
        (
            Answer::Bytes(b"\0\0\0\0\x02\x0a\x09", 64, Some("0")),
            Some((FaultKind::Malformed, 0, "is no nova_torch")),
        ),
        (Answer::Http(503, "text/html"), Some((FaultKind::Rejected, 503, "expected 200"))),
        (Answer::Http(429, "text/html"), Some((FaultKind::RateLimited, 429, "expected 200"))),
        (Answer::Http(200, "text/html"), Some((FaultKind::Malformed, 0, "text/html"))),
        (Answer::Reset(Reason::REFUSED_STREAM), Some((FaultKind::Reset, 7, "REFUSED_STREAM"))),
    ] {
        let raw = Raw::start(answer, None);
        let left = run(&raw.url(), &format!("-u 4 -c 2 -n 20 --proto {}", proto()));
        let ledger = &left.run().ledger.calls;
        let Some((kind, code, says)) = expected else {
            assert_eq!((left.code, ledger.ok, raw.calls()), (0, 20, 20), "{}", left.stdout);
            continue;
        };
        let fault = only_fault(left.run());
        assert_eq!((fault.0, fault.1, fault.2, raw.calls()), (kind, code, 20, 20), "{}", fault.3);
        assert!(fault.3.contains(says), "{} lacks {says}", fault.3);
        // None of these ends the connection.
        assert_eq!(left.run().connections.opened, 2);
    }
}

#[test]
fn what_the_server_script_spoils_is_malformed() {
    for (how, kind) in [
        ("garbage", FaultKind::Malformed),
        ("short", FaultKind::ShortBody),
        ("empty", FaultKind::Malformed),
        ("reset", FaultKind::Reset),
    ] {
        let server = server(&format!("[grpc]\nfail = {{ every = 2, how = \"{how}\" }}\n"));
        let left = run(&url(&server), "-u 1 -n 20");
        let calls = &left.run().ledger.calls;
        assert_eq!((calls.ok, calls.failed.get(kind)), (10, 10), "{how}: {:?}", left.run().faults);
        assert_eq!(server.grpc_truth().aborted.total(), 10);
    }
}

#[test]
fn text_is_looked_for_in_the_answer_as_json() {
    let server = server("");
    let good = run(&url(&server), "-u 1 -n 5 --expect-text registered");
    assert_eq!((good.code, good.run().ledger.calls.ok), (0, 5));
    let left = run(&url(&server), "-u 1 -n 5 --expect-text nowhere");
    assert_eq!(only_fault(left.run()), (FaultKind::Wrong, 0, 5, "the answer lacks \"nowhere\""));
}
