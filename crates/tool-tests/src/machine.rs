//! Was the machine itself on time while a figure of time was taken? A witness that shares no code with the tools.

use std::io::Write as _;
use std::num::NonZero;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{JoinHandle, available_parallelism};
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Tests that measure time have the machine to themselves.
static MACHINE: Mutex<()> = Mutex::new(());

/// How often the witness looks.
const TICK: Duration = Duration::from_millis(2);

/// A machine whose p99 is beyond this is not quiet: half of what the tools may be late at p99 before a run is invalid.
const QUIET: Duration = Duration::from_micros(500);

/// How often [`timed`] tries.
const TRIES: usize = 3;

/// Waits for the machine. `cargo nextest` runs tests as processes, for which `.config/nextest.toml` does the same.
pub fn alone() -> MutexGuard<'static, ()> {
    MACHINE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tries a test of figures of time until it says `Ok`, at most three times, with the machine to itself. What has to hold
/// on any machine, `test` asserts; what it returns as `Err` is a failure unless the machine was late in every try, seen
/// by a [`Witness`]. Then nothing can be said, and that is printed.
#[track_caller]
pub fn timed(test: impl Fn() -> Result<(), String>) {
    let _alone = alone();
    let mut last = String::new();
    let mut was_quiet = false;
    for _ in 0..TRIES {
        let witness = Witness::start();
        let Err(why) = test() else { return };
        let late = witness.stop();
        was_quiet |= Witness::is_quiet(late);
        last = format!("{why} (the machine itself was {late:.1?} late at p99)");
    }
    assert!(!was_quiet, "{last}");
    let _ =
        writeln!(std::io::stderr(), "not judged, the machine was busy in {TRIES} of {TRIES} tries: {last}");
}

/// A thread on each core that wakes at fixed times and notes how late it was. Times that it slept through count, too.
pub struct Witness {
    stop: Arc<AtomicBool>,
    cores: Vec<JoinHandle<Vec<Duration>>>,
}

impl Witness {
    /// Begins to watch.
    pub fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let cores = (0..CpuSet::MAX_CPU).filter(|&core| usable(core)).map(|core| {
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || watch(core, &stop))
        });
        Self { cores: cores.collect(), stop }
    }

    /// How late the latest core was, at p99 of its ticks.
    pub fn stop(self) -> Duration {
        self.stop.store(true, Ordering::Relaxed);
        let cores = self.cores.into_iter().map(|core| core.join().expect("a witness only sleeps"));
        cores.map(p99).max().unwrap_or_default()
    }

    /// Whether a machine that was `late` was quiet.
    pub fn is_quiet(late: Duration) -> bool {
        late <= QUIET
    }
}

/// Whether this process may run on `core`. Where that is unknown, on as many as there are.
fn usable(core: usize) -> bool {
    let known = sched_getaffinity(None).map(|set| set.is_set(core));
    known.unwrap_or_else(|_| core < available_parallelism().map_or(1, NonZero::get))
}

/// Wakes every [`TICK`] on `core` and returns how late each time.
#[expect(clippy::disallowed_methods, reason = "a witness takes its time from somewhere else than the tools")]
fn watch(core: usize, stop: &AtomicBool) -> Vec<Duration> {
    let mut only = CpuSet::new();
    only.set(core);
    // A thread that may not be pinned watches wherever it runs.
    let _ = sched_setaffinity(None, &only);
    let began = Instant::now();
    let mut late = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let due = TICK * (late.len() as u32 + 1);
        std::thread::sleep(due.saturating_sub(began.elapsed()));
        late.push(began.elapsed().saturating_sub(due));
    }
    late
}

fn p99(mut late: Vec<Duration>) -> Duration {
    late.sort_unstable();
    late.get(late.len() * 99 / 100).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_99th_of_a_hundred_is_p99() {
        let late = (0..100).rev().map(Duration::from_millis).collect();
        assert_eq!(p99(late), Duration::from_millis(99));
        assert_eq!(p99(Vec::new()), Duration::ZERO);
    }

    #[test]
    fn a_tick_that_was_slept_through_counts() {
        let late = watch_for(Duration::from_millis(40));
        assert!(late.len() >= 19, "one for each 2 ms: {}", late.len());
    }

    fn watch_for(time: Duration) -> Vec<Duration> {
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let watcher = scope.spawn(|| watch(0, &stop));
            std::thread::sleep(time);
            stop.store(true, Ordering::Relaxed);
            watcher.join().expect("it only sleeps")
        })
    }
}
