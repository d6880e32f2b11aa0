//! How far is the server's clock off? A range that holds the truth, from an instant of the server's clock that lies between two of
//! this machine's.

use std::fmt;

use jiff::fmt::rfc2822::DateTimeParser;
use serde::{Deserialize, Serialize};

/// A `Date` header says whole seconds.
const SECOND_NS: i64 = 1_000_000_000;

/// By how much the server's clock is ahead of this machine's: by something in this range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ahead {
    /// By this at least, in ns; less than nothing is behind.
    pub least_ns: i64,
    /// By this at most.
    pub most_ns: i64,
}

impl Ahead {
    /// Follows from `server_ns`, which the server's clock said between `sent_ns` and `came_ns` of this machine's, with the
    /// rest below `step_ns` cut off.
    pub fn between(sent_ns: i64, came_ns: i64, server_ns: i64, step_ns: i64) -> Self {
        let least_ns = server_ns.saturating_sub(came_ns);
        Self { least_ns, most_ns: server_ns.saturating_add(step_ns).saturating_sub(sent_ns).max(least_ns) }
    }

    /// From the `Date` header of an answer.
    pub fn by_date(sent_ns: i64, came_ns: i64, date: &str) -> Option<Self> {
        let server = DateTimeParser::new().parse_timestamp(date).ok()?;
        let server_ns = i64::try_from(server.as_nanosecond()).ok()?;
        Some(Self::between(sent_ns, came_ns, server_ns, SECOND_NS))
    }

    /// From an instant in a message. Its step is the coarsest of second, millisecond, microsecond and nanosecond that it fits.
    pub fn by_stamp(sent_ns: i64, came_ns: i64, server_ns: i64) -> Self {
        let steps = [SECOND_NS, 1_000_000, 1_000];
        let step_ns = steps.into_iter().find(|step| server_ns % step == 0).unwrap_or(1);
        Self::between(sent_ns, came_ns, server_ns, step_ns)
    }

    /// What both say together; nothing when they contradict each other. At most as wide as that of the exchange that took less
    /// time, which is what NTP goes by.
    pub fn and(self, other: Self) -> Option<Self> {
        let (least_ns, most_ns) = (self.least_ns.max(other.least_ns), self.most_ns.min(other.most_ns));
        (least_ns <= most_ns).then_some(Self { least_ns, most_ns })
    }

    /// The best guess, in ns.
    pub fn middle_ns(self) -> i64 {
        self.least_ns.saturating_add(self.half_ns())
    }

    /// By how much that may be wrong, in ns.
    pub fn half_ns(self) -> i64 {
        self.most_ns.saturating_sub(self.least_ns) / 2
    }

    /// Both clocks may say the same.
    pub fn may_be_none(self) -> bool {
        self.least_ns <= 0 && self.most_ns >= 0
    }
}

/// `5000.0 ms ahead of this machine's, ±501.2 ms`.
impl fmt::Display for Ahead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (middle, half) = (self.middle_ns() as f64 / 1e6, self.half_ns() as f64 / 1e6);
        let side = if middle < 0.0 { "behind" } else { "ahead of" };
        write!(f, "{:.1} ms {side} this machine's, ±{half:.1} ms", middle.abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_date_is_sure_to_half_a_second() {
        // 1994-11-06T08:49:37Z, asked 20 ms before and answered 30 ms after the middle of that second by this clock.
        let second = 784_111_777 * SECOND_NS;
        let (sent, came) = (second + 480_000_000, second + 530_000_000);
        let ahead = Ahead::by_date(sent, came, "Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        assert_eq!((ahead.middle_ns(), ahead.half_ns()), (-5_000_000, 525_000_000));
        assert!(ahead.may_be_none());
        let late = Ahead::by_date(sent, came, "Sun, 06 Nov 1994 08:49:42 GMT").unwrap();
        assert!(!late.may_be_none());
        assert_eq!(late.to_string(), "4995.0 ms ahead of this machine's, ±525.0 ms");
        for text in ["", "yesterday", "Sun, 06 Nov 1994", "1994-11-06T08:49:37Z"] {
            assert_eq!(Ahead::by_date(0, 1, text), None, "{text}");
        }
    }

    #[test]
    fn exchanges_together_are_surer_and_may_contradict_each_other() {
        let (slow, fast) = (Ahead::by_stamp(0, 900, 450), Ahead::by_stamp(1_000, 1_100, 1_061));
        assert_eq!(slow.and(fast), Some(fast));
        assert_eq!(fast.and(slow).unwrap().middle_ns(), 11);
        let early = Ahead::by_stamp(0, 400, 450);
        assert_eq!(early.and(slow), Some(Ahead { least_ns: 50, most_ns: 451 }));
        assert_eq!(early.and(Ahead::by_stamp(0, 10, 2)), None);
    }

    proptest! {
        #[test]
        fn the_truth_is_in_the_range(
            ahead in -1_000_000_000_000_i64..1_000_000_000_000,
            began in 0..4_000_000_000_000_000_000_i64,
            there in 0_i64..10_000_000_000,
            back in 0_i64..10_000_000_000,
            unit in 0_usize..4,
        ) {
            let (read, step) = (began + there + ahead, [1, 1_000, 1_000_000, SECOND_NS][unit]);
            let range = Ahead::by_stamp(began, began + there + back, read.div_euclid(step) * step);
            let other = Ahead::by_stamp(began, began + back + 7, began + ahead + 5);
            for range in [range, range.and(other).unwrap()] {
                prop_assert!(range.least_ns <= ahead && ahead <= range.most_ns, "{range:?}");
            }
        }

        #[test]
        fn no_instant_is_a_panic(sent: i64, came: i64, server: i64) {
            let range = Ahead::by_stamp(sent, came, server);
            let _ = (range.to_string(), range.middle_ns());
        }
    }
}
