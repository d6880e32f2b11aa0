//! Between calls: a server that goes away is noticed, and no byte of an answer is lost.

use std::future::Future as _;
use std::pin::pin;
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};

use load_report::fault::FaultKind;

use crate::client::{Client, run, server, url};
use crate::raw::{self, Raw};

/// Polls the wait once, as the engine does before a tick, and drops it.
fn wait_once(client: &mut Client) {
    let idle = pin!(client.idle());
    assert!(matches!(idle.poll(&mut Context::from_waker(Waker::noop())), Poll::Pending));
}

#[test]
fn a_close_between_calls_is_noticed() {
    let server = server("[[rule]]\npath = \"/\"\nfail = { how = \"hangup\" }\n");
    run(async {
        let mut client = Client::new(&["--url", &url(&server, "/")]).await;
        assert!(!client.call().await.unwrap().ends_session);
        let fault = client.idle().await;
        assert_eq!((fault.kind, fault.ends_session), (FaultKind::Closed, true));
        assert!(client.note.contains("between two calls"), "{}", client.note);
    });
}

#[test]
fn a_close_before_the_first_call_is_noticed() {
    let raw = Raw::start(drop);
    let url = raw.url();
    run(async {
        let mut client = Client::new(&["--url", &url]).await;
        assert_eq!(client.idle().await.kind, FaultKind::Closed);
    });
    raw.end();
}

#[test]
fn waiting_eats_no_answer() {
    let server = server("");
    run(async {
        let mut client = Client::new(&["--url", &url(&server, "/"), "--expect-text", "ok"]).await;
        for _ in 0..200 {
            wait_once(&mut client);
            client.call().await.unwrap();
            wait_once(&mut client);
        }
        client.close().await;
    });
    assert_eq!(server.truth().answered[&200], 200);
}

#[test]
fn bytes_that_nobody_asked_for_are_a_fault() {
    let (go, wait) = mpsc::channel();
    let raw = Raw::start(move |mut stream| {
        raw::request(&mut stream);
        raw::send(&mut stream, raw::OK);
        wait.recv().unwrap();
        raw::send(&mut stream, "HTTP/1.1 408 Request Timeout\r\n\r\n");
    });
    let url = raw.url();
    run(async {
        let mut client = Client::new(&["--url", &url]).await;
        client.call().await.unwrap();
        wait_once(&mut client);
        go.send(()).unwrap();
        let fault = client.idle().await;
        assert_eq!((fault.kind, fault.ends_session), (FaultKind::Malformed, true));
        assert!(client.note.contains("no request asked for: \"HTTP/1.1 408"), "{}", client.note);
    });
    raw.end();
}
