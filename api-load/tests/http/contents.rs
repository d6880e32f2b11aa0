//! What the flags about body and authorisation put on the wire.

use std::fs;

use load_core::protocol::Protocol as _;

use crate::client::{Client, api, run, try_api};
use crate::raw::{self, Raw};

/// The head and the body of the request that these flags make.
fn sent(flags: &[&str]) -> (String, Vec<u8>) {
    let (give, take) = std::sync::mpsc::channel();
    let raw = Raw::start(move |mut stream| {
        let head = String::from_utf8(raw::request(&mut stream)).unwrap();
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")?.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        std::io::Read::read_exact(&mut stream, &mut body).unwrap();
        raw::send(&mut stream, raw::OK);
        give.send((head, body)).unwrap();
    });
    let url = raw.url();
    run(async {
        let mut client = Client::new(&[&["--url", &url], flags].concat()).await;
        client.call().await.unwrap();
    });
    raw.end();
    take.recv().unwrap()
}

fn has(head: &str, line: &str) -> bool {
    head.lines().any(|there| there == line)
}

#[test]
fn json_says_what_it_is_as_curl_does() {
    let (head, body) = sent(&["--json", r#"{"n": {{seq}}}"#]);
    assert!(head.starts_with("POST / "), "{head}");
    assert!(has(&head, "Content-Type: application/json") && has(&head, "Accept: application/json"), "{head}");
    assert_eq!(body, br#"{"n": 0}"#);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("x.json");
    fs::write(&file, "[1]").unwrap();
    let at = format!("@{}", file.display());
    let (head, body) = sent(&["--json", &at, "-H", "Accept: text/x", "-X", "PUT"]);
    assert!(head.starts_with("PUT / ") && has(&head, "Accept: text/x"), "{head}");
    assert!(!has(&head, "Accept: application/json"), "{head}");
    assert_eq!(body, b"[1]");
}

#[test]
fn a_form_is_encoded() {
    let (head, body) = sent(&["--form", "a b=x&y", "--form", "id={{vu}}=", "--form", "empty="]);
    assert!(has(&head, "Content-Type: application/x-www-form-urlencoded"), "{head}");
    assert_eq!(String::from_utf8(body).unwrap(), "a+b=x%26y&id=5%3D&empty=");
}

#[test]
fn a_form_in_parts_holds_files() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.bin");
    fs::write(&file, b"\xff\x00\r\n--").unwrap();
    let (head, body) = sent(&["--multipart", "t=text", "--multipart", &format!("f=@{}", file.display())]);
    let line =
        head.lines().find_map(|line| line.strip_prefix("Content-Type: multipart/form-data; boundary="));
    let boundary = line.unwrap();
    let mut expected = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"t\"\r\n\r\ntext\r\n\
         --{boundary}\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.bin\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n"
    )
    .into_bytes();
    expected.extend_from_slice(b"\xff\x00\r\n--");
    expected.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    assert_eq!(body, expected);
}

#[test]
fn a_user_is_named_with_the_password_of_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("password");
    fs::write(&file, "pass word\n").unwrap();
    let flags = ["--basic-user", "bob", "--password-file", file.to_str().unwrap()];
    let (head, _) = sent(&flags);
    assert!(has(&head, "Authorization: Basic Ym9iOnBhc3Mgd29yZA=="), "{head}");
    let api = api(&[&["--url", "http://h/", "--form", "pin=f0rm-secret"], &flags[..]].concat());
    let shown = format!("{}{}", api.label(), api.describe());
    for secret in ["pass word", "Ym9iOnBhc3Mgd29yZA==", "f0rm-secret"] {
        assert!(!shown.contains(secret), "{shown}");
        assert!(api.secrets().iter().any(|known| known == secret), "{secret}");
    }
}

#[test]
fn mistakes_are_refused_without_the_secret() {
    for (flags, said) in [
        (&["--json", "{}", "--body", "x"][..], "cannot be used with"),
        (&["--form", "a=b", "--multipart", "a=b"], "cannot be used with"),
        (&["--form", "hunter2"], "--form: no name and '='; expected NAME=VALUE"),
        (&["--multipart", "=hunter2"], "--multipart: no name and '='"),
        (&["--multipart", "a=@/nowhere/x"], "--multipart a=@/nowhere/x: No such file"),
        (&["--json", "@/nowhere/x"], "--json /nowhere/x: No such file"),
        (&["--basic-user", "bob"], "--password-file <FILE>"),
        (&["--basic-user", "b:b", "--password-file", "/dev/null"], "with a colon"),
        (&["--basic-user", "bob", "--password-file", "/dev/null"], "expected a password"),
    ] {
        let error = try_api(&[&["--url", "http://h/"], flags].concat()).err().unwrap_or_default();
        assert!(error.contains(said) && !error.contains("hunter2"), "{flags:?}: {error}");
    }
}
