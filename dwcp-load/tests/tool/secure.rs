//! Does an image arrive over TLS as well, and not at somebody who is not trusted? What ends TLS here stands before a plain target.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::task::{LocalSet, spawn_local};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::data::{accounted, migrate, server};

/// Takes TLS off what comes for a target, as long as the test lasts.
struct Front {
    address: SocketAddr,
    dir: TempDir,
}

impl Front {
    fn start(target: SocketAddr) -> Self {
        let issued = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("ca.pem"), issued.cert.pem()).unwrap();
        let key = PrivateKeyDer::try_from(issued.signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![issued.cert.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let serve = async move {
            while let Ok((outside, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                spawn_local(async move {
                    // Who does not trust the certificate leaves during the handshake.
                    let Ok(mut outside) = acceptor.accept(outside).await else { return };
                    let mut inside = TcpStream::connect(target).await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut outside, &mut inside).await;
                });
            }
        };
        std::thread::spawn(move || LocalSet::new().block_on(&runtime, serve));
        Self { address, dir }
    }

    fn ca(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }
}

#[test]
fn an_image_arrives_over_tls_in_frames_and_in_websockets() {
    for scheme in ["tcps", "wss"] {
        let server = server("");
        let target = if scheme == "tcps" { server.dwcp_data_addr() } else { server.dwcp_addr() };
        let front = Front::start(target.unwrap());
        let url = format!("{scheme}://{}", front.address);
        let line = "-u 2 -n 4 --vm-memory 3158016 --dirty-rate 20% --streams 3";
        let left = migrate(&url, &format!("{line} --cacert {}", front.ca().display()));
        assert_eq!(left.code, 0, "{scheme}: {}{}", left.stdout, left.stderr);
        let truth = server.dwcp_data_truth();
        accounted(&left, truth);
        assert_eq!((truth.completed, left.counter("data_loss")), (4, 0), "{scheme}");
        assert_eq!(left.counter("pages"), truth.pages, "{scheme}");
    }
}

#[test]
fn nothing_is_sent_to_a_target_that_is_not_trusted() {
    let server = server("");
    let front = Front::start(server.dwcp_data_addr().unwrap());
    let left = migrate(&format!("tcps://{}", front.address), "-u 1 -n 1 --vm-memory 1MiB");
    assert_eq!(left.code, 114, "{}{}", left.stdout, left.stderr);
    assert!(left.stderr.contains("bad certificate: unknown issuer; --cacert FILE"), "{}", left.stderr);
    assert_eq!(server.dwcp_data_truth().migrations, 0);
}
