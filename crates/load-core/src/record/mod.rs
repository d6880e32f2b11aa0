//! What happened? Each worker's own record: plain counters, nothing shared, nothing to lock.

mod busy;
mod points;
mod raw;
mod recorder;
mod sinks;

pub use busy::Busy;
pub use points::head as points_head;
pub use raw::{COLUMNS as RAW_COLUMNS, Raw};
pub use recorder::{CallTimes, Recorder, Start};
pub use sinks::{Ended, Sinks};

use crate::clock::{Alarm, Nanos};

/// Records nothing, and has no clock.
#[derive(Clone, Copy, Debug)]
pub struct Unobserved;

impl Observer for Unobserved {
    fn now(&self) -> Nanos {
        Nanos::ZERO
    }

    fn observe(&self, _extra: usize, _ns: u64) {}

    fn count(&self, _counter: usize, _n: u64) {}
}

/// What a [`crate::protocol::Probe`] may do to the record.
pub trait Observer {
    /// The current instant on the engine's clock.
    fn now(&self) -> Nanos;
    /// A new alarm of that clock, where there is one to wait on.
    fn alarm(&self) -> Option<Alarm> {
        None
    }
    /// Records `ns` in the protocol's series number `extra`.
    fn observe(&self, extra: usize, ns: u64);
    /// Adds `n` to the protocol's counter number `counter`.
    fn count(&self, counter: usize, n: u64);
    /// One more has received message `key`, which many receive, at an age of `age_ns`.
    fn fan_out(&self, _key: u64, _age_ns: u64) {}
    /// A connection, begun at `start`, was established inside a call.
    fn connected(&self, _start: Nanos) {}
    /// Whether messages are to be shown.
    fn shows(&self) -> bool {
        false
    }
    /// Shows a message.
    fn show(&self, _text: &dyn std::fmt::Display) {}
}
