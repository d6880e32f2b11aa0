//! Is this the answer to our upgrade? What RFC 6455 demands of it (section 4.1), and what is said when it is another one.

use std::{fmt, io};

use http::header::{CONNECTION, HeaderMap, HeaderName, UPGRADE};
use http::header::{SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_PROTOCOL};
use http::{HeaderValue, StatusCode};
use load_core::protocol::{Fault, Probe};
use load_net::http::refused;
use load_report::fault::FaultKind;
use tokio_tungstenite::tungstenite::handshake::client::Response;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// Bytes of an answer that is no HTTP that are shown.
const SAMPLE: usize = 48;
/// What an upgrade is answered with.
const EXPECTED: &str = "101 Switching Protocols";

/// Why a connection did not become a WebSocket.
#[derive(Debug)]
pub enum NoUpgrade {
    /// The connection failed.
    Io(io::Error),
    /// The connection ended before the answer did.
    Ended,
    /// The answer is no HTTP; this is how it began.
    NoHttp(String),
    /// The head of the answer is longer than any that makes sense.
    TooLong,
    /// Another status than 101.
    Status(StatusCode),
    /// 101, but not for what was asked: what is wrong with it.
    Wrong(String),
}

impl NoUpgrade {
    /// `heard` is no HTTP.
    pub(crate) fn no_http(heard: &[u8]) -> Self {
        Self::NoHttp(String::from_utf8_lossy(&heard[..heard.len().min(SAMPLE)]).into_owned())
    }

    /// The fault of a connection that was to become a WebSocket.
    pub fn fault(&self, probe: &mut Probe<'_>) -> Fault {
        probe.note(self);
        match self {
            Self::Io(error) => Fault::io(error),
            Self::Ended => Fault::fatal(FaultKind::Closed),
            Self::TooLong => Fault::fatal(FaultKind::TooLarge),
            Self::Status(status) => Fault { ends_session: true, ..refused(status.as_u16(), EXPECTED, probe) },
            Self::NoHttp(_) | Self::Wrong(_) => Fault::fatal(FaultKind::Malformed),
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Status(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => "give --token-file or --header",
            Self::Status(status) if status.is_redirection() => {
                "redirects are not followed: give the URL that it leads to"
            }
            Self::Status(StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) => {
                "try again later"
            }
            Self::Status(_) => "is there a WebSocket at this path?",
            Self::Io(_) | Self::Ended | Self::NoHttp(_) | Self::TooLong => "is it the right port?",
            Self::Wrong(_) => "is it a WebSocket server?",
        }
    }
}

impl fmt::Display for NoUpgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "the upgrade met an error: {error}"),
            Self::Ended => f.write_str("the connection was closed without an answer to the upgrade"),
            Self::NoHttp(sample) => write!(f, "the upgrade was answered with {sample:?}, which is no HTTP"),
            Self::TooLong => f.write_str("the answer to the upgrade has no end to its head"),
            Self::Status(status) => write!(f, "the upgrade was answered with {status}, expected {EXPECTED}"),
            Self::Wrong(what) => write!(f, "the upgrade was answered with 101, but {what}"),
        }
    }
}

impl From<io::Error> for NoUpgrade {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Checks the answer to an upgrade that had this `key`, these `subprotocols` and no extensions.
///
/// # Errors
/// What is wrong with it.
pub fn check(response: &Response, key: &str, subprotocols: &[String]) -> Result<(), NoUpgrade> {
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(NoUpgrade::Status(response.status()));
    }
    let (headers, wrong) = (response.headers(), |what: String| Err(NoUpgrade::Wrong(what)));
    if !words(headers, UPGRADE).any(|word| word.eq_ignore_ascii_case("websocket")) {
        return wrong("without Upgrade: websocket".into());
    }
    if !words(headers, CONNECTION).any(|word| word.eq_ignore_ascii_case("upgrade")) {
        return wrong("without Connection: Upgrade".into());
    }
    let accept = headers.get(SEC_WEBSOCKET_ACCEPT).map(HeaderValue::as_bytes);
    if accept != Some(derive_accept_key(key.as_bytes()).as_bytes()) {
        return wrong("its Sec-WebSocket-Accept does not follow from our key".into());
    }
    if let Some(extension) = words(headers, SEC_WEBSOCKET_EXTENSIONS).next() {
        return wrong(format!("it accepts an extension that was not offered: {extension:?}"));
    }
    let mut accepted = words(headers, SEC_WEBSOCKET_PROTOCOL);
    match (accepted.next(), accepted.next()) {
        (None, _) if subprotocols.is_empty() => Ok(()),
        (None, _) => wrong(format!("it accepts no subprotocol of {}", subprotocols.join(", "))),
        (Some(one), None) if subprotocols.iter().any(|asked| asked == one) => Ok(()),
        (Some(other), _) => wrong(format!("it accepts a subprotocol that was not asked for: {other:?}")),
    }
}

/// What the header `name` lists, in all its lines.
fn words(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

    /// What is said of an answer with the key of RFC 6455, section 1.3, and these other headers.
    fn said(headers: &[(&str, &str)], subprotocols: &[&str]) -> Result<(), String> {
        let mut response = http::Response::builder().status(101);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        let subprotocols: Vec<String> = subprotocols.iter().map(ToString::to_string).collect();
        check(&response.body(None).unwrap(), KEY, &subprotocols).map_err(|error| error.to_string())
    }

    const RIGHT: [(&str, &str); 3] = [
        ("upgrade", "WebSocket"),
        ("connection", "keep-alive, Upgrade"),
        ("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
    ];

    #[test]
    fn a_right_answer_is_taken_however_it_is_written() {
        assert_eq!(said(&RIGHT, &[]), Ok(()));
        let [upgrade, connection, accept] = RIGHT;
        let parted = [upgrade, ("connection", "close"), connection, accept, ("sec-websocket-extensions", "")];
        assert_eq!(said(&parted, &[]), Ok(()));
        let chosen = [upgrade, connection, accept, ("sec-websocket-protocol", "b")];
        assert_eq!(said(&chosen, &["a", "b"]), Ok(()));
    }

    #[test]
    fn every_demand_is_checked() {
        for missing in RIGHT {
            let headers: Vec<_> = RIGHT.into_iter().filter(|header| *header != missing).collect();
            assert!(said(&headers, &[]).is_err(), "without {missing:?}");
        }
        for (more, asked, expected) in [
            (
                ("sec-websocket-extensions", "permessage-deflate; x=1"),
                &[][..],
                "not offered: \"permessage-deflate; x=1\"",
            ),
            (("sec-websocket-protocol", "b"), &[], "not asked for: \"b\""),
            (("sec-websocket-protocol", "b"), &["a", "B"], "not asked for: \"b\""),
            (("sec-websocket-protocol", "a, b"), &["a", "b"], "not asked for"),
            (("x", "y"), &["a", "b"], "no subprotocol of a, b"),
        ] {
            let [upgrade, connection, accept] = RIGHT;
            let said = said(&[upgrade, connection, accept, more], asked).unwrap_err();
            assert!(said.contains(expected), "{said}");
        }
        let [upgrade, connection, _] = RIGHT;
        let accept = ("sec-websocket-accept", "S3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert!(
            said(&[upgrade, connection, accept], &[]).unwrap_err().contains("does not follow from our key")
        );
    }
}
