//! Is the target there? Resolves the name and tries every address once, before anything is measured.
//!
//! Blocking and on threads of its own, so that a resolver that hangs cannot outlast the limit. Nothing is sent but
//! the TLS handshake.

use std::fmt::Display;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use load_core::error::PrepareError;
use load_core::protocol::{Fault, LinkId, Probe};
use load_report::fault::FaultKind;
use rustls::ClientConnection;
use serde::{Deserialize, Serialize};
use socket2::{Domain, Type};

use crate::connection::{Connection, Socket, Tls, late_port};
use crate::local::LocalIps;
use crate::route::{RouteArgs, Way};
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
    /// Addresses of other hosts that calls may lead to, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<(String, Vec<IpAddr>)>,
}

impl Target {
    /// Finds out where `url` is and that it accepts connections, and TLS where that is asked for.
    ///
    /// # Errors
    /// No address does: why, in one line.
    pub async fn find(url: &Url, tls: Option<Tls>) -> Result<Self, PrepareError> {
        Self::find_by(&RouteArgs::default(), url, tls).await
    }

    /// Like [`Target::find`], by this `route`. Behind a Unix socket there are no addresses.
    ///
    /// # Errors
    /// No address accepts: why, in one line.
    pub async fn find_by(route: &RouteArgs, url: &Url, tls: Option<Tls>) -> Result<Self, PrepareError> {
        let (way, local) = (route.way(&url.host, url.port), route.local_ips.clone());
        Ok(Self { addresses: addresses(way, local, tls).await?, others: Vec::new() })
    }

    /// Finds out where these other `hosts` are, too; nothing is sent to them.
    ///
    /// # Errors
    /// A name that has no address: which, in one line.
    pub async fn with_others(mut self, hosts: impl IntoIterator<Item = &str>) -> Result<Self, PrepareError> {
        for host in hosts {
            let name = host.to_owned();
            let (sender, receiver) = mpsc::channel();
            thread::spawn(move || sender.send((name.as_str(), 0).to_socket_addrs()));
            let waited = tokio::task::spawn_blocking(move || receiver.recv_timeout(LIMIT)).await;
            let failed = |why: &str| PrepareError::new(format!("cannot resolve {host}: {why}"));
            let found = match waited {
                Ok(Ok(Ok(found))) => found.take(MOST_ADDRESSES).map(|address| address.ip()).collect(),
                Ok(Ok(Err(error))) => return Err(failed(&error.to_string())),
                _ => return Err(failed("no answer")),
            };
            self.others.push((host.to_owned(), found));
        }
        Ok(self)
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
        self.connect_by(&RouteArgs::default(), link, tls, probe).await
    }

    /// Like [`Target::connect`], by this `route`.
    ///
    /// # Errors
    /// The same.
    pub async fn connect_by(
        &self,
        route: &RouteArgs,
        link: LinkId,
        tls: Option<&Tls>,
        probe: &mut Probe<'_>,
    ) -> Result<Connection, Fault> {
        if let Some(path) = &route.unix_socket {
            let socket = Socket::unix(path).await;
            return finish(socket, tls, path.display(), probe).await;
        }
        let turn = link.index % (self.addresses.len() as u64).max(1);
        let Some(&address) = self.addresses.get(turn as usize) else {
            return Err(Fault::fatal(FaultKind::Dns));
        };
        let local = route.local(link, self.addresses.len(), address);
        finish(Socket::tcp(address, local).await, tls, address, probe).await
    }

    /// Opens a connection to another `host` and port for `link`, by this `route`.
    ///
    /// # Errors
    /// The same.
    pub async fn connect_other(
        &self,
        route: &RouteArgs,
        (host, port): (&str, u16),
        link: LinkId,
        tls: Option<&Tls>,
        probe: &mut Probe<'_>,
    ) -> Result<Connection, Fault> {
        let addresses = match route.way(host, port) {
            Way::Unix(_) => Vec::new(),
            Way::Addresses(all) => all,
            Way::Name(name, port) => self.known(&name, port),
        };
        if addresses.is_empty() && route.unix_socket.is_none() {
            probe.note(format_args!("{host} was not resolved before the run"));
            return Err(Fault::fatal(FaultKind::Dns));
        }
        Self { addresses, others: Vec::new() }.connect_by(route, link, tls, probe).await
    }

    fn known(&self, name: &str, port: u16) -> Vec<SocketAddr> {
        let literal = name.parse::<IpAddr>().ok().map(|ip| vec![ip]);
        let found = self.others.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        let ips = literal.or_else(|| found.map(|(_, ips)| ips.clone())).unwrap_or_default();
        ips.into_iter().map(|ip| (ip, port).into()).collect()
    }
}

/// The connection over `socket`, which was opened to `place`.
async fn finish(
    socket: io::Result<Socket>,
    tls: Option<&Tls>,
    place: impl Display,
    probe: &mut Probe<'_>,
) -> Result<Connection, Fault> {
    let socket = socket.map_err(|error| {
        probe.note(format_args!("{place}: {error}"));
        Fault::io(&error)
    })?;
    Connection::over(socket, tls).await.map_err(|error| {
        probe.note(format_args!("{place}: {}", tls::explain(&error)));
        Fault::fatal(FaultKind::Tls)
    })
}

