//! Where does a chunked body end? The chunked coding of RFC 9112, section 7.1, byte by byte outside of the data.

use load_report::fault::FaultKind;

use crate::http::codec::{Broken, MAX_HEAD};

/// The place in a chunked body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunks {
    place: Place,
    /// Bytes of extensions in this line, or of all trailers.
    extra: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Size { value: u64, digits: u8 },
    Extension { size: u64 },
    SizeLf { size: u64 },
    Data { left: u64 },
    DataCr,
    DataLf,
    TrailerStart,
    Trailer,
    LastLf,
    End,
}

const SIZE: Place = Place::Size { value: 0, digits: 0 };

impl Default for Chunks {
    fn default() -> Self {
        Self { place: SIZE, extra: 0 }
    }
}

impl Chunks {
    /// The last chunk and its trailers have come.
    pub fn ended(&self) -> bool {
        self.place == Place::End
    }

    /// Takes bytes up to the end of the body and gives the data in them to `body`. Returns how many were taken.
    ///
    /// # Errors
    /// A break of the coding, or extensions or trailers beyond [`MAX_HEAD`].
    #[inline]
    pub fn feed(&mut self, bytes: &[u8], body: &mut impl FnMut(&[u8])) -> Result<usize, Broken> {
        let mut at = 0;
        while at < bytes.len() && !self.ended() {
            if let Place::Data { left } = self.place {
                let here = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len() - at);
                body(&bytes[at..at + here]);
                at += here;
                let left = left - here as u64;
                self.place = if left == 0 { Place::DataCr } else { Place::Data { left } };
            } else {
                self.place = self.step(bytes[at])?;
                at += 1;
            }
        }
        Ok(at)
    }

    fn step(&mut self, byte: u8) -> Result<Place, Broken> {
        Ok(match (self.place, byte) {
            (Place::Size { digits: 16, .. }, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                return Err(malformed("a chunk size has more than 16 digits"));
            }
            (Place::Size { value, digits }, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                let digit = char::from(byte).to_digit(16).unwrap_or_default();
                Place::Size { value: value << 4 | u64::from(digit), digits: digits + 1 }
            }
            (Place::Size { value, digits: 1.. }, b'\r') => Place::SizeLf { size: value },
            (Place::Size { value, digits: 1.. }, b';' | b' ' | b'\t') => Place::Extension { size: value },
            (Place::Size { .. }, _) => return Err(malformed("a chunk size is not a hexadecimal number")),
            (Place::Extension { size }, b'\r') => Place::SizeLf { size },
            (Place::Extension { .. }, b'\n') => {
                return Err(malformed("a chunk size ends without a carriage return"));
            }
            (Place::Extension { size }, _) => self.more(Place::Extension { size })?,
            (Place::SizeLf { size: 0 }, b'\n') => self.line(Place::TrailerStart),
            (Place::SizeLf { size }, b'\n') => self.line(Place::Data { left: size }),
            (Place::DataCr, b'\r') => Place::DataLf,
            (Place::DataLf, b'\n') => SIZE,
            (Place::TrailerStart, b'\r') => Place::LastLf,
            (Place::TrailerStart | Place::Trailer, b'\n') => self.more(Place::TrailerStart)?,
            (Place::TrailerStart | Place::Trailer, _) => self.more(Place::Trailer)?,
            (Place::LastLf, b'\n') => Place::End,
            (Place::SizeLf { .. } | Place::LastLf, _) => {
                return Err(malformed("a line feed is missing in a chunk"));
            }
            (Place::DataCr | Place::DataLf, _) => return Err(malformed("a chunk is longer than its size")),
            (Place::Data { .. } | Place::End, _) => self.place,
        })
    }

    fn line(&mut self, next: Place) -> Place {
        self.extra = 0;
        next
    }

    fn more(&mut self, next: Place) -> Result<Place, Broken> {
        self.extra += 1;
        if self.extra > MAX_HEAD {
            return Err(Broken {
                kind: FaultKind::TooLarge,
                what: "chunk extensions or trailers exceed 64 KiB",
            });
        }
        Ok(next)
    }
}

fn malformed(what: &'static str) -> Broken {
    Broken { kind: FaultKind::Malformed, what }
}
