//! How far is a migration? Pages, marks behind them, what has arrived, and what it came to: the payloads, to the byte.

use super::Broken;
use super::fields::Fields;

/// Which pages follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Data {
    /// Number of the chunk.
    pub chunk: u32,
    /// The round, from 1.
    pub round: u16,
    /// Its pages that are meant.
    pub pages: u64,
    /// Of these, those that are all zeros.
    pub zeros: u64,
}

impl Data {
    /// Bytes before the HDE frame.
    pub const LEN: usize = 24;

    /// As bytes.
    pub fn bytes(self) -> [u8; Self::LEN] {
        let mut out = [0; Self::LEN];
        out[..4].copy_from_slice(&self.chunk.to_be_bytes());
        out[4..6].copy_from_slice(&self.round.to_be_bytes());
        out[8..16].copy_from_slice(&self.pages.to_be_bytes());
        out[16..].copy_from_slice(&self.zeros.to_be_bytes());
        out
    }

    /// Pages that have bytes.
    pub fn full(self) -> u64 {
        self.pages & !self.zeros
    }

    /// Takes it off a payload; the HDE frame is the rest.
    ///
    /// # Errors
    /// What is not as it must be.
    pub fn read(payload: &[u8]) -> Result<(Self, &[u8]), Broken> {
        let mut fields = Fields(payload);
        let (chunk, round) = (fields.u32()?, fields.u16()?);
        fields.zero::<2>()?;
        let data = Self { chunk, round, pages: fields.u64()?, zeros: fields.u64()? };
        if data.zeros & !data.pages != 0 || data.pages == 0 {
            return Err(Broken::Malformed("zero pages that are not meant, or none at all"));
        }
        Ok((data, fields.0))
    }
}

/// The end of a round on one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The round.
    pub round: u16,
    /// Bytes of pages written over raw streams in this migration.
    pub bytes: u64,
}

impl Mark {
    /// As bytes.
    pub fn bytes(self) -> [u8; 12] {
        let mut out = [0; 12];
        out[..2].copy_from_slice(&self.round.to_be_bytes());
        out[4..].copy_from_slice(&self.bytes.to_be_bytes());
        out
    }

    /// From bytes.
    ///
    /// # Errors
    /// What is not as it must be.
    pub fn read(payload: &[u8]) -> Result<Self, Broken> {
        let mut fields = Fields(payload);
        let round = fields.u16()?;
        fields.zero::<2>()?;
        let mark = Self { round, bytes: fields.u64()? };
        fields.end().map(|()| mark)
    }
}

/// What is in the image, and how much more may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ack {
    /// All frames of this connection before it are in the image.
    pub next: u32,
    /// Bytes of DATA payloads that the connection may carry in all.
    pub credit: u64,
}

impl Ack {
    /// As bytes.
    pub fn bytes(self) -> [u8; 12] {
        let mut out = [0; 12];
        out[..4].copy_from_slice(&self.next.to_be_bytes());
        out[4..].copy_from_slice(&self.credit.to_be_bytes());
        out
    }

    /// From bytes.
    ///
    /// # Errors
    /// What is not as it must be.
    pub fn read(payload: &[u8]) -> Result<Self, Broken> {
        let mut fields = Fields(payload);
        let ack = Self { next: fields.u32()?, credit: fields.u64()? };
        fields.end().map(|()| ack)
    }
}

/// What the whole image came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Its bytes.
    pub bytes: u64,
    /// XXH3-128 of them.
    pub hash: u128,
}

impl Verified {
    /// As bytes.
    pub fn bytes(self) -> [u8; 24] {
        let mut out = [0; 24];
        out[..8].copy_from_slice(&self.bytes.to_be_bytes());
        out[8..].copy_from_slice(&self.hash.to_be_bytes());
        out
    }

    /// From bytes.
    ///
    /// # Errors
    /// What is not as it must be.
    pub fn read(payload: &[u8]) -> Result<Self, Broken> {
        let mut fields = Fields(payload);
        let verified = Self { bytes: fields.u64()?, hash: u128::from_be_bytes(fields.take()?) };
        fields.end().map(|()| verified)
    }
}
