//! What is sent? One request, compiled before the run: bytes where nothing varies, templates where something does.

use load_suite::template::{Scope, Template, push_decimal};

use crate::redact;

/// The parts of a request, checked.
pub struct Parts<'a> {
    /// A token of RFC 9110.
    pub method: &'a str,
    /// Path and query.
    pub target: &'a str,
    /// Names and values in the order in which they are sent.
    pub headers: &'a [(String, String)],
    /// The body, and none for no body at all.
    pub body: Option<&'a [u8]>,
}

/// A request, ready to be sent any number of times.
#[derive(Clone, Debug)]
pub struct Request {
    form: Form,
    /// Its answer has no body: the method is HEAD.
    pub head_only: bool,
    /// It asks the server to close the connection after the answer.
    pub closes: bool,
}

#[derive(Clone, Debug)]
enum Form {
    Fixed(Box<[u8]>),
    /// The head with its empty line, then the body.
    Head(Template, Box<[u8]>),
    /// The head without `Content-Length` and the empty line, then the body.
    Both(Template, Template),
}

/// Where requests that vary are rendered; kept from call to call.
#[derive(Default)]
pub struct Buffers {
    request: Vec<u8>,
    body: Vec<u8>,
}

impl Request {
    /// Compiles `parts`.
    ///
    /// # Errors
    /// An unknown `{{...}}`, with the part it stands in and no value that may be a secret.
    pub fn new(parts: &Parts<'_>) -> Result<Self, String> {
        let body = match parts.body.map(std::str::from_utf8) {
            Some(Ok(text)) => Some(Template::parse(text).map_err(|error| format!("body: {error}"))?),
            // No text, no generators.
            _ => None,
        };
        let body = body.filter(|body| body.as_static().is_none());
        let head = Template::parse(&head(parts, body.is_some())?).map_err(|error| error.to_string())?;
        let form = match (body, head.as_static()) {
            (Some(body), _) => Form::Both(head, body),
            (None, Some(fixed)) => {
                Form::Fixed([fixed.as_bytes(), parts.body.unwrap_or_default()].concat().into())
            }
            (None, None) => Form::Head(head, parts.body.unwrap_or_default().into()),
        };
        Ok(Self { form, head_only: parts.method == "HEAD", closes: closes(parts.headers) })
    }

    /// The bytes to send for this iteration.
    #[inline]
    pub fn bytes<'a>(&'a self, scope: &Scope, buffers: &'a mut Buffers) -> &'a [u8] {
        let Buffers { request, body: rendered } = buffers;
        match &self.form {
            Form::Fixed(bytes) => return bytes,
            Form::Head(head, body) => {
                request.clear();
                head.render(scope, request);
                request.extend_from_slice(body);
            }
            Form::Both(head, body) => {
                rendered.clear();
                body.render(scope, rendered);
                request.clear();
                head.render(scope, request);
                request.extend_from_slice(b"Content-Length: ");
                push_decimal(rendered.len() as u64, request);
                request.extend_from_slice(b"\r\n\r\n");
                request.extend_from_slice(rendered);
            }
        }
        request
    }
}

/// Request line and headers; with `Content-Length` and the empty line, unless the length of the body varies.
fn head(parts: &Parts<'_>, length_varies: bool) -> Result<String, String> {
    Template::parse(parts.target).map_err(|error| format!("path or query: {error}"))?;
    let mut head = format!("{} {} HTTP/1.1\r\n", parts.method, parts.target);
    for (name, value) in parts.headers {
        if let Err(error) = Template::parse(value) {
            let hidden = "{{ is not followed by a known generator and }}".to_owned();
            let why = if redact::is_secret(name) { hidden } else { error.to_string() };
            return Err(format!("header {name}: {why}"));
        }
        head.extend([name, ": ", value, "\r\n"]);
    }
    if length_varies {
        return Ok(head);
    }
    if parts.body.is_some() || matches!(parts.method, "POST" | "PUT" | "PATCH") {
        let length = parts.body.map_or(0, <[u8]>::len).to_string();
        head.extend(["Content-Length: ", &length, "\r\n"]);
    }
    Ok(head + "\r\n")
}

fn closes(headers: &[(String, String)]) -> bool {
    headers.iter().any(|(name, value)| {
        name.eq_ignore_ascii_case("connection")
            && value.split(',').any(|token| token.trim().eq_ignore_ascii_case("close"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(method: &str, target: &str, headers: &[(&str, &str)], body: Option<&[u8]>) -> String {
        let headers: Vec<_> = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let request = Request::new(&Parts { method, target, headers: &headers, body }).unwrap();
        let (scope, mut buffers) = (Scope { seq: 12, vu: 3, iteration: 4 }, Buffers::default());
        request.bytes(&scope, &mut buffers);
        String::from_utf8_lossy(request.bytes(&scope, &mut buffers)).into_owned()
    }

    #[test]
    fn fixed_requests_are_bytes() {
        assert_eq!(rendered("GET", "/a", &[("Host", "h")], None), "GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(rendered("POST", "/", &[], None), "POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(rendered("PUT", "/", &[], Some(b"abc")), "PUT / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc");
    }

    #[test]
    fn generators_work_in_target_header_and_body() {
        assert_eq!(
            rendered("POST", "/{{vu}}?k={{seq}}", &[("X-Id", "i{{iteration}}")], Some(b"n={{seq}}")),
            "POST /3?k=12 HTTP/1.1\r\nX-Id: i4\r\nContent-Length: 4\r\n\r\nn=12"
        );
        assert_eq!(
            rendered("PUT", "/{{seq}}", &[], Some(b"\xff{{")),
            "PUT /12 HTTP/1.1\r\nContent-Length: 3\r\n\r\n\u{fffd}{{"
        );
    }

    #[test]
    fn mistakes_name_their_part_and_no_secret() {
        let error = |headers: &[(String, String)], body: &[u8]| {
            Request::new(&Parts { method: "GET", target: "/", headers, body: Some(body) }).unwrap_err()
        };
        assert!(error(&[], b"{{uuid}}").starts_with("body: column 1: unknown generator"));
        let secret = [("Authorization".to_owned(), "Bearer {{hunter2}}".to_owned())];
        let message = error(&secret, b"");
        assert!(message.starts_with("header Authorization") && !message.contains("hunter2"), "{message}");
    }

    #[test]
    fn a_request_that_closes_is_known() {
        let headers = [("connection".to_owned(), "x, Close".to_owned())];
        let request =
            Request::new(&Parts { method: "HEAD", target: "/", headers: &headers, body: None }).unwrap();
        assert!(request.closes && request.head_only);
    }
}
