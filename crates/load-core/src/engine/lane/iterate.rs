//! What happens in one iteration? Its calls in order, each made again while its condition does not hold yet.

use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use load_report::fault::FaultKind;
use load_suite::think::Think;

use super::Lane;
use crate::clock::Nanos;
use crate::engine::within::within;
use crate::engine::worker::{InFlight, Worker};
use crate::protocol::{Fault, Outcome, Probe, Protocol, TaskStep};
use crate::record::{CallTimes, Start};

/// Calls in a row without waiting after which a lane lets the others go.
const STREAK: u32 = 16;

/// Why an iteration failed.
struct Unfinished(FaultKind);

/// What ended the pause between two calls.
enum Pause {
    Over,
    Lost(Fault),
}

/// How far an iteration has come.
struct Course {
    /// When the iteration was due; none outside any iteration.
    tick: Option<Nanos>,
    /// Those of the last call; before the first one, its own.
    times: CallTimes,
    /// No call has been made.
    fresh: bool,
    /// Pause before the next call.
    think: Think,
    /// Under which name the pause counts.
    op: u16,
}

impl Course {
    /// The next call is due at `due` and begins at `start`.
    fn next(&mut self, due: Nanos, start: Nanos) {
        (self.times.due, self.times.start) = (due, start);
    }
}

impl<P: Protocol> Lane<P> {
    /// Runs the calls of one iteration.
    pub(super) async fn iterate(&mut self, start: Start) {
        let worker = Rc::clone(&self.worker);
        worker.recorder.borrow_mut().started(&start);
        self.vu.begin(worker.plan.record.seed, start.seq);
        let times = CallTimes { seq: start.seq, due: start.due, start: start.start, end: start.start };
        let mut course = Course { tick: Some(start.due), times, fresh: true, think: Think::None, op: 0 };
        let class = worker.class_of(&self.vu);
        let ended = self.act(&worker, class, &mut course).await;
        let end = course.times.end;
        {
            let mut recorder = worker.recorder.borrow_mut();
            match ended {
                Ok(()) => recorder.iteration(start.due, end, None),
                Err(Unfinished(kind)) => recorder.iteration(start.due, end, Some(kind)),
            }
        }
        self.vu.scope.iteration += 1;
        self.freed = end;
        let own = worker.protocol.script().classes()[class].think;
        self.due = match worker.think.or(own).filter(|_| worker.is_closed_model()) {
            None | Some(Think::None) => end,
            Some(think) => Nanos(think.after(start.due.0, end.0, self.vu.scope.share())),
        };
        if self.streak >= STREAK {
            self.streak = 0;
            tokio::task::yield_now().await;
        }
    }

    /// A user of `class` runs one task, behind its first steps if it has not made them yet.
    async fn act(&mut self, worker: &Worker<P>, class: usize, course: &mut Course) -> Result<(), Unfinished> {
        let script = &worker.protocol.script().classes()[class];
        if !script.start.is_empty() && !self.started.get(class).is_some_and(|started| *started) {
            self.make_calls(worker, &script.start, course).await?;
        }
        if !(script.start.is_empty() && script.stop.is_empty()) {
            self.started.resize(worker.protocol.script().classes().len(), false);
            self.started[class] = true;
        }
        match script.draw(&self.vu.scope) {
            Some(task) => self.make_calls(worker, &task.steps, course).await,
            None => Ok(()),
        }
    }

    /// The last calls of a user who leaves.
    pub(super) async fn say_goodbye(&mut self) {
        let worker = Rc::clone(&self.worker);
        for (class, started) in std::mem::take(&mut self.started).into_iter().enumerate() {
            let steps = &worker.protocol.script().classes()[class].stop;
            if started && !steps.is_empty() && (P::RESUMES || self.session.is_some()) {
                let now = worker.clock.now();
                let times = CallTimes { seq: self.vu.scope.seq, due: now, start: now, end: now };
                let mut course = Course { tick: None, times, fresh: true, think: Think::None, op: 0 };
                // What fails is counted as a call that failed.
                let _ = self.make_calls(&worker, steps, &mut course).await;
            }
        }
    }

