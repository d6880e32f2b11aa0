//! What becomes of a migration whose target does not do what the protocol says? A target that answers as a test tells it to.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use load_report::fault::FaultKind;
use load_wire::dwcp::frame::{Decoder, Encoder, Kind};
use load_wire::dwcp::message::{Ack, Phase, Reason, Step, Welcome};
use load_wire::dwcp::{TO_SOURCE, TO_TARGET};

use crate::run;

/// What it says to INIT, behind what it has said before; none to leave.
type Answer = fn(&mut Encoder) -> Option<Vec<u8>>;

/// Serves one connection: welcomes it with `features`, and answers INIT.
fn serve(mut socket: TcpStream, features: u32, answer: Answer) -> std::io::Result<()> {
    let (mut decoder, mut encoder) = (Decoder::new(TO_TARGET), Encoder::new(0));
    loop {
        let n = socket.read(decoder.space())?;
        if n == 0 {
            return Ok(());
        }
        let kind = decoder.filled(n).unwrap().map(|frame| frame.kind);
        let mut out = Vec::new();
        match kind {
            Some(Kind::Hello) => {
                let welcome = Welcome { features, credit: 1 << 20, payload: TO_TARGET as u32 };
                encoder.put(Kind::Welcome, &welcome.bytes(), &mut out);
            }
            Some(Kind::Init) => match answer(&mut encoder) {
                Some(answer) => out = answer,
                None => return Ok(()),
            },
            _ => {}
        }
        socket.write_all(&out)?;
    }
}

/// Its URL. It lives as long as the test's process.
fn target(features: u32, answer: Answer) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("tcp://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let socket = socket.unwrap();
            // Whoever leaves has seen enough.
            std::thread::spawn(move || drop(serve(socket, features, answer)));
        }
    });
    url
}

fn frame(encoder: &mut Encoder, kind: Kind, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    encoder.put(kind, payload, &mut out);
    out
}

#[test]
fn every_mistake_of_a_target_is_the_fault_that_it_is() {
    let cases: [(Answer, FaultKind, u32); 8] = [
        (|_| Some(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()), FaultKind::Malformed, 0),
        (|_| None, FaultKind::Closed, 0),
        // An acknowledgement of what was not sent.
        (|to| Some(frame(to, Kind::Ack, &Ack { next: 9, credit: 1 << 20 }.bytes())), FaultKind::Malformed, 5),
        // Credit that is taken back.
        (|to| Some(frame(to, Kind::Ack, &Ack { next: 1, credit: 1 }.bytes())), FaultKind::Malformed, 5),
        // Another phase.
        (
            |to| Some(frame(to, Kind::Done, &Step { phase: Phase::PostCopy, round: 0 }.done(0))),
            FaultKind::Malformed,
            5,
        ),
        // What only a source says.
        (|to| Some(frame(to, Kind::Rollback, &[])), FaultKind::Malformed, 5),
        // Longer than a source allows.
        (|to| Some(to.header(Kind::Abort, &[&[0; TO_SOURCE + 1]]).to_vec()), FaultKind::Malformed, 0),
        // A corrupted one.
        (
            |to| {
                let mut done =
                    frame(to, Kind::Done, &Step { phase: Phase::Initialization, round: 0 }.done(0));
                done[30] ^= 1;
                Some(done)
            },
            FaultKind::Malformed,
            0,
        ),
    ];
    for (i, (answer, kind, code)) in cases.into_iter().enumerate() {
        let url = target(0, answer);
        let left = run(&url, "--mode data -u 1 -n 1 --vm-memory 1MiB --streams 1");
        assert_eq!(left.code, 99, "case {i}: {}{}", left.stdout, left.stderr);
        let fault = &left.run().faults[0];
        assert_eq!((fault.kind, fault.code), (kind, code), "case {i}: {}", fault.sample);
        assert_eq!(
            (left.counter("migrations_started"), left.counter("migrations_failed")),
            (1, 1),
            "case {i}"
        );
    }
}

#[test]
fn a_target_that_gives_up_and_does_not_say_what_became_of_it_has_failed() {
    let url = target(0, |to| Some(frame(to, Kind::Abort, &Reason { code: 9, text: "no disk" }.bytes())));
    let left = run(&url, "--mode data -u 1 -n 1 --vm-memory 1MiB --streams 1 --timeout 1s");
    assert_eq!(left.code, 99, "{}", left.stderr);
    // It was asked to roll back and did not answer within the time of a migration.
    assert_eq!(left.run().faults[0].kind, FaultKind::Timeout);
    assert_eq!((left.counter("migrations_started"), left.counter("migrations_rolled_back")), (1, 0));
}

#[test]
fn a_target_without_what_the_run_needs_is_one_line_and_114() {
    let url = target(0, |_| None);
    run(&url, "--mode data -u 1 -n 1 --quiet --compress zstd").is_refused(114, "lacks a feature");
}
