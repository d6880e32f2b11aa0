//! When may the next connection be opened? So far apart as the plan wants, whoever asks.

use std::cell::Cell;

use crate::clock::Nanos;

/// Connections are so much further apart than the rate asks for: a limit holds in each second, though alarms ring late and some
/// connections are quicker than others.
const MARGIN: f64 = 1.02;

/// A worker's share of the connections that the plan allows in a second.
pub(super) struct Admission {
    /// Time between two connections of this worker; zero where there is no limit.
    every: Nanos,
    /// When the next one may begin.
    next: Cell<Nanos>,
}

impl Admission {
    /// Worker number `index` of `of` that share `rate` connections/s; they begin one after the other.
    pub(super) fn new(rate: Option<f64>, index: u32, of: u32, now: Nanos) -> Self {
        let apart =
            |parts: u32| Nanos::from_secs_f64(rate.map_or(0.0, |rate| f64::from(parts) * MARGIN / rate));
        Self { every: apart(of), next: Cell::new(now + apart(index)) }
    }

    /// When whoever asks at `now` may begin.
    pub(super) fn admit(&self, now: Nanos) -> Nanos {
        if self.every == Nanos::ZERO {
            return now;
        }
        let at = self.next.get().max(now);
        self.next.set(at + self.every);
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_limit_everybody_may_begin_at_once() {
        let admission = Admission::new(None, 3, 4, Nanos(7));
        assert_eq!([admission.admit(Nanos(9)), admission.admit(Nanos(9))], [Nanos(9), Nanos(9)]);
    }

    proptest::proptest! {
        #[test]
        fn no_second_has_more_connections_than_the_rate(
            asked in proptest::collection::vec(0_i64..3_000_000_000, 1..200), workers in 1_u32..5, rate in 1_u32..200,
        ) {
            let mut asked = asked;
            asked.sort_unstable();
            let mut begun = Vec::new();
            for index in 0..workers {
                let admission = Admission::new(Some(f64::from(rate)), index, workers, Nanos::ZERO);
                begun.extend(asked.iter().map(|&at| (admission.admit(Nanos(at)), at)));
            }
            proptest::prop_assert!(begun.iter().all(|(at, asked)| at.0 >= *asked));
            let mut begun: Vec<_> = begun.into_iter().map(|(at, _)| at.0).collect();
            begun.sort_unstable();
            // One more for each worker whose turn falls on the edge of the second.
            let most = (rate + workers) as usize;
            for (i, at) in begun.iter().enumerate() {
                let within = begun[i..].iter().take_while(|&&later| later < at + 1_000_000_000).count();
                proptest::prop_assert!(within <= most, "{} > {}", within, most);
            }
        }
    }
}
