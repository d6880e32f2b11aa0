//! Who receives memory images? The target of DWCP v3's data plane, `docs/dwcp.md`: over TCP and over WebSocket.
//!
//! | question | module |
//! |---|---|
//! | How does one connection go, from its handshake to its goodbye? | [`connection`] |
//! | Can whoever connects be served? | [`greet`] |
//! | How do frames come and answers go? | [`carrier`] |
//! | What has been received, and what is its hash? | [`image`] |
//! | Which connections belong together, and to which migration? | [`session`] |
//! | How do pages come without frames? | [`raw`] |
//! | What really happened? | [`record`] |

mod carrier;
mod connection;
mod greet;
mod image;
mod raw;
mod record;
mod session;

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
    sync::Arc,
};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_tungstenite::WebSocketStream;

use crate::{clock::now_ns, serve::Context, stream::GatedStream};

use carrier::{Messages, Stream};
use image::Spare;
pub(crate) use record::DataRecord;
pub use record::DwcpDataReport;
use session::Session;

/// What all connections share.
pub(crate) struct DataContext {
    context: Rc<Context>,
    sessions: RefCell<HashMap<[u8; 16], Rc<RefCell<Session>>>>,
    /// Bytes of images that are promised to migrations.
    promised: Cell<u64>,
    spare: Spare,
    /// When the emulated link is free again.
    free_ns: Cell<u64>,
    /// Connections so far, and migrations, for the script's draws.
    connections: Cell<u64>,
    migrations: Cell<u64>,
}

impl DataContext {
    pub(crate) fn new(context: Rc<Context>) -> Self {
        Self {
            context,
            sessions: RefCell::default(),
            promised: Cell::new(0),
            spare: Spare::default(),
            free_ns: Cell::new(0),
            connections: Cell::new(0),
            migrations: Cell::new(0),
        }
    }

    /// Waits until the emulated link has carried `bytes` more.
    async fn carry(&self, bytes: usize) {
        let Some(bandwidth) = self.context.script.dwcp.data.bandwidth else { return };
        let took = (bytes as u128 * 1_000_000_000 / u128::from(bandwidth)) as u64;
        self.free_ns.set(self.free_ns.get().max(now_ns()) + took);
        self.context.timer.until(self.free_ns.get()).await;
    }

    /// After how many bytes the connection that has just come is lost.
    fn loses(&self) -> Option<u64> {
        let n = self.connections.replace(self.connections.get() + 1);
        self.context.script.dwcp.data.loses(self.context.script.seed, n)
    }

    fn record(&self) -> &DataRecord {
        &self.context.record.dwcp_data
    }
}

/// Serves a TCP connection that was just accepted to its end.
pub(crate) async fn serve(data: Rc<DataContext>, tcp: TcpStream) {
    let address = tcp.local_addr().ok().map(|address| address.ip());
    let stream = Stream::new(GatedStream::new(tcp, Arc::clone(&data.context.record)));
    connection::serve(data, stream, address).await;
}

/// Serves a WebSocket whose upgrade was accepted.
pub(super) async fn serve_ws<S: AsyncRead + AsyncWrite + Unpin>(
    data: Rc<DataContext>,
    socket: WebSocketStream<S>,
) {
    connection::serve(data, Messages::new(socket), None).await;
}
