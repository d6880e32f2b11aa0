//! What comes back is what curl gets, status, headers and body, from servers of other hands: nginx, Node.js, Python.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use api_load::client::Link;
use load_core::protocol::{Control, Probe, Protocol as _, Vu};
use load_core::record::Unobserved;
use load_net::http::Sink;
use tempfile::TempDir;
use tool_tests::free_port;

use crate::client::{api, link, run};
use crate::proxies::Proxy;

const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/http/curl");

/// A server that ends with its owner.
struct Peer {
    process: Child,
    port: u16,
    /// What it serves, or is configured by.
    _dir: TempDir,
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The first number in the first line that the command prints; none, and a word about it, when there is no such program.
fn started(command: &mut Command, dir: TempDir) -> Option<Peer> {
    let Ok(mut process) = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn() else {
        skip(&command.get_program().display().to_string());
        return None;
    };
    let mut line = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let number = line.split(|c: char| !c.is_ascii_digit()).find(|word| word.len() >= 4);
    let port = number.and_then(|word| word.parse().ok()).expect("a port");
    Some(Peer { process, port, _dir: dir })
}

#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn skip(what: &str) {
    eprintln!("skipped: no {what}");
}

fn node() -> Option<Peer> {
    started(Command::new("node").arg(format!("{HERE}/server.js")), tempfile::tempdir().unwrap())
}

fn python() -> Option<Peer> {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.txt"), "a file of Python's").unwrap();
    fs::create_dir(dir.path().join("sub")).unwrap();
    fs::write(dir.path().join("sub/index.html"), "<p>sub").unwrap();
    let mut command = Command::new("python3");
    command.args(["-u", "-m", "http.server", "--bind", "127.0.0.1", "0", "--directory"]).arg(dir.path());
    started(&mut command, dir)
}

fn nginx() -> Option<Peer> {
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let path = dir.path().display();
    let conf = format!(
        "daemon off; master_process off; pid {path}/pid; error_log {path}/error;\nevents {{}}\nhttp {{ access_log off; \
         client_body_temp_path {path}/b; proxy_temp_path {path}/p; fastcgi_temp_path {path}/f; \
         uwsgi_temp_path {path}/u; scgi_temp_path {path}/s;\nserver {{ listen 127.0.0.1:{port}; \
         listen [::1]:{port}; root {path}; absolute_redirect off; gzip on; gzip_types *; gzip_min_length 1;\n\
         location = /204 {{ return 204; }} location = /301 {{ return 301 /a.txt; }} \
         location = /308 {{ return 308 http://127.0.0.1:{port}/a.txt; }} }} }}\n"
    );
    fs::write(dir.path().join("nginx.conf"), conf).unwrap();
    fs::write(dir.path().join("a.txt"), "a file of nginx's\n".repeat(2_000)).unwrap();
    let program = ["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/sbin/nginx"].into_iter();
    let Some(program) = program.map(Path::new).find(|path| path.exists()) else {
        skip("nginx");
        return None;
    };
    let config = dir.path().join("nginx.conf");
    let process = Command::new(program).arg("-c").arg(config).stderr(Stdio::null()).spawn().unwrap();
    let peer = Peer { process, port, _dir: dir };
    let is_there = |_| {
        std::thread::sleep(Duration::from_millis(10));
        std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
    };
    assert!((0..500).any(is_there), "nginx does not listen");
    Some(peer)
}

/// Status, headers in their order but for the date, and body.
#[derive(Debug, PartialEq, Eq)]
struct Got {
    status: u16,
    headers: Vec<String>,
    body: String,
}

impl Got {
    fn new(head: &[u8], body: &[u8]) -> Self {
        let head = String::from_utf8_lossy(head);
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines.filter(|line| !line.is_empty() && !line.starts_with("Date:")).map(str::to_owned);
        Self { status, headers: headers.collect(), body: String::from_utf8_lossy(body).into_owned() }
    }
}

/// Keeps all of an answer.
#[derive(Default)]
struct Keeper {
    head: Vec<u8>,
    body: Vec<u8>,
}

impl Sink for &mut Keeper {
    fn head(&mut self, head: &[u8]) {
        self.head.extend_from_slice(head);
    }

    fn body(&mut self, piece: &[u8]) {
        self.body.extend_from_slice(piece);
    }
}

fn ours(flags: &[&str]) -> Got {
    let (api, mut note, mut kept) = (api(flags), String::new(), Keeper::default());
    run(async {
        let target = api.prepare(&mut Control::default()).await.unwrap();
        let (mut probe, mut vu) = (Probe::unobserved(&Unobserved, &mut note), Vu::new(0));
        let Link::Http1(mut agent) = api.connect(&target, link(0), &mut probe).await.unwrap() else {
            panic!("HTTP/1.1 was asked for")
        };
        let request = &api.script().calls().next().unwrap().step.request;
        let exchanged = agent.exchange(&request.text, &mut vu, &mut kept, &mut probe).await;
        if let Err(failure) = exchanged.result {
            let fault = failure.fault(&mut probe);
            panic!("{flags:?}: {fault:?} {}", probe.noted());
        }
    });
    Got::new(&kept.head, &kept.body)
}

