//! The whole binary against the reference server, and against one that this project's server shares nothing with.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test")]

mod data;
mod faults;
mod secure;
mod strange_target;
mod stranger;
mod truth;

use std::net::SocketAddr;

use target_server::{Config, Script, Server};
use tool_tests::{Left, Tool};

/// A server that follows the `[dwcp]` table in `script`.
fn server(script: &str) -> Server {
    let script = Script::parse("test", &format!("[dwcp]\n{script}\n")).unwrap();
    let dwcp = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    Server::start(Config { dwcp, script, ..Config::default() }).unwrap()
}

fn url(server: &Server) -> String {
    format!("http://{}", server.dwcp_addr().unwrap())
}

fn tool() -> Tool {
    Tool::new(env!("CARGO_BIN_EXE_dwcp-load"), "dwcp")
}

fn run(url: &str, line: &str) -> Left {
    tool().run(tool_tests::args(url, line))
}

/// Calls that were made under the op `name`.
fn calls(left: &Left, name: &str) -> u64 {
    let op = left.run().ops.iter().find(|op| op.name == name).unwrap();
    op.figures.requests
}
