//! Where does an answer end? The framing of HTTP/1.1 answers (RFC 9112, section 6), without a socket.
//!
//! Bytes go in as they come, in any pieces; the body goes out at once and is not kept. Only a head that is cut by
//! the end of a piece is stored, up to [`MAX_HEAD`]. Any split of the same bytes gives the same answer.
//!
//! Under load most answers of a connection have the same head, byte for byte, until the `Date` in it moves on. So the
//! last one is kept with what it means: to compare it takes a tenth of the time that parsing takes.

use std::mem::MaybeUninit;

use load_report::fault::FaultKind;

use crate::http::chunks::Chunks;

/// Largest head of an answer, in bytes; also the most of chunk extensions in a line, and of trailers.
pub const MAX_HEAD: usize = 64 * 1024;
/// Most header fields of an answer.
pub const MAX_FIELDS: usize = 128;
/// Most interim answers (1xx) before the final one.
pub const MAX_INTERIM: u32 = 32;
/// Largest head that is kept to be compared with the next one: connections are many, and heads that long are rare.
const MAX_KEPT: usize = 1024;

/// The end of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status of the final answer.
    pub status: u16,
    /// The connection can serve another request.
    pub keep_alive: bool,
}

/// How far the answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// All bytes were taken, and more are needed.
    More,
    /// The answer is whole.
    Done {
        /// What it was.
        answer: Answer,
        /// Bytes at the end of the piece that are not part of it.
        left_over: usize,
    },
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Closed, short, malformed or too large.
    pub kind: FaultKind,
    /// What was wrong.
    pub what: &'static str,
}

/// Who gets what an answer consists of. A closure gets the body alone.
pub trait Sink {
    /// The head of the final answer, status line and empty line included.
    #[inline]
    fn head(&mut self, _head: &[u8]) {}
    /// Whether the head is looked at; HTTP/2 has no text of it and makes one where it is.
    fn wants_head(&self) -> bool {
        false
    }
    /// The next piece of the body.
    fn body(&mut self, piece: &[u8]);
    /// Whether the body is looked at; one that is not need not be decompressed.
    fn wants_body(&self) -> bool {
        true
    }
}

impl<F: FnMut(&[u8])> Sink for F {
    #[inline]
    fn body(&mut self, piece: &[u8]) {
        self(piece);
    }
}

/// Reads one answer after another.
pub struct Codec {
    state: State,
    answer: Answer,
    /// The request was not HEAD.
    has_body: bool,
    interim: u32,
    /// Bytes of the body so far, with the chunks' own.
    body: u64,
    max_body: u64,
    /// The part of a head that has come.
    pending: Vec<u8>,
    /// Boxed, so that what a connection needs while it is idle stays small.
    kept: Box<Kept>,
}

/// The last head that came in one piece, and what it means.
struct Kept {
    /// Empty when there is none.
    head: Vec<u8>,
    meaning: Head,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Head,
    Body(Framing),
    Done,
}

/// What ends a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Length(u64),
    Chunked(Chunks),
    Close,
}

/// What of a head matters.
#[derive(Clone, Copy, Debug)]
struct Head {
    length: usize,
    status: u16,
    keep_alive: bool,
    framing: Framing,
}

impl Kept {
    /// Keeps a head for the next answer to be compared with.
    fn set(&mut self, head: &[u8], meaning: Head) {
        self.head.clear();
        if head.len() <= MAX_KEPT {
            self.head.extend_from_slice(head);
            self.meaning = meaning;
        }
    }
}

impl Codec {
    /// Answers with bodies of more than `max_body` bytes, chunk headers included, are too large.
    pub fn new(max_body: u64) -> Self {
        let answer = Answer { status: 0, keep_alive: false };
        Self {
            state: State::Head,
            answer,
            has_body: true,
            interim: 0,
            body: 0,
            max_body,
            pending: Vec::new(),
            kept: Box::new(Kept {
                head: Vec::new(),
                meaning: Head { length: 0, status: 0, keep_alive: false, framing: Framing::Close },
            }),
        }
    }

    /// Begins the next answer; that to a HEAD request has no body, whatever its header says.
    pub fn begin(&mut self, has_body: bool) {
        self.state = State::Head;
        self.has_body = has_body;
        self.interim = 0;
        self.body = 0;
        self.pending.clear();
    }

    /// Bytes that are kept for later; at most [`MAX_HEAD`].
    pub fn pending(&self) -> &[u8] {
        &self.pending
    }

