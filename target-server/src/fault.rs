//! In what way does an answer go wrong? Every fault as the bytes it sends and how it ends; pure.

use std::borrow::Cow;

use crate::http::Answer;

/// Bytes that no HTTP parser takes: the start of a TLS record.
const GARBAGE: &[u8] = b"\x16\x03\x03\x00\x31\x02\x00\x00\x2d\x03\x03\xff\xfe\x00not HTTP\x00\xff";
/// A head without its end, and the line that follows it without end.
const ENDLESS_HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n";
const HEADER_LINE: &[u8] = b"X-Filler: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n";
const CHUNKED_HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
const BODY_CHUNK: &[u8] = b"40\r\naaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n";
const EARLY_HINTS: &[u8] = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n";

/// A way for an answer to go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// A whole answer with another status.
    Status(u16),
    /// TCP reset after this many bytes of the answer.
    Reset(usize),
    /// Orderly close after this many bytes of the answer.
    Close(usize),
    /// Nothing more after this many bytes of the answer; the connection stays open.
    Never(usize),
    /// Half the body, then an orderly close.
    Short,
    /// A status line whose status is no number.
    Malformed,
    /// Bytes that are not HTTP.
    Garbage,
    /// A chunk size that is no number.
    BadChunk,
    /// A negative `Content-Length`.
    BadLength,
    /// Two different `Content-Length`s.
    TwoLengths,
    /// Header lines until the client hangs up.
    EndlessHeader,
    /// Chunks until the client hangs up.
    EndlessBody,
    /// 103 answers until the client hangs up.
    EndlessInterim,
    /// One 103 answer, then the whole answer.
    Interim,
    /// The whole answer, one byte at a time.
    Drip {
        /// Nanoseconds between two bytes.
        every_ns: u64,
    },
    /// The whole answer, then a close that no header announced.
    Hangup,
}

/// What an aborted request is counted as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Abort {
    /// The connection was reset.
    Reset,
    /// The connection was closed before the end of the answer.
    Close,
    /// The body was cut.
    Short,
    /// What was sent is no answer.
    Malformed,
    /// The end of the answer was never sent, and the connection left open.
    Never,
    /// The answer had no end.
    Endless,
    /// The client left before the answer, or before the end of its own request.
    Gone,
}

impl Abort {
    /// The word for it in `/truth`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reset => "reset",
            Self::Close => "close",
            Self::Short => "short",
            Self::Malformed => "malformed",
            Self::Never => "never",
            Self::Endless => "endless",
            Self::Gone => "gone",
        }
    }
}

/// What follows the bytes of a faulty answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The next request.
    KeepOpen,
    /// An orderly close.
    Close,
    /// A reset.
    Reset,
    /// Silence until the client leaves.
    Hold,
}

/// A faulty answer, ready to be sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Staged<'a> {
    /// Sent once.
    pub(crate) bytes: Cow<'a, [u8]>,
    /// Sent again and again after that.
    pub(crate) repeat: Option<&'static [u8]>,
    /// Nanoseconds between two bytes; 0 sends all at once.
    pub(crate) pace_ns: u64,
    /// What comes then.
    pub(crate) end: End,
    /// What it is counted as; `None` is an answer like any other.
    pub(crate) abort: Option<Abort>,
}

