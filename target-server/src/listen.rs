//! Where does the server listen? Sockets bound before anything is served, and the TLS of one of them.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use socket2::{Domain, Protocol, Socket, Type};
use tokio_rustls::TlsAcceptor;

/// Connections that may wait to be accepted: a stall lets them pile up.
const BACKLOG: i32 = 4096;

/// An address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}")]
pub struct BindError {
    /// The address asked for.
    pub address: SocketAddr,
    /// The cause.
    pub source: io::Error,
}

/// Certificate and key of the TLS listener, in PEM files.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The certificate, and those that lead to its root.
    pub cert: PathBuf,
    /// The key of the certificate.
    pub key: PathBuf,
}

/// Listens on an address; `shared` lets other processes listen on it too.
pub(crate) fn listen(address: SocketAddr, shared: bool) -> Result<TcpListener, BindError> {
    let listening = bind(address, shared).and_then(|socket| {
        unpace(&socket);
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        Ok(socket.into())
    });
    listening.map_err(|source| BindError { address, source })
}

/// An address kept for the processes of one server, without listening on it.
#[derive(Debug)]
pub struct Reservation {
    address: SocketAddr,
    _socket: Socket,
}

impl Reservation {
    /// Takes an address; port 0 is any free one.
    ///
    /// # Errors
    ///
    /// Another server listens there, or the address is not this machine's.
    pub fn take(address: SocketAddr) -> Result<Self, BindError> {
        let reserve = || {
            // Sharing an address would hide that another server has it; listening alone once shows it.
            let alone = bind(address, false)?;
            alone.listen(1)?;
            let address = local(&alone)?;
            drop(alone);
            Ok(Self { address, _socket: bind(address, true)? })
        };
        reserve().map_err(|source| BindError { address, source })
    }

    /// The address, with its port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

fn bind(address: SocketAddr, shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A server started again takes its port though old connections linger on it.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// Takes the simplest congestion control for all connections accepted here. Others, BBR for one, pace: they hold
/// bytes back that the record calls written, and cost CPU for nothing on a loopback.
fn unpace(socket: &Socket) {
    // Reno is part of every Linux; a container may forbid the choice, and then the default serves too.
    let _ = rustix::net::sockopt::set_tcp_congestion(socket, "reno");
}

fn local(socket: &Socket) -> io::Result<SocketAddr> {
    socket.local_addr()?.as_socket().ok_or_else(|| io::Error::other("not an IP address"))
}

/// Reads the files of a TLS listener; the error says what is wrong with which.
pub(crate) fn tls(files: &TlsFiles) -> Result<TlsAcceptor, String> {
    let chain = CertificateDer::pem_file_iter(&files.cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unusable(&files.cert, "certificate", &error))?;
    let key =
        PrivateKeyDer::from_pem_file(&files.key).map_err(|error| unusable(&files.key, "key", &error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|error| unusable(&files.cert, "certificate", &error))?;
    let mut config = config;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn unusable(file: &Path, what: &str, error: &dyn std::fmt::Display) -> String {
    format!("{}: expected a PEM {what}: {error}", file.display())
}
