//! How does one call go? The request is written, the answer is read to its end; its body is passed on, not kept.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use load_core::protocol::{Fault, Probe};
use load_report::fault::FaultKind;
use load_suite::scope::Scope;
use tokio::io::AsyncWrite as _;

use crate::connection::Connection;
use crate::http::codec::{Answer, Broken, Codec, Progress, Sink};
use crate::http::request::{Buffers, Request};
use crate::stages::Watch;
use crate::tls;

/// Room for one read. One for all sessions of a thread: it stays in the cache, and 10,000 idle sessions need none.
const SCRATCH: usize = 64 * 1024;
/// Reads in one poll, so that a long body does not keep the other lanes waiting: 16 times 64 KiB take 0.2 ms.
const READS_A_POLL: usize = 16;
/// Bytes of a broken answer that are shown.
const SAMPLE: usize = 48;

thread_local! {
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH].into_boxed_slice());
}

/// One lane's connection, and what reads and writes on it.
pub struct Session {
    connection: Connection,
    codec: Codec,
    buffers: Buffers,
}

/// A rendered request.
#[derive(Clone, Copy)]
pub struct Wire<'a> {
    /// What is sent.
    pub bytes: &'a [u8],
    /// Its answer has no body: the method is HEAD.
    pub head_only: bool,
    /// It asks the server to close the connection after the answer.
    pub closes: bool,
}

/// How a call ended.
pub struct Exchanged {
    /// The end of the answer.
    pub result: Result<Answer, Failure>,
    /// Bytes of the request that were sent.
    pub sent: u32,
    /// Bytes of the answer that came.
    pub received: u64,
}

/// Why there is no answer.
pub enum Failure {
    /// The connection failed.
    Io(io::Error),
    /// What came is no answer; with a sample of it.
    Broken(Broken, String),
    /// What came is no answer, and the connection can go on without it.
    Answered(Broken),
    /// Another one, with what is to be said about it.
    Told(Fault, String),
}

impl Session {
    /// A session on `connection`; an answer whose body is larger than `max_body` bytes is a fault.
    pub fn new(connection: Connection, max_body: u64) -> Self {
        Self { connection, codec: Codec::new(max_body), buffers: Buffers::default() }
    }

    /// Makes one call. What the answer consists of goes to `sink`, piece by piece as it comes.
    #[inline]
    pub async fn exchange(&mut self, call: &Request, scope: &Scope, mut sink: impl Sink) -> Exchanged {
        let Self { connection, codec, buffers } = self;
        let bytes = call.bytes(scope, buffers);
        let wire = Wire { bytes, head_only: call.head_only, closes: call.closes };
        exchange(connection, codec, wire, &mut sink, &mut ()).await
    }

    /// Like [`Session::exchange`], with somebody who watches.
    pub async fn exchange_watched(
        &mut self,
        call: &Request,
        scope: &Scope,
        mut sink: impl Sink,
        watch: &mut impl Watch,
    ) -> Exchanged {
        let Self { connection, codec, buffers } = self;
        let bytes = call.bytes(scope, buffers);
        let wire = Wire { bytes, head_only: call.head_only, closes: call.closes };
        exchange(connection, codec, wire, &mut sink, watch).await
    }

    /// Makes one call with a request that is rendered already.
    pub async fn send(&mut self, wire: Wire<'_>, sink: &mut impl Sink, watch: &mut impl Watch) -> Exchanged {
        exchange(&mut self.connection, &mut self.codec, wire, sink, watch).await
    }

    /// Waits for what should not come: bytes, or the end of the connection.
    pub async fn unasked(&mut self) -> Failure {
        let connection = &mut self.connection;
        poll_fn(|context| {
            BUFFER.with_borrow_mut(|buffer| {
                connection.poll_some(context, buffer).map(|read| match read {
                    Ok(0) => broken(FaultKind::Closed, "the connection was closed between two calls", b""),
                    Ok(n) => broken(FaultKind::Malformed, "bytes that no request asked for", &buffer[..n]),
                    Err(error) => Failure::Io(error),
                })
            })
        })
        .await
    }

    /// Ends the connection in good order.
    pub async fn close(self) {
        self.connection.close().await;
    }
}

#[inline]
async fn exchange(
    connection: &mut Connection,
    codec: &mut Codec,
    wire: Wire<'_>,
    sink: &mut impl Sink,
    watch: &mut impl Watch,
) -> Exchanged {
    let request = wire.bytes;
    codec.begin(!wire.head_only);
    let mut exchange =
        Exchange { connection, codec, sink, watch, request, sent: 0, flushed: false, received: 0 };
    let mut result = poll_fn(|context| exchange.poll(context)).await;
    let Exchange { sent, received, .. } = exchange;
    if let Ok(answer) = &mut result {
        // An answer to half a request leaves the other half in the way of the next one.
        answer.keep_alive &= sent == request.len() && !wire.closes;
    }
    Exchanged { result, sent: u32::try_from(sent).unwrap_or(u32::MAX), received }
}

