//! What do virtual users do? Classes of users with their tasks, compiled before the run.

mod hold;

use std::num::NonZeroU32;

use load_suite::condition::Condition;
use load_suite::scope::Scope;
use load_suite::think::Think;

use crate::clock::Nanos;
use crate::protocol::OpId;

pub use hold::{Hold, Timer};

/// Everything that virtual users do.
#[derive(Clone, Debug)]
pub struct Script<S> {
    classes: Vec<UserClass<S>>,
    /// Of which class user k is, for k modulo the length.
    rota: Vec<u16>,
}

/// A kind of user.
#[derive(Clone, Debug)]
pub struct UserClass<S> {
    /// For people; may be empty.
    pub name: String,
    /// Share of the users, against the other classes; at least 1.
    pub weight: u32,
    /// Pause between two iterations; the plan's when it has none of its own.
    pub think: Option<Think>,
    /// Calls before the first iteration of each user.
    pub start: Vec<TaskStep<S>>,
    /// What it does in an iteration; at least one task.
    pub tasks: Vec<Task<S>>,
    /// Calls when a user leaves.
    pub stop: Vec<TaskStep<S>>,
}

/// One of the things that a virtual user does: an iteration runs its steps in order.
#[derive(Clone, Debug)]
pub struct Task<S> {
    /// For people; may be empty.
    pub name: String,
    /// How often it is drawn, against the other tasks; at least 1.
    pub weight: u32,
    /// It is not drawn unless this holds.
    pub condition: Option<Condition>,
    /// Steps in order; at least one.
    pub steps: Vec<TaskStep<S>>,
}

/// One step of a task.
#[derive(Clone, Debug)]
pub struct TaskStep<S> {
    /// It is left out unless all of them hold.
    pub conditions: Vec<Condition>,
    /// What is done.
    pub act: Act<S>,
    /// Pause before the next call of the iteration; behind its last step, before the next iteration, instead of the class's.
    pub think: Think,
    /// The iteration goes on when it has failed, and is a failed one at its end; these variables are not set then. Without it the
    /// iteration ends.
    pub goes_on: Option<Vec<usize>>,
}

/// What a step does.
#[derive(Clone, Debug)]
pub enum Act<S> {
    /// It makes a call.
    Call(Call<S>),
    /// It makes several at the same time.
    Parallel(Box<Parallel<S>>),
    /// It holds the user's connection for a time.
    Hold(Box<Hold<S>>),
    /// Nothing: the step is its pause.
    Pause,
}

/// One call, or one that is made again until its condition holds.
#[derive(Clone, Debug)]
pub struct Call<S> {
    /// Under which name it counts.
    pub op: OpId,
    /// What is sent.
    pub step: S,
    /// How to go on while [`Outcome::pending`](crate::protocol::Outcome::pending); without it the iteration fails then.
    pub poll: Option<Poll>,
    /// How long a call may take; the plan's when it has none of its own.
    pub timeout: Option<Nanos>,
}

/// Calls that are made at the same time. All of them are due when the step begins, and it ends with the last of them;
/// one that fails lets the others end.
#[derive(Clone, Debug)]
pub struct Parallel<S> {
    /// In the order in which they begin; at least one.
    pub branches: Vec<Branch<S>>,
    /// So many of them are under way at most.
    pub at_once: NonZeroU32,
    /// The protocol's own series of the times from the step's due instant to the end of its last call, when all went well.
    pub series: Option<usize>,
}

/// One of several calls that are made at the same time.
#[derive(Clone, Debug)]
pub struct Branch<S> {
    /// It is left out unless all of them hold.
    pub conditions: Vec<Condition>,
    /// What is called.
    pub call: Call<S>,
}

/// How a call is made again until its condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Poll {
    /// Pause between the end of a call and the next one.
    pub every: Nanos,
    /// Calls at most, counting the first; the iteration fails with a timeout after the last.
    pub at_most: u32,
    /// The protocol's own series of the times from the first call's due instant to the condition.
    pub series: Option<usize>,
}

impl<S> TaskStep<S> {
    /// One call.
    pub fn new(op: OpId, step: S) -> Self {
        Self::of(Act::Call(Call::new(op, step)))
    }

