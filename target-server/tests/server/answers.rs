//! What a client sees of answers that arrive whole, and what the record says of them.

use crate::client::{Client, MS, start};
use target_server::{Config, Outcome, Server, now_ns};

#[test]
fn without_a_script_every_path_answers_ok() {
    let server = Server::start(Config::default()).unwrap();
    let mut client = Client::to(&server);
    for target in ["/", "/any/path?k=7", "/truths"] {
        let answer = client.get(target);
        assert_eq!((answer.status, answer.body.as_str()), (200, "ok"));
    }
    let truth = server.truth();
    assert_eq!((truth.requests, truth.answered[&200], truth.in_flight), (3, 3, 0));
    assert_eq!((truth.connections.accepted, truth.connections.open), (1, 1));
}

#[test]
fn arrivals_hold_what_happened_in_order() {
    let server = start("[[rule]]\npath = \"/slow\"\nstatus = 201\ndelay = \"3ms\"\n");
    let mut client = Client::to(&server);
    let before = now_ns();
    client.get("/slow?x=1&k=42");
    client.get("/fast");
    let arrivals = server.arrivals();
    assert_eq!(arrivals.len(), 2);
    let slow = arrivals[0];
    assert_eq!((slow.k, slow.status, slow.rule, slow.delay_ns), (Some(42), 201, 0, 3 * MS));
    assert!(slow.done_ns >= slow.t_ns + 3 * MS, "answered before its delay was over");
    let fast = arrivals[1];
    assert_eq!((fast.k, fast.status, fast.rule, fast.outcome), (None, 200, 1, Outcome::Answered));
    // The client may hold an answer some microseconds before the server's write returns.
    let stamps = [before, slow.t_ns, slow.done_ns, fast.t_ns, fast.done_ns, now_ns()];
    assert!(stamps.is_sorted(), "{stamps:?}");
}

#[test]
fn delays_are_never_short_and_rarely_late() {
    let server = start("[[rule]]\npath = \"/\"\ndelay = { uniform = [\"1ms\", \"3ms\"] }\n");
    let mut client = Client::to(&server);
    for _ in 0..100 {
        client.get("/");
    }
    let mut late: Vec<_> = server
        .arrivals()
        .iter()
        .map(|a| a.done_ns.checked_sub(a.t_ns + a.delay_ns).expect("early"))
        .collect();
    late.sort_unstable();
    // Typically 0.1 ms; the bound leaves room for a machine busy with other tests.
    assert!(late[50] < MS, "median lateness {} ns", late[50]);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = start("[[rule]]\npath = \"/a\"\nbody = \"first\"\ndelay = \"2ms\"\n");
    let mut client = Client::to(&server);
    client.write("GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n");
    assert_eq!(client.answer().unwrap().body, "first");
    assert_eq!(client.answer().unwrap().body, "ok");
    let arrivals = server.arrivals();
    assert_eq!(arrivals[0].t_ns, arrivals[1].t_ns, "one read completed both");
}

