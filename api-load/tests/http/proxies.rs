//! Proxies: whole URLs for http, tunnels for https, and what is said when they refuse.

use std::io::{self, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use load_core::protocol::{Control, Protocol as _};
use load_report::fault::FaultKind;

use crate::client::{Client, api, run, try_api};
use crate::handshakes;
use crate::raw;
use crate::site::{Site, answer, redirect};

/// A proxy that does what it is asked for, if it is asked with this authorisation.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    pub(crate) fn start(authorization: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let lines = Arc::<Mutex<Vec<_>>>::default();
        let kept = Arc::clone(&lines);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let lines = Arc::clone(&kept);
                thread::spawn(move || serve(stream, authorization, &lines));
            }
        });
        Self { address, lines }
    }

    /// The first lines of the requests, but for what follows the path.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }
}

fn serve(mut stream: TcpStream, authorization: &str, lines: &Mutex<Vec<String>>) {
    let mut upstream: Option<TcpStream> = None;
    while stream.peek(&mut [0]).is_ok_and(|n| n > 0) {
        let request = String::from_utf8(raw::request(&mut stream)).unwrap();
        let line = request.lines().next().unwrap_or_default().to_owned();
        lines.lock().unwrap().push(line.clone());
        if !request.contains(&format!("\r\nProxy-Authorization: {authorization}\r\n"))
            && !authorization.is_empty()
        {
            let refusal = answer("407 Proxy Authentication Required", "", b"");
            stream.write_all(&refusal).unwrap();
            continue;
        }
        let place = line.split(' ').nth(1).unwrap_or_default();
        if line.starts_with("CONNECT ") {
            let Ok(to) = TcpStream::connect(place) else {
                stream.write_all(&answer("502 Bad Gateway", "", b"")).unwrap();
                continue;
            };
            stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").unwrap();
            let (from, back) = (stream.try_clone().unwrap(), to.try_clone().unwrap());
            let there = thread::spawn(move || pipe(from, to));
            pipe(back, stream);
            there.join().unwrap();
            return;
        }
        // http://HOST:PORT/PATH
        let (host, path) = place["http://".len()..].split_once('/').unwrap();
        let to = upstream.get_or_insert_with(|| TcpStream::connect(host).unwrap());
        to.write_all(request.replace(place, &format!("/{path}")).as_bytes()).unwrap();
        let back = to.try_clone().unwrap();
        let client = stream.try_clone().unwrap();
        thread::spawn(move || pipe(back, client));
    }
}

fn pipe(mut from: TcpStream, mut to: TcpStream) {
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}

#[test]
fn http_is_asked_for_with_the_whole_url() {
    let site = Site::start(|_| answer("200 OK", "", b"here"));
    let proxy = Proxy::start("Basic Ym9iOnB3LXByb3h5");
    let via = format!("http://bob:pw-proxy@{}", proxy.address);
    // The name is the proxy's to resolve; it is one only there.
    let url = site.url("/x?y={{seq}}");
    run(async {
        let flags = ["--url", &url, "--proxy", &via, "--expect-text", "here"];
        let mut client = Client::new(&flags).await;
        assert!(!client.call().await.unwrap().ends_session);
        client.call().await.unwrap();
        assert!(client.api.secrets().iter().any(|secret| secret == "pw-proxy"));
        assert!(!client.api.describe().to_string().contains("pw-proxy"));
        assert_eq!(client.api.ops(), ["GET /x?y={{seq}}"]);
    });
    let asked = |n| format!("GET http://{}/x?y={n} HTTP/1.1", site.address);
    assert_eq!(proxy.lines(), [asked(0), asked(1)]);
    assert!(site.requests()[0].1.contains(&format!("\r\nHost: {}\r\n", site.address)));
}

#[test]
fn https_goes_through_a_tunnel() {
    let server = handshakes::Server::start(false, 1);
    let proxy = Proxy::start("");
    let url = format!("https://localhost:{}/", server.port);
    let (via, ca) = (format!("http://{}", proxy.address), server.file("ca.pem"));
    run(async {
        let mut client = Client::new(&["--url", &url, "--proxy", &via, "--cacert", &ca]).await;
        client.call().await.unwrap();
    });
    let port = server.port;
    assert_eq!(server.names(), ["localhost"]);
    // Once to look whether the target is there.
    let asked = format!("CONNECT localhost:{port} HTTP/1.1");
    assert_eq!(proxy.lines(), [asked.as_str(), asked.as_str()]);
}

#[test]
fn redirects_go_through_the_proxy_too() {
    let other = Site::start(|_| answer("200 OK", "", b"there"));
    let to = other.url("/there");
    let first = Site::start(move |request| {
        if request.starts_with("GET /a ") { redirect("302", "/b") } else { redirect("302", &to) }
    });
    let proxy = Proxy::start("");
    let via = format!("http://{}", proxy.address);
    let url = first.url("/a");
    run(async {
        let flags = ["--url", &url, "--proxy", &via, "--max-redirects", "5", "--redirect-hosts", "127.0.0.1"];
        let mut client = Client::new(&[&flags[..], &["--expect-text", "there"]].concat()).await;
        client.call().await.unwrap();
    });
    let line = |url: String| format!("GET {url} HTTP/1.1");
    assert_eq!(proxy.lines(), [line(first.url("/a")), line(first.url("/b")), line(other.url("/there"))]);
}

#[test]
fn a_proxy_that_refuses_is_told() {
    let proxy = Proxy::start("Basic none");
    let via = format!("http://{}", proxy.address);
    let looked = |url: &str, via: &str| {
        let api = api(&["--url", url, "--proxy", via, "--insecure"]);
        run(async { api.prepare(&mut Control::default()).await.err() }).map(|error| error.to_string())
    };
    let error = looked("https://localhost:1/", &via).unwrap();
    assert!(
        error.contains(&format!(
            "cannot connect to {}: the proxy answered CONNECT with status 407",
            proxy.address
        )),
        "{error}"
    );
    let error = looked("https://localhost:1/", "http://127.0.0.1:1").unwrap();
    assert!(error.contains("cannot connect to 127.0.0.1:1: connection refused"), "{error}");
    // Of an http target nothing is asked before the run.
    assert_eq!(looked("http://localhost:1/", &via), None);
    run(async {
        let mut client = Client::new(&["--url", "http://localhost:1/", "--proxy", &via]).await;
        let fault = client.call().await.unwrap_err();
        assert_eq!((fault.kind, fault.code), (FaultKind::Rejected, 407));
        let tunnel = api(&["--url", "https://localhost:1/", "--proxy", &via]);
        let (fault, note) = Client::on(tunnel, client.target.clone()).await.err().unwrap();
        assert_eq!((fault.kind, fault.code), (FaultKind::Connect, 407), "{note}");
        assert!(note.contains("the proxy answered CONNECT with status 407"), "{note}");
    });
}

#[test]
fn mistakes_are_refused_without_the_password() {
    for (flags, said) in [
        (&["--proxy", "socks5://bob:hunter2@h:1"][..], "expected http://[USER:PASSWORD@]HOST:PORT"),
        (&["--proxy", "http://h:1", "--resolve", "h:1:1.1.1.1"], "cannot be used with"),
    ] {
        let error = try_api(&[&["--url", "http://h/"], flags].concat()).err().unwrap_or_default();
        assert!(error.contains(said) && !error.contains("hunter2"), "{flags:?}: {error}");
    }
}
