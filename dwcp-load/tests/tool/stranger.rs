//! Does it work with a server that shares nothing with ours? A job API of the standard library of Python.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};

use crate::{calls, run};

struct Stranger(Child);

impl Drop for Stranger {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
fn a_job_api_in_python_counts_the_same() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tool/job_api.py");
    let started = Command::new("python3").arg(script).stdout(Stdio::piped()).spawn();
    let mut server = match started {
        Ok(server) => Stranger(server),
        Err(error) => {
            // Shown by a test that is run for it; there is nothing to fail.
            return writeln!(std::io::stderr(), "skipped: python3: {error}").unwrap();
        }
    };
    let mut lines = BufReader::new(server.0.stdout.take().unwrap()).lines();
    let url = lines.next().unwrap().unwrap();
    let left = run(&url, "-u 8 -n 80 --poll-interval 20ms --no-stream");
    assert_eq!(left.code, 0, "{}", left.stderr);
    // A last request, whose answer is what it counted.
    let counted = run(&format!("{url}/count"), "-u 1 -n 1 --no-stream");
    assert_eq!(counted.code, 114);
    let said = lines.next().unwrap().unwrap();
    let ours = ["POST migrations", "GET migrations/{job_id}", "GET stats", "GET migrations"]
        .map(|op| calls(&left, op));
    assert_eq!(said, ours.map(|n| n.to_string()).join(" "));
}
