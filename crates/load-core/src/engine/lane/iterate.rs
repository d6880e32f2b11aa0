//! What happens in one iteration? Its calls in order, each made again while its condition does not hold yet.

use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use load_report::fault::FaultKind;

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

/// What ended the pause between two calls of a step.
enum Pause {
    Over,
    Lost(Fault),
}

impl<P: Protocol> Lane<P> {
    /// Runs the calls of one iteration.
    pub(super) async fn iterate(&mut self, start: Start) {
        let worker = Rc::clone(&self.worker);
        worker.recorder.borrow_mut().started(&start);
        self.vu.begin(worker.plan.record.seed, start.seq);
        let task = worker.pick(&mut self.vu);
        let mut times = CallTimes { seq: start.seq, due: start.due, start: start.start, end: start.start };
        let ended = self.make_calls(&worker, &task.steps, start.due, &mut times).await;
        {
            let mut recorder = worker.recorder.borrow_mut();
            match ended {
                Ok(()) => recorder.iteration(start.due, times.end, None),
                Err(Unfinished(kind)) => recorder.iteration(start.due, times.end, Some(kind)),
            }
        }
        self.vu.scope.iteration += 1;
        self.freed = times.end;
        self.due = times.end + worker.think.draw(worker.plan.record.seed, start.seq);
        if self.streak >= STREAK {
            self.streak = 0;
            tokio::task::yield_now().await;
        }
    }

    /// Makes the calls of `steps` for the iteration that was due at `tick`. `times` are those of the last call.
    async fn make_calls(
        &mut self,
        worker: &Worker<P>,
        steps: &[TaskStep<P::Step>],
        tick: Nanos,
        times: &mut CallTimes,
    ) -> Result<(), Unfinished> {
        for (index, entry) in steps.iter().enumerate() {
            if index > 0 {
                self.go_on(worker, times, times.end, times.end)?;
            }
            let mut left = entry.poll.map_or(1, |poll| poll.at_most);
            while self.make_call(worker, entry, tick, times).await?.pending {
                left = left.saturating_sub(1);
                let Some(poll) = entry.poll.filter(|_| left > 0) else {
                    return Err(Unfinished(FaultKind::Timeout));
                };
                let due = times.end + poll.every;
                worker.in_flight.borrow_mut()[self.id] =
                    Some(InFlight { op: entry.op, tick, times: *times, paused: true });
                let paused = self.pause_until(due).await;
                worker.in_flight.borrow_mut()[self.id] = None;
                match paused {
                    Pause::Over => self.go_on(worker, times, due, worker.clock.now())?,
                    Pause::Lost(fault) => {
                        self.lose_idle(fault);
                        times.end = worker.clock.now();
                        return Err(Unfinished(fault.kind));
                    }
                }
            }
        }
        Ok(())
    }

    /// Begins a call after the first of its iteration, unless the session has ended.
    fn go_on(
        &self,
        worker: &Worker<P>,
        times: &mut CallTimes,
        due: Nanos,
        start: Nanos,
    ) -> Result<(), Unfinished> {
        if self.session.is_none() {
            return Err(Unfinished(FaultKind::Closed));
        }
        (times.due, times.start) = (due, start);
        worker.recorder.borrow_mut().continued(due);
        Ok(())
    }

    /// Makes one call, records it, and drops the session when it ended with it.
    async fn make_call(
        &mut self,
        worker: &Worker<P>,
        entry: &TaskStep<P::Step>,
        tick: Nanos,
        times: &mut CallTimes,
    ) -> Result<Outcome, Unfinished> {
        let Self { vu, session, note, alarm, .. } = self;
        let Some(session) = session.as_mut() else { return Err(Unfinished(FaultKind::Closed)) };
        worker.in_flight.borrow_mut()[self.id] =
            Some(InFlight { op: entry.op, tick, times: *times, paused: false });
        alarm.set(times.start + worker.plan.timeout);
        let mut probe = Probe::new(worker, note);
        let ended = within(alarm, worker.protocol.call(session, &entry.step, vu, &mut probe)).await;
        times.end = worker.clock.now();
        worker.in_flight.borrow_mut()[self.id] = None;
        self.streak = if ended.waited { 0 } else { self.streak + 1 };
        let timed_out = ended.output.is_none();
        let result = ended.output.unwrap_or_else(|| {
            note.clear();
            Err(Fault { ends_session: !P::CANCELS, ..Fault::fatal(FaultKind::Timeout) })
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

    /// Waits until `due`, while the protocol reads what comes by itself. The end of the run's time does not end it: an
    /// iteration that has begun may come to its end until the graceful stop runs out.
    async fn pause_until(&mut self, due: Nanos) -> Pause {
        let Self { worker, session, note, alarm, .. } = self;
        let worker = &**worker;
        let Some(session) = session.as_mut() else { return Pause::Over };
        alarm.set(due);
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
