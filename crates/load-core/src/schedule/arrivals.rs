//! When do iterations arrive in the open model? Tick k of the whole run has one instant, whoever owns it.

use load_report::model::Segment;
use load_suite::shape::Shape;
use rand::{RngExt as _, SeedableRng as _};
use rand_distr::{Distribution as _, Poisson};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::clock::Nanos;

/// How arrivals are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Evenly: tick k is due when the integral of the rate reaches k.
    Constant,
    /// As a Poisson process with that rate.
    Poisson,
}

/// Arrivals in one window of the Poisson process, on average. The draws of a window depend on seed and window only.
const WINDOW: f64 = 4_096.0;

/// The arrivals of one segment, in the order of time, and where the worker stands in them.
#[derive(Clone, Debug)]
pub struct Arrivals {
    shape: Shape,
    segment: Segment,
    /// Ticks of the whole run.
    total: u64,
    /// This segment's next tick, counted from 0 within the segment.
    next: u64,
    poisson: Option<Windows>,
}

impl Arrivals {
    /// The arrivals of `segment` when the rate follows `shape`, at most `limit` over all segments.
    pub fn new(shape: Shape, kind: Kind, seed: u64, segment: Segment, limit: Option<u64>) -> Self {
        let (poisson, total) = match kind {
            Kind::Constant => (None, ticks_in(shape.area())),
            Kind::Poisson => {
                let windows = Windows::new(seed, shape.area());
                let total = windows.total();
                (Some(windows), total)
            }
        };
        Self { shape, segment, total: total.min(limit.unwrap_or(u64::MAX)), next: 0, poisson }
    }

    /// Ticks of this segment.
    pub fn len(&self) -> u64 {
        self.segment.share_of(self.total)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Ticks that have not been taken.
    pub fn left(&self) -> u64 {
        self.len() - self.next
    }

    /// Global index of the next tick.
    pub fn index(&self) -> u64 {
        self.segment.global(self.next)
    }

    /// When the next tick is due, since time zero; [`Nanos::NEVER`] when none is left.
    pub fn due(&mut self) -> Nanos {
        if self.next >= self.len() {
            return Nanos::NEVER;
        }
        let k = self.index();
        let area = match &mut self.poisson {
            None => k as f64,
            Some(windows) => windows.area_of(k),
        };
        // Rounded up, because a call is never sent before it is due, but not for the noise of the arithmetic.
        Nanos((self.shape.time_of_area(area) * 1e9 - 0.01).ceil() as i64)
    }

    /// Goes on to the tick after the next one.
    pub fn advance(&mut self) {
        self.next += 1;
    }

    /// How many of the ticks that are left are due before `instant`.
    pub fn left_before(&self, instant: Nanos) -> u64 {
        let mut probe = self.clone();
        let (mut low, mut high) = (self.next, self.len());
        while low < high {
            probe.next = u64::midpoint(low, high);
            if probe.due() < instant { low = probe.next + 1 } else { high = probe.next }
        }
        low - self.next
    }
}

/// Ticks whose instant lies before the end of a shape with this integral.
fn ticks_in(area: f64) -> u64 {
    // A rate times a duration that is meant to be whole may come out a hair above.
    (area - 1e-6).ceil().max(0.0) as u64
}

/// A Poisson process of rate 1, in windows that can be drawn in any order.
#[derive(Clone, Debug)]
struct Windows {
    seed: u64,
    /// Index of the first arrival of each window, and the total at the end.
    firsts: Vec<u64>,
    /// Length of the last window.
    last_length: f64,
    /// The window in hand.
    window: usize,
    arrivals: Vec<f64>,
}

impl Windows {
    fn new(seed: u64, area: f64) -> Self {
        let count = (area / WINDOW).ceil().max(1.0) as usize;
        let last_length = area - WINDOW * (count - 1) as f64;
        let mut windows =
            Self { seed, firsts: vec![0], last_length, window: usize::MAX, arrivals: Vec::new() };
        let mut total = 0;
        for window in 0..count {
            let length = if window + 1 == count { last_length } else { WINDOW };
            total += windows.draw_count(window, length).1;
            windows.firsts.push(total);
        }
        windows
    }

    fn total(&self) -> u64 {
        self.firsts.last().copied().unwrap_or(0)
    }

