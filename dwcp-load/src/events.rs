//! What comes on the event stream? Changes of jobs, each with the instant at which the server told it.

use std::time::{SystemTime, UNIX_EPOCH};

use futures_util::{SinkExt as _, StreamExt as _};
use load_core::protocol::{Fault, Probe};
use load_net::connection::Connection;
use load_report::fault::FaultKind;
use serde::Deserialize;
use serde_json::Value;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue};
use tokio_tungstenite::tungstenite::protocol::{WebSocketConfig, frame::coding::CloseCode};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::job::Status;

/// The code of an end without a close frame (RFC 6455, section 7.1.5).
const NO_CLOSE_FRAME: u32 = 1006;
/// Bytes that a stream reads at once: events are small, and most of the time there are none.
const BUFFER: usize = 1 << 10;
/// Largest message, in bytes.
const MAX_MESSAGE: usize = 1 << 20;

/// One change, or any other thing that the server says.
#[derive(Debug, Deserialize)]
pub struct Event {
    /// What kind of event; every one has it.
    #[serde(rename = "type")]
    pub kind: String,
    /// When the server told it: ms since 1970, or RFC 3339; every one has it.
    timestamp: Value,
    /// The job that changed.
    pub job_id: Option<String>,
    /// Where it stands now.
    pub status: Option<Status>,
    /// The number of the change among those of its job.
    pub seq: Option<u64>,
    /// Whether data were lost; none where the API does not say so here.
    pub data_loss: Option<bool>,
}

impl Event {
    /// When the server told it, ns since 1970.
    pub fn told_ns(&self) -> Option<i64> {
        match &self.timestamp {
            Value::Number(number) => {
                let number = number.as_f64()?;
                // Seconds and milliseconds of our time are far apart.
                let unit = if number < 1e11 { 1e9 } else { 1e6 };
                Some((number * unit) as i64)
            }
            Value::String(text) => {
                let instant: jiff::Timestamp = text.parse().ok()?;
                i64::try_from(instant.as_nanosecond()).ok()
            }
            _ => None,
        }
    }
}

/// One lane's stream.
pub struct Events(WebSocketStream<Connection>);

impl Events {
    /// Asks for the stream on a connection.
    ///
    /// # Errors
    /// What came instead.
    pub async fn open(
        url: &str,
        headers: &[(String, String)],
        connection: Connection,
    ) -> Result<Self, Error> {
        let mut request = url.into_client_request()?;
        for (name, value) in headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("host")) {
            let name: HeaderName = name.parse().map_err(tokio_tungstenite::tungstenite::http::Error::from)?;
            let value =
                HeaderValue::from_str(value).map_err(tokio_tungstenite::tungstenite::http::Error::from)?;
            request.headers_mut().append(name, value);
        }
        let config = WebSocketConfig::default()
            .read_buffer_size(BUFFER)
            .write_buffer_size(0)
            .max_message_size(Some(MAX_MESSAGE));
        // Boxed: it is needed for a moment only, and the futures of idle lanes stay small.
        let opened = Box::pin(client_async_with_config(request, connection, Some(config))).await;
        opened.map(|(socket, _response)| Self(socket))
    }

    /// Asks to be told of one job.
    ///
    /// # Errors
    /// The connection failed.
    pub async fn subscribe(&mut self, job_id: &str) -> Result<(), Error> {
        let order = serde_json::json!({ "action": "subscribe", "channel": "migrations", "job_id": job_id });
        self.0.send(Message::text(order.to_string())).await
    }

    /// The next event; may be dropped at any time.
    ///
    /// # Errors
    /// The stream ended, or said something that is no event.
    pub async fn next(&mut self, probe: &mut Probe<'_>) -> Result<Event, Fault> {
        loop {
            match self.0.next().await {
                Some(Ok(Message::Text(text))) => {
                    return serde_json::from_str(&text).map_err(|error| {
                        probe.note(format_args!("an event without type and timestamp: {error}"));
                        Fault::fatal(FaultKind::Malformed)
                    });
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_) | Message::Binary(_))) => {}
                Some(Ok(Message::Close(frame))) => {
                    let code = u16::from(frame.map_or(CloseCode::Status, |frame| frame.code));
                    probe.note(format_args!("the event stream was closed with code {code}"));
                    return Err(Fault { code: code.into(), ..Fault::fatal(FaultKind::Closed) });
                }
                None => {
                    probe.note("the event stream was closed");
                    return Err(Fault { code: NO_CLOSE_FRAME, ..Fault::fatal(FaultKind::Closed) });
                }
                Some(Err(error)) => return Err(fault(&error, probe)),
            }
        }
    }

    /// Ends the stream in good order.
    pub async fn close(mut self) {
        // The run is over; a stream that is already gone is closed as well.
        let _ = self.0.close(None).await;
    }
}

/// The fault behind what the stream met.
pub fn fault(error: &Error, probe: &mut Probe<'_>) -> Fault {
    probe.note(format_args!("event stream: {error}"));
    match error {
        Error::Io(error) => Fault::io(error),
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
            Fault { code: NO_CLOSE_FRAME, ..Fault::fatal(FaultKind::Closed) }
        }
        Error::ConnectionClosed
        | Error::AlreadyClosed
        | Error::Protocol(ProtocolError::HandshakeIncomplete) => Fault::fatal(FaultKind::Closed),
        Error::Capacity(_) => Fault::fatal(FaultKind::TooLarge),
        Error::Http(response) => {
            Fault { code: response.status().as_u16().into(), ..Fault::fatal(FaultKind::Rejected) }
        }
        _ => Fault::fatal(FaultKind::Malformed),
    }
}

/// The wall clock, ns since 1970: what timestamps of servers are compared with.
pub fn wall_ns() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as i64)
}

#[cfg(test)]
mod tests {
    use load_core::record::Unobserved;

    use super::*;

    #[test]
    fn a_server_that_is_gone_has_closed_the_stream() {
        let kind = |error| {
            let mut note = String::new();
            let fault = fault(&error, &mut Probe::unobserved(&Unobserved, &mut note));
            (fault.kind, fault.code)
        };
        let gone = Error::Protocol(ProtocolError::ResetWithoutClosingHandshake);
        assert_eq!(kind(gone), (FaultKind::Closed, NO_CLOSE_FRAME));
        assert_eq!(kind(Error::Protocol(ProtocolError::HandshakeIncomplete)), (FaultKind::Closed, 0));
        assert_eq!(kind(Error::AttackAttempt), (FaultKind::Malformed, 0));
    }

    #[test]
    fn instants_are_understood_as_servers_write_them() {
        let told = |timestamp: &str| {
            let text = format!(r#"{{"type":"x","timestamp":{timestamp}}}"#);
            serde_json::from_str::<Event>(&text).unwrap().told_ns()
        };
        let second = 1_795_248_000_000_000_000;
        assert_eq!(told("1795248000"), Some(second));
        assert_eq!(told("1795248000000"), Some(second));
        assert_eq!(told("\"2026-11-21T08:00:00Z\""), Some(second));
        assert_eq!((told("\"soon\""), told("[]")), (None, None));
        // Nonsense is far away, and no reason to panic.
        assert_eq!((told("-1e300"), told("1e300")), (Some(i64::MIN), Some(i64::MAX)));
    }
}