/// One call while it is under way.
struct Exchange<'a, S, W> {
    connection: &'a mut Connection,
    codec: &'a mut Codec,
    sink: &'a mut S,
    watch: &'a mut W,
    request: &'a [u8],
    sent: usize,
    flushed: bool,
    received: u64,
}

impl<S: Sink, W: Watch> Exchange<'_, S, W> {
    #[inline]
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Answer, Failure>> {
        match self.poll_send(context) {
            // While the request cannot go on, the answer may come already: a refusal, say.
            Poll::Ready(Ok(())) | Poll::Pending => self.poll_receive(context),
            Poll::Ready(Err(error)) => Poll::Ready(self.last_words(context).ok_or(Failure::Io(error))),
        }
    }

    #[inline]
    fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.request.len() {
            match Pin::new(&mut *self.connection).poll_write(context, &self.request[self.sent..]) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(n)) => self.sent += n,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        if !self.flushed {
            match Pin::new(&mut *self.connection).poll_flush(context) {
                Poll::Ready(Ok(())) => {
                    self.flushed = true;
                    self.watch.sent();
                }
                other => return other,
            }
        }
        Poll::Ready(Ok(()))
    }

    #[inline]
    fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<Result<Answer, Failure>> {
        BUFFER.with_borrow_mut(|buffer| {
            for _ in 0..READS_A_POLL {
                let n = match self.connection.poll_some(context, buffer) {
                    Poll::Ready(Ok(0)) => return Poll::Ready(self.finish()),
                    Poll::Ready(Ok(n)) => n,
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(Failure::Io(error))),
                    Poll::Pending => return Poll::Pending,
                };
                if let Some(result) = self.take(&buffer[..n]) {
                    return Poll::Ready(result);
                }
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
    }

    /// What came in one read; a result when that ends the answer.
    #[inline]
    fn take(&mut self, bytes: &[u8]) -> Option<Result<Answer, Failure>> {
        if self.received == 0 {
            self.watch.first();
        }
        self.received += bytes.len() as u64;
        match self.codec.feed(bytes, self.sink) {
            Ok(Progress::More) => None,
            Ok(Progress::Done { answer, left_over: 0 }) => Some(Ok(answer)),
            Ok(Progress::Done { left_over, .. }) => {
                let rest = &bytes[bytes.len() - left_over..];
                Some(Err(broken(FaultKind::Malformed, "more bytes than the answer announced", rest)))
            }
            Err(why) => {
                let shown = if self.codec.pending().is_empty() { bytes } else { self.codec.pending() };
                Some(Err(broken(why.kind, why.what, shown)))
            }
        }
    }

    #[cold]
    fn finish(&mut self) -> Result<Answer, Failure> {
        self.codec.finish().map_err(|why| broken(why.kind, why.what, self.codec.pending()))
    }

    /// A server that refuses a request may close before it has read all of it; what it said is worth more than that.
    #[cold]
    fn last_words(&mut self, context: &mut Context<'_>) -> Option<Answer> {
        match self.poll_receive(context) {
            Poll::Ready(Ok(answer)) => Some(Answer { keep_alive: false, ..answer }),
            _ => None,
        }
    }
}

impl Failure {
    /// The fault, with a sample of what was wrong for the record.
    #[cold]
    pub fn fault(self, probe: &mut Probe<'_>) -> Fault {
        match self {
            Self::Io(error) => {
                probe.note(&error);
                if tls::cause(&error).is_some() {
                    return Fault::fatal(FaultKind::Tls);
                }
                Fault::io(&error)
            }
            Self::Answered(why) => {
                probe.note(why.what);
                Fault::answered(why.kind, 0)
            }
            Self::Told(fault, why) => {
                probe.note(why);
                fault
            }
            Self::Broken(why, sample) if sample.is_empty() => {
                probe.note(why.what);
                Fault::fatal(why.kind)
            }
            Self::Broken(why, sample) => {
                probe.note(format_args!("{}: {sample}", why.what));
                Fault::fatal(why.kind)
            }
        }
    }
}

#[cold]
fn broken(kind: FaultKind, what: &'static str, bytes: &[u8]) -> Failure {
    // A TLS alert or handshake record in answer to a plain request.
    let hint = if let [0x15 | 0x16, 3, ..] = bytes { " (that is TLS; use https://)" } else { "" };
    let mut sample = String::new();
    if !bytes.is_empty() {
        let cut = if bytes.len() > SAMPLE { "..." } else { "" };
        sample = format!("\"{}{cut}\"{hint}", bytes[..bytes.len().min(SAMPLE)].escape_ascii());
    }
    Failure::Broken(Broken { kind, what }, sample)
}
