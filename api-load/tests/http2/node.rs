//! Node's HTTP/2, and its own record.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

pub(crate) struct Node {
    child: Child,
    stdout: BufReader<ChildStdout>,
    pub(crate) port: u16,
}

impl Node {
    pub(crate) fn start() -> Self {
        Self::at(0, None)
    }

    /// On `port`, with the key and the certificate of `tls`.
    pub(crate) fn at(port: u16, tls: Option<&Path>) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/http2/server.js");
        let mut command = Command::new("node");
        command.arg(script).arg(port.to_string());
        if let Some(dir) = tls {
            command.args([dir.join("key.pem"), dir.join("cert.pem")]);
        }
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("Node is installed");
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let port = line.trim().parse().unwrap();
        Self { child, stdout, port }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Ends the server: what it counted.
    pub(crate) fn counts(mut self) -> serde_json::Value {
        drop(self.child.stdin.take());
        let mut text = String::new();
        self.stdout.read_to_string(&mut text).unwrap();
        serde_json::from_str(&text).unwrap()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It has ended, unless its test kills it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
