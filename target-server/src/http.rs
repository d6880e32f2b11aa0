//! What do the bytes of HTTP/1.1 say, and how is an answer written? Pure: bytes in, values out.

use std::{fmt::Write as _, mem::MaybeUninit};

/// A head with more headers than this is refused.
const MAX_HEADERS: usize = 100;

/// How the end of an answer's body is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// `Content-Length`.
    Length,
    /// `Transfer-Encoding: chunked`, two chunks.
    Chunked,
    /// The connection closes.
    Close,
}

/// How the end of a request's body is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// This many bytes; 0 is no body.
    Length(u64),
    /// Chunks.
    Chunked,
}

/// What an answer says about the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Persistence {
    /// Nothing: HTTP/1.1 keeps it open.
    Implied,
    /// `Connection: keep-alive`, for HTTP/1.0 clients that asked for it.
    Kept,
    /// `Connection: close`.
    Closing,
}

/// The head of a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Head<'a> {
    pub(crate) method: &'a str,
    /// Without the query.
    pub(crate) path: &'a str,
    /// What follows the `?`; empty if nothing does.
    pub(crate) query: &'a str,
    /// What the answer shall say about the connection, as far as the client decides it.
    pub(crate) persistence: Persistence,
    /// The client waits for `100 Continue` before it sends the body.
    pub(crate) expects_continue: bool,
    pub(crate) framing: Framing,
    /// Bytes of the head, the empty line included.
    pub(crate) len: usize,
}

/// Parses a request head; `None` if its end has not come yet.
///
/// # Errors
///
/// Says what is wrong with the head.
pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Head<'_>>, &'static str> {
    let mut headers = [const { MaybeUninit::uninit() }; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut []);
    let len = match request.parse_with_uninit_headers(bytes, &mut headers) {
        Ok(httparse::Status::Complete(len)) => len,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err("too many headers"),
        Err(_) => return Err("not an HTTP/1.x request head"),
    };
    let (path, query) = split_target(request.path.unwrap_or("/"));
    let old = request.version == Some(0);
    let mut head = Head {
        method: request.method.unwrap_or_default(),
        path,
        query,
        persistence: if old { Persistence::Closing } else { Persistence::Implied },
        expects_continue: false,
        framing: Framing::Length(0),
        len,
    };
    for header in &*request.headers {
        head.apply(header, old)?;
    }
    Ok(Some(head))
}

/// The headers of a request head that [`parse`] has understood; what is not text is shown as well as it can be.
pub(crate) fn headers(head: &[u8]) -> Vec<(String, String)> {
    let mut headers = [const { MaybeUninit::uninit() }; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut []);
    // It has been parsed before.
    let _ = request.parse_with_uninit_headers(head, &mut headers);
    let text = |value| String::from_utf8_lossy(value).trim().to_owned();
    request.headers.iter().map(|header| (header.name.to_owned(), text(header.value))).collect()
}

impl Head<'_> {
    fn apply(&mut self, header: &httparse::Header<'_>, old: bool) -> Result<(), &'static str> {
        let (name, value) = (header.name, header.value.trim_ascii());
        // The length decides first: nearly every header is none of the four.
        match name.len() {
            6 if name.eq_ignore_ascii_case("expect") => {
                self.expects_continue = value.eq_ignore_ascii_case(b"100-continue");
            }
            10 if name.eq_ignore_ascii_case("connection") => {
                if value.eq_ignore_ascii_case(b"close") {
                    self.persistence = Persistence::Closing;
                } else if old && value.eq_ignore_ascii_case(b"keep-alive") {
                    self.persistence = Persistence::Kept;
                }
            }
            14 if name.eq_ignore_ascii_case("content-length") && self.framing != Framing::Chunked => {
                let length = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
                self.framing = Framing::Length(length.ok_or("Content-Length is not a number")?);
            }
            17 if name.eq_ignore_ascii_case("transfer-encoding") => {
                if !value.eq_ignore_ascii_case(b"chunked") {
                    return Err("Transfer-Encoding other than chunked");
                }
                self.framing = Framing::Chunked;
            }
            _ => {}
        }
        Ok(())
    }
}

/// Path and query of a request target in origin or absolute form.
fn split_target(target: &str) -> (&str, &str) {
    let origin = match target.split_once("://") {
        Some((scheme, rest)) if !scheme.contains('/') => rest.find('/').map_or("/", |at| &rest[at..]),
        _ => target,
    };
    origin.split_once('?').unwrap_or((origin, ""))
}

