//! The tool of these tests and its target.

use std::path::PathBuf;
use std::process::Child;

use target_server::{Config, GrpcReport, Script, Server};
use tool_tests::Left;

pub(crate) const REGISTER: &str = "/nova_torch.NovaOrchestrator/RegisterAgent";
/// Arguments of all runs that call it.
pub(crate) const METHOD: [&str; 4] =
    ["--method", "nova_torch.NovaOrchestrator/RegisterAgent", "--json", r#"{"agent_id": "a{{seq}}"}"#];

/// A gRPC server that follows `script`.
pub(crate) fn server(script: &str) -> Server {
    at(script, ([127, 0, 0, 1], 0).into())
}

/// The same at an address.
pub(crate) fn at(script: &str, address: std::net::SocketAddr) -> Server {
    let script = Script::parse("test", script).unwrap();
    Server::start(Config { grpc: Some(address), script, ..Config::default() }).unwrap()
}

pub(crate) fn url(server: &Server) -> String {
    format!("http://{}", server.grpc_addr().unwrap())
}

/// Calls of the load that `truth` counted.
pub(crate) fn load_calls(truth: &GrpcReport) -> u64 {
    truth.by_method.get(REGISTER).copied().unwrap_or(0)
}

/// The definition of the service.
pub(crate) fn proto() -> String {
    let path: PathBuf =
        [env!("CARGO_MANIFEST_DIR"), "../crates/load-wire/proto/nova_torch.proto"].iter().collect();
    path.display().to_string()
}

pub(crate) fn tool() -> tool_tests::Tool {
    tool_tests::Tool::new(env!("CARGO_BIN_EXE_grpc-load"), "grpc")
}

/// The arguments of a run against `url`: the method's, and `line` cut into words.
pub(crate) fn args<'a>(url: &'a str, line: &'a str) -> Vec<&'a str> {
    let mut args = tool_tests::args(url, line);
    if !args.contains(&"--method") {
        args.extend(&METHOD[..2]);
    }
    if !args.contains(&"--json") && !args.contains(&"--json-file") {
        args.extend(&METHOD[2..]);
    }
    args
}

/// Runs the tool to its end.
pub(crate) fn run(url: &str, line: &str) -> Left {
    tool().run(args(url, line))
}

pub(crate) fn start(tool: &tool_tests::Tool, url: &str, line: &str) -> Child {
    tool.start(args(url, line))
}
