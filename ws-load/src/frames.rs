//! In which frames is a message sent? In one, or in several of a given size (RFC 6455, section 5.4).

use std::num::NonZeroUsize;

use bytes::Bytes;
use futures_util::SinkExt;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::{Error, Message};

/// Sends `message`, a text or a binary one, in frames of at most `most` bytes. They part a text wherever they end, also within a
/// character, which is in order.
///
/// # Errors
/// The end of the connection.
pub async fn send<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<S>,
    message: Message,
    most: NonZeroUsize,
) -> Result<(), Error> {
    let (mut data, mut rest) = match message {
        Message::Text(text) => (Data::Text, Bytes::from(text)),
        Message::Binary(bytes) => (Data::Binary, bytes),
        other => return socket.send(other).await,
    };
    loop {
        let piece = rest.split_to(rest.len().min(most.get()));
        let is_last = rest.is_empty();
        socket.feed(Message::Frame(Frame::message(piece, OpCode::Data(data), is_last))).await?;
        if is_last {
            return SinkExt::<Message>::flush(socket).await;
        }
        data = Data::Continue;
    }
}
