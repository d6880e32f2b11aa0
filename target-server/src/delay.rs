//! How long shall an answer wait? Pure distributions, known by their quantile function.
//!
//! A delay is drawn by putting a uniform number into the quantile function, so that a test can put its own
//! numbers into the same function and knows every percentile exactly.

/// A distribution of delays. All times are nanoseconds.
#[derive(Debug, Clone, PartialEq)]
pub enum Delay {
    /// Always the same; 0 answers at once.
    Constant(u64),
    /// Evenly between the two.
    Uniform {
        /// The shortest.
        low: u64,
        /// The longest.
        high: u64,
    },
    /// One of two values.
    Bimodal {
        /// The usual delay.
        usual: u64,
        /// The other delay.
        other: u64,
        /// The share of the other delay, 0 to 1.
        share: f64,
    },
    /// Memoryless, cut at `max`.
    Exponential {
        /// Mean of the uncut distribution.
        mean: u64,
        /// No delay is longer.
        max: u64,
    },
    /// A heavy tail (Pareto, type I), cut at `max`.
    Pareto {
        /// The shortest delay.
        scale: u64,
        /// The exponent of the tail; smaller is heavier.
        shape: f64,
        /// No delay is longer.
        max: u64,
    },
}

impl Delay {
    /// The delay below which the share `q` (0 to 1, 1 excluded) of all delays lies, in nanoseconds.
    pub fn quantile(&self, q: f64) -> u64 {
        match *self {
            Self::Constant(delay) => delay,
            Self::Uniform { low, high } => low + (q * (high - low) as f64) as u64,
            Self::Bimodal { usual, other, share } => {
                if q < 1.0 - share {
                    usual
                } else {
                    other
                }
            }
            Self::Exponential { mean, max } => ((-(1.0 - q).ln() * mean as f64) as u64).min(max),
            Self::Pareto { scale, shape, max } => {
                ((scale as f64 / (1.0 - q).powf(shape.recip())) as u64).min(max)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn constant_ignores_the_draw() {
        assert_eq!(Delay::Constant(5).quantile(0.0), 5);
        assert_eq!(Delay::Constant(5).quantile(0.999), 5);
    }

    #[test]
    fn uniform_runs_from_low_to_high() {
        let delay = Delay::Uniform { low: MS, high: 9 * MS };
        assert_eq!(delay.quantile(0.0), MS);
        assert_eq!(delay.quantile(0.5), 5 * MS);
        assert!(delay.quantile(0.999_999) < 9 * MS);
    }

    #[test]
    fn bimodal_share_is_that_of_the_other_value() {
        let delay = Delay::Bimodal { usual: MS, other: 50 * MS, share: 0.1 };
        let others = (0..1000).filter(|i| delay.quantile(f64::from(*i) / 1000.0) == 50 * MS).count();
        assert_eq!(others, 100);
    }

    #[test]
    fn exponential_has_its_textbook_median_and_cut() {
        let delay = Delay::Exponential { mean: 10 * MS, max: 30 * MS };
        let median = 10.0 * MS as f64 * std::f64::consts::LN_2;
        assert!((delay.quantile(0.5) as f64 - median).abs() < 2.0);
        assert_eq!(delay.quantile(0.999_999), 30 * MS);
    }

    #[test]
    fn pareto_tail_follows_its_exponent() {
        let delay = Delay::Pareto { scale: MS, shape: 1.5, max: 2000 * MS };
        assert_eq!(delay.quantile(0.0), MS);
        // P(X > 100 x scale) = 100^-1.5 = 0.001.
        assert!(delay.quantile(0.999).abs_diff(100 * MS) < 10);
        assert_eq!(delay.quantile(0.999_999_999), 2000 * MS);
    }
}
