//! Where does a frame begin and end, and is it the right one? Both directions, without any input or output.

use super::Broken;

/// Bytes of a header.
pub const HEADER: usize = 24;

const MAGIC: [u8; 4] = *b"DWC3";
/// Bytes of a header that its checksum covers.
const COVERED: usize = 20;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A source introduces itself.
    Hello = 1,
    /// A target agrees.
    Welcome = 2,
    /// A target does not.
    Refuse = 3,
    /// A migration begins.
    Init = 4,
    /// A phase begins.
    Phase = 5,
    /// The target has come as far.
    Done = 6,
    /// Pages.
    Data = 7,
    /// The end of a round on one stream.
    Mark = 8,
    /// What is in the image, and how much more may come.
    Ack = 9,
    /// What is the hash?
    Verify = 10,
    /// This is the hash.
    Verified = 11,
    /// The migration is given up.
    Abort = 12,
    /// The target is to let go of everything.
    Rollback = 13,
    /// It has.
    RolledBack = 14,
    /// Nothing follows.
    Bye = 15,
}

impl Kind {
    const ALL: [Self; 15] = [
        Self::Hello,
        Self::Welcome,
        Self::Refuse,
        Self::Init,
        Self::Phase,
        Self::Done,
        Self::Data,
        Self::Mark,
        Self::Ack,
        Self::Verify,
        Self::Verified,
        Self::Abort,
        Self::Rollback,
        Self::RolledBack,
        Self::Bye,
    ];

    fn of(byte: u8) -> Option<Self> {
        Self::ALL.get(usize::from(byte).checked_sub(1)?).copied()
    }
}

/// A frame that came and is whole, the next one, and not corrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What it is.
    pub kind: Kind,
    /// Its stream.
    pub stream: u16,
    /// Its number.
    pub seq: u32,
    /// What it says.
    pub payload: &'a [u8],
}

/// Numbers the frames of one connection in one direction.
#[derive(Clone, Debug)]
pub struct Encoder {
    stream: u16,
    next: u32,
}

impl Encoder {
    /// The first frame of `stream` is next.
    pub fn new(stream: u16) -> Self {
        Self { stream, next: 0 }
    }

    /// The number of the next frame.
    pub fn next(&self) -> u32 {
        self.next
    }

    /// The header of the next frame, whose payload is all of `parts`, one behind the other. They must not be more than 4 GiB.
    pub fn header(&mut self, kind: Kind, parts: &[&[u8]]) -> [u8; HEADER] {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let sum = parts.iter().fold(0, |sum, part| crc32c::crc32c_append(sum, part));
        let mut header = [0; HEADER];
        header[..4].copy_from_slice(&MAGIC);
        header[4] = kind as u8;
        header[6..8].copy_from_slice(&self.stream.to_be_bytes());
        header[8..12].copy_from_slice(&self.next.to_be_bytes());
        header[12..16].copy_from_slice(&(length as u32).to_be_bytes());
        header[16..20].copy_from_slice(&sum.to_be_bytes());
        let sum = crc32c::crc32c(&header[..COVERED]);
        header[COVERED..].copy_from_slice(&sum.to_be_bytes());
        self.next = self.next.wrapping_add(1);
        header
    }

    /// The next frame, behind whatever `out` holds.
    pub fn put(&mut self, kind: Kind, payload: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(&self.header(kind, &[payload]));
        out.extend_from_slice(payload);
    }
}

/// A header that was checked.
#[derive(Clone, Copy, Debug)]
struct Header {
    kind: Kind,
    stream: u16,
    seq: u32,
    length: usize,
    sum: u32,
}

/// Takes the bytes of one connection in one direction. Fill [`Decoder::space`], say how much with [`Decoder::filled`].
#[derive(Debug)]
pub struct Decoder {
    /// That of the first frame.
    stream: Option<u16>,
    /// The number that is due.
    due: u32,
    /// Largest payload.
    limit: usize,
    /// Header and payload of the frame that is coming; never shorter than a header, and kept from frame to frame.
    buffer: Vec<u8>,
    filled: usize,
    header: Option<Header>,
    /// Length of the last payload.
    last: usize,
    ended: bool,
}

