//! HTTP/2 against servers that this project did not write: nginx, Node, and bytes where those two are too well-behaved.
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "what a test needs is there, or it fails")]

mod answers;
mod connections;
mod nginx;
mod node;
mod raw;
mod refused;
mod truth;

use tool_tests::{Left, Tool, args};

/// api-load with HTTP/2.
fn tool() -> Tool {
    Tool::new(env!("CARGO_BIN_EXE_api-load"), "api")
}

/// Runs it to its end, with `line` cut into words.
fn run(url: &str, line: &str) -> Left {
    tool().run(args(url, &format!("--http2 --threads 1 {line}")))
}
