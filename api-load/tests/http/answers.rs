//! Good answers in every framing, and what was sent for them.

use load_core::protocol::Outcome;

use crate::client::{Client, run, server, settled, url};
use crate::raw::{self, Raw};

/// Calls twice on one connection under `script` and compares the bytes with the server's count of them.
fn good_twice(script: &str, flags: &[&str]) -> Outcome {
    let server = server(script);
    let url = url(&server, "/x");
    run(async {
        let mut client = Client::new(&[&["--url", &url], flags].concat()).await;
        let first = client.call().await.expect(script);
        let second = client.call().await.expect(script);
        assert_eq!((first, first.ends_session), (second, false), "{script}");
        let truth = settled(&server);
        assert_eq!(truth.requests, 2);
        assert_eq!(truth.bytes_in, 2 * first.sent, "{script}");
        assert_eq!(truth.bytes_out, 2 * first.received, "{script}");
        first
    })
}

#[test]
fn every_framing_is_read_to_its_end() {
    let rule = "[[rule]]\npath = \"/\"\n";
    good_twice("", &[]);
    good_twice("", &["-X", "HEAD"]);
    good_twice("", &["--body", "n={{vu}}", "--expect-text", "ok"]);
    good_twice(&format!("{rule}status = 204\n"), &[]);
    good_twice(&format!("{rule}status = 304\n"), &[]);
    good_twice(&format!("{rule}encoding = \"chunked\"\nbody = \"some text\"\n"), &["--expect-text", "me te"]);
    good_twice(&format!("{rule}fail = {{ how = \"interim\" }}\n"), &[]);
    good_twice(
        &format!("{rule}fail = {{ how = \"drip\", byte_every = \"10us\" }}\n"),
        &["--expect-text", "ok"],
    );
    let large = good_twice(&format!("{rule}body_bytes = 3000000\n"), &[]);
    assert!(large.received > 3_000_000);
    let large = good_twice(&format!("{rule}body_bytes = 3000000\nencoding = \"chunked\"\n"), &[]);
    assert!(large.received > 3_000_000);
}

#[test]
fn a_body_that_ends_with_the_connection_ends_the_session() {
    let server = server("[[rule]]\npath = \"/\"\nencoding = \"close\"\nbody = \"0123456789\"\n");
    run(async {
        let mut client = Client::new(&["--url", &url(&server, "/"), "--expect-text", "789"]).await;
        let outcome = client.call().await.unwrap();
        assert!(outcome.ends_session);
        assert_eq!(outcome.received, settled(&server).bytes_out);
    });
}

#[test]
fn an_announced_close_ends_the_session() {
    let server = server("[[rule]]\npath = \"/\"\nrequests_per_connection = 2\n");
    run(async {
        let mut client = Client::new(&["--url", &url(&server, "/")]).await;
        assert!(!client.call().await.unwrap().ends_session);
        assert!(client.call().await.unwrap().ends_session);
        let mut asks = Client::new(&["--url", &url(&server, "/"), "-H", "Connection: close"]).await;
        assert!(asks.call().await.unwrap().ends_session);
    });
}

#[test]
fn generators_are_rendered_for_every_call() {
    let server = server("");
    run(async {
        let flags = ["--url", &url(&server, "/x?k={{seq}}"), "--body", "{\"seq\": {{seq}}}"];
        let mut client = Client::new(&flags).await;
        for _ in 0..12 {
            client.call().await.unwrap();
        }
    });
    let sent: Vec<_> = server.arrivals().iter().map(|arrival| arrival.k).collect();
    assert_eq!(sent, (0..12).map(Some).collect::<Vec<_>>());
    assert_eq!(server.truth().bad_requests, 0);
}

#[test]
fn the_request_is_what_the_flags_say() {
    let raw = Raw::start(|mut stream| {
        let request = String::from_utf8(raw::request(&mut stream)).unwrap();
        let address = stream.local_addr().unwrap();
        let expected = format!(
            "DELETE /a?b HTTP/1.1\r\nHost: {address}\r\nUser-Agent: quintet-api-load/{}\r\n\
             Authorization: Basic Ym9iOnB3\r\nX-A: 1\r\n\r\n",
            env!("CARGO_PKG_VERSION")
        );
        assert_eq!(request, expected);
        raw::send(&mut stream, raw::OK);
    });
    let url = format!("http://bob:pw@{}/a?b#c", raw.address);
    run(async {
        Client::new(&["--url", &url, "-X", "DELETE", "-H", "X-A:1"]).await.call().await.unwrap();
    });
    raw.end();
}
