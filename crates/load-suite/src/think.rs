//! How long does a user pause? `2s`, `1s..5s`, `exponential 2s`, `pacing 10s`.

use std::time::Duration;

use crate::units::{self, UnitError};

/// A pause between two iterations, or two calls, of one user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Think {
    /// None.
    #[default]
    None,
    /// Any time from the first to the second, each as likely.
    Uniform(Duration, Duration),
    /// Exponentially distributed with this mean, and at most ten times as long: what independent people do.
    Exponential(Duration),
    /// Iterations begin so far apart, or at once when the last one took longer.
    Pacing(Duration),
}

impl Think {
    /// Reads a pause as users write it.
    ///
    /// # Errors
    /// Anything else.
    pub fn parse(text: &str) -> Result<Self, UnitError> {
        let rest = |word: &str| text.trim().strip_prefix(word).map(str::trim);
        if let Some(mean) = rest("exponential ") {
            return units::duration(mean).map(Self::Exponential);
        }
        if let Some(period) = rest("pacing ") {
            return units::duration(period).map(Self::Pacing);
        }
        let expected = "a pause like 2s, 1s..5s, \"exponential 2s\" or \"pacing 10s\"";
        let (low, high) = units::duration_range(text).map_err(|_| UnitError::new(text, expected))?;
        Ok(if high.is_zero() { Self::None } else { Self::Uniform(low, high) })
    }

    /// When the next iteration is due after one that was due at `due` and ended at `end`, ns on any clock; `share` is a
    /// random number from 0 to 1, without 1.
    pub fn after(self, due: i64, end: i64, share: f64) -> i64 {
        let ns = |duration: Duration| i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
        match self {
            Self::None => end,
            Self::Uniform(low, high) => {
                let (low, high) = (ns(low), ns(high));
                end.saturating_add(low + ((high - low) as f64 * share) as i64)
            }
            Self::Exponential(mean) => {
                let draw = (-(1.0 - share).ln()).min(10.0);
                end.saturating_add((ns(mean) as f64 * draw) as i64)
            }
            Self::Pacing(period) => end.max(due.saturating_add(ns(period))),
        }
    }

    /// The least and the greatest pause; of an exponential one the mean, twice, and of pacing what an iteration of no
    /// length leaves.
    pub fn bounds(self) -> Option<(Duration, Duration)> {
        match self {
            Self::None => None,
            Self::Uniform(low, high) => Some((low, high)),
            Self::Exponential(mean) => Some((mean, mean)),
            Self::Pacing(period) => Some((period, period)),
        }
    }
}

impl std::fmt::Display for Think {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::None => write!(f, "none"),
            Self::Uniform(low, high) if low == high => write!(f, "{low:?}"),
            Self::Uniform(low, high) => write!(f, "{low:?}..{high:?}"),
            Self::Exponential(mean) => write!(f, "exponential {mean:?}"),
            Self::Pacing(period) => write!(f, "pacing {period:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_read_as_written() {
        let s = Duration::from_secs;
        assert_eq!(Think::parse("2s"), Ok(Think::Uniform(s(2), s(2))));
        assert_eq!(Think::parse("1s..5s"), Ok(Think::Uniform(s(1), s(5))));
        assert_eq!(Think::parse("exponential 2s"), Ok(Think::Exponential(s(2))));
        assert_eq!(Think::parse("pacing 10s"), Ok(Think::Pacing(s(10))));
        assert_eq!(Think::parse("0"), Ok(Think::None));
        assert!(Think::parse("often").unwrap_err().to_string().contains("a pause like"));
    }

    #[test]
    fn the_next_iteration_is_due_as_the_pause_says() {
        let s = |n: i64| n * 1_000_000_000;
        let after = |think: &str, share| Think::parse(think).unwrap().after(s(100), s(103), share);
        assert_eq!((after("0", 0.5), after("2s", 0.9), after("1s..5s", 0.5)), (s(103), s(105), s(106)));
        assert_eq!((after("pacing 10s", 0.1), after("pacing 2s", 0.1)), (s(110), s(103)));
        let mean: i64 =
            (0..1_000).map(|i| after("exponential 2s", f64::from(i) / 1_000.0) - s(103)).sum::<i64>() / 1_000;
        assert!((mean - s(2)).abs() < 20_000_000, "{mean}");
    }
}
