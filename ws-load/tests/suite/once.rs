//! What can be asked of a suite besides load?

use std::process::Command;

use crate::Hub;

/// What the tool says, and its exit code.
fn said(words: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_ws-load")).args(words).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

const WATCH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite/watch.toml");

#[test]
fn a_suite_is_checked_without_a_server() {
    let (code, text) = said(&["check", "--suite", WATCH]);
    assert_eq!(code, Some(0), "{text}");
    assert!(
        text.contains("closed: 6 users")
            && text.contains("nothing wrong: 1 user class, 9 steps; nothing was sent"),
        "{text}"
    );
}

#[test]
fn what_the_documentation_shows_is_right() {
    let page = include_str!("../../../docs/ws-load.md");
    let suite = page.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hub.toml");
    std::fs::write(&path, suite).unwrap();
    let (code, text) = said(&["check", "--suite", path.to_str().unwrap()]);
    assert!(code == Some(0) && text.contains("1 user class, 6 steps"), "{text}");
}

#[test]
fn once_shows_every_message() {
    let Some(hub) = Hub::open() else { return };
    let (code, text) = said(&["once", "--suite", WATCH, "--url", &hub.ws]);
    assert_eq!(code, Some(0), "{text}");
    for shown in [
        "user watcher",
        "✓ receive",
        "< {\"type\": \"hello\"",
        "> {\"action\":\"subscribe\",\"channel\":\"vm_status\"}",
        "✓ ask how it is",
        "< {\"type\": \"pong\"",
        "✓ send vm_query",
        "✓ send metric_query",
        "✓ held",
        "< {\"type\": \"alerts\"",
        "< (pong)",
        "> (close) 4000 enough of 0",
        "✓ close",
    ] {
        assert!(text.contains(shown), "{shown}\n{text}");
    }
    let seen = hub.close();
    assert_eq!((seen.of("disconnect"), seen.of("open")), (1, 0), "{}", seen.0);
}