impl How {
    /// The bytes and the end of this fault, made from the answer that would have been given.
    pub(crate) fn stage(self, answer: &Answer, head_only: bool) -> Staged<'_> {
        let whole = answer.bytes(head_only);
        let part = |after: usize| Cow::Borrowed(whole.get(..after).unwrap_or(whole));
        let (bytes, end, abort) = match self {
            Self::Reset(after) => (part(after), End::Reset, Some(Abort::Reset)),
            Self::Close(after) => (part(after), End::Close, Some(Abort::Close)),
            Self::Never(after) => (part(after), End::Hold, Some(Abort::Never)),
            Self::Short => (part(answer.half()), End::Close, Some(Abort::Short)),
            Self::Malformed => {
                (fixed(b"HTTP/1.1 2x0 OK\r\nContent-Length: 2\r\n\r\nok"), End::Close, MALFORMED)
            }
            Self::Garbage => (fixed(GARBAGE), End::Close, MALFORMED),
            Self::BadChunk => {
                let mut bytes = CHUNKED_HEAD.to_vec();
                bytes.extend_from_slice(b"zz\r\nok\r\n0\r\n\r\n");
                (bytes.into(), End::Close, MALFORMED)
            }
            Self::BadLength => {
                (fixed(b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok"), End::Close, MALFORMED)
            }
            Self::TwoLengths => (
                fixed(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok!"),
                End::Close,
                MALFORMED,
            ),
            Self::EndlessHeader => (fixed(ENDLESS_HEAD), End::Close, Some(Abort::Endless)),
            Self::EndlessBody => (fixed(CHUNKED_HEAD), End::Close, Some(Abort::Endless)),
            Self::EndlessInterim => (fixed(EARLY_HINTS), End::Close, Some(Abort::Endless)),
            Self::Interim => ([EARLY_HINTS, whole].concat().into(), End::KeepOpen, None),
            Self::Status(_) | Self::Drip { .. } => (whole.into(), End::KeepOpen, None),
            Self::Hangup => (whole.into(), End::Close, None),
        };
        Staged { bytes, repeat: self.repeat(), pace_ns: self.pace_ns(), end, abort }
    }

    fn repeat(self) -> Option<&'static [u8]> {
        match self {
            Self::EndlessHeader => Some(HEADER_LINE),
            Self::EndlessBody => Some(BODY_CHUNK),
            Self::EndlessInterim => Some(EARLY_HINTS),
            _ => None,
        }
    }

    fn pace_ns(self) -> u64 {
        if let Self::Drip { every_ns } = self { every_ns } else { 0 }
    }
}

const MALFORMED: Option<Abort> = Some(Abort::Malformed);

fn fixed(bytes: &'static [u8]) -> Cow<'static, [u8]> {
    Cow::Borrowed(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Encoding, Persistence};

    fn answer() -> Answer {
        Answer::render(200, &[], b"0123456789", Encoding::Length, Persistence::Implied)
    }

    #[test]
    fn short_promises_ten_bytes_and_sends_five() {
        let answer = answer();
        let staged = How::Short.stage(&answer, false);
        assert!(staged.bytes.ends_with(b"\r\n\r\n01234"));
        assert!(staged.bytes.windows(18).any(|w| w == b"Content-Length: 10"));
        assert_eq!((staged.end, staged.abort), (End::Close, Some(Abort::Short)));
    }

    #[test]
    fn a_part_is_never_longer_than_the_answer() {
        let answer = answer();
        assert_eq!(How::Reset(0).stage(&answer, false).bytes.len(), 0);
        assert_eq!(How::Reset(12).stage(&answer, false).bytes.as_ref(), b"HTTP/1.1 200");
        assert_eq!(How::Never(1 << 20).stage(&answer, false).bytes.as_ref(), answer.bytes(false));
    }

    #[test]
    fn what_is_malformed_is_refused_by_a_parser() {
        for how in [How::Malformed, How::Garbage] {
            let answer = answer();
            let staged = how.stage(&answer, false);
            let mut headers = [httparse::EMPTY_HEADER; 8];
            assert!(httparse::Response::new(&mut headers).parse(&staged.bytes).is_err(), "{how:?}");
        }
    }

    #[test]
    fn endless_answers_repeat_and_whole_ones_count_as_answered() {
        let answer = answer();
        for how in [How::EndlessHeader, How::EndlessBody, How::EndlessInterim] {
            assert!(how.stage(&answer, false).repeat.is_some());
        }
        for how in [How::Interim, How::Hangup, How::Drip { every_ns: 5 }, How::Status(503)] {
            let staged = how.stage(&answer, false);
            assert_eq!((staged.abort, staged.repeat), (None, None));
            assert!(staged.bytes.ends_with(answer.bytes(false)));
        }
    }
}
