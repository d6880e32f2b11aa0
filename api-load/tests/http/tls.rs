//! Whom is trusted: certificates that are good, for another name, of an unknown issuer, and too old.

use std::fs;
use std::path::{Path, PathBuf};

use load_core::protocol::{Control, Protocol as _};
use load_net::connection::Connection;
use load_report::fault::FaultKind;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use target_server::{Config, Script, Server, TlsFiles};
use tempfile::TempDir;

use crate::client::{Client, api, run, server, settled};

/// A CA of its own, and a server with a certificate of it for this name.
struct Secure {
    dir: TempDir,
    server: Server,
}

impl Secure {
    fn start(name: &str, expired: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        if expired {
            params.not_after = rcgen::date_time_ymd(2020, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &issuer).unwrap();
        let files = TlsFiles { cert: dir.path().join("cert.pem"), key: dir.path().join("key.pem") };
        fs::write(&files.cert, certificate.pem()).unwrap();
        fs::write(&files.key, key.serialize_pem()).unwrap();
        fs::write(ca(dir.path()), issuer.pem()).unwrap();
        let https = Some(([127, 0, 0, 1], 0).into()).map(|address| (address, files));
        let script = "[[rule]]\npath = \"/big\"\nbody_bytes = 1000000\n[[rule]]\npath = \"/close\"\nencoding = \"close\"\n";
        let script = Script::parse("test", script).unwrap();
        let server =
            Server::start(Config { http: None, https, script, ring: 16, ..Config::default() }).unwrap();
        Self { dir, server }
    }

    fn url(&self, host: &str, path: &str) -> String {
        format!("https://{host}:{}{path}", self.server.https_addr().unwrap().port())
    }

    fn ca(&self) -> String {
        ca(self.dir.path()).to_str().unwrap().to_owned()
    }
}

fn ca(dir: &Path) -> PathBuf {
    dir.join("ca.pem")
}

fn refusal(flags: &[&str]) -> String {
    let api = api(flags);
    let error = run(async { api.prepare(&mut Control::default()).await.err() }).unwrap().to_string();
    assert_eq!(error.lines().count(), 1, "{error}");
    error
}

#[test]
fn a_trusted_certificate_is_good() {
    let secure = Secure::start("localhost", false);
    for path in ["/", "/big"] {
        run(async {
            let before = settled(&secure.server);
            let mut client =
                Client::new(&["--url", &secure.url("localhost", path), "--cacert", &secure.ca()]).await;
            let outcome = client.call().await.unwrap();
            assert_eq!(client.call().await, Ok(outcome));
            let truth = settled(&secure.server);
            assert_eq!(truth.bytes_out - before.bytes_out, 2 * outcome.received);
            client.close().await;
        });
    }
    assert_eq!(secure.server.truth().connections.tls_failed, 0);
    run(async {
        let mut client =
            Client::new(&["--url", &secure.url("localhost", "/close"), "--cacert", &secure.ca()]).await;
        assert!(client.call().await.unwrap().ends_session);
    });
}

#[test]
fn a_bad_certificate_is_explained() {
    let secure = Secure::start("localhost", false);
    let error = refusal(&["--url", &secure.url("localhost", "/")]);
    assert!(error.contains("bad certificate: unknown issuer; --cacert FILE trusts your own CA"), "{error}");
    let error = refusal(&["--url", &secure.url("127.0.0.1", "/"), "--cacert", &secure.ca()]);
    assert!(error.contains("wrong name") && error.contains("localhost"), "{error}");
    let old = Secure::start("localhost", true);
    let error = refusal(&["--url", &old.url("localhost", "/"), "--cacert", &old.ca()]);
    assert!(error.contains("bad certificate: expired"), "{error}");
}

#[test]
fn insecure_takes_any_certificate() {
    let secure = Secure::start("elsewhere", true);
    run(async {
        let mut client = Client::new(&["--url", &secure.url("127.0.0.1", "/"), "--insecure"]).await;
        client.call().await.unwrap();
        assert!(client.api.describe()["tls"].as_str().unwrap().contains("NOT VERIFIED"));
    });
}

#[test]
fn a_certificate_that_goes_bad_is_a_fault_of_tls() {
    let secure = Secure::start("localhost", false);
    run(async {
        let good = Client::new(&["--url", &secure.url("localhost", "/"), "--cacert", &secure.ca()]).await;
        let distrusts = api(&["--url", &secure.url("localhost", "/")]);
        let (fault, note) = Client::on(distrusts, good.target.clone()).await.err().unwrap();
        assert_eq!((fault.kind, fault.ends_session), (FaultKind::Tls, true));
        assert!(note.contains("unknown issuer"), "{note}");
    });
}

#[test]
fn a_plain_port_is_recognised() {
    let server = server("");
    let error = refusal(&["--url", &format!("https://{}/", server.http_addr().unwrap()), "--insecure"]);
    assert!(error.contains("is it http://?"), "{error}");
}

#[test]
fn sessions_are_resumed() {
    let secure = Secure::start("localhost", false);
    run(async {
        let mut client =
            Client::new(&["--url", &secure.url("localhost", "/"), "--cacert", &secure.ca()]).await;
        // The tickets come with the first answer.
        client.call().await.unwrap();
        let ca = ca(secure.dir.path());
        let settings = load_net::tls::Settings { cacert: Some(&ca), ..Default::default() };
        let tls = load_net::connection::Tls {
            config: load_net::tls::client_config(&settings, &[b"http/1.1"]).unwrap(),
            name: "localhost".try_into().unwrap(),
        };
        let address = secure.server.https_addr().unwrap();
        let mut kinds = Vec::new();
        for _ in 0..2 {
            let Ok(Connection::Tls(mut stream)) = Connection::open(address, Some(&tls)).await else {
                panic!()
            };
            let request = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
            tokio::io::AsyncWriteExt::write_all(&mut stream, request).await.unwrap();
            tokio::io::AsyncReadExt::read(&mut stream, &mut [0; 500]).await.unwrap();
            kinds.push(stream.get_ref().1.handshake_kind().unwrap());
        }
        assert_eq!(kinds, [rustls::HandshakeKind::Full, rustls::HandshakeKind::Resumed]);
    });
}
