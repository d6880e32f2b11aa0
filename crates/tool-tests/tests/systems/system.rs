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
    dwcp: String,
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
        for listener in ["--http", "--ws", "--grpc", "--dwcp"] {
            command.args([listener, "127.0.0.1:0"]);
        }
        let mut process = command.arg("--script").arg(path).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let [http, ws, grpc, dwcp] = Default::default();
        let mut system = Self { process, http, ws, grpc, dwcp };
        while [&system.http, &system.ws, &system.grpc, &system.dwcp].iter().any(|url| url.is_empty()) {
            let line = lines.next().unwrap().unwrap();
            let (kind, url) = line.split_once(' ').unwrap();
            match kind {
                "http" => url.clone_into(&mut system.http),
                "ws" => url.clone_into(&mut system.ws),
                "grpc" => url.clone_into(&mut system.grpc),
                "dwcp" => url.clone_into(&mut system.dwcp),
                _ => panic!("target-server said {line:?}"),
            }
        }
        Some(system)
    }

    /// Where its job API of migrations is, and beside it their events.
    pub(crate) fn dwcp(&self) -> &str {
        &self.dwcp
    }

    /// Where it is, as `run_all.sh` tells it.
    pub(crate) fn variables(&self) -> [(&'static str, String); 6] {
        [
            ("API_URL", self.http.clone()),
            ("ARAGORA_API_URL", self.http.clone()),
            ("WS_URL", self.ws.clone()),
            ("ARAGORA_WS_URL", format!("{}/ws", self.ws)),
            ("GRPC_URL", self.grpc.clone()),
            ("DWCP_WS_URL", format!("{}/dwcp/v3/stream", self.ws)),
        ]
    }

    /// What it has counted, by its contract.
    pub(crate) fn truth(&self) -> Value {
        self.all()["contract"].clone()
    }

    /// All that it has counted.
    pub(crate) fn all(&self) -> Value {
        let address = self.http.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        let request = format!("GET /truth HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        serde_json::from_str(body).unwrap()
    }
}

impl Drop for System {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