    /// Takes the next piece and gives what is head and body in it to `sink`.
    ///
    /// # Errors
    /// The answer breaks the protocol or a limit; the codec must be begun anew on a new connection.
    #[inline]
    pub fn feed(&mut self, mut bytes: &[u8], sink: &mut impl Sink) -> Result<Progress, Broken> {
        while self.state == State::Head {
            let Some(taken) = self.feed_head(bytes, sink)? else { return Ok(Progress::More) };
            bytes = &bytes[taken..];
        }
        let taken = self.feed_body(bytes, &mut |piece: &[u8]| sink.body(piece))?;
        Ok(match self.state {
            State::Done => Progress::Done { answer: self.answer, left_over: bytes.len() - taken },
            _ => Progress::More,
        })
    }

    /// The connection has ended: is the answer whole?
    ///
    /// # Errors
    /// It is not.
    pub fn finish(&mut self) -> Result<Answer, Broken> {
        let broken = |kind, what| Err(Broken { kind, what });
        match self.state {
            State::Done | State::Body(Framing::Close) => Ok(self.answer),
            State::Body(_) => {
                broken(FaultKind::ShortBody, "the connection was closed in the middle of the body")
            }
            State::Head if self.pending.is_empty() => {
                broken(FaultKind::Closed, "the connection was closed before the answer")
            }
            State::Head => {
                parse(&self.pending)?;
                broken(FaultKind::ShortBody, "the connection was closed in the middle of the headers")
            }
        }
    }

    /// Returns how many bytes the head has taken, once it is whole.
    #[inline]
    fn feed_head(&mut self, bytes: &[u8], sink: &mut impl Sink) -> Result<Option<usize>, Broken> {
        if !self.pending.is_empty() {
            return self.feed_pending(bytes, sink);
        }
        let window = &bytes[..bytes.len().min(MAX_HEAD)];
        let head = if !self.kept.head.is_empty() && window.starts_with(&self.kept.head) {
            self.kept.meaning
        } else {
            let Some(head) = parse(window)? else {
                self.pending.extend_from_slice(window);
                return self.no_head_yet();
            };
            self.kept.set(&window[..head.length], head);
            head
        };
        self.accept(&head)?;
        if self.state != State::Head {
            sink.head(&window[..head.length]);
        }
        Ok(Some(head.length))
    }

    #[cold]
    fn feed_pending(&mut self, bytes: &[u8], sink: &mut impl Sink) -> Result<Option<usize>, Broken> {
        let before = self.pending.len();
        let window = &bytes[..bytes.len().min(MAX_HEAD - before)];
        self.pending.extend_from_slice(window);
        // A head ends with a line, so that a drip of bytes does not parse everything again for each of them.
        if self.pending.len() < MAX_HEAD && !window.contains(&b'\n') {
            return Ok(None);
        }
        let Some(head) = parse(&self.pending)? else { return self.no_head_yet() };
        self.accept(&head)?;
        if self.state != State::Head {
            sink.head(&self.pending[..head.length]);
        }
        self.pending.clear();
        Ok(Some(head.length.saturating_sub(before)))
    }

    fn no_head_yet(&self) -> Result<Option<usize>, Broken> {
        if self.pending.len() < MAX_HEAD {
            return Ok(None);
        }
        Err(Broken { kind: FaultKind::TooLarge, what: "the headers exceed 64 KiB" })
    }

    #[inline]
    fn accept(&mut self, head: &Head) -> Result<(), Broken> {
        let too_large = |what| Err(Broken { kind: FaultKind::TooLarge, what });
        match head.status {
            ..=99 => return Err(Broken { kind: FaultKind::Malformed, what: "the status is below 100" }),
            101 | 200.. => {}
            _ if self.interim == MAX_INTERIM => return too_large("more than 32 interim answers"),
            _ => {
                self.interim += 1;
                return Ok(());
            }
        }
        // After 101 the connection speaks another protocol.
        self.answer = Answer { status: head.status, keep_alive: head.keep_alive && head.status != 101 };
        self.state = match head.framing {
            _ if !self.has_body || matches!(head.status, 101 | 204 | 304) => State::Done,
            Framing::Length(0) => State::Done,
            Framing::Length(length) if length > self.max_body => return too_large(BODY_TOO_LARGE),
            Framing::Close => {
                self.answer.keep_alive = false;
                State::Body(Framing::Close)
            }
            framing => State::Body(framing),
        };
        Ok(())
    }

