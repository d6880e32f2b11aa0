//! What happens in one iteration? Its steps in order.

use std::rc::Rc;

use load_suite::think::Think;

use super::Lane;
use crate::clock::Nanos;
use crate::engine::seat::{Course, Unfinished};
use crate::engine::worker::Worker;
use crate::protocol::{Act, Protocol, TaskStep};
use crate::record::{CallTimes, Start};

/// Calls in a row without waiting after which a lane lets the others go.
const STREAK: u32 = 16;

impl<P: Protocol> Lane<P> {
    /// Runs the calls of one iteration.
    pub(super) async fn iterate(&mut self, start: Start) {
        let worker = Rc::clone(&self.worker);
        worker.recorder.borrow_mut().started(&start);
        self.vu.begin(worker.plan.record.seed, start.seq);
        let times = CallTimes { seq: start.seq, due: start.due, start: start.start, end: start.start };
        let mut course = Course::new::<P>(Some(start.due), times);
        let class = worker.class_of(&self.vu);
        let ended = self.act(&worker, class, &mut course).await;
        let end = course.times.end;
        {
            let mut recorder = worker.recorder.borrow_mut();
            match ended {
                Ok(()) => recorder.iteration(start.due, end, course.failed),
                Err(Unfinished(kind)) => recorder.iteration(start.due, end, Some(kind)),
            }
        }
        self.away = P::VISITS && ended.is_ok() && self.seat.session.is_none();
        self.vu.scope.iteration += 1;
        self.freed = end;
        let own = worker.protocol.script().classes()[class].think;
        // That of the last step, where it has one, is nearer than that of the class.
        let own = if course.behind == Think::None { own } else { Some(course.behind) };
        self.due = match worker.think.or(own).filter(|_| worker.is_closed_model()) {
            None | Some(Think::None) => end,
            Some(think) => Nanos(think.after(start.due.0, end.0, self.vu.scope.share())),
        };
        if self.seat.streak >= STREAK {
            self.seat.streak = 0;
            tokio::task::yield_now().await;
        }
    }

    /// A user of `class` runs one task, behind its first steps if it has not made them yet.
    async fn act(&mut self, worker: &Worker<P>, class: usize, course: &mut Course) -> Result<(), Unfinished> {
        let script = &worker.protocol.script().classes()[class];
        if !script.start.is_empty() && !self.started.get(class).is_some_and(|started| *started) {
            self.take_steps(&script.start, course).await?;
        }
        if !(script.start.is_empty() && script.stop.is_empty()) {
            self.started.resize(worker.protocol.script().classes().len(), false);
            self.started[class] = true;
        }
        match script.draw(&self.vu.scope) {
            Some(task) => self.take_steps(&task.steps, course).await,
            None => Ok(()),
        }
    }

    /// The last calls of a user who leaves.
    pub(super) async fn say_goodbye(&mut self) {
        let worker = Rc::clone(&self.worker);
        for (class, started) in std::mem::take(&mut self.started).into_iter().enumerate() {
            let steps = &worker.protocol.script().classes()[class].stop;
            if started && !steps.is_empty() && (P::RESUMES || self.seat.session.is_some()) {
                let now = worker.clock.now();
                let times = CallTimes { seq: self.vu.scope.seq, due: now, start: now, end: now };
                // What fails is counted as a call that failed.
                let _ = self.take_steps(steps, &mut Course::new::<P>(None, times)).await;
            }
        }
    }

    /// Takes `steps`, one after the other.
    async fn take_steps(
        &mut self,
        steps: &[TaskStep<P::Step>],
        course: &mut Course,
    ) -> Result<(), Unfinished> {
        course.behind = Think::None;
        let mut behind = Think::None;
        for step in steps {
            behind = Think::None;
            if !step.is_possible(&self.vu.scope) {
                continue;
            }
            if !course.fresh {
                let (end, think) = (course.times.end, std::mem::take(&mut course.think));
                if think == Think::None {
                    course.next(end, end);
                } else {
                    let due = Nanos(think.after(end.0, end.0, self.vu.scope.share()));
                    self.seat.pause_until(due, course).await?;
                }
            }
            course.fresh = false;
            let done = match &step.act {
                Act::Call(call) => self.seat.call(&mut self.vu, call, course).await,
                // In a box, so that lanes of other scripts stay small.
                Act::Parallel(group) => Box::pin(self.at_once(group, course)).await,
                Act::Hold(hold) => Box::pin(self.hold_on(hold, course)).await,
                Act::Pause => {
                    // The pause before it has been made: its own begins where that ends.
                    course.times.end = course.times.start;
                    Ok(())
                }
            };
            if let Err(Unfinished(kind)) = done {
                // Without a connection nothing can be done.
                let there = self.seat.session.is_some() || course.resumes;
                let Some(slots) = step.goes_on.as_ref().filter(|_| there) else {
                    return Err(Unfinished(kind));
                };
                slots.iter().for_each(|slot| self.vu.scope.vars.set(*slot, b""));
                course.failed = course.failed.or(Some(kind));
            }
            (course.think, behind) = (step.think, step.think);
        }
        course.behind = behind;
        Ok(())
    }
}
