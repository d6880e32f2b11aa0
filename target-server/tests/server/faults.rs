//! What a client sees of answers that go wrong, and what the record says of them.

use std::{io::ErrorKind, time::Duration};

use crate::client::{Client, MS, eventually, start};
use target_server::{Abort, Outcome, Report, Server, now_ns};

/// A server whose every answer fails in one way, and a connection that has sent a request.
fn failing(fail: &str) -> (Server, Client) {
    let server = start(&format!("[[rule]]\npath = \"/\"\nbody = \"0123456789\"\nfail = {{ {fail} }}\n"));
    let mut client = Client::to(&server);
    client.write("GET /x HTTP/1.1\r\nHost: test\r\n\r\n");
    (server, client)
}

/// The record once nothing is in flight any more.
fn settled(server: &Server) -> Report {
    eventually("nothing in flight", || {
        Some(server.truth()).filter(|truth| truth.requests > 0 && truth.in_flight == 0)
    })
}

fn outcome(server: &Server) -> Outcome {
    settled(server);
    server.arrivals()[0].outcome
}

#[test]
fn reset_resets_before_the_first_byte() {
    let (server, mut client) = failing("how = \"reset\"");
    assert_eq!(client.rest().unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(settled(&server).aborted.reset, 1);
    let arrival = server.arrivals()[0];
    assert_eq!((arrival.status, arrival.done_ns), (0, 0));
}

#[test]
fn reset_can_come_in_the_middle() {
    let (server, mut client) = failing("how = \"reset\", after_bytes = 40");
    assert!(client.exactly(40).starts_with(b"HTTP/1.1 200 OK\r\n"));
    assert_eq!(client.rest().unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(settled(&server).bytes_out, 40);
}

#[test]
fn close_closes_in_order_and_without_an_answer() {
    let (server, mut client) = failing("how = \"close\"");
    assert!(client.is_closed());
    assert_eq!(outcome(&server), Outcome::Aborted(Abort::Close));
}

#[test]
fn short_cuts_the_body() {
    let (server, mut client) = failing("how = \"short\"");
    let bytes = client.rest().unwrap();
    assert!(bytes.ends_with(b"Content-Length: 10\r\n\r\n01234"));
    assert_eq!(outcome(&server), Outcome::Aborted(Abort::Short));
}

#[test]
fn malformed_answers_are_what_they_are_called() {
    for (how, contains) in [
        ("malformed", "HTTP/1.1 2x0 OK"),
        ("garbage", "not HTTP"),
        ("bad_chunk", "\r\n\r\nzz\r\n"),
        ("bad_length", "Content-Length: -2\r\n"),
        ("two_lengths", "Content-Length: 2\r\nContent-Length: 3\r\n"),
    ] {
        let (server, mut client) = failing(&format!("how = \"{how}\""));
        let bytes = client.rest().unwrap();
        assert!(String::from_utf8_lossy(&bytes).contains(contains), "{how}");
        assert_eq!(settled(&server).aborted.malformed, 1, "{how}");
    }
}

#[test]
fn never_stays_open_and_silent() {
    let (server, mut client) = failing("how = \"never\", after_bytes = 17");
    assert_eq!(client.exactly(17), b"HTTP/1.1 200 OK\r\n");
    assert!(client.is_silent(Duration::from_millis(50)));
    let truth = settled(&server);
    assert_eq!((truth.aborted.never, truth.connections.open), (1, 1));
    drop(client);
    eventually("the client has left", || (server.truth().connections.open == 0).then_some(()));
}

#[test]
fn endless_answers_go_on_until_the_client_leaves() {
    for (how, contains) in [
        ("endless_header", "X-Filler: "),
        ("endless_body", "\r\n40\r\n"),
        ("endless_interim", "HTTP/1.1 103 "),
    ] {
        let (server, mut client) = failing(&format!("how = \"{how}\""));
        let bytes = client.exactly(3_000_000);
        assert!(String::from_utf8_lossy(&bytes[2_000_000..]).contains(contains), "{how}");
        assert_eq!(server.truth().in_flight, 1, "{how}");
        drop(client);
        assert_eq!(outcome(&server), Outcome::Aborted(Abort::Endless), "{how}");
    }
}

#[test]
fn whole_but_odd_answers_count_as_answered() {
    let (server, mut client) = failing("how = \"status:503\"");
    assert_eq!(client.answer().unwrap().status, 503);
    assert_eq!(settled(&server).answered[&503], 1);

    let (server, mut client) = failing("how = \"interim\"");
    assert!(client.head().unwrap().starts_with("HTTP/1.1 103 "));
    assert_eq!(client.answer().unwrap().body, "0123456789");
    assert_eq!(settled(&server).answered[&200], 1);

    let (server, mut client) = failing("how = \"hangup\"");
    let answer = client.answer().unwrap();
    assert!(!answer.head.contains("Connection"));
    assert!(client.is_closed());
    assert_eq!(settled(&server).answered[&200], 1);
}

#[test]
fn drip_takes_its_time_for_every_byte() {
    let begun = now_ns();
    let (server, mut client) = failing("how = \"drip\", byte_every = \"1ms\"");
    let answer = client.answer().unwrap();
    let bytes = (answer.head.len() + answer.body.len()) as u64;
    assert!(now_ns() - begun >= (bytes - 1) * MS);
    assert_eq!(settled(&server).answered[&200], 1);
}

#[test]
fn every_nth_request_fails_and_the_others_do_not() {
    let server = start("[[rule]]\npath = \"/\"\nfail = { every = 5, how = \"status:500\" }\n");
    let mut client = Client::to(&server);
    let statuses: Vec<_> = (0..20).map(|_| client.get("/").status).collect();
    assert!(statuses.iter().enumerate().all(|(i, status)| (*status == 500) == (i % 5 == 4)), "{statuses:?}");
}

#[test]
fn a_client_that_leaves_early_is_gone() {
    let server = start("");
    let mut client = Client::to(&server);
    client.write("POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc");
    eventually("the request", || (server.truth().requests > 0).then_some(()));
    drop(client);
    assert_eq!(outcome(&server), Outcome::Aborted(Abort::Gone));
}
