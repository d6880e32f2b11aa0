//! What time is it, and when to go on? One clock a worker owns all waiting: ticks, think time, timeouts, snapshots.
//!
//! The real clock reads `CLOCK_MONOTONIC` and waits on one timerfd, because tokio's own timer has steps of 1 ms and
//! is 2 ms late at p99. The virtual clock jumps to the next deadline whenever the worker has nothing left to do, so
//! that tests drive the real engine through hours in milliseconds.

mod alarm;
mod run_queue;
mod timerfd;
mod turn;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

pub use alarm::Alarm;
use alarm::Alarms;
pub(crate) use run_queue::RunQueue;
use timerfd::TimerFd;
#[cfg(test)]
pub(crate) use turn::advance_when_idle;
pub(crate) use turn::{begin as begin_turn, end as end_turn, take_idle_ns, take_turns};

/// An instant on `CLOCK_MONOTONIC`, or a span between two, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nanos(pub i64);

impl Nanos {
    /// Later than everything.
    pub const NEVER: Self = Self(i64::MAX);
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// A span of `seconds`.
    pub fn from_secs_f64(seconds: f64) -> Self {
        Self((seconds * 1e9) as i64)
    }

    /// The span since `earlier`; zero when that is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> u64 {
        u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0)
    }

    /// In seconds.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }
}

impl From<Duration> for Nanos {
    fn from(duration: Duration) -> Self {
        Self(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX))
    }
}

impl std::ops::Add for Nanos {
    type Output = Self;
    fn add(self, span: Self) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl std::ops::Sub for Nanos {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

/// A wake costs up to 30 µs of CPU here, so that one a tick would cost 60 % of a core at 20,000/s. An alarm that is due
/// this soon after the last wake is therefore not worth one of its own,
const SOON: Nanos = Nanos(100_000);

/// but waits this long, for others to share it with.
const TOGETHER: Nanos = Nanos(250_000);

/// The time of one worker. Clones share it; it stays on its thread.
#[derive(Clone)]
pub struct Clock(Rc<Inner>);

struct Inner {
    source: Source,
    alarms: RefCell<Alarms>,
    /// What the timer is set to.
    armed: Cell<Nanos>,
    /// When the timer fired last.
    fired: Cell<Nanos>,
}

enum Source {
    Real(TimerFd),
    Virtual(Cell<Nanos>),
}

/// The instant on `CLOCK_MONOTONIC`.
pub fn monotonic() -> Nanos {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    Nanos(time.tv_sec * 1_000_000_000 + time.tv_nsec)
}

/// Lets everything else that is ready go first, after a look at the sockets. Whoever works for longer than some 100 µs in one
/// piece does so in between.
pub async fn give_way() {
    tokio::task::yield_now().await;
    turn::pass();
}

impl Clock {
    /// The real clock. [`Clock::drive`] must run as a task of the same worker.
    ///
    /// # Errors
    /// When the kernel gives no timer. Must be called inside the worker's runtime.
    pub fn real() -> std::io::Result<Self> {
        Ok(Self::new(Source::Real(TimerFd::new()?)))
    }

    /// A clock that stands at zero until [`Clock::advance`] moves it on.
    pub fn virtual_time() -> Self {
        Self::new(Source::Virtual(Cell::new(Nanos::ZERO)))
    }

    fn new(source: Source) -> Self {
        let (alarms, never) = (RefCell::new(Alarms::default()), Nanos::NEVER);
        Self(Rc::new(Inner { source, alarms, armed: Cell::new(never), fired: Cell::new(Nanos::ZERO) }))
    }

    /// The current instant.
    #[inline]
    pub fn now(&self) -> Nanos {
        match &self.0.source {
            Source::Real(_) => monotonic(),
            Source::Virtual(now) => now.get(),
        }
    }

    /// A new alarm, not set.
    pub fn alarm(&self) -> Alarm {
        Alarm::new(self.clone())
    }

    /// Waits until `at`; never returns earlier.
    pub async fn sleep_until(&self, at: Nanos) {
        let alarm = self.alarm();
        alarm.set(at);
        alarm.wait().await;
    }

    /// Waits for the timer and rings the alarms that are due, for ever. On the virtual clock there is nothing to do.
    ///
    /// # Errors
    /// When the runtime cannot watch the timer.
    pub async fn drive(&self) -> std::io::Result<()> {
        let Source::Real(timer) = &self.0.source else { return std::future::pending().await };
        loop {
            timer.expired().await?;
            self.0.armed.set(Nanos::NEVER);
            let now = self.now();
            self.0.fired.set(now);
            self.0.alarms.borrow_mut().ring(now);
            self.arm();
        }
    }

    /// Virtual time: goes on to the next instant at which an alarm rings. False when none is set.
    pub fn advance(&self) -> bool {
        let Source::Virtual(now) = &self.0.source else { return false };
        loop {
            let Some(next) = self.0.alarms.borrow().next() else { return false };
            now.set(now.get().max(next));
            if self.0.alarms.borrow_mut().ring(now.get()) {
                return true;
            }
        }
    }

    /// Sets the timer to the next deadline, when that comes before what it is set to.
    fn arm(&self) {
        let Source::Real(timer) = &self.0.source else { return };
        let Some(next) = self.0.alarms.borrow().next() else { return };
        let at = if next < self.0.fired.get() + SOON { next + TOGETHER } else { next };
        if at < self.0.armed.get() {
            self.0.armed.set(at);
            timer.set(at);
        }
    }
}

/// Runs `future` to its end while `clock`, which is a virtual one, jumps from deadline to deadline.
#[cfg(test)]
pub(crate) fn in_virtual_time<T>(clock: &Clock, future: impl Future<Output = T>) -> T {
    advance_when_idle(clock);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .on_thread_park(end_turn)
        .build_local(tokio::runtime::LocalOptions::default());
    runtime.unwrap_or_else(|error| panic!("no event loop: {error}")).block_on(future)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn virtual_time_moves_to_the_next_deadline_only() {
        let clock = Clock::virtual_time();
        let (late, early) = (clock.alarm(), clock.alarm());
        late.set(Nanos(500));
        early.set(Nanos(200));
        assert!(clock.advance());
        assert_eq!((clock.now(), early.rang(), late.rang()), (Nanos(200), true, false));
        assert!(clock.advance());
        assert_eq!((clock.now(), late.rang()), (Nanos(500), true));
        assert!(!clock.advance());
    }

    #[test]
    fn an_alarm_that_is_set_again_rings_once_at_its_last_deadline() {
        let clock = Clock::virtual_time();
        let alarm = clock.alarm();
        for deadline in [100, 200, 300] {
            alarm.set(Nanos(deadline));
        }
        while clock.advance() && !alarm.rang() {}
        assert_eq!(clock.now(), Nanos(300));
        alarm.set(Nanos(900));
        alarm.set(Nanos(400));
        while clock.advance() && !alarm.rang() {}
        assert_eq!(clock.now(), Nanos(400));
        alarm.clear();
        assert!(!alarm.rang());
    }

    #[test]
    fn the_real_clock_is_never_early() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build_local(tokio::runtime::LocalOptions::default());
        runtime.unwrap().block_on(async {
            let clock = Clock::real().unwrap();
            let driver = clock.clone();
            let driving = tokio::task::spawn_local(async move { driver.drive().await });
            for _ in 0..50 {
                let at = clock.now() + Nanos(300_000);
                clock.sleep_until(at).await;
                assert!(clock.now() >= at);
            }
            driving.abort();
        });
    }
}
