//! How do HTTP/2 connections live and die? A connection is driven by a task of its own; who uses it learns of its end.

use std::cell::RefCell;
use std::future::{Future as _, poll_fn};
use std::io;
use std::pin::pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use h2::client::{self, SendRequest};
use h2::{PingPong, Reason};
use load_core::protocol::Fault;
use load_net::connection::Connection;
use load_report::fault::FaultKind;
use tokio::sync::Notify;

/// What may come of one stream before it is read: enough for 1 MiB in one round trip.
const STREAM_WINDOW: u32 = 1 << 20;
/// The same of all streams of a connection.
const CONNECTION_WINDOW: u32 = 8 << 20;

/// A connection that several lanes use; clones are handles to it.
#[derive(Clone)]
pub struct Link {
    sender: SendRequest<Bytes>,
    end: Rc<End>,
    /// Looked at by who drives the connection, for as long as somebody uses it.
    _watch: Rc<RefCell<SendRequest<Bytes>>>,
}

/// How a connection ended, once it has.
#[derive(Default)]
struct End {
    fault: RefCell<Option<(Fault, String)>>,
    came: Notify,
}

impl Link {
    /// Begins HTTP/2 on `connection` and drives it on this thread.
    ///
    /// # Errors
    /// The connection broke meanwhile. That its other end does not speak HTTP/2 is seen only later.
    pub async fn begin(connection: Connection) -> Result<Self, h2::Error> {
        Self::with_ping(connection).await.map(|(link, _)| link)
    }

    /// The same, with the means to ask whether the other end speaks HTTP/2.
    ///
    /// # Errors
    /// The same.
    pub async fn with_ping(connection: Connection) -> Result<(Self, Option<PingPong>), h2::Error> {
        let (sender, mut connection) = client::Builder::new()
            .enable_push(false)
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .handshake(connection)
            .await?;
        let (ping, end) = (connection.ping_pong(), Rc::<End>::default());
        let watch = Rc::new(RefCell::new(sender.clone()));
        tokio::task::spawn_local(drive(connection, Rc::clone(&end), Rc::downgrade(&watch)));
        Ok((Self { sender, end, _watch: watch }, ping))
    }

    /// A handle for one call: what h2 remembers of a call stays with its handle.
    #[inline]
    pub fn sender(&self) -> SendRequest<Bytes> {
        self.sender.clone()
    }

    /// Whether new calls are accepted: the server has not said GOAWAY and the connection is there.
    #[inline]
    pub fn is_open(&mut self) -> bool {
        self.refusal().is_none()
    }

    /// Why new calls are not accepted, when they are not.
    #[inline]
    pub fn refusal(&mut self) -> Option<h2::Error> {
        refusal(&mut self.sender)
    }

    /// Waits for the end of the connection.
    pub async fn ended(&self) -> (Fault, String) {
        loop {
            let came = self.end.came.notified();
            if let Some(fault) = self.end.fault.borrow().clone() {
                return fault;
            }
            came.await;
        }
    }
}

impl End {
    fn tell(&self, fault: (Fault, String)) {
        self.fault.borrow_mut().get_or_insert(fault);
        self.came.notify_waiters();
    }
}

/// Drives a connection to its end. GOAWAY ends it for those who wait, while calls on it come to their own end.
async fn drive(
    connection: client::Connection<Connection, Bytes>,
    end: Rc<End>,
    watch: Weak<RefCell<SendRequest<Bytes>>>,
) {
    let (mut connection, mut told) = (pin!(connection), false);
    let result = poll_fn(|context| {
        let polled = connection.as_mut().poll(context);
        if polled.is_pending()
            && !told
            && let Some(error) = watch.upgrade().and_then(|watch| refusal(&mut watch.borrow_mut()))
        {
            told = true;
            end.tell(explain(&error));
        }
        polled
    })
    .await;
    end.tell(match result {
        Ok(()) => (Fault::fatal(FaultKind::Closed), "the server closed the connection".to_owned()),
        Err(error) => explain(&error),
    });
}

/// Why a new call would not be accepted.
#[inline]
fn refusal(sender: &mut SendRequest<Bytes>) -> Option<h2::Error> {
    match sender.poll_ready(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Err(error)) => Some(error),
        _ => None,
    }
}

/// The fault behind an error of h2, and what happened.
#[cold]
pub fn explain(error: &h2::Error) -> (Fault, String) {
    let code = error.reason().map_or(0, u32::from);
    if let Some(error) = error.get_io() {
        // Where the system does not say why, the other end has closed the connection.
        let closed = error.kind() == io::ErrorKind::BrokenPipe && error.raw_os_error().is_none();
        return if closed {
            (Fault::fatal(FaultKind::Closed), "the server closed the connection".into())
        } else {
            (Fault::io(error), error.to_string())
        };
    }
    let reason = error.reason().unwrap_or(Reason::INTERNAL_ERROR);
    match (error.is_remote(), error.is_reset(), error.is_go_away()) {
        (true, true, _) => {
            (Fault::answered(FaultKind::Reset, code), format!("the server reset the stream: {reason:?}"))
        }
        (true, _, true) => {
            let fault = Fault { code, ..Fault::fatal(FaultKind::Closed) };
            (fault, format!("the server said GOAWAY: {reason:?}"))
        }
        (false, true, _) => (Fault::answered(FaultKind::Malformed, code), error.to_string()),
        _ => (Fault { code, ..Fault::fatal(FaultKind::Malformed) }, format!("this is not HTTP/2: {error}")),
    }
}

/// Whether TLS, where there is TLS, has agreed on HTTP/2.
pub fn agreed_on_http2(connection: &Connection) -> bool {
    match connection {
        Connection::Plain(_) => true,
        Connection::Tls(stream) => stream.get_ref().1.alpn_protocol() == Some(b"h2"),
    }
}
