//! What do the users of one class do, and for how long do they wait? Read from the calls that were made.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// Iterations of a class that are looked at, at least.
const ITERATIONS: usize = 10_000;

/// What the users of a class did.
pub(super) struct Habits {
    /// How often an iteration began with which call, by its name.
    pub(super) tasks: BTreeMap<String, usize>,
    /// From the end of each iteration to the begin of the user's next one, seconds.
    pub(super) waits: Vec<f64>,
}

/// An iteration of a user.
struct Pass {
    number: u64,
    begin: Nanos,
    end: Nanos,
    /// Its first call behind the first steps of the user.
    step: usize,
}

impl<const VISITS: bool> Users<VISITS> {
    /// The calls of the class `name`, by user and instant.
    pub(super) fn calls_of(&self, name: &str) -> Vec<Seen> {
        let at = self.script.classes().iter().position(|class| class.name == name);
        let at = at.unwrap_or_else(|| panic!("no class {name}"));
        let seen = self.seen.lock().unwrap();
        let mut seen: Vec<Seen> =
            seen.iter().filter(|seen| self.script.class_of(seen.user) == at).copied().collect();
        seen.sort_by_key(|seen| (seen.user, seen.begin));
        seen
    }

    /// What the class `name` did in so many iterations of each of its users that they are 10,000 and more. They are the first
    /// ones: what a run has time for at its end are short waits rather than long ones.
    pub(super) fn habits(&self, name: &str) -> Habits {
        let calls = self.calls_of(name);
        let class = self.script.classes().iter().find(|class| class.name == name).unwrap();
        let firsts: BTreeSet<usize> =
            class.start.iter().flat_map(TaskStep::calls).map(|call| call.step.step).collect();
        let users: Vec<&[Seen]> = calls.chunk_by(|a, b| a.user == b.user).collect();
        let each = ITERATIONS.div_ceil(users.len());
        let mut habits = Habits { tasks: BTreeMap::new(), waits: Vec::new() };
        for user in users {
            let passes = user.chunk_by(|a, b| a.iteration == b.iteration).map(|calls| Pass {
                number: calls[0].iteration,
                begin: calls[0].begin,
                end: calls[calls.len() - 1].end,
                step: calls.iter().find(|call| !firsts.contains(&call.step)).unwrap().step,
            });
            let passes: Vec<Pass> = passes.take(each + 1).collect();
            assert!(passes.len() > each, "{name}: {} iterations of {each}; run for longer", passes.len());
            for pair in passes.windows(2) {
                *habits.tasks.entry(self.names[pair[0].step].clone()).or_default() += 1;
                assert_eq!(pair[1].number, pair[0].number + 1, "{name}: an iteration without a call");
                habits.waits.push((pair[1].begin - pair[0].end).as_secs_f64());
            }
        }
        habits
    }
}
