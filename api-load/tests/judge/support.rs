//! The tool of these tests and its target.

use std::process::{Child, Command};

use target_server::{Config, Script, Server};
pub(crate) use tool_tests::{Left, alone, pass, signal, timed};

/// A server that follows `script`.
pub(crate) fn server(script: &str) -> Server {
    let script = Script::parse("test", script).unwrap();
    Server::start(Config { script, ..Config::default() }).unwrap()
}

/// Where `server` listens.
pub(crate) fn url(server: &Server, path: &str) -> String {
    format!("http://{}{path}", server.http_addr().unwrap())
}

/// api-load, whose arguments are words separated by spaces.
pub(crate) struct Tool(tool_tests::Tool);

impl std::ops::Deref for Tool {
    type Target = tool_tests::Tool;
    fn deref(&self) -> &tool_tests::Tool {
        &self.0
    }
}

impl Tool {
    pub(crate) fn new() -> Self {
        Self(tool_tests::Tool::new(env!("CARGO_BIN_EXE_api-load"), "api"))
    }

    pub(crate) fn command(&self, url: &str, args: &str) -> Command {
        self.0.command(tool_tests::args(url, args))
    }

    pub(crate) fn start(&self, url: &str, args: &str) -> Child {
        self.0.start(tool_tests::args(url, args))
    }

    pub(crate) fn run(&self, url: &str, args: &str) -> Left {
        self.0.run(tool_tests::args(url, args))
    }
}
