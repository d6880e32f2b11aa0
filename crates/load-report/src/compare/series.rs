//! Is the mean of a series of differences more than chance, where neighbours are alike?
//!
//! Seconds of a run are not independent: a pause or a burst takes several. Taking them for independent makes noise
//! significant. Two corrections are known, and the more careful one counts:
//!
//! - n values whose neighbours correlate by r are worth n (1 − r) / (1 + r) independent ones (Zwiers and von Storch,
//!   Journal of Climate 8, 1995, 336–351); r is corrected for its bias by (1 + 4 r) / n (Marriott and Pope, Biometrika
//!   41, 1954, 390–402), and never below 0.
//! - Means of √n batches of √n neighbours each hardly depend on one another (Fishman and Yarberry, INFORMS Journal on
//!   Computing 9, 1997, 296–310); latte takes batches, too.

use statrs::distribution::{ContinuousCDF as _, StudentsT};

/// With fewer values, nothing is said.
pub(super) const MIN_POINTS: usize = 10;
/// Fewer batches than these leave the variance to chance; short series have batches of two instead.
const FEW: usize = 8;
/// Values that are always the same still have no more than this many digits, relative to 1.
const PRECISION: f64 = 1e-9;

/// What a series of differences says of its mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Mean {
    /// The mean.
    pub(super) value: f64,
    /// Of the mean, the larger estimate.
    pub(super) variance: f64,
    /// Degrees of freedom of that estimate.
    pub(super) freedom: f64,
    /// How likely a mean as far from 0 is, where it is 0.
    pub(super) p: f64,
}

/// Student's t: how likely a value as far from 0 is on either side.
pub(super) fn two_sided(t: f64, freedom: f64) -> f64 {
    if t.is_nan() {
        return 1.0;
    }
    StudentsT::new(0.0, 1.0, freedom).map_or(1.0, |student| (2.0 * student.sf(t.abs())).min(1.0))
}

/// None with fewer than [`MIN_POINTS`] values.
pub(super) fn mean(values: &[f64]) -> Option<Mean> {
    if values.len() < MIN_POINTS {
        return None;
    }
    let value = average(values);
    let judged = |(variance, freedom): (f64, f64)| {
        let error = variance.sqrt().max(PRECISION);
        Mean { value, variance, freedom, p: two_sided(value / error, freedom) }
    };
    let (one, other) = (judged(correlated(values)), judged(batched(values)));
    Some(if one.p >= other.p { one } else { other })
}

fn average(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn squares(values: &[f64], mean: f64) -> f64 {
    values.iter().map(|value| (value - mean).powi(2)).sum()
}

/// Variance of the mean and its degrees of freedom, from the correlation of neighbours.
fn correlated(values: &[f64]) -> (f64, f64) {
    let (n, mean) = (values.len() as f64, average(values));
    let all = squares(values, mean);
    if all <= 0.0 {
        return (0.0, n - 1.0);
    }
    let neighbours: f64 = values.windows(2).map(|pair| (pair[0] - mean) * (pair[1] - mean)).sum();
    let r = neighbours / all;
    let r = (r + (1.0 + 4.0 * r) / n).clamp(0.0, 0.95);
    let worth = (n * (1.0 - r) / (1.0 + r)).max(2.0);
    (all / (n - 1.0) / worth, worth - 1.0)
}

/// The same from means of batches; the first values are left out where they fill none.
fn batched(values: &[f64]) -> (f64, f64) {
    let n = values.len();
    let batches = n.isqrt().max(FEW.min(n / 2));
    let size = n / batches;
    let rest = &values[n - batches * size..];
    let means: Vec<f64> = rest.chunks(size).map(average).collect();
    let n = batches as f64;
    (squares(&means, average(&means)) / (n - 1.0) / n, n - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn student_is_as_in_the_tables() {
        for (t, freedom, p) in
            [(2.262, 9.0, 0.05), (3.250, 9.0, 0.01), (4.604, 4.0, 0.01), (1.960, 1e6, 0.05)]
        {
            assert!((two_sided(t, freedom) - p).abs() < 2e-4, "{t} {freedom}");
            assert!((two_sided(-t, freedom) - p).abs() < 2e-4);
        }
        assert!(two_sided(f64::NAN, 4.0) >= 1.0);
    }

    #[test]
    fn what_never_changes_is_certain() {
        let same = mean(&[0.0; 12]).unwrap();
        assert_eq!((same.value, same.p), (0.0, 1.0));
        assert!(mean(&[0.1; 12]).unwrap().p < 1e-6);
        assert!(mean(&[0.1; MIN_POINTS - 1]).is_none());
    }

    #[test]
    fn neighbours_that_are_alike_are_worth_less() {
        let apart: Vec<f64> = (0..32).map(|k| 0.2 + if k % 2 == 0 { 0.5 } else { -0.5 }).collect();
        let blocks: Vec<f64> = (0..32).map(|k| 0.2 + if k / 8 % 2 == 0 { 0.5 } else { -0.5 }).collect();
        let (apart, blocks) = (mean(&apart).unwrap(), mean(&blocks).unwrap());
        assert!(apart.p < 0.1 && blocks.p > 0.3, "{apart:?} {blocks:?}");
    }
}
