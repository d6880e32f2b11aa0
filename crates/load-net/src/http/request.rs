//! What is sent? One request, compiled before the run: bytes where nothing varies, templates where something does.

use load_suite::scope::Scope;
use load_suite::template::{Escape, Names, Template, push_decimal};

use crate::http::agent::Ways;
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
    pub body: Option<Body<'a>>,
}

/// The body of a request.
#[derive(Clone, Copy)]
pub enum Body<'a> {
    /// Bytes as they are; where they are a text, `{{...}}` in it is inserted as it is.
    Bytes(&'a [u8]),
    /// A compiled text.
    Text(&'a Template),
}

/// A request, ready to be sent any number of times.
#[derive(Clone, Debug)]
pub struct Request {
    form: Form,
    /// Its answer has no body: the method is HEAD.
    pub head_only: bool,
    /// It asks the server to close the connection after the answer.
    pub closes: bool,
    /// What the call needs besides one exchange: nothing, unless it is set.
    pub ways: Ways,
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
    /// Compiles `parts`, in which `names` may be inserted.
    ///
    /// # Errors
    /// An unknown `{{...}}`, with the part it stands in and no value that may be a secret.
    pub fn new(parts: &Parts<'_>, names: &Names) -> Result<Self, String> {
        let head = head(parts, names)?;
        let body = parts.body.map(|body| Content::of(body, names)).transpose()?;
        let form = match body {
            Some(Content::Varied(body)) => Form::Both(head, body),
            Some(Content::Fixed(body)) => Form::one(head, Some(body.len()), &body),
            // Methods that bring a body say so when it is empty (RFC 9110, 8.6).
            None => Form::one(head, matches!(parts.method, "POST" | "PUT" | "PATCH").then_some(0), &[]),
        };
        let ways = Ways::default();
        Ok(Self { form, head_only: parts.method == "HEAD", closes: closes(parts.headers), ways })
    }

    /// The slots of the variables that it inserts.
    pub fn slots(&self) -> Vec<usize> {
        match &self.form {
            Form::Fixed(_) => Vec::new(),
            Form::Head(head, _) => head.slots().collect(),
            Form::Both(head, body) => head.slots().chain(body.slots()).collect(),
        }
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

/// A compiled body.
pub(crate) enum Content {
    Fixed(Vec<u8>),
    Varied(Template),
}

impl Content {
    pub(crate) fn of(body: Body<'_>, names: &Names) -> Result<Self, String> {
        let template = match body {
            Body::Text(template) => template.clone(),
            Body::Bytes(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => {
                    Template::compile(text, names, Escape::Raw).map_err(|error| format!("body: {error}"))?
                }
                // No text, no placeholders.
                Err(_) => return Ok(Self::Fixed(bytes.to_vec())),
            },
        };
        let fixed = template.as_fixed().map(<[u8]>::to_vec);
        Ok(fixed.map_or(Self::Varied(template), Self::Fixed))
    }
}

impl Form {
    /// A request whose body does not vary.
    fn one(head: Template, length: Option<usize>, body: &[u8]) -> Self {
        let end = length.map_or_else(String::new, |length| format!("Content-Length: {length}\r\n"));
        let head = head.then(Template::text(end + "\r\n"));
        match head.as_static() {
            Some(head) => Self::Fixed([head.as_bytes(), body].concat().into()),
            None => Self::Head(head, body.into()),
        }
    }
}

/// Request line and headers, without `Content-Length` and the empty line.
fn head(parts: &Parts<'_>, names: &Names) -> Result<Template, String> {
    let mut head = Template::text(format!("{} ", parts.method))
        .then(target(parts.target, names)?)
        .then(Template::text(" HTTP/1.1\r\n".to_owned()));
    for (name, value) in parts.headers {
        head = head
            .then(Template::text(format!("{name}: ")))
            .then(header(name, value, names)?)
            .then(Template::text("\r\n".to_owned()));
    }
    Ok(head)
}

/// Path and query, compiled.
pub(crate) fn target(target: &str, names: &Names) -> Result<Template, String> {
    Template::compile(target, names, Escape::Url).map_err(|error| format!("path or query: {error}"))
}

/// The value of a header, compiled.
pub(crate) fn header(name: &str, value: &str, names: &Names) -> Result<Template, String> {
    Template::compile(value, names, Escape::Line).map_err(|error| {
        let hidden = "{{ is not followed by a known name and }}".to_owned();
        let why = if redact::is_secret(name) { hidden } else { error.to_string() };
        format!("header {name}: {why}")
    })
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
        let request = Request::new(
            &Parts { method, target, headers: &headers, body: body.map(Body::Bytes) },
            &Names::none(),
        )
        .unwrap();
        let (scope, mut buffers) = (Scope::numbered(12, 3, 4), Buffers::default());
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
            Request::new(
                &Parts { method: "GET", target: "/", headers, body: Some(Body::Bytes(body)) },
                &Names::none(),
            )
            .unwrap_err()
        };
        assert!(error(&[], b"{{uuuid}}").starts_with("body: column 1: unknown {{uuuid}}"));
        let secret = [("Authorization".to_owned(), "Bearer {{hunter2}}".to_owned())];
        let message = error(&secret, b"");
        assert!(message.starts_with("header Authorization") && !message.contains("hunter2"), "{message}");
    }

    #[test]
    fn a_request_that_closes_is_known() {
        let headers = [("connection".to_owned(), "x, Close".to_owned())];
        let request = Request::new(
            &Parts { method: "HEAD", target: "/", headers: &headers, body: None },
            &Names::none(),
        )
        .unwrap();
        assert!(request.closes && request.head_only);
    }
}
