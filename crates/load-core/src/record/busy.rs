//! Had the worker idle time left? Read from the scheduler's account of the thread.

use crate::clock::{Nanos, monotonic};

/// A worker without at least this share of idle time in an interval was the limit in it.
const MIN_IDLE: f64 = 0.02;

/// The thread's use of the CPU since the last look.
pub struct Busy {
    at: Nanos,
    ran_ns: u64,
    waited_ns: u64,
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
        Self { at: monotonic(), ran_ns: thread_cpu_ns(), waited_ns: run_queue_ns().unwrap_or(0) }
    }

    /// The interval since the last call.
    pub fn lap(&mut self) -> Interval {
        let (before, now) = (self.at, Self::start());
        let wall = now.at.since(before) as f64;
        let ran = now.ran_ns.saturating_sub(self.ran_ns);
        let run_queue_ns = now.waited_ns.saturating_sub(self.waited_ns);
        *self = now;
        Interval { busy: (ran + run_queue_ns) as f64 > wall * (1.0 - MIN_IDLE), run_queue_ns }
    }
}

/// CPU time of the calling thread, ns.
fn thread_cpu_ns() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    (time.tv_sec * 1_000_000_000 + time.tv_nsec).unsigned_abs()
}

/// Time that the calling thread waited for a CPU, ns: the second field of `/proc/thread-self/schedstat`.
fn run_queue_ns() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_ascii_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spinning_thread_has_no_idle_time_and_a_sleeping_one_has() {
        let mut busy = Busy::start();
        let end = monotonic() + Nanos(50_000_000);
        while monotonic() < end {}
        assert!(busy.lap().busy);
        std::thread::sleep(std::time::Duration::from_millis(50));
        assert!(!busy.lap().busy);
    }
}
