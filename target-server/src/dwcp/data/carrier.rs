//! How do frames come and answers go? Over TCP as a stream of bytes, over WebSocket as messages.

use std::io;

use futures_util::{SinkExt, StreamExt};
use load_wire::dwcp::{
    Broken, TO_TARGET,
    frame::{Decoder, HEADER, Kind},
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Bytes, Message},
};

use crate::stream::{GatedStream, Socket};

/// Why nothing more comes.
pub(super) enum End {
    /// The last frame has come.
    Goodbye,
    /// The connection ended or failed.
    Gone,
    /// What came is wrong.
    Broken(Broken),
}

/// A frame that came; its payload is with the carrier.
#[derive(Clone, Copy)]
pub(super) struct Came {
    pub(super) kind: Kind,
    pub(super) stream: u16,
    pub(super) seq: u32,
}

/// What a connection needs of its carrier.
pub(super) trait Carrier {
    /// The next frame. May be dropped at any time.
    async fn next(&mut self) -> Result<Came, End>;
    /// The payload of the frame that came last.
    fn payload(&self) -> &[u8];
    /// Sends one frame.
    async fn send(&mut self, frame: Vec<u8>) -> io::Result<()>;
    /// Makes the coming end look like a lost connection, where that can be done.
    fn lose(&mut self);
}

/// TCP.
pub(super) struct Stream {
    socket: GatedStream,
    decoder: Decoder,
}

impl Stream {
    pub(super) fn new(socket: GatedStream) -> Self {
        Self { socket, decoder: Decoder::new(TO_TARGET) }
    }
}

impl Carrier for Stream {
    async fn next(&mut self) -> Result<Came, End> {
        loop {
            let n = match self.socket.read(self.decoder.space()).await {
                Ok(0) => return Err(self.decoder.finish().map_or(End::Gone, |()| End::Goodbye)),
                Ok(n) => n,
                Err(_) => return Err(End::Gone),
            };
            if let Some(frame) = self.decoder.filled(n).map_err(End::Broken)? {
                return Ok(Came { kind: frame.kind, stream: frame.stream, seq: frame.seq });
            }
        }
    }

    fn payload(&self) -> &[u8] {
        self.decoder.payload()
    }

    async fn send(&mut self, frame: Vec<u8>) -> io::Result<()> {
        self.socket.write_all(&frame).await
    }

    fn lose(&mut self) {
        // A connection that ends in good order is seen as lost as well: its goodbye is missing.
        let _ = self.socket.gated().reset_on_close();
    }
}

/// WebSocket.
pub(super) struct Messages<S> {
    socket: WebSocketStream<S>,
    decoder: Decoder,
    message: Bytes,
}

impl<S> Messages<S> {
    pub(super) fn new(socket: WebSocketStream<S>) -> Self {
        Self { socket, decoder: Decoder::new(TO_TARGET), message: Bytes::new() }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Carrier for Messages<S> {
    async fn next(&mut self) -> Result<Came, End> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Binary(message))) => {
                    self.message = message;
                    let frame = self.decoder.message(&self.message).map_err(End::Broken)?;
                    return Ok(Came { kind: frame.kind, stream: frame.stream, seq: frame.seq });
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Ok(Message::Text(_))) => return Err(End::Broken(Broken::Malformed("a text message"))),
                Some(Ok(Message::Close(_)) | Err(_)) | None => {
                    return Err(self.decoder.finish().map_or(End::Gone, |()| End::Goodbye));
                }
            }
        }
    }

    fn payload(&self) -> &[u8] {
        self.message.get(HEADER..).unwrap_or_default()
    }

    async fn send(&mut self, frame: Vec<u8>) -> io::Result<()> {
        self.socket.send(Message::binary(frame)).await.map_err(io::Error::other)
    }

    fn lose(&mut self) {}
}