    /// The generator of `window`, after it has drawn how many arrivals the window has.
    fn draw_count(&self, window: usize, length: f64) -> (Xoshiro256PlusPlus, u64) {
        let key = self.seed ^ (window as u64 + 1).wrapping_mul(0xD134_2543_DE82_EF95);
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(key);
        let count = Poisson::new(length).map_or(0.0, |poisson| poisson.sample(&mut rng));
        (rng, count as u64)
    }

    /// The instant of arrival `k`, on the scale of the integral.
    fn area_of(&mut self, k: u64) -> f64 {
        let window = self.firsts.partition_point(|&first| first <= k) - 1;
        if window != self.window {
            let length = if window + 2 == self.firsts.len() { self.last_length } else { WINDOW };
            let (mut rng, count) = self.draw_count(window, length);
            // Given their number, the arrivals of a Poisson process are uniform and independent.
            self.arrivals = (0..count).map(|_| rng.random::<f64>() * length).collect();
            self.arrivals.sort_by(f64::total_cmp);
            self.window = window;
        }
        WINDOW * window as f64 + self.arrivals[(k - self.firsts[window]) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    fn all(shape: &Shape, kind: Kind, segment: Segment) -> Vec<(u64, i64)> {
        let mut arrivals = Arrivals::new(shape.clone(), kind, 7, segment, None);
        let mut ticks = Vec::new();
        while arrivals.left() > 0 {
            ticks.push((arrivals.index(), arrivals.due().0));
            arrivals.advance();
        }
        assert_eq!(arrivals.due(), Nanos::NEVER);
        ticks
    }

    fn shapes() -> impl Strategy<Value = Shape> {
        let corners = prop::collection::vec((1_u64..4_000, 0.0_f64..2_000.0), 1..5);
        corners.prop_map(|corners| {
            let corners: Vec<_> =
                corners.into_iter().map(|(ms, level)| (Duration::from_millis(ms), level)).collect();
            Shape::from_corners(0.0, &corners)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn segments_together_are_the_whole_plan(
            shape in shapes(),
            n in prop::sample::select(vec![1_u32, 2, 3, 7, 16]),
            poisson in any::<bool>(),
        ) {
            let kind = if poisson { Kind::Poisson } else { Kind::Constant };
            let whole = all(&shape, kind, Segment::WHOLE);
            prop_assert!(whole.is_sorted_by_key(|tick| tick.1));
            let mut union: Vec<_> = (0..n).flat_map(|i| all(&shape, kind, Segment { index: i, of: n })).collect();
            union.sort_unstable();
            prop_assert_eq!(&union, &whole);
            // Segments nest: machine, process, worker.
            let mut nested: Vec<_> = (0..n)
                .flat_map(|i| (0..2).map(move |j| Segment { index: i, of: n }.part(j, 2)))
                .flat_map(|segment| all(&shape, kind, segment))
                .collect();
            nested.sort_unstable();
            prop_assert_eq!(nested, whole);
        }

        #[test]
        fn what_is_left_before_an_instant_is_what_counting_finds(shape in shapes(), at in 0_i64..10_000_000_000) {
            let arrivals = Arrivals::new(shape.clone(), Kind::Constant, 1, Segment { index: 1, of: 3 }, None);
            let counted = all(&shape, Kind::Constant, Segment { index: 1, of: 3 });
            let counted = counted.iter().filter(|tick| tick.1 < at).count() as u64;
            prop_assert_eq!(arrivals.left_before(Nanos(at)), counted);
        }
    }

    #[test]
    fn a_constant_rate_is_a_metronome() {
        let ticks = all(&Shape::constant(1_000.0, Duration::from_secs(2)), Kind::Constant, Segment::WHOLE);
        assert_eq!(ticks.len(), 2_000);
        assert!(ticks.iter().all(|&(k, due)| due == k as i64 * 1_000_000));
    }

    #[test]
    fn poisson_arrivals_have_exponential_gaps() {
        let ticks = all(&Shape::constant(10_000.0, Duration::from_secs(20)), Kind::Poisson, Segment::WHOLE);
        let gaps: Vec<f64> =
            ticks.windows(2).map(|pair| (pair[1].1 - pair[0].1) as f64 / 100_000.0).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|g| (g - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        let above_two = gaps.iter().filter(|&&g| g > 2.0).count() as f64 / gaps.len() as f64;
        assert!((mean - 1.0).abs() < 0.01, "{mean}");
        assert!((variance - 1.0).abs() < 0.03, "{variance}");
        assert!((above_two - (-2.0_f64).exp()).abs() < 0.005, "{above_two}");
    }
}
