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
use crate::route::{Route, Way};
use crate::stages::{CONNECTING, TLS_HANDSHAKING};
use crate::url::Url;
use crate::{proxy, tls};

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

/// What it took to connect.
#[derive(Clone, Copy, Debug, Default)]
pub struct Took {
    /// TCP, and the proxy's tunnel, ns.
    pub tcp_ns: u64,
    /// The TLS handshake, ns; none without TLS.
    pub tls_ns: Option<u64>,
}

impl Target {
    /// Finds out where `url` is and that it accepts connections, and TLS where that is asked for.
    ///
    /// # Errors
    /// No address does: why, in one line.
    pub async fn find(url: &Url, tls: Option<Tls>) -> Result<Self, PrepareError> {
        Self::find_by(&Route::default(), url, tls).await
    }

    /// Like [`Target::find`], by this `route`. Behind a Unix socket there are no addresses, behind a proxy its own.
    ///
    /// # Errors
    /// No address accepts: why, in one line.
    pub async fn find_by(route: &Route, url: &Url, tls: Option<Tls>) -> Result<Self, PrepareError> {
        let look = Look {
            way: route.way(&url.host, url.port),
            local: route.local_ips().to_vec(),
            // A proxy is asked for a tunnel only.
            tunnel: route.proxy().filter(|_| tls.is_some()).map(|proxy| proxy.request(&url.host, url.port)),
            tls,
        };
        Ok(Self { addresses: addresses(look).await?, others: Vec::new() })
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
        let dial = Dial { route: &Route::default(), host: "", port: 0, tls, stages: None };
        self.connect_by(&dial, link, probe).await
    }

    /// Like [`Target::connect`], as `dial` says.
    ///
    /// # Errors
    /// The same.
    pub async fn connect_by(
        &self,
        dial: &Dial<'_>,
        link: LinkId,
        probe: &mut Probe<'_>,
    ) -> Result<Connection, Fault> {
        let (connection, took) = self.connect_timed(dial, link, probe).await?;
        if let Some(first) = dial.stages {
            probe.observe(first + CONNECTING, took.tcp_ns);
            if let Some(tls_ns) = took.tls_ns {
                probe.observe(first + TLS_HANDSHAKING, tls_ns);
            }
        }
        Ok(connection)
    }

    /// Like [`Target::connect_by`], and what it took.
    ///
    /// # Errors
    /// The same.
    pub async fn connect_timed(
        &self,
        dial: &Dial<'_>,
        link: LinkId,
        probe: &mut Probe<'_>,
    ) -> Result<(Connection, Took), Fault> {
        let begin = probe.now();
        let mut socket = if let Some(path) = dial.route.unix_socket() {
            Socket::unix(path).await.map_err(|error| refused(&error, path.display(), probe))?
        } else {
            let address = self.address(link).ok_or(Fault::fatal(FaultKind::Dns))?;
            let local = dial.route.local(link, self.addresses.len(), address);
            Socket::tcp(address, local).await.map_err(|error| refused(&error, address, probe))?
        };
        if let Some(proxy) = dial.route.proxy().filter(|_| dial.tls.is_some()) {
            proxy.tunnel(&mut socket, dial.host, dial.port).await.map_err(|no| {
                probe.note(format_args!("{}: {}", proxy.label(), no.why));
                Fault { code: no.status.into(), ..Fault::fatal(FaultKind::Connect) }
            })?;
        }
        let connected = probe.now();
        let connection = Connection::over(socket, dial.tls).await.map_err(|error| {
            probe.note(format_args!("{}: {}", self.place(dial, link), tls::explain(&error)));
            Fault::fatal(FaultKind::Tls)
        })?;
        let tls_ns = dial.tls.map(|_| probe.now().since(connected));
        Ok((connection, Took { tcp_ns: connected.since(begin), tls_ns }))
    }

    /// Opens a connection to the other host of `dial` for `link`.
    ///
    /// # Errors
    /// The same.
    pub async fn connect_other(
        &self,
        dial: &Dial<'_>,
        link: LinkId,
        probe: &mut Probe<'_>,
    ) -> Result<Connection, Fault> {
        let addresses = match dial.route.way(dial.host, dial.port) {
            Way::Unix(_) => Vec::new(),
            Way::Addresses(all) => all,
            Way::Name(..) if dial.route.proxy().is_some() => self.addresses.clone(),
            Way::Name(name, port) => self.known(&name, port),
        };
        if addresses.is_empty() && dial.route.unix_socket().is_none() {
            probe.note(format_args!("{} was not resolved before the run", dial.host));
            return Err(Fault::fatal(FaultKind::Dns));
        }
        Self { addresses, others: Vec::new() }.connect_by(dial, link, probe).await
    }

    /// The address that is `link`'s turn.
    fn address(&self, link: LinkId) -> Option<SocketAddr> {
        let turn = link.index.checked_rem(self.addresses.len() as u64)?;
        self.addresses.get(turn as usize).copied()
    }

