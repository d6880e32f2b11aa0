//! The tool of these tests and its target.

use load_report::model::RunFile;
use target_server::{Config, Script, Server};
pub(crate) use tool_tests::{Tool, alone, args, pass, signal, timed};

/// A server that follows `script`.
pub(crate) fn server(script: &str) -> Server {
    server_at("127.0.0.1:0", script)
}

/// A server on `address` that follows `script`.
pub(crate) fn server_at(address: &str, script: &str) -> Server {
    let script = Script::parse("test", script).unwrap();
    let ws = Some(address.parse().unwrap());
    Server::start(Config { ws, script, ..Config::default() }).unwrap()
}

/// Where `server` listens.
pub(crate) fn url(server: &Server, path: &str) -> String {
    format!("ws://{}{path}", server.ws_addr().unwrap())
}

/// ws-load.
pub(crate) fn tool() -> Tool {
    Tool::new(env!("CARGO_BIN_EXE_ws-load"), "ws")
}

/// The counter `name` over all phases, those that are not counted too: the server counts from the first connection.
#[track_caller]
pub(crate) fn whole(run: &RunFile, name: &str) -> u64 {
    let at = run.header.plan.counters.iter().position(|counter| counter.name == name).unwrap();
    run.data.phases.iter().map(|phase| phase.counters[at]).sum()
}

/// Values in the series `name` over all phases.
#[track_caller]
pub(crate) fn observed(run: &RunFile, name: &str) -> u64 {
    let at = run.header.plan.extras.iter().position(|extra| extra.name == name).unwrap();
    run.data.phases.iter().map(|phase| phase.extras[at].count()).sum()
}

/// Good calls of the op `name`.
#[track_caller]
pub(crate) fn calls(run: &RunFile, name: &str) -> u64 {
    run.ops.iter().find(|op| op.name == name).unwrap().figures.requests
}
