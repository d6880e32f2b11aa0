//! What happens while a connection is held? How long, what ends it, what is called at which times.

use load_suite::scope::Scope;
use load_suite::think::Think;

use super::{Branch, Call};
use crate::clock::Nanos;

/// A user's connection is held, while what comes by itself is read and calls are made at times.
#[derive(Clone, Debug)]
pub struct Hold<S> {
    /// How long, unless what it waits for comes before; never longer than the user is active, nor beyond the run.
    pub lasts: Think,
    /// It ends when [`Protocol::wait`](crate::protocol::Protocol::wait) has seen this.
    pub until: Option<S>,
    /// What is said where that does not come in time.
    pub missed: String,
    /// The protocol's own series of the times from the begin to what it waits for, where that came.
    pub series: Option<usize>,
    /// What is called meanwhile. One that fails fails itself alone, unless the connection ends with it.
    pub timers: Vec<Timer<S>>,
}

/// Calls that are due at times since a hold began, however long the one before took.
#[derive(Clone, Debug)]
pub struct Timer<S> {
    /// When the first one is due, since the hold began.
    pub first: Nanos,
    /// From one to the next; above 0.
    pub every: Nanos,
    /// One of those that are possible each time, with how often it is drawn against the others; at least one.
    pub calls: Vec<(u32, Branch<S>)>,
}

impl<S> Timer<S> {
    /// The first instant behind `after` at which a call is due, both since the hold began.
    pub(crate) fn next(&self, after: Nanos) -> Nanos {
        if after < self.first {
            return self.first;
        }
        let past = (after.0 - self.first.0) / self.every.0.max(1);
        Nanos(self.first.0.saturating_add(self.every.0.saturating_mul(past + 1)))
    }

    /// The call that is made, of those that are possible.
    pub(crate) fn draw(&self, scope: &Scope) -> Option<&Call<S>> {
        let possible = || self.calls.iter().filter(|(_, branch)| branch.is_possible(scope));
        if let [(_, only)] = self.calls.as_slice() {
            return only.is_possible(scope).then_some(&only.call);
        }
        let total = possible().map(|(weight, _)| u64::from(*weight)).sum();
        let mut ticket = scope.below(total);
        let drawn = possible().find(|(weight, _)| {
            let hit = ticket < u64::from(*weight);
            ticket = ticket.saturating_sub((*weight).into());
            hit
        });
        drawn.map(|(_, branch)| &branch.call)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_time_follows_from_the_last() {
        let timer =
            |first, every| Timer::<()> { first: Nanos(first), every: Nanos(every), calls: Vec::new() };
        let next = |timer: &Timer<()>, after| timer.next(Nanos(after)).0;
        let timers = [timer(5, 5), timer(0, 10), timer(7, 3)];
        let times = |after| timers.each_ref().map(|timer| next(timer, after));
        assert_eq!(times(-1), [5, 0, 7]);
        assert_eq!(times(0), [5, 10, 7]);
        assert_eq!((times(9), times(10)), ([10, 10, 10], [15, 20, 13]));
        assert_eq!(next(&timer(1, i64::MAX), 1), i64::MAX, "no overflow");
    }
}
