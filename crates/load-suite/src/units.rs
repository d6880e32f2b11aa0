//! How do people write durations, counts and rates? Parsers whose errors say what was expected.

use std::fmt::Write as _;
use std::time::Duration;

/// A value that is not of the form a user was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{given:?} is not {expected}")]
pub struct UnitError {
    given: String,
    expected: &'static str,
}

impl UnitError {
    /// `given` is not `expected`, which reads like "a duration like 30s".
    pub fn new(given: &str, expected: &'static str) -> Self {
        Self { given: given.to_owned(), expected }
    }
}

/// A duration: `30s`, `5m`, `1h30m`, `500ms`, `200us`, `1.5s`; a bare number is seconds.
///
/// # Errors
/// Anything else.
pub fn duration(text: &str) -> Result<Duration, UnitError> {
    let expected =
        || UnitError::new(text, "a duration like 30s, 5m, 1h30m, 500ms (a bare number is seconds)");
    let text = text.trim();
    if let Some(seconds) = decimal(text) {
        return Duration::try_from_secs_f64(seconds).map_err(|_| expected());
    }
    let unit_at = text.find(|c: char| c.is_alphabetic() || c == 'µ').unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let scale = match unit {
        "h" => 3_600.0,
        "m" => 60.0,
        "s" => 1.0,
        "ms" => 1e-3,
        "us" | "µs" => 1e-6,
        "ns" => 1e-9,
        _ => return humantime::parse_duration(text).map_err(|_| expected()),
    };
    let value = decimal(number.trim_end()).ok_or_else(expected)?;
    Duration::try_from_secs_f64(value * scale).map_err(|_| expected())
}

/// A duration as [`duration`] and k6 read it, without loss: `1h30m`, `1m1s500ms`.
pub fn written(duration: Duration) -> String {
    let (seconds, rest) = (duration.as_secs(), duration.subsec_nanos());
    let pieces = [
        (seconds / 3_600, "h"),
        (seconds / 60 % 60, "m"),
        (seconds % 60, "s"),
        (u64::from(rest / 1_000_000), "ms"),
        (u64::from(rest / 1_000 % 1_000), "us"),
        (u64::from(rest % 1_000), "ns"),
    ];
    let mut text = String::new();
    for (n, unit) in pieces.into_iter().filter(|(n, _)| *n > 0) {
        // Writing to a text cannot fail.
        let _ = write!(text, "{n}{unit}");
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// A number without sign, exponent or unit.
fn decimal(text: &str) -> Option<f64> {
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    plain.then(|| text.parse().ok()).flatten()
}

/// A count: `5000`, `10k`, `1m` (million), `2.5k`.
///
/// # Errors
/// Anything else, and what is not a whole number.
pub fn count(text: &str) -> Result<u64, UnitError> {
    let expected = || UnitError::new(text, "a whole number like 5000, 10k or 1m");
    let lower = text.trim().to_ascii_lowercase().replace('_', "");
    let (number, scale) = match lower.strip_suffix(['k', 'm', 'g']) {
        Some(number) if lower.ends_with('k') => (number, 1e3),
        Some(number) if lower.ends_with('m') => (number, 1e6),
        Some(number) => (number, 1e9),
        None => (lower.as_str(), 1.0),
    };
    let value = decimal(number).ok_or_else(expected)? * scale;
    if value.fract() == 0.0 && value < 9e15 { Ok(value as u64) } else { Err(expected()) }
}

/// A rate in events a second: `500`, `500/s`, `6000/m`, `10k/s`, `100/h`.
///
/// # Errors
/// Anything else.
pub fn rate(text: &str) -> Result<f64, UnitError> {
    let expected = || UnitError::new(text, "a rate like 500, 500/s or 6000/m");
    let (number, per) = text.trim().split_once('/').unwrap_or((text.trim(), "s"));
    let seconds = match per.trim() {
        "s" | "1s" => 1.0,
        "m" | "1m" => 60.0,
        "h" | "1h" => 3_600.0,
        _ => return Err(expected()),
    };
    let lower = number.trim().to_ascii_lowercase();
    let value = match lower.strip_suffix('k') {
        Some(thousands) => decimal(thousands).map(|v| v * 1e3),
        None => decimal(&lower),
    };
    value.map(|v| v / seconds).ok_or_else(expected)
}

/// A fixed duration `D`, or a range `A..B`.
///
/// # Errors
/// Anything else, and a range whose end lies before its beginning.
pub fn duration_range(text: &str) -> Result<(Duration, Duration), UnitError> {
    let (low, high) = match text.split_once("..") {
        Some((low, high)) => (duration(low)?, duration(high)?),
        None => (duration(text)?, duration(text)?),
    };
    if low > high {
        return Err(UnitError::new(text, "a range from the shorter to the longer duration, like 1s..3s"));
    }
    Ok((low, high))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_they_are_read() {
        for (text, same) in [("90m", "1h30m"), ("0", "0s"), ("61.5", "1m1s500ms"), ("10us", "10us")] {
            let read = duration(text).unwrap();
            assert_eq!(written(read), same);
            assert_eq!(duration(same).unwrap(), read);
        }
    }

    #[test]
    fn durations() {
        for (text, ms) in [
            ("30s", 30_000.0),
            ("60", 60_000.0),
            ("1h30m", 5_400_000.0),
            ("1h 30m", 5_400_000.0),
            ("500ms", 500.0),
            ("200us", 0.2),
            ("0.5s", 500.0),
            ("1.5m", 90_000.0),
            ("0", 0.0),
        ] {
            let parsed = duration(text).unwrap().as_secs_f64() * 1e3;
            assert!((parsed - ms).abs() < 1e-9, "{text}: {parsed}");
        }
        for text in ["", "5x", "-3s", "s", "1e400", "nan", "1..2s"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn counts_and_rates() {
        assert_eq!(count("10k"), Ok(10_000));
        assert_eq!(count("1m"), Ok(1_000_000));
        assert_eq!(count("2.5k"), Ok(2_500));
        assert!(count("0.5").is_err() && count("-1").is_err() && count("many").is_err());
        assert_eq!(rate("6000/m"), Ok(100.0));
        assert_eq!(rate("500/s"), Ok(500.0));
        assert_eq!(rate("20k"), Ok(20_000.0));
        assert!(rate("5/day").is_err() && rate("/s").is_err());
    }

    #[test]
    fn ranges() {
        assert_eq!(duration_range("1s..3s"), Ok((Duration::from_secs(1), Duration::from_secs(3))));
        assert_eq!(duration_range("1s"), Ok((Duration::from_secs(1), Duration::from_secs(1))));
        assert!(duration_range("3s..1s").is_err());
    }
}
