//! How did a call end? gRPC's statuses (<https://grpc.io/docs/guides/status-codes>) and which of them are good.

use std::fmt;
use std::str::FromStr;

use http::HeaderMap;
use load_report::fault::FaultKind;
use percent_encoding::percent_decode;

/// Names in the order of their numbers.
const NAMES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];
/// Characters of a message that are shown.
const SAMPLE: usize = 200;

/// The number of a status; those above 16 are nobody's, and kept as they came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code(pub u32);

impl Code {
    /// The call succeeded.
    pub const OK: Self = Self(0);
    /// There is no such thing.
    pub const NOT_FOUND: Self = Self(5);
    /// The server does not know the method.
    pub const UNIMPLEMENTED: Self = Self(12);

    /// The status in `headers`, which are trailers or a head without a body. An unreadable one is a status too: gRPC's
    /// UNKNOWN.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get("grpc-status")?;
        Some(Self(value.to_str().ok().and_then(|text| text.parse().ok()).unwrap_or(2)))
    }

    /// What kind of fault it is.
    pub fn kind(self) -> FaultKind {
        match self.0 {
            4 => FaultKind::Timeout,
            8 => FaultKind::RateLimited,
            _ => FaultKind::Rejected,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.get(self.0 as usize) {
            Some(name) => f.write_str(name),
            None => write!(f, "status {}", self.0),
        }
    }
}

impl FromStr for Code {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let named = NAMES.iter().position(|name| name.eq_ignore_ascii_case(text));
        let number = named.or_else(|| text.parse().ok().filter(|&number| number < NAMES.len()));
        number
            .map(|number| Self(number as u32))
            .ok_or_else(|| "expected a status like OK or NOT_FOUND, or its number, 0 to 16".into())
    }
}

/// What the server said with its status: decoded, on one line, cut.
pub fn message(headers: &HeaderMap) -> String {
    let bytes = headers.get("grpc-message").map_or(&[][..], |value| value.as_bytes());
    let text = percent_decode(bytes).decode_utf8_lossy();
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SAMPLE).collect()
}

/// The statuses of a good answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Codes(Vec<Code>);

impl Codes {
    /// These; where there are none, OK.
    pub fn new(given: Vec<Code>) -> Self {
        if given.is_empty() { Self(vec![Code::OK]) } else { Self(given) }
    }

    /// Whether `code` is one of them.
    pub fn contains(&self, code: Code) -> bool {
        self.0.contains(&code)
    }
}

impl fmt::Display for Codes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, code) in self.0.iter().enumerate() {
            write!(f, "{}{code}", if index > 0 { "," } else { "" })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn names_and_numbers_are_understood() {
        for (text, code) in [("OK", 0), ("not_found", 5), (" 16 ", 16), ("Unavailable", 14)] {
            assert_eq!(text.parse(), Ok(Code(code)), "{text}");
        }
        for text in ["", "17", "-1", "NOTFOUND", "2xx"] {
            assert!(text.parse::<Code>().is_err(), "{text}");
        }
        assert_eq!(Codes::new(vec![Code(5), Code(0)]).to_string(), "NOT_FOUND,OK");
        assert!(Codes::new(Vec::new()).contains(Code::OK));
    }

    #[test]
    fn every_status_has_a_name_that_is_read_back() {
        for number in 0..17 {
            assert_eq!(Code(number).to_string().parse(), Ok(Code(number)));
        }
        assert_eq!(Code(42).to_string(), "status 42");
    }

    #[test]
    fn statuses_and_messages_are_read_from_headers() {
        assert_eq!(Code::of(&headers(&[])), None);
        assert_eq!(Code::of(&headers(&[("grpc-status", "14")])), Some(Code(14)));
        assert_eq!(Code::of(&headers(&[("grpc-status", "x")])), Some(Code(2)));
        assert_eq!(message(&headers(&[("grpc-message", "%C3%A4 1%25 a%0Ab%zz")])), "ä 1% a b%zz");
    }

    #[test]
    fn statuses_have_their_kinds() {
        assert_eq!(Code(4).kind(), FaultKind::Timeout);
        assert_eq!(Code(8).kind(), FaultKind::RateLimited);
        assert_eq!(Code(13).kind(), FaultKind::Rejected);
    }
}
