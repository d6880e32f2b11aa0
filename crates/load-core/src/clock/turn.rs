//! How long does the event loop take for a turn? The time between two looks at the sockets, by worker.
//!
//! A socket that becomes ready during a turn is seen only at its end: the turn is an error of measurement that the
//! lateness of sends does not show.

use std::cell::RefCell;

use load_report::hist::Histogram;

use super::{Clock, Nanos, monotonic};

thread_local! {
    static TURN: RefCell<Turn> = const { RefCell::new(Turn { began: Nanos::NEVER, turns: Histogram::new(), advance: None }) };
}

struct Turn {
    began: Nanos,
    turns: Histogram,
    advance: Option<Clock>,
}

/// The event loop has looked at the sockets and begins to serve them.
pub(crate) fn begin() {
    TURN.with_borrow_mut(|turn| turn.began = monotonic());
}

/// The event loop has served everything and is about to wait. On a virtual clock, time goes on.
pub(crate) fn end() {
    let advance = TURN.with_borrow_mut(|turn| {
        if turn.began != Nanos::NEVER {
            turn.turns.record(monotonic().since(turn.began));
            turn.began = Nanos::NEVER;
        }
        turn.advance.clone()
    });
    if let Some(clock) = advance {
        clock.advance();
    }
}

/// From now on this thread's virtual `clock` goes on whenever the thread has nothing left to do.
#[cfg(test)]
pub(crate) fn advance_when_idle(clock: &Clock) {
    TURN.with_borrow_mut(|turn| turn.advance = Some(clock.clone()));
}

/// The turns of this worker since the last call.
pub(crate) fn take_turns(into: &mut Histogram) {
    TURN.with_borrow_mut(|turn| {
        into.merge(&turn.turns);
        turn.turns.clear();
    });
}
