//! How does one stream go? A connection with its handshake, its frames out and answers in, and its return when it was lost.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::{SinkExt as _, Stream as _};
use load_net::connection::{Connection, NoConnection, Tls};
use load_wire::dwcp::frame::{Decoder, Encoder, HEADER, Kind};
use load_wire::dwcp::message::{Ack, Hello, Reason, Step, Verified, Welcome, code};
use load_wire::dwcp::{Broken, TO_SOURCE, TO_TARGET, VERSION};
use tokio::io::{AsyncRead as _, AsyncWriteExt as _, ReadBuf};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::fail::Fail;

/// How often a lost connection is tried again, one try after another.
const TRIES: u32 = 3;
/// Bytes that a WebSocket reads at once: a target says little.
const READ_BUFFER: usize = 1 << 10;

/// Where streams go, and to which session they belong.
#[derive(Clone)]
pub(super) struct Dial {
    pub(super) address: SocketAddr,
    pub(super) tls: Option<Tls>,
    /// The WebSocket's URL and headers; TCP without.
    pub(super) upgrade: Option<(String, Vec<(String, String)>)>,
    pub(super) session: [u8; 16],
    pub(super) streams: u16,
    pub(super) features: u32,
}

enum Carrier {
    Tcp(Connection),
    Ws(Box<WebSocketStream<Connection>>),
}

/// What a target has said.
#[derive(Debug)]
pub(super) enum Said {
    Welcome(Welcome),
    Done(Step, u64),
    Verified(Verified),
    RolledBack,
    Ack(Ack),
}

/// Pages on their way: the frame's number, the chunk, the pages.
pub(super) type Sent = (u32, usize, u64);

/// One stream.
pub(super) struct Stream {
    pub(super) number: u16,
    carrier: Carrier,
    encoder: Encoder,
    decoder: Decoder,
    /// Bytes of pages sent on this connection, and up to which they may be.
    sent: u64,
    credit: u64,
    /// All before it has arrived.
    acked: u32,
    /// What has not.
    pub(super) unacked: VecDeque<Sent>,
    /// Answers that nobody has taken.
    said: VecDeque<Said>,
    /// The target gave up, which everybody is told who asks.
    aborted: Option<(u16, String)>,
}

fn lost(error: impl Into<io::Error>) -> Fail {
    Fail::Lost(error.into())
}

/// The failure behind what a WebSocket met.
fn ws_lost(error: tokio_tungstenite::tungstenite::Error) -> Fail {
    match error {
        tokio_tungstenite::tungstenite::Error::Io(error) => lost(error),
        other => lost(io::Error::new(io::ErrorKind::UnexpectedEof, other.to_string())),
    }
}

async fn carrier(dial: &Dial) -> Result<Carrier, Fail> {
    let connection = Connection::open(dial.address, dial.tls.as_ref()).await.map_err(|no| match no {
        NoConnection::Tcp(error) => Fail::NoConnection(format!("{}: {error}", dial.address)),
        NoConnection::Tls(error) => Fail::NoConnection(format!("{}: TLS: {error}", dial.address)),
    })?;
    let Some((url, headers)) = &dial.upgrade else { return Ok(Carrier::Tcp(connection)) };
    let no = |why: String| Fail::NoConnection(format!("no WebSocket: {why}"));
    let mut request = url.as_str().into_client_request().map_err(|error| no(error.to_string()))?;
    for (name, value) in headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("host")) {
        let name: HeaderName = name.parse().map_err(|_| no("a header's name".into()))?;
        request.headers_mut().append(name, HeaderValue::from_str(value).map_err(|_| no("a header".into()))?);
    }
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_message_size(Some(TO_SOURCE + HEADER));
    let opened = Box::pin(client_async_with_config(request, connection, Some(config))).await;
    let (socket, _response) = opened.map_err(|error| no(error.to_string()))?;
    Ok(Carrier::Ws(Box::new(socket)))
}

