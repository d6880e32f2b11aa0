//! Who takes the next tick? A cursor into the schedule, a queue of idle lanes, and the rule that joins them.
//!
//! A lane that ends takes an overdue tick at once; the pacer's alarm serves idle lanes; the backlog is nothing but the
//! distance between the cursor and the present.

use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};

use crate::clock::{Alarm, Nanos};
use crate::protocol::Fault;
use crate::schedule::Arrivals;

/// Index of a lane in its worker.
pub type LaneId = usize;

/// An iteration that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tick {
    /// Global index of the iteration.
    pub seq: u64,
    /// Absolute instant.
    pub due: Nanos,
    /// Until when some lane was idle although work was due.
    pub idle_until: Nanos,
}

impl Tick {
    /// The tick of a user who is due by itself.
    pub fn own(due: Nanos) -> Self {
        Self { seq: 0, due, idle_until: due }
    }
}

/// What a waiting lane is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// Take this tick.
    Take(Tick),
    /// There will be no more.
    Closed,
}

/// Joins ticks and lanes of one worker.
pub struct Dispatcher {
    /// Open model: this worker's arrivals. Closed: none, lanes are due by themselves.
    arrivals: Option<Arrivals>,
    /// Closed model: iterations that may still begin.
    budget: u64,
    t0: Nanos,
    next_due: Nanos,
    closed: bool,
    /// The run's time is over, not only its ticks: nothing that waits is waited for.
    stopped: bool,
    lanes: Vec<Slot>,
    idle: VecDeque<(LaneId, u32)>,
    idle_lanes: usize,
    /// When ticks were last found due with a lane idle.
    idle_until: Nanos,
    down_lanes: usize,
    live_lanes: usize,
    pacer: Alarm,
}

#[derive(Default)]
struct Slot {
    assigned: Option<Tick>,
    waker: Option<Waker>,
    /// Changes whenever the lane leaves the queue, so that its old entries are known to be stale.
    turn: u32,
    idle: bool,
    /// The last attempt to connect failed, with this fault.
    down: Option<Fault>,
}

impl Slot {
    fn wake_with(&mut self, context: &Context<'_>) {
        if !self.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            self.waker = Some(context.waker().clone());
        }
    }
}

impl Dispatcher {
    /// Hands out `arrivals`, for which `pacer` wakes the worker; without them lanes are due by themselves, `budget` times.
    pub fn new(arrivals: Option<Arrivals>, budget: u64, pacer: Alarm) -> Self {
        Self {
            arrivals,
            budget,
            t0: Nanos::NEVER,
            next_due: Nanos::NEVER,
            closed: false,
            stopped: false,
            lanes: Vec::new(),
            idle: VecDeque::new(),
            idle_lanes: 0,
            idle_until: Nanos::ZERO,
            down_lanes: 0,
            live_lanes: 0,
            pacer,
        }
    }

    /// Adds a lane.
    pub fn add_lane(&mut self) -> LaneId {
        self.lanes.push(Slot::default());
        self.live_lanes += 1;
        self.lanes.len() - 1
    }

    /// A lane is gone for good.
    pub fn remove_lane(&mut self, lane: LaneId) {
        self.set_down(lane, None);
        self.leave_queue(lane);
        self.live_lanes -= 1;
    }

    /// Lanes that exist.
    pub fn live_lanes(&self) -> usize {
        self.live_lanes
    }

    /// Time zero is known.
    pub fn begin(&mut self, t0: Nanos) {
        self.t0 = t0;
        self.load_next();
    }

    fn load_next(&mut self) {
        let Some(arrivals) = &mut self.arrivals else { return };
        let due = arrivals.due();
        self.next_due = if due == Nanos::NEVER { due } else { self.t0 + due };
        // Without a number of calls to make, connections are held until the run's time is over, though nothing more is due.
        if self.next_due == Nanos::NEVER && self.budget < u64::MAX {
            self.close();
        }
    }

    /// Whether no more iterations will begin.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// No more iterations begin: tells every waiting lane.
    pub fn close(&mut self) {
        self.closed = true;
        self.pacer.clear();
        for slot in &mut self.lanes {
            if let Some(waker) = slot.waker.take() {
                waker.wake();
            }
        }
    }

    /// Open model: the next tick, when it is due at `now`.
    #[inline]
    pub fn take_overdue(&mut self, now: Nanos) -> Option<Tick> {
        if self.next_due > now || self.closed {
            return None;
        }
        Some(self.take())
    }

    fn take(&mut self) -> Tick {
        let seq = self.arrivals.as_ref().map_or(0, Arrivals::index);
        let tick = Tick { seq, due: self.next_due, idle_until: self.idle_until };
        if let Some(arrivals) = &mut self.arrivals {
            arrivals.advance();
        }
        self.load_next();
        tick
    }

