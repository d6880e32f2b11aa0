//! What the client brings to a TLS handshake: a name, a certificate of its own, a session to take up again.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use load_core::protocol::{Control, Protocol as _};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{HandshakeKind, RootCertStore, ServerConfig, ServerConnection, Stream};
use tempfile::TempDir;

use crate::client::{Client, api, link, run, try_api};
use crate::raw;

/// What the server saw of one connection with a call.
pub(crate) struct Seen {
    name: Option<String>,
    has_certificate: bool,
    kind: Option<HandshakeKind>,
}

/// A server that asks for a certificate and knows who signs them.
pub(crate) struct Server {
    dir: TempDir,
    pub(crate) port: u16,
    thread: JoinHandle<Vec<Seen>>,
}

type Issuer = CertifiedIssuer<'static, KeyPair>;

fn issuer() -> Issuer {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Certificate and key in PEM.
fn signed(issuer: &Issuer, names: &[&str]) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let params =
        CertificateParams::new(names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>()).unwrap();
    (params.signed_by(&key, issuer).unwrap().pem(), key.serialize_pem())
}

impl Server {
    /// Behind the look at whether anyone is there, `calls` connections of one call each.
    pub(crate) fn start(must: bool, calls: usize) -> Self {
        let (dir, issuer) = (tempfile::tempdir().unwrap(), issuer());
        let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
        write("ca.pem", &issuer.pem());
        let (cert, key) = signed(&issuer, &["client"]);
        write("client.pem", &cert);
        write("client-key.pem", &key);
        write("both.pem", &(key + &cert));
        let (cert, key) = signed(&issuer, &["shop.test", "localhost"]);
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(issuer.pem().as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::clone(&provider));
        let verifier = if must { verifier } else { verifier.allow_unauthenticated() }.build().unwrap();
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(
                vec![CertificateDer::from_pem_slice(cert.as_bytes()).unwrap()],
                PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
            );
        let config = Arc::new(config.unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let serve = move || {
            let mut seen = Vec::new();
            while seen.len() < calls {
                let (mut tcp, _) = listener.accept().unwrap();
                let mut tls = ServerConnection::new(Arc::clone(&config)).unwrap();
                let mut stream = Stream::new(&mut tls, &mut tcp);
                // The look sends nothing.
                let Ok(1..) = stream.read(&mut [0; 1000]) else { continue };
                stream.write_all(raw::OK.as_bytes()).unwrap();
                seen.push(Seen {
                    name: tls.server_name().map(str::to_owned),
                    has_certificate: tls.peer_certificates().is_some(),
                    kind: tls.handshake_kind(),
                });
            }
            seen
        };
        Self { dir, port, thread: thread::spawn(serve) }
    }

    pub(crate) fn file(&self, name: &str) -> String {
        PathBuf::from(self.dir.path()).join(name).to_str().unwrap().to_owned()
    }

    /// The names that the clients said, at the end.
    pub(crate) fn names(self) -> Vec<String> {
        self.thread.join().unwrap().into_iter().filter_map(|seen| seen.name).collect()
    }

    /// One call each on so many connections in a row.
    fn call(&self, flags: &[&str], calls: u64) {
        let url = format!("https://shop.test:{}/", self.port);
        let (way, ca) = (format!("shop.test:{}:127.0.0.1", self.port), self.file("ca.pem"));
        let flags = [&["--url", &url, "--resolve", &way, "--cacert", &ca], flags].concat();
        run(async {
            let target = api(&flags).prepare(&mut Control::default()).await.unwrap();
            let mut previous = None;
            for index in 0..calls {
                let api = previous.take().unwrap_or_else(|| api(&flags));
                let mut client = Client::by(api, target.clone(), link(index)).await.unwrap();
                client.call().await.unwrap();
                previous = Some(client.api);
            }
        });
    }
}

#[test]
fn the_urls_name_is_said_whatever_the_way() {
    let server = Server::start(false, 1);
    server.call(&[], 1);
    let seen = server.thread.join().unwrap();
    assert_eq!((seen[0].name.as_deref(), seen[0].has_certificate), (Some("shop.test"), false));
}

#[test]
fn a_certificate_of_the_client_is_shown() {
    for (cert, key) in [("client.pem", Some("client-key.pem")), ("both.pem", None)] {
        let server = Server::start(true, 1);
        let cert = server.file(cert);
        let key = key.map(|key| server.file(key));
        let key: Vec<&str> = key.iter().flat_map(|key| ["--key", key]).collect();
        server.call(&[&["--cert", cert.as_str()][..], &key].concat(), 1);
        assert!(server.thread.join().unwrap()[0].has_certificate);
    }
}

#[test]
fn sessions_are_resumed_unless_told_otherwise() {
    for (flags, second) in
        [(&[][..], HandshakeKind::Resumed), (&["--no-tls-resumption"], HandshakeKind::Full)]
    {
        let server = Server::start(false, 3);
        server.call(flags, 3);
        let kinds: Vec<_> = server.thread.join().unwrap().iter().map(|seen| seen.kind.unwrap()).collect();
        // Whether the first call resumes the look's session depends on whether its tickets were read.
        assert_eq!(kinds[1..], [second, second], "{flags:?}");
    }
}

#[test]
fn files_that_are_no_certificate_or_key_are_named() {
    let (dir, issuer) = (tempfile::tempdir().unwrap(), issuer());
    let write = |name: &str, text: &str| {
        let file = dir.path().join(name);
        fs::write(&file, text).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let (cert, key) = signed(&issuer, &["client"]);
    let (cert, key, other) =
        (write("cert", &cert), write("key", &key), write("other", &signed(&issuer, &["x"]).1));
    for (flags, said) in [
        (&["--cert", "/nowhere/x"][..], "--cert /nowhere/x: "),
        (&["--cert", &key], "no certificate in it; expected PEM"),
        (&["--cert", &cert], "no private key in it; expected PEM, not encrypted"),
        (&["--cert", &cert, "--key", "/nowhere/x"], "--key /nowhere/x: No such file"),
        (&["--cert", &cert, "--key", &other], "with --key"),
        (&["--key", &key], "--cert <FILE>"),
    ] {
        let error = try_api(&[&["--url", "https://h/"], flags].concat()).err().unwrap_or_default();
        assert!(error.contains(said), "{flags:?}: {error}");
    }
}
