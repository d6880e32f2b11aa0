//! What is sent? One request, compiled before the run: its head once where nothing varies in it, templates where
//! something does.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HOST, HeaderName, HeaderValue};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Method, Uri, Version};
use load_suite::scope::Scope;
use load_suite::template::{Names, Template};

use crate::http::request::{Content, Parts, header, target};

/// Headers that speak of a connection (RFC 9113, 8.2.2); there is no place for them.
const OF_CONNECTIONS: [&str; 5] =
    ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"];

/// A request, ready to be sent any number of times.
#[derive(Clone)]
pub struct Request {
    /// With everything in it that does not vary.
    head: http::Request<()>,
    target: Option<Template>,
    headers: Vec<(HeaderName, Template)>,
    body: Option<Body>,
    /// Its answer has no body: the method is HEAD.
    pub head_only: bool,
}

#[derive(Clone)]
enum Body {
    Fixed(Bytes),
    Varied(Template),
}

/// Where requests that vary are rendered; kept from call to call.
#[derive(Default)]
pub struct Buffers(Vec<u8>);

impl Request {
    /// Compiles `parts`, in which `names` may be inserted. Their `Host` becomes `:authority`.
    ///
    /// # Errors
    /// What HTTP/2 has no place for, or an unknown `{{...}}`, with the part it stands in and no value that may be a secret.
    pub fn new(secure: bool, parts: &Parts<'_>, names: &Names) -> Result<Self, String> {
        let mut head = http::Request::new(());
        let mut authority = None;
        let mut headers = Vec::new();
        *head.version_mut() = Version::HTTP_2;
        *head.method_mut() =
            Method::from_bytes(parts.method.as_bytes()).map_err(|error| error.to_string())?;
        for (name, value) in parts.headers {
            let wrong = |why: &str| format!("header {name}: {why}");
            let value = header(name, value, names)?;
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| wrong(&error.to_string()))?;
            match value.as_static() {
                _ if OF_CONNECTIONS.contains(&name.as_str()) => {
                    return Err(wrong("HTTP/2 has no place for it; leave it out"));
                }
                Some(text) if name == HOST => {
                    authority = Some(text.parse::<Authority>().map_err(|error| wrong(&error.to_string()))?);
                }
                None if name == HOST => {
                    return Err(wrong("it becomes :authority in HTTP/2 and cannot vary"));
                }
                Some(text) => {
                    let value = HeaderValue::from_str(text).map_err(|error| wrong(&error.to_string()))?;
                    head.headers_mut().append(name, value);
                }
                None => headers.push((name, value)),
            }
        }
        let body = parts.body.map(|body| Content::of(body, names)).transpose()?.map(Body::from);
        // Methods that bring a body say so when it is empty (RFC 9110, 8.6).
        let is_said = body.is_some() || matches!(parts.method, "POST" | "PUT" | "PATCH");
        if is_said && !matches!(body, Some(Body::Varied(_))) {
            let length = body.as_ref().map_or(0, |body| body.render(&Scope::default()).len());
            head.headers_mut().insert(CONTENT_LENGTH, length.into());
        }
        let target = target(parts.target, names)?;
        let fixed = target.as_static().unwrap_or("/");
        *head.uri_mut() = uri(secure, authority.ok_or("no Host")?, path(fixed.to_owned().into())?)?;
        let target = target.as_static().is_none().then_some(target);
        Ok(Self { head, target, headers, body, head_only: parts.method == "HEAD" })
    }

    /// The head to send for this iteration, and the body, if there is one.
    ///
    /// # Errors
    /// What was inserted cannot stand where it does.
    #[inline]
    pub fn make(
        &self,
        scope: &Scope,
        buffers: &mut Buffers,
    ) -> Result<(http::Request<()>, Option<Bytes>), String> {
        let mut head = self.head.clone();
        if self.target.is_some() || !self.headers.is_empty() {
            self.fill(&mut head, scope, buffers)?;
        }
        let body = self.body.as_ref().map(|body| body.render(scope));
        if let (Some(Body::Varied(_)), Some(body)) = (&self.body, &body) {
            head.headers_mut().insert(CONTENT_LENGTH, body.len().into());
        }
        Ok((head, body))
    }

    fn fill(
        &self,
        head: &mut http::Request<()>,
        scope: &Scope,
        Buffers(buffer): &mut Buffers,
    ) -> Result<(), String> {
        if let Some(target) = &self.target {
            buffer.clear();
            target.render(scope, buffer);
            let mut parts = std::mem::take(head.uri_mut()).into_parts();
            parts.path_and_query = Some(path(Bytes::copy_from_slice(buffer))?);
            *head.uri_mut() = Uri::from_parts(parts).map_err(|error| error.to_string())?;
        }
        for (name, value) in &self.headers {
            buffer.clear();
            value.render(scope, buffer);
            let value = HeaderValue::from_bytes(buffer);
            let value = value.map_err(|_| format!("header {name}: what was inserted is no header value"))?;
            head.headers_mut().append(name.clone(), value);
        }
        Ok(())
    }
}

