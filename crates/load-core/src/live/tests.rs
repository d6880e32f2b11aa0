//! Does a reader get what there is, whatever it does, and does it ever hold up a run?

use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use super::*;

const SECRET: &str = "hunter2-hunter2";

fn live() -> (Live, SocketAddr) {
    let secrets = Arc::new(Secrets::new(vec![SECRET.into()]));
    let console = Console::new(Arc::clone(&secrets), true);
    let live = Live::open(SocketAddr::from(([127, 0, 0, 1], 0)), secrets, &console).unwrap();
    let said = console.log();
    let (_, address) = said.split_once("http://").unwrap();
    let address = address.split('/').next().unwrap().parse().unwrap();
    (live, address)
}

fn say(address: SocketAddr, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

/// The whole answer.
fn ask(address: SocketAddr, request: &str) -> String {
    let mut answer = String::new();
    say(address, request).read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_small_site_and_nothing_else() {
    let (live, address) = live();
    live.shown.send_modify(|shown| shown.metrics = Bytes::from_static(b"a 1\n"));
    for (request, head, body) in [
        (
            "GET /metrics HTTP/1.0\r\n\r\n",
            "HTTP/1.0 200 OK\r\ncontent-type: text/plain; version=0.0.4; charset=utf-8",
            "\r\n\r\na 1\n",
        ),
        ("HEAD /metrics HTTP/1.0\r\n\r\n", "HTTP/1.0 200 OK", "\r\n\r\n"),
        ("GET /healthz HTTP/1.0\r\n\r\n", "HTTP/1.0 200 OK", "\r\n\r\nok\n"),
        ("GET / HTTP/1.0\r\n\r\n", "HTTP/1.0 200 OK\r\ncontent-type: text/html", "</html>\n"),
        ("GET /metrics/../etc HTTP/1.0\r\n\r\n", "HTTP/1.0 404", "/healthz and /\n"),
        ("POST /metrics HTTP/1.0\r\ncontent-length: 0\r\n\r\n", "HTTP/1.0 405", "only GET and HEAD\n"),
        ("\u{1}\u{2}nonsense\r\n\r\n", "HTTP/1.1 400", "\r\n\r\n"),
    ] {
        let answer = ask(address, request);
        assert!(answer.starts_with(head) && answer.ends_with(body), "{request:?}: {answer:?}");
    }
    assert!(ask(address, "PUT / HTTP/1.0\r\n\r\n").contains("\r\nallow: GET, HEAD\r\n"));
}

#[test]
fn who_comes_late_is_told_of_the_run_first_and_secrets_are_told_to_nobody() {
    let (live, address) = live();
    live.shown.send_modify(|shown| shown.hello = feed::message("run", &1, &live.secrets));
    live.feed.tell("interval", &"before anybody listened");
    let mut reader = BufReader::new(say(address, "GET /events HTTP/1.0\r\n\r\n"));
    let mut text = String::new();
    while !text.ends_with("event: run\ndata: 1\n\n") {
        assert!(reader.read_line(&mut text).unwrap() > 0, "{text}");
    }
    live.feed.tell("event", &json!({ "command": ["a", format!("--password={SECRET}"), "line\nbreak"] }));
    drop(live);
    text.clear();
    reader.read_to_string(&mut text).unwrap();
    assert_eq!(text, "event: event\ndata: {\"command\":[\"a\",\"--password=***\",\"line\\nbreak\"]}\n\n");
}

#[test]
fn a_reader_that_does_not_read_loses_events_and_is_told_how_many() {
    let (live, address) = live();
    let mut reader = BufReader::new(say(address, "GET /events HTTP/1.0\r\n\r\n"));
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        assert!(reader.read_line(&mut line).unwrap() > 0);
    }
    // More than all buffers between the two can hold, and nobody reads: told it is all the same.
    let (filler, told) = ("x".repeat(10_000), 5_000_u64);
    (0..told).for_each(|_| live.feed.tell("interval", &filler));
    let (mut received, mut dropped, mut last) = (0, 0, String::new());
    while received + dropped < told {
        line.clear();
        assert!(reader.read_line(&mut line).unwrap() > 0, "{received} and {dropped}, then nothing more");
        if last == "event: interval\n" {
            received += 1;
        } else if last == "event: dropped\n" {
            let data: serde_json::Value = serde_json::from_str(line.strip_prefix("data: ").unwrap()).unwrap();
            dropped += data["dropped"].as_u64().unwrap();
        }
        last.clone_from(&line);
    }
    assert_eq!(received + dropped, told);
    assert!(dropped > 0 && received >= 64, "{received} received, {dropped} dropped");
}

#[test]
fn forgotten_connections_leave_room_for_the_run_and_end_with_it() {
    let (live, address) = live();
    let idle: Vec<_> = (0..64).map(|_| TcpStream::connect(address).unwrap()).collect();
    let mut one_too_many = say(address, "");
    let closed = one_too_many.read(&mut [0]);
    assert!(
        closed.as_ref().is_ok_and(|&n| n == 0)
            || closed.is_err_and(|e| e.kind() == ErrorKind::ConnectionReset)
    );
    drop(idle);
    // The places are free again as soon as the server has noticed.
    let healthy = || {
        let mut answer = String::new();
        let read = say(address, "GET /healthz HTTP/1.0\r\n\r\n").read_to_string(&mut answer);
        read.is_ok() && answer.ends_with("ok\n")
    };
    assert!((0..10_000).any(|_| healthy()));
    let forgotten = TcpStream::connect(address).unwrap();
    drop(live);
    assert!(TcpStream::connect(address).is_err(), "closed with the run");
    drop(forgotten);
}

#[test]
fn an_address_that_is_taken_is_refused_before_the_run() {
    let (_live, address) = live();
    let console = Console::new(Arc::default(), true);
    let refused = Live::open(address, Arc::default(), &console).map(|_| ()).unwrap_err();
    assert_eq!(refused.exit(), Exit::Usage);
    let said = refused.to_string();
    assert!(
        said.starts_with(&format!("--live {address}: cannot listen there: Address already in use")),
        "{said}"
    );
    assert_eq!(said.lines().count(), 1);
}
