//! How is a system started, and what has it counted?

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::case::Case;
use crate::program;

/// target-server, as one of the systems; it ends with the test.
pub(crate) struct System {
    process: Child,
    http: String,
    ws: String,
    grpc: String,
}

impl System {
    /// Starts what the case is for; none where target-server is not built.
    pub(crate) fn start(case: &Case) -> Option<Self> {
        Self::scripted(case, "")
    }

    /// The same with delays and faults of a script.
    pub(crate) fn scripted(case: &Case, script: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("script.toml");
        std::fs::write(&path, script).unwrap();
        let mut command = Command::new(program("target-server")?);
        command.args(["--contract", case.system, "--strict"]);
        if case.actual {
            command.arg("--actual");
        }
        for listener in ["--http", "--ws", "--grpc"] {
            command.args([listener, "127.0.0.1:0"]);
        }
        let mut process = command.arg("--script").arg(path).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut system = Self { process, http: String::new(), ws: String::new(), grpc: String::new() };
        while [&system.http, &system.ws, &system.grpc].iter().any(|url| url.is_empty()) {
            let line = lines.next().unwrap().unwrap();
            let (kind, url) = line.split_once(' ').unwrap();
            match kind {
                "http" => url.clone_into(&mut system.http),
                "ws" => url.clone_into(&mut system.ws),
                "grpc" => url.clone_into(&mut system.grpc),
                _ => panic!("target-server said {line:?}"),
            }
        }
        Some(system)
    }

    /// Where it is, as `run_all.sh` tells it.
    pub(crate) fn variables(&self) -> [(&'static str, String); 4] {
        [
            ("API_URL", self.http.clone()),
            ("WS_URL", self.ws.clone()),
            ("GRPC_URL", self.grpc.clone()),
            ("DWCP_WS_URL", format!("{}/dwcp/v3/stream", self.ws)),
        ]
    }

    /// What it has counted, by its contract.
    pub(crate) fn truth(&self) -> Value {
        let address = self.http.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        let request = format!("GET /truth HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        let truth: Value = serde_json::from_str(body).unwrap();
        truth["contract"].clone()
    }
}

impl Drop for System {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
