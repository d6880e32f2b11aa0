//! How does a message travel? Behind five bytes: whether it is compressed, and its length.

use bytes::{BufMut as _, Bytes, BytesMut};

/// Bytes before a message.
const PREFIX: usize = 5;

/// `message` with its prefix.
///
/// # Errors
/// It has more bytes than 32 bits can say.
pub fn frame(message: &[u8]) -> Result<Bytes, String> {
    let length = u32::try_from(message.len())
        .map_err(|_| format!("a message of {} bytes; gRPC allows 4 GiB", message.len()))?;
    let mut framed = BytesMut::with_capacity(PREFIX + message.len());
    framed.put_u8(0);
    framed.put_u32(length);
    framed.put_slice(message);
    Ok(framed.freeze())
}

/// What is wrong with the bytes of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The flag says compressed, which nobody asked for, or says nothing known.
    #[error("the message is compressed, which was not asked for (flag {0})")]
    Flag(u8),
    /// The message is longer than allowed.
    #[error("a message of {length} bytes; --max-message allows {most}")]
    TooLarge {
        /// As the prefix says.
        length: u64,
        /// The limit.
        most: u64,
    },
    /// Something follows the message.
    #[error("more than one message in a unary answer")]
    Second,
    /// The end came within the message or its prefix.
    #[error("the answer ended {missing} bytes before the end of its message")]
    Short {
        /// At least so many are missing.
        missing: u64,
    },
}

/// Puts one message together from the pieces in which it comes.
#[derive(Debug)]
pub struct Frames {
    prefix: [u8; PREFIX],
    /// Bytes of the prefix so far.
    have: usize,
    /// Bytes of the message, as the prefix says.
    length: usize,
    message: Vec<u8>,
    most: u64,
}

impl Frames {
    /// For messages of at most `most` bytes.
    pub fn new(most: u64) -> Self {
        Self { prefix: [0; PREFIX], have: 0, length: 0, message: Vec::new(), most }
    }

    /// Begins anew.
    pub fn begin(&mut self) {
        self.have = 0;
        self.length = 0;
        self.message.clear();
    }

    /// Takes the next piece.
    ///
    /// # Errors
    /// It cannot belong to one message of the allowed length.
    pub fn feed(&mut self, mut piece: &[u8]) -> Result<(), Broken> {
        if self.have < PREFIX {
            let taken = piece.len().min(PREFIX - self.have);
            self.prefix[self.have..self.have + taken].copy_from_slice(&piece[..taken]);
            self.have += taken;
            piece = &piece[taken..];
            if self.have < PREFIX {
                return Ok(());
            }
            let [flag, length @ ..] = self.prefix;
            let length = u32::from_be_bytes(length);
            if flag != 0 {
                return Err(Broken::Flag(flag));
            }
            if u64::from(length) > self.most {
                return Err(Broken::TooLarge { length: length.into(), most: self.most });
            }
            self.length = length as usize;
        }
        if piece.len() > self.length - self.message.len() {
            return Err(Broken::Second);
        }
        self.message.extend_from_slice(piece);
        Ok(())
    }

    /// The message, when the answer has ended; none when nothing came.
    ///
    /// # Errors
    /// It is not whole.
    pub fn end(&self) -> Result<Option<&[u8]>, Broken> {
        let missing = if self.have < PREFIX { PREFIX - self.have } else { self.length - self.message.len() };
        match (self.have, missing) {
            (0, _) => Ok(None),
            (PREFIX, 0) => Ok(Some(&self.message)),
            _ => Err(Broken::Short { missing: missing as u64 }),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn whole(pieces: &[&[u8]], most: u64) -> Result<Option<Vec<u8>>, Broken> {
        let mut frames = Frames::new(most);
        frames.begin();
        for piece in pieces {
            frames.feed(piece)?;
        }
        frames.end().map(|message| message.map(<[u8]>::to_vec))
    }

    proptest! {
        #[test]
        fn any_split_gives_the_message_back(
            message in prop::collection::vec(any::<u8>(), 0..200),
            cuts in prop::collection::vec(0_usize..206, 0..12),
            cut_off in 0_usize..206,
        ) {
            let framed = frame(&message).unwrap();
            let end = framed.len();
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(end)).chain([0, end]).collect();
            cuts.sort_unstable();
            let pieces: Vec<_> = cuts.windows(2).map(|pair| &framed[pair[0]..pair[1]]).collect();
            prop_assert_eq!(whole(&pieces, 200), Ok(Some(message)));
            // One byte more is too many, and the end is missed wherever it is cut off.
            let longer: Vec<_> = pieces.iter().copied().chain([&b"x"[..]]).collect();
            prop_assert_eq!(whole(&longer, 200), Err(Broken::Second));
            let cut_off = cut_off.min(end - 1);
            let shorter: Vec<_> = cuts.windows(2).map(|p| &framed[p[0].min(cut_off)..p[1].min(cut_off)]).collect();
            let missed = matches!(whole(&shorter, 200), Err(Broken::Short { .. }));
            prop_assert!(missed || cut_off == 0);
        }
    }

    #[test]
    fn what_cannot_be_is_refused_as_soon_as_it_is_known() {
        assert_eq!(whole(&[], 9), Ok(None));
        assert_eq!(whole(&[b"\x01\0\0\0\0"], 9), Err(Broken::Flag(1)));
        assert_eq!(whole(&[b"\0\0\0\0\x0a"], 9), Err(Broken::TooLarge { length: 10, most: 9 }));
        assert_eq!(whole(&[b"\0\0\0\0\0"], 0), Ok(Some(Vec::new())));
        assert_eq!(whole(&[b"\0\0\0"], 9), Err(Broken::Short { missing: 2 }));
    }

    #[test]
    fn a_second_answer_begins_anew() {
        let mut frames = Frames::new(9);
        for message in [&b"abc"[..], b"", b"defgh"] {
            frames.begin();
            frames.feed(&frame(message).unwrap()).unwrap();
            assert_eq!(frames.end(), Ok(Some(message)));
        }
    }
}
