//! What was the body before it was compressed? gzip, deflate, Brotli and Zstandard, piece by piece.
//!
//! What comes in waits in a buffer of the size of one read; what comes out goes on at once and is bounded in all.

use std::io::{self, BufRead, Read};

use brotli_decompressor::Decompressor;
use flate2::bufread::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use load_report::fault::FaultKind;

use crate::http::codec::Broken;

/// What `Accept-Encoding` offers.
pub const OFFERED: &str = "gzip, deflate, br, zstd";
/// The largest window that an answer may ask for: 8 MiB, as RFC 9659 has it for Zstandard.
const ZSTD_WINDOW_LOG: u32 = 23;
const ROOM: usize = 16 * 1024;

/// A body while it is decoded.
pub struct Decoder {
    stream: Stream,
    /// Bytes that may still come out.
    left: u64,
    begun: bool,
    out: Box<[u8]>,
}

enum Stream {
    Gzip(MultiGzDecoder<Feed>),
    /// Whether it is in zlib's format, as it should be, shows with its first byte.
    Deflate,
    Zlib(ZlibDecoder<Feed>),
    Raw(DeflateDecoder<Feed>),
    Brotli(Box<Decompressor<Feed>>),
    Zstd(zstd::stream::read::Decoder<'static, Feed>),
}

/// What has come and was not decoded yet. It is not at its end when it is empty.
#[derive(Default)]
struct Feed {
    bytes: Vec<u8>,
    at: usize,
    ended: bool,
}

impl Feed {
    fn push(&mut self, piece: &[u8]) {
        self.bytes.drain(..self.at);
        self.at = 0;
        self.bytes.extend_from_slice(piece);
    }
}

impl BufRead for Feed {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        match &self.bytes[self.at..] {
            [] if !self.ended => Err(io::ErrorKind::WouldBlock.into()),
            rest => Ok(rest),
        }
    }

    fn consume(&mut self, n: usize) {
        self.at += n;
    }
}

impl Read for Feed {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.fill_buf()?.read(into)?;
        self.consume(n);
        Ok(n)
    }
}

impl Decoder {
    /// For the `coding` that `Content-Encoding` names; none where there is nothing to decode. More than `most` bytes are
    /// too large.
    ///
    /// # Errors
    /// A coding that is not known, or several of them.
    pub fn new(coding: &[u8], most: u64) -> Result<Option<Self>, Broken> {
        let stream = match coding.trim_ascii().to_ascii_lowercase().as_slice() {
            b"" | b"identity" => return Ok(None),
            b"gzip" | b"x-gzip" => Stream::Gzip(MultiGzDecoder::new(Feed::default())),
            b"deflate" => Stream::Deflate,
            b"br" => Stream::Brotli(Box::new(Decompressor::new(Feed::default(), ROOM))),
            b"zstd" => {
                let zstd = zstd::stream::read::Decoder::with_buffer(Feed::default()).and_then(|mut zstd| {
                    zstd.window_log_max(ZSTD_WINDOW_LOG)?;
                    Ok(zstd)
                });
                Stream::Zstd(zstd.map_err(|_| CORRUPT)?)
            }
            _ => return Err(UNKNOWN),
        };
        Ok(Some(Self { stream, left: most, begun: false, out: vec![0; ROOM].into() }))
    }

    /// Takes the next `piece` and gives what it was to `sink`.
    ///
    /// # Errors
    /// It was not compressed like that, or is too large.
    pub fn feed(&mut self, piece: &[u8], sink: &mut impl FnMut(&[u8])) -> Result<(), Broken> {
        let Some(&first) = piece.first() else { return Ok(()) };
        self.begun = true;
        if let Stream::Deflate = self.stream {
            // RFC 1950: the method is 8, and a window has 32 KiB at most. No deflate of a real encoder begins so.
            let is_zlib = first & 0x0F == 8 && first >> 4 <= 7;
            self.stream = if is_zlib {
                Stream::Zlib(ZlibDecoder::new(Feed::default()))
            } else {
                Stream::Raw(DeflateDecoder::new(Feed::default()))
            };
        }
        if let Some(feed) = self.stream.feed() {
            feed.push(piece);
        }
        self.drain(sink)
    }

    /// The body has ended: gives what is left to `sink`.
    ///
    /// # Errors
    /// It ended too early, or was not compressed like that.
    pub fn finish(&mut self, sink: &mut impl FnMut(&[u8])) -> Result<(), Broken> {
        if !self.begun {
            return Ok(());
        }
        if let Some(feed) = self.stream.feed() {
            feed.ended = true;
        }
        self.drain(sink)
    }

    fn drain(&mut self, sink: &mut impl FnMut(&[u8])) -> Result<(), Broken> {
        loop {
            let read = match &mut self.stream {
                Stream::Gzip(stream) => stream.read(&mut self.out),
                Stream::Deflate => Ok(0),
                Stream::Zlib(stream) => stream.read(&mut self.out),
                Stream::Raw(stream) => stream.read(&mut self.out),
                Stream::Brotli(stream) => stream.read(&mut self.out),
                Stream::Zstd(stream) => stream.read(&mut self.out),
            };
            match read {
                Ok(0) => return Ok(()),
                Ok(n) => {
                    self.left = self.left.checked_sub(n as u64).ok_or(TOO_LARGE)?;
                    sink(&self.out[..n]);
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => return Ok(()),
                    io::ErrorKind::Interrupted => {}
                    io::ErrorKind::UnexpectedEof => return Err(SHORT),
                    _ => return Err(CORRUPT),
                },
            }
        }
    }
}

impl Stream {
    fn feed(&mut self) -> Option<&mut Feed> {
        match self {
            Self::Gzip(stream) => Some(stream.get_mut()),
            Self::Deflate => None,
            Self::Zlib(stream) => Some(stream.get_mut()),
            Self::Raw(stream) => Some(stream.get_mut()),
            Self::Brotli(stream) => Some(stream.get_mut()),
            Self::Zstd(stream) => Some(stream.get_mut()),
        }
    }
}

const CORRUPT: Broken =
    Broken { kind: FaultKind::Malformed, what: "the body is not compressed as Content-Encoding says" };
const SHORT: Broken = Broken { kind: FaultKind::Malformed, what: "the compressed body ends too early" };
const UNKNOWN: Broken = Broken {
    kind: FaultKind::Malformed,
    what: "Content-Encoding is none of gzip, deflate, br and zstd, which were asked for",
};
const TOO_LARGE: Broken =
    Broken { kind: FaultKind::TooLarge, what: "the decompressed body exceeds the limit (--max-body)" };

#[cfg(test)]
mod tests;
