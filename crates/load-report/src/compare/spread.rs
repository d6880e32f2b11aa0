//! How far may a figure be off by chance where only its distribution is known, and not its course?
//!
//! Of ops and of service times there is no series by the second. What is known is how much more the component's own
//! figure varies than that of as many independent calls would: its design effect (Kish, Survey Sampling, 1965). Divided
//! by it, the number of calls says how far a quantile may be off (Woodruff, JASA 47, 1952, 635–646). An op has fewer calls
//! a second, so alike calls cost it less: the component's effect is rather too large for it.

use crate::hist::Histogram;

/// Relative precision of the histograms: nothing is known better.
const PRECISION: f64 = 1e-3;

/// Standard deviation of the logarithm of the quantile `q` of `times`, where calls are worth `1 / effect` of an
/// independent one; none when they are too few.
pub(super) fn of_quantile(times: &Histogram, q: f64, effect: f64) -> Option<f64> {
    let worth = times.count() as f64 / effect;
    let off = (q * (1.0 - q) / worth).sqrt();
    if !off.is_finite() || q + off >= 1.0 || q - off <= 0.0 {
        return None;
    }
    let at = |q: f64| (times.quantile_ns(q).max(1) as f64).ln();
    Some(((at(q + off) - at(q - off)) / 2.0).max(PRECISION))
}

/// How much more a figure varies than with independent calls: never less.
pub(super) fn effect(observed: f64, independent: f64) -> f64 {
    if independent > 0.0 { (observed / independent).max(1.0) } else { 1.0 }
}

/// Variance of a difference of two shares, of which `cases` of `all` are known on each side, where independent.
pub(super) fn of_shares(one: (u64, u64), other: (u64, u64)) -> f64 {
    let all = (one.1 + other.1) as f64;
    if one.1 == 0 || other.1 == 0 {
        return 0.0;
    }
    let share = (one.0 + other.0) as f64 / all;
    share * (1.0 - share) * (1.0 / one.1 as f64 + 1.0 / other.1 as f64)
}

/// Variance of the logarithm of a ratio of two counts, where independent; none when one of them is 0.
pub(super) fn of_counts(one: u64, other: u64) -> Option<f64> {
    (one > 0 && other > 0).then(|| 1.0 / one as f64 + 1.0 / other as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_as_sure_as_its_calls_are_many() {
        let even = |n: u64| {
            let mut times = Histogram::new();
            (1..=n).for_each(|k| times.record(1_000_000 + k * 1_000_000 / n));
            times
        };
        // Evenly between 1 and 2 ms the median is 1.5 ms, and off by 0.5 / √n ms of it.
        let sigma = of_quantile(&even(10_000), 0.5, 1.0).unwrap();
        assert!((sigma - 0.005 / 1.5).abs() < 5e-4, "{sigma}");
        let fewer = of_quantile(&even(10_000), 0.5, 4.0).unwrap();
        assert!((fewer / sigma - 2.0).abs() < 0.2, "{fewer}");
        assert_eq!(of_quantile(&even(50), 0.99, 1.0), None);
        assert_eq!(of_quantile(&Histogram::new(), 0.5, 1.0), None);
    }
}