    /// Makes the calls of `steps`.
    async fn make_calls(
        &mut self,
        worker: &Worker<P>,
        steps: &[TaskStep<P::Step>],
        course: &mut Course,
    ) -> Result<(), Unfinished> {
        for entry in steps {
            if !entry.conditions.iter().all(|condition| condition.holds(&self.vu.scope)) {
                continue;
            }
            if !course.fresh {
                let (end, think) = (course.times.end, std::mem::take(&mut course.think));
                if think == Think::None {
                    course.next(end, end);
                } else {
                    let due = Nanos(think.after(end.0, end.0, self.vu.scope.share()));
                    self.pause_until(worker, due, course).await?;
                }
            }
            course.fresh = false;
            course.op = entry.op;
            let (first_due, mut left) = (course.times.due, entry.poll.map_or(1, |poll| poll.at_most));
            loop {
                self.resume(worker, course).await?;
                if !self.make_call(worker, entry, course).await?.pending {
                    break;
                }
                left = left.saturating_sub(1);
                let Some(poll) = entry.poll.filter(|_| left > 0) else {
                    return Err(Unfinished(FaultKind::Timeout));
                };
                self.pause_until(worker, course.times.end + poll.every, course).await?;
            }
            if let Some(series) = entry.poll.and_then(|poll| poll.series) {
                let waited = course.times.end.since(first_due);
                worker.recorder.borrow_mut().observe(course.times.end, series, waited);
            }
            course.think = entry.think;
        }
        Ok(())
    }

    /// Gets a new session when the last one ended and that does no harm. Where there is none to be had, the call that is due
    /// has failed.
    async fn resume(&mut self, worker: &Worker<P>, course: &mut Course) -> Result<(), Unfinished> {
        if self.session.is_some() {
            return Ok(());
        }
        if !P::RESUMES {
            return Err(Unfinished(FaultKind::Closed));
        }
        self.set_paused(worker, course);
        let opened = self.open().await;
        worker.in_flight.borrow_mut()[self.id] = None;
        let now = worker.clock.now();
        let Err(fault) = opened else {
            course.times.start = now;
            return Ok(());
        };
        course.times.end = now;
        let mut recorder = worker.recorder.borrow_mut();
        recorder.begun(course.times.due);
        recorder.failed(course.op, &course.times, &fault, &self.note);
        Err(Unfinished(fault.kind))
    }

    /// Makes one call, records it, and drops the session when it ended with it.
    async fn make_call(
        &mut self,
        worker: &Worker<P>,
        entry: &TaskStep<P::Step>,
        course: &mut Course,
    ) -> Result<Outcome, Unfinished> {
        let Self { vu, session, note, alarm, .. } = self;
        let times = &mut course.times;
        let Some(session) = session.as_mut() else { return Err(Unfinished(FaultKind::Closed)) };
        worker.recorder.borrow_mut().begun(times.due);
        worker.in_flight.borrow_mut()[self.id] =
            Some(InFlight { op: entry.op, tick: course.tick, times: *times, paused: false });
        vu.scope.now_ns = worker.wall_ns(times.start);
        alarm.set(times.start + entry.timeout.unwrap_or(worker.plan.timeout));
        let mut probe = Probe::new(worker, note);
        let ended = within(alarm, worker.protocol.call(session, &entry.step, vu, &mut probe)).await;
        times.end = worker.clock.now();
        worker.in_flight.borrow_mut()[self.id] = None;
        self.streak = if ended.waited { 0 } else { self.streak + 1 };
        let timed_out = ended.output.is_none();
        let result = ended.output.unwrap_or_else(|| {
            note.clear();
            Err(Fault { ends_session: !worker.protocol.cancels(), ..Fault::fatal(FaultKind::Timeout) })
        });
        match &result {
            Ok(outcome) => worker.recorder.borrow_mut().ok(entry.op, times, outcome),
            Err(fault) => worker.recorder.borrow_mut().failed(entry.op, times, fault, note),
        }
        if result.map_or_else(|fault| fault.ends_session, |outcome| outcome.ends_session) {
            self.drop_session(timed_out);
        }
        result.map_err(|fault| Unfinished(fault.kind))
    }

    /// Waits until the next call is due at `due`, while the protocol reads what comes by itself. The end of the run's time
    /// does not end it: an iteration that has begun may come to its end until the graceful stop runs out.
    async fn pause_until(
        &mut self,
        worker: &Worker<P>,
        due: Nanos,
        course: &mut Course,
    ) -> Result<(), Unfinished> {
        self.set_paused(worker, course);
        let paused = self.pause(due).await;
        worker.in_flight.borrow_mut()[self.id] = None;
        course.next(due, worker.clock.now());
        let Pause::Lost(fault) = paused else { return Ok(()) };
        self.lose_idle(fault);
        if !P::RESUMES {
            course.times.end = course.times.start;
            return Err(Unfinished(fault.kind));
        }
        // The rest of the pause passes without a connection.
        self.set_paused(worker, course);
        self.alarm.set(due);
        self.alarm.wait().await;
        worker.in_flight.borrow_mut()[self.id] = None;
        course.next(due, worker.clock.now());
        Ok(())
    }

    /// The lane is between two calls of an iteration.
    fn set_paused(&self, worker: &Worker<P>, course: &Course) {
        worker.in_flight.borrow_mut()[self.id] =
            Some(InFlight { op: course.op, tick: course.tick, times: course.times, paused: true });
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
