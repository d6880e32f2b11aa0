//! How does a worker sleep to the microsecond? On a timerfd that its event loop watches.

use std::os::fd::OwnedFd;

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::Nanos;

/// A timer of the kernel with absolute deadlines on `CLOCK_MONOTONIC`.
pub(super) struct TimerFd(AsyncFd<OwnedFd>);

impl TimerFd {
    #[expect(
        deprecated,
        reason = "its successor is unsafe and asks that the descriptor stays open, which an OwnedFd grants"
    )]
    pub(super) fn new() -> std::io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let fd = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        Ok(Self(AsyncFd::with_interest(fd, Interest::READABLE)?))
    }

    /// Expires at `at`; at once when that has passed.
    pub(super) fn set(&self, at: Nanos) {
        // Zero would disarm the timer.
        let at = at.0.max(1);
        let it_value = Timespec { tv_sec: at / 1_000_000_000, tv_nsec: at % 1_000_000_000 };
        let it_interval = Timespec { tv_sec: 0, tv_nsec: 0 };
        let spec = Itimerspec { it_interval, it_value };
        let set = timerfd_settime(&self.0, TimerfdTimerFlags::ABSTIME, &spec);
        debug_assert!(set.is_ok(), "a positive deadline on a timer of our own");
    }

    /// Waits until it expires. The expiry is not read: setting the timer again resets it, and the event loop reports
    /// the next expiry as a new edge, which saves a system call a wake.
    pub(super) async fn expired(&self) -> std::io::Result<()> {
        self.0.readable().await?.clear_ready();
        Ok(())
    }
}
