//! What is one worker? Its lanes, and the tasks that pace, grow, report and stop them.

mod report;
mod thread;

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::num::NonZeroU32;
use std::rc::Rc;
use std::sync::Arc;

use load_report::model::Segment;
use load_suite::think::Think;
use tokio::sync::{mpsc, watch};
use tokio::task::spawn_local;

use super::admission::Admission;
use super::dispatch::{Dispatcher, LaneId, Tick, Told};
use super::lane::Lane;
use super::lanes::Lanes;
use super::links::Links;
use super::words::{Command, Message};
use crate::clock::{Alarm, Clock, Nanos};
use crate::plan::{Load, RunPlan};
use crate::protocol::{Fault, LinkId, OpId, Protocol, Sharing, Vu};
use crate::record::{Busy, CallTimes, Observer, Recorder, Sinks, Start};
use crate::schedule::{Arrivals, Users};

pub use thread::spawn;

/// What a worker is to do.
pub struct Job<P: Protocol> {
    /// What is sent.
    pub protocol: Arc<P>,
    /// What was learnt about the target.
    pub target: P::Target,
    /// The plan of the process.
    pub plan: Arc<RunPlan>,
    /// Process, counted from 0.
    pub process: u32,
    /// Worker of the process, counted from 0.
    pub worker: u32,
    /// The worker's own part of the run.
    pub segment: Segment,
}

/// What a seat is doing right now.
#[derive(Clone, Copy)]
pub(super) struct InFlight {
    pub(super) op: OpId,
    /// When its iteration was due; none for a call outside any iteration, and where another seat stands for that.
    pub(super) tick: Option<Nanos>,
    pub(super) times: CallTimes,
    /// No call is under way; the seat waits for the next one.
    pub(super) paused: bool,
}

/// What all lanes of a worker share.
pub(super) struct Worker<P: Protocol> {
    pub(super) protocol: Arc<P>,
    pub(super) target: P::Target,
    pub(super) plan: Arc<RunPlan>,
    pub(super) clock: Clock,
    pub(super) dispatcher: RefCell<Dispatcher>,
    pub(super) recorder: RefCell<Recorder>,
    pub(super) links: Links<P>,
    pub(super) in_flight: RefCell<Vec<Option<InFlight>>>,
    /// Connections that are open.
    pub(super) connections: Cell<u32>,
    /// Most of them since the last frame.
    most_connections: Cell<u32>,
    /// Lanes that are at work; in the closed model, users that are active.
    pub(super) active: Cell<u32>,
    /// The most of them since the last frame.
    most_active: Cell<u32>,
    /// The pause that the plan wants, whatever a class of users says.
    pub(super) think: Option<Think>,
    users: Option<Users>,
    pub(super) admission: Admission,
    segment: Segment,
    closed_ticks: Cell<u64>,
    /// Process and worker.
    id: (u32, u32),
    t0: Cell<Nanos>,
    /// The wall clock's lead over ours, ns.
    wall_lead_ns: i64,
    /// Until when frames have been sent.
    reported: Cell<Nanos>,
    busy: RefCell<Busy>,
    messages: mpsc::UnboundedSender<Message>,
}

fn wall_ns() -> i64 {
    i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or_default()
}

/// A worker's whole life, on whatever clock.
pub(super) async fn run<P: Protocol>(
    job: Job<P>,
    clock: Clock,
    mut commands: watch::Receiver<Command>,
    messages: mpsc::UnboundedSender<Message>,
) -> std::io::Result<()> {
    let number = job.worker;
    let worker = Rc::new(Worker::new(job, clock, messages)?);
    let mut lanes = Lanes::new(Rc::clone(&worker));
    let Some(ready) = lanes.connect(&mut commands).await? else { return Ok(()) };
    worker.say(Message::Ready(ready));
    let told = commands.wait_for(|command| *command != Command::Prepare).await.map(|command| *command);
    let Some(t0) = told.ok().and_then(Command::t0) else { return Ok(()) };
    worker.begin(t0);
    let pacer = spawn_local(Rc::clone(&worker).pace());
    let reporter = spawn_local(Rc::clone(&worker).report());
    lanes.work(t0, &mut commands).await?;
    pacer.abort();
    reporter.abort();
    let end = worker.clock.now();
    worker.settle(end);
    worker.send_frame(end);
    worker.recorder.borrow_mut().close_files();
    worker.say(Message::Done { worker: number, end_ns: (end - t0).0 });
    // What is still under way has been counted as abandoned. To end tens of thousands of connections takes a while, for which
    // nobody waits.
    drop(lanes);
    Ok(())
}