impl Body {
    fn render(&self, scope: &Scope) -> Bytes {
        match self {
            Self::Fixed(bytes) => bytes.clone(),
            Self::Varied(template) => {
                let mut bytes = Vec::new();
                template.render(scope, &mut bytes);
                bytes.into()
            }
        }
    }
}

impl From<Content> for Body {
    fn from(content: Content) -> Self {
        match content {
            Content::Fixed(bytes) => Self::Fixed(bytes.into()),
            Content::Varied(template) => Self::Varied(template),
        }
    }
}

fn path(bytes: Bytes) -> Result<PathAndQuery, String> {
    PathAndQuery::from_maybe_shared(bytes).map_err(|error| format!("path or query: {error}"))
}

fn uri(secure: bool, authority: Authority, path: PathAndQuery) -> Result<Uri, String> {
    let mut uri = http::uri::Parts::default();
    uri.scheme = Some(if secure { Scheme::HTTPS } else { Scheme::HTTP });
    uri.authority = Some(authority);
    uri.path_and_query = Some(path);
    Uri::from_parts(uri).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::request::Body as Given;

    fn compiled(
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Result<Request, String> {
        let headers: Vec<_> = [&("Host", "h:1")]
            .into_iter()
            .chain(headers)
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let parts = Parts { method, target, headers: &headers, body: body.map(Given::Bytes) };
        Request::new(false, &parts, &Names::none())
    }

    fn made(request: &Request) -> (String, Vec<String>, Option<Bytes>) {
        let (head, body) = request.make(&Scope::numbered(12, 3, 4), &mut Buffers::default()).unwrap();
        let headers =
            head.headers().iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()));
        (format!("{} {}", head.method(), head.uri()), headers.collect(), body)
    }

    #[test]
    fn what_does_not_vary_is_made_once() {
        let request = compiled("PUT", "/a?b=c", &[("X-One", "1"), ("x-one", "2")], Some(b"abc")).unwrap();
        let (line, headers, body) = made(&request);
        assert_eq!(line, "PUT http://h:1/a?b=c");
        assert_eq!(headers, ["x-one: 1", "x-one: 2", "content-length: 3"]);
        assert_eq!(body.unwrap().as_ptr(), made(&request).2.unwrap().as_ptr());
        let (_, headers, body) = made(&compiled("POST", "/", &[], None).unwrap());
        assert_eq!((headers, body), (vec!["content-length: 0".to_owned()], None));
        assert_eq!(made(&compiled("GET", "/", &[], None).unwrap()).1, [""; 0]);
    }

    #[test]
    fn generators_work_in_target_header_and_body() {
        let request =
            compiled("POST", "/{{vu}}?k={{seq}}", &[("X-Id", "i{{iteration}}")], Some(b"n={{seq}}"));
        let (line, headers, body) = made(&request.unwrap());
        assert_eq!(line, "POST http://h:1/3?k=12");
        assert_eq!(headers, ["x-id: i4", "content-length: 4"]);
        assert_eq!(body.as_deref(), Some(&b"n=12"[..]));
    }

    #[test]
    fn what_http2_has_no_place_for_is_refused() {
        for (headers, contains) in [
            (("Connection", "close"), "header Connection: HTTP/2 has no place for it"),
            (("Transfer-Encoding", "chunked"), "no place"),
            (("Host", "{{vu}}"), "cannot vary"),
            (("Authorization", "Bearer {{hunter2}}"), "header Authorization"),
        ] {
            let error = compiled("GET", "/", &[headers], None).err().unwrap();
            assert!(error.contains(contains) && !error.contains("hunter2"), "{error}");
        }
    }
}
