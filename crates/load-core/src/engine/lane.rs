//! What does one lane do? Gets a session, takes a tick, makes its calls, and so on until there are no more ticks.

mod hold;
mod iterate;
mod parallel;

use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use tokio::sync::watch;

use super::backoff::Backoff;
use super::dispatch::{LaneId, Tick, Told};
use super::seat::Seat;
use super::worker::Worker;
use crate::clock::Nanos;
use crate::protocol::{Fault, Probe, Protocol, Vu};
use crate::record::Start;

/// A connection that was open for so long, ns, is not one that the target refuses in its own way.
const SETTLED: u64 = 1_000_000_000;

/// A slot of the engine: one iteration at a time.
pub(super) struct Lane<P: Protocol> {
    worker: Rc<Worker<P>>,
    id: LaneId,
    vu: Vu,
    seat: Seat<P>,
    /// Seats for calls at the same time as one from the lane's own, since the first step that needed them.
    sides: Vec<Seat<P>>,
    backoff: Backoff,
    /// When the last call ended, or the lane became ready.
    freed: Nanos,
    /// When the user's next iteration is due; closed model.
    due: Nanos,
    /// When the user is active, from the last span to the first; closed model.
    spans: Vec<(Nanos, Nanos)>,
    /// Of which classes this lane has made the first steps.
    started: Vec<bool>,
    /// Counted among the active ones.
    active: bool,
    /// The last iteration has ended the user's visit.
    away: bool,
    /// When its connection was opened, and when it is to be replaced.
    opened: Nanos,
    retire: Nanos,
    /// The last connection ended by itself soon after it was there: another one waits for a while.
    hurt: bool,
}

/// What ended the wait of an idle lane.
enum Waited {
    Told(Told),
    Retired,
    Lost(Fault),
}

/// What comes next for a lane.
enum Next {
    Tick(Start),
    Retired,
    /// The user's time is over.
    Over,
    Lost(Fault),
    Closed,
}

impl<P: Protocol> Lane<P> {
    pub(super) fn new(
        worker: Rc<Worker<P>>,
        id: LaneId,
        number: u64,
        mut spans: Vec<(Nanos, Nanos)>,
    ) -> Self {
        spans.reverse();
        Self {
            id,
            vu: Vu::new(number),
            seat: Seat::new(Rc::clone(&worker), id, number),
            sides: Vec::new(),
            backoff: Backoff::new(worker.plan.record.seed ^ number),
            freed: Nanos::ZERO,
            due: Nanos::ZERO,
            spans,
            started: Vec::new(),
            active: false,
            away: false,
            opened: Nanos::ZERO,
            retire: Nanos::NEVER,
            hurt: false,
            worker,
        }
    }

    /// Before time zero: connects, unless the user becomes active only later.
    pub(super) async fn connect_first(&mut self) -> Result<(), (Fault, String)> {
        if self.spans.last().is_some_and(|span| span.0 > Nanos::ZERO) {
            return Ok(());
        }
        self.open().await.map_err(|fault| (fault, self.seat.note.clone()))
    }

    /// Gets a session, and draws how long its connection lives.
    async fn open(&mut self) -> Result<(), Fault> {
        self.seat.open(&self.vu).await?;
        self.opened = self.worker.clock.now();
        if let Some(lifetime) = self.worker.plan.lifetime {
            let (now, chance) = (self.opened.0, self.seat.chance(self.worker.plan.record.seed));
            self.retire = Nanos(lifetime.after(now, now, chance));
        }
        Ok(())
    }

    /// Waits for time zero, while the protocol reads what comes by itself. None when the run is given up.
    pub(super) async fn hold(&mut self, go: &mut watch::Receiver<Option<Nanos>>) -> Option<Nanos> {
        loop {
            let Seat { worker, session, note, .. } = &mut self.seat;
            let worker = &**worker;
            let Some(session) = session.as_mut() else {
                return go.wait_for(Option::is_some).await.map_or(None, |t0| *t0);
            };
            let mut probe = Probe::new(worker, note);
            let fault = tokio::select! {
                biased;
                t0 = go.wait_for(Option::is_some) => return t0.map_or(None, |t0| *t0),
                fault = worker.protocol.idle(session, &mut probe) => fault,
            };
            self.lose_idle(fault);
        }
    }

