//! How are counts over time added, when one series has longer intervals than the other?

use crate::collect::join;
use crate::model::{Point, Timeseries};

impl Timeseries {
    /// Adds `other`, interval by interval, in the longer of both intervals. Percentiles cannot be added, so there
    /// are none afterwards; means are weighted by their number of successful calls.
    pub fn merge(&mut self, other: &Self) {
        if other.points.is_empty() {
            return;
        }
        if self.points.is_empty() {
            self.interval_s = other.interval_s;
        }
        let interval_s = self.interval_s.max(other.interval_s).max(1);
        let theirs = coarser(other, interval_s);
        let mine = coarser(self, interval_s);
        let length = mine.len().max(theirs.len());
        let at = |points: &[Point], index: usize| points.get(index).copied().unwrap_or_default();
        let sum = |index| Point {
            t_s: index as f64 * f64::from(interval_s),
            ..beside(at(&mine, index), &at(&theirs, index))
        };
        *self = Self { interval_s, points: (0..length).map(sum).collect() };
    }
}

/// The points of `series` in intervals of `interval_s`, beginning at time zero.
fn coarser(series: &Timeseries, interval_s: u32) -> Vec<Point> {
    let mut points: Vec<Option<Point>> = Vec::new();
    for point in &series.points {
        let index = (point.t_s.max(0.0) / f64::from(interval_s)) as usize;
        if points.len() <= index {
            points.resize(index + 1, None);
        }
        points[index] = Some(points[index].take().map_or(*point, |earlier| join(earlier, point)));
    }
    points.into_iter().map(Option::unwrap_or_default).collect()
}

/// Two points of the same time as one.
fn beside(a: Point, b: &Point) -> Point {
    let together = join(a, b);
    Point {
        vus: a.vus.saturating_add(b.vus),
        in_flight: a.in_flight.saturating_add(b.in_flight),
        connections: a.connections.saturating_add(b.connections),
        ..together
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Series of 16 s in intervals of 1, 2, 4 or 8 s.
    fn series() -> impl Strategy<Value = Timeseries> {
        let point = (0_u64..1_000, 0_u64..10, 0_u64..50, 0_u32..100);
        (0_u32..4, prop::collection::vec(point, 16)).prop_map(|(power, values)| {
            let interval_s = 1 << power;
            let points = values.into_iter().take(16 / interval_s as usize).enumerate();
            let points = points.map(|(index, (ok, failed, vus, max))| Point {
                t_s: (index as u32 * interval_s).into(),
                ok,
                failed,
                vus,
                mean_ms: if ok == 0 { 0.0 } else { f64::from(max) / 2.0 },
                p50_ms: Some(1.0),
                max_ms: max.into(),
                ..Point::default()
            });
            Timeseries { interval_s, points: points.collect() }
        })
    }

    fn sum(parts: &[&Timeseries]) -> Timeseries {
        let mut sum = Timeseries::default();
        for part in parts {
            sum.merge(part);
        }
        sum
    }

    /// Means are sums of floating-point numbers, equal up to rounding; everything else is equal exactly.
    fn assert_equal(a: &Timeseries, b: &Timeseries) {
        assert_eq!((a.interval_s, a.points.len()), (b.interval_s, b.points.len()));
        for (a, b) in a.points.iter().zip(&b.points) {
            assert!((a.mean_ms - b.mean_ms).abs() < 1e-9, "{a:?} {b:?}");
            assert_eq!(Point { mean_ms: 0.0, ..*a }, Point { mean_ms: 0.0, ..*b });
        }
    }

    proptest! {
        #[test]
        fn merging_is_associative_and_commutative(a in series(), b in series(), c in series()) {
            let left = sum(&[&sum(&[&a, &b]), &c]);
            assert_equal(&left, &sum(&[&a, &sum(&[&b, &c])]));
            assert_equal(&left, &sum(&[&c, &b, &a]));
        }

        #[test]
        fn merging_loses_no_call(a in series(), b in series()) {
            let total = |s: &Timeseries| s.points.iter().map(|p| (p.ok, p.failed)).fold((0, 0), |x, y| (x.0 + y.0, x.1 + y.1));
            let ((ok_a, failed_a), (ok_b, failed_b)) = (total(&a), total(&b));
            prop_assert_eq!(total(&sum(&[&a, &b])), (ok_a + ok_b, failed_a + failed_b));
        }
    }

    #[test]
    fn the_longer_interval_and_the_longer_series_win() {
        let point = |t_s, ok| Point { t_s, ok, vus: 3, p95_ms: Some(9.0), ..Point::default() };
        let fine = Timeseries { interval_s: 1, points: (0..5).map(|t| point(f64::from(t), 1)).collect() };
        let coarse = Timeseries { interval_s: 2, points: vec![point(0.0, 10)] };
        let merged = sum(&[&fine, &coarse]);
        assert_eq!(merged.interval_s, 2);
        let counts: Vec<_> = merged.points.iter().map(|p| (p.t_s, p.ok, p.vus, p.p95_ms)).collect();
        assert_eq!(counts, [(0.0, 12, 6, None), (2.0, 2, 3, None), (4.0, 1, 3, None)]);
        assert!(merged.points.iter().all(|point| point.p95_between() == Some((9.0, 9.0))));
    }

    #[test]
    fn a_percentile_of_both_lies_between_theirs() {
        let one = |ok, p95_ms| {
            let points = vec![Point { ok, p95_ms, ..Point::default() }];
            Timeseries { interval_s: 1, points }
        };
        let between = |parts: &[&Timeseries]| sum(parts).points[0].p95_between();
        let (low, high, idle) = (one(5, Some(2.0)), one(1, Some(9.0)), one(0, None));
        assert_eq!(between(&[&low, &high, &idle]), Some((2.0, 9.0)));
        assert_eq!(between(&[&idle, &low]), Some((2.0, 2.0)));
        // Written before there was such a thing.
        assert_eq!(between(&[&low, &one(3, None)]), None);
    }
}
