//! What every kind of bad answer is called, and whether the connection survives it.

use std::io::Read as _;
use std::sync::mpsc;
use std::time::Duration;

use load_core::protocol::Fault;
use load_report::fault::FaultKind;

use crate::client::{Client, run, server, url, within};
use crate::raw::{self, Raw};

/// One call to a server that fails in this way, with the note about it.
fn failing(fail: &str, flags: &[&str]) -> (Fault, String) {
    let server = server(&format!("[[rule]]\npath = \"/\"\nbody = \"0123456789\"\nfail = {{ {fail} }}\n"));
    let url = url(&server, "/x");
    run(async {
        let mut client = Client::new(&[&["--url", &url], flags].concat()).await;
        let fault = client.call().await.expect_err(fail);
        assert_eq!(fault.sent, server.truth().bytes_in, "{fail}");
        (fault, client.note)
    })
}

#[test]
fn broken_answers_are_told_apart() {
    use FaultKind::{Closed, Malformed, Reset, ShortBody, TooLarge};
    for (fail, kind, note) in [
        ("how = \"reset\"", Reset, "reset by peer"),
        ("how = \"close\"", Closed, "closed before the answer"),
        ("how = \"close\", after_bytes = 20", ShortBody, "in the middle of the headers"),
        ("how = \"short\"", ShortBody, "in the middle of the body"),
        ("how = \"malformed\"", Malformed, "status is not a number of three digits: \"HTTP/1.1 2x0 OK\\r\\n"),
        ("how = \"garbage\"", Malformed, "does not begin with HTTP/1"),
        ("how = \"bad_chunk\"", Malformed, "not a hexadecimal number"),
        ("how = \"bad_length\"", Malformed, "Content-Length is not a number"),
        ("how = \"two_lengths\"", Malformed, "two different Content-Lengths"),
        ("how = \"endless_header\"", TooLarge, "more than 128 header fields"),
        ("how = \"endless_body\"", TooLarge, "body exceeds the limit"),
        ("how = \"endless_interim\"", TooLarge, "more than 32 interim answers"),
    ] {
        let (fault, said) = failing(fail, &["--max-body", "100000"]);
        assert_eq!((fault.kind, fault.ends_session), (kind, true), "{fail}: {said}");
        assert!(said.contains(note), "{fail}: {said}");
    }
}

#[test]
fn a_reset_in_the_middle_tells_what_came_before() {
    let (fault, _) = failing("how = \"reset\", after_bytes = 40", &[]);
    assert_eq!(fault.kind, FaultKind::Reset);
    assert!(fault.received == 40 || fault.received == 0, "{fault:?}");
}

#[test]
fn garbage_that_is_tls_gets_a_hint() {
    let (_, note) = failing("how = \"garbage\"", &[]);
    assert!(note.contains("use https://"), "{note}");
}

#[test]
fn refusals_leave_the_connection_in_use() {
    let server = server(
        "[[rule]]\npath = \"/busy\"\nstatus = 429\n[[rule]]\npath = \"/gone\"\nstatus = 410\n\
         [[rule]]\npath = \"/\"\nbody = \"hello\"\n",
    );
    let faults = [
        ("/busy", FaultKind::RateLimited, 429, "status 429 Too Many Requests, expected 200-399"),
        ("/gone", FaultKind::Rejected, 410, "status 410 Gone, expected 200-399"),
        ("/", FaultKind::Wrong, 0, "the body lacks \"bye\""),
    ];
    for (path, kind, code, note) in faults {
        run(async {
            let before = server.truth().connections.accepted;
            let mut client = Client::new(&["--url", &url(&server, path), "--expect-text", "bye"]).await;
            for _ in 0..3 {
                let fault = client.call().await.unwrap_err();
                assert_eq!((fault.kind, fault.code, fault.ends_session), (kind, code, false), "{path}");
                assert_eq!(client.note, note);
            }
            // One to look whether the server is there, one to call.
            assert_eq!(server.truth().connections.accepted - before, 2);
        });
    }
}

#[test]
fn an_expected_status_is_no_fault() {
    let server = server("[[rule]]\npath = \"/busy\"\nstatus = 429\n[[rule]]\npath = \"/\"\nstatus = 201\n");
    run(async {
        let busy = url(&server, "/busy");
        Client::new(&["--url", &busy, "--expect-status", "200,4xx"]).await.call().await.unwrap();
        let fault = Client::new(&["--url", &url(&server, "/"), "--expect-status", "200"]).await.call().await;
        assert_eq!(fault.unwrap_err().code, 201);
    });
}

#[test]
fn silence_is_left_to_the_engine() {
    let server = server("[[rule]]\npath = \"/\"\nfail = { how = \"never\", after_bytes = 17 }\n");
    run(async {
        let mut client = Client::new(&["--url", &url(&server, "/")]).await;
        assert!(within(Duration::from_millis(50), client.call()).await.is_none());
    });
}

#[test]
fn bytes_beyond_the_answer_are_a_fault() {
    let raw = Raw::start(|mut stream| {
        raw::request(&mut stream);
        raw::send(&mut stream, &format!("{}!?", raw::OK));
    });
    let url = raw.url();
    run(async {
        let mut client = Client::new(&["--url", &url]).await;
        let fault = client.call().await.unwrap_err();
        assert_eq!((fault.kind, fault.ends_session), (FaultKind::Malformed, true));
        assert_eq!(client.note, "more bytes than the answer announced: \"!?\"");
    });
    raw.end();
}

/// A request of 32 MB does not fit into the buffers between the two.
fn refused_early(after: impl FnOnce(std::net::TcpStream) + Send + 'static) {
    let raw = Raw::start(|mut stream| {
        stream.read_exact(&mut [0; 1000]).unwrap();
        raw::send(&mut stream, "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n");
        after(stream);
    });
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("body");
    std::fs::write(&file, vec![b'x'; 32 << 20]).unwrap();
    let url = raw.url();
    run(async {
        let mut client = Client::new(&["--url", &url, "--body-file", file.to_str().unwrap()]).await;
        let fault = client.call().await.unwrap_err();
        assert_eq!(
            (fault.kind, fault.code, fault.ends_session),
            (FaultKind::Rejected, 413, true),
            "{}",
            client.note
        );
        assert!(fault.sent < 32 << 20);
    });
    raw.end();
}

#[test]
fn an_early_refusal_is_heard_while_the_request_is_stuck() {
    let (held, hold) = mpsc::channel();
    // The stream lives on after the server's thread has ended.
    refused_early(move |stream| held.send(stream).unwrap());
    drop(hold);
}

#[test]
fn a_header_of_many_segments_is_read() {
    let raw = Raw::start(|mut stream| {
        raw::request(&mut stream);
        for line in ["HTTP/1.1 200 OK\r\n", "X: y\r\n", "Content-Le", "ngth: 2\r\n\r", "\nok"] {
            raw::send(&mut stream, line);
            stream.set_nodelay(true).unwrap();
            std::thread::yield_now();
        }
    });
    let url = raw.url();
    run(async {
        let outcome = Client::new(&["--url", &url, "--expect-text", "ok"]).await.call().await.unwrap();
        assert_eq!(outcome.received, 46);
    });
    raw.end();
}