    #[inline]
    fn feed_body(&mut self, bytes: &[u8], body: &mut impl FnMut(&[u8])) -> Result<usize, Broken> {
        let State::Body(framing) = &mut self.state else { return Ok(0) };
        let room = usize::try_from(self.max_body - self.body).unwrap_or(usize::MAX);
        let window = &bytes[..bytes.len().min(room)];
        let (taken, ended) = match framing {
            Framing::Length(left) => {
                let here = usize::try_from(*left).unwrap_or(usize::MAX).min(window.len());
                body(&window[..here]);
                *left -= here as u64;
                (here, *left == 0)
            }
            Framing::Chunked(chunks) => (chunks.feed(window, body)?, chunks.ended()),
            Framing::Close => {
                body(window);
                (window.len(), false)
            }
        };
        self.body += taken as u64;
        if ended {
            self.state = State::Done;
        } else if window.len() < bytes.len() {
            return Err(Broken { kind: FaultKind::TooLarge, what: BODY_TOO_LARGE });
        }
        Ok(taken)
    }
}

const BODY_TOO_LARGE: &str = "the body exceeds the limit (--max-body)";

/// The head at the beginning of `bytes`, once it is whole.
#[inline]
fn parse(bytes: &[u8]) -> Result<Option<Head>, Broken> {
    // Not initialised: zeroing 4 KiB would cost more than the parsing.
    let mut fields = [const { MaybeUninit::uninit() }; MAX_FIELDS];
    let mut response = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    match config.parse_response_with_uninit_headers(&mut response, bytes, &mut fields) {
        Ok(httparse::Status::Complete(length)) => head_of(&response, length).map(Some),
        Ok(httparse::Status::Partial) => Ok(None),
        Err(error) => Err(reason(error)),
    }
}

fn head_of(response: &httparse::Response<'_, '_>, length: usize) -> Result<Head, Broken> {
    let malformed = |what| Err(Broken { kind: FaultKind::Malformed, what });
    let (mut content_length, mut chunked, mut encoded) = (None, false, false);
    let (mut close, mut keep_alive) = (false, false);
    for field in response.headers.iter() {
        // The length tells most names apart without a look at them.
        match field.name.len() {
            14 if field.name.eq_ignore_ascii_case("content-length") => {
                let Some(value) = decimal(field.value) else {
                    return malformed("Content-Length is not a number");
                };
                if content_length.is_some_and(|before| before != value) {
                    return malformed("two different Content-Lengths");
                }
                content_length = Some(value);
            }
            10 if field.name.eq_ignore_ascii_case("connection") => {
                for token in tokens(field.value) {
                    close |= token.eq_ignore_ascii_case(b"close");
                    keep_alive |= token.eq_ignore_ascii_case(b"keep-alive");
                }
            }
            17 if field.name.eq_ignore_ascii_case("transfer-encoding") => {
                encoded = true;
                chunked =
                    tokens(field.value).last().is_some_and(|token| token.eq_ignore_ascii_case(b"chunked"));
            }
            _ => {}
        }
    }
    let framing = match content_length {
        // Transfer-Encoding overrides Content-Length (RFC 9112, section 6.3).
        _ if chunked => Framing::Chunked(Chunks::default()),
        Some(length) if !encoded => Framing::Length(length),
        _ => Framing::Close,
    };
    let persistent = if response.version == Some(1) { !close } else { keep_alive && !close };
    Ok(Head { length, status: response.code.unwrap_or_default(), keep_alive: persistent, framing })
}

fn tokens(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

/// Digits only: no sign, no list, no overflow.
fn decimal(value: &[u8]) -> Option<u64> {
    let digits = value.trim_ascii();
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |value, byte| match byte {
        b'0'..=b'9' => value.checked_mul(10)?.checked_add(u64::from(byte - b'0')),
        _ => None,
    })
}

#[cold]
fn reason(error: httparse::Error) -> Broken {
    let (kind, what) = match error {
        httparse::Error::TooManyHeaders => (FaultKind::TooLarge, "more than 128 header fields"),
        httparse::Error::Version => {
            (FaultKind::Malformed, "the answer does not begin with HTTP/1.0 or HTTP/1.1")
        }
        httparse::Error::Status => (FaultKind::Malformed, "the status is not a number of three digits"),
        httparse::Error::HeaderName => {
            (FaultKind::Malformed, "a header name has a character that is not allowed")
        }
        httparse::Error::HeaderValue => {
            (FaultKind::Malformed, "a header value has a character that is not allowed")
        }
        httparse::Error::NewLine | httparse::Error::Token => {
            (FaultKind::Malformed, "a line of the head is not as HTTP has it")
        }
    };
    Broken { kind, what }
}

#[cfg(test)]
mod tests;
