//! How do bytes pass? One connection, plain or over TLS.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};
use rustls::ClientConfig;
use rustls::pki_types::{InvalidDnsNameError, ServerName};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, Interest, ReadBuf};
use tokio::net::{TcpSocket, TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// How TLS connections are made.
#[derive(Clone)]
pub struct Tls {
    /// Trust, and the sessions to resume.
    pub config: Arc<ClientConfig>,
    /// The name that the certificate must be for.
    pub name: ServerName<'static>,
}

impl Tls {
    /// TLS to `host`, a name or an address without brackets.
    ///
    /// # Errors
    /// No certificate can be for this host.
    pub fn named(config: &Arc<ClientConfig>, host: &str) -> Result<Self, InvalidDnsNameError> {
        let name = match host.parse::<IpAddr>() {
            Ok(ip) => ServerName::from(ip),
            Err(_) => ServerName::try_from(host.to_owned())?,
        };
        Ok(Self { config: Arc::clone(config), name })
    }
}

/// What bytes pass through below TLS.
pub enum Socket {
    /// TCP.
    Tcp(TcpStream),
    /// A Unix socket.
    Unix(UnixStream),
}

/// A connection to the target.
pub enum Connection {
    /// As it is.
    Plain(Socket),
    /// Over TLS. Boxed, so that plain sessions stay small.
    Tls(Box<TlsStream<Socket>>),
}

/// Where an attempt to connect ended.
pub enum NoConnection {
    /// Before the connection below TLS was there.
    Tcp(io::Error),
    /// In the TLS handshake.
    Tls(io::Error),
}

impl Socket {
    /// Connects to `address`, from `local` where that is given, without a limit of time.
    ///
    /// # Errors
    /// Why there is no connection.
    pub async fn tcp(address: SocketAddr, local: Option<IpAddr>) -> io::Result<Self> {
        let tcp = match local {
            None => TcpStream::connect(address).await?,
            Some(local) => {
                let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
                late_port(&socket);
                socket.bind((local, 0).into())?;
                socket.connect(address).await?
            }
        };
        // The small request after a small request must not wait for an acknowledgement.
        tcp.set_nodelay(true)?;
        // Some congestion controls, BBR for one, pace: they hold bytes back in the kernel, where nobody sees it. Reno is
        // part of every Linux; a container may forbid the choice, and then the default serves too.
        let _ = rustix::net::sockopt::set_tcp_congestion(&tcp, "reno");
        Ok(Self::Tcp(tcp))
    }

    /// Connects to the Unix socket at `path`.
    ///
    /// # Errors
    /// Why there is no connection.
    pub async fn unix(path: &Path) -> io::Result<Self> {
        UnixStream::connect(path).await.map(Self::Unix)
    }
}

/// The port is to be chosen by the kernel when it knows the other end: a port that is in use towards one address is free
/// towards another. Without the option a port is chosen at once, and one address has 28,000 connections in all.
pub(crate) fn late_port(socket: &impl std::os::fd::AsFd) {
    let _ = nix::sys::socket::setsockopt(socket, nix::sys::socket::sockopt::IpBindAddressNoPort, &true);
}

impl Connection {
    /// Connects, without a limit of time.
    ///
    /// # Errors
    /// The layer that failed, and why.
    pub async fn open(address: SocketAddr, tls: Option<&Tls>) -> Result<Self, NoConnection> {
        let socket = Socket::tcp(address, None).await.map_err(NoConnection::Tcp)?;
        Self::over(socket, tls).await.map_err(NoConnection::Tls)
    }

    /// A connection over `socket`, behind the TLS handshake where that is asked for.
    ///
    /// # Errors
    /// Why the handshake failed.
    pub async fn over(socket: Socket, tls: Option<&Tls>) -> io::Result<Self> {
        let Some(tls) = tls else { return Ok(Self::Plain(socket)) };
        let connector = TlsConnector::from(Arc::clone(&tls.config));
        Ok(Self::Tls(Box::new(connector.connect(tls.name.clone(), socket).await?)))
    }

    /// Reads what there is into `buffer`; 0 is the end. Nothing is lost when the future that polls is dropped.
    #[inline]
    pub(crate) fn poll_some(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if let Self::Plain(Socket::Tcp(stream)) = self {
            return poll_recv(stream, context, buffer);
        }
        let mut buffer = ReadBuf::new(buffer);
        ready!(AsyncRead::poll_read(Pin::new(self), context, &mut buffer))?;
        Poll::Ready(Ok(buffer.filled().len()))
    }

    /// Says goodbye where there is a way to.
    pub async fn close(self) {
        if let Self::Tls(mut stream) = self {
            // The connection is given up in any case.
            let _ = stream.shutdown().await;
        }
    }
}

/// Reads what there is, as tokio does, without the C library: its `recv` and `send` arrange for the cancellation of threads each
/// time, which is 1.7 % of a call (`docs/measurements.md`).
#[inline]
fn poll_recv(stream: &TcpStream, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
    loop {
        ready!(stream.poll_read_ready(context))?;
        let mut came = None;
        let tried = stream.try_io(Interest::READABLE, || {
            let (n, _) = rustix::net::recv(stream, &mut *buffer, RecvFlags::empty())?;
            came = Some(n);
            // The socket is empty now: what comes next is told anew, and asking before that would be in vain.
            if 0 < n && n < buffer.len() { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
        });
        match (came, tried) {
            (Some(n), _) => return Poll::Ready(Ok(n)),
            (None, Err(error)) if error.kind() == io::ErrorKind::WouldBlock => {}
            (None, Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
            (None, tried) => return Poll::Ready(tried.map(|()| 0)),
        }
    }
}

/// For libraries that bring a protocol of their own.
impl AsyncRead for Connection {
    #[inline]
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        };
        match ready!(read) {
            // Many servers close without the TLS goodbye; whether anything is missing is for the framing to say.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Poll::Ready(Ok(())),
            read => Poll::Ready(read),
        }
    }
}

impl AsyncWrite for Connection {
    #[inline]
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    #[inline]
    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

impl AsyncRead for Socket {
    #[inline]
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Unix(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Socket {
    #[inline]
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            // There nearly always is room; tokio knows how to wait where there is none.
            Self::Tcp(stream) => match rustix::net::send(&*stream, bytes, SendFlags::NOSIGNAL) {
                Err(Errno::AGAIN | Errno::INTR) => Pin::new(stream).poll_write(context, bytes),
                sent => Poll::Ready(sent.map_err(io::Error::from)),
            },
            Self::Unix(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    #[inline]
    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(context),
            Self::Unix(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
