//! What does a frame say? The payload of each type as a value, written and read to the byte.

use super::fields::Fields;
use super::{Broken, CHUNK_PAGES, PAGE, VERSION};

pub use super::progress::{Ack, Data, Mark, Verified};

/// Longest name of a VM and longest reason, bytes.
const MOST_NAME: usize = 128;
const MOST_REASON: usize = 256;

/// What both sides can do, by bit.
pub mod feature {
    /// LZ4.
    pub const LZ4: u32 = 1;
    /// zstd at both levels.
    pub const ZSTD: u32 = 1 << 1;
    /// Differences from the target's copy.
    pub const DELTA: u32 = 1 << 2;
    /// The raw framing AMST.
    pub const AMST: u32 = 1 << 3;
    /// The raw framing of the adapter.
    pub const ADAPTER: u32 = 1 << 4;
    /// The raw framing of the SDK.
    pub const SDK: u32 = 1 << 5;
    /// All that this crate knows.
    pub const ALL: u32 = LZ4 | ZSTD | DELTA | AMST | ADAPTER | SDK;
}

/// Why something is refused or given up.
pub mod code {
    /// No version in common.
    pub const VERSION: u16 = 1;
    /// A feature that was not agreed upon.
    pub const FEATURES: u16 = 2;
    /// The image is too large.
    pub const TOO_LARGE: u16 = 3;
    /// Too many sessions.
    pub const SESSIONS: u16 = 4;
    /// A frame out of turn.
    pub const TURN: u16 = 5;
    /// A malformed frame.
    pub const MALFORMED: u16 = 6;
    /// Somebody wanted it to end.
    pub const CANCELLED: u16 = 7;
    /// The VM dirties its pages faster than they are copied.
    pub const NOT_CONVERGED: u16 = 8;
    /// Something else, on the side that says so.
    pub const FAULT: u16 = 9;
}

/// The phases, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
#[expect(missing_docs, reason = "docs/dwcp.md says what each is")]
pub enum Phase {
    Initialization = 1,
    Prefetch = 2,
    PreCopy = 3,
    Convergence = 4,
    StopAndCopy = 5,
    PostCopy = 6,
    Verification = 7,
    Cleanup = 8,
    Complete = 9,
}

impl Phase {
    /// All, in their order.
    pub const ALL: [Self; 9] = [
        Self::Initialization,
        Self::Prefetch,
        Self::PreCopy,
        Self::Convergence,
        Self::StopAndCopy,
        Self::PostCopy,
        Self::Verification,
        Self::Cleanup,
        Self::Complete,
    ];

    fn of(byte: u8) -> Result<Self, Broken> {
        let at = usize::from(byte).checked_sub(1).and_then(|at| Self::ALL.get(at));
        at.copied().ok_or(Broken::Malformed("an unknown phase"))
    }
}

/// How the pages of a migration are framed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Framing {
    /// DATA frames.
    #[default]
    V3 = 0,
    /// The original's AMST chunks.
    Amst = 1,
    /// The original's records with offsets.
    Adapter = 2,
    /// The frames of the original's SDKs.
    Sdk = 3,
}

impl Framing {
    const ALL: [Self; 4] = [Self::V3, Self::Amst, Self::Adapter, Self::Sdk];

    /// The feature that it needs; 0 is none.
    pub fn feature(self) -> u32 {
        [0, feature::AMST, feature::ADAPTER, feature::SDK][self as usize]
    }
}

/// A source introduces itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Lowest and highest version that it knows.
    pub versions: (u8, u8),
    /// Which stream this connection is.
    pub stream: u16,
    /// Of how many.
    pub streams: u16,
    /// What it can do.
    pub features: u32,
    /// Names the session.
    pub session: [u8; 16],
}

impl Hello {
    /// As bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = vec![self.versions.0, self.versions.1];
        out.extend(self.stream.to_be_bytes());
        out.extend(self.streams.to_be_bytes());
        out.extend([0; 2]);
        out.extend(self.features.to_be_bytes());
        out.extend(self.session);
        out
    }

    /// From bytes.
    ///
    /// # Errors
    /// What is not as it must be.
    pub fn read(payload: &[u8]) -> Result<Self, Broken> {
        let mut fields = Fields(payload);
        let versions = (fields.u8()?, fields.u8()?);
        let (stream, streams) = (fields.u16()?, fields.u16()?);
        fields.zero::<2>()?;
        let hello = Self { versions, stream, streams, features: fields.u32()?, session: fields.take()? };
        fields.end()?;
        if stream < streams { Ok(hello) } else { Err(Broken::Malformed("a stream beyond their number")) }
    }
}

/// A target agrees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// What both can do.
    pub features: u32,
    /// The first credit, bytes.
    pub credit: u64,
    /// Largest payload, bytes.
    pub payload: u32,
}