impl<P: Protocol> Worker<P> {
    fn new(job: Job<P>, clock: Clock, messages: mpsc::UnboundedSender<Message>) -> std::io::Result<Self> {
        let Job { protocol, target, plan, process, worker, segment } = job;
        let sinks = Sinks::open(&plan, clock.now())?;
        let record = &plan.record;
        let recorder = Recorder::new(record, sinks, Arc::clone(&plan.secrets));
        let limit = record.requests;
        let (arrivals, users, think) = match &plan.load {
            Load::Open { rate, kind } => {
                (Some(Arrivals::new(rate.clone(), *kind, record.seed, segment, limit)), None, None)
            }
            Load::Closed { users, think } => (None, Some(Users::new(users.clone(), segment)), *think),
        };
        let budget = limit.map_or(u64::MAX, |n| segment.share_of(n));
        let links = match plan.sharing {
            Sharing::Exclusive => 0,
            Sharing::Shared { .. } => segment.share_of(plan.connections).max(1) as usize,
            Sharing::Pool => 1,
        };
        Ok(Self {
            dispatcher: RefCell::new(Dispatcher::new(arrivals, budget, clock.alarm())),
            recorder: RefCell::new(recorder),
            links: Links::new(links),
            in_flight: RefCell::default(),
            connections: Cell::new(0),
            most_connections: Cell::new(0),
            active: Cell::new(0),
            most_active: Cell::new(0),
            think,
            users,
            admission: Admission::new(plan.connect_rate, segment.index, segment.of, clock.now()),
            segment,
            closed_ticks: Cell::new(0),
            id: (process, worker),
            t0: Cell::new(Nanos::NEVER),
            wall_lead_ns: wall_ns().saturating_sub(clock.now().0),
            reported: Cell::new(Nanos::NEVER),
            busy: RefCell::new(Busy::start()),
            messages,
            protocol,
            target,
            plan,
            clock,
        })
    }

    /// Users or lanes that this worker starts with, and the most it may come to have.
    pub(super) fn lane_counts(&self) -> (u64, u64) {
        match &self.users {
            Some(users) => (users.len(), users.len()),
            None => (self.segment.share_of(self.plan.vus), self.segment.share_of(self.plan.max_vus)),
        }
    }

    /// Lane number `i` of this worker.
    pub(super) fn lane(self: &Rc<Self>, i: u64) -> Lane<P> {
        let id = self.dispatcher.borrow_mut().add_lane();
        let spans = self.users.as_ref().map_or_else(Vec::new, |users| users.spans(i));
        Lane::new(Rc::clone(self), id, self.segment.global(i), spans)
    }

    /// A place for what one seat has in flight.
    pub(super) fn add_slot(&self) -> usize {
        let mut slots = self.in_flight.borrow_mut();
        slots.push(None);
        slots.len() - 1
    }

    fn begin(&self, t0: Nanos) {
        self.t0.set(t0);
        self.reported.set(t0);
        *self.busy.borrow_mut() = Busy::start();
        self.recorder.borrow_mut().begin(t0);
        self.dispatcher.borrow_mut().begin(t0);
    }

    /// Time zero.
    pub(super) fn t0(&self) -> Nanos {
        self.t0.get()
    }

    pub(super) fn is_closed_model(&self) -> bool {
        self.users.is_some()
    }

    /// What the wall clock said at `now`, ns since 1970; slewing since the worker began is left out.
    #[inline]
    pub(super) fn wall_ns(&self, now: Nanos) -> i64 {
        now.0.saturating_add(self.wall_lead_ns)
    }

    /// The next iteration of a closed run: numbered so that every segment, process and worker has its own.
    pub(super) fn closed_seq(&self) -> u64 {
        let n = self.closed_ticks.get();
        self.closed_ticks.set(n + 1);
        self.segment.global(n)
    }

    /// Of which class `vu` is in its current iteration: in the closed model for ever, in the open model as the arrival
    /// draws, so that the mix of arrivals is that of the weights however slow a class is.
    pub(super) fn class_of(&self, vu: &Vu) -> usize {
        let script = self.protocol.script();
        if self.is_closed_model() { script.class_of(vu.scope.vu) } else { script.class_drawn(&vu.scope) }
    }