    /// From time zero on.
    pub(super) async fn run(&mut self, t0: Nanos) {
        // Before time zero: the first ticks are handed out like all others, when they are due.
        self.freed = self.worker.clock.now();
        for span in &mut self.spans {
            *span = (t0 + span.0, t0 + span.1);
        }
        while self.step().await {}
        self.leave().await;
        self.worker.dispatcher.borrow_mut().remove_lane(self.id);
    }

    /// Counts the lane in or out among the active ones.
    fn set_active(&mut self, active: bool) {
        let worker = &self.worker;
        match (std::mem::replace(&mut self.active, active), active) {
            (false, true) => worker.add_active(),
            (true, false) => worker.active.set(worker.active.get() - 1),
            _ => {}
        }
    }

    /// One round; false when there is nothing more to do.
    async fn step(&mut self) -> bool {
        if self.worker.is_closed_model() && !self.become_active().await {
            return false;
        }
        self.set_active(true);
        if self.freed >= self.retire {
            self.retire = Nanos::NEVER;
            if P::VISITS {
                self.say_goodbye().await;
            }
            self.seat.leave().await;
        }
        if self.seat.session.is_none() {
            let was_away = std::mem::take(&mut self.away) && self.worker.is_closed_model();
            if was_away && self.due > self.freed {
                let end = self.spans.last().map_or(Nanos::NEVER, |span| span.1);
                if self.sleep_until(self.due.min(end)).await == Told::Closed {
                    return false;
                }
                self.freed = self.worker.clock.now();
                if self.freed >= end {
                    // The user's time has ended; nobody comes back.
                    return true;
                }
            }
            let hurt = std::mem::take(&mut self.hurt);
            if hurt {
                let again = self.freed + self.backoff.pause();
                if self.sleep_until(again).await == Told::Closed {
                    return false;
                }
            }
            let worker = Rc::clone(&self.worker);
            let (id, began) = (self.id, worker.clock.now());
            let opened = tokio::select! {
                biased;
                opened = self.open() => opened,
                // Only calls are waited for at the end, not connections.
                () = worker.closed(id) => return false,
            };
            if let Err(fault) = opened {
                return self.stay_down(began, fault).await;
            }
            self.worker.dispatcher.borrow_mut().set_down(self.id, None);
            if !hurt {
                self.backoff.reset();
            }
            self.freed = self.worker.clock.now();
            if P::VISITS {
                self.started.clear();
                // Connecting is a series of its own, and no wait for the target.
                self.due = if was_away { self.due.max(self.freed) } else { self.due };
            }
        }
        match self.next().await {
            Next::Closed => return false,
            Next::Retired => self.freed = self.worker.clock.now(),
            Next::Over => {
                self.leave().await;
                return !self.spans.is_empty();
            }
            Next::Lost(fault) => self.lose_idle(fault),
            Next::Tick(start) => self.iterate(start).await,
        }
        true
    }

    /// Closed model: waits until the user is active; false when it never will be again.
    async fn become_active(&mut self) -> bool {
        loop {
            let Some(&(begin, end)) = self.spans.last() else { return false };
            if self.freed < end {
                if self.freed >= begin {
                    // Who came late was due all the same.
                    self.due = self.due.max(begin);
                    return true;
                }
                self.due = begin;
                if self.sleep_until(begin).await == Told::Closed {
                    return false;
                }
                self.freed = self.worker.clock.now();
                return true;
            }
            self.spans.pop();
            self.leave().await;
        }
    }

    /// The user goes away, and so does its connection.
    async fn leave(&mut self) {
        self.say_goodbye().await;
        self.set_active(false);
        self.seat.leave().await;
        for side in &mut self.sides {
            side.leave().await;
        }
    }

    /// Waits until `at`, unless the run is over before.
    async fn sleep_until(&mut self, at: Nanos) -> Told {
        self.seat.alarm.set(at);
        let (worker, alarm, id) = (&self.worker, &self.seat.alarm, self.id);
        poll_fn(|context| match worker.dispatcher.borrow_mut().poll_told(id, context) {
            Poll::Ready(Told::Closed) => Poll::Ready(Told::Closed),
            _ => alarm.poll_rang(context).map(|()| Told::Take(Tick::own(at))),
        })
        .await
    }

    /// The next iteration of this lane.
    async fn next(&mut self) -> Next {
        if self.worker.is_closed_model() { self.next_closed().await } else { self.next_open().await }
    }

