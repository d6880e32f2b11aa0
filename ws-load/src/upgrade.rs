//! How does a connection become a WebSocket? The request, and the answer read byte for byte.
//!
//! The library could do it as well, but takes an answer in many small pieces for an attack, knows no `Connection` with more than
//! one word, and lets an extension pass that nobody asked for.

use load_core::error::UsageError;
use load_net::args::wrong;
use load_net::url::Url;
use load_suite::scope::Scope;
use load_suite::template::Template;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::handshake::client::{Request, Response, generate_key, generate_request};
use tokio_tungstenite::tungstenite::handshake::machine::TryParse as _;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use crate::answer::{self, NoUpgrade};

/// Bytes that a connection reads at once: a held connection must be cheap, and a longer message gets more.
const BUFFER: usize = 512;
/// Bytes that an answer has as a rule, at most.
const HEAD: usize = 1 << 10;
/// Longest head of an answer, in bytes.
const MAX_HEAD: usize = 16 << 10;

/// How connections are upgraded.
pub struct Upgrade {
    /// The URL with its `{{...}}`.
    uri: Template,
    headers: Vec<(http::HeaderName, Template)>,
    subprotocols: Vec<String>,
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
            all.push((name, Template::text(value.clone())));
        }
        let upgrade = Self::compiled(uri, all, subprotocols, max_message)?;
        upgrade.request(None, &Scope::default()).map_err(|error| wrong("--url", error))?;
        Ok(upgrade)
    }

    /// Of parts that are compiled already.
    ///
    /// # Errors
    /// A subprotocol that is no name.
    pub fn compiled(
        uri: Template,
        mut headers: Vec<(http::HeaderName, Template)>,
        subprotocols: &[String],
        max_message: usize,
    ) -> Result<Self, UsageError> {
        for name in subprotocols {
            let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
            if name.is_empty() || !name.chars().all(is_token) {
                return Err(wrong("--subprotocol", format!("{name:?}; expected a name like graphql-ws")));
            }
        }
        if !subprotocols.is_empty() {
            headers.push((http::header::SEC_WEBSOCKET_PROTOCOL, Template::text(subprotocols.join(", "))));
        }
        let config = WebSocketConfig::default()
            .read_buffer_size(BUFFER)
            .write_buffer_size(0)
            .max_message_size(Some(max_message))
            .max_frame_size(Some(max_message));
        Ok(Self { uri, headers, subprotocols: subprotocols.to_vec(), config })
    }

    /// The request of one connection, to `uri` instead of its own where that is given, and the key in it.
    fn request(&self, uri: Option<&Template>, scope: &Scope) -> Result<(Vec<u8>, String), Error> {
        let (mut text, mut value) = (Vec::new(), Vec::new());
        uri.unwrap_or(&self.uri).render(scope, &mut text);
        let mut request = Request::builder()
            .uri(text)
            .header("Connection", "Upgrade")
            .header("Upgrade", "websocket")
            .header("Sec-WebSocket-Version", "13")
            .header("Sec-WebSocket-Key", generate_key())
            .body(())?;
        for (name, header) in &self.headers {
            value.clear();
            header.render(scope, &mut value);
            let value = http::HeaderValue::from_bytes(&value).map_err(http::Error::from)?;
            request.headers_mut().append(name, value);
        }
        generate_request(request)
    }

    /// Asks for the upgrade and waits for the answer, without a limit of time.
    ///
    /// # Errors
    /// What came instead of 101.
    pub async fn run<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
        scope: &Scope,
    ) -> Result<(WebSocketStream<S>, Response), NoUpgrade> {
        self.run_to(stream, None, scope).await
    }

    /// Like [`Upgrade::run`], to `uri` instead of its own where that is given.
    ///
    /// # Errors
    /// The same.
    pub async fn run_to<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
        uri: Option<&Template>,
        scope: &Scope,
    ) -> Result<(WebSocketStream<S>, Response), NoUpgrade> {
        // Boxed: it is needed for a moment only, and the futures of idle connections stay small.
        Box::pin(self.exchange(stream, uri, scope)).await
    }

    async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        mut stream: S,
        uri: Option<&Template>,
        scope: &Scope,
    ) -> Result<(WebSocketStream<S>, Response), NoUpgrade> {
        // That it can be made was found out before the run.
        let (request, key) = self.request(uri, scope).map_err(|error| NoUpgrade::Wrong(error.to_string()))?;
        stream.write_all(&request).await?;
        stream.flush().await?;
        let mut heard = Vec::with_capacity(HEAD);
        let (end, response) = loop {
            if stream.read_buf(&mut heard).await? == 0 {
                return Err(NoUpgrade::Ended);
            }
            match Response::try_parse(&heard) {
                Ok(Some(whole)) => break whole,
                Ok(None) if heard.len() > MAX_HEAD => return Err(NoUpgrade::TooLong),
                Ok(None) => {}
                Err(_) => return Err(NoUpgrade::no_http(&heard)),
            }
        };
        answer::check(&response, &key, &self.subprotocols)?;
        // What came right behind the answer are frames.
        let frames = heard.split_off(end);
        let config = Some(self.config);
        Ok((WebSocketStream::from_partially_read(stream, frames, Role::Client, config).await, response))
    }
}
