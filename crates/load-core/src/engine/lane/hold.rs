//! How does a user hold its connection? What comes by itself is read, and calls are made when they are due.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use load_report::fault::FaultKind;

use super::Lane;
use crate::clock::Nanos;
use crate::engine::seat::{Course, Seat, Unfinished};
use crate::protocol::{Fault, Hold, Probe, Protocol, Timer};

/// What ended the wait for the next call.
enum Woken {
    Due,
    /// What is waited for has come.
    Come,
    /// The time of the run is over.
    Stopped,
    Lost(Fault),
}

impl<P: Protocol> Lane<P> {
    /// Holds the connection as `hold` says. Which call is the next one follows from the time since its begin: nothing is kept
    /// for a timer. What is waited for and does not come in the time of the hold is a fault; that the user or the run has no more time
    /// is none.
    pub(super) async fn hold_on(
        &mut self,
        hold: &Hold<P::Step>,
        course: &mut Course,
    ) -> Result<(), Unfinished> {
        if self.seat.session.is_none() {
            return Err(Unfinished(FaultKind::Closed));
        }
        let begin = course.times.start;
        let whole = Nanos(hold.lasts.after(begin.0, begin.0, self.vu.scope.share()));
        // A user who is active no longer holds nothing.
        let end = self.spans.last().map_or(whole, |span| whole.min(span.1));
        let (mut past, mut done) = (Nanos(-1), 0);
        loop {
            // Those that are due at one instant are called in their order.
            let next = |(index, timer): (usize, &Timer<P::Step>)| {
                let after = if index < done { past } else { Nanos(past.0 - 1) };
                (timer.next(after), index)
            };
            let next = hold.timers.iter().enumerate().map(next).min();
            let next = next.map(|(since, index)| (begin + since, index)).filter(|(at, _)| *at < end);
            match self.listen(hold.until.as_ref(), next.map_or(end, |(at, _)| at), course).await {
                Woken::Due => {}
                Woken::Stopped => break,
                Woken::Come => {
                    if let Some(series) = hold.series {
                        let now = self.worker.clock.now();
                        self.worker.recorder.borrow_mut().observe(now, series, now.since(begin));
                    }
                    break;
                }
                Woken::Lost(fault) => {
                    self.seat.lose(fault);
                    course.times.end = self.worker.clock.now();
                    return Err(Unfinished(fault.kind));
                }
            }
            let Some((due, index)) = next else {
                if hold.until.is_none() || end < whole {
                    break;
                }
                course.times.end = self.worker.clock.now();
                self.worker.recorder.borrow_mut().missed(course.times.end, &hold.missed);
                return Err(Unfinished(FaultKind::Timeout));
            };
            (past, done) = (Nanos(due.0 - begin.0), index + 1);
            let Some(call) = hold.timers[index].draw(&self.vu.scope) else { continue };
            course.next(due, self.worker.clock.now());
            // In a box of its own: most of the time the connection is held and nothing is called.
            let called = Box::pin(self.seat.call(&mut self.vu, call, course)).await;
            // It has failed by itself; the user goes on where the connection does.
            if let (Err(unfinished), None) = (called, &self.seat.session) {
                return Err(unfinished);
            }
        }
        course.times.end = self.worker.clock.now();
        Ok(())
    }

    /// Reads what comes by itself until `at`, or until what is waited for comes.
    async fn listen(&mut self, until: Option<&P::Step>, at: Nanos, course: &Course) -> Woken {
        self.seat.set_paused(course);
        let id = self.id;
        let Seat { worker, session, note, alarm, .. } = &mut self.seat;
        let worker = &**worker;
        alarm.set(at);
        let woken = match session.as_mut() {
            None => Woken::Lost(Fault::fatal(FaultKind::Closed)),
            Some(session) => {
                let mut probe = Probe::new(worker, note);
                let mut wait = pin!(worker.protocol.wait(session, until, &mut self.vu, &mut probe));
                poll_fn(|context| {
                    // First, so that what is there at the last moment is seen.
                    if let Poll::Ready(ended) = wait.as_mut().poll(context) {
                        return Poll::Ready(ended.map_or_else(Woken::Lost, |()| Woken::Come));
                    }
                    if worker.dispatcher.borrow_mut().poll_stopped(id, context).is_ready() {
                        return Poll::Ready(Woken::Stopped);
                    }
                    alarm.poll_rang(context).map(|()| Woken::Due)
                })
                .await
            }
        };
        self.seat.set_flight(None);
        woken
    }
}
