//! What does the tool say of itself, and what can be asked of it besides load?

use std::process::Command;

use crate::support::{args, server, tool, url};

#[test]
fn help_names_the_words_and_the_flags_of_suites() {
    let said = |words: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_ws-load")).args(words).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, help) = said(&["--help"]);
    assert_eq!(code, Some(0));
    assert!(help.contains("check    Check a suite") && help.contains("cleanup  Make"), "{help}");
    assert!(help.contains("--suite") && help.contains("--exclude-tags"), "{help}");
    let (code, checked) = said(&["check", "--url", "ws://127.0.0.1:1", "-u", "2", "--send", "echo=1,ping=1"]);
    assert_eq!(
        (code, checked.as_str()),
        (Some(0), "nothing wrong: 1 user class, 2 steps; nothing was sent\n")
    );
}

#[test]
fn a_log_that_nobody_sees_has_no_colours() {
    let (server, tool) = (server(""), tool());
    let left = tool.run(args(&url(&server, "/"), "-u 1 -n 1 -v"));
    assert!(left.stderr.contains("DEBUG") && !left.stderr.contains('\x1b'), "{:?}", left.stderr);
}
