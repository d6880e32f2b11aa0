//! nginx, and what its log says.

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rcgen::CertifiedKey;
use tempfile::TempDir;
use tool_tests::free_port;

pub(crate) struct Nginx {
    child: Child,
    dir: TempDir,
    port: u16,
}

/// A line of the log.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) protocol: String,
    pub(crate) connection: u64,
    pub(crate) status: u16,
}

/// A certificate for localhost and its key in `dir`.
pub(crate) fn certificate(dir: &Path) {
    let CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["localhost".into()]).unwrap();
    fs::write(dir.join("cert.pem"), cert.pem()).unwrap();
    fs::write(dir.join("key.pem"), signing_key.serialize_pem()).unwrap();
}

impl Nginx {
    /// Listens as `listen` says ("http2", "ssl http2"), with more `directives`.
    pub(crate) fn start(listen: &str, directives: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (port, at) = (free_port(), dir.path().display());
        certificate(dir.path());
        let paths: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("{name}_temp_path {at}/{name};\n"))
            .concat();
        let config = format!(
            "daemon off; master_process off; pid {at}/pid; error_log {at}/error.log crit;\n\
             events {{ worker_connections 512; }}\n\
             http {{ {paths}\n\
             log_format ours '$server_protocol $connection $status'; access_log {at}/access.log ours;\n\
             {directives}\n\
             server {{ listen 127.0.0.1:{port} {listen}; ssl_certificate {at}/cert.pem; ssl_certificate_key {at}/key.pem;\n\
             location / {{ default_type text/plain; return 200 'hello, world'; }} }} }}\n"
        );
        fs::write(dir.path().join("nginx.conf"), config).unwrap();
        let path = format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default());
        let child = Command::new("nginx")
            .env("PATH", path)
            .arg("-c")
            .arg(dir.path().join("nginx.conf"))
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nginx is installed");
        // Each look is an attempt to connect, so that it ends with the first that is accepted.
        (0..100_000)
            .find(|_| {
                std::thread::yield_now();
                TcpStream::connect(("127.0.0.1", port)).is_ok()
            })
            .expect("nginx listens");
        Self { child, dir, port }
    }

    pub(crate) fn url(&self, scheme: &str) -> String {
        format!("{scheme}://localhost:{}/", self.port)
    }

    pub(crate) fn cacert(&self) -> String {
        self.dir.path().join("cert.pem").display().to_string()
    }

    /// Ends nginx: what it has logged.
    pub(crate) fn log(mut self) -> Vec<Line> {
        tool_tests::signal(self.child.id(), "QUIT");
        self.child.wait().unwrap();
        let text = fs::read_to_string(self.dir.path().join("access.log")).unwrap();
        let line = |line: &str| {
            let words: Vec<_> = line.split(' ').collect();
            Line {
                protocol: words[0].to_owned(),
                connection: words[1].parse().unwrap(),
                status: words[2].parse().unwrap(),
            }
        };
        // A connection without a request is no request.
        text.lines().map(line).filter(|line| line.status == 200).collect()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // It has ended, unless its test has failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
