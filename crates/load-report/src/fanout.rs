//! How long did it take until all had heard? Messages that go to many receivers, and how old each was with each of them.
//!
//! What one worker counts in a second, and a whole run, are the same table: [`FanoutTable::merge`] is associative,
//! commutative and loses nothing.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::hist::Histogram;
use crate::model::Quantiles;

/// One message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FanoutEntry {
    /// Says which message: a hash of its content, spread evenly.
    pub key: u64,
    /// How old it was with each receiver.
    pub age: Histogram,
}

/// Messages by key. Bounded: of more than [`FanoutTable::MESSAGES`] messages those with the smallest keys are kept, which is
/// a sample by chance and the same one in whatever order tables are merged.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FanoutTable {
    /// In the order of their keys.
    messages: Vec<FanoutEntry>,
    /// Receptions of messages that are not kept.
    others: u64,
}

/// What came of the messages that many receive.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FanoutReport {
    /// Messages that are kept.
    pub messages: u64,
    /// Receptions of them.
    pub received: u64,
    /// Receptions of further messages, which are in no other figure here.
    pub others: u64,
    /// Receivers of the message that had the fewest, and of the one that had the most.
    pub receivers: (u64, u64),
    /// Age with the first receiver of each message, over all messages.
    pub first_ms: Option<Quantiles>,
    /// Age with the receiver in the middle, over all messages.
    pub median_ms: Option<Quantiles>,
    /// Age with the last receiver, over all messages.
    pub last_ms: Option<Quantiles>,
}

impl FanoutTable {
    /// Most messages that are kept.
    pub const MESSAGES: usize = 1_000;

    /// The messages, in the order of their keys.
    pub fn messages(&self) -> &[FanoutEntry] {
        &self.messages
    }

    /// Nothing was received.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty() && self.others == 0
    }

    /// All receptions.
    pub(crate) fn count(&self) -> u64 {
        self.others + self.messages.iter().map(|message| message.age.count()).sum::<u64>()
    }

    /// One more has received message `key`, at an age of `age_ns`.
    pub fn received(&mut self, key: u64, age_ns: u64) {
        match self.slot(key) {
            Some(at) => self.messages[at].age.record(age_ns),
            None => self.others += 1,
        }
    }

    /// Adds what `other` holds.
    pub fn merge(&mut self, other: &Self) {
        self.others += other.others;
        for message in &other.messages {
            match self.slot(message.key) {
                Some(at) => self.messages[at].age.merge(&message.age),
                None => self.others += message.age.count(),
            }
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.messages.clear();
        self.others = 0;
    }

    /// Where message `key` stands, if it is kept; one with a greater key may go for it.
    fn slot(&mut self, key: u64) -> Option<usize> {
        let at = match self.messages.binary_search_by_key(&key, |message| message.key) {
            Ok(at) => return Some(at),
            Err(at) if at < Self::MESSAGES => at,
            Err(_) => return None,
        };
        self.messages.insert(at, FanoutEntry { key, age: Histogram::new() });
        if self.messages.len() > Self::MESSAGES {
            let gone = self.messages.pop();
            self.others += gone.map_or(0, |message| message.age.count());
        }
        Some(at)
    }

    /// What the table says; none when it is empty.
    pub fn report(&self) -> Option<FanoutReport> {
        if self.is_empty() {
            return None;
        }
        let [mut first, mut median, mut last] = [(); 3].map(|()| Histogram::new());
        let mut report = FanoutReport { others: self.others, ..FanoutReport::default() };
        for FanoutEntry { age, .. } in &self.messages {
            let receivers = age.count();
            let (fewest, most) = report.receivers;
            let fewest = if report.messages == 0 { receivers } else { fewest.min(receivers) };
            report.receivers = (fewest, most.max(receivers));
            report.messages += 1;
            report.received += receivers;
            first.record(age.min_ns());
            median.record(age.quantile_ns(0.5));
            last.record(age.max_ns());
        }
        (report.first_ms, report.median_ms, report.last_ms) =
            (Quantiles::of(&first), Quantiles::of(&median), Quantiles::of(&last));
        Some(report)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: u64 = 1_000_000;

    fn table(received: &[(u64, u64)]) -> FanoutTable {
        let mut table = FanoutTable::default();
        received.iter().for_each(|(key, age)| table.received(*key, *age));
        table
    }

    #[test]
    fn first_median_and_last_are_those_of_each_message() {
        let report = table(&[(7, MS), (7, 2 * MS), (7, 9 * MS), (1, 4 * MS)]).report().unwrap();
        assert_eq!((report.messages, report.received, report.receivers), (2, 4, (1, 3)));
        let near = |ms: Option<Quantiles>, min: f64, max: f64| {
            let ms = ms.unwrap();
            assert!((ms.min - min).abs() < 0.01 && (ms.max - max).abs() < 0.01, "{ms:?}");
        };
        near(report.first_ms, 1.0, 4.0);
        near(report.median_ms, 2.0, 4.0);
        near(report.last_ms, 4.0, 9.0);
        assert_eq!(FanoutTable::default().report(), None);
    }

    #[test]
    fn a_table_stays_bounded_and_counts_all() {
        let mut table = FanoutTable::default();
        // Keys come in an order in which every other one has to make room.
        for key in 0..3_000_u64 {
            table.received((key % 2) * 10_000 + 3_000 - key, MS);
        }
        assert_eq!((table.messages().len(), table.count()), (FanoutTable::MESSAGES, 3_000));
        assert_eq!(table.report().unwrap().others, 2_000);
    }

    proptest! {
        #[test]
        fn merging_is_associative_and_commutative_beyond_the_bound(
            all in prop::collection::vec((0_u64..2_500, 1_u64..1_000_000_000), 0..4_000), cuts in (0.0..1.0, 0.0..1.0),
        ) {
            let cut = |share: f64| (share * all.len() as f64) as usize;
            let (one, two) = (cut(cuts.0).min(cut(cuts.1)), cut(cuts.0).max(cut(cuts.1)));
            let parts = [&all[..one], &all[one..two], &all[two..]].map(table);
            let sum = |order: [usize; 3]| {
                let mut sum = FanoutTable::default();
                order.iter().for_each(|part| sum.merge(&parts[*part]));
                sum
            };
            let whole = table(&all);
            prop_assert_eq!(&sum([0, 1, 2]), &whole);
            prop_assert_eq!(&sum([2, 0, 1]), &whole);
            prop_assert_eq!(whole.count(), all.len() as u64);
        }
    }
}
