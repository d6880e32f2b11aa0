//! What does an error of PostgreSQL mean? A kind of fault, and a sentence.

use std::error::Error as _;
use std::io;

use load_core::protocol::{Fault, Probe};
use load_report::fault::FaultKind;
use tokio_postgres::Error;
use tokio_postgres::error::Severity;

/// The fault, after which the session goes on: the pool repairs itself.
#[cold]
pub fn fault(error: &Error, probe: &mut Probe<'_>) -> Fault {
    probe.note(explain(error));
    Fault { ends_session: false, ..kind(error) }
}

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

/// Whether the connection is good for another call: the server has refused a statement and nothing else.
pub fn is_usable_after(error: &Error) -> bool {
    error.as_db_error().is_some_and(|refusal| refusal.parsed_severity() == Some(Severity::Error))
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
