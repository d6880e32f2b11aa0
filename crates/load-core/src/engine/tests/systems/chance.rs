//! How likely is it that chance alone makes a difference like this one?

use statrs::distribution::Uniform;
use statrs::stats_tests::NaNPolicy;
use statrs::stats_tests::chisquare::chisquare;
use statrs::stats_tests::ks_test::{KSOneSampleAlternativeMethod, ks_onesample};

/// A likelihood below this is no chance.
pub(super) const LEAST: f64 = 0.001;

/// Pearson's chi-square test: how likely counts are at least as far from the shares of these weights.
pub(super) fn of_counts(counts: &[usize], weights: &[u32]) -> f64 {
    let (all, total) = (counts.iter().sum::<usize>() as f64, f64::from(weights.iter().sum::<u32>()));
    let expected: Vec<f64> = weights.iter().map(|&weight| all * f64::from(weight) / total).collect();
    chisquare(counts, Some(&expected), None).unwrap().1
}

/// Kolmogorov's and Smirnov's test: how likely times are at least as far from any time from `low` to `high` being as likely.
pub(super) fn of_times(times: &[f64], low: f64, high: f64) -> f64 {
    let uniform = Uniform::new(low, high).unwrap();
    let method = KSOneSampleAlternativeMethod::TwoSidedAsymptotic;
    ks_onesample(times.to_vec(), &uniform, method, NaNPolicy::Error).unwrap().1
}

/// The first counts stand with p = 0.849145 in the documentation of `scipy.stats.chisquare`.
#[test]
fn counts_are_as_likely_as_tables_say() {
    assert!((of_counts(&[16, 18, 16, 14, 12, 12], &[1; 6]) - 0.849_145).abs() < 1e-6);
    // Two of 100 each, and `off` more of one than of the other: chi-square is off²/50.
    let p = of_counts(&[115, 85], &[1, 1]);
    assert!((p - 0.033_895).abs() < 1e-6, "{p}");
    assert!(of_counts(&[588, 294, 118], &[10, 5, 2]) > 0.99);
    assert!(of_counts(&[5_882, 2_941, 1_177], &[10, 8, 2]) < 1e-9);
}

/// Tables of the Kolmogorov distribution have 1.3581 for p = 0.05 and 1.9495 for p = 0.001.
#[test]
fn times_are_as_likely_as_tables_say() {
    let n = 10_000;
    for (distance, p) in [(1.3581, 0.05), (1.9495, 0.001)] {
        // Evenly spread, and all of them so much too late; half a step is between a point and its place.
        let late = distance / f64::from(n).sqrt() - 0.5 / f64::from(n);
        let times: Vec<f64> =
            (0..n).map(|i| 2.0 + 8.0 * (late + (f64::from(i) + 0.5) / f64::from(n))).collect();
        let found = of_times(&times, 2.0, 10.0);
        assert!((found / p - 1.0).abs() < 0.001, "{found} for {p}");
    }
}
