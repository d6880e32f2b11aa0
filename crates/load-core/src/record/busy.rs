//! Had the worker idle time left? Read from the scheduler's account of the thread.

use crate::clock::{Nanos, RunQueue, monotonic};

/// A worker without at least this share of idle time in an interval was the limit in it.
const MIN_IDLE: f64 = 0.02;

/// The thread's use of the CPU since the last look.
pub struct Busy {
    queue: RunQueue,
    last: Look,
}

#[derive(Clone, Copy)]
struct Look {
    at: Nanos,
    ran_ns: u64,
    waited_ns: u64,
}

impl Look {
    fn at(queue: &RunQueue) -> Self {
        Self { at: monotonic(), ran_ns: thread_cpu_ns(), waited_ns: queue.waited_ns() }
    }
}

/// One interval of a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// It had next to no idle time: it ran, or wanted to run, all the time.
    pub busy: bool,
    /// Time that it was ready and waited for a CPU, ns.
    pub run_queue_ns: u64,
}

impl Busy {
    /// Begins now, for the calling thread.
    pub fn start() -> Self {
        let queue = RunQueue::open();
        Self { last: Look::at(&queue), queue }
    }

    /// The interval since the last call.
    pub fn lap(&mut self) -> Interval {
        let now = Look::at(&self.queue);
        let before = std::mem::replace(&mut self.last, now);
        let wall = now.at.since(before.at) as f64;
        let ran = now.ran_ns.saturating_sub(before.ran_ns);
        let run_queue_ns = now.waited_ns.saturating_sub(before.waited_ns);
        Interval { busy: (ran + run_queue_ns) as f64 > wall * (1.0 - MIN_IDLE), run_queue_ns }
    }
}

/// CPU time of the calling thread, ns.
fn thread_cpu_ns() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    (time.tv_sec * 1_000_000_000 + time.tv_nsec).unsigned_abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spinning_thread_has_no_idle_time_and_a_sleeping_one_has() {
        let mut busy = Busy::start();
        let mut spin = || {
            let end = monotonic() + Nanos(10_000_000);
            while monotonic() < end {}
            busy.lap().busy
        };
        // What a hypervisor takes away is neither running nor waiting, and looks idle: not every time, we trust.
        assert!((0..50).any(|_| spin()));
        std::thread::sleep(std::time::Duration::from_millis(50));
        assert!(!busy.lap().busy);
    }
}
