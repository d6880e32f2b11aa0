//! Which way connections take: other hosts, other addresses, Unix sockets, IPv6, and from which address.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::thread::{self, JoinHandle};

use load_core::protocol::{Control, Protocol as _};
use load_report::fault::FaultKind;

use crate::client::{Client, api, link, run, server, try_api, url};
use crate::raw;

/// A server that answers one call a connection and tells who connected to which of its addresses, and the requests.
struct Ends {
    port: u16,
    thread: JoinHandle<Vec<(SocketAddr, SocketAddr, String)>>,
}

impl Ends {
    /// Behind the one connection to each of `looks` addresses, `calls` connections.
    fn start(bind: &str, looks: usize, calls: usize) -> Self {
        let listener = TcpListener::bind(bind).unwrap();
        let port = listener.local_addr().unwrap().port();
        let thread = thread::spawn(move || {
            for _ in 0..looks {
                drop(listener.accept().unwrap());
            }
            let serve = |_| {
                let (mut stream, peer) = listener.accept().unwrap();
                let request = raw::request(&mut stream);
                raw::send(&mut stream, raw::OK);
                // Until the client goes.
                let _ = stream.read(&mut [0]);
                (stream.local_addr().unwrap(), peer, String::from_utf8(request).unwrap())
            };
            (0..calls).map(serve).collect()
        });
        Self { port, thread }
    }
}

/// Makes one call on each of the links from 0 on.
fn call_on_links(flags: &[&str], links: u64) {
    run(async {
        let target = api(flags).prepare(&mut Control::default()).await.unwrap();
        for index in 0..links {
            let mut client = Client::by(api(flags), target.clone(), link(index)).await.unwrap();
            client.call().await.unwrap();
        }
    });
}

#[test]
fn another_host_is_connected_to_and_the_urls_is_named() {
    for flag in [
        "--connect-to=shop.invalid:80:127.0.0.1:PORT",
        "--connect-to=:::PORT",
        "--connect-to=::127.0.0.1:PORT",
    ] {
        let ends = Ends::start("127.0.0.1:0", 1, 1);
        let flag = flag.replace("PORT", &ends.port.to_string());
        let host = if flag.contains(":::") { "127.0.0.1" } else { "shop.invalid" };
        call_on_links(&["--url", &format!("http://{host}/x"), &flag], 1);
        let request = &ends.thread.join().unwrap()[0].2;
        assert!(request.contains(&format!("\r\nHost: {host}\r\n")), "{request}");
    }
}

#[test]
fn given_addresses_are_taken_in_turn_by_links() {
    let ends = Ends::start("0.0.0.0:0", 2, 4);
    let resolve = format!("shop.invalid:{}:127.0.0.5,127.0.0.6", ends.port);
    call_on_links(&["--url", &format!("http://shop.invalid:{}/", ends.port), "--resolve", &resolve], 4);
    let reached: Vec<_> = ends.thread.join().unwrap().iter().map(|end| end.0.ip().to_string()).collect();
    assert_eq!(reached, ["127.0.0.5", "127.0.0.6", "127.0.0.5", "127.0.0.6"]);
}

#[test]
fn links_start_from_local_addresses_in_turn() {
    let ends = Ends::start("127.0.0.1:0", 1, 5);
    let url = format!("http://127.0.0.1:{}/", ends.port);
    call_on_links(&["--url", &url, "--local-ips", "127.0.0.20-127.0.0.21,127.8.0.0/30"], 5);
    let from: Vec<_> = ends.thread.join().unwrap().iter().map(|end| end.1.ip().to_string()).collect();
    assert_eq!(from, ["127.0.0.20", "127.0.0.21", "127.8.0.1", "127.8.0.2", "127.0.0.20"]);
}

