//! Suites, run by the binary against a shop that this project's server knows nothing of.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod k6;
mod mistakes;
mod runs;

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tool_tests::{Left, Tool};

const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite");

/// A shop in Python, with its own record.
struct Shop {
    process: Child,
    url: String,
}

impl Shop {
    fn open() -> Self {
        let mut process =
            Command::new("python3").arg(format!("{HERE}/shop.py")).stdout(Stdio::piped()).spawn().unwrap();
        let mut port = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Self { process, url: format!("http://127.0.0.1:{}", port.trim()) }
    }

    /// What it did.
    fn stats(&self) -> serde_json::Value {
        let output = Command::new("curl").args(["-sS", &format!("{}/stats", self.url)]).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// How often it saw `what`.
    fn seen(&self, what: &str) -> u64 {
        self.stats()["seen"][what].as_u64().unwrap_or(0)
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

fn tool() -> Tool {
    Tool::new(env!("CARGO_BIN_EXE_api-load"), "api")
}

/// A suite that is only `text`.
fn written(tool: &Tool, text: &str) -> PathBuf {
    let path = tool.folder().join("suite.toml");
    std::fs::write(&path, text).unwrap();
    path
}

/// Runs the suite `text` against `shop`.
fn run(tool: &Tool, shop: &Shop, text: &str, line: &str) -> Left {
    let path = written(tool, text).display().to_string();
    let words = ["--suite", &path, "--url", &shop.url];
    tool.run(words.into_iter().chain(line.split_whitespace()))
}

/// The shop's suite.
fn shop_suite() -> String {
    std::fs::read_to_string(format!("{HERE}/shop.toml")).unwrap()
}

/// Calls of the op `name`.
fn calls(left: &Left, name: &str) -> u64 {
    left.run().ops.iter().find(|op| op.name == name).map_or(0, |op| op.figures.requests)
}
