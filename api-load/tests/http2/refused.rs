//! Does a run that cannot begin say why, in one line?

use std::net::TcpListener;

use tool_tests::Left;

use crate::nginx::Nginx;
use crate::{run, tool};

/// Refused as it must be.
fn refused(url: &str, line: &str, code: i32, contains: &str) {
    run(url, &format!("-d 1s --quiet {line}")).is_refused(code, contains);
}

#[test]
fn a_server_without_http2_is_told_at_once() {
    let http1 = Nginx::start("", "");
    refused(&http1.url("http"), "", 114, "does not speak HTTP/2");
    let tls = Nginx::start("ssl", "");
    let line = format!("--cacert {}", tls.cacert());
    refused(&tls.url("https"), &line, 114, "ALPN");
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    refused(&url, "", 114, "does not answer as an HTTP/2 server does");
}

#[test]
fn the_wrong_scheme_is_told_at_once() {
    let tls = Nginx::start("ssl http2", "");
    refused(&tls.url("http"), "", 114, "does not speak HTTP/2");
    let plain = Nginx::start("http2", "");
    refused(&plain.url("https"), "--insecure", 114, "is it http://?");
}

#[test]
fn bad_usage_is_104() {
    let url = "http://127.0.0.1:1/";
    refused(url, "-H Connection:close", 104, "header Connection: HTTP/2 has no place for it");
    refused(url, "-u 10 -c 4 --streams 4", 104, "leave one of the three out");
    refused(url, "-H Host:{{vu}}", 104, "cannot vary");
    let left: Left = tool().run(["--url", url, "--streams", "4", "-d", "1s"]);
    assert!(left.code == 104 && left.stderr.contains("--http2"), "{} {}", left.code, left.stderr);
}
