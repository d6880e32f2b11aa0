//! Where are calls made from? A place for one call at a time, with a session of its own.

mod call;

use std::num::NonZeroU32;
use std::pin::pin;
use std::rc::Rc;

use load_report::fault::FaultKind;
use rand::{RngExt as _, SeedableRng as _};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::dispatch::LaneId;
use super::links::Found;
use super::within::within;
use super::worker::Worker;
use crate::clock::{Alarm, Nanos};
use crate::protocol::{Fault, LinkId, Probe, Protocol, Sharing, Vu};

pub(super) use call::{Course, Unfinished};

/// A place from which a lane makes calls. A lane has one; besides it those that steps with several calls at the same time
/// need.
pub(super) struct Seat<P: Protocol> {
    pub(super) worker: Rc<Worker<P>>,
    lane: LaneId,
    /// Where what it does stands among all that is in flight.
    slot: usize,
    /// Number of its own link over all workers, processes and segments.
    number: u64,
    pub(super) session: Option<P::Session>,
    /// The shared link of the session, and its generation.
    link: Option<(usize, u32)>,
    /// How often it has opened a link of its own.
    generation: u32,
    pub(super) alarm: Alarm,
    /// Calls in a row without waiting.
    pub(super) streak: u32,
    pub(super) note: String,
    /// Since when there is no connection, where there was one.
    lost_at: Option<Nanos>,
}

impl<P: Protocol> Seat<P> {
    /// An empty seat of `lane`.
    pub(super) fn new(worker: Rc<Worker<P>>, lane: LaneId, number: u64) -> Self {
        Self {
            lane,
            slot: worker.add_slot(),
            number,
            session: None,
            link: None,
            generation: 0,
            alarm: worker.clock.alarm(),
            streak: 0,
            note: String::new(),
            lost_at: None,
            worker,
        }
    }

    /// A number from 0 to 1, without 1, drawn for its present link.
    pub(super) fn chance(&self, seed: u64) -> f64 {
        let link = self.number ^ u64::from(self.generation).rotate_right(24);
        Xoshiro256PlusPlus::seed_from_u64(seed ^ link.wrapping_mul(0x9E37_79B9_7F4A_7C15)).random()
    }

    /// Another one of the same lane, number `side` of those besides the first.
    pub(super) fn beside(&self, side: usize) -> Self {
        let number = self.number + (side as u64).saturating_mul(self.worker.plan.max_vus);
        Self::new(Rc::clone(&self.worker), self.lane, number)
    }

    /// Gets a session, on a link of its own or a shared one.
    pub(super) async fn open(&mut self, vu: &Vu) -> Result<(), Fault> {
        // In a box: it is needed for a moment only, and a hundred thousand lanes that hold their connections stay small.
        Box::pin(self.get_session(vu)).await
    }

    async fn get_session(&mut self, vu: &Vu) -> Result<(), Fault> {
        let link = match self.worker.plan.sharing {
            Sharing::Exclusive => {
                self.generation += 1;
                let (index, generation) = (self.number, self.generation - 1);
                self.link = None;
                self.connect(LinkId { index, connections: NonZeroU32::MIN, generation }).await?
            }
            Sharing::Shared { .. } | Sharing::Pool => self.shared_link().await?,
        };
        let worker = &self.worker;
        self.alarm.set(worker.clock.now() + worker.plan.timeout);
        let opened = within(&self.alarm, pin!(worker.protocol.open(link, vu))).await;
        self.session = Some(opened.output.unwrap_or(Err(Fault::fatal(FaultKind::Timeout)))?);
        if let Some(lost_at) = self.lost_at.take() {
            let now = self.worker.clock.now();
            self.worker.recorder.borrow_mut().reconnected(lost_at, now);
        }
        Ok(())
    }

    async fn shared_link(&mut self) -> Result<P::Link, Fault> {
        let worker = Rc::clone(&self.worker);
        let index = self.lane % worker.links.len().max(1);
        let mut waited = false;
        loop {
            match worker.links.find(&worker.protocol, index, waited)? {
                Found::Link(link, generation) => {
                    self.link = Some((index, generation));
                    return Ok(link);
                }
                Found::Wait(changed) => {
                    changed.notified().await;
                    waited = true;
                }
                Found::Open(generation) => {
                    let id = worker.link_id(index, generation - 1);
                    let result = self.connect(id).await;
                    waited = result.is_err();
                    worker.links.opened(index, result);
                }
            }
        }
    }

    /// Opens one link; besides calls that open their own, the series of connection times is fed here alone.
    async fn connect(&mut self, id: LinkId) -> Result<P::Link, Fault> {
        let Self { worker, alarm, note, .. } = self;
        let asked = worker.clock.now();
        let admitted = worker.admission.admit(asked);
        if admitted > asked {
            alarm.set(admitted);
            alarm.wait().await;
        }
        let start = worker.clock.now();
        alarm.set(start + worker.plan.timeout);
        let mut probe = Probe::new(&**worker, note);
        let ended = within(alarm, pin!(worker.protocol.connect(&worker.target, id, &mut probe))).await;
        let result = ended.output.unwrap_or_else(|| {
            note.clear();
            note.push_str("no connection within the timeout");
            Err(Fault::fatal(FaultKind::Connect))
        });
        // Those of a pool are told one by one, by who opens them.
        if worker.plan.sharing != Sharing::Pool || result.is_err() {
            let end = worker.clock.now();
            worker.recorder.borrow_mut().connected(start, end, result.as_ref().err(), note);
        }
        if result.is_ok() {
            worker.add_connections(id.connections.get());
        }
        result
    }

    /// The session is over, and its link with it, but for a pool in which one call `timed_out`.
    fn drop_session(&mut self, timed_out: bool) {
        self.session = None;
        let worker = &self.worker;
        let kept = worker.plan.sharing == Sharing::Pool && timed_out;
        let lost = match self.link {
            Some((index, generation)) if !kept && worker.links.broken(index, generation) => {
                worker.link_id(index, generation).connections.get()
            }
            Some(_) => 0,
            None => 1,
        };
        worker.connections.set(worker.connections.get().saturating_sub(lost));
    }

    /// The connection broke between two calls.
    pub(super) fn lose(&mut self, fault: Fault) {
        let now = self.worker.clock.now();
        self.worker.recorder.borrow_mut().lost_while_idle(now, &fault, &self.note);
        self.drop_session(false);
        self.lost(now);
    }

    /// A connection was lost at `now`.
    pub(super) fn lost(&mut self, now: Nanos) {
        self.worker.recorder.borrow_mut().lost(now);
        self.lost_at.get_or_insert(now);
    }

    /// Ends the session in good order.
    pub(super) async fn leave(&mut self) {
        let Some(session) = self.session.take() else { return };
        let worker = &*self.worker;
        if self.link.is_none() {
            worker.connections.set(worker.connections.get() - 1);
        }
        worker.protocol.close(session, &mut Probe::new(worker, &mut self.note)).await;
    }
}