impl Stream {
    /// Opens stream number `number` and introduces it.
    pub(super) async fn open(dial: &Dial, number: u16) -> Result<Self, Fail> {
        let mut stream = Self {
            number,
            carrier: carrier(dial).await?,
            encoder: Encoder::new(number),
            decoder: Decoder::new(TO_SOURCE),
            sent: 0,
            credit: 0,
            acked: 0,
            unacked: VecDeque::new(),
            said: VecDeque::new(),
            aborted: None,
        };
        let hello = Hello {
            versions: (VERSION, VERSION),
            stream: number,
            streams: dial.streams,
            features: dial.features,
            session: dial.session,
        };
        stream.send(Kind::Hello, &hello.bytes(), &[]).await?;
        let Said::Welcome(welcome) = stream.next().await? else { return Err(Fail::Turn("expected WELCOME")) };
        if welcome.features & dial.features != dial.features {
            return Err(Fail::Refused(
                code::FEATURES,
                "the target lacks a feature that this run needs".into(),
            ));
        }
        if (welcome.payload as usize) < TO_TARGET {
            return Err(Fail::Refused(code::TOO_LARGE, "the target takes no whole chunks".into()));
        }
        stream.credit = welcome.credit;
        Ok(stream)
    }

    /// Opens it again in its own place. What was on its way is told, because nobody knows whether it arrived.
    pub(super) async fn resume(&mut self, dial: &Dial) -> Result<Vec<Sent>, Fail> {
        let number = self.number;
        let mut tries = 1;
        let new = loop {
            match Self::open(dial, number).await {
                Ok(new) => break new,
                Err(fail) if tries == TRIES => return Err(fail),
                Err(_) => tries += 1,
            }
        };
        let before = std::mem::replace(self, new);
        Ok(before.unacked.into())
    }

    /// Sends one frame, whose payload is both parts. Its number.
    pub(super) async fn send(&mut self, kind: Kind, head: &[u8], body: &[u8]) -> Result<u32, Fail> {
        let seq = self.encoder.next();
        let header = self.encoder.header(kind, &[head, body]);
        match &mut self.carrier {
            Carrier::Tcp(connection) => {
                let mut first = [0; HEADER + 64];
                if head.len() <= 64 {
                    let end = HEADER + head.len();
                    first[..HEADER].copy_from_slice(&header);
                    first[HEADER..end].copy_from_slice(head);
                    connection.write_all(&first[..end]).await.map_err(lost)?;
                } else {
                    connection.write_all(&header).await.map_err(lost)?;
                    connection.write_all(head).await.map_err(lost)?;
                }
                connection.write_all(body).await.map_err(lost)?;
            }
            Carrier::Ws(socket) => {
                let mut message = Vec::with_capacity(HEADER + head.len() + body.len());
                message.extend_from_slice(&header);
                message.extend_from_slice(head);
                message.extend_from_slice(body);
                socket.send(Message::binary(message)).await.map_err(ws_lost)?;
            }
        }
        Ok(seq)
    }

    /// Sends pages, once there is credit for them.
    pub(super) async fn send_pages(
        &mut self,
        head: &[u8],
        body: &[u8],
        chunk: usize,
        pages: u64,
    ) -> Result<(), Fail> {
        let length = (head.len() + body.len()) as u64;
        self.take_what_came().await?;
        while self.sent + length > self.credit {
            self.read().await?;
        }
        let seq = self.send(Kind::Data, head, body).await?;
        self.sent += length;
        self.unacked.push_back((seq, chunk, pages));
        Ok(())
    }

    /// Waits until the frame `seq` has been acknowledged.
    pub(super) async fn until_acked(&mut self, seq: u32) -> Result<(), Fail> {
        while self.acked.wrapping_sub(seq).cast_signed() <= 0 {
            self.read().await?;
        }
        Ok(())
    }

    /// The next answer that is no acknowledgement.
    pub(super) async fn next(&mut self) -> Result<Said, Fail> {
        loop {
            if let Some(said) = self.said.pop_front() {
                return Ok(said);
            }
            self.read().await?;
        }
    }

    /// Forgets answers to questions that are over.
    pub(super) fn forget(&mut self) {
        self.said.clear();
        self.aborted = None;
    }

    /// Says goodbye.
    pub(super) async fn close(mut self) {
        // The connection is given up in any case.
        if self.send(Kind::Bye, &[], &[]).await.is_ok() {
            match self.carrier {
                Carrier::Tcp(connection) => connection.close().await,
                Carrier::Ws(mut socket) => {
                    let _ = WebSocketStream::close(&mut socket, None).await;
                }
            }
        }
    }

