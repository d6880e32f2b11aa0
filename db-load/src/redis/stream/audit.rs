//! Which messages came, which came twice, which never? By the numbers that producers give them.

use std::collections::HashMap;

/// What is known of all messages of a stream in this process.
#[derive(Debug, Default)]
pub struct Audit {
    producers: HashMap<Box<[u8]>, Producer>,
}

/// The messages of one producer, which are numbered from 1.
#[derive(Debug, Default)]
struct Producer {
    added: Numbers,
    seen: Numbers,
}

/// A set of numbers, a bit each.
#[derive(Debug, Default)]
struct Numbers {
    words: Vec<u64>,
    most: u64,
}

/// Numbers above are not kept: 128 MiB for a producer.
const MOST: u64 = 1 << 30;

impl Numbers {
    /// Whether it is new.
    fn insert(&mut self, n: u64) -> bool {
        let (word, bit) = ((n / 64) as usize, 1 << (n % 64));
        if n > MOST {
            return true;
        }
        if self.words.len() <= word {
            self.words.resize(word + 1, 0);
        }
        let is_new = self.words[word] & bit == 0;
        self.words[word] |= bit;
        self.most = self.most.max(n);
        is_new
    }

    fn count(&self) -> u64 {
        self.words.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    /// How many are not in `other`.
    fn without(&self, other: &Self) -> u64 {
        let others = other.words.iter().copied().chain(std::iter::repeat(0));
        self.words.iter().zip(others).map(|(word, other)| u64::from((word & !other).count_ones())).sum()
    }
}

impl Audit {
    fn of(&mut self, producer: &[u8]) -> &mut Producer {
        // Looked up twice for a new one alone.
        if !self.producers.contains_key(producer) {
            self.producers.insert(producer.into(), Producer::default());
        }
        self.producers.entry(producer.into()).or_default()
    }

    /// The server has message `n` of `producer`.
    pub fn added(&mut self, producer: &[u8], n: u64) {
        self.of(producer).added.insert(n);
    }

    /// Message `n` of `producer` came; whether it had not come before.
    pub fn came(&mut self, producer: &[u8], n: u64) -> bool {
        self.of(producer).seen.insert(n)
    }

    /// Forgets which messages came.
    pub fn look_again(&mut self) {
        self.producers.values_mut().for_each(|producer| producer.seen = Numbers::default());
    }

    /// How many of the messages that this process added have not come.
    pub fn lost(&self) -> u64 {
        self.producers.values().map(|producer| producer.added.without(&producer.seen)).sum()
    }

    /// How many messages never came: of those that this process added, and the gaps in the numbers of other producers.
    pub fn missing(&self) -> u64 {
        let of = |producer: &Producer| {
            if producer.added.most == 0 {
                producer.seen.most - producer.seen.count()
            } else {
                producer.added.without(&producer.seen)
            }
        };
        self.producers.values().map(of).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_came_is_missing_and_what_came_twice_is_known() {
        let mut audit = Audit::default();
        (1..=100).for_each(|n| audit.added(b"own", n));
        assert_eq!(audit.missing(), 100);
        assert!((1..=100).filter(|n| n % 10 > 0).all(|n| audit.came(b"own", n)));
        assert!(!audit.came(b"own", 7));
        assert_eq!(audit.missing(), 10);
        // One whose addition nobody confirmed.
        assert!(audit.came(b"own", 101));
        assert_eq!(audit.missing(), 10);
        // Of a producer elsewhere, its gaps.
        assert!([1, 2, 5].into_iter().all(|n| audit.came(b"other", n)));
        assert_eq!(audit.missing(), 12);
    }
}