/// The number of the query parameter `k`, if there is one.
pub(crate) fn query_k(query: &str) -> Option<u64> {
    query.split('&').find_map(|pair| pair.strip_prefix("k="))?.parse().ok()
}

/// Finds the end of a chunked body without keeping it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chunks {
    /// A size line comes next.
    Size,
    /// This many bytes of data and line end are left.
    Data(u64),
    /// Trailer lines come until an empty one.
    Trailer,
    /// The body is over.
    Done,
}

impl Chunks {
    /// Takes what it can of `bytes` and says how many bytes that was; the rest must be offered again, with
    /// more behind it, unless the body is over.
    ///
    /// # Errors
    ///
    /// Says what is wrong with the chunks.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<usize, &'static str> {
        let mut taken = 0;
        loop {
            let rest = &bytes[taken..];
            match *self {
                Self::Size => match httparse::parse_chunk_size(rest) {
                    Ok(httparse::Status::Complete((used, 0))) => {
                        taken += used;
                        *self = Self::Trailer;
                    }
                    Ok(httparse::Status::Complete((used, size))) => {
                        taken += used;
                        *self = Self::Data(size.checked_add(2).ok_or("chunk too large")?);
                    }
                    Ok(httparse::Status::Partial) => return Ok(taken),
                    Err(_) => return Err("bad chunk size"),
                },
                Self::Data(left) => {
                    let step = left.min(rest.len() as u64);
                    taken += step as usize;
                    *self = if step == left { Self::Size } else { Self::Data(left - step) };
                    if step < left {
                        return Ok(taken);
                    }
                }
                Self::Trailer => {
                    let Some(end) = rest.iter().position(|byte| *byte == b'\n') else { return Ok(taken) };
                    taken += end + 1;
                    if rest[..end].trim_ascii().is_empty() {
                        *self = Self::Done;
                    }
                }
                Self::Done => return Ok(taken),
            }
        }
    }
}

/// The data of a body whose chunks [`Chunks`] has seen the end of.
pub(crate) fn unchunk(mut body: &[u8]) -> Vec<u8> {
    let mut data = Vec::new();
    while let Ok(httparse::Status::Complete((used, size @ 1..))) = httparse::parse_chunk_size(body) {
        let rest = &body[used..];
        let end = rest.len().min(size as usize);
        data.extend_from_slice(&rest[..end]);
        // Behind the data is an end of line.
        body = &rest[rest.len().min(end + 2)..];
    }
    data
}

/// A rendered answer, written whole or in parts.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    status: u16,
    wire: Vec<u8>,
    head_len: usize,
}

impl Answer {
    /// Renders head and body once, so that sending allocates nothing.
    pub(crate) fn render(
        status: u16,
        headers: &[(String, String)],
        body: &[u8],
        encoding: Encoding,
        persistence: Persistence,
    ) -> Self {
        let mut head = format!("HTTP/1.1 {status} {}\r\n", reason(status));
        for (name, value) in headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        match encoding {
            // These two statuses have no body and must not announce one.
            Encoding::Length if matches!(status, 204 | 304) => {}
            Encoding::Length => {
                let _ = write!(head, "Content-Length: {}\r\n", body.len());
            }
            Encoding::Chunked => head.push_str("Transfer-Encoding: chunked\r\n"),
            Encoding::Close => {}
        }
        match persistence {
            _ if encoding == Encoding::Close => head.push_str("Connection: close\r\n"),
            Persistence::Implied => {}
            Persistence::Kept => head.push_str("Connection: keep-alive\r\n"),
            Persistence::Closing => head.push_str("Connection: close\r\n"),
        }
        head.push_str("\r\n");
        let (head_len, mut wire) = (head.len(), head.into_bytes());
        if encoding == Encoding::Chunked {
            let (first, second) = body.split_at(body.len() / 2);
            for chunk in [first, second].into_iter().filter(|chunk| !chunk.is_empty()) {
                wire.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                wire.extend_from_slice(chunk);
                wire.extend_from_slice(b"\r\n");
            }
            wire.extend_from_slice(b"0\r\n\r\n");
        } else {
            wire.extend_from_slice(body);
        }
        Self { status, wire, head_len }
    }

    pub(crate) fn status(&self) -> u16 {
        self.status
    }

