//! Had the worker idle time left? Read from its event loop, and from the scheduler's account of the thread.

use crate::clock::{Nanos, RunQueue, monotonic, take_idle_ns};

/// A worker without at least this share of idle time in an interval was the limit in it.
const MIN_IDLE: f64 = 0.02;

/// The thread's idle time since the last look.
pub struct Busy {
    queue: RunQueue,
    at: Nanos,
    waited_ns: u64,
}

/// One interval of a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// It had next to no idle time: it ran, or wanted to run, all the time. What a hypervisor took away is no idle
    /// time either.
    pub busy: bool,
    /// Time that it was ready and waited for a CPU, ns.
    pub run_queue_ns: u64,
}

impl Busy {
    /// Begins now, for the calling thread.
    pub fn start() -> Self {
        let queue = RunQueue::open();
        take_idle_ns();
        Self { at: monotonic(), waited_ns: queue.waited_ns(), queue }
    }

    /// The interval since the last call.
    pub fn lap(&mut self) -> Interval {
        let (now, waited_ns) = (monotonic(), self.queue.waited_ns());
        let wall = now.since(std::mem::replace(&mut self.at, now)) as f64;
        let run_queue_ns = waited_ns.saturating_sub(std::mem::replace(&mut self.waited_ns, waited_ns));
        Interval { busy: (take_idle_ns() as f64) < wall * MIN_IDLE, run_queue_ns }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{begin_turn, end_turn};

    #[test]
    fn only_a_loop_that_waits_has_idle_time() {
        let mut busy = Busy::start();
        begin_turn();
        let end = monotonic() + Nanos(10_000_000);
        while monotonic() < end {}
        assert!(busy.lap().busy);
        end_turn();
        std::thread::sleep(std::time::Duration::from_millis(50));
        begin_turn();
        assert!(!busy.lap().busy);
    }
}
