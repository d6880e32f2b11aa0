//! How much load at which moment? A level over time, linear between corners.

use std::time::Duration;

use crate::stage::Stage;

/// A level (users, or arrivals/s) over time.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    ramps: Vec<Ramp>,
}

/// A piece of a shape: from `from` to `to` between two instants.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ramp {
    /// Begin, seconds.
    pub start_s: f64,
    /// End, seconds.
    pub end_s: f64,
    /// Level at the begin.
    pub from: f64,
    /// Level at the end.
    pub to: f64,
    /// Integral of the level from the begin of the shape to the begin of this ramp.
    pub area_before: f64,
}

impl Ramp {
    fn slope(&self) -> f64 {
        (self.to - self.from) / (self.end_s - self.start_s)
    }

    /// Integral from the begin of this ramp over `dt` seconds.
    fn area(&self, dt: f64) -> f64 {
        dt * (self.from + self.slope() * dt / 2.0)
    }

    /// The time after the begin of this ramp at which its integral reaches `area`, seconds.
    ///
    /// The stable root of `from·t + slope·t²/2 = area`, good for a slope of zero and a beginning at zero.
    fn time_of(&self, area: f64) -> f64 {
        let root = (self.from * self.from + 2.0 * self.slope() * area).max(0.0).sqrt();
        if area <= 0.0 { 0.0 } else { 2.0 * area / (self.from + root) }
    }
}

impl Shape {
    /// The same level all the time.
    pub fn constant(level: f64, duration: Duration) -> Self {
        Self::from_corners(level, &[(duration, level)])
    }

    /// A ramp from `start` through all stages.
    pub fn stages(start: f64, stages: &[Stage]) -> Self {
        let corners: Vec<_> = stages.iter().map(|s| (s.duration, s.target)).collect();
        Self::from_corners(start, &corners)
    }

    /// A ramp from `start` through (duration, level) pairs; a duration of zero is a jump.
    pub fn from_corners(start: f64, corners: &[(Duration, f64)]) -> Self {
        let (mut ramps, mut level, mut at, mut area) = (Vec::new(), start, 0.0, 0.0);
        for &(duration, target) in corners {
            let end = at + duration.as_secs_f64();
            if end > at {
                let ramp = Ramp { start_s: at, end_s: end, from: level, to: target, area_before: area };
                area += ramp.area(end - at);
                ramps.push(ramp);
            }
            (level, at) = (target, end);
        }
        Self { ramps }
    }

    /// When it ends, seconds.
    pub fn duration_s(&self) -> f64 {
        self.ramps.last().map_or(0.0, |ramp| ramp.end_s)
    }

    /// The pieces, in the order of time.
    pub fn ramps(&self) -> &[Ramp] {
        &self.ramps
    }

    /// The highest level.
    pub fn peak(&self) -> f64 {
        self.ramps.iter().fold(0.0, |peak, ramp| ramp.from.max(ramp.to).max(peak))
    }

    /// Integral of the level from the begin to `t` seconds.
    pub fn area_until(&self, t: f64) -> f64 {
        let Some(ramp) = self.ramps.iter().rev().find(|ramp| t >= ramp.start_s).or(self.ramps.first()) else {
            return 0.0;
        };
        ramp.area_before + ramp.area((t.min(ramp.end_s) - ramp.start_s).max(0.0))
    }

    /// The integral over the whole shape.
    pub fn area(&self) -> f64 {
        self.area_until(self.duration_s())
    }

    /// The instant at which the integral begins to exceed `area`, seconds; the end when it never does.
    pub fn time_of_area(&self, area: f64) -> f64 {
        let after = self.ramps.partition_point(|ramp| ramp.area_before <= area);
        let Some(ramp) = after.checked_sub(1).and_then(|i| self.ramps.get(i)) else { return 0.0 };
        (ramp.start_s + ramp.time_of(area - ramp.area_before)).min(ramp.end_s)
    }

    /// The spans in which the level is above `threshold`, as (begin, end) in seconds: when user number `threshold`,
    /// counted from 0, is active.
    pub fn spans_above(&self, threshold: f64) -> Vec<(f64, f64)> {
        let mut spans: Vec<(f64, f64)> = Vec::new();
        for ramp in &self.ramps {
            let crossing = || ramp.start_s + (threshold - ramp.from) / ramp.slope();
            let span = match (ramp.from > threshold, ramp.to > threshold) {
                (true, true) => (ramp.start_s, ramp.end_s),
                (false, true) => (crossing(), ramp.end_s),
                (true, false) => (ramp.start_s, crossing()),
                (false, false) => continue,
            };
            match spans.last_mut() {
                Some(last) if last.1 >= span.0 => last.1 = span.1,
                _ => spans.push(span),
            }
        }
        spans
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shape(corners: &[(f64, f64)]) -> Shape {
        let corners: Vec<_> = corners.iter().map(|&(d, level)| (Duration::from_secs_f64(d), level)).collect();
        Shape::from_corners(0.0, &corners)
    }

    #[test]
    fn a_ramp_reaches_its_ticks_where_the_integral_says() {
        let ramp = shape(&[(10.0, 100.0)]);
        assert!((ramp.area() - 500.0).abs() < 1e-9);
        // 5 t² = 125 at t = 5.
        assert!((ramp.time_of_area(125.0) - 5.0).abs() < 1e-12);
        assert!(ramp.time_of_area(0.0).abs() < 1e-12);
    }

    #[test]
    fn users_come_and_go_one_by_one() {
        let hill = shape(&[(10.0, 10.0), (5.0, 10.0), (10.0, 0.0)]);
        assert_eq!(hill.spans_above(0.0), [(0.0, 25.0)]);
        assert_eq!(hill.spans_above(9.0), [(9.0, 16.0)]);
        assert_eq!(hill.spans_above(10.0), []);
    }

    #[test]
    fn a_jump_takes_no_time() {
        let jump = shape(&[(0.0, 50.0), (2.0, 50.0)]);
        assert_eq!((jump.area(), jump.time_of_area(50.0)), (100.0, 1.0));
    }

    proptest! {
        #[test]
        fn time_and_area_are_inverse(
            corners in prop::collection::vec((0.1_f64..20.0, 0.0_f64..5_000.0), 1..6),
            share in 0.0_f64..1.0,
        ) {
            let shape = shape(&corners);
            let area = shape.area() * share;
            let back = shape.area_until(shape.time_of_area(area));
            prop_assert!((back - area).abs() <= 1e-6 * (1.0 + area), "{} {}", back, area);
        }
    }
}