    /// The whole answer, or its head alone as the answer to `HEAD`.
    pub(crate) fn bytes(&self, head_only: bool) -> &[u8] {
        if head_only { &self.wire[..self.head_len] } else { &self.wire }
    }

    /// Where half of the encoded body has been sent.
    pub(crate) fn half(&self) -> usize {
        usize::midpoint(self.head_len, self.wire.len())
    }
}

/// The customary words for a status (RFC 9110, section 15).
fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        422 => "Unprocessable Content",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Scripted",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> Head<'_> {
        parse(text.as_bytes()).unwrap().unwrap()
    }

    #[test]
    fn a_head_is_read_with_its_query_and_length() {
        let text =
            "POST /a/b?x=1&k=42 HTTP/1.1\r\nHost: h\r\ncontent-LENGTH: 7\r\nExpect: 100-continue\r\n\r\nrest";
        let head = head(text);
        assert_eq!((head.method, head.path, head.query), ("POST", "/a/b", "x=1&k=42"));
        assert_eq!((head.framing, head.len), (Framing::Length(7), text.len() - 4));
        assert!(head.expects_continue);
        assert_eq!(query_k(head.query), Some(42));
    }

    #[test]
    fn every_true_prefix_of_a_head_is_partial() {
        let text = b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n";
        for end in 0..text.len() {
            assert_eq!(parse(&text[..end]).unwrap(), None, "prefix of {end} bytes");
        }
        assert!(parse(text).unwrap().is_some());
    }

    #[test]
    fn persistence_follows_version_and_header() {
        let of = |version: &str, header: &str| {
            head(&format!("GET / HTTP/{version}\r\nConnection: {header}\r\n\r\n")).persistence
        };
        assert_eq!(of("1.1", "x"), Persistence::Implied);
        assert_eq!(of("1.1", "Close"), Persistence::Closing);
        assert_eq!(of("1.0", "x"), Persistence::Closing);
        assert_eq!(of("1.0", "Keep-Alive"), Persistence::Kept);
    }

    #[test]
    fn what_is_not_a_request_is_refused() {
        assert!(parse(b"\x16\x03\x01\x02\x00\x01\x00").is_err());
        assert!(parse(b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n").is_err());
        assert!(parse(b"GET / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n").is_err());
    }

    #[test]
    fn absolute_targets_lose_their_authority() {
        assert_eq!(split_target("http://h:1/a?b"), ("/a", "b"));
        assert_eq!(split_target("http://h"), ("/", ""));
        assert_eq!(split_target("/go?to=http://h/x"), ("/go", "to=http://h/x"));
    }

    #[test]
    fn k_is_a_parameter_of_its_own() {
        assert_eq!(query_k("k=7"), Some(7));
        assert_eq!(query_k("ok=7"), None);
        assert_eq!(query_k("k=x"), None);
        assert_eq!(query_k(""), None);
    }

    #[test]
    fn chunks_end_at_the_same_byte_however_they_are_cut() {
        let body = b"5\r\nhello\r\n1;ext=1\r\n!\r\n0\r\nTrailer: x\r\n\r\nGET /next";
        let end = body.len() - 9;
        for cut in 0..body.len() {
            let (mut chunks, mut taken) = (Chunks::Size, 0);
            for until in [cut, body.len()] {
                taken += chunks.feed(&body[taken..until]).unwrap();
            }
            assert_eq!((chunks, taken), (Chunks::Done, end), "cut at {cut}");
        }
        assert!(Chunks::Size.feed(b"zz\r\n").is_err());
    }

    #[test]
    fn answers_render_in_all_encodings() {
        let headers = [("x".to_owned(), "y".to_owned())];
        let text = |encoding, persistence| {
            let answer = Answer::render(200, &headers, b"hello", encoding, persistence);
            assert!(answer.bytes(true).ends_with(b"\r\n\r\n"));
            String::from_utf8(answer.bytes(false).to_vec()).unwrap()
        };
        assert_eq!(
            text(Encoding::Length, Persistence::Implied),
            "HTTP/1.1 200 OK\r\nx: y\r\nContent-Length: 5\r\n\r\nhello"
        );
        assert_eq!(
            text(Encoding::Chunked, Persistence::Closing),
            "HTTP/1.1 200 OK\r\nx: y\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"
        );
        assert_eq!(
            text(Encoding::Close, Persistence::Kept),
            "HTTP/1.1 200 OK\r\nx: y\r\nConnection: close\r\n\r\nhello"
        );
    }
}
