//! How are pages written? The original's HDE frame, and what is in it: as they are, LZ4, zstd, or as a difference.

use super::{Broken, CHUNK};

/// How bytes are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Algorithm {
    /// As they are.
    #[default]
    None = 0,
    /// One LZ4 block.
    Lz4 = 1,
    /// zstd, level 3.
    Zstd = 2,
    /// zstd, level 19.
    ZstdMax = 3,
}

impl Algorithm {
    const ALL: [Self; 4] = [Self::None, Self::Lz4, Self::Zstd, Self::ZstdMax];

    fn level(self) -> i32 {
        if self == Self::ZstdMax { 19 } else { 3 }
    }
}

/// What is said about the bytes behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// They are to be combined by XOR with what the receiver has.
    pub delta: bool,
    /// How they are written.
    pub algorithm: Algorithm,
    /// The mode of the migration: 0 datacenter, 1 internet, 2 hybrid.
    pub mode: u8,
    /// Bytes that come out.
    pub original: u32,
    /// Bytes that are here.
    pub size: u32,
}

impl Header {
    /// Bytes of a header.
    pub const LEN: usize = 12;

    /// As bytes.
    pub fn bytes(self) -> [u8; Self::LEN] {
        let mut bytes =
            [super::VERSION, self.delta.into(), self.algorithm as u8, self.mode, 0, 0, 0, 0, 0, 0, 0, 0];
        bytes[4..8].copy_from_slice(&self.original.to_be_bytes());
        bytes[8..].copy_from_slice(&self.size.to_be_bytes());
        bytes
    }

    /// Takes a header off `payload`, all of whose rest it must be about.
    ///
    /// # Errors
    /// A field that is not as it must be.
    pub fn read(payload: &[u8]) -> Result<(Self, &[u8]), Broken> {
        const SHORT: Broken = Broken::Malformed("no HDE header");
        let (&[version, delta, algorithm, mode], rest) = payload.split_first_chunk().ok_or(SHORT)?;
        let (original, rest) = rest.split_first_chunk().ok_or(SHORT)?;
        let (size, rest) = rest.split_first_chunk().ok_or(SHORT)?;
        let algorithm = Algorithm::ALL.get(usize::from(algorithm)).copied();
        let header = Self {
            delta: delta == 1,
            algorithm: algorithm.ok_or(Broken::Malformed("an unknown algorithm"))?,
            mode,
            original: u32::from_be_bytes(*original),
            size: u32::from_be_bytes(*size),
        };
        let wrong = [
            (version != super::VERSION, "another version of HDE"),
            (delta > 1, "neither delta nor whole"),
            (mode > 2, "an unknown mode"),
            (header.size as usize != rest.len(), "a size that is not that of the payload"),
            (header.original as usize > CHUNK, "more than a chunk"),
            (
                header.algorithm == Algorithm::None && header.original != header.size,
                "two sizes of what is not compressed",
            ),
        ];
        match wrong.iter().find(|(is, _)| *is) {
            Some((_, why)) => Err(Broken::Malformed(why)),
            None => Ok((header, rest)),
        }
    }
}

/// Compresses one piece after another, and keeps what the compressors need.
#[derive(Default)]
pub struct Packer {
    zstd: Option<(Algorithm, zstd::bulk::Compressor<'static>)>,
}

impl Packer {
    /// Writes `raw` into `out`, in place of what that held. What says how: compressed, or as it is where that is no longer.
    pub fn pack(&mut self, algorithm: Algorithm, raw: &[u8], out: &mut Vec<u8>) -> Algorithm {
        out.clear();
        let shorter = match algorithm {
            Algorithm::None => None,
            Algorithm::Lz4 => {
                out.resize(lz4_flex::block::get_maximum_output_size(raw.len()), 0);
                lz4_flex::block::compress_into(raw, out).ok()
            }
            Algorithm::Zstd | Algorithm::ZstdMax => {
                out.resize(zstd::zstd_safe::compress_bound(raw.len()), 0);
                self.zstd(algorithm).and_then(|zstd| zstd.compress_to_buffer(raw, &mut out[..]).ok())
            }
        };
        if let Some(size) = shorter.filter(|size| *size < raw.len()) {
            out.truncate(size);
            return algorithm;
        }
        out.clear();
        out.extend_from_slice(raw);
        Algorithm::None
    }

    fn zstd(&mut self, algorithm: Algorithm) -> Option<&mut zstd::bulk::Compressor<'static>> {
        if self.zstd.as_ref().is_none_or(|(of, _)| *of != algorithm) {
            self.zstd = Some((algorithm, zstd::bulk::Compressor::new(algorithm.level()).ok()?));
        }
        self.zstd.as_mut().map(|(_, zstd)| zstd)
    }
}

/// Decompresses one piece after another, and keeps what that needs.
#[derive(Default)]
pub struct Unpacker {
    zstd: Option<zstd::bulk::Decompressor<'static>>,
}

impl Unpacker {
    /// Writes what `data` says into `out`, which it must fill. Nothing is allocated by a size that `data` claims.
    ///
    /// # Errors
    /// It is not what `algorithm` writes, or another amount.
    pub fn unpack(&mut self, algorithm: Algorithm, data: &[u8], out: &mut [u8]) -> Result<(), Broken> {
        const WRONG: Broken = Broken::Malformed("bytes that cannot be decompressed");
        let length = match algorithm {
            Algorithm::None if data.len() == out.len() => {
                out.copy_from_slice(data);
                data.len()
            }
            Algorithm::None => return Err(WRONG),
            Algorithm::Lz4 => lz4_flex::block::decompress_into(data, out).map_err(|_| WRONG)?,
            Algorithm::Zstd | Algorithm::ZstdMax => {
                if self.zstd.is_none() {
                    self.zstd = Some(zstd::bulk::Decompressor::new().map_err(|_| WRONG)?);
                }
                let zstd = self.zstd.as_mut().ok_or(WRONG)?;
                zstd.decompress_to_buffer(data, out).map_err(|_| WRONG)?
            }
        };
        if length == out.len() { Ok(()) } else { Err(Broken::Malformed("another amount than was announced")) }
    }
}

/// Makes `new` the difference between it and `old`, or what is new of a difference again. The two are of one length.
pub fn xor(new: &mut [u8], old: &[u8]) {
    for (new, old) in new.iter_mut().zip(old) {
        *new ^= old;
    }
}
