//! Of what is a number? The dimensions that thresholds compare, and the units that people write.

use std::fmt;

use crate::gauge::GaugeUnit;

/// What a value is an amount of. Every value of a threshold is kept in its dimension's base unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dimension {
    /// Milliseconds.
    Time,
    /// Bytes.
    Bytes,
    /// A number of things.
    Count,
    /// A fraction, 0 to 1.
    Ratio,
    /// Things a second.
    PerSecond,
    /// Bytes a second.
    BytesPerSecond,
}

/// Factor of a unit, as numerator and denominator: 7 % is 7 / 100, which 7 × 0.01 is not in binary.
type Factor = (f64, f64);

/// What may stand right behind a number.
const UNITS: [(&str, Dimension, Factor); 19] = [
    ("ns", Dimension::Time, (1.0, 1e6)),
    ("us", Dimension::Time, (1.0, 1e3)),
    ("µs", Dimension::Time, (1.0, 1e3)),
    // The Greek letter, which looks the same as the micro sign above.
    ("μs", Dimension::Time, (1.0, 1e3)),
    ("ms", Dimension::Time, (1.0, 1.0)),
    ("s", Dimension::Time, (1e3, 1.0)),
    ("m", Dimension::Time, (6e4, 1.0)),
    ("h", Dimension::Time, (3.6e6, 1.0)),
    ("%", Dimension::Ratio, (1.0, 100.0)),
    ("B", Dimension::Bytes, (1.0, 1.0)),
    ("kB", Dimension::Bytes, (1e3, 1.0)),
    ("KB", Dimension::Bytes, (1e3, 1.0)),
    ("MB", Dimension::Bytes, (1e6, 1.0)),
    ("GB", Dimension::Bytes, (1e9, 1.0)),
    ("TB", Dimension::Bytes, (1e12, 1.0)),
    ("KiB", Dimension::Bytes, (1024.0, 1.0)),
    ("MiB", Dimension::Bytes, (1_048_576.0, 1.0)),
    ("GiB", Dimension::Bytes, (1_073_741_824.0, 1.0)),
    ("TiB", Dimension::Bytes, (1_099_511_627_776.0, 1.0)),
];

/// The units, for people.
pub(super) const UNITS_HELP: &str = "units are ns, us, ms, s, m, h, %, B, KB, MB, GB, TB, KiB, MiB, GiB, TiB, and /s, /m, /h behind counts and bytes";

/// A unit: its dimension and what a number in it is worth in base units.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Unit {
    pub(super) dimension: Dimension,
    factor: Factor,
}

impl Unit {
    /// The unit that is written `text`: `ms`, `%`, `MB`, `/s`, `MB/s`; none when there is no such unit.
    pub(super) fn read(text: &str) -> Option<Self> {
        let Some((amount, period)) = text.split_once('/') else {
            let &(_, dimension, factor) = UNITS.iter().find(|(name, ..)| *name == text)?;
            return Some(Self { dimension, factor });
        };
        let seconds = match period {
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3_600.0,
            _ => return None,
        };
        if amount.is_empty() {
            return Some(Self { dimension: Dimension::PerSecond, factor: (1.0, seconds) });
        }
        let Self { dimension, factor } = Self::read(amount)?;
        let factor = (factor.0, factor.1 * seconds);
        (dimension == Dimension::Bytes).then_some(Self { dimension: Dimension::BytesPerSecond, factor })
    }

    /// `value` of this unit in base units.
    pub(super) fn to_base(self, value: f64) -> f64 {
        value * self.factor.0 / self.factor.1
    }
}

impl Dimension {
    /// That of the values of a gauge.
    pub(super) fn of(unit: GaugeUnit) -> Self {
        match unit {
            GaugeUnit::Count => Self::Count,
            GaugeUnit::Bytes => Self::Bytes,
            GaugeUnit::Ratio => Self::Ratio,
            GaugeUnit::PerS => Self::PerSecond,
            GaugeUnit::BytesPerS => Self::BytesPerSecond,
            GaugeUnit::Ms => Self::Time,
        }
    }

    /// The name of the base unit in results.
    pub(super) fn unit(self) -> &'static str {
        match self {
            Self::Time => "ms",
            Self::Bytes => "bytes",
            Self::Count => "count",
            Self::Ratio => "ratio",
            Self::PerSecond => "per_s",
            Self::BytesPerSecond => "bytes_per_s",
        }
    }

    /// The base unit behind a number, so that the number reads back with this dimension.
    pub(super) fn suffix(self) -> &'static str {
        match self {
            Self::Time => "ms",
            Self::Bytes => "B",
            Self::Count | Self::Ratio => "",
            Self::PerSecond => "/s",
            Self::BytesPerSecond => "B/s",
        }
    }

    /// The dimension of such an amount a second; for bytes and counts.
    pub(super) fn per_second(self) -> Self {
        if self == Self::Bytes { Self::BytesPerSecond } else { Self::PerSecond }
    }

    /// `value` in base units, for a sentence.
    pub(super) fn show(self, value: f64) -> String {
        match self {
            Self::Ratio => format!("{:.3} %", value * 100.0),
            Self::Count => format!("{value}"),
            Self::Time => format!("{value:.3} ms"),
            _ => format!("{value:.1}{}", self.suffix()),
        }
    }
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Time => "a time",
            Self::Bytes => "an amount of bytes",
            Self::Count => "a count",
            Self::Ratio => "a ratio",
            Self::PerSecond => "a rate per second",
            Self::BytesPerSecond => "a rate in bytes per second",
        })
    }
}
