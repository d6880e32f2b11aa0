//! How is one call made and recorded? With a session that is replaced when it has ended, again while its condition does not
//! hold.

use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use load_report::fault::FaultKind;
use load_suite::think::Think;

use super::Seat;
use crate::clock::Nanos;
use crate::engine::within::within;
use crate::engine::worker::InFlight;
use crate::protocol::{Call, Fault, Outcome, Probe, Protocol, Vu};
use crate::record::CallTimes;

/// Why an iteration failed.
#[derive(Clone, Copy)]
pub(in crate::engine) struct Unfinished(pub(in crate::engine) FaultKind);

/// What ended the pause between two calls.
enum Pause {
    Over,
    Lost(Fault),
}

/// How far an iteration has come.
pub(in crate::engine) struct Course {
    /// When the iteration was due; none for calls that do not stand for one.
    pub(in crate::engine) tick: Option<Nanos>,
    /// Those of the last call; before the first one, its own.
    pub(in crate::engine) times: CallTimes,
    /// No call has been made.
    pub(in crate::engine) fresh: bool,
    /// Pause before the next call.
    pub(in crate::engine) think: Think,
    /// Pause behind the iteration; none where its last step was left out.
    pub(in crate::engine) behind: Think,
    /// Under which name the pause counts.
    pub(in crate::engine) op: u16,
    /// A session that has ended may be replaced.
    pub(in crate::engine) resumes: bool,
    /// How the first of the steps failed behind which the iteration went on.
    pub(in crate::engine) failed: Option<FaultKind>,
}

impl Course {
    /// Before the first call, which has these `times`.
    pub(in crate::engine) fn new<P: Protocol>(tick: Option<Nanos>, times: CallTimes) -> Self {
        let (think, behind) = (Think::None, Think::None);
        Self { tick, times, fresh: true, think, behind, op: 0, resumes: P::RESUMES, failed: None }
    }

    /// The next call is due at `due` and begins at `start`.
    pub(in crate::engine) fn next(&mut self, due: Nanos, start: Nanos) {
        (self.times.due, self.times.start) = (due, start);
    }
}

impl<P: Protocol> Seat<P> {
    /// Makes a call, again and again while its condition does not hold.
    pub(in crate::engine) async fn call(
        &mut self,
        vu: &mut Vu,
        call: &Call<P::Step>,
        course: &mut Course,
    ) -> Result<(), Unfinished> {
        course.op = call.op;
        let (first_due, mut left) = (course.times.due, call.poll.map_or(1, |poll| poll.at_most));
        loop {
            if call.poll.is_some() {
                vu.scope.looks_again = left > 1;
            }
            self.resume(vu, course).await?;
            if !self.make_call(vu, call, course).await?.pending {
                break;
            }
            left = left.saturating_sub(1);
            let Some(poll) = call.poll.filter(|_| left > 0) else {
                return Err(Unfinished(FaultKind::Timeout));
            };
            self.pause_until(course.times.end + poll.every, course).await?;
        }
        if let Some(series) = call.poll.and_then(|poll| poll.series) {
            let waited = course.times.end.since(first_due);
            self.worker.recorder.borrow_mut().observe(course.times.end, series, waited);
        }
        Ok(())
    }

    /// Gets a new session when the last one ended and that does no harm. Where there is none to be had, the call that is due
    /// has failed.
    async fn resume(&mut self, vu: &Vu, course: &mut Course) -> Result<(), Unfinished> {
        if self.session.is_some() {
            return Ok(());
        }
        if !course.resumes {
            return Err(Unfinished(FaultKind::Closed));
        }
        self.set_paused(course);
        let opened = self.open(vu).await;
        self.set_flight(None);
        let now = self.worker.clock.now();
        let Err(fault) = opened else {
            course.times.start = now;
            return Ok(());
        };
        course.times.end = now;
        let mut recorder = self.worker.recorder.borrow_mut();
        recorder.begun(course.times.due);
        recorder.failed(course.op, &course.times, &fault, &self.note);
        Err(Unfinished(fault.kind))
    }

