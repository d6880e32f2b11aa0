//! What does this process itself use, and did its clocks run true?

use load_report::journal::Usage;
use rustix::time::{ClockId, clock_gettime};

/// Looks at the process and its clocks every now and then.
pub(crate) struct Meter {
    process: u32,
    offsets: (i64, i64),
    jump_ns: u64,
    steal_ns: u64,
}

fn ns(clock: ClockId) -> i64 {
    let time = clock_gettime(clock);
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

/// How far the wall clock, and the clock that counts suspended time, are from `CLOCK_MONOTONIC`.
fn offsets() -> (i64, i64) {
    let monotonic = ns(ClockId::Monotonic);
    (ns(ClockId::Realtime) - monotonic, ns(ClockId::Boottime) - monotonic)
}

impl Meter {
    /// Begins now.
    pub(crate) fn start(process: u32) -> Self {
        Self { process, offsets: offsets(), jump_ns: 0, steal_ns: steal_ns() }
    }

    /// What has been used so far. A clock that is slewed moves little between two looks; one that is set jumps.
    pub(crate) fn look(&mut self, control_calls: u64) -> Usage {
        let now = offsets();
        let moved = now.0.abs_diff(self.offsets.0).max(now.1.abs_diff(self.offsets.1));
        self.offsets = now;
        self.jump_ns = self.jump_ns.max(moved);
        Usage {
            process: self.process,
            cpu_ns: ns(ClockId::ProcessCPUTime).unsigned_abs(),
            max_rss_bytes: max_rss_bytes(),
            clock_jump_ns: self.jump_ns,
            control_calls,
        }
    }

    /// Time that the hypervisor took from the machine since the start, ns.
    pub(crate) fn stolen_ns(&self) -> u64 {
        steal_ns().saturating_sub(self.steal_ns)
    }
}

/// Largest resident set of this process so far, bytes: `VmHWM`.
fn max_rss_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_ascii_whitespace().next()?.parse::<u64>().ok()).map_or(0, |kib| kib << 10)
}

/// Time stolen from all CPUs since boot, ns: the eighth figure of `/proc/stat`, in ticks of 10 ms.
fn steal_ns() -> u64 {
    let stat = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let ticks =
        stat.lines().next().and_then(|line| line.split_ascii_whitespace().nth(8)?.parse::<u64>().ok());
    ticks.unwrap_or(0) * 10_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_used_something_and_its_clocks_run_true() {
        let mut meter = Meter::start(3);
        let usage = meter.look(7);
        assert_eq!((usage.process, usage.control_calls), (3, 7));
        assert!(usage.cpu_ns > 0 && usage.max_rss_bytes > 1 << 20);
        assert!(usage.clock_jump_ns < 100_000_000);
    }
}