fn curls(flags: &[&str]) -> Got {
    let dir = tempfile::tempdir().unwrap();
    let (head, body) = (dir.path().join("head"), dir.path().join("body"));
    let mut curl = Command::new("curl");
    curl.args(["-sS", "--globoff", "--noproxy", "none", "--max-time", "10", "-D"])
        .arg(&head)
        .arg("-o")
        .arg(&body);
    let output = curl.args(flags).env_clear().output().unwrap();
    assert!(output.status.success(), "{flags:?}: {}", String::from_utf8_lossy(&output.stderr));
    // Of several answers the last one.
    let heads = fs::read_to_string(head).unwrap();
    let last = heads.trim_end().rsplit("\r\n\r\n").next().unwrap().to_owned();
    // Without a body it writes the head there.
    let body = if flags.contains(&"--head") { Vec::new() } else { fs::read(body).unwrap_or_default() };
    Got::new(last.as_bytes(), &body)
}

/// Flags of ours with those of curl that mean the same.
type Pair<'a> = (&'a [&'a str], &'a [&'a str]);

const PLAIN: Pair<'_> = (&[], &[]);
const HEAD: Pair<'_> = (&["-X", "HEAD"], &["--head"]);
const FOLLOW: Pair<'_> = (&["--max-redirects", "5"], &["-L", "--max-redirs", "5"]);
// A Content-Type of the user's own stays with curl when a POST becomes a GET; RFC 9110 takes it away.
const FOLLOW_POST: Pair<'_> = (
    &["--max-redirects", "5", "--form", "b=1", "-H", "Accept: */*"],
    &["-L", "--max-redirs", "5", "-d", "b=1"],
);
const COOKIES: Pair<'_> =
    (&["--max-redirects", "5", "--cookies", "-H", "Accept: */*"], &["-L", "--max-redirs", "5", "-b", ""]);
const COMPRESSED: Pair<'_> = (&["--compressed"], &["--compressed"]);
const JSON: Pair<'_> = (&["--json", "{\"a\": 1}"], &["--json", "{\"a\": 1}"]);

#[track_caller]
fn same(url: &str, (ours_flags, curl_flags): Pair<'_>) {
    let ours = ours(&[&["--url", url], ours_flags].concat());
    assert_eq!(ours, curls(&[curl_flags, &[url]].concat()), "{url} {ours_flags:?}");
}

#[test]
fn node_tells_us_what_it_tells_curl() {
    let Some(node) = node() else { return };
    let url = |path: &str| format!("http://127.0.0.1:{}{path}", node.port);
    for path in ["/plain", "/chunked", "/close", "/204", "/304", "/404", "/gzip", "/302"] {
        same(&url(path), PLAIN);
        same(&url(path), HEAD);
        same(&format!("http://[::1]:{}{path}", node.port), PLAIN);
    }
    for path in ["/301", "/302", "/303", "/307", "/308", "/302/close", "/308/close"] {
        same(&url(path), (&["--max-redirects", "5", "-H", "Accept: */*"], FOLLOW.1));
        same(&url(path), FOLLOW_POST);
    }
    same(&url("/cookies"), COOKIES);
    for path in ["/gzip", "/deflate", "/raw", "/br", "/plain", "/204", "/chunked"] {
        same(&url(path), COMPRESSED);
    }
    same(&url("/gzip"), (&["--compressed", "-X", "HEAD"], &["--compressed", "--head"]));
    same(&url("/echo?x=1"), JSON);
    let login = url("/echo").replace("//", "//bob:p%40ss@");
    same(&login, (&["-H", "Accept: */*"], &[]));
}

#[test]
fn nginx_tells_us_what_it_tells_curl() {
    let Some(nginx) = nginx() else { return };
    let url = |path: &str| format!("http://127.0.0.1:{}{path}", nginx.port);
    for path in ["/a.txt", "/204", "/301", "/404"] {
        same(&url(path), PLAIN);
        same(&url(path), HEAD);
        same(&url(path), FOLLOW);
        same(&url(path), COMPRESSED);
        same(&format!("http://[::1]:{}{path}", nginx.port), PLAIN);
    }
    same(&url("/308"), FOLLOW);
    let all = ours(&["--url", &url("/a.txt")]);
    let tag = all.headers.iter().find_map(|line| line.strip_prefix("ETag: ")).unwrap();
    let header = format!("If-None-Match: {tag}");
    same(&url("/a.txt"), (&["-H", &header], &["-H", &header]));
    let range = ["-H", "Range: bytes=5-9"];
    same(&url("/a.txt"), (&range, &range));
}

#[test]
fn python_tells_us_what_it_tells_curl() {
    let Some(python) = python() else { return };
    let url = |path: &str| format!("http://127.0.0.1:{}{path}", python.port);
    for path in ["/a.txt", "/sub", "/sub/", "/nothing"] {
        same(&url(path), PLAIN);
        same(&url(path), HEAD);
        same(&url(path), FOLLOW);
    }
}

#[test]
fn behind_a_proxy_all_is_the_same() {
    let Some(node) = node() else { return };
    let proxy = Proxy::start("");
    let via = format!("http://{}", proxy.address);
    for path in ["/plain", "/chunked", "/204", "/302"] {
        let url = format!("http://127.0.0.1:{}{path}", node.port);
        let flags = ["--max-redirects", "5", "-H", "Accept: */*", "--proxy", &via];
        // curl tells the proxy that it may keep the connection; the server does not mind.
        let curl = ["--noproxy", "", "-L", "-x", &via, "-H", "Proxy-Connection:"];
        same(&url, (&flags, &curl));
    }
    let lines = proxy.lines();
    assert_eq!(lines.len(), 10, "{lines:?}");
    assert!(lines.iter().all(|line| line.contains("http://127.0.0.1:")), "{lines:?}");
}
