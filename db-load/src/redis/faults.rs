//! What does an error of Redis mean? A kind of fault, and a sentence.

use std::io;

use load_core::protocol::{Fault, Probe};
use load_net::tls;
use load_report::fault::FaultKind;

use super::wire::Failure;

/// In one line what was wrong.
pub fn explain(failure: &Failure) -> String {
    match failure {
        Failure::Io(error) => error.to_string(),
        Failure::Tls(error) => tls::explain(error),
        Failure::Closed => "the server closed the connection".to_owned(),
        Failure::Malformed(why) => (*why).to_owned(),
        Failure::Refused(why) => why.clone(),
    }
}

/// [`explain`], for a server that has never answered: it may be something else.
pub fn explain_first(failure: &Failure) -> String {
    let is_reset = |error: &io::Error| error.kind() == io::ErrorKind::ConnectionReset;
    let strange = match failure {
        Failure::Closed | Failure::Malformed(_) => true,
        Failure::Io(error) => is_reset(error),
        Failure::Tls(_) | Failure::Refused(_) => false,
    };
    format!("{}{}", explain(failure), if strange { "; is it a Redis server?" } else { "" })
}

/// The fault of a connection that is of no more use.
#[cold]
pub fn lost(failure: &Failure, probe: &mut Probe<'_>) -> Fault {
    probe.note(explain(failure));
    match failure {
        Failure::Io(error) => Fault::io(error),
        Failure::Tls(_) => Fault::fatal(FaultKind::Tls),
        Failure::Closed => Fault::fatal(FaultKind::Closed),
        Failure::Malformed(_) => Fault::fatal(FaultKind::Malformed),
        Failure::Refused(_) => Fault::fatal(FaultKind::Rejected),
    }
}

/// The fault of a command that the server refused; the session goes on.
#[cold]
pub fn refused(error: &[u8], probe: &mut Probe<'_>) -> Fault {
    probe.note(String::from_utf8_lossy(error));
    Fault::answered(FaultKind::Rejected, 0)
}
