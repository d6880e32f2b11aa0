//! What may a template draw on? The identity of one iteration of one user, what the user knows, and dice.

use std::cell::Cell;

/// One iteration of one user.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// Global index of the iteration: over all users, processes and segments, each occurs once.
    pub seq: u64,
    /// Global number of the virtual user.
    pub vu: u64,
    /// Iterations of this user before this one.
    pub iteration: u64,
    /// Wall-clock time of the current call, ns since 1970.
    pub now_ns: i64,
    /// What the user knows, by slot.
    pub vars: Vars,
    /// The present call looks whether something holds, and another one follows where it does not.
    pub looks_again: bool,
    /// The same for all draws of a run.
    pub seed: u64,
    draws: Cell<u64>,
}

/// The variables of one user: texts by slot. An empty one is not set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vars(Vec<Vec<u8>>);

impl Vars {
    /// Nothing is set.
    const UNSET: &'static [u8] = b"";

    /// The value of a slot.
    pub fn get(&self, slot: usize) -> &[u8] {
        self.0.get(slot).map_or(Self::UNSET, Vec::as_slice)
    }

    /// The slots whose values were others in `before`, with what they are now.
    pub fn changes<'a>(&'a self, before: &'a Self) -> impl Iterator<Item = (usize, &'a [u8])> {
        let now = self.0.iter().map(Vec::as_slice).enumerate();
        now.filter(|(slot, value)| before.get(*slot) != *value)
    }

    /// Sets a slot; its memory is used again.
    pub fn set(&mut self, slot: usize, value: &[u8]) {
        if self.0.len() <= slot {
            self.0.resize_with(slot + 1, Vec::new);
        }
        self.0[slot].clear();
        self.0[slot].extend_from_slice(value);
    }
}

impl Scope {
    /// User number `vu` before its first iteration.
    pub fn of(vu: u64) -> Self {
        Self { vu, ..Self::default() }
    }

    /// Iteration number `seq` over all users, which is number `iteration` of user `vu`.
    pub fn numbered(seq: u64, vu: u64, iteration: u64) -> Self {
        Self { seq, vu, iteration, ..Self::default() }
    }

    /// Begins iteration number `seq` over all users: its draws depend on nothing but `seed` and `seq`, so they are the
    /// same in any division of the work.
    pub fn begin(&mut self, seed: u64, seq: u64) {
        (self.seed, self.seq) = (seed, seq);
        self.draws.set(mix(seed ^ mix(seq)));
    }

    /// The same iteration in one of several calls that are made at the same time: what it draws follows from `salt` and
    /// the number of the `branch`, whoever is first.
    #[must_use]
    pub fn fork(&self, salt: u64, branch: u64) -> Self {
        let fork = self.clone();
        fork.draws.set(mix(salt ^ mix(branch)));
        fork
    }

    /// The next random number of this iteration.
    pub fn draw(&self) -> u64 {
        let state = self.draws.get().wrapping_add(GOLDEN);
        self.draws.set(state);
        mix(state)
    }

    /// A random number below `end`; 0 when that is 0.
    pub fn below(&self, end: u64) -> u64 {
        scale(self.draw(), end)
    }

    /// A random number below `end` that stays the same for the whole iteration, by `salt`.
    pub fn fixed_below(&self, salt: u64, end: u64) -> u64 {
        scale(mix(mix(self.seed ^ salt) ^ mix(self.seq)), end)
    }

    /// A random share of 1.
    pub fn share(&self) -> f64 {
        (self.draw() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// The increment of `SplitMix64` (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// The output function of `SplitMix64`.
fn mix(state: u64) -> u64 {
    let z = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Maps 64 random bits to a number below `end` (Lemire's multiplication; its bias is below 2⁻³² for ends below 2³²).
fn scale(bits: u64, end: u64) -> u64 {
    ((u128::from(bits) * u128::from(end)) >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_iteration_draws_the_same_whoever_runs_it() {
        let draws = |vu| {
            let mut scope = Scope::of(vu);
            scope.begin(7, 42);
            (0..5).map(|_| scope.below(100)).collect::<Vec<_>>()
        };
        assert_eq!(draws(1), draws(2));
        let mut other = Scope::default();
        other.begin(7, 43);
        assert_ne!(draws(1), (0..5).map(|_| other.below(100)).collect::<Vec<_>>());
    }

    #[test]
    fn a_fork_draws_by_its_number_and_knows_what_was_known() {
        let mut scope = Scope::of(1);
        scope.begin(7, 42);
        scope.vars.set(2, b"before");
        let draws = |branch| {
            let fork = scope.fork(99, branch);
            (0..3).map(|_| fork.draw()).collect::<Vec<_>>()
        };
        assert_eq!(draws(1), draws(1));
        assert_ne!(draws(0), draws(1));
        let mut fork = scope.fork(99, 0);
        assert_eq!(fork.vars.changes(&scope.vars).next(), None);
        fork.vars.set(2, b"after");
        fork.vars.set(4, b"new");
        let changes: Vec<_> = fork.vars.changes(&scope.vars).collect();
        assert_eq!(changes, [(2, &b"after"[..]), (4, &b"new"[..])]);
    }

    #[test]
    fn draws_are_spread_evenly() {
        let mut counts = [0_u32; 6];
        let mut scope = Scope::default();
        for seq in 0..60_000 {
            scope.begin(1, seq);
            counts[scope.below(6) as usize] += 1;
        }
        assert!(counts.iter().all(|n| (9_500..10_500).contains(n)), "{counts:?}");
    }

    #[test]
    fn a_slot_keeps_what_was_set_last() {
        let mut vars = Vars::default();
        assert_eq!(vars.get(3), b"");
        vars.set(3, b"long value");
        vars.set(3, b"x");
        assert_eq!((vars.get(3), vars.get(9)), (&b"x"[..], &b""[..]));
    }
}
