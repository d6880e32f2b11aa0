//! Which key? Drawn evenly, by Zipf's law, or around the middle, and the same in any division of the run.

use std::fmt;
use std::str::FromStr;

use rand::{Rng, RngExt as _};
use rand_distr::{Distribution as _, StandardNormal, Zipf};

/// How keys are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Spread {
    /// Each as likely as any other.
    #[default]
    Uniform,
    /// The k-th key with a chance in proportion to k to the power of minus this: few keys are met often.
    Zipf(f64),
    /// By the normal distribution around the middle, cut off at so many standard deviations, as pgbench's
    /// `random_gaussian` does.
    Normal(f64),
}

impl Spread {
    /// A key from `low` to `high`, both included; `low` where there is no other.
    #[inline]
    pub fn draw(self, low: i64, high: i64, rng: &mut impl Rng) -> i64 {
        if high <= low {
            return low;
        }
        match self {
            Self::Uniform => rng.random_range(low..=high),
            Self::Zipf(exponent) => {
                let n = high.abs_diff(low) as f64 + 1.0;
                // Both were checked when they were parsed or compiled.
                let rank = Zipf::new(n, exponent).map_or(1.0, |zipf| zipf.sample(rng));
                low.saturating_add(rank as i64 - 1).min(high)
            }
            Self::Normal(cut) => {
                let deviation = loop {
                    let deviation: f64 = StandardNormal.sample(rng);
                    if (-cut..cut).contains(&deviation) {
                        break deviation;
                    }
                };
                let share = (deviation + cut) / (2.0 * cut);
                let n = high.abs_diff(low) as f64 + 1.0;
                low.saturating_add((n * share) as i64).min(high)
            }
        }
    }
}

/// Zipf's exponent when none is given: that of YCSB.
const EXPONENT: f64 = 0.99;
/// Where the normal distribution is cut off when that is not given.
const CUT: f64 = 2.5;

impl FromStr for Spread {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, number) = match text.split_once(':') {
            Some((kind, number)) => (kind, Some(number.parse::<f64>().unwrap_or(f64::NAN))),
            None => (text, None),
        };
        let spread = match (kind, number) {
            ("uniform", None) => Some(Self::Uniform),
            ("zipf", number) => {
                Some(number.unwrap_or(EXPONENT)).filter(|s| (0.01..=100.0).contains(s)).map(Self::Zipf)
            }
            ("normal", number) => {
                Some(number.unwrap_or(CUT)).filter(|c| (2.0..=100.0).contains(c)).map(Self::Normal)
            }
            _ => None,
        };
        spread.ok_or_else(|| {
            "expected uniform, zipf or zipf:EXPONENT (0.01 to 100), normal or normal:CUT (2 to 100)"
                .to_owned()
        })
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uniform => f.write_str("uniform"),
            Self::Zipf(exponent) => write!(f, "zipf:{exponent}"),
            Self::Normal(cut) => write!(f, "normal:{cut}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand_xoshiro::Xoshiro256PlusPlus;

    use super::*;

    fn counts(spread: Spread, low: i64, high: i64, n: u32) -> Vec<u32> {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(7);
        let mut counts = vec![0; (high - low + 1) as usize];
        for _ in 0..n {
            counts[(spread.draw(low, high, &mut rng) - low) as usize] += 1;
        }
        counts
    }

    #[test]
    fn keys_are_spread_as_they_should_be() {
        let n = 100_000;
        assert!(counts(Spread::Uniform, 5, 14, n).iter().all(|&c| (9_500..10_500).contains(&c)));
        // 1 / (k * H(10)), H(10) = 2.929.
        let zipf = counts(Spread::Zipf(1.0), 1, 10, n);
        for (k, &count) in zipf.iter().enumerate() {
            let expected = f64::from(n) / 2.929 / (k + 1) as f64;
            assert!(
                (f64::from(count) - expected).abs() < 5.0 * expected.sqrt(),
                "{k}: {count} of {expected}"
            );
        }
        // The chance of the middle fifth at a cut of 2.5 deviations: erf(0.5 / sqrt 2) / erf(2.5 / sqrt 2).
        let normal = counts(Spread::Normal(2.5), 1, 10, n);
        let middle = f64::from(normal[4] + normal[5]) / f64::from(n);
        assert!((middle - 0.382_9 / 0.987_6).abs() < 0.01, "{middle}");
        assert!((i64::from(normal[0]) - i64::from(normal[9])).abs() < 300, "{normal:?}");
    }

    #[test]
    fn a_spread_is_read_as_it_is_written() {
        for text in ["uniform", "zipf:1.2", "normal:3"] {
            assert_eq!(text.parse::<Spread>().unwrap().to_string(), text);
        }
        assert_eq!("zipf".parse(), Ok(Spread::Zipf(0.99)));
        for wrong in ["", "zipf:0", "zipf:x", "normal:1", "uniform:2", "gauss"] {
            assert!(wrong.parse::<Spread>().is_err(), "{wrong}");
        }
    }
}