#[test]
fn bodies_of_requests_are_taken_and_counted() {
    let server = start("");
    let mut client = Client::to(&server);
    let head = "POST / HTTP/1.1\r\nContent-Length: 100000\r\n\r\n";
    client.write(head);
    client.write(&"x".repeat(100_000));
    assert_eq!(client.answer().unwrap().status, 200);
    assert_eq!(server.truth().bytes_in, head.len() as u64 + 100_000);
    client.write("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    client.write("0\r\n\r\nGET /next HTTP/1.1\r\n\r\n");
    assert_eq!(client.answer().unwrap().status, 200);
    assert_eq!(client.answer().unwrap().status, 200);
    client.write("PUT / HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    assert!(client.head().unwrap().starts_with("HTTP/1.1 100 "));
    client.write("hi");
    assert_eq!(client.answer().unwrap().status, 200);
    assert_eq!(server.truth().requests, 4);
}

#[test]
fn encodings_and_headers_are_as_scripted() {
    let server = start(
        "[[rule]]\npath = \"/chunked\"\nbody = \"hello\"\nencoding = \"chunked\"\nheaders = { \"x-a\" = \"b\" }\n\
         [[rule]]\npath = \"/close\"\nbody_bytes = 3\nencoding = \"close\"\n[[rule]]\npath = \"/none\"\nstatus = 204\n",
    );
    let mut client = Client::to(&server);
    client.write("GET /chunked HTTP/1.1\r\n\r\n");
    let head = client.head().unwrap();
    assert!(head.contains("Transfer-Encoding: chunked\r\n") && head.contains("x-a: b\r\n"), "{head}");
    assert_eq!(client.exactly(20), b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n");
    assert!(!client.get("/none").head.contains("Content-Length"));
    client.write("HEAD /chunked HTTP/1.1\r\n\r\n");
    client.head().unwrap();
    client.write("GET /close HTTP/1.1\r\n\r\n");
    client.head().unwrap();
    assert_eq!(client.rest().unwrap(), b"xxx");
}

#[test]
fn connections_close_when_asked_and_when_scripted() {
    let server = start("[[rule]]\npath = \"/two\"\nrequests_per_connection = 2\n");
    let mut client = Client::to(&server);
    assert!(!client.get("/two").head.contains("Connection"));
    assert!(client.get("/two").head.contains("Connection: close\r\n"));
    assert!(client.is_closed());
    let mut client = Client::to(&server);
    client.write("GET / HTTP/1.1\r\nConnection: close\r\n\r\n");
    assert!(client.answer().unwrap().head.contains("Connection: close\r\n"));
    assert!(client.is_closed());
    let mut client = Client::to(&server);
    client.write("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert!(client.answer().unwrap().head.contains("Connection: keep-alive\r\n"));
    assert_eq!(client.get("/").status, 200);
}

#[test]
fn what_is_no_request_is_refused_and_not_counted_as_one() {
    let server = start("");
    let mut client = Client::to(&server);
    client.write("\u{16}\u{3}\u{1} not HTTP\r\n\r\n");
    assert_eq!(client.answer().unwrap().status, 400);
    assert!(client.is_closed());
    let truth = server.truth();
    assert_eq!((truth.requests, truth.bad_requests), (0, 1));
}

#[test]
fn control_requests_are_no_load() {
    let server = start("");
    let mut load = Client::to(&server);
    load.get("/?k=5");
    let mut control = Client::to(&server);
    assert_eq!(control.get("/health").body, "ok\n");
    assert_eq!(control.get("/truth/reset").status, 405);
    let truth: target_server::Report = serde_json::from_str(&control.get("/truth").body).unwrap();
    assert_eq!((truth.requests, truth.connections.accepted, truth.connections.open), (1, 1, 1));
    assert_eq!(truth.by_rule["default"], 1);
    let csv = control.get("/truth/arrivals").body;
    let mut lines = csv.lines();
    assert_eq!(lines.next().unwrap(), "t_ns,connection,rule,k,status,delay_ns,done_ns,outcome");
    let cells: Vec<_> = lines.next().unwrap().split(',').collect();
    assert_eq!((cells[2], cells[3], cells[4], cells[7]), ("default", "5", "200", "answered"));
    assert_eq!(lines.next(), None);
    assert_eq!(control.post("/truth/reset").status, 200);
    let mut last = Client::to(&server);
    last.write("GET /truth HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert_eq!(last.answer().unwrap().status, 200);
    assert!(last.is_closed());
    let truth = server.truth();
    assert_eq!((truth.requests, truth.start_ns, truth.ring.held), (0, None, 0));
}

#[test]
fn a_rule_for_health_makes_it_load() {
    let server = start("[[rule]]\npath = \"/health\"\nbody = \"scripted\"\n");
    assert_eq!(Client::to(&server).get("/health").body, "scripted");
    assert_eq!(server.truth().requests, 1);
}

#[test]
fn draws_by_k_do_not_depend_on_the_order() {
    let script =
        "seed = 9\ndraw_by = \"k\"\n[[rule]]\npath = \"/\"\ndelay = { uniform = [\"0ms\", \"1ms\"] }\n";
    let delays = |order: &[u64]| {
        let server = start(script);
        let mut client = Client::to(&server);
        for k in order {
            client.get(&format!("/?k={k}"));
        }
        let mut delays: Vec<_> = server.arrivals().iter().map(|a| (a.k, a.delay_ns)).collect();
        delays.sort_unstable();
        delays
    };
    assert_eq!(delays(&[1, 2, 3, 4]), delays(&[4, 2, 1, 3]));
}

#[test]
fn a_server_takes_its_port_again_at_once() {
    let first = start("");
    let address = first.http_addr().unwrap();
    let mut client = Client::connect(address);
    client.get("/");
    drop(first);
    assert!(client.is_closed());
    let second = Server::start(Config { http: Some(address), ..Config::default() }).unwrap();
    assert_eq!(Client::connect(address).get("/").status, 200);
    assert_eq!(second.truth().requests, 1);
}