/// The addresses on this `way` that accept connections from the `local` ones, and TLS where that is asked for.
///
/// # Errors
/// None does: why, in one line.
async fn addresses(
    way: Way,
    local: Vec<LocalIps>,
    tls: Option<Tls>,
) -> Result<Vec<SocketAddr>, PrepareError> {
    let (sender, receiver) = mpsc::channel();
    let place = match &way {
        Way::Unix(path) => path.display().to_string(),
        Way::Addresses(all) => all.first().map(ToString::to_string).unwrap_or_default(),
        Way::Name(host, port) => place(host, *port),
    };
    let asked = place.clone();
    thread::spawn(move || sender.send(reach(way, &asked, &local, tls.as_ref())));
    let waited = tokio::task::spawn_blocking(move || receiver.recv_timeout(LIMIT)).await;
    match waited {
        Ok(Ok(result)) => result.map_err(PrepareError::new),
        _ => Err(PrepareError::new(format!("cannot connect to {place}: no answer in {LIMIT:?}"))),
    }
}

fn place(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

fn reach(way: Way, place: &str, local: &[LocalIps], tls: Option<&Tls>) -> Result<Vec<SocketAddr>, String> {
    let failed = |why| format!("cannot connect to {place}: {why}");
    let resolved = match way {
        Way::Unix(path) => return dial_unix(&path, tls).map(|()| Vec::new()).map_err(failed),
        Way::Addresses(all) => all,
        Way::Name(host, port) => match (host.as_str(), port).to_socket_addrs() {
            Ok(all) => all.collect(),
            Err(error) => return Err(no_name(&host, &error)),
        },
    };
    let mut found: Vec<SocketAddr> = Vec::new();
    for address in resolved.into_iter().take(MOST_ADDRESSES) {
        if !found.contains(&address) {
            found.push(address);
        }
    }
    let tries: Vec<_> = thread::scope(|scope| {
        let dial = |address| scope.spawn(move || dial(address, local, tls));
        let threads: Vec<_> = found.iter().copied().map(dial).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err("internal error".into())))
            .collect()
    });
    let good: Vec<_> =
        found.iter().zip(&tries).filter(|(_, tried)| tried.is_ok()).map(|(at, _)| *at).collect();
    match tries.into_iter().find_map(Result::err) {
        Some(why) if good.is_empty() => Err(failed(why)),
        None if good.is_empty() => Err(failed("the name has no address; check it".into())),
        _ => Ok(good),
    }
}

fn no_name(host: &str, error: &io::Error) -> String {
    let text = error.to_string();
    let why = text.strip_prefix("failed to lookup address information: ").unwrap_or(&text);
    format!("cannot resolve {host}: {why}; check the name in --url")
}

/// One connection to `address`, from the first of the `local` ones that fits, with a handshake over it.
fn dial(address: SocketAddr, local: &[LocalIps], tls: Option<&Tls>) -> Result<(), String> {
    let tcp = connect(address, local)?;
    let patience = |tcp: &TcpStream| {
        tcp.set_read_timeout(Some(STEP))?;
        tcp.set_write_timeout(Some(STEP))
    };
    patience(&tcp).map_err(|error| error.to_string())?;
    handshake(tcp, tls)
}

fn dial_unix(path: &Path, tls: Option<&Tls>) -> Result<(), String> {
    let stream = UnixStream::connect(path).map_err(|error| refusal(&error))?;
    let patience = |stream: &UnixStream| {
        stream.set_read_timeout(Some(STEP))?;
        stream.set_write_timeout(Some(STEP))
    };
    patience(&stream).map_err(|error| error.to_string())?;
    handshake(stream, tls)
}

fn connect(address: SocketAddr, local: &[LocalIps]) -> Result<TcpStream, String> {
    if local.is_empty() {
        return TcpStream::connect_timeout(&address, STEP).map_err(|error| refusal(&error));
    }
    let Some(from) = LocalIps::pick(local, address.ip(), 0) else {
        return Err(format!("none of --local-ips is of the same family as {}", address.ip()));
    };
    let domain = if address.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
    let socket = socket2::Socket::new(domain, Type::STREAM, None).map_err(|error| error.to_string())?;
    late_port(&socket);
    let bind = socket.bind(&SocketAddr::new(from, 0).into());
    bind.map_err(|error| format!("--local-ips: {from} cannot be used on this machine: {error}"))?;
    socket.connect_timeout(&address.into(), STEP).map_err(|error| refusal(&error))?;
    Ok(socket.into())
}

fn handshake(mut stream: impl io::Read + io::Write, tls: Option<&Tls>) -> Result<(), String> {
    let Some(tls) = tls else { return Ok(()) };
    let mut shake = || -> io::Result<()> {
        let session = ClientConnection::new(tls.config.clone(), tls.name.clone());
        let mut session = session.map_err(io::Error::other)?;
        while session.is_handshaking() {
            session.complete_io(&mut stream)?;
        }
        session.send_close_notify();
        session.complete_io(&mut stream).map(|_| ())
    };
    shake().map_err(|error| tls::explain(&error))
}

fn refusal(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused; is the server running?".into(),
        io::ErrorKind::TimedOut => format!("no answer in {STEP:?}"),
        _ => error.to_string(),
    }
}
