//! Is the certificate of a Redis verified, whole: its signer and its name?

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::TempDir;
use tool_tests::{Left, free_port};

use crate::nodes::{Node, PASSWORD, makes, skipped};
use crate::support::{Tool, commands, pass};

/// Who signs certificates.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    file: PathBuf,
}

impl Authority {
    fn new(folder: &Path, name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let file = folder.join(format!("{name}.pem"));
        std::fs::write(&file, params.self_signed(&key).unwrap().pem()).unwrap();
        Self { issuer: Issuer::new(params, key), file }
    }

    /// Writes down a certificate for `name`, and its key.
    fn sign(&self, folder: &Path, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let signed =
            CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        let files = ["crt", "key"].map(|kind| folder.join(format!("{name}.{kind}")));
        std::fs::write(&files[0], signed.pem()).unwrap();
        std::fs::write(&files[1], key.serialize_pem()).unwrap();
        let [certificate, key] = files.map(|file| file.display().to_string());
        (certificate, key)
    }
}

/// A server that speaks TLS on one port and nothing else there; None where it was built without.
fn server(make: &'static str, (certificate, key): &(String, String)) -> Option<(Node, u16)> {
    let port = free_port();
    let tls = port.to_string();
    let options = [
        "--tls-port",
        &tls,
        "--tls-cert-file",
        certificate,
        "--tls-key-file",
        key,
        "--tls-auth-clients",
        "no",
    ];
    let help = Command::new(make).arg("--version").output().unwrap();
    assert!(help.status.success());
    let mut probe: Child = Command::new(make)
        .args(["--port", "0", "--unixsocket", "probe.sock", "--save", ""])
        .args(options)
        .current_dir(Path::new(certificate).parent().unwrap())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    pass(300);
    let is_built_with = probe.try_wait().unwrap().is_none();
    let _ = probe.kill();
    let _ = probe.wait();
    if !is_built_with {
        skipped(&format!("{make} was built without TLS"));
        return None;
    }
    Some((Node::start(make, &options), port))
}

fn run(port: u16, host: &str, line: &str) -> Left {
    let tool = Tool::new("redis", &format!("rediss://:{PASSWORD}@{host}:{port}"));
    let left = tool.run(&format!("-n 100 -u 2 --keys 20 --quiet {line}"));
    if left.run.is_some() {
        tool.keeps(&[PASSWORD], &left);
    }
    assert!(!left.stderr.contains(PASSWORD), "{}", left.stderr);
    left
}

#[test]
fn a_redis_with_tls_is_trusted_by_signer_and_name() {
    for make in makes().into_iter().filter(|make| *make != "dragonfly") {
        let folder: TempDir = tempfile::tempdir().unwrap();
        let (ours, other) = (Authority::new(folder.path(), "ours"), Authority::new(folder.path(), "other"));
        let Some((node, port)) = server(make, &ours.sign(folder.path(), "localhost")) else { continue };
        let trusting = |authority: &Authority| format!("--cacert {}", authority.file.display());
        for line in ["", "--resp3 --pipeline 4", "--workload pubsub -d 1s"] {
            let left = run(port, "localhost", &format!("{} {line}", trusting(&ours)));
            assert_eq!(left.code, 0, "{line}: {}", left.stderr);
            assert_eq!(left.run().header.plan.args["tls"], "verified");
        }
        let before = commands(&mut node.redis(), "get");
        assert!(before > 100, "{before}");
        // Somebody else's signer, nobody's, and the right one for another name.
        run(port, "localhost", &trusting(&other)).is_refused(114, "certificate");
        run(port, "localhost", "").is_refused(114, "certificate");
        run(port, "127.0.0.1", &trusting(&ours)).is_refused(114, "certificate");
        assert_eq!(commands(&mut node.redis(), "get"), before);
        let left = run(port, "127.0.0.1", "--insecure");
        assert_eq!(left.code, 0, "{}", left.stderr);
        assert_eq!(left.run().header.plan.args["tls"], "NOT VERIFIED (--insecure)");
        // TLS to a port that speaks none, and none to one that does.
        run(node.port, "localhost", &trusting(&ours)).is_refused(114, "");
        let plain = Tool::new("redis", &format!("redis://:{PASSWORD}@127.0.0.1:{port}"));
        plain.run("-n 10 -u 1 --quiet").is_refused(114, "is it a Redis server?");
    }
}