    /// A call that is made again while its outcome is pending.
    pub fn polled(op: OpId, step: S, poll: Poll) -> Self {
        Self::of(Act::Call(Call { poll: Some(poll), ..Call::new(op, step) }))
    }

    /// A step that does this, whatever the circumstances.
    pub fn of(act: Act<S>) -> Self {
        Self { conditions: Vec::new(), act, think: Think::None, goes_on: None }
    }

    /// Whether there is something to do.
    pub(crate) fn is_possible(&self, scope: &Scope) -> bool {
        hold(&self.conditions, scope)
            && match &self.act {
                Act::Call(_) | Act::Hold(_) | Act::Pause => true,
                Act::Parallel(group) => group.branches.iter().any(|branch| branch.is_possible(scope)),
            }
    }

    /// All calls of the step.
    pub fn calls(&self) -> impl Iterator<Item = &Call<S>> {
        let (one, several, timers) = match &self.act {
            Act::Call(call) => (Some(call), &[][..], &[][..]),
            Act::Parallel(group) => (None, group.branches.as_slice(), &[][..]),
            Act::Hold(hold) => (None, &[][..], hold.timers.as_slice()),
            Act::Pause => (None, &[][..], &[][..]),
        };
        let timed = timers.iter().flat_map(|timer| timer.calls.iter().map(|(_, branch)| branch));
        one.into_iter().chain(several.iter().chain(timed).map(|branch| &branch.call))
    }

    /// How many of its calls are under way at most.
    fn width(&self) -> u64 {
        match &self.act {
            Act::Call(_) | Act::Hold(_) | Act::Pause => 1,
            Act::Parallel(group) => u64::from(group.at_once.get()).min(group.branches.len() as u64),
        }
    }
}

impl<S> Call<S> {
    /// A call that is made once.
    pub fn new(op: OpId, step: S) -> Self {
        Self { op, step, poll: None, timeout: None }
    }
}

impl<S> Branch<S> {
    /// Whether it is not left out.
    pub(crate) fn is_possible(&self, scope: &Scope) -> bool {
        hold(&self.conditions, scope)
    }
}

#[inline]
fn hold(conditions: &[Condition], scope: &Scope) -> bool {
    conditions.iter().all(|condition| condition.holds(scope))
}

impl<S> Task<S> {
    /// A task that is always possible.
    pub fn new(weight: u32, steps: Vec<TaskStep<S>>) -> Self {
        Self { name: String::new(), weight, condition: None, steps }
    }
}

impl<S> Script<S> {
    /// Users of several kinds; at least one.
    pub fn new(classes: Vec<UserClass<S>>) -> Self {
        let rota = rota(&classes.iter().map(|class| class.weight).collect::<Vec<_>>());
        Self { classes, rota }
    }

    /// Users who all draw from the same `tasks`.
    pub fn of(tasks: Vec<Task<S>>) -> Self {
        Self::new(vec![UserClass {
            name: String::new(),
            weight: 1,
            think: None,
            start: Vec::new(),
            tasks,
            stop: Vec::new(),
        }])
    }

    /// Users who all make the same call, under the name of the first op.
    pub fn call(step: S) -> Self {
        Self::of(vec![Task::new(1, vec![TaskStep::new(0, step)])])
    }

    /// All classes.
    pub fn classes(&self) -> &[UserClass<S>] {
        &self.classes
    }

    /// All calls of all classes.
    pub fn calls(&self) -> impl Iterator<Item = &Call<S>> {
        self.steps().flat_map(TaskStep::calls)
    }

    /// How many calls a user has under way at most.
    pub fn width(&self) -> u64 {
        self.steps().map(TaskStep::width).max().unwrap_or(1)
    }

    fn steps(&self) -> impl Iterator<Item = &TaskStep<S>> {
        self.classes.iter().flat_map(|class| {
            let tasks = class.tasks.iter().flat_map(|task| &task.steps);
            class.start.iter().chain(tasks).chain(&class.stop)
        })
    }

    /// The class of user number `vu`, for ever: its index among all.
    pub fn class_of(&self, vu: u64) -> usize {
        usize::from(self.rota[(vu % self.rota.len() as u64) as usize])
    }

    /// The class that an arrival draws: any of the rota, each as likely.
    pub(crate) fn class_drawn(&self, scope: &Scope) -> usize {
        if self.classes.len() == 1 {
            return 0;
        }
        usize::from(self.rota[scope.below(self.rota.len() as u64) as usize])
    }
}

