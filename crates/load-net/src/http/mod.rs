//! How does an HTTP/1.1 call go? The client of the hot path: one request at a time on one connection.
//!
//! | question | module |
//! |---|---|
//! | What is sent? | [`request`], [`content`] |
//! | Where does an answer end? | [`codec`], [`chunks`] |
//! | How does one exchange go? | [`session`] |
//! | How does a call go that takes more? | [`agent`], [`redirect`], [`rewrite`], [`jar`], [`decode`], [`fields`], `look` |

pub mod agent;
pub mod chunks;
pub mod codec;
pub mod content;
pub mod decode;
pub mod fields;
pub mod jar;
pub(crate) mod look;
pub mod redirect;
pub mod request;
pub mod rewrite;
pub mod session;

pub use agent::{Agent, Manner, Ways};
pub use codec::Sink;
pub use request::{Body, Parts, Request};
pub use session::{Exchanged, Failure, Session};

use load_core::protocol::{Fault, Probe};
use load_report::fault::FaultKind;

/// The fault of an answer with a `status` that is none of the `expected` ones, said to `probe`.
#[cold]
pub fn refused(status: u16, expected: impl std::fmt::Display, probe: &mut Probe<'_>) -> Fault {
    let known = ::http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    probe.note(format_args!("status {status} {}, expected {expected}", known.unwrap_or("(no name)")));
    let kind = match status {
        429 => FaultKind::RateLimited,
        // Nobody refused anything; it is another answer than the one that was asked for.
        200..400 => FaultKind::Wrong,
        _ => FaultKind::Rejected,
    };
    Fault::answered(kind, status.into())
}
