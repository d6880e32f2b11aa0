//! How does a message travel? Behind five bytes: whether it is compressed, and its length.

use std::io::{Read as _, Write as _};

use bytes::Bytes;
use flate2::Compression;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;

/// Bytes before a message.
const PREFIX: usize = 5;
/// A large answer must not keep its memory for the whole run.
const KEEP: usize = 1 << 20;

/// Appends `message` with its prefix to `out`.
///
/// # Errors
/// It has more bytes than 32 bits can say.
pub fn append(message: &[u8], gzip: bool, out: &mut Vec<u8>) -> Result<(), String> {
    let start = out.len();
    out.extend([u8::from(gzip), 0, 0, 0, 0]);
    if gzip {
        let mut encoder = GzEncoder::new(&mut *out, Compression::default());
        // Writing to memory does not fail.
        encoder.write_all(message).and_then(|()| encoder.try_finish()).map_err(|error| error.to_string())?;
    } else {
        out.extend_from_slice(message);
    }
    let length = u32::try_from(out.len() - start - PREFIX)
        .map_err(|_| format!("a message of {} bytes; gRPC allows 4 GiB", message.len()))?;
    out[start + 1..start + PREFIX].copy_from_slice(&length.to_be_bytes());
    Ok(())
}

/// `message` with its prefix.
///
/// # Errors
/// It has more bytes than 32 bits can say.
pub fn frame(message: &[u8]) -> Result<Bytes, String> {
    let mut framed = Vec::with_capacity(PREFIX + message.len());
    append(message, false, &mut framed)?;
    Ok(framed.into())
}

/// What is wrong with the bytes of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The flag says compressed, which nobody asked for, or says nothing known.
    #[error("the message is compressed, which was not asked for (flag {0})")]
    Flag(u8),
    /// What should be gzip is not.
    #[error("the message is compressed, but not with gzip")]
    Gzip,
    /// The message is longer than allowed.
    #[error("a message of {length} bytes; --max-message allows {most}")]
    TooLarge {
        /// As the prefix says, or so far as it was decompressed.
        length: u64,
        /// The limit.
        most: u64,
    },
    /// Something follows the message.
    #[error("more than one message in an answer that has one")]
    Second,
    /// The end came within the message or its prefix.
    #[error("the answer ended {missing} bytes before the end of its message")]
    Short {
        /// At least so many are missing.
        missing: u64,
    },
}

/// Puts messages together from the pieces in which they come.
#[derive(Debug)]
pub struct Frames {
    /// What has come; everything before `at` was given out.
    pending: Vec<u8>,
    at: usize,
    /// The last message that was decompressed.
    plain: Vec<u8>,
    /// Compressed messages are in order.
    gzip: bool,
    most: u64,
}

impl Frames {
    /// For messages of at most `most` bytes.
    pub fn new(most: u64) -> Self {
        Self { pending: Vec::new(), at: 0, plain: Vec::new(), gzip: false, most }
    }

    /// Begins anew, for messages of at most `most` bytes, which `gzip` may compress.
    #[inline]
    pub fn begin(&mut self, most: u64, gzip: bool) {
        self.pending.clear();
        self.pending.shrink_to(KEEP);
        self.plain.shrink_to(KEEP);
        self.at = 0;
        self.most = most;
        self.gzip = gzip;
    }

    /// Takes the next piece.
    #[inline]
    pub fn feed(&mut self, piece: &[u8]) {
        if self.at > 0 {
            self.pending.drain(..self.at);
            self.at = 0;
        }
        self.pending.extend_from_slice(piece);
    }

    /// The next message, once it is whole.
    ///
    /// # Errors
    /// What has come cannot be the beginning of a message of the allowed length.
    #[inline]
    pub fn take(&mut self) -> Result<Option<&[u8]>, Broken> {
        let Some((compressed, length)) = self.prefix()? else { return Ok(None) };
        let begin = self.at + PREFIX;
        if self.pending.len() - begin < length {
            return Ok(None);
        }
        self.at = begin + length;
        if compressed {
            return self.inflate(begin).map(Some);
        }
        Ok(Some(&self.pending[begin..self.at]))
    }

    /// Whether what has come can be one message, or a part of it.
    ///
    /// # Errors
    /// It cannot.
    #[inline]
    pub fn is_single(&self) -> Result<(), Broken> {
        match self.prefix()? {
            Some((_, length)) if self.pending.len() - self.at - PREFIX > length => Err(Broken::Second),
            _ => Ok(()),
        }
    }

    /// The only message, when the answer has ended; none when nothing came.
    ///
    /// # Errors
    /// It is not whole, or something follows it.
    #[inline]
    pub fn only(&mut self) -> Result<Option<&[u8]>, Broken> {
        self.is_single()?;
        if self.pending.is_empty() {
            return Ok(None);
        }
        self.whole()?;
        self.take()
    }

    /// That the answer may end here.
    ///
    /// # Errors
    /// It would end within a message.
    pub fn end(&self) -> Result<(), Broken> {
        if self.at == self.pending.len() { Ok(()) } else { self.whole() }
    }

