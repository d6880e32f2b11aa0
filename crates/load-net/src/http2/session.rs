//! How does one call go? A stream is opened, the request sent, the answer read to its end; its body is passed on, not
//! kept.

use std::future::{Future as _, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::client::ResponseFuture;
use h2::{Reason, RecvStream};
use load_core::protocol::Fault;
use load_report::fault::FaultKind;
use load_suite::scope::Scope;

use crate::http::codec::{Answer, Broken, Sink};
use crate::http::session::{Exchanged, Failure};
use crate::http2::Link;
use crate::http2::request::{Buffers, Request};

/// Bytes of a body after which the server is told that they have been read. Those of a smaller one go back to the
/// connection with the end of the stream.
const ACKNOWLEDGED: u64 = 256 * 1024;

/// One lane's handle to its connection.
pub struct Session {
    link: Link,
    max_body: u64,
    buffers: Buffers,
}

impl Session {
    /// A session on `link`; an answer whose body is larger than `max_body` bytes is a fault.
    pub fn new(link: Link, max_body: u64) -> Self {
        Self { link, max_body, buffers: Buffers::default() }
    }

    /// Makes one call; dropping the future resets its stream and nothing else. What the answer consists of goes to
    /// `sink`, piece by piece as it comes. Sent and received are the bytes of bodies: heads are compressed and h2's own.
    #[inline]
    pub async fn exchange(&mut self, call: &Request, scope: &Scope, mut sink: impl Sink) -> Exchanged {
        match self.made(call, scope) {
            Ok((head, body)) => self.send(head, body, &mut sink).await,
            Err(failure) => Exchanged { result: Err(failure), sent: 0, received: 0 },
        }
    }

    /// What `call` is for this iteration.
    ///
    /// # Errors
    /// What was inserted cannot stand where it does.
    #[inline]
    pub fn made(
        &mut self,
        call: &Request,
        scope: &Scope,
    ) -> Result<(http::Request<()>, Option<Bytes>), Failure> {
        let made = call.make(scope, &mut self.buffers);
        made.map_err(|why| Failure::Told(Fault::answered(FaultKind::Local, 0), why))
    }

    /// Makes one call with a request that is made already.
    #[inline]
    pub async fn send(
        &mut self,
        head: http::Request<()>,
        body: Option<Bytes>,
        sink: &mut impl Sink,
    ) -> Exchanged {
        let (stage, sent) = match self.begin(head, body) {
            Ok(begun) => begun,
            Err(failure) => return Exchanged { result: Err(failure), sent: 0, received: 0 },
        };
        let max_body = self.max_body;
        let mut exchange = Exchange { stage, status: 0, sink, received: 0, unread: 0, max_body };
        let result = poll_fn(|context| exchange.poll(context)).await;
        let Exchange { status, received, .. } = exchange;
        let result = match result {
            Ok(()) => Ok(Answer { status, keep_alive: self.link.is_open() }),
            Err(Cut::Http2(error)) => Err(self.failure(&error)),
            Err(Cut::Broken(broken)) => Err(Failure::Answered(broken)),
        };
        Exchanged { result, sent, received }
    }

    /// Gives the request to h2, which keeps what the windows do not allow yet until they do.
    #[inline]
    fn begin(&self, head: http::Request<()>, body: Option<Bytes>) -> Result<(Stage, u32), Failure> {
        // A fresh handle has no stream that waits to be opened, so it is ready.
        let mut sender = self.link.sender();
        let (answer, mut stream) =
            sender.send_request(head, body.is_none()).map_err(|error| self.failure(&error))?;
        let mut sent = 0;
        if let Some(body) = body {
            sent = u32::try_from(body.len()).unwrap_or(u32::MAX);
            stream.send_data(body, true).map_err(|error| self.failure(&error))?;
        }
        Ok((Stage::Head(answer), sent))
    }

    /// Largest body of an answer, in bytes.
    pub fn max_body(&self) -> u64 {
        self.max_body
    }

    /// Waits for the end of the connection.
    pub async fn ended(&self) -> Failure {
        let (fault, note) = self.link.ended().await;
        Failure::Told(fault, note)
    }

    #[cold]
    fn failure(&self, error: &h2::Error) -> Failure {
        let (fault, note) = self.link.explain(error);
        Failure::Told(Fault { ends_session: fault.ends_session || !self.link.is_open(), ..fault }, note)
    }
}

/// One call while it is under way.
struct Exchange<'a, S> {
    stage: Stage,
    status: u16,
    sink: &'a mut S,
    received: u64,
    /// Bytes of the body that the server does not know to be read.
    unread: u64,
    max_body: u64,
}

/// What is waited for.
enum Stage {
    Head(ResponseFuture),
    Body(RecvStream),
}

/// Why there is no answer.
enum Cut {
    Http2(h2::Error),
    Broken(Broken),
}

impl<S: Sink> Exchange<'_, S> {
    #[inline]
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Cut>> {
        loop {
            match &mut self.stage {
                Stage::Head(answer) => {
                    let (head, body) =
                        ready!(Pin::new(answer).poll(context)).map_err(Cut::Http2)?.into_parts();
                    self.status = head.status.as_u16();
                    if self.sink.wants_head() {
                        self.sink.head(&text(&head));
                    }
                    self.stage = Stage::Body(body);
                }
                Stage::Body(stream) => {
                    let data = match ready!(stream.poll_data(context)) {
                        Some(Ok(data)) => data,
                        None => return Poll::Ready(Ok(())),
                        // The answer is whole, and the server does not want the rest of the request (RFC 9113, 8.1).
                        Some(Err(error))
                            if error.is_remote()
                                && error.reason() == Some(Reason::NO_ERROR)
                                && error.is_reset() =>
                        {
                            return Poll::Ready(Ok(()));
                        }
                        Some(Err(error)) => return Poll::Ready(Err(Cut::Http2(error))),
                    };
                    self.received += data.len() as u64;
                    self.unread += data.len() as u64;
                    if self.received > self.max_body {
                        return Poll::Ready(Err(Cut::Broken(TOO_LARGE)));
                    }
                    self.sink.body(&data);
                    if self.unread >= ACKNOWLEDGED {
                        // Fails only when the stream is gone, and then nobody needs the window.
                        let _ = stream.flow_control().release_capacity(self.unread as usize);
                        self.unread = 0;
                    }
                }
            }
        }
    }
}

/// A head as HTTP/1.1 has it, for those who look for headers.
#[cold]
fn text(head: &http::response::Parts) -> Vec<u8> {
    let mut text = format!("HTTP/2 {}\r\n", head.status).into_bytes();
    for (name, value) in &head.headers {
        text.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    text.extend(b"\r\n");
    text
}

const TOO_LARGE: Broken =
    Broken { kind: FaultKind::TooLarge, what: "the body exceeds the limit (--max-body)" };