    /// Reads one frame.
    async fn read(&mut self) -> Result<(), Fail> {
        self.still_wanted()?;
        let said = poll_fn(|context| self.poll_said(context)).await?;
        self.take(said)
    }

    /// Reads frames that are there already.
    async fn take_what_came(&mut self) -> Result<(), Fail> {
        loop {
            self.still_wanted()?;
            let came = poll_fn(|context| match self.poll_said(context) {
                Poll::Ready(said) => Poll::Ready(Some(said)),
                Poll::Pending => Poll::Ready(None),
            });
            match came.await {
                Some(said) => self.take(said?)?,
                None => return Ok(()),
            }
        }
    }

    fn still_wanted(&self) -> Result<(), Fail> {
        match &self.aborted {
            Some((code, why)) => Err(Fail::Aborted(*code, why.clone())),
            None => Ok(()),
        }
    }

    fn take(&mut self, said: Said) -> Result<(), Fail> {
        let Said::Ack(ack) = said else {
            self.said.push_back(said);
            return Ok(());
        };
        let new = ack.next.wrapping_sub(self.acked).cast_signed() >= 0;
        let was_sent = self.encoder.next().wrapping_sub(ack.next).cast_signed() >= 0;
        if !new || !was_sent || ack.credit < self.credit {
            return Err(Fail::Turn(
                "an acknowledgement of what was not sent, or one that takes something back",
            ));
        }
        (self.acked, self.credit) = (ack.next, ack.credit);
        let arrived = |(seq, _, _): &Sent| ack.next.wrapping_sub(*seq).cast_signed() > 0;
        while self.unacked.pop_front_if(|sent| arrived(sent)).is_some() {}
        Ok(())
    }

    fn poll_said(&mut self, context: &mut Context<'_>) -> Poll<Result<Said, Fail>> {
        loop {
            let said = match &mut self.carrier {
                Carrier::Tcp(connection) => {
                    let mut buffer = ReadBuf::new(self.decoder.space());
                    ready!(Pin::new(connection).poll_read(context, &mut buffer)).map_err(lost)?;
                    let n = buffer.filled().len();
                    if n == 0 {
                        return Poll::Ready(Err(lost(io::ErrorKind::UnexpectedEof)));
                    }
                    match self.decoder.filled(n)? {
                        Some(frame) => heard(frame.kind, frame.payload),
                        None => continue,
                    }
                }
                Carrier::Ws(socket) => match ready!(Pin::new(&mut **socket).poll_next(context)) {
                    Some(Ok(Message::Binary(message))) => {
                        let frame = self.decoder.message(&message)?;
                        heard(frame.kind, frame.payload)
                    }
                    Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => continue,
                    Some(Ok(Message::Text(_))) => Err(Fail::Turn("a text message")),
                    Some(Ok(Message::Close(_))) | None => Err(lost(io::ErrorKind::UnexpectedEof)),
                    Some(Err(error)) => Err(ws_lost(error)),
                },
            };
            if let Err(Fail::Aborted(code, why)) = &said {
                self.aborted = Some((*code, why.clone()));
            }
            return Poll::Ready(said);
        }
    }
}

/// What a frame of a target says.
fn heard(kind: Kind, payload: &[u8]) -> Result<Said, Fail> {
    let reason = || Reason::read(payload).map(|reason| (reason.code, reason.text.to_owned()));
    let empty = || if payload.is_empty() { Ok(()) } else { Err(Broken::Malformed("a long payload")) };
    Ok(match kind {
        Kind::Welcome => Said::Welcome(Welcome::read(payload)?),
        Kind::Done => Step::read_done(payload).map(|(step, value)| Said::Done(step, value))?,
        Kind::Verified => Said::Verified(Verified::read(payload)?),
        Kind::RolledBack => empty().map(|()| Said::RolledBack)?,
        Kind::Ack => Said::Ack(Ack::read(payload)?),
        Kind::Refuse => return Err(reason().map(|(code, why)| Fail::Refused(code, why))?),
        Kind::Abort => return Err(reason().map(|(code, why)| Fail::Aborted(code, why))?),
        _ => return Err(Fail::Turn("a frame that is a source's to send")),
    })
}