    /// Makes one call, records it, and drops the session when it ended with it.
    async fn make_call(
        &mut self,
        vu: &mut Vu,
        call: &Call<P::Step>,
        course: &mut Course,
    ) -> Result<Outcome, Unfinished> {
        let Self { worker, session, note, alarm, slot, .. } = self;
        let worker = &**worker;
        let times = &mut course.times;
        let Some(session) = session.as_mut() else { return Err(Unfinished(FaultKind::Closed)) };
        worker.recorder.borrow_mut().begun(times.due);
        worker.in_flight.borrow_mut()[*slot] =
            Some(InFlight { op: call.op, tick: course.tick, times: *times, paused: false });
        vu.scope.now_ns = worker.wall_ns(times.start);
        alarm.set(times.start + call.timeout.unwrap_or(worker.plan.timeout));
        let mut probe = Probe::new(worker, note);
        let ended = within(alarm, pin!(worker.protocol.call(session, &call.step, vu, &mut probe))).await;
        times.end = worker.clock.now();
        worker.in_flight.borrow_mut()[*slot] = None;
        self.streak = if ended.waited { 0 } else { self.streak + 1 };
        let timed_out = ended.output.is_none();
        let result = ended.output.unwrap_or_else(|| {
            note.clear();
            Err(Fault { ends_session: !worker.protocol.cancels(), ..Fault::fatal(FaultKind::Timeout) })
        });
        match &result {
            Ok(outcome) => worker.recorder.borrow_mut().ok(call.op, times, outcome),
            Err(fault) => worker.recorder.borrow_mut().failed(call.op, times, fault, note),
        }
        if result.map_or_else(|fault| fault.ends_session, |outcome| outcome.ends_session) {
            self.drop_session(timed_out);
            if result.is_err() {
                self.lost(course.times.end);
            }
        }
        result.map_err(|fault| Unfinished(fault.kind))
    }

    /// Waits until the next call is due at `due`, while the protocol reads what comes by itself. The end of the run's time
    /// does not end it: an iteration that has begun may come to its end until the graceful stop runs out.
    pub(in crate::engine) async fn pause_until(
        &mut self,
        due: Nanos,
        course: &mut Course,
    ) -> Result<(), Unfinished> {
        self.set_paused(course);
        let paused = self.pause(due).await;
        self.set_flight(None);
        course.next(due, self.worker.clock.now());
        let Pause::Lost(fault) = paused else { return Ok(()) };
        self.lose(fault);
        if !course.resumes {
            course.times.end = course.times.start;
            return Err(Unfinished(fault.kind));
        }
        // The rest of the pause passes without a connection.
        self.set_paused(course);
        self.alarm.set(due);
        self.alarm.wait().await;
        self.set_flight(None);
        course.next(due, self.worker.clock.now());
        Ok(())
    }

    /// The iteration goes on, but for now without a call from this seat.
    pub(in crate::engine) fn set_paused(&self, course: &Course) {
        self.set_flight(Some(InFlight {
            op: course.op,
            tick: course.tick,
            times: course.times,
            paused: true,
        }));
    }

    /// What is under way from this seat; nothing when the iteration ends or its next call begins at once.
    pub(in crate::engine) fn set_flight(&self, flight: Option<InFlight>) {
        self.worker.in_flight.borrow_mut()[self.slot] = flight;
    }

    /// Finds out whether the session, to which nobody has listened for a while, has ended meanwhile.
    pub(in crate::engine) fn look(&mut self) {
        let Self { worker, session, note, .. } = self;
        let Some(session) = session.as_mut() else { return };
        let mut probe = Probe::new(&**worker, note);
        let mut context = Context::from_waker(Waker::noop());
        let looked = pin!(worker.protocol.idle(session, &mut probe)).poll(&mut context);
        if let Poll::Ready(fault) = looked {
            self.lose(fault);
        }
    }

    async fn pause(&mut self, due: Nanos) -> Pause {
        let Self { worker, session, note, alarm, .. } = self;
        let worker = &**worker;
        alarm.set(due);
        let Some(session) = session.as_mut() else {
            alarm.wait().await;
            return Pause::Over;
        };
        let mut probe = Probe::new(worker, note);
        let mut idle = pin!(worker.protocol.idle(session, &mut probe));
        poll_fn(|context| {
            if alarm.poll_rang(context).is_ready() {
                return Poll::Ready(Pause::Over);
            }
            idle.as_mut().poll(context).map(Pause::Lost)
        })
        .await
    }
}
