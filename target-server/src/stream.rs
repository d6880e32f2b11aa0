//! How do bytes pass? A TCP stream that stands still in a stall and knows when it was last read.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::server::TlsStream;

use crate::{clock::now_ns, record::Record};

/// A connection's socket, at the bottom of TLS where there is TLS.
pub(crate) struct GatedStream {
    tcp: TcpStream,
    record: Arc<Record>,
    last_read_ns: u64,
}

/// What a connection needs of its stream.
pub(crate) trait Socket: AsyncRead + AsyncWrite + Unpin {
    /// The socket itself.
    fn gated(&self) -> &GatedStream;
}

impl GatedStream {
    pub(crate) fn new(tcp: TcpStream, record: Arc<Record>) -> Self {
        Self { tcp, record, last_read_ns: 0 }
    }

    /// The address of the other side, without its port.
    pub(crate) fn peer(&self) -> String {
        self.tcp.peer_addr().map(|address| address.ip().to_string()).unwrap_or_default()
    }

    /// The instant after the last read of the socket that brought bytes.
    pub(crate) fn last_read_ns(&self) -> u64 {
        self.last_read_ns
    }

    /// Makes the coming close a reset.
    pub(crate) fn reset_on_close(&self) -> io::Result<()> {
        socket2::SockRef::from(&self.tcp).set_linger(Some(std::time::Duration::ZERO))
    }
}

impl Socket for GatedStream {
    fn gated(&self) -> &GatedStream {
        self
    }
}

impl Socket for TlsStream<GatedStream> {
    fn gated(&self) -> &GatedStream {
        self.get_ref().0
    }
}

impl AsyncRead for GatedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.record.gate.check();
        let read = Pin::new(&mut self.tcp).poll_read(cx, buf);
        if read.is_ready() {
            self.last_read_ns = now_ns();
        }
        read
    }
}

impl AsyncWrite for GatedStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.record.gate.check();
        Pin::new(&mut self.tcp).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.record.gate.check();
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}
