//! How long to wait before the next attempt to connect?

use rand::{RngExt as _, SeedableRng as _};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::clock::Nanos;

const FIRST: Nanos = Nanos(50_000_000);
const LONGEST: Nanos = Nanos(1_000_000_000);

/// Exponential back-off, each pause drawn from its upper half so that lanes which fell together do not rise together.
pub(super) struct Backoff {
    next: Nanos,
    rng: Xoshiro256PlusPlus,
}

impl Backoff {
    pub(super) fn new(seed: u64) -> Self {
        Self { next: FIRST, rng: Xoshiro256PlusPlus::seed_from_u64(seed) }
    }

    /// The pause after one more failed attempt.
    pub(super) fn pause(&mut self) -> Nanos {
        let pause = self.rng.random_range(self.next.0 / 2..=self.next.0);
        self.next = (self.next + self.next).min(LONGEST);
        Nanos(pause)
    }

    /// An attempt succeeded.
    pub(super) fn reset(&mut self) {
        self.next = FIRST;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_second_and_differ() {
        let (mut one, mut other) = (Backoff::new(1), Backoff::new(2));
        let pauses: Vec<_> = (0..10).map(|_| one.pause().0).collect();
        assert!((25_000_000..=50_000_000).contains(&pauses[0]));
        assert!(pauses[6..].iter().all(|p| (500_000_000..=1_000_000_000).contains(p)));
        assert_ne!(pauses, (0..10).map(|_| other.pause().0).collect::<Vec<_>>());
        one.reset();
        assert!(one.pause() <= FIRST);
    }
}
