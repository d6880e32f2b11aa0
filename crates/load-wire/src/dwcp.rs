//! What passes between source and target of a migration? DWCP v3's data plane, as `docs/dwcp.md` specifies it.
//!
//! | question | module |
//! |---|---|
//! | Where does a frame begin and end, and is it the right one? | [`frame`] |
//! | What does a frame say? | [`message`] |
//! | How are pages written? | [`hde`] |
//! | What do the original's TCP formats look like? | [`raw`] |

mod fields;
pub mod frame;
pub mod hde;
pub mod message;
mod progress;
pub mod raw;

/// The version of the protocol.
pub const VERSION: u8 = 3;
/// Bytes of a page.
pub const PAGE: usize = 4096;
/// Pages of a chunk: as many as a bitmap has bits.
pub const CHUNK_PAGES: usize = 64;
/// Bytes of a chunk.
pub const CHUNK: usize = PAGE * CHUNK_PAGES;
/// Largest payload that a target takes: a chunk with what is said about it.
pub const TO_TARGET: usize = CHUNK + message::Data::LEN + hde::Header::LEN;
/// Largest payload that a source takes.
pub const TO_SOURCE: usize = 512;

/// What is wrong with bytes that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The frame does not begin as one.
    #[error("no frame of DWCP v3")]
    Magic,
    /// The checksum of the header is wrong.
    #[error("a frame's header is corrupted")]
    Header,
    /// The checksum of the payload is wrong.
    #[error("a frame's payload is corrupted")]
    Payload,
    /// The type is none that there is, or a flag is set.
    #[error("a frame of an unknown type")]
    Kind,
    /// It belongs to another stream.
    #[error("a frame of another stream")]
    Stream,
    /// Frames were lost, repeated or reordered before it.
    #[error("frame {came} came where {expected} was due")]
    Sequence {
        /// The one that was due.
        expected: u32,
        /// The one that came.
        came: u32,
    },
    /// It is longer than this side allows.
    #[error("a frame with {length} bytes of payload, where {limit} are allowed")]
    TooLong {
        /// What it announces.
        length: u32,
        /// What is allowed.
        limit: u32,
    },
    /// There is something behind the last frame.
    #[error("bytes behind the last frame")]
    AfterEnd,
    /// The bytes end within a frame or before the last one.
    #[error("the connection ended before its last frame")]
    CutOff,
    /// The payload is not what its type says.
    #[error("malformed: {0}")]
    Malformed(&'static str),
}
