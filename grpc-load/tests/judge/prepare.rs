//! Does a run that cannot begin say why, in one line?

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::Command;

use rcgen::CertifiedKey;
use tool_tests::Left;

use crate::raw::{Answer, GOOD, Raw, Tls};
use crate::support::{proto, run, server, tool, url};

/// Refused as it must be, and in time.
#[track_caller]
fn refused(url: &str, line: &str, code: i32, expected: &str) {
    let began = target_server::now_ns();
    let left: Left = run(url, &format!("-u 1 -d 1s --quiet {line}"));
    left.is_refused(code, expected);
    assert!(target_server::now_ns() - began < 5_000_000_000, "took too long");
}

#[test]
fn a_target_that_cannot_be_used_is_114_within_5_s() {
    let server = server("");
    let http = format!("http://{}", server.http_addr().unwrap());
    refused("http://127.0.0.1:1", "", 114, "connection refused");
    refused("http://no-such-host.invalid", "", 114, "cannot resolve no-such-host.invalid");
    // A server of HTTP/1.1, with reflection wanted and without.
    refused(&http, "", 114, "does not speak HTTP/2");
    refused(&http, &format!("--proto {}", proto()), 114, "does not speak HTTP/2");
}

#[test]
fn a_server_that_says_nothing_is_given_up() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    refused(
        &format!("http://{}", silent.local_addr().unwrap()),
        "",
        114,
        "does not answer as an HTTP/2 server",
    );
}

#[test]
fn an_answer_in_http_1_is_no_http_2() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for tcp in listener.incoming() {
            let (mut tcp, mut head) = (tcp.unwrap(), [0; 24]);
            // The first connection only looks whether the port is open.
            if tcp.read_exact(&mut head).is_ok() {
                let _ = tcp.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
            }
        }
    });
    refused(&format!("http://{address}"), "", 114, "does not speak HTTP/2");
}

#[test]
fn what_the_server_does_not_have_is_told_with_what_it_has() {
    let server = server("");
    let url = url(&server);
    refused(
        &url,
        "--method nova_torch.NovaOrchestra/RegisterAgent",
        114,
        "there is nova_torch.NovaOrchestrator, ",
    );
    refused(&url, "--method nova_torch.NovaOrchestrator/Register", 114, "there is RegisterAgent");
}

#[test]
fn a_server_without_reflection_needs_the_definition() {
    let raw = Raw::start(Answer::Trailers("12", ""), None);
    refused(&raw.url(), "", 114, "has no reflection; say what it serves with --proto FILE");
    // Both versions were tried.
    assert_eq!(raw.calls(), 2);
    let locked = Raw::start(Answer::Trailers("16", "who%20are%20you"), None);
    refused(&locked.url(), "", 114, "UNAUTHENTICATED: who are you; --metadata and --token");
}

#[test]
fn json_that_does_not_fit_names_the_field() {
    let server = server("");
    let url = url(&server);
    refused(&url, "--json {\"prt\":1}", 114, "--json: unrecognized field name 'prt'");
    refused(&url, "--json {\"port\":\"x{{seq}}\"}", 114, "port is of type int32");
    refused(&url, &format!("--json {{\"port\":[1]}} --proto {}", proto()), 104, "port is of type int32");
    assert_eq!(server.grpc_truth().by_method.len(), 1, "only reflection was asked");
}

#[test]
fn bad_usage_is_104() {
    let url = "http://127.0.0.1:1";
    refused(url, "--method x", 104, "expected pkg.Service/Method");
    refused("http://127.0.0.1:1/path", "", 104, "expected http://HOST:PORT alone");
    refused("ftp://127.0.0.1:1", "", 104, "expected http or https");
    refused(url, "--json {{nonsense}}", 104, "unknown {{nonsense}}");
    refused(url, "--json {bad", 104, "--json: key must be a string at line 1 column 2");
    let at_once = run(url, "-d 1s --deadline 0");
    assert_eq!(at_once.code, 104);
    assert!(at_once.stderr.contains("expected a time above 0"), "{}", at_once.stderr);
    let typed = |line: &str, expected| refused(url, &format!("--proto {} {line}", proto()), 104, expected);
    typed("--json [{}]", "--json: expected one request, an object of nova_torch.");
    typed("--messages 3", "--messages: the client of this method sends one message; leave it out");
    typed("--in-flight 3", "--in-flight: it is for methods where both sides stream");
    refused(url, "--json-file /nowhere.json", 104, "/nowhere.json");
    refused(url, "--proto /nowhere.proto", 104, "/nowhere.proto");
    refused(url, "--metadata te:x", 104, "gRPC's own");
    let left = tool().run(["--url", url, "-d", "1s"]);
    left.is_refused(104, "give --method pkg.Service/Method");
}

#[test]
fn tls_is_trusted_on_request_and_must_agree_on_http_2() {
    let start = |protocol: &'static [u8]| {
        let CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed(["localhost".into()]).unwrap();
        let key = signing_key.serialize_der().try_into().unwrap();
        let tls = Tls { certificate: cert.der().clone(), key, protocol };
        let raw = Raw::start(Answer::Bytes(GOOD, 64, Some("0")), Some(tls));
        (format!("https://localhost:{}", raw.address.port()), raw, cert.pem())
    };
    let (url, raw, pem) = start(b"h2");
    let proto = proto();
    refused(&url, &format!("--proto {proto}"), 114, "certificate");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), pem).unwrap();
    let left = run(&url, &format!("-u 4 -c 2 -n 20 --proto {proto} --cacert {}", file.path().display()));
    assert_eq!((left.code, left.run().ledger.calls.ok, raw.calls()), (0, 20, 20), "{}", left.stderr);
    let (url, _raw, _) = start(b"http/1.1");
    let left = run(&url, &format!("-u 1 -d 1s --quiet --insecure --proto {proto}"));
    assert_eq!(left.code, 114);
}

#[test]
fn types_from_a_file_are_shown_without_a_server() {
    let proto = proto();
    for (words, expected) in [
        (vec!["list", "--proto", &proto], "nova_torch.NovaOrchestrator/RegisterAgent"),
        (vec!["describe", "nova_torch.RegisterAgentRequest", "--proto", &proto], "string agent_id = 1;"),
    ] {
        let tool = Command::new(env!("CARGO_BIN_EXE_grpc-load")).args(&words).env_remove("GRPC_URL").output();
        let (said, complaint) = tool.map(|out| (out.stdout, out.stderr)).unwrap();
        let said = String::from_utf8(said).unwrap();
        assert!(said.contains(expected), "{words:?}: {said}{}", String::from_utf8_lossy(&complaint));
    }
}
