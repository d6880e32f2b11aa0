//! What comes to a contract, and what goes back? A request taken apart, and a reply; no sockets.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use serde_json::Value;

/// A request as it came.
#[derive(Debug, Clone, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// As it was sent, without the query.
    pub(crate) path: String,
    /// What followed the `?`.
    pub(crate) query: String,
    /// Names as they were sent.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Who sent it, without the port.
    pub(crate) peer: String,
    /// `CLOCK_MONOTONIC` in ns.
    pub(crate) at_ns: u64,
}

/// What it is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// Those of the body included, but for its length.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// The value of a header, whatever the case of its name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The token of `Authorization: Bearer TOKEN`.
    pub(crate) fn token(&self) -> Option<&str> {
        let (scheme, token) = self.header("authorization")?.split_once(' ')?;
        (scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty()).then(|| token.trim())
    }

    /// The parameters of the query, decoded.
    pub(crate) fn parameters(&self) -> Vec<(String, String)> {
        parameters(&self.query)
    }

    /// The body as JSON; null if there is none.
    ///
    /// # Errors
    /// It is something else.
    pub(crate) fn json(&self) -> Result<Value, serde_json::Error> {
        if self.body.is_empty() { Ok(Value::Null) } else { serde_json::from_slice(&self.body) }
    }

    /// Where a template of a load tool was left as it is.
    pub(crate) fn unfilled(&self) -> Option<&'static str> {
        let has = |bytes: &[u8]| bytes.windows(2).any(|pair| pair == b"{{");
        let encoded = |text: &str| has(decoded(text).as_bytes());
        if encoded(&self.path) {
            Some("path")
        } else if encoded(&self.query) {
            Some("query")
        } else if has(&self.body) {
            Some("body")
        } else {
            None
        }
    }
}

impl Reply {
    /// A reply with JSON as its body.
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        let json = ("Content-Type".to_owned(), "application/json".to_owned());
        Self { status, headers: vec![json], body: body.to_string().into_bytes() }
    }
}

/// The parameters of a query, decoded.
pub(crate) fn parameters(query: &str) -> Vec<(String, String)> {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decoded = |text: &str| decoded(&text.replace('+', " ")).into_owned();
        (decoded(name), decoded(value))
    };
    query.split('&').filter(|part| !part.is_empty()).map(pair).collect()
}

/// A path as a header may have it: names in it have been decoded before.
pub(crate) fn encoded(path: &str) -> String {
    const TOLD_OTHERWISE: AsciiSet =
        CONTROLS.add(b' ').add(b'"').add(b'%').add(b'<').add(b'>').add(b'?').add(b'#');
    utf8_percent_encode(path, &TOLD_OTHERWISE).to_string()
}

/// A text without its percent signs.
pub(crate) fn decoded(text: &str) -> Cow<'_, str> {
    percent_decode_str(text).decode_utf8_lossy()
}
