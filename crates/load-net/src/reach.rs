//! Is the target there? Resolves the name and tries every address once, before anything is measured.
//!
//! Blocking and on threads of its own, so that a resolver that hangs cannot outlast the limit. Nothing is sent but
//! the TLS handshake.

use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use load_core::error::PrepareError;
use load_core::protocol::{Fault, LinkId, Probe};
use load_report::fault::FaultKind;
use rustls::ClientConnection;
use serde::{Deserialize, Serialize};

use crate::connection::{Connection, NoConnection, Tls};
use crate::tls;
use crate::url::Url;

/// For the name and for the connection together; a command that cannot start says so within 5 s.
const LIMIT: Duration = Duration::from_millis(4_500);
/// For one step of a connection.
const STEP: Duration = Duration::from_secs(4);
/// Addresses of a name that are tried and used.
const MOST_ADDRESSES: usize = 16;

/// Where connections go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The addresses that accepted a connection; links take them in turn.
    pub addresses: Vec<SocketAddr>,
}

impl Target {
    /// Finds out where `url` is and that it accepts connections, and TLS where that is asked for.
    ///
    /// # Errors
    /// No address does: why, in one line.
    pub async fn find(url: &Url, tls: Option<Tls>) -> Result<Self, PrepareError> {
        Ok(Self { addresses: addresses(url.host.clone(), url.port, tls).await? })
    }

    /// Opens `link`'s connection, without a limit of time.
    ///
    /// # Errors
    /// The fault that ended the attempt; what happened is said to `probe`.
    pub async fn connect(
        &self,
        link: LinkId,
        tls: Option<&Tls>,
        probe: &mut Probe<'_>,
    ) -> Result<Connection, Fault> {
        let turn = link.index % (self.addresses.len() as u64).max(1);
        let Some(&address) = self.addresses.get(turn as usize) else {
            return Err(Fault::fatal(FaultKind::Dns));
        };
        Connection::open(address, tls).await.map_err(|error| match error {
            NoConnection::Tcp(error) => {
                probe.note(format_args!("{address}: {error}"));
                Fault::io(&error)
            }
            NoConnection::Tls(error) => {
                probe.note(format_args!("{address}: {}", tls::explain(&error)));
                Fault::fatal(FaultKind::Tls)
            }
        })
    }
}

/// The addresses of `host` that accept connections, and TLS where that is asked for.
///
/// # Errors
/// None does: why, in one line.
pub async fn addresses(host: String, port: u16, tls: Option<Tls>) -> Result<Vec<SocketAddr>, PrepareError> {
    let (sender, receiver) = mpsc::channel();
    let place = place(&host, port);
    thread::spawn(move || sender.send(reach(&host, port, tls.as_ref())));
    let waited = tokio::task::spawn_blocking(move || receiver.recv_timeout(LIMIT)).await;
    match waited {
        Ok(Ok(result)) => result.map_err(PrepareError::new),
        _ => Err(PrepareError::new(format!("cannot connect to {place}: no answer in {LIMIT:?}"))),
    }
}

fn place(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

fn reach(host: &str, port: u16, tls: Option<&Tls>) -> Result<Vec<SocketAddr>, String> {
    let resolved = (host, port).to_socket_addrs().map_err(|error| no_name(host, &error))?;
    let mut found: Vec<SocketAddr> = Vec::new();
    for address in resolved.take(MOST_ADDRESSES) {
        if !found.contains(&address) {
            found.push(address);
        }
    }
    let tries: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = found.iter().map(|&address| scope.spawn(move || dial(address, tls))).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err("internal error".into())))
            .collect()
    });
    let good: Vec<_> =
        found.iter().zip(&tries).filter(|(_, tried)| tried.is_ok()).map(|(at, _)| *at).collect();
    match tries.into_iter().find_map(Result::err) {
        Some(why) if good.is_empty() => Err(format!("cannot connect to {}: {why}", place(host, port))),
        None if good.is_empty() => Err(format!("cannot resolve {host}: it has no address; check the name")),
        _ => Ok(good),
    }
}

fn no_name(host: &str, error: &io::Error) -> String {
    let text = error.to_string();
    let why = text.strip_prefix("failed to lookup address information: ").unwrap_or(&text);
    format!("cannot resolve {host}: {why}; check the name in --url")
}

fn dial(address: SocketAddr, tls: Option<&Tls>) -> Result<(), String> {
    let mut tcp = TcpStream::connect_timeout(&address, STEP).map_err(|error| refusal(&error))?;
    let Some(tls) = tls else { return Ok(()) };
    let handshake = |tcp: &mut TcpStream| -> io::Result<()> {
        tcp.set_read_timeout(Some(STEP))?;
        tcp.set_write_timeout(Some(STEP))?;
        let session = ClientConnection::new(tls.config.clone(), tls.name.clone());
        let mut session = session.map_err(io::Error::other)?;
        while session.is_handshaking() {
            session.complete_io(tcp)?;
        }
        session.send_close_notify();
        session.complete_io(tcp).map(|_| ())
    };
    handshake(&mut tcp).map_err(|error| tls::explain(&error))
}

fn refusal(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused; is the server running?".into(),
        io::ErrorKind::TimedOut => format!("no answer in {STEP:?}"),
        _ => error.to_string(),
    }
}