impl Decoder {
    /// Takes payloads of up to `limit` bytes. Memory for one is taken when its header has come.
    pub fn new(limit: usize) -> Self {
        Self {
            stream: None,
            due: 0,
            limit,
            buffer: vec![0; HEADER],
            filled: 0,
            header: None,
            last: 0,
            ended: false,
        }
    }

    /// Where the next bytes belong: the rest of a header or of a payload, and never more than that.
    pub fn space(&mut self) -> &mut [u8] {
        let end = HEADER + self.header.map_or(0, |header| header.length);
        if self.buffer.len() < end {
            self.buffer.resize(end, 0);
        }
        &mut self.buffer[self.filled..end]
    }

    /// The first `n` bytes of [`Decoder::space`] have come. The frame, once it is whole.
    ///
    /// # Errors
    /// What is wrong with it. Nothing that follows can be believed.
    pub fn filled(&mut self, n: usize) -> Result<Option<Frame<'_>>, Broken> {
        if n > 0 && self.ended {
            return Err(Broken::AfterEnd);
        }
        self.filled += n;
        if self.header.is_none() && self.filled >= HEADER {
            self.header = Some(self.check(&self.buffer[..HEADER])?);
        }
        let Some(header) = self.header.filter(|header| self.filled == HEADER + header.length) else {
            return Ok(None);
        };
        (self.header, self.filled, self.last) = (None, 0, header.length);
        self.accept(header);
        let payload = &self.buffer[HEADER..HEADER + header.length];
        frame(header, payload).map(Some)
    }

    /// The payload of the frame that [`Decoder::filled`] gave last, until the next [`Decoder::space`].
    pub fn payload(&self) -> &[u8] {
        &self.buffer[HEADER..HEADER + self.last]
    }

    /// Takes one message that must be one frame.
    ///
    /// # Errors
    /// What is wrong with it. Nothing that follows can be believed.
    pub fn message<'a>(&mut self, message: &'a [u8]) -> Result<Frame<'a>, Broken> {
        if self.ended {
            return Err(Broken::AfterEnd);
        }
        let (header, payload) = message.split_at_checked(HEADER).ok_or(Broken::CutOff)?;
        let header = self.check(header)?;
        if payload.len() != header.length {
            return Err(Broken::Malformed("a message that is not one frame"));
        }
        self.accept(header);
        frame(header, payload)
    }

    /// The connection has ended.
    ///
    /// # Errors
    /// The last frame has not come.
    pub fn finish(&self) -> Result<(), Broken> {
        if self.ended && self.filled == 0 { Ok(()) } else { Err(Broken::CutOff) }
    }

    fn accept(&mut self, header: Header) {
        self.stream = Some(header.stream);
        self.due = self.due.wrapping_add(1);
        self.ended = header.kind == Kind::Bye;
    }

    fn check(&self, bytes: &[u8]) -> Result<Header, Broken> {
        if bytes[..4] != MAGIC {
            return Err(Broken::Magic);
        }
        if crc32c::crc32c(&bytes[..COVERED]).to_be_bytes() != bytes[COVERED..HEADER] {
            return Err(Broken::Header);
        }
        let u32_at = |at: usize| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let kind = Kind::of(bytes[4]).filter(|_| bytes[5] == 0).ok_or(Broken::Kind)?;
        let stream = u16::from_be_bytes([bytes[6], bytes[7]]);
        if self.stream.is_some_and(|ours| ours != stream) {
            return Err(Broken::Stream);
        }
        let (seq, length, sum) = (u32_at(8), u32_at(12), u32_at(16));
        if seq != self.due {
            return Err(Broken::Sequence { expected: self.due, came: seq });
        }
        if length as usize > self.limit {
            return Err(Broken::TooLong { length, limit: self.limit as u32 });
        }
        Ok(Header { kind, stream, seq, length: length as usize, sum })
    }
}

fn frame(header: Header, payload: &[u8]) -> Result<Frame<'_>, Broken> {
    if crc32c::crc32c(payload) != header.sum {
        return Err(Broken::Payload);
    }
    Ok(Frame { kind: header.kind, stream: header.stream, seq: header.seq, payload })
}
