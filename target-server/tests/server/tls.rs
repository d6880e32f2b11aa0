//! The TLS listener serves what the plain one serves.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    sync::Arc,
};

use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, pki_types::pem::PemObject};
use target_server::{Config, Script, Server, StartError, TlsFiles};

fn certificate(dir: &std::path::Path) -> TlsFiles {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let files = TlsFiles { cert: dir.join("cert.pem"), key: dir.join("key.pem") };
    fs::write(&files.cert, made.cert.pem()).unwrap();
    fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
    files
}

fn start(files: TlsFiles, script: &str) -> Result<Server, StartError> {
    let https = Some((([127, 0, 0, 1], 0).into(), files));
    let script = Script::parse("test", script).unwrap();
    Server::start(Config { http: None, https, script, ring: 16, ..Config::default() })
}

#[test]
fn requests_over_tls_are_answered_and_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let files = certificate(dir.path());
    let server =
        start(files.clone(), "[[rule]]\npath = \"/bye\"\nrequests_per_connection = 2\ndelay = \"1ms\"\n")
            .unwrap();
    let address = server.https_addr().unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(rustls::pki_types::CertificateDer::from_pem_file(&files.cert).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let session = ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
    let mut client = StreamOwned::new(session, TcpStream::connect(address).unwrap());
    client.write_all(b"GET /?k=3 HTTP/1.1\r\n\r\nGET /bye HTTP/1.1\r\n\r\n").unwrap();
    let mut text = String::new();
    client.read_to_string(&mut text).unwrap();
    assert_eq!(text.matches("HTTP/1.1 200 OK").count(), 2, "{text}");
    let arrivals = server.arrivals();
    assert_eq!(arrivals[0].k, Some(3));
    assert!(arrivals.iter().all(|a| a.t_ns > 0 && a.done_ns >= a.t_ns + a.delay_ns));
}

#[test]
fn a_client_that_speaks_no_tls_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(certificate(dir.path()), "").unwrap();
    let mut client = TcpStream::connect(server.https_addr().unwrap()).unwrap();
    client.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    // An alert, or a reset.
    let _ = client.read_to_end(&mut Vec::new());
    let truth = server.truth();
    assert_eq!((truth.requests, truth.connections.tls_failed), (0, 1));
}

#[test]
fn files_that_are_no_certificate_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let files = certificate(dir.path());
    fs::write(&files.cert, "nothing").unwrap();
    let error = start(files, "").err().unwrap().to_string();
    assert!(error.contains("cert.pem"), "{error}");
}
