//! What does an error of PostgreSQL mean? A kind of fault, and a sentence.

use std::error::Error as _;
use std::io;

use load_core::protocol::{Fault, Probe};
use load_net::tls;
use load_report::fault::FaultKind;
use tokio_postgres::Error;

use super::wire::{Failure, Refusal};

fn kind(error: &Error) -> Fault {
    if let Some(refusal) = error.as_db_error() {
        return Fault::answered(FaultKind::Rejected, number(refusal.code().code()));
    }
    if error.is_closed() {
        return Fault::fatal(FaultKind::Closed);
    }
    // The library has no other way to tell.
    if error.to_string().contains("TLS") {
        return Fault::fatal(FaultKind::Tls);
    }
    match error.source().and_then(|source| source.downcast_ref::<io::Error>()) {
        Some(error) => Fault::io(error),
        None => Fault::fatal(FaultKind::Malformed),
    }
}

/// An SQLSTATE as a number: five digits to the base of 36.
fn number(state: &str) -> u32 {
    u32::from_str_radix(state, 36).unwrap_or(0)
}

/// In one line what was wrong: the server's own words, or the cause of the error.
pub fn explain(error: &Error) -> String {
    if let Some(refusal) = error.as_db_error() {
        return format!("{} (SQLSTATE {})", refusal.message(), refusal.code().code());
    }
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// [`explain`], for a server that has never answered: it may be something else.
pub fn explain_first(error: &Error) -> String {
    let strange = matches!(kind(error).kind, FaultKind::Closed | FaultKind::Malformed | FaultKind::Reset);
    let hint = if strange { "; is it a PostgreSQL server?" } else { "" };
    format!("{}{hint}", explain(error))
}

/// The fault of a statement that the server refused; the session goes on.
#[cold]
pub fn refused(refusal: &Refusal, probe: &mut Probe<'_>) -> Fault {
    probe.note(format_args!("{} (SQLSTATE {})", refusal.message, refusal.state()));
    let kind = match &refusal.code {
        // The server's own limit, or somebody's request.
        b"57014" => FaultKind::Timeout,
        _ => FaultKind::Rejected,
    };
    Fault::answered(kind, number(refusal.state()))
}

/// The fault of a connection that is of no more use.
#[cold]
pub fn lost(failure: &Failure, may_have_committed: bool, probe: &mut Probe<'_>) -> Fault {
    let unknown = if may_have_committed { "; whether it was committed is unknown" } else { "" };
    match failure {
        Failure::Io(error) => {
            probe.note(format_args!("{error}{unknown}"));
            Fault::io(error)
        }
        Failure::Tls(error) => {
            probe.note(tls::explain(error));
            Fault::fatal(FaultKind::Tls)
        }
        Failure::Closed => {
            probe.note(format_args!("the server closed the connection{unknown}"));
            Fault::fatal(FaultKind::Closed)
        }
        Failure::Malformed(why) => {
            probe.note(why);
            Fault::fatal(FaultKind::Malformed)
        }
        Failure::Refused(refusal) => Fault { ends_session: true, ..refused(refusal, probe) },
    }
}
