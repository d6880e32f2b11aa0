//! How does a connection become a WebSocket? The request, and what is said when the answer is none.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use load_core::error::UsageError;
use load_core::protocol::{Fault, Probe};
use load_net::args::wrong;
use load_net::http::refused;
use load_net::url::Url;
use load_report::fault::FaultKind;
use load_suite::scope::Scope;
use load_suite::template::Template;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::handshake::client::{Request, generate_key};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, http::StatusCode};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

/// Bytes that a connection reads at once: a held connection must be cheap, and a longer message gets more.
const BUFFER: usize = 1 << 10;
/// Bytes of an answer that is no HTTP that are shown.
const SAMPLE: usize = 48;
/// An end without a close frame (RFC 6455, section 7.1.5).
pub const NO_CLOSE_FRAME: u32 = 1006;

/// How connections are upgraded.
pub struct Upgrade {
    /// The URL with its `{{...}}`.
    uri: Template,
    headers: Vec<(http::HeaderName, http::HeaderValue)>,
    config: WebSocketConfig,
}

impl Upgrade {
    /// Checks all parts of the request; messages of more than `max_message` bytes are a fault.
    ///
    /// # Errors
    /// A part that cannot be sent, with the flag it came by.
    pub fn new(
        url: &Url,
        headers: &[(String, String)],
        subprotocols: &[String],
        max_message: usize,
    ) -> Result<Self, UsageError> {
        let uri = format!("{}://{}{}", url.scheme, url.authority, url.target);
        let uri = Template::parse(&uri).map_err(|error| wrong("--url", error))?;
        let mut all = Vec::new();
        for (name, value) in headers {
            // Both were checked where they were read.
            let name = name.parse().map_err(|error| wrong("--header", error))?;
            all.push((name, value.parse().map_err(|error| wrong("--header", error))?));
        }
        for name in subprotocols {
            let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
            if name.is_empty() || !name.chars().all(is_token) {
                return Err(wrong("--subprotocol", format!("{name:?}; expected a name like graphql-ws")));
            }
        }
        if !subprotocols.is_empty() {
            let value = subprotocols.join(", ").parse().map_err(|error| wrong("--subprotocol", error))?;
            all.push((http::header::SEC_WEBSOCKET_PROTOCOL, value));
        }
        let config = WebSocketConfig::default()
            .read_buffer_size(BUFFER)
            .write_buffer_size(0)
            .max_message_size(Some(max_message))
            .max_frame_size(Some(max_message));
        let upgrade = Self { uri, headers: all, config };
        upgrade.request(&Scope::default()).map_err(|error| wrong("--url", error))?;
        Ok(upgrade)
    }

    /// The request of one connection.
    fn request(&self, scope: &Scope) -> Result<Request, http::Error> {
        let mut uri = Vec::new();
        self.uri.render(scope, &mut uri);
        let mut request = Request::builder()
            .uri(uri)
            .header("Connection", "Upgrade")
            .header("Upgrade", "websocket")
            .header("Sec-WebSocket-Version", "13")
            .header("Sec-WebSocket-Key", generate_key())
            .body(())?;
        for (name, value) in &self.headers {
            request.headers_mut().append(name, value.clone());
        }
        Ok(request)
    }

    /// Asks for the upgrade and waits for the answer, without a limit of time.
    ///
    /// # Errors
    /// What came instead of 101.
    pub async fn run<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
        scope: &Scope,
    ) -> Result<WebSocketStream<S>, Error> {
        let request = self.request(scope)?;
        // Boxed: it is needed for a moment only, and the futures of idle connections stay small.
        let upgraded = Box::pin(client_async_with_config(request, stream, Some(self.config))).await;
        upgraded.map(|(socket, _response)| socket)
    }
}

/// The fault behind what the library met.
pub fn fault(error: &Error, probe: &mut Probe<'_>) -> Fault {
    probe.note(error);
    match error {
        Error::Io(error) => Fault::io(error),
        Error::Http(response) => {
            let status = response.status().as_u16();
            Fault { ends_session: true, ..refused(status, "101 Switching Protocols", probe) }
        }
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
            Fault { code: NO_CLOSE_FRAME, ..Fault::fatal(FaultKind::Closed) }
        }
        Error::ConnectionClosed
        | Error::AlreadyClosed
        | Error::Protocol(ProtocolError::HandshakeIncomplete) => Fault::fatal(FaultKind::Closed),
        Error::Capacity(_) => Fault::fatal(FaultKind::TooLarge),
        _ => Fault::fatal(FaultKind::Malformed),
    }
}

/// What came instead of an upgrade, and what to do about it, in one line; `heard` is how the answer began.
pub fn explain(error: &Error, heard: &[u8]) -> String {
    match error {
        Error::Http(response) => {
            let status = response.status();
            let hint = match status {
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => "give --token-file or --header",
                _ => "is there a WebSocket at this path?",
            };
            format!("the upgrade was answered with {status}, expected 101 Switching Protocols; {hint}")
        }
        Error::Protocol(ProtocolError::HttparseError(_)) => {
            let sample = String::from_utf8_lossy(heard);
            format!("the upgrade was answered with {sample:?}, which is no HTTP; is it the right port?")
        }
        Error::Protocol(ProtocolError::HandshakeIncomplete) => {
            "the connection was closed without an answer to the upgrade; is it the right port?".into()
        }
        Error::Io(error) => format!("the upgrade met an error: {error}; is it the right port?"),
        Error::Protocol(ProtocolError::SecWebSocketSubProtocolError(error)) => {
            format!("the upgrade was answered without the right subprotocol ({error}); see --subprotocol")
        }
        other => format!("the answer to the upgrade is wrong: {other}"),
    }
}

/// A connection that remembers how what it read began.
pub struct Remembering<S> {
    inner: S,
    heard: Vec<u8>,
}

impl<S> Remembering<S> {
    /// Nothing has been read yet.
    pub fn new(inner: S) -> Self {
        Self { inner, heard: Vec::new() }
    }

    /// The first bytes that were read.
    pub fn heard(&self) -> &[u8] {
        &self.heard
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for &mut Remembering<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(context, buffer);
        let room = SAMPLE - self.heard.len();
        self.heard.extend(buffer.filled()[before..].iter().take(room));
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for &mut Remembering<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
