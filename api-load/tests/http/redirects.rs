//! Redirects: followed when asked, to where they may lead, as one call.

use load_core::protocol::{Control, Protocol as _};
use load_report::fault::FaultKind;

use crate::client::{Client, api, run, try_api};
use crate::site::{Site, answer, redirect};

/// `/302/x` leads to `/x` with that status, everything else is an answer that says what was asked.
fn site() -> Site {
    Site::start(|request| {
        let line = request.lines().next().unwrap_or_default();
        let path = line.split(' ').nth(1).unwrap_or_default();
        match path.get(1..4).filter(|_| path.as_bytes().get(4) == Some(&b'/')) {
            Some(status) if line.starts_with("HEAD") => {
                format!("HTTP/1.1 {status}\r\nLocation: {}\r\nContent-Length: 9\r\n\r\n", &path[4..]).into()
            }
            Some(status) => redirect(status, &path[4..]),
            None if line.starts_with("HEAD") => b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n".to_vec(),
            None => answer("200 OK", "", request.as_bytes()),
        }
    })
}

fn first_lines(site: &Site) -> Vec<String> {
    site.requests().iter().map(|(_, request)| request.lines().next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn by_default_the_redirect_is_the_answer() {
    let site = site();
    run(async {
        Client::new(&["--url", &site.url("/302/x"), "--expect-text", "elsewhere"])
            .await
            .call()
            .await
            .unwrap();
    });
    assert_eq!(first_lines(&site), ["GET /302/x HTTP/1.1"]);
}

#[test]
fn methods_and_bodies_change_as_with_curl() {
    for (path, flags, lines) in [
        ("/301/302/x", &["--max-redirects", "2"][..], &["GET /301/302/x", "GET /302/x", "GET /x"][..]),
        ("/302/x", &["--body", "b", "--max-redirects", "9"], &["POST /302/x", "GET /x"]),
        ("/303/x", &["-X", "PUT", "--body", "b", "--max-redirects", "9"], &["PUT /303/x", "GET /x"]),
        ("/302/x", &["-X", "PUT", "--body", "b", "--max-redirects", "9"], &["PUT /302/x", "PUT /x"]),
        (
            "/307/308/x",
            &["--body", "b", "--max-redirects", "9"],
            &["POST /307/308/x", "POST /308/x", "POST /x"],
        ),
        (
            "/303/307/x",
            &["--body", "b", "--max-redirects", "9"],
            &["POST /303/307/x", "GET /307/x", "GET /x"],
        ),
        ("/303/x", &["-X", "HEAD", "--max-redirects", "9"], &["HEAD /303/x", "HEAD /x"]),
    ] {
        let site = site();
        run(async {
            let mut client = Client::new(&[&["--url", &site.url(path)], flags].concat()).await;
            let outcome = client.call().await.unwrap();
            assert!(!outcome.ends_session);
            let requests = site.requests();
            let sent: usize = requests.iter().map(|(_, request)| request.len()).sum();
            assert_eq!((outcome.sent as usize, requests.iter().all(|(on, _)| *on == 0)), (sent, true));
            for (_, request) in requests {
                let body = !request.starts_with("GET") && !request.starts_with("HEAD");
                assert_eq!(
                    (request.ends_with("\r\n\r\nb"), request.contains("Content-Length")),
                    (body, body)
                );
            }
        });
        let seen = first_lines(&site);
        let lines: Vec<_> = lines.iter().map(|line| format!("{line} HTTP/1.1")).collect();
        assert_eq!(seen, lines, "{path} {flags:?}");
    }
}

#[test]
fn a_redirect_too_many_is_a_fault_that_keeps_the_connection() {
    let site = site();
    run(async {
        let url = site.url("/302/307/308/x");
        let mut client = Client::new(&["--url", &url, "--max-redirects", "2"]).await;
        for _ in 0..2 {
            let fault = client.call().await.unwrap_err();
            assert_eq!((fault.kind, fault.code, fault.ends_session), (FaultKind::Rejected, 308, false));
            assert_eq!(client.note, "more than 2 redirects (--max-redirects)");
        }
    });
    assert!(site.requests().iter().all(|(connection, _)| *connection == 0));
}

#[test]
fn another_host_has_to_be_named_and_gets_no_credentials() {
    let other = site();
    let to = other.url("/there");
    let first = Site::start(move |_| redirect("302", &to));
    let url = format!("http://bob:pw@{}/", first.address);
    let flags = ["--url", &url, "--max-redirects", "5", "-H", "X-Own: 1"];
    run(async {
        let mut client = Client::new(&flags).await;
        let fault = client.call().await.unwrap_err();
        assert_eq!((fault.kind, fault.code, fault.ends_session), (FaultKind::Rejected, 302, false));
        let said = format!(
            "a redirect to {}, which is another port; --redirect-hosts {} allows it",
            other.url("/there"),
            other.address
        );
        assert_eq!(client.note, said);
        let host = other.address.to_string();
        let mut client =
            Client::new(&[&flags[..], &["--redirect-hosts", &host, "--expect-text", "GET /there"]].concat())
                .await;
        for _ in 0..3 {
            assert!(!client.call().await.unwrap().ends_session);
        }
    });
    let seen = other.requests();
    assert_eq!(seen.len(), 3);
    for (_, request) in &seen {
        assert!(request.contains(&format!("\r\nHost: {}\r\n", other.address)), "{request}");
        assert!(request.contains("\r\nX-Own: 1\r\n") && !request.contains("Authorization"), "{request}");
    }
    // The connection to the other host is kept, too; nobody looked whether it is there.
    assert!(seen.iter().all(|(connection, _)| *connection == 0));
    assert!(first.requests().iter().all(|(_, request)| request.contains("Authorization: Basic")));
}

#[test]
fn a_connection_that_ends_with_the_redirect_is_replaced() {
    let site = Site::start(|request| {
        if request.starts_with("GET /a ") {
            return b"HTTP/1.1 302 Found\r\nLocation: /b\r\nConnection: close\r\n\r\n".to_vec();
        }
        answer("200 OK", "", b"there")
    });
    run(async {
        let flags = ["--url", &site.url("/a"), "--max-redirects", "1", "--expect-text", "there"];
        assert!(Client::new(&flags).await.call().await.unwrap().ends_session);
    });
    assert_eq!(site.requests().iter().map(|(connection, _)| *connection).collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn what_leads_nowhere_is_told() {
    for (location, said) in [
        ("ftp://h/", "a redirect to ftp:, which is not http"),
        ("http://", "a redirect with a Location that is no URL"),
        (
            "http://127.0.0.2:1/?token=hunter2",
            "a redirect to http://127.0.0.2:1/?token=***, which is another host",
        ),
    ] {
        let site = Site::start(move |_| redirect("301", location));
        run(async {
            let mut client = Client::new(&["--url", &site.url("/"), "--max-redirects", "1"]).await;
            assert_eq!(client.call().await.unwrap_err().kind, FaultKind::Rejected);
            assert!(client.note.contains(said), "{}", client.note);
        });
    }
    let site = Site::start(|_| redirect("301", "http://127.0.0.1:1/"));
    run(async {
        let flags = ["--url", &site.url("/"), "--max-redirects", "1", "--redirect-hosts", "127.0.0.1:1"];
        let mut client = Client::new(&flags).await;
        assert_eq!(client.call().await.unwrap_err().kind, FaultKind::Connect);
        assert!(client.note.contains("127.0.0.1:1: Connection refused"), "{}", client.note);
    });
}

#[test]
fn hosts_that_are_not_there_are_told_before_the_run() {
    let site = site();
    let url = site.url("/");
    let flags = ["--url", &url, "--max-redirects", "1", "--redirect-hosts", "no-such-host.invalid"];
    let error = run(async { api(&flags).prepare(&mut Control::default()).await.err() }).unwrap().to_string();
    assert!(error.starts_with("cannot resolve no-such-host.invalid: "), "{error}");
    let error = try_api(&["--url", &url, "--redirect-hosts", "h"]).err().unwrap();
    assert!(error.contains("give --max-redirects, too"), "{error}");
}
