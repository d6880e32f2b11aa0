//! Which metadata goes with a call? The headers of a gRPC request, checked before anything is sent.

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};
use http::header::{AUTHORIZATION, CONTENT_TYPE, TE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue};
use load_core::error::UsageError;
use load_net::args::wrong;
use load_net::redact::{self, Collector};

const AGENT: &str = concat!("quintet-grpc-load/", env!("CARGO_PKG_VERSION"));
/// The one name of gRPC's own that a user may set.
const TIMEOUT: &str = "grpc-timeout";

/// Metadata of all calls. No `Debug`: some of it is secret.
#[derive(Clone)]
pub struct Metadata {
    /// As the user gave it, token included.
    given: Vec<(HeaderName, String)>,
}

impl Metadata {
    /// From lines like `name: value` and a bearer token.
    ///
    /// # Errors
    /// What is no metadata; never with the value itself, which may be a secret.
    pub fn new(lines: &[String], token: Option<&str>) -> Result<Self, UsageError> {
        let mut given = lines.iter().map(|line| pair(line)).collect::<Result<Vec<_>, _>>()?;
        let is_set = given.iter().any(|(name, _)| *name == AUTHORIZATION);
        if let Some(token) = token.filter(|_| !is_set) {
            given.push((AUTHORIZATION, checked("authorization", &format!("Bearer {token}"))?));
        }
        Ok(Self { given })
    }

    /// All headers of a call but the pseudo-headers.
    pub fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        if !self.given.iter().any(|(name, _)| *name == USER_AGENT) {
            headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        }
        for (name, value) in &self.given {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.append(name.clone(), value);
            }
        }
        headers
    }

    /// Whether the user gave something under this name.
    pub fn has(&self, name: &str) -> bool {
        self.given.iter().any(|(given, _)| given == name)
    }

    /// For the record, without secrets.
    pub fn describe(&self) -> Vec<String> {
        let shown = |(name, value): &(HeaderName, String)| {
            format!("{name}: {}", redact::header(name.as_str(), value))
        };
        self.given.iter().map(shown).collect()
    }

    /// Adds what must not be shown to `all`.
    pub fn collect(&self, all: &mut Collector) {
        for (name, value) in &self.given {
            all.add_header(name.as_str(), value);
        }
    }
}

fn pair(line: &str) -> Result<(HeaderName, String), UsageError> {
    let flag = "--metadata";
    let (name, value) =
        line.split_once(':').ok_or_else(|| wrong(flag, "no colon; expected 'name: value'"))?;
    let (lower, value) = (name.trim().to_ascii_lowercase(), value.trim());
    let name = self::name(&lower).map_err(|why| wrong(flag, why))?;
    if !lower.ends_with("-bin") {
        return Ok((name, checked(&lower, value)?));
    }
    let bytes = BASE64_STANDARD.decode(value).or_else(|_| BASE64_STANDARD_NO_PAD.decode(value));
    let bytes =
        bytes.map_err(|_| wrong(flag, format!("the value of {lower} is not base64, which -bin asks for")))?;
    Ok((name, BASE64_STANDARD_NO_PAD.encode(bytes)))
}

/// `name`, where it is one that a user may set.
///
/// # Errors
/// Why it is not.
pub fn name(name: &str) -> Result<HeaderName, String> {
    let lower = name.to_ascii_lowercase();
    let parsed = HeaderName::from_bytes(lower.as_bytes())
        .map_err(|_| format!("{lower:?} is no name; expected letters, digits, '-', '_' and '.'"))?;
    let is_ours = [CONTENT_TYPE, TE].contains(&parsed)
        || ["host", "connection", "content-length", "transfer-encoding"].contains(&lower.as_str())
        || lower.starts_with("grpc-") && lower != TIMEOUT;
    if is_ours { Err(format!("{lower} is gRPC's own; leave it out")) } else { Ok(parsed) }
}

fn checked(name: &str, value: &str) -> Result<String, UsageError> {
    if value.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        return Ok(value.to_owned());
    }
    Err(wrong(
        "--metadata",
        format!("the value of {name} is not printable ASCII; a name that ends with -bin takes base64"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(lines: &[&str], token: Option<&str>) -> Result<Metadata, String> {
        let lines: Vec<_> = lines.iter().map(|line| (*line).to_owned()).collect();
        Metadata::new(&lines, token).map_err(|error| error.to_string())
    }

    #[test]
    fn headers_hold_what_was_given_and_what_grpc_needs() {
        let headers = metadata(&["X-Id: a: b", "x-id:c", "key-bin: AAH/", "grpc-timeout: 1S"], Some("t0ken"))
            .unwrap()
            .headers();
        let all = |name: &str| headers.get_all(name).iter().map(|v| v.to_str().unwrap()).collect::<Vec<_>>();
        assert_eq!((all("x-id"), all("key-bin")), (vec!["a: b", "c"], vec!["AAH/"]));
        assert_eq!((all("te"), all("content-type")), (vec!["trailers"], vec!["application/grpc"]));
        assert_eq!((all("authorization"), all("grpc-timeout")), (vec!["Bearer t0ken"], vec!["1S"]));
        let own = metadata(&["Authorization: Basic eA==", "user-agent: me"], Some("t0ken")).unwrap();
        assert_eq!(own.headers()["authorization"], "Basic eA==");
        assert_eq!(own.headers()["user-agent"], "me");
        assert_eq!(own.describe()[0], "authorization: ***");
    }

    #[test]
    fn mistakes_are_told_without_the_value() {
        for (line, expected) in [
            ("s3cret", "no colon"),
            ("a b: s3cret", "is no name"),
            ("te: s3cret", "gRPC's own"),
            ("grpc-status: s3cret", "gRPC's own"),
            ("k-bin: s3cret!", "not base64"),
            ("k: s3cret\u{e4}", "not printable ASCII"),
        ] {
            let error = metadata(&[line], None).err().unwrap();
            assert!(error.contains(expected) && !error.contains("s3cret"), "{line}: {error}");
        }
    }
}
