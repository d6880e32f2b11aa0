//! Who waits for which instant? Alarms that can be set again and again at next to no cost.
//!
//! A call's timeout is set a hundred thousand times a second and almost never rings. So an alarm has at most one
//! entry in the heap that counts: setting it later only notes the new deadline, and when the old entry comes up it is
//! put back at the noted one.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::future::poll_fn;
use std::task::{Context, Poll, Waker};

use super::{Clock, Nanos};

/// All alarms of one clock.
#[derive(Default)]
pub(super) struct Alarms {
    /// (deadline, slot); an entry counts only when its deadline is the slot's `entry`.
    heap: BinaryHeap<Reverse<(Nanos, usize)>>,
    slots: Vec<Slot>,
    free: Vec<usize>,
}

struct Slot {
    /// When it is to ring; [`Nanos::NEVER`] when it is not set.
    deadline: Nanos,
    /// Its entry in the heap, [`Nanos::NEVER`] when it has none. Never later than `deadline` when that is set.
    entry: Nanos,
    rang: bool,
    waker: Option<Waker>,
}

impl Alarms {
    fn add(&mut self) -> usize {
        let slot = |entry| Slot { deadline: Nanos::NEVER, entry, rang: false, waker: None };
        if let Some(id) = self.free.pop() {
            // The entry of the slot's former owner may still be in the heap and is then put to use.
            self.slots[id] = slot(self.slots[id].entry);
            return id;
        }
        self.slots.push(slot(Nanos::NEVER));
        self.slots.len() - 1
    }

    /// The earliest entry.
    pub(super) fn next(&self) -> Option<Nanos> {
        self.heap.peek().map(|&Reverse((at, _))| at)
    }

    /// Rings what is due at `now`; false when no alarm was.
    pub(super) fn ring(&mut self, now: Nanos) -> bool {
        let mut any = false;
        while let Some(&Reverse((at, id))) = self.heap.peek() {
            if at > now {
                break;
            }
            self.heap.pop();
            let slot = &mut self.slots[id];
            if slot.entry != at {
                continue;
            }
            slot.entry = Nanos::NEVER;
            if slot.deadline > now {
                if slot.deadline != Nanos::NEVER {
                    slot.entry = slot.deadline;
                    self.heap.push(Reverse((slot.deadline, id)));
                }
                continue;
            }
            (slot.rang, slot.deadline, any) = (true, Nanos::NEVER, true);
            if let Some(waker) = slot.waker.take() {
                waker.wake();
            }
        }
        any
    }
}

/// A deadline that can be set, moved and waited for.
pub struct Alarm {
    clock: Clock,
    id: usize,
}

impl Alarm {
    pub(super) fn new(clock: Clock) -> Self {
        let id = clock.0.alarms.borrow_mut().add();
        Self { clock, id }
    }

    /// Rings at `deadline`, whatever was set before.
    #[inline]
    pub fn set(&self, deadline: Nanos) {
        {
            let alarms = &mut *self.clock.0.alarms.borrow_mut();
            let slot = &mut alarms.slots[self.id];
            (slot.deadline, slot.rang) = (deadline, false);
            if deadline >= slot.entry {
                return;
            }
            slot.entry = deadline;
            alarms.heap.push(Reverse((deadline, self.id)));
        }
        self.clock.arm();
    }

    /// Does not ring.
    #[inline]
    pub fn clear(&self) {
        let slot = &mut self.clock.0.alarms.borrow_mut().slots[self.id];
        (slot.deadline, slot.rang) = (Nanos::NEVER, false);
    }

    /// Whether it has rung since it was set.
    #[inline]
    pub fn rang(&self) -> bool {
        self.clock.0.alarms.borrow().slots[self.id].rang
    }

    /// Ready once it has rung.
    pub fn poll_rang(&self, context: &mut Context<'_>) -> Poll<()> {
        let slot = &mut self.clock.0.alarms.borrow_mut().slots[self.id];
        if slot.rang {
            return Poll::Ready(());
        }
        if !slot.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            slot.waker = Some(context.waker().clone());
        }
        Poll::Pending
    }

    /// Waits until it rings.
    pub async fn wait(&self) {
        poll_fn(|context| self.poll_rang(context)).await;
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        let mut alarms = self.clock.0.alarms.borrow_mut();
        let slot = &mut alarms.slots[self.id];
        (slot.deadline, slot.waker) = (Nanos::NEVER, None);
        alarms.free.push(self.id);
    }
}
