//! When is a deadline reached? A timerfd and a heap of deadlines, for one runtime thread.
//!
//! The runtime's own timer has steps of 1 ms; this one is late by what a wake costs.

use std::{
    cell::RefCell,
    cmp::Reverse,
    collections::BinaryHeap,
    future::poll_fn,
    io,
    os::fd::OwnedFd,
    rc::Rc,
    task::{Poll, Waker},
};

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime,
};
use tokio::io::{Interest, unix::AsyncFd};

use crate::clock::{now_ns, timespec};

/// Deadlines closer than this to the last wake share the next one: a wake costs some 20 µs of CPU.
const QUANTUM_NS: u64 = 50_000;

/// Many deadlines on one timerfd. Clones share the timer.
#[derive(Clone)]
pub(crate) struct Timer(Rc<Inner>);

struct Inner {
    fd: AsyncFd<OwnedFd>,
    state: RefCell<State>,
}

/// What is waited for.
struct State {
    /// Every deadline not yet reached; an abandoned one costs a needless wake and nothing else.
    waiting: BinaryHeap<Reverse<Entry>>,
    /// The instant the timerfd is set to; `u64::MAX` when it is not set.
    armed_ns: u64,
    /// The last time due tasks were woken.
    last_wake_ns: u64,
}

struct Entry {
    deadline_ns: u64,
    waker: Waker,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.deadline_ns == other.deadline_ns
    }
}
impl Eq for Entry {}
impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.deadline_ns.cmp(&other.deadline_ns)
    }
}

impl Timer {
    /// A timer of the current runtime; its [`run`](Self::run) must be spawned for deadlines to be noticed.
    pub(crate) fn new() -> io::Result<Self> {
        let fd = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        let state = State { waiting: BinaryHeap::new(), armed_ns: u64::MAX, last_wake_ns: 0 };
        Ok(Self(Rc::new(Inner { fd: watch(fd)?, state: RefCell::new(state) })))
    }

    /// Waits until the monotonic clock reads `deadline_ns` or more.
    pub(crate) async fn until(&self, deadline_ns: u64) {
        let mut registered = false;
        poll_fn(|cx| {
            if now_ns() >= deadline_ns {
                return Poll::Ready(());
            }
            // A connection awaits one thing at a time, so the waker of the first poll stays valid.
            if !registered {
                registered = true;
                let mut state = self.0.state.borrow_mut();
                state.waiting.push(Reverse(Entry { deadline_ns, waker: cx.waker().clone() }));
                self.arm(&mut state);
            }
            Poll::Pending
        })
        .await;
    }

    /// Waits `ns` from now.
    pub(crate) async fn pause(&self, ns: u64) {
        self.until(now_ns().saturating_add(ns)).await;
    }

    /// Wakes who is due, for ever.
    pub(crate) async fn run(self) -> io::Result<()> {
        let mut count = [0; 8];
        loop {
            let mut guard = self.0.fd.readable().await?;
            match rustix::io::read(self.0.fd.get_ref(), &mut count) {
                Ok(_) | Err(rustix::io::Errno::AGAIN) => guard.clear_ready(),
                Err(error) => return Err(error.into()),
            }
            self.wake_due();
        }
    }

    fn wake_due(&self) {
        let now = now_ns();
        let mut state = self.0.state.borrow_mut();
        state.armed_ns = u64::MAX;
        state.last_wake_ns = now;
        while state.waiting.peek().is_some_and(|Reverse(entry)| entry.deadline_ns <= now) {
            if let Some(Reverse(entry)) = state.waiting.pop() {
                entry.waker.wake();
            }
        }
        self.arm(&mut state);
    }

    /// Sets the timerfd to the next deadline unless it already fires by then.
    fn arm(&self, state: &mut State) {
        let Some(Reverse(next)) = state.waiting.peek() else { return };
        let at = next.deadline_ns.max(state.last_wake_ns + QUANTUM_NS);
        if at >= state.armed_ns {
            return;
        }
        state.armed_ns = at;
        let spec = Itimerspec { it_interval: timespec(0), it_value: timespec(at) };
        // Setting a valid descriptor to a valid instant cannot fail; a failure would show as late answers.
        let _ = timerfd_settime(self.0.fd.get_ref(), TimerfdTimerFlags::ABSTIME, &spec);
    }
}

/// Has the runtime watch a descriptor for being readable.
#[expect(
    deprecated,
    reason = "its replacement needs `unsafe`; what that asks for, an OwnedFd nobody replaces, holds"
)]
fn watch(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(fd, Interest::READABLE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_are_reached_in_order_and_never_early() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build_local(tokio::runtime::LocalOptions::default())
            .unwrap();
        runtime.block_on(async {
            let timer = Timer::new().unwrap();
            tokio::task::spawn_local(timer.clone().run());
            let start = now_ns();
            let order = Rc::new(RefCell::new(Vec::new()));
            let tasks: Vec<_> = [7_u64, 3, 5]
                .map(|ms| {
                    let (timer, order) = (timer.clone(), Rc::clone(&order));
                    tokio::task::spawn_local(async move {
                        timer.until(start + ms * 1_000_000).await;
                        order.borrow_mut().push((ms, now_ns() - start));
                    })
                })
                .into();
            for task in tasks {
                task.await.unwrap();
            }
            let order = order.borrow();
            assert_eq!(order.iter().map(|(ms, _)| *ms).collect::<Vec<_>>(), [3, 5, 7]);
            assert!(order.iter().all(|(ms, took)| *took >= ms * 1_000_000));
        });
    }
}
