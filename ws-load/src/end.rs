//! How does a connection end? With the server's close frame, without one, with what must not be sent, or by us.

use std::time::Duration;

use futures_util::{FutureExt as _, SinkExt, StreamExt as _};
use load_core::protocol::{Fault, Probe};
use load_report::fault::FaultKind;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, frame::coding::CloseCode};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

/// A server that does not answer a close in this time is left.
const FAREWELL: Duration = Duration::from_secs(2);
/// An end without a close frame (RFC 6455, section 7.1.5).
pub const NO_CLOSE_FRAME: u32 = 1006;
/// A close frame without a code (the same).
const NO_CODE: CloseCode = CloseCode::Status;
/// What the library says when the code of the server's close frame must not be on the wire (section 7.4). It puts this, with 1002, in
/// the place of what came, and answers with it.
const LIBRARY_REFUSED: &str = "Protocol violation";
/// Reads of what has come besides, each of [`PIECE`] bytes at most.
const READS: usize = 64;
const PIECE: usize = 1 << 10;

/// The fault of a connection that is no more, because the server closed it, `error` was met, or for no reason. A server that
/// broke the protocol is told so by a close frame, and the fault has its code.
#[cold]
pub fn met<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<S>,
    error: Option<&Error>,
    probe: &mut Probe<'_>,
) -> Fault {
    let Some(error) = error else { return without_frame(probe) };
    let Some(code) = reproach(error) else { return fault(error, probe) };
    let reason = match code {
        CloseCode::Invalid => "invalid UTF-8",
        CloseCode::Size => "message too big",
        _ => "protocol error",
    };
    // What cannot be sent at once is not sent: a server that does not read must not keep a call.
    let frame = CloseFrame { code, reason: Utf8Bytes::from_static(reason) };
    let _ = socket.close(Some(frame)).now_or_never();
    empty(socket.get_mut());
    Fault { code: u16::from(code).into(), ..fault(error, probe) }
}

/// The fault behind what the library met.
pub fn fault(error: &Error, probe: &mut Probe<'_>) -> Fault {
    probe.note(error);
    match error {
        Error::Io(error) => Fault::io(error),
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => without_frame(probe),
        Error::ConnectionClosed | Error::AlreadyClosed => Fault::fatal(FaultKind::Closed),
        Error::Capacity(_) => Fault::fatal(FaultKind::TooLarge),
        _ => Fault::fatal(FaultKind::Malformed),
    }
}

/// The fault of a connection that the server closed with `frame`; the library has made the answer.
#[cold]
pub fn closed<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<S>,
    frame: Option<&CloseFrame>,
    probe: &mut Probe<'_>,
) -> Fault {
    // If the answer cannot be sent at once, the connection is over all the same.
    let _ = SinkExt::<Message>::flush(socket).now_or_never();
    let (code, reason) = frame.map_or((NO_CODE, ""), |frame| (frame.code, frame.reason.as_str()));
    let number = u32::from(u16::from(code));
    if code == CloseCode::Protocol && reason == LIBRARY_REFUSED {
        probe.note("a close frame with a code that must not be sent");
        return Fault { code: number, ..Fault::fatal(FaultKind::Malformed) };
    }
    probe.note(format_args!("closed by the server with code {number} {reason:?}"));
    Fault { code: number, ..Fault::fatal(FaultKind::Closed) }
}

/// Says goodbye, and passes on the texts and binary messages that had been sent before the server's goodbye.
pub async fn farewell<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<S>,
    mut message: impl FnMut(&Message),
) {
    let goodbye = async {
        let frame = CloseFrame { code: CloseCode::Normal, reason: Utf8Bytes::default() };
        if socket.close(Some(frame)).await.is_err() {
            return;
        }
        while let Some(Ok(come)) = socket.next().await {
            if come.is_text() || come.is_binary() {
                message(&come);
            }
        }
    };
    #[expect(clippy::disallowed_methods, reason = "bounds a goodbye and measures nothing")]
    let ended = tokio::time::timeout(FAREWELL, goodbye).await;
    // A server that does not answer sees the end of the connection instead.
    drop(ended);
}

fn without_frame(probe: &mut Probe<'_>) -> Fault {
    probe.note("the connection ended without a close frame");
    Fault { code: NO_CLOSE_FRAME, ..Fault::fatal(FaultKind::Closed) }
}

/// The close code for a server that sent what led to `error` (RFC 6455, section 7.4.1).
fn reproach(error: &Error) -> Option<CloseCode> {
    match error {
        Error::Protocol(
            ProtocolError::ResetWithoutClosingHandshake
            | ProtocolError::ReceivedAfterClosing
            | ProtocolError::SendAfterClosing,
        ) => None,
        Error::Protocol(_) => Some(CloseCode::Protocol),
        Error::Utf8(_) => Some(CloseCode::Invalid),
        Error::Capacity(_) => Some(CloseCode::Size),
        _ => None,
    }
}

/// Reads what has come besides. A socket that is closed with bytes in it is reset, and a reset may overtake the close frame.
fn empty<S: AsyncRead + Unpin>(stream: &mut S) {
    let mut piece = [0; PIECE];
    for _ in 0..READS {
        match stream.read(&mut piece).now_or_never() {
            Some(Ok(1..)) => {}
            _ => return,
        }
    }
}
