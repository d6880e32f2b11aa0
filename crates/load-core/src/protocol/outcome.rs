//! How did a call end? As a protocol tells the engine.

use load_report::fault::FaultKind;

/// What a call that ended well was like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Bytes of the request.
    pub sent: u64,
    /// Bytes of the answer.
    pub received: u64,
    /// Messages in the answer, where it may have several.
    pub messages: u32,
    /// The connection cannot serve another call, and that is in order.
    pub ends_session: bool,
    /// The answer is right, but the condition does not hold yet: the same call is to be made again, see [`Poll`](super::Poll).
    pub pending: bool,
}

/// Why a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What kind.
    pub kind: FaultKind,
    /// The protocol's own code; 0 when there is none.
    pub code: u32,
    /// The connection cannot serve another call.
    pub ends_session: bool,
    /// Bytes of the request.
    pub sent: u64,
    /// Bytes of the answer.
    pub received: u64,
}

impl Fault {
    /// A fault after which the connection is of no more use.
    pub fn fatal(kind: FaultKind) -> Self {
        Self { kind, code: 0, ends_session: true, sent: 0, received: 0 }
    }

    /// A fault after which the connection can go on.
    pub fn answered(kind: FaultKind, code: u32) -> Self {
        Self { kind, code, ends_session: false, sent: 0, received: 0 }
    }

    /// The fault behind an I/O error on a connection, or on the way to one.
    pub fn io(error: &std::io::Error) -> Self {
        use std::io::ErrorKind;
        let errno = error.raw_os_error().map_or(0, i32::unsigned_abs);
        let local = [rustix::io::Errno::MFILE, rustix::io::Errno::NFILE, rustix::io::Errno::ADDRNOTAVAIL];
        let kind = match error.kind() {
            _ if local.iter().any(|e| e.raw_os_error().unsigned_abs() == errno) => FaultKind::Local,
            ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted => {
                FaultKind::Reset
            }
            ErrorKind::UnexpectedEof => FaultKind::Closed,
            ErrorKind::InvalidData => FaultKind::Malformed,
            _ => FaultKind::Connect,
        };
        Self { code: errno, ..Self::fatal(kind) }
    }

    /// With the traffic that came before the fault.
    #[must_use]
    pub fn after(self, sent: impl Into<u64>, received: u64) -> Self {
        Self { sent: sent.into(), received, ..self }
    }
}