    /// Link number `index` of this worker, opened for the `generation`-th time again.
    pub(super) fn link_id(&self, index: usize, generation: u32) -> LinkId {
        let connections = match self.plan.sharing {
            Sharing::Pool => u32::try_from(self.segment.share_of(self.plan.connections)).unwrap_or(u32::MAX),
            Sharing::Exclusive | Sharing::Shared { .. } => 1,
        };
        let connections = NonZeroU32::new(connections).unwrap_or(NonZeroU32::MIN);
        LinkId { index: self.segment.global(index as u64), connections, generation }
    }

    /// An iteration fails without having been sent, because there is no connection.
    pub(super) fn fail_tick(&self, tick: Tick, start: Nanos, now: Nanos, fault: &Fault, note: &str) {
        let mut vu = Vu::new(tick.seq);
        vu.begin(self.plan.record.seed, tick.seq);
        let class = &self.protocol.script().classes()[self.class_of(&vu)];
        // The first call that it would have made.
        let drawn = class.draw(&vu.scope).or(class.tasks.first());
        let first = drawn.and_then(|task| task.steps.first()).and_then(|step| step.calls().next());
        let op = first.map_or(0, |call| call.op);
        let mut recorder = self.recorder.borrow_mut();
        recorder.begun(tick.due);
        recorder.started(&Start {
            seq: tick.seq,
            due: tick.due,
            freed: start,
            idle_until: Nanos::ZERO,
            start,
        });
        let times = CallTimes { seq: tick.seq, due: tick.due, start, end: now };
        recorder.failed(op, &times, fault, note);
        recorder.iteration(tick.due, now, Some(fault.kind));
    }

    /// Hands out what is due at `now`.
    fn dispatch(&self, now: Nanos) {
        let fail = |tick, fault: Fault| self.fail_tick(tick, now, now, &fault, "no connection");
        self.dispatcher.borrow_mut().dispatch(now, fail);
    }

    /// Waits until no more iterations begin, on behalf of `lane`.
    pub(super) async fn closed(&self, lane: LaneId) {
        poll_fn(|context| match self.dispatcher.borrow_mut().poll_told(lane, context) {
            std::task::Poll::Ready(Told::Closed) => std::task::Poll::Ready(()),
            _ => std::task::Poll::Pending,
        })
        .await;
    }

    async fn pace(self: Rc<Self>) {
        loop {
            poll_fn(|context| self.dispatcher.borrow().poll_pacer(context)).await;
            self.dispatch(self.clock.now());
        }
    }

    /// Begins nothing that is due at `stop` or later.
    pub(super) fn stop(&self, stop: Nanos) {
        let fail = |tick, fault: Fault| self.fail_tick(tick, stop, stop, &fault, "no connection");
        let unsent = |due, idle| self.recorder.borrow_mut().unsent(due, idle);
        self.dispatcher.borrow_mut().stop(stop, fail, unsent);
    }

    /// So many `more` connections are open.
    pub(super) fn add_connections(&self, more: u32) {
        let open = self.connections.get() + more;
        self.connections.set(open);
        self.most_connections.set(self.most_connections.get().max(open));
    }

    /// One more lane is at work.
    pub(super) fn add_active(&self) {
        let active = self.active.get() + 1;
        self.active.set(active);
        self.most_active.set(self.most_active.get().max(active));
    }
}

impl<P: Protocol> Observer for Worker<P> {
    fn now(&self) -> Nanos {
        self.clock.now()
    }

    fn alarm(&self) -> Option<Alarm> {
        Some(self.clock.alarm())
    }

    fn observe(&self, extra: usize, ns: u64) {
        let now = self.clock.now();
        self.recorder.borrow_mut().observe(now, extra, ns);
    }

    fn connected(&self, start: Nanos) {
        self.recorder.borrow_mut().connected(start, self.clock.now(), None, "");
    }

    fn fan_out(&self, key: u64, age_ns: u64) {
        self.recorder.borrow_mut().fan_out(key, age_ns);
    }

    fn count(&self, counter: usize, n: u64) {
        let now = self.clock.now();
        self.recorder.borrow_mut().count(now, counter, n);
    }
}
