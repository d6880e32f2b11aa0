//! How does a user make several calls at the same time? Each from a seat of its own, as far as there may be so many, and
//! the next one from the seat that is free first.

use std::cell::{Cell, RefCell};

use futures_util::future::join_all;

use super::Lane;
use crate::clock::Nanos;
use crate::engine::seat::{Course, Seat, Unfinished};
use crate::protocol::{Branch, Parallel, Protocol, Vu};

/// What the seats have in common while the calls of one step are made.
struct Round<'a, S> {
    branches: Vec<&'a Branch<S>>,
    /// Index of the next one to be made.
    next: Cell<usize>,
    /// What all of them draw from.
    salt: u64,
    /// The user before the step.
    vu: RefCell<&'a mut Vu>,
    /// What the user has learnt: slots with their values.
    learnt: RefCell<Vec<(usize, Vec<u8>)>>,
    /// The first fault.
    failed: Cell<Option<Unfinished>>,
    /// When the last call ended.
    end: Cell<Nanos>,
}

impl<P: Protocol> Lane<P> {
    /// Makes the calls of `group` at the same time. All of them are due when the step is.
    pub(super) async fn at_once(
        &mut self,
        group: &Parallel<P::Step>,
        course: &mut Course,
    ) -> Result<(), Unfinished> {
        let scope = &self.vu.scope;
        let branches: Vec<_> = group.branches.iter().filter(|branch| branch.is_possible(scope)).collect();
        course.op = branches.first().map_or(course.op, |branch| branch.call.op);
        let width = branches.len().min(group.at_once.get() as usize);
        while self.sides.len() + 1 < width {
            self.sides.push(self.seat.beside(self.sides.len() + 1));
        }
        let round = Round {
            branches,
            next: Cell::new(0),
            salt: scope.draw(),
            vu: RefCell::new(&mut self.vu),
            learnt: RefCell::default(),
            failed: Cell::new(None),
            end: Cell::new(course.times.start),
        };
        let due = course.times.due;
        let sides = self.sides.iter_mut().take(width.saturating_sub(1)).map(|side| {
            side.look();
            // The lane's own seat stands for the iteration. A side's session has no past that anybody relies on.
            (side, Course { resumes: true, ..Course::new::<P>(None, course.times) })
        });
        let own = (&mut self.seat, Course::new::<P>(course.tick, course.times));
        join_all(std::iter::once(own).chain(sides).map(|(seat, course)| round.sit(seat, course))).await;
        self.seat.set_flight(None);
        let Round { learnt, failed, end, .. } = round;
        for (slot, value) in learnt.into_inner() {
            self.vu.scope.vars.set(slot, &value);
        }
        course.times.end = end.get();
        if let Some(unfinished) = failed.get() {
            return Err(unfinished);
        }
        if let Some(series) = group.series {
            let took = course.times.end.since(due);
            self.worker.recorder.borrow_mut().observe(course.times.end, series, took);
        }
        Ok(())
    }
}

impl<S> Round<'_, S> {
    /// Makes calls from `seat` until all have been begun.
    async fn sit<P: Protocol<Step = S>>(&self, seat: &mut Seat<P>, mut course: Course) {
        let due = course.times.due;
        while let Some((number, branch)) = self.take() {
            let mut vu = self.vu.borrow_mut().fork(self.salt, number as u64);
            let ended = seat.call(&mut vu, &branch.call, &mut course).await;
            let before = self.vu.borrow();
            let changes = vu.scope.vars.changes(&before.scope.vars);
            self.learnt.borrow_mut().extend(changes.map(|(slot, value)| (slot, value.to_vec())));
            if let Err(unfinished) = ended {
                self.failed.set(self.failed.get().or(Some(unfinished)));
            }
            let end = course.times.end;
            self.end.set(self.end.get().max(end));
            course.next(due, end);
        }
        if course.tick.is_some() {
            // The others may not be done yet.
            seat.set_paused(&course);
        }
    }

    fn take(&self) -> Option<(usize, &Branch<S>)> {
        let number = self.next.get();
        let branch = self.branches.get(number)?;
        self.next.set(number + 1);
        Some((number, branch))
    }
}
