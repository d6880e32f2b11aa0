//! How do HTTP/2 connections live and die? A connection is driven by a task of its own; who uses it learns of its end.

use std::cell::RefCell;
use std::future::{Future as _, poll_fn};
use std::io;
use std::pin::pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use h2::PingPong;
use h2::client::{self, SendRequest};
use load_core::protocol::{Fault, Probe};
use load_report::fault::FaultKind;
use tokio::sync::Notify;

use crate::connection::Connection;

/// What may come of one stream before it is read: enough for 1 MiB in one round trip.
const STREAM_WINDOW: u32 = 1 << 20;
/// The same of all streams of a connection.
const CONNECTION_WINDOW: u32 = 8 << 20;

/// Memory that small frames of data may cost before they are read. A stream of small messages is full of them, and h2 would by
/// itself call a million of them an attack of the server.
const SMALL_FRAMES: usize = 256 << 20;

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
    /// TLS has not agreed on it, or the connection broke. That the other end of a plain connection does not speak HTTP/2 is
    /// seen only later.
    pub async fn begin(connection: Connection, probe: &mut Probe<'_>) -> Result<Self, Fault> {
        let begun = Self::with_ping(connection).await;
        begun.map(|(link, _)| link).map_err(|(fault, note)| {
            probe.note(note);
            fault
        })
    }

    /// The same, with the means to ask whether the other end speaks HTTP/2.
    ///
    /// # Errors
    /// The same.
    pub async fn with_ping(connection: Connection) -> Result<(Self, Option<PingPong>), (Fault, String)> {
        if !agreed(&connection) {
            return Err((Fault::fatal(FaultKind::Tls), "TLS did not agree on h2 (ALPN)".to_owned()));
        }
        let (sender, mut connection) = client::Builder::new()
            .enable_push(false)
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .data_frame_budget(SMALL_FRAMES)
            .handshake(connection)
            .await
            .map_err(|error| explain(&error))?;
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

    /// Streams at a time that the server allows; what it says first comes a moment after the connection has begun.
    #[inline]
    pub fn most_streams(&self) -> usize {
        self.sender.current_max_send_streams()
    }

    /// Whether new calls are accepted: the server has not said GOAWAY and the connection is there.
    #[inline]
    pub fn is_open(&self) -> bool {
        // Who drives the connection says so before any call hears of what came with it.
        self.end.fault.borrow().is_none()
    }

    /// The fault behind the `error` of a call, or what ended the connection where that says more than that it ended.
    #[cold]
    pub fn explain(&self, error: &h2::Error) -> (Fault, String) {
        let (fault, note) = explain(error);
        match refusal(&mut self.sender.clone()) {
            Some(error) if fault.kind == FaultKind::Closed && error.is_go_away() => explain(&error),
            _ => (fault, note),
        }
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

/// Whether TLS, where there is TLS, has agreed on HTTP/2.
fn agreed(connection: &Connection) -> bool {
    match connection {
        Connection::Plain(_) => true,
        Connection::Tls(stream) => stream.get_ref().1.alpn_protocol() == Some(b"h2"),
    }
}

/// Why a new call would not be accepted.
#[inline]
fn refusal(sender: &mut SendRequest<Bytes>) -> Option<h2::Error> {
    match sender.poll_ready(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Err(error)) => Some(error),
        _ => None,
    }
}

/// The fault behind an error of h2, and what happened. A reset ends one call, all else the connection.
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
    let Some(reason) = error.reason() else {
        // What this end did wrong: headers beyond all limits, say.
        return (Fault::answered(FaultKind::Local, 0), error.to_string());
    };
    match (error.is_remote(), error.is_reset(), error.is_go_away()) {
        (true, true, _) => {
            (Fault::answered(FaultKind::Reset, code), format!("the server reset the stream: {reason:?}"))
        }
        (true, _, true) => {
            let fault = Fault { code, ..Fault::fatal(FaultKind::Closed) };
            (fault, format!("the server said GOAWAY: {reason:?}"))
        }
        (false, true, _) => {
            (Fault::answered(FaultKind::Malformed, code), format!("the server broke HTTP/2: {reason:?}"))
        }
        _ => {
            let fault = Fault { code, ..Fault::fatal(FaultKind::Malformed) };
            (fault, format!("the server does not speak HTTP/2, or breaks it: {error}"))
        }
    }
}
