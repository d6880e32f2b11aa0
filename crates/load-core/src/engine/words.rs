//! What do conductor and workers say to each other?

use crate::clock::Nanos;

/// What workers are told. Only the last word may reach them, so it says all that the words before it said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Connect, and wait.
    Prepare,
    /// Time zero is at this instant.
    Go(Nanos),
    /// Begin nothing new, let calls in flight end. Time zero is at this instant.
    Stop(Nanos),
    /// Leave at once. Time zero is at this instant, if there was one.
    Abandon(Option<Nanos>),
}

impl Command {
    /// Time zero, when there is one.
    pub fn t0(self) -> Option<Nanos> {
        match self {
            Self::Prepare => None,
            Self::Go(t0) | Self::Stop(t0) => Some(t0),
            Self::Abandon(t0) => t0,
        }
    }
}

/// What a worker says.
#[derive(Debug)]
pub enum Message {
    /// The lanes that start at time zero have tried to connect.
    Ready(Ready),
    /// A journal entry: a frame.
    Entry(Vec<u8>),
    /// All is done; the last frame has been sent.
    Done {
        /// Which worker.
        worker: u32,
        /// When the last call ended, ns since time zero.
        end_ns: i64,
    },
    /// The worker is gone without having said that it is done.
    Lost {
        /// Which worker.
        worker: u32,
        /// What happened.
        why: String,
    },
}

/// How connecting went.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Ready {
    /// Lanes that are connected, or need not be yet.
    pub connected: u64,
    /// Lanes that are not.
    pub failed: u64,
    /// What the first of them met.
    pub fault: Option<String>,
}