    fn whole(&self) -> Result<(), Broken> {
        let have = self.pending.len() - self.at;
        let needed = self.prefix()?.map_or(PREFIX, |(_, length)| PREFIX + length);
        if have >= needed { Ok(()) } else { Err(Broken::Short { missing: (needed - have) as u64 }) }
    }

    /// Whether the next message is compressed, and its length.
    #[inline]
    fn prefix(&self) -> Result<Option<(bool, usize)>, Broken> {
        let Some(&[flag, a, b, c, d]) = self.pending[self.at..].first_chunk() else { return Ok(None) };
        let length = u32::from_be_bytes([a, b, c, d]);
        if flag > u8::from(self.gzip) {
            return Err(Broken::Flag(flag));
        }
        if u64::from(length) > self.most {
            return Err(Broken::TooLarge { length: length.into(), most: self.most });
        }
        Ok(Some((flag == 1, length as usize)))
    }

    #[cold]
    fn inflate(&mut self, begin: usize) -> Result<&[u8], Broken> {
        self.plain.clear();
        let decoder = MultiGzDecoder::new(&self.pending[begin..self.at]);
        let read = decoder.take(self.most.saturating_add(1)).read_to_end(&mut self.plain);
        let length = read.map_err(|_| Broken::Gzip)? as u64;
        if length > self.most {
            return Err(Broken::TooLarge { length, most: self.most });
        }
        Ok(&self.plain)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// All messages in `pieces`.
    fn all(pieces: &[&[u8]], most: u64, gzip: bool) -> Result<Vec<Vec<u8>>, Broken> {
        let (mut frames, mut messages) = (Frames::new(0), Vec::new());
        frames.begin(most, gzip);
        for piece in pieces {
            frames.feed(piece);
            while let Some(message) = frames.take()? {
                messages.push(message.to_vec());
            }
        }
        frames.end().map(|()| messages)
    }

    /// The one message in `pieces`.
    fn one(pieces: &[&[u8]], most: u64) -> Result<Option<Vec<u8>>, Broken> {
        let mut frames = Frames::new(most);
        for piece in pieces {
            frames.feed(piece);
            frames.is_single()?;
        }
        frames.only().map(|message| message.map(<[u8]>::to_vec))
    }

    proptest! {
        #[test]
        fn any_split_gives_the_messages_back(
            messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 1..5),
            cuts in prop::collection::vec(0_usize..300, 0..12),
            cut_off in 0_usize..300,
            gzip in any::<bool>(),
        ) {
            let mut framed = Vec::new();
            for message in &messages {
                append(message, gzip, &mut framed).unwrap();
            }
            let end = framed.len();
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(end)).chain([0, end]).collect();
            cuts.sort_unstable();
            let pieces: Vec<_> = cuts.windows(2).map(|pair| &framed[pair[0]..pair[1]]).collect();
            prop_assert_eq!(all(&pieces, 200, gzip), Ok(messages.clone()));
            if !gzip {
                let only = (messages.len() == 1).then(|| messages[0].clone());
                prop_assert_eq!(one(&pieces, 200), only.map(Some).ok_or(Broken::Second));
            }
            // The end is missed wherever it is cut off.
            let cut_off = cut_off.min(end - 1);
            let shorter: Vec<_> = cuts.windows(2).map(|p| &framed[p[0].min(cut_off)..p[1].min(cut_off)]).collect();
            let whole = all(&shorter, 200, gzip);
            let missed = match whole {
                Err(error) => matches!(error, Broken::Short { .. }),
                Ok(whole) => whole.len() < messages.len(),
            };
            prop_assert!(missed);
        }
    }

    #[test]
    fn what_cannot_be_is_refused_as_soon_as_it_is_known() {
        assert_eq!(one(&[], 9), Ok(None));
        assert_eq!(one(&[b"\x01\0\0\0\0"], 9), Err(Broken::Flag(1)));
        assert_eq!(one(&[b"\0\0\0\0\x0a"], 9), Err(Broken::TooLarge { length: 10, most: 9 }));
        assert_eq!(one(&[b"\0\0\0\0\0"], 0), Ok(Some(Vec::new())));
        assert_eq!(one(&[b"\0\0\0"], 9), Err(Broken::Short { missing: 2 }));
        assert_eq!(one(&[b"\0\0\0\0\x02a"], 9), Err(Broken::Short { missing: 1 }));
        assert_eq!(one(&[b"\0\0\0\0\x01ab"], 9), Err(Broken::Second));
    }

    #[test]
    fn a_compressed_message_is_bounded_by_what_it_becomes() {
        let mut bomb = Vec::new();
        append(&[0; 5_000], true, &mut bomb).unwrap();
        assert!(bomb.len() < 100);
        assert_eq!(all(&[&bomb], 4_000, true), Err(Broken::TooLarge { length: 4_001, most: 4_000 }));
        assert_eq!(all(&[&bomb], 5_000, true).unwrap()[0].len(), 5_000);
        assert_eq!(all(&[b"\x01\0\0\0\x02ab"], 9, true), Err(Broken::Gzip));
        assert_eq!(all(&[b"\x02\0\0\0\x02ab"], 9, true), Err(Broken::Flag(2)));
    }
}
