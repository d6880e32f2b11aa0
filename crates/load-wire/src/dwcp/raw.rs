//! What do the original's TCP formats look like? Headers without checksum or acknowledgement, and readers that believe no
//! length.

use super::{Broken, CHUNK};
use crate::dwcp::message::Framing;

/// Bytes of pages in one record of the adapter.
pub const ADAPTER_CHUNK: usize = 64 << 10;
/// The SDK's version and its type for streams.
const SDK_VERSION: u8 = 3;
const SDK_STREAM: u8 = 3;
/// Longest text of an SDK request, bytes.
const MOST_REQUEST: usize = 64;

/// An AMST chunk: its number and its length.
pub fn amst(chunk: u32, length: u32) -> [u8; 8] {
    let mut out = [0; 8];
    out[..4].copy_from_slice(&chunk.to_be_bytes());
    out[4..].copy_from_slice(&length.to_be_bytes());
    out
}

/// A record of the adapter: number, offset, length, and bytes of the whole image, which end at 4 GiB.
pub fn adapter(chunk: u32, offset: u32, length: u32, total: u32) -> [u8; 16] {
    let mut out = [0; 16];
    for (at, field) in [chunk, offset, length, total].iter().enumerate() {
        out[at * 4..at * 4 + 4].copy_from_slice(&field.to_be_bytes());
    }
    out
}

/// A stream frame of the SDK up to its bytes of pages: `request` has at most 64 bytes, `ms` is since 1970.
pub fn sdk(request: &str, ms: u64, offset: u64, length: u32) -> Vec<u8> {
    let payload = 8 + length;
    let mut out = Vec::with_capacity(28 + request.len());
    out.extend((1 + 1 + 8 + 2 + request.len() as u32 + 4 + payload).to_be_bytes());
    out.extend([SDK_VERSION, SDK_STREAM]);
    out.extend(ms.to_be_bytes());
    out.extend((request.len() as u16).to_be_bytes());
    out.extend(request.as_bytes());
    out.extend(payload.to_be_bytes());
    out.extend(offset.to_be_bytes());
    out
}

/// A record: where its bytes belong, and how many follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Offset in the image.
    pub offset: u64,
    /// Bytes.
    pub length: usize,
}

/// Reads the records of one raw stream.
#[derive(Debug)]
pub struct Reader {
    framing: Framing,
    /// Bytes of the image.
    image: u64,
    head: Vec<u8>,
}

impl Reader {
    /// Records of `framing`, which must not be V3, for an image of so many bytes.
    pub fn new(framing: Framing, image: u64) -> Self {
        Self { framing, image, head: Vec::new() }
    }

    /// Takes bytes of a head from the front of `bytes`, and says how many it took. The record, once its head is whole: then
    /// come its bytes, which are not for this reader, and then the next head.
    ///
    /// # Errors
    /// What is not as it must be.
    pub fn read(&mut self, bytes: &[u8]) -> Result<(usize, Option<Record>), Broken> {
        let mut taken = 0;
        loop {
            let wanted = self.wanted()?;
            let n = (wanted - self.head.len()).min(bytes.len() - taken);
            self.head.extend_from_slice(&bytes[taken..taken + n]);
            taken += n;
            if self.head.len() < wanted {
                return Ok((taken, None));
            }
            // The length of an SDK head is in it.
            if self.wanted()? == wanted {
                let record = self.record()?;
                self.head.clear();
                return Ok((taken, Some(record)));
            }
        }
    }

    /// Whether the stream may end here.
    pub fn is_between(&self) -> bool {
        self.head.is_empty()
    }

    fn wanted(&self) -> Result<usize, Broken> {
        Ok(match self.framing {
            Framing::Amst => 8,
            Framing::Adapter => 16,
            Framing::Sdk if self.head.len() < 16 => 16,
            Framing::Sdk => {
                let request = usize::from(u16::from_be_bytes([self.head[14], self.head[15]]));
                if request > MOST_REQUEST {
                    return Err(Broken::Malformed("a long request"));
                }
                16 + request + 12
            }
            Framing::V3 => return Err(Broken::Malformed("no raw framing")),
        })
    }

    fn record(&self) -> Result<Record, Broken> {
        let u32_at = |at: usize| self.head[at..].first_chunk().map_or(0, |field| u32::from_be_bytes(*field));
        let u64_at = |at: usize| self.head[at..].first_chunk().map_or(0, |field| u64::from_be_bytes(*field));
        let (offset, length) = match self.framing {
            Framing::Adapter if u64::from(u32_at(12)) != self.image => {
                return Err(Broken::Malformed("another image"));
            }
            Framing::Adapter => (u64::from(u32_at(4)), u32_at(8)),
            Framing::Sdk => {
                let end = self.head.len();
                let payload = u32_at(end - 12);
                let whole = u32_at(0) == (end as u32 - 4 - 8).wrapping_add(payload);
                if !whole || self.head[4..6] != [SDK_VERSION, SDK_STREAM] || payload < 8 {
                    return Err(Broken::Malformed("no stream frame of the SDK"));
                }
                (u64_at(end - 8), payload - 8)
            }
            _ => (u64::from(u32_at(0)) * CHUNK as u64, u32_at(4)),
        };
        let length = length as usize;
        let inside = offset.checked_add(length as u64).is_some_and(|end| end <= self.image);
        // Within one chunk, so that a receiver needs to look at one place only.
        let apart = offset % CHUNK as u64 + length as u64 > CHUNK as u64;
        if length == 0 || !inside || apart {
            return Err(Broken::Malformed("bytes beyond the image or the chunk"));
        }
        Ok(Record { offset, length })
    }
}
