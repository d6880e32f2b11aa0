//! How long does the event loop take for a turn? From the moment when a socket could have been served until all have
//! been, by worker.
//!
//! A socket that becomes ready during a turn is seen only at its end, and one that wakes a thread that gets no CPU is
//! seen when it gets one: the turn is an error of measurement that the lateness of sends does not show.

use std::cell::RefCell;

use load_report::hist::Histogram;

use super::run_queue::RunQueue;
use super::{Clock, Nanos, monotonic};

thread_local! {
    static TURN: RefCell<Turn> = RefCell::new(Turn::new());
}

/// Waiting for a CPU is looked up at most this often, which bounds its cost to 1 % of a core: a look takes 3 µs. A wait
/// that is longer is never missed, because as much time has then passed.
const LOOK: u64 = 300_000;

struct Turn {
    /// When the turn began; never between two turns.
    began: Nanos,
    /// How long the thread had been ready before that, ns.
    woken_late: u64,
    /// When the last turn ended.
    ended: Nanos,
    /// Time with nothing to do, since it was last taken, ns.
    idle: u64,
    turns: Histogram,
    queue: RunQueue,
    looked: Nanos,
    /// The account at that look, ns.
    waited: u64,
    advance: Option<Clock>,
}

impl Turn {
    fn new() -> Self {
        let queue = RunQueue::open();
        let (waited, looked) = (queue.waited_ns(), monotonic());
        Self {
            began: Nanos::NEVER,
            woken_late: 0,
            ended: Nanos::NEVER,
            idle: 0,
            turns: Histogram::new(),
            queue,
            looked,
            waited,
            advance: None,
        }
    }

    /// What the thread has waited for a CPU since the last look, ns.
    fn look(&mut self, now: Nanos) -> u64 {
        let waited = self.queue.waited_ns();
        self.looked = now;
        waited.saturating_sub(std::mem::replace(&mut self.waited, waited))
    }
}

/// The event loop has looked at the sockets and begins to serve them.
pub(crate) fn begin() {
    TURN.with_borrow_mut(|turn| {
        let now = monotonic();
        turn.began = now;
        turn.woken_late = if now.since(turn.looked) >= LOOK { turn.look(now) } else { 0 };
        if turn.ended != Nanos::NEVER {
            turn.idle += now.since(turn.ended).saturating_sub(turn.woken_late);
        }
    });
}

/// The event loop has served everything and is about to wait. On a virtual clock, time goes on.
pub(crate) fn end() {
    let advance = TURN.with_borrow_mut(|turn| {
        if turn.began != Nanos::NEVER {
            let now = monotonic();
            let length = now.since(turn.began);
            turn.turns.record(length + turn.woken_late);
            turn.began = Nanos::NEVER;
            turn.ended = now;
            if length >= LOOK {
                // What was waited within the turn is in its length, and not to be counted with the next wake.
                turn.look(now);
            }
        }
        turn.advance.clone()
    });
    if let Some(clock) = advance {
        clock.advance();
    }
}

/// The event loop has looked at the sockets in the middle of a task's work, because that gave way: one turn ends, the next begins.
pub(crate) fn pass() {
    TURN.with_borrow_mut(|turn| {
        let now = monotonic();
        if turn.began != Nanos::NEVER {
            turn.turns.record(now.since(turn.began) + std::mem::take(&mut turn.woken_late));
            turn.began = now;
        }
    });
}

/// From now on this thread's virtual `clock` goes on whenever the thread has nothing left to do.
#[cfg(test)]
pub(crate) fn advance_when_idle(clock: &Clock) {
    TURN.with_borrow_mut(|turn| turn.advance = Some(clock.clone()));
}

/// How long this worker had nothing to do since the last call, ns.
pub(crate) fn take_idle_ns() -> u64 {
    TURN.with_borrow_mut(|turn| std::mem::take(&mut turn.idle))
}

/// The turns of this worker since the last call.
pub(crate) fn take_turns(into: &mut Histogram) {
    TURN.with_borrow_mut(|turn| {
        into.merge(&turn.turns);
        turn.turns.clear();
    });
}
