//! How does one call go, and what comes by itself? One WebSocket, and what is known of its messages.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use bytes::Bytes;
use futures_util::{FutureExt as _, SinkExt, Stream as _, StreamExt as _};
use load_core::clock::Nanos;
use load_core::protocol::{Fault, Outcome, Probe};
use load_net::connection::Connection;
use load_report::fault::FaultKind;
use load_suite::scope::Scope;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::coop::consume_budget;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use crate::end::{self, fault};
use crate::heard::{Come, Heard, Is, Rules, content};
use crate::text::Text;
use crate::{count, frames};

/// Bytes of a wrong answer that are shown.
const SAMPLE: usize = 80;

/// What came of an upgrade.
pub struct Upgraded<S = Connection> {
    /// The connection.
    pub socket: WebSocketStream<S>,
    /// How long it took. In a box that goes when it has been told.
    pub took: Box<Took>,
}

/// How long it took to get a WebSocket.
#[derive(Default)]
pub struct Took {
    /// To connect, and to shake hands for TLS.
    pub connection: load_net::reach::Took,
    /// The HTTP upgrade, ns.
    pub upgrade_ns: u64,
    /// When it was done.
    pub at: Nanos,
}

/// One lane's WebSocket.
pub struct Session<S = Connection> {
    pub(crate) socket: WebSocketStream<S>,
    pub(crate) heard: Heard,
    /// How long it took to get here, until that has been told.
    took: Option<Box<Took>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<S> {
    /// A session on a connection that was just upgraded.
    pub fn new(Upgraded { socket, took }: Upgraded<S>) -> Self {
        Self { socket, heard: Heard::since(took.at), took: Some(took) }
    }

    /// Tells what the upgrade took, with the first call on the connection: most connections are made before time
    /// zero, in a phase that is not counted.
    #[inline]
    pub fn tell_upgrade(&mut self, probe: &Probe<'_>) {
        let Some(took) = self.took.take() else { return };
        probe.observe(count::TCP, took.connection.tcp_ns);
        if let Some(tls_ns) = took.connection.tls_ns {
            probe.observe(count::TLS, tls_ns);
        }
        probe.observe(count::UPGRADE, took.upgrade_ns);
    }

    /// Sends `text` and waits for the answer.
    ///
    /// # Errors
    /// The end of the connection, or a message that is no answer and was not pushed.
    pub async fn echo(
        &mut self,
        rules: &Rules,
        text: &Text,
        scope: &Scope,
        probe: &mut Probe<'_>,
    ) -> Result<Outcome, Fault> {
        let sent = self.send(rules, text, scope, probe).await?;
        loop {
            let message = match self.data(probe).await {
                Ok(message) => message,
                Err(fault) => return Err(fault.after(sent, self.heard.come().bytes)),
            };
            let content = content(&message);
            match self.heard.take(rules, content, true, probe) {
                Is::Answer => return Ok(self.outcome(sent, 0)),
                Is::Pushed | Is::Duplicate => {}
                Is::Unexpected => {
                    return Err(not_the_answer(content, probe).after(sent, self.heard.come().bytes));
                }
            }
        }
    }

    /// Sends `text` for others.
    ///
    /// # Errors
    /// The end of the connection.
    pub async fn publish(
        &mut self,
        rules: &Rules,
        text: &Text,
        scope: &Scope,
        probe: &mut Probe<'_>,
    ) -> Result<Outcome, Fault> {
        let sent = self.send(rules, text, scope, probe).await?;
        Ok(self.outcome(sent, 0))
    }

    /// Sends a ping with a number of its own and waits for its pong.
    ///
    /// # Errors
    /// The end of the connection.
    pub async fn ping(
        &mut self,
        rules: &Rules,
        scope: &Scope,
        probe: &mut Probe<'_>,
    ) -> Result<Outcome, Fault> {
        let number = scope.seq.to_be_bytes();
        let ping = Message::Ping(Bytes::copy_from_slice(&number));
        self.socket.send(ping).await.map_err(|error| fault(&error, probe))?;
        let bytes = number.len();
        loop {
            match self.next(probe).await {
                Ok(Message::Pong(content)) if *content == number => {
                    return Ok(self.outcome(bytes as u32, bytes as u64));
                }
                // Pongs that nobody asked for are in order (RFC 6455, section 5.5.3).
                Ok(Message::Pong(_)) => {}
                Ok(message) => {
                    self.heard.take(rules, content(&message), false, probe);
                }
                Err(fault) => return Err(fault.after(bytes as u32, self.heard.come().bytes)),
            }
        }
    }

    /// Reads what has come and waits for nothing.
    ///
    /// # Errors
    /// The end of the connection.
    pub async fn look(&mut self, rules: &Rules, probe: &mut Probe<'_>) -> Result<Outcome, Fault> {
        while self.pong().now_or_never().is_some() {
            let socket = &mut self.socket;
            let come = poll_fn(|context| match Pin::new(&mut *socket).poll_next(context) {
                Poll::Ready(message) => Poll::Ready(Some(message)),
                Poll::Pending => Poll::Ready(None),
            });
            let Some(message) = come.await else { break };
            if let Some(message) = self.sort(message, probe)? {
                self.heard.take(rules, content(&message), false, probe);
            }
        }
        // A user without think time must not keep the others waiting.
        tokio::task::yield_now().await;
        Ok(self.outcome(0, 0))
    }

    /// Reads what comes by itself, until the connection is no more.
    pub async fn listen(&mut self, rules: &Rules, probe: &mut Probe<'_>) -> Fault {
        self.pong().await;
        loop {
            match self.data(probe).await {
                Ok(message) => {
                    self.heard.take(rules, content(&message), false, probe);
                }
                Err(fault) => return fault,
            }
        }
    }

    /// Says goodbye, and reads what had been sent before the server's goodbye.
    pub async fn close(&mut self, rules: &Rules, probe: &mut Probe<'_>) {
        let Self { socket, heard, .. } = self;
        end::farewell(socket, |message| {
            heard.take(rules, content(message), false, probe);
        })
        .await;
    }

    /// A call that ended well, with `pong` bytes besides the messages that have come since the last one.
    pub(crate) fn outcome(&mut self, sent: u32, pong: u64) -> Outcome {
        let Come { bytes, messages } = self.heard.come();
        Outcome { sent: sent.into(), received: bytes + pong, messages, ..Outcome::default() }
    }

    async fn send(
        &mut self,
        rules: &Rules,
        text: &Text,
        scope: &Scope,
        probe: &mut Probe<'_>,
    ) -> Result<u32, Fault> {
        self.heard.sent.clear();
        text.render(scope, &mut self.heard.sent);
        let content = Bytes::copy_from_slice(&self.heard.sent);
        self.put(rules, content, rules.binary, probe).await
    }

    /// Sends `content`, as a binary message where it is no text, too.
    pub(crate) async fn put(
        &mut self,
        rules: &Rules,
        content: Bytes,
        binary: bool,
        probe: &mut Probe<'_>,
    ) -> Result<u32, Fault> {
        let length = content.len() as u32;
        let message = match Utf8Bytes::try_from(content.clone()) {
            Ok(text) if !binary => Message::Text(text),
            _ => Message::Binary(content),
        };
        let sent = match rules.fragment {
            None => self.socket.send(message).await,
            // Boxed: those who do not ask for it pay nothing.
            Some(most) => Box::pin(frames::send(&mut self.socket, message, most)).await,
        };
        sent.map_err(|error| fault(&error, probe))?;
        Ok(length)
    }

    /// The next text or binary message.
    async fn data(&mut self, probe: &mut Probe<'_>) -> Result<Message, Fault> {
        loop {
            let message = self.next(probe).await?;
            if !message.is_pong() {
                return Ok(message);
            }
        }
    }

    /// The next text, binary message or pong.
    pub(crate) async fn next(&mut self, probe: &mut Probe<'_>) -> Result<Message, Fault> {
        loop {
            // A server that sends without end must not keep the others waiting.
            consume_budget().await;
            let message = self.socket.next().await;
            let pinged = is_ping(message.as_ref());
            if let Some(message) = self.sort(message, probe)? {
                return Ok(message);
            }
            if pinged {
                self.pong().await;
            }
        }
    }

    /// Sends the pong that the library has made before anything else is read: a server that pings and does not read must not fill
    /// our memory.
    async fn pong(&mut self) {
        // What goes wrong is met again by whoever reads.
        let _ = SinkExt::<Message>::flush(&mut self.socket).await;
    }

    /// Passes on what is for us, and ends with the connection.
    fn sort(
        &mut self,
        message: Option<Result<Message, Error>>,
        probe: &mut Probe<'_>,
    ) -> Result<Option<Message>, Fault> {
        match message {
            Some(Ok(message @ (Message::Text(_) | Message::Binary(_) | Message::Pong(_)))) => {
                Ok(Some(message))
            }
            Some(Ok(Message::Ping(_))) => {
                probe.count(count::PINGS, 1);
                Ok(None)
            }
            Some(Ok(Message::Frame(_))) => Ok(None),
            Some(Ok(Message::Close(frame))) => Err(end::closed(&mut self.socket, frame.as_ref(), probe)),
            Some(Err(error)) => Err(end::met(&mut self.socket, Some(&error), probe)),
            None => Err(end::met(&mut self.socket, None, probe)),
        }
    }
}

fn is_ping(message: Option<&Result<Message, Error>>) -> bool {
    matches!(message, Some(Ok(Message::Ping(_))))
}

#[cold]
fn not_the_answer(content: &[u8], probe: &mut Probe<'_>) -> Fault {
    let sample = String::from_utf8_lossy(&content[..content.len().min(SAMPLE)]);
    probe.note(format_args!("{sample:?} came instead of the answer"));
    Fault::answered(FaultKind::Wrong, 0)
}