impl<S> UserClass<S> {
    /// The task that an iteration draws from those that are possible; none when none is.
    pub(crate) fn draw(&self, scope: &Scope) -> Option<&Task<S>> {
        if let [only] = self.tasks.as_slice() {
            return only.is_possible(scope).then_some(only);
        }
        let possible = || self.tasks.iter().filter(|task| task.is_possible(scope));
        let total = possible().map(|task| u64::from(task.weight)).sum();
        let mut ticket = scope.below(total);
        possible().find(|task| {
            let weight = u64::from(task.weight);
            let hit = ticket < weight;
            ticket = ticket.saturating_sub(weight);
            hit
        })
    }
}

impl<S> Task<S> {
    fn is_possible(&self, scope: &Scope) -> bool {
        self.condition.as_ref().is_none_or(|condition| condition.holds(scope))
    }
}

/// Longest rota; greater weights are rounded to it.
const LONGEST: u64 = 10_000;

/// Who comes when, so that every beginning of the rota has the weights' proportions as nearly as can be: nginx's smooth
/// weighted round robin.
fn rota(weights: &[u32]) -> Vec<u16> {
    let total: u64 = weights.iter().map(|&weight| u64::from(weight)).sum();
    let divisor = weights.iter().fold(total, |divisor, &weight| gcd(divisor, weight.into())).max(1);
    let scale = |weight: u32| {
        let weight = u64::from(weight) / divisor;
        let rounded = if total / divisor > LONGEST { weight * LONGEST / (total / divisor) } else { weight };
        rounded.max(1) as i64
    };
    let weights: Vec<i64> = weights.iter().copied().map(scale).collect();
    let total: i64 = weights.iter().sum();
    let mut credit = vec![0; weights.len()];
    let next = |_| {
        credit.iter_mut().zip(&weights).for_each(|(credit, weight)| *credit += weight);
        // The first of the greatest: `max_by_key` would take the last.
        let chosen = (0..credit.len()).rev().max_by_key(|&class| credit[class]).unwrap_or(0);
        credit[chosen] -= total;
        chosen as u16
    };
    (0..total).map(next).collect()
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_beginning_of_the_rota_has_the_proportions() {
        assert_eq!(rota(&[1]), [0]);
        assert_eq!(rota(&[3, 1]), [0, 0, 1, 0]);
        assert_eq!(rota(&[50, 50]), [0, 1]);
        for weights in [vec![3, 10, 1], vec![5, 3, 2, 2], vec![999_983, 17]] {
            let rota = rota(&weights);
            assert!(rota.len() <= 10_001 + weights.len());
            let total: u32 = weights.iter().sum();
            for n in [10, 100, rota.len()] {
                for (class, &weight) in weights.iter().enumerate() {
                    let there = rota.iter().cycle().take(n).filter(|&&of| usize::from(of) == class).count();
                    let due = n as f64 * f64::from(weight) / f64::from(total);
                    assert!(
                        (there as f64 - due).abs() <= 1.5 + n as f64 * 2e-4,
                        "{weights:?}: {there} of {n}"
                    );
                }
            }
        }
    }

    #[test]
    fn tasks_are_drawn_by_weight_from_those_that_are_possible() {
        let mut names = load_suite::template::Names::none();
        let slot = names.slot("id");
        let mut tasks: Vec<Task<u32>> = [(1, 7), (3, 8), (96, 9)]
            .map(|(weight, step)| Task::new(weight, vec![TaskStep::new(0, step)]))
            .into();
        tasks[2].condition = Some(Condition::compile("id", &names).unwrap());
        let script = Script::of(tasks);
        let mut scope = Scope::default();
        let mut drawn = |id: &[u8]| {
            scope.vars.set(slot, id);
            let mut counts = [0_u32; 10];
            for seq in 0..4_000 {
                scope.begin(1, seq);
                let task = script.classes()[0].draw(&scope).unwrap();
                counts[task.steps[0].calls().next().unwrap().step as usize] += 1;
            }
            counts
        };
        let without = drawn(b"");
        assert!((900..1_100).contains(&without[7]) && without[9] == 0, "{without:?}");
        let with = drawn(b"x");
        assert!((3_780..3_900).contains(&with[9]), "{with:?}");
    }
}
