//! What does a call say while it lasts? Times, counts and words of the protocol's own, on the engine's clock.

use std::fmt::Write as _;

use crate::clock::{Alarm, Nanos};
use crate::record::Observer;

/// Lets a call say more than how long it took.
pub struct Probe<'a> {
    observer: &'a dyn Observer,
    note: &'a mut String,
}

impl<'a> Probe<'a> {
    pub(crate) fn new(observer: &'a dyn Observer, note: &'a mut String) -> Self {
        note.clear();
        Self { observer, note }
    }

    /// A probe of a call that is in no record: one before or behind the run, or in a test.
    pub fn unobserved(observer: &'a dyn Observer, note: &'a mut String) -> Self {
        Self::new(observer, note)
    }

    /// The current instant on the engine's clock.
    pub fn now(&self) -> Nanos {
        self.observer.now()
    }

    /// A new alarm of the engine's clock, for calls that have to wait by themselves. None where nothing is measured.
    pub fn alarm(&self) -> Option<Alarm> {
        self.observer.alarm()
    }

    /// Records `ns` in the protocol's series number `extra`.
    pub fn observe(&self, extra: usize, ns: u64) {
        self.observer.observe(extra, ns);
    }

    /// Adds `n` to the protocol's counter number `counter`.
    pub fn count(&self, counter: usize, n: u64) {
        self.observer.count(counter, n);
    }

    /// Records that one more has received message `key`, a hash spread evenly, at an age of `age_ns`: of messages that go to many,
    /// the result tells when the first, the median and the last receiver had each.
    pub fn fan_out(&self, key: u64, age_ns: u64) {
        self.observer.fan_out(key, age_ns);
    }

    /// Records a connection, begun at `start`, that the engine did not ask for: one that a call has established, or one of a
    /// pool ([`Sharing::Pool`](super::Sharing::Pool)).
    pub fn connected(&self, start: Nanos) {
        self.observer.connected(start);
    }

    /// What was said last.
    pub fn noted(&self) -> &str {
        self.note
    }

    /// Whether somebody looks at every message.
    #[inline]
    pub fn shows(&self) -> bool {
        self.observer.shows()
    }

    /// Shows a message to somebody who looks at every one.
    pub fn show(&self, text: &dyn std::fmt::Display) {
        self.observer.show(text);
    }

    /// Says what was wrong. Kept for the first fault of a kind only.
    pub fn note(&mut self, text: impl std::fmt::Display) {
        self.note.clear();
        let _ = write!(self.note, "{text}");
    }
}
