//! What the imports of small, realistic inputs look like, and what every input may rely on.
#![expect(clippy::unwrap_used, reason = "what a test needs is there, or it fails")]

use load_import::{Kind, import};

mod common;

/// The suite of a text, which those who read suites understand.
#[track_caller]
fn imported(kind: Kind, name: &str, text: &str) -> String {
    let suite = import(kind, name, text).unwrap();
    common::check(&suite).unwrap_or_else(|error| panic!("{error}\n{suite}"));
    suite
}

/// Nothing that a recording keeps secret is in the suite.
#[track_caller]
fn hides(suite: &str, secrets: &[&str]) {
    for secret in secrets {
        assert!(!suite.contains(secret), "{secret} is in\n{suite}");
    }
}

#[test]
fn openapi_as_yaml() {
    insta::assert_snapshot!(
        "shop.yaml",
        imported(Kind::OpenApi, "shop.yaml", include_str!("data/shop.yaml"))
    );
}

#[test]
fn openapi_as_json() {
    let text = include_str!("data/accounts.json");
    insta::assert_snapshot!("accounts.json", imported(Kind::OpenApi, "accounts.json", text));
}

#[test]
fn a_recording() {
    let text = include_str!("data/shop.har");
    let suite = imported(Kind::Har { with_assets: false }, "shop.har", text);
    hides(&suite, &["s3cr3t-cookie", "correct horse", "eyJhbGciOiJIUzI1NiJ9", "key-0815"]);
    insta::assert_snapshot!("shop.har", suite);
    let whole = imported(Kind::Har { with_assets: true }, "shop.har", text);
    assert!(whole.contains("request = \"GET /static/app.js\"") && !suite.contains("app.js"), "{whole}");
}

#[test]
fn a_collection() {
    let suite = imported(Kind::Postman, "shop.postman.json", include_str!("data/shop.postman.json"));
    hides(&suite, &["hunter2hunter2", "lovelace1815", "k-123456789", "YWRhOmxvdmVsYWNlMTgxNQ"]);
    insta::assert_snapshot!("shop.postman.json", suite);
}

#[test]
fn command_lines() {
    let suite = imported(Kind::Curl, "shop.curl", include_str!("data/shop.curl"));
    hides(&suite, &["abcdefghijklmnop", "cookie-value-1", "hunter2hunter2", "bWU6aHVudGVyMmh1bnRlcjI"]);
    insta::assert_snapshot!("shop.curl", suite);
}