    /// Closed model: permission to begin one more iteration.
    #[inline]
    pub fn spend(&mut self) -> bool {
        if self.closed || self.budget == 0 {
            return false;
        }
        self.budget -= 1;
        if self.budget == 0 {
            // Every other user learns that the run is over; this one still has its iteration.
            self.close();
        }
        true
    }

    /// `lane` waits for a tick.
    pub fn enqueue(&mut self, lane: LaneId) {
        let slot = &mut self.lanes[lane];
        slot.idle = true;
        self.idle.push_back((lane, slot.turn));
        self.idle_lanes += 1;
        if self.idle_lanes == 1 {
            self.pacer.set(self.next_due);
        }
    }

    /// `lane` waits no longer.
    pub fn leave_queue(&mut self, lane: LaneId) {
        let slot = &mut self.lanes[lane];
        if slot.idle {
            slot.idle = false;
            slot.turn = slot.turn.wrapping_add(1);
            self.idle_lanes -= 1;
        }
    }

    /// What `lane`, which waits, is told.
    pub fn poll_told(&mut self, lane: LaneId, context: &mut Context<'_>) -> Poll<Told> {
        let slot = &mut self.lanes[lane];
        if let Some(tick) = slot.assigned.take() {
            return Poll::Ready(Told::Take(tick));
        }
        if self.closed {
            return Poll::Ready(Told::Closed);
        }
        slot.wake_with(context);
        Poll::Pending
    }

    /// Whether the time of the run is over, for `lane`, which is in an iteration that has nothing to do but wait.
    pub fn poll_stopped(&mut self, lane: LaneId, context: &mut Context<'_>) -> Poll<()> {
        if self.stopped {
            return Poll::Ready(());
        }
        self.lanes[lane].wake_with(context);
        Poll::Pending
    }

    /// Notes that the last attempt of `lane` to connect failed, or that it is connected again.
    pub fn set_down(&mut self, lane: LaneId, fault: Option<Fault>) {
        let slot = &mut self.lanes[lane];
        match (slot.down.is_some(), fault.is_some()) {
            (false, true) => self.down_lanes += 1,
            (true, false) => self.down_lanes -= 1,
            _ => {}
        }
        slot.down = fault;
        if self.all_down() {
            self.pacer.set(self.next_due);
        }
    }

    /// No lane has a connection and each has failed to get one: ticks fail as they come due.
    fn all_down(&self) -> bool {
        self.live_lanes > 0 && self.down_lanes == self.live_lanes
    }

    /// Hands every tick that is due at `now` to an idle lane. When all lanes are down, `fail` gets the ticks. Sets the
    /// pacer for the next one.
    pub fn dispatch(&mut self, now: Nanos, mut fail: impl FnMut(Tick, Fault)) {
        if self.idle_lanes > 0 && self.next_due <= now {
            self.idle_until = now;
        }
        while self.next_due <= now && !self.closed {
            if let Some(lane) = self.next_idle() {
                let tick = self.take();
                let slot = &mut self.lanes[lane];
                slot.assigned = Some(tick);
                if let Some(waker) = slot.waker.take() {
                    waker.wake();
                }
            } else if self.all_down() {
                let Some(fault) = self.lanes.iter().find_map(|slot| slot.down) else { break };
                fail(self.take(), fault);
            } else {
                break;
            }
        }
        if self.closed || (self.idle_lanes == 0 && !self.all_down()) {
            self.pacer.clear();
        } else {
            self.pacer.set(self.next_due);
        }
    }

    fn next_idle(&mut self) -> Option<LaneId> {
        while let Some((lane, turn)) = self.idle.pop_front() {
            if self.lanes[lane].idle && self.lanes[lane].turn == turn {
                self.leave_queue(lane);
                return Some(lane);
            }
        }
        None
    }

    /// Waits for the instant at which [`Self::dispatch`] has something to do.
    pub fn poll_pacer(&self, context: &mut Context<'_>) -> Poll<()> {
        self.pacer.poll_rang(context)
    }

    /// Ticks that are due at `now` and find no lane.
    pub fn is_behind(&self, now: Nanos) -> bool {
        self.next_due <= now && self.idle_lanes == 0 && !self.closed
    }

    /// Ticks that were handed to a lane which never came to take them.
    pub fn never_taken(&mut self) -> Vec<Tick> {
        self.lanes.iter_mut().filter_map(|slot| slot.assigned.take()).collect()
    }

    /// Stops at `stop`: what is due before it and finds an idle lane is still sent, the rest goes to `unsent`, with
    /// whether a lane was idle while it was due.
    pub fn stop(&mut self, stop: Nanos, fail: impl FnMut(Tick, Fault), mut unsent: impl FnMut(Nanos, bool)) {
        self.dispatch(stop - Nanos(1), fail);
        while self.next_due < stop && !self.closed {
            let tick = self.take();
            unsent(tick.due, tick.due <= tick.idle_until);
        }
        self.stopped = true;
        self.close();
    }
}