    /// Where `link` goes, for what people read.
    fn place(&self, dial: &Dial<'_>, link: LinkId) -> String {
        match (dial.route.unix_socket(), self.address(link)) {
            (Some(path), _) => path.display().to_string(),
            (None, Some(_)) if dial.route.proxy().is_some() => place(dial.host, dial.port),
            (None, Some(address)) => address.to_string(),
            (None, None) => String::new(),
        }
    }

    fn known(&self, name: &str, port: u16) -> Vec<SocketAddr> {
        let literal = name.parse::<IpAddr>().ok().map(|ip| vec![ip]);
        let found = self.others.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        let ips = literal.or_else(|| found.map(|(_, ips)| ips.clone())).unwrap_or_default();
        ips.into_iter().map(|ip| (ip, port).into()).collect()
    }
}

/// How a connection is made.
#[derive(Clone, Copy)]
pub struct Dial<'a> {
    /// Which way it takes.
    pub route: &'a Route,
    /// The host that a proxy is asked for.
    pub host: &'a str,
    /// The port that a proxy is asked for.
    pub port: u16,
    /// TLS over it.
    pub tls: Option<&'a Tls>,
    /// The protocol's own series, counted from this one, that get the time of each stage: see [`crate::stages`].
    pub stages: Option<usize>,
}

fn refused(error: &io::Error, place: impl Display, probe: &mut Probe<'_>) -> Fault {
    probe.note(format_args!("{place}: {error}"));
    Fault::io(error)
}

/// What is looked at before the run.
struct Look {
    way: Way,
    local: Vec<LocalIps>,
    /// What a proxy is asked first.
    tunnel: Option<Vec<u8>>,
    tls: Option<Tls>,
}

/// The addresses that accept connections, and TLS where that is asked for.
///
/// # Errors
/// None does: why, in one line.
async fn addresses(look: Look) -> Result<Vec<SocketAddr>, PrepareError> {
    let (sender, receiver) = mpsc::channel();
    let place = match &look.way {
        Way::Unix(path) => path.display().to_string(),
        Way::Addresses(all) => all.first().map(ToString::to_string).unwrap_or_default(),
        Way::Name(host, port) => place(host, *port),
    };
    let asked = place.clone();
    thread::spawn(move || sender.send(reach(&look, &asked)));
    let waited = tokio::task::spawn_blocking(move || receiver.recv_timeout(LIMIT)).await;
    match waited {
        Ok(Ok(result)) => result.map_err(PrepareError::new),
        _ => Err(PrepareError::new(format!("cannot connect to {place}: no answer in {LIMIT:?}"))),
    }
}

fn place(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

fn reach(look: &Look, place: &str) -> Result<Vec<SocketAddr>, String> {
    let failed = |why| format!("cannot connect to {place}: {why}");
    let resolved = match &look.way {
        Way::Unix(path) => return dial_unix(path, look).map(|()| Vec::new()).map_err(failed),
        Way::Addresses(all) => all.clone(),
        Way::Name(host, port) => match (host.as_str(), *port).to_socket_addrs() {
            Ok(all) => all.collect(),
            Err(error) => return Err(no_name(host, &error)),
        },
    };
    let mut found: Vec<SocketAddr> = Vec::new();
    for address in resolved.into_iter().take(MOST_ADDRESSES) {
        if !found.contains(&address) {
            found.push(address);
        }
    }
    let tries: Vec<_> = thread::scope(|scope| {
        let dial = |address| scope.spawn(move || dial(address, look));
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

/// One connection to `address`, from the first of the local ones that fits, with a handshake over it.
fn dial(address: SocketAddr, look: &Look) -> Result<(), String> {
    let tcp = connect(address, &look.local)?;
    let patience = |tcp: &TcpStream| {
        tcp.set_read_timeout(Some(STEP))?;
        tcp.set_write_timeout(Some(STEP))
    };
    patience(&tcp).map_err(|error| error.to_string())?;
    handshake(tcp, look)
}

fn dial_unix(path: &Path, look: &Look) -> Result<(), String> {
    let stream = UnixStream::connect(path).map_err(|error| refusal(&error))?;
    let patience = |stream: &UnixStream| {
        stream.set_read_timeout(Some(STEP))?;
        stream.set_write_timeout(Some(STEP))
    };
    patience(&stream).map_err(|error| error.to_string())?;
    handshake(stream, look)
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

fn handshake(mut stream: impl io::Read + io::Write, look: &Look) -> Result<(), String> {
    let Some(tls) = &look.tls else { return Ok(()) };
    if let Some(request) = &look.tunnel {
        tunnel(&mut stream, request)?;
    }
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

/// Asks a proxy for a tunnel.
fn tunnel(stream: &mut (impl io::Read + io::Write), request: &[u8]) -> Result<(), String> {
    stream.write_all(request).map_err(|error| refusal(&error))?;
    let (mut head, mut piece) = (Vec::new(), [0; 1024]);
    loop {
        let n = stream.read(&mut piece).map_err(|error| refusal(&error))?;
        head.extend_from_slice(&piece[..n]);
        if let Some(result) = proxy::judge(&head, n == 0) {
            return result.map_err(|no| no.why);
        }
    }
}

fn refusal(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused; is the server running?".into(),
        io::ErrorKind::TimedOut => format!("no answer in {STEP:?}"),
        _ => error.to_string(),
    }
}
