//! What the flags make, what is shown of it, and which flags are refused.

use load_core::protocol::Protocol as _;

use crate::client::{api, try_api};

#[test]
fn nothing_shown_holds_a_secret() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    std::fs::write(&file, "t0ken-from-file\n").unwrap();
    let api = api(&[
        "--url",
        "http://bob:pw-in-url@h:1/x?k={{seq}}&api_key=s3cret-key",
        "--token-file",
        file.to_str().unwrap(),
        "-H",
        "X-Api-Key: h3ader-key",
        "-H",
        "Cookie: sid=c00kie",
        "-H",
        "Accept: text/plain",
        "--body",
        r#"{"password": "b0dy-password"}"#,
    ]);
    let shown = format!("{}\n{}\n{}", api.label(), api.describe(), api.ops().join(","));
    let all = api.secrets();
    for secret in ["pw-in-url", "s3cret-key", "t0ken-from-file", "h3ader-key", "c00kie", "b0dy-password"] {
        assert!(!shown.contains(secret), "{shown}");
        assert!(all.iter().any(|value| value == secret), "{secret}");
    }
    assert_eq!(api.ops(), ["POST /x?k={{seq}}&api_key=***"]);
    assert!(shown.contains("Accept: text/plain") && shown.contains("\"body_bytes\":29"), "{shown}");
}

#[test]
fn mistakes_are_refused_with_what_to_do() {
    for (flags, contains) in [
        (&[][..], "give --url"),
        (&["--url", "h:1"], "expected http://HOST"),
        (&["--url", "http://h/{{uuuid}}"], "did you mean {{uuid}}?"),
        (&["--url", "http://h/", "-H", "no colon"], "expected 'Name: value'"),
        (&["--url", "http://h/", "-H", "A b: c"], "not a header name"),
        (&["--url", "http://h/", "-H", "A: b\r\nX: y"], "line break"),
        (&["--url", "http://h/", "-H", "Content-Length: 3"], "leave it out"),
        (&["--url", "http://h/", "-X", "G T"], "expected a method"),
        (&["--url", "http://h/", "-X", "HEAD", "--expect-text", "a"], "no body"),
        (&["--url", "http://h/", "--expect-status", "abc"], "expected a status"),
        (&["--url", "http://h/", "--body-file", "/nowhere/x"], "/nowhere/x"),
        (&["--url", "http://h/", "--token-file", "/nowhere/x"], "/nowhere/x"),
        (&["--url", "https://h/", "--cacert", "/dev/null"], "no certificate"),
        (&["--url", "http://h/", "--body", "{{"], "body: column 1"),
    ] {
        let error = try_api(flags).err().unwrap_or_default();
        assert!(error.contains(contains), "{flags:?}: {error}");
    }
}