    async fn next_open(&mut self) -> Next {
        let freed = self.freed;
        {
            let mut dispatcher = self.worker.dispatcher.borrow_mut();
            if let Some(Tick { seq, due, idle_until }) = dispatcher.take_overdue(freed) {
                return Next::Tick(Start { seq, due, freed, idle_until, start: freed });
            }
            dispatcher.enqueue(self.id);
        }
        let ended = match self.wait_idle(None).await {
            Waited::Told(Told::Take(Tick { seq, due, idle_until })) => {
                return Next::Tick(Start { seq, due, freed, idle_until, start: self.worker.clock.now() });
            }
            Waited::Told(Told::Closed) => return Next::Closed,
            Waited::Retired => Next::Retired,
            Waited::Lost(fault) => Next::Lost(fault),
        };
        self.worker.dispatcher.borrow_mut().leave_queue(self.id);
        ended
    }

    async fn next_closed(&mut self) -> Next {
        // Until its time is over, a user listens, though nothing more may be due.
        let end = self.spans.last().map_or(Nanos::NEVER, |span| span.1);
        let (due, mut start) = (self.due.min(end), self.freed);
        if due > self.freed {
            match self.wait_idle(Some(due)).await {
                Waited::Told(Told::Take(_)) => start = self.worker.clock.now(),
                Waited::Told(Told::Closed) => return Next::Closed,
                Waited::Retired => return Next::Retired,
                Waited::Lost(fault) => return Next::Lost(fault),
            }
        }
        if self.spans.last().is_none_or(|span| start >= span.1)
            || !self.worker.dispatcher.borrow_mut().spend()
        {
            // The span's end is seen by `become_active`.
            return if self.worker.dispatcher.borrow().is_closed() {
                Next::Closed
            } else {
                self.span_over(start)
            };
        }
        Next::Tick(Start { seq: self.worker.closed_seq(), due, freed: self.freed, idle_until: due, start })
    }

    /// The user's time ended while it was waiting.
    fn span_over(&mut self, now: Nanos) -> Next {
        self.freed = now;
        self.spans.pop();
        Next::Over
    }

    /// Waits for a tick, or until `due`, or until the connection is to be replaced, while the protocol reads what comes by
    /// itself.
    async fn wait_idle(&mut self, due: Option<Nanos>) -> Waited {
        let until = due.unwrap_or(Nanos::NEVER).min(self.retire);
        if until != Nanos::NEVER {
            self.seat.alarm.set(until);
        }
        let id = self.id;
        let Seat { worker, session, note, alarm, .. } = &mut self.seat;
        let worker = &**worker;
        let mut probe = Probe::new(worker, note);
        let Some(session) = session.as_mut() else { return Waited::Told(Told::Closed) };
        let mut idle = pin!(worker.protocol.idle(session, &mut probe));
        poll_fn(|context| {
            if let Poll::Ready(told) = worker.dispatcher.borrow_mut().poll_told(id, context) {
                return Poll::Ready(Waited::Told(told));
            }
            if until != Nanos::NEVER && alarm.poll_rang(context).is_ready() {
                let due = due.filter(|due| *due == until);
                return Poll::Ready(
                    due.map_or(Waited::Retired, |due| Waited::Told(Told::Take(Tick::own(due)))),
                );
            }
            idle.as_mut().poll(context).map(Waited::Lost)
        })
        .await
    }

    /// The connection broke between two calls.
    fn lose_idle(&mut self, fault: Fault) {
        if self.seat.session.is_some() {
            self.seat.lose(fault);
            self.freed = self.worker.clock.now();
            self.hurt = self.freed.since(self.opened) < SETTLED;
        }
    }

    /// The attempt to connect that began at `began` failed: one due iteration fails with it, then a pause.
    async fn stay_down(&mut self, began: Nanos, fault: Fault) -> bool {
        let now = self.worker.clock.now();
        let closed_model = self.worker.is_closed_model();
        let tick = {
            let mut dispatcher = self.worker.dispatcher.borrow_mut();
            dispatcher.set_down(self.id, Some(fault));
            if closed_model {
                dispatcher.spend().then(|| Tick { seq: self.worker.closed_seq(), ..Tick::own(began) })
            } else {
                dispatcher.take_overdue(now)
            }
        };
        if let Some(tick) = tick {
            self.worker.fail_tick(tick, began.max(tick.due), now, &fault, &self.seat.note);
        }
        self.freed = now;
        let pause = self.backoff.pause();
        // Closed model: the next attempt is the next iteration, due after the pause.
        self.due = now + pause;
        if self.sleep_until(now + pause).await == Told::Closed {
            return false;
        }
        self.freed = self.worker.clock.now();
        true
    }
}