impl Welcome {
    /// As bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = vec![VERSION, 0, 0, 0];
        out.extend(self.features.to_be_bytes());
        out.extend(self.credit.to_be_bytes());
        out.extend(self.payload.to_be_bytes());
        out
    }

    /// From bytes.
    ///
    /// # Errors
    /// What is not as it must be.
    pub fn read(payload: &[u8]) -> Result<Self, Broken> {
        let mut fields = Fields(payload);
        if fields.u8()? != VERSION {
            return Err(Broken::Malformed("a version that was not offered"));
        }
        fields.zero::<3>()?;
        let welcome = Self { features: fields.u32()?, credit: fields.u64()?, payload: fields.u32()? };
        fields.end().map(|()| welcome)
    }
}

/// Something is refused or given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reason<'a> {
    /// Of [`code`].
    pub code: u16,
    /// For people.
    pub text: &'a str,
}

impl<'a> Reason<'a> {
    /// As bytes; a long text is cut.
    pub fn bytes(&self) -> Vec<u8> {
        let mut end = self.text.len().min(MOST_REASON);
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let mut out = self.code.to_be_bytes().to_vec();
        out.extend(&self.text.as_bytes()[..end]);
        out
    }

    /// From bytes.
    ///
    /// # Errors
    /// What is not as it must be.
    pub fn read(payload: &'a [u8]) -> Result<Self, Broken> {
        let mut fields = Fields(payload);
        Ok(Self { code: fields.u16()?, text: fields.text(MOST_REASON)? })
    }
}

/// A migration begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Init<'a> {
    /// Names the migration.
    pub migration: [u8; 16],
    /// Bytes of the image, in whole pages.
    pub bytes: u64,
    /// 0 datacenter, 1 internet, 2 hybrid.
    pub mode: u8,
    /// How its pages come.
    pub framing: Framing,
    /// The VM.
    pub vm: &'a str,
}

impl<'a> Init<'a> {
    /// As bytes; the name must have at most 128.
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = self.migration.to_vec();
        out.extend(self.bytes.to_be_bytes());
        out.extend((PAGE as u32).to_be_bytes());
        out.extend((CHUNK_PAGES as u16).to_be_bytes());
        out.extend([self.mode, self.framing as u8]);
        out.extend(self.vm.as_bytes());
        out
    }

    /// From bytes.
    ///
    /// # Errors
    /// What is not as it must be.
    pub fn read(payload: &'a [u8]) -> Result<Self, Broken> {
        let mut fields = Fields(payload);
        let (migration, bytes) = (fields.take()?, fields.u64()?);
        let (page, pages, mode) = (fields.u32()?, fields.u16()?, fields.u8()?);
        let framing = Framing::ALL.get(usize::from(fields.u8()?)).copied();
        let framing = framing.ok_or(Broken::Malformed("an unknown framing"))?;
        let vm = fields.text(MOST_NAME)?;
        if page as usize != PAGE || usize::from(pages) != CHUNK_PAGES {
            return Err(Broken::Malformed("other pages or chunks than 4,096 bytes and 64 pages"));
        }
        if bytes == 0 || bytes % PAGE as u64 != 0 || mode > 2 || vm.is_empty() {
            return Err(Broken::Malformed("no such image"));
        }
        Ok(Self { migration, bytes, mode, framing, vm })
    }
}

/// A phase begins, or the target has come as far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The phase.
    pub phase: Phase,
    /// The round, from 1; 0 where there are none.
    pub round: u16,
}

impl Step {
    /// As the payload of PHASE.
    pub fn bytes(self) -> [u8; 4] {
        let [high, low] = self.round.to_be_bytes();
        [self.phase as u8, 0, high, low]
    }

    /// As the payload of DONE.
    pub fn done(self, value: u64) -> [u8; 12] {
        let mut out = [0; 12];
        out[..4].copy_from_slice(&self.bytes());
        out[4..].copy_from_slice(&value.to_be_bytes());
        out
    }

    /// From the payload of PHASE.
    ///
    /// # Errors
    /// What is not as it must be.
    pub fn read(payload: &[u8]) -> Result<Self, Broken> {
        let mut fields = Fields(payload);
        let step = Self::take(&mut fields)?;
        fields.end().map(|()| step)
    }

    /// From the payload of DONE, with its value.
    ///
    /// # Errors
    /// What is not as it must be.
    pub fn read_done(payload: &[u8]) -> Result<(Self, u64), Broken> {
        let mut fields = Fields(payload);
        let done = (Self::take(&mut fields)?, fields.u64()?);
        fields.end().map(|()| done)
    }

    fn take(fields: &mut Fields<'_>) -> Result<Self, Broken> {
        let phase = Phase::of(fields.u8()?)?;
        fields.zero::<1>()?;
        Ok(Self { phase, round: fields.u16()? })
    }
}