#[test]
fn links_of_one_target_address_differ_in_their_own() {
    let ends = Ends::start("0.0.0.0:0", 2, 4);
    let resolve = format!("*:{}:127.0.0.5,127.0.0.6", ends.port);
    let url = format!("http://shop.invalid:{}/", ends.port);
    call_on_links(&["--url", &url, "--resolve", &resolve, "--local-ips", "127.0.0.20,127.0.0.21"], 4);
    let pairs: Vec<_> = ends.thread.join().unwrap().iter().map(|end| (end.0.ip(), end.1.ip())).collect();
    let ip = |text: &str| text.parse::<IpAddr>().unwrap();
    let all = [
        ("127.0.0.5", "127.0.0.20"),
        ("127.0.0.6", "127.0.0.20"),
        ("127.0.0.5", "127.0.0.21"),
        ("127.0.0.6", "127.0.0.21"),
    ];
    assert_eq!(pairs, all.map(|(to, from)| (ip(to), ip(from))));
}

#[test]
fn an_ipv6_address_is_a_host() {
    let ends = Ends::start("[::1]:0", 1, 1);
    call_on_links(&["--url", &format!("http://[::1]:{}/", ends.port)], 1);
    let request = &ends.thread.join().unwrap()[0].2;
    assert!(request.contains(&format!("\r\nHost: [::1]:{}\r\n", ends.port)), "{request}");
}

#[test]
fn a_unix_socket_is_a_way() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let served = thread::spawn(move || {
        drop(listener.accept().unwrap());
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 500];
        for _ in 0..3 {
            let n = stream.read(&mut request).unwrap();
            assert!(String::from_utf8_lossy(&request[..n]).contains("\r\nHost: shop.invalid\r\n"));
            stream.write_all(raw::OK.as_bytes()).unwrap();
        }
    });
    run(async {
        let flags = ["--url", "http://shop.invalid/", "--unix-socket", path.to_str().unwrap()];
        let mut client = Client::new(&flags).await;
        for _ in 0..3 {
            assert!(!client.call().await.unwrap().ends_session);
        }
    });
    served.join().unwrap();
}

#[test]
fn a_way_that_leads_nowhere_is_named() {
    let server = server("");
    let here = url(&server, "/");
    for (flags, said) in [
        (
            &["--url", "http://h/", "--unix-socket", "/nowhere/socket"][..],
            "cannot connect to /nowhere/socket: No such file",
        ),
        (
            &["--url", "http://h/", "--connect-to", "::no-such-host.invalid:"],
            "cannot resolve no-such-host.invalid",
        ),
        (
            &["--url", "http://h/", "--resolve", "h:80:127.0.0.1"],
            "cannot connect to 127.0.0.1:80: connection refused",
        ),
        (&["--url", &here, "--local-ips", "::1"], "none of --local-ips is of the same family as 127.0.0.1"),
        (
            &["--url", &here, "--local-ips", "192.0.2.1"],
            "--local-ips: 192.0.2.1 cannot be used on this machine",
        ),
    ] {
        let error =
            run(async { api(flags).prepare(&mut Control::default()).await.err() }).unwrap().to_string();
        assert!(error.contains(said) && error.lines().count() == 1, "{error}");
    }
}

#[test]
fn mistakes_are_refused() {
    for (flags, said) in [
        (&["--connect-to", "a:80"][..], "expected HOST1:PORT1:HOST2:PORT2"),
        (&["--resolve", "a:80"], "expected HOST:PORT:ADDR"),
        (&["--local-ips", "eth0"], "expected an address"),
        (&["--unix-socket", "x", "--local-ips", "::1"], "cannot be used with"),
        (&["--disable-keepalive", "-H", "connection: x"], "leave out --header Connection"),
    ] {
        let error = try_api(&[&["--url", "http://h/"], flags].concat()).err().unwrap_or_default();
        assert!(error.contains(said), "{flags:?}: {error}");
    }
}

#[test]
fn without_keepalive_every_call_ends_its_session() {
    let server = server("");
    run(async {
        let mut client = Client::new(&["--url", &url(&server, "/"), "--disable-keepalive"]).await;
        assert!(client.call().await.unwrap().ends_session);
        // The server was asked to close, too.
        assert_eq!(client.idle().await.kind, FaultKind::Closed);
    });
}
