//! Why did a migration end early? Each reason, and the fault that it is.

use std::io;

use load_core::protocol::Fault;
use load_report::fault::FaultKind;
use load_wire::dwcp::Broken;
use load_wire::dwcp::message::code;

/// The fault's code when the two hashes differ; smaller ones are the protocol's.
pub(super) const DATA_LOSS: u32 = 100;

/// Why it ended.
#[derive(Debug)]
pub(super) enum Fail {
    /// A connection is no more.
    Lost(io::Error),
    /// There is none.
    NoConnection(String),
    /// What came is wrong.
    Broken(Broken),
    /// What came is right and was not due.
    Turn(&'static str),
    /// The target refused a connection.
    Refused(u16, String),
    /// The target gave up.
    Aborted(u16, String),
    /// The VM dirties its pages faster than they are copied.
    NotConverged(String),
    /// What arrived is not what was sent.
    DataLoss(String),
}

impl From<Broken> for Fail {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

impl Fail {
    /// The stream goes on, and the target can be asked to undo the migration.
    pub(super) fn can_be_undone(&self) -> bool {
        matches!(self, Self::Aborted(..) | Self::NotConverged(_) | Self::DataLoss(_))
    }

    pub(super) fn is_cancelled(&self) -> bool {
        matches!(self, Self::Aborted(code::CANCELLED, _))
    }

    /// The fault, before which `noted` is said.
    pub(super) fn fault(&self, undone: bool) -> (Fault, String) {
        let (kind, code, note) = match self {
            Self::Lost(error) => {
                let fault = Fault::io(error);
                (fault.kind, fault.code, format!("the connection was lost: {error}"))
            }
            Self::NoConnection(why) => (FaultKind::Connect, 0, why.clone()),
            Self::Broken(broken) => (FaultKind::Malformed, 0, broken.to_string()),
            Self::Turn(what) => (FaultKind::Malformed, u32::from(code::TURN), (*what).to_owned()),
            Self::Refused(code, why) => (FaultKind::Rejected, (*code).into(), format!("refused: {why}")),
            Self::Aborted(code, why) => {
                (FaultKind::Rejected, (*code).into(), format!("given up by the target: {why}"))
            }
            Self::NotConverged(why) => (FaultKind::Wrong, code::NOT_CONVERGED.into(), why.clone()),
            Self::DataLoss(why) => (FaultKind::Wrong, DATA_LOSS, why.clone()),
        };
        (Fault { ends_session: !undone, ..Fault::answered(kind, code) }, note)
    }
}
