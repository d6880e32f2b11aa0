//! Suites, run by the binary against a shop that this project's server knows nothing of.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod answers;
mod events;
mod k6;
mod mistakes;
mod parallel;
mod rehearse;
mod runs;
mod setup;
mod steps;
mod uploads;
mod versions;

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rcgen::CertifiedKey;
use tempfile::TempDir;
use tool_tests::{Left, Tool};

const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite");

/// A shop in Python or in Node, with its own record.
struct Shop {
    process: Child,
    url: String,
    /// How the tool gets there, besides the URL.
    flags: String,
    /// With certificate and key.
    _folder: TempDir,
}

/// What a shop in Node speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Speaks {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2, which is known beforehand.
    Http2,
    /// HTTP/2 over TLS.
    Tls,
}

impl Shop {
    fn open() -> Self {
        Self::serve("shop.py")
    }

    /// What `script` serves; it prints its port.
    fn serve(script: &str) -> Self {
        let mut python = Command::new("python3");
        python.arg(format!("{HERE}/{script}"));
        Self::start(python, "http", "", tempfile::tempdir().unwrap())
    }

    fn node(speaks: Speaks) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed(["127.0.0.1".into()]).unwrap();
        let (key, pem) = (folder.path().join("key.pem"), folder.path().join("cert.pem"));
        std::fs::write(&pem, cert.pem()).unwrap();
        std::fs::write(&key, signing_key.serialize_pem()).unwrap();
        let (word, scheme, flags) = match speaks {
            Speaks::Http1 => ("h1", "http", String::new()),
            Speaks::Http2 => ("h2", "http", " --http2".to_owned()),
            Speaks::Tls => ("tls", "https", format!(" --http2 --cacert {}", pem.display())),
        };
        let mut node = Command::new("node");
        node.arg(format!("{HERE}/shop.js")).args([word.as_ref(), key.as_os_str(), pem.as_os_str()]);
        Self::start(node, scheme, &flags, folder)
    }

    fn start(mut command: Command, scheme: &str, flags: &str, folder: TempDir) -> Self {
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut port = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Self {
            process,
            url: format!("{scheme}://127.0.0.1:{}", port.trim()),
            flags: flags.to_owned(),
            _folder: folder,
        }
    }

    /// The answer of curl to a request for `path`, with these words.
    fn curl(&self, path: &str, words: &[&str]) -> Vec<u8> {
        let version: &[&str] = match (self.flags.is_empty(), self.url.starts_with("https")) {
            (true, _) => &[],
            (_, false) => &["--http2-prior-knowledge"],
            (_, true) => &["--insecure", "--http2"],
        };
        let url = format!("{}{path}", self.url);
        Command::new("curl").args(["-sS", &url]).args(version).args(words).output().unwrap().stdout
    }

    /// What it did.
    fn stats(&self) -> serde_json::Value {
        serde_json::from_slice(&self.curl("/stats", &[])).unwrap()
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
    run_file(tool, shop, &written(tool, text).display().to_string(), line)
}

/// Runs the suite in the file `path` against `shop`.
fn run_file(tool: &Tool, shop: &Shop, path: &str, line: &str) -> Left {
    let words = ["--suite", path, "--url", &shop.url].into_iter().chain(shop.flags.split_whitespace());
    tool.run(words.chain(line.split_whitespace()))
}

/// The shop's suite.
fn shop_suite() -> String {
    std::fs::read_to_string(format!("{HERE}/shop.toml")).unwrap()
}

/// Calls of the op `name`.
fn calls(left: &Left, name: &str) -> u64 {
    left.run().ops.iter().find(|op| op.name == name).map_or(0, |op| op.figures.requests)
}
