//! How are durations counted? An HDR histogram whose memory follows the values it has seen.
//!
//! Bucket for bucket this is `HdrHistogram` with 3 significant digits from 128 ns to 1 h
//! (<https://hdrhistogram.github.io/HdrHistogram/>), and it is stored in that project's V2 deflated form. Its
//! own array of 26,624 counters would cost 213 KB a series; here they are kept in pages that start
//! with two bytes a counter, so 50 ops with four series each stay within a few MiB.

mod stored;
mod v2;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hdrhistogram::serialization::{Serializer as _, V2DeflateSerializer};

/// Lowest value told apart from zero, ns.
pub const LOWEST_NS: u64 = 128;
/// Highest value that is counted as it is; above it values are clamped, and counted as clamped. One hour, ns.
pub const HIGHEST_NS: u64 = 3_600_000_000_000;
/// Significant decimal digits.
pub const DIGITS: u8 = 3;

/// log2 of [`LOWEST_NS`].
const UNIT_MAGNITUDE: u32 = 7;
/// log2 of half the sub-buckets: 2,048 of them separate 3 digits.
const HALF_MAGNITUDE: u32 = 10;
const HALF_COUNT: u64 = 1 << HALF_MAGNITUDE;
const SUB_BUCKET_MASK: u64 = ((2 << HALF_MAGNITUDE) - 1) << UNIT_MAGNITUDE;
const LEADING_ZEROS_BASE: u32 = 64 - UNIT_MAGNITUDE - HALF_MAGNITUDE - 1;
/// Counters a page. Rare outliers scatter over the whole range, and each costs a page: so pages are small.
const PAGE: usize = 16;
const TOO_MANY: &str = "more values than 64 bits count";

/// Counters of neighbouring buckets. Most pages hold a few outliers and lie within the table; a counter that outgrows 16
/// bits moves its page out.
#[derive(Clone, Debug)]
enum Page {
    Small([u16; PAGE]),
    Large(Box<[u64; PAGE]>),
}

impl Page {
    const EMPTY: Self = Self::Small([0; PAGE]);

    #[inline]
    fn add(&mut self, at: usize, n: u64) {
        match self {
            Self::Large(counts) => counts[at] += n,
            Self::Small(counts) => match u16::try_from(u64::from(counts[at]).saturating_add(n)) {
                Ok(sum) => counts[at] = sum,
                Err(_) => self.grow()[at] += n,
            },
        }
    }

    /// The counters with room for any number.
    #[cold]
    fn grow(&mut self) -> &mut [u64; PAGE] {
        if let Self::Small(counts) = self {
            *self = Self::Large(Box::new(counts.map(u64::from)));
        }
        match self {
            Self::Large(counts) => counts,
            Self::Small(_) => unreachable!("it has just grown"),
        }
    }

    fn get(&self, at: usize) -> u64 {
        match self {
            Self::Small(counts) => counts[at].into(),
            Self::Large(counts) => counts[at],
        }
    }

    fn clear(&mut self) {
        match self {
            Self::Large(counts) if counts.iter().any(|&n| n > 0) => counts.fill(0),
            _ => *self = Self::EMPTY,
        }
    }
}

/// A histogram of durations in nanoseconds, with exact count, sum, minimum and maximum beside the buckets.
#[derive(Clone, Debug, Default)]
pub struct Histogram {
    pages: Vec<Page>,
    count: u64,
    sum: u128,
    min: u64,
    max: u64,
    clamped: u64,
}

/// The bucket that `value` (ns, at most [`HIGHEST_NS`]) falls into.
fn index_of(value: u64) -> usize {
    let bucket = LEADING_ZEROS_BASE - (value | SUB_BUCKET_MASK).leading_zeros();
    let sub_bucket = value >> (bucket + UNIT_MAGNITUDE);
    ((u64::from(bucket + 1) << HALF_MAGNITUDE) + sub_bucket - HALF_COUNT) as usize
}

/// The lowest value of bucket `index` and the width of that bucket, ns.
fn bucket_at(index: usize) -> (u64, u64) {
    let row = (index >> HALF_MAGNITUDE) as u32;
    let offset = index as u64 & (HALF_COUNT - 1);
    let (bucket, sub_bucket) = if row == 0 { (0, offset) } else { (row - 1, offset + HALF_COUNT) };
    (sub_bucket << (bucket + UNIT_MAGNITUDE), 1 << (bucket + UNIT_MAGNITUDE))
}

impl Histogram {
    /// An empty histogram.
    pub const fn new() -> Self {
        Self { pages: Vec::new(), count: 0, sum: 0, min: 0, max: 0, clamped: 0 }
    }

    /// Counts one duration of `ns`.
    #[inline]
    pub fn record(&mut self, ns: u64) {
        self.record_n(ns, 1);
    }

    /// Counts `n` durations of `ns`.
    pub fn record_n(&mut self, ns: u64, n: u64) {
        if n == 0 {
            return;
        }
        let value = if ns > HIGHEST_NS {
            self.clamped += n;
            HIGHEST_NS
        } else {
            ns
        };
        self.add(index_of(value), n);
        self.min = if self.count == 0 { value } else { self.min.min(value) };
        self.max = self.max.max(value);
        self.count += n;
        self.sum += u128::from(value) * u128::from(n);
    }

    #[inline]
    fn add(&mut self, index: usize, n: u64) {
        let page = index / PAGE;
        if page >= self.pages.len() {
            self.pages.resize(page + 1, Page::EMPTY);
        }
        self.pages[page].add(index % PAGE, n);
    }

    /// Adds every value of `other`. Associative, commutative and without loss.
    pub fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        for (index, n) in other.buckets() {
            self.add(index, n);
        }
        self.min = if self.count == 0 { other.min } else { self.min.min(other.min) };
        self.max = self.max.max(other.max);
        self.count += other.count;
        self.sum += other.sum;
        self.clamped += other.clamped;
    }

    /// Forgets every value. Pages that were in use stay, so that a steady series allocates nothing; pages that were not
    /// are freed, so that the outliers of hours do not gather.
    pub fn clear(&mut self) {
        if self.count == 0 {
            return;
        }
        self.pages.iter_mut().for_each(Page::clear);
        (self.count, self.sum, self.min, self.max, self.clamped) = (0, 0, 0, 0, 0);
    }

    /// Number of values.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// True when nothing has been recorded.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Sum of all values, ns.
    pub fn sum_ns(&self) -> u128 {
        self.sum
    }

    /// Smallest value, ns; 0 when empty.
    pub fn min_ns(&self) -> u64 {
        self.min
    }

    /// Largest value, ns; 0 when empty.
    pub fn max_ns(&self) -> u64 {
        self.max
    }

    /// How many values lay above [`HIGHEST_NS`] and were counted as it.
    pub fn clamped(&self) -> u64 {
        self.clamped
    }

    /// Arithmetic mean, ns; 0 when empty.
    pub fn mean_ns(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.sum as f64 / self.count as f64 }
    }

    /// The value that the share `quantile` (0..=1) of all values does not exceed, ns: the upper edge of its
    /// bucket as `HdrHistogram` defines it, but never outside the exact minimum and maximum. 0 when empty.
    pub fn quantile_ns(&self, quantile: f64) -> u64 {
        if quantile <= 0.0 {
            return self.min;
        }
        let rank = ((quantile.clamp(0.0, 1.0) * self.count as f64).ceil() as u64).max(1);
        let mut seen = 0;
        for (index, n) in self.buckets() {
            seen += n;
            if seen >= rank {
                let (low, width) = bucket_at(index);
                return (low + width - 1).clamp(self.min, self.max);
            }
        }
        self.max
    }

    /// How many values lie in buckets wholly above `ns`.
    pub fn count_above(&self, ns: u64) -> u64 {
        self.buckets().filter(|&(index, _)| bucket_at(index).0 > ns).map(|(_, n)| n).sum()
    }

    /// The buckets that hold values, as (lowest value in ns, width in ns, count), in rising order.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64, u64)> + '_ {
        self.buckets().map(|(index, n)| {
            let (low, width) = bucket_at(index);
            (low, width, n)
        })
    }

    fn buckets(&self) -> impl Iterator<Item = (usize, u64)> + '_ {
        self.pages.iter().enumerate().flat_map(|(number, page)| {
            let counts = (0..PAGE).map(move |at| (number * PAGE + at, page.get(at)));
            counts.filter(|&(_, n)| n > 0)
        })
    }

    /// The same buckets as a histogram of the `hdrhistogram` crate.
    pub fn to_hdr(&self) -> hdrhistogram::Histogram<u64> {
        let mut hdr = empty_hdr();
        for (low, _, n) in self.iter() {
            hdr.saturating_record_n(low, n);
        }
        hdr
    }

    /// The buckets in HdrHistogram's V2 form, deflated, in base64: what .hlog files and `RunFile`s hold.
    pub fn to_base64(&self) -> String {
        let mut bytes = Vec::new();
        // Writing to memory fails only for counts above i64::MAX, which no run reaches.
        let _ = V2DeflateSerializer::new().serialize(&self.to_hdr(), &mut bytes);
        BASE64.encode(bytes)
    }

    /// Reads the buckets back from [`Self::to_base64`]; sum, minimum and maximum are then those of the buckets.
    ///
    /// # Errors
    /// Says what is wrong when the text is no base64, no V2 histogram, or has other bounds than ours.
    pub fn from_base64(text: &str) -> Result<Self, String> {
        let hdr = v2::read(text)?;
        let mut total = 0_u64;
        for bucket in hdr.iter_recorded() {
            total = total.checked_add(bucket.count_at_value()).ok_or(TOO_MANY)?;
        }
        let mut histogram = Self::new();
        for bucket in hdr.iter_recorded() {
            // The crate hands out the top of a bucket; its lowest value lies within our range, the top may not.
            let lowest = hdr.lowest_equivalent(bucket.value_iterated_to());
            histogram.record_n(lowest, bucket.count_at_value());
        }
        Ok(histogram)
    }
}

/// An empty histogram of the `hdrhistogram` crate with our bounds.
fn empty_hdr() -> hdrhistogram::Histogram<u64> {
    #[expect(clippy::expect_used, reason = "constant bounds, valid by construction")]
    hdrhistogram::Histogram::new_with_bounds(LOWEST_NS, HIGHEST_NS, DIGITS).expect("valid bounds")
}

impl Histogram {
    /// Refuses figures that the buckets contradict: they come from files, and later sums rely on them.
    fn coherent(self) -> Result<Self, String> {
        let (mut low_sum, mut width_sum) = (0_u128, 0_u128);
        for (low, width, n) in self.iter() {
            low_sum += u128::from(low) * u128::from(n);
            width_sum += u128::from(width) * u128::from(n);
        }
        let ends = (self.buckets().next(), self.buckets().last());
        let fits = match ends {
            (Some((first, _)), Some((last, n))) => {
                self.max <= HIGHEST_NS
                    && (index_of(self.min.min(self.max)), index_of(self.max)) == (first, last)
                    && self.min <= self.max
                    && (low_sum..=low_sum + width_sum).contains(&self.sum)
                    && self.clamped <= n
            }
            _ => (self.sum, self.min, self.max, self.clamped) == (0, 0, 0, 0),
        };
        if fits {
            Ok(self)
        } else {
            Err("sum, minimum, maximum or clamped contradict the buckets".to_owned())
        }
    }
}

impl PartialEq for Histogram {
    /// Equal values, whatever pages have been allocated.
    fn eq(&self, other: &Self) -> bool {
        (self.count, self.sum, self.min, self.max, self.clamped)
            == (other.count, other.sum, other.min, other.max, other.clamped)
            && self.buckets().eq(other.buckets())
    }
}

impl Eq for Histogram {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(values: &[u64]) -> Histogram {
        let mut histogram = Histogram::new();
        values.iter().for_each(|&v| histogram.record(v));
        histogram
    }

    /// Durations over the whole range, small ones as likely as large ones.
    fn durations() -> impl Strategy<Value = Vec<u64>> {
        prop::collection::vec(
            (0_u32..44, any::<u64>()).prop_map(|(bits, v)| v >> (63 - bits.min(42))),
            0..200,
        )
    }

    proptest! {
        #[test]
        fn buckets_are_those_of_hdrhistogram(values in durations()) {
            let ours = of(&values);
            let mut theirs = empty_hdr();
            values.iter().for_each(|&v| theirs.saturating_record(v.min(HIGHEST_NS)));
            let recorded = theirs.iter_recorded();
            let recorded = recorded.map(|b| (theirs.lowest_equivalent(b.value_iterated_to()), b.count_at_value()));
            let buckets = ours.iter().map(|(low, _, n)| (low, n));
            prop_assert_eq!(buckets.collect::<Vec<_>>(), recorded.collect::<Vec<_>>());
            for q in [0.0, 0.5, 0.9, 0.99, 0.999, 1.0] {
                let expected = theirs.value_at_quantile(q).clamp(ours.min_ns(), ours.max_ns());
                prop_assert_eq!(ours.quantile_ns(q), expected);
            }
        }

        #[test]
        fn merging_is_associative_commutative_and_lossless(a in durations(), b in durations(), c in durations()) {
            let (x, y, z) = (of(&a), of(&b), of(&c));
            let mut left = x.clone();
            left.merge(&y);
            left.merge(&z);
            let mut right = z.clone();
            right.merge(&y);
            right.merge(&x);
            prop_assert_eq!(&left, &right);
            prop_assert_eq!(left, of(&[a, b, c].concat()));
        }

        #[test]
        fn both_stored_forms_give_the_histogram_back(values in durations()) {
            let histogram = of(&values);
            let json = serde_json::to_string(&histogram).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Histogram>(&json).unwrap(), &histogram);
            let bytes = postcard::to_stdvec(&histogram).unwrap();
            prop_assert_eq!(&postcard::from_bytes::<Histogram>(&bytes).unwrap(), &histogram);
        }
    }

    #[test]
    fn values_beyond_an_hour_are_clamped_and_counted() {
        let histogram = of(&[5, HIGHEST_NS + 1, u64::MAX]);
        assert_eq!((histogram.count(), histogram.clamped(), histogram.max_ns()), (3, 2, HIGHEST_NS));
    }

    #[test]
    fn a_cleared_histogram_equals_a_new_one() {
        let mut histogram = of(&[1_000, 2_000_000]);
        histogram.clear();
        assert_eq!(histogram, Histogram::new());
    }

    #[test]
    fn other_bounds_are_refused() {
        let mut other = hdrhistogram::Histogram::<u64>::new_with_bounds(1, 1_000_000, 3).unwrap();
        other.record(7).unwrap();
        let mut bytes = Vec::new();
        V2DeflateSerializer::new().serialize(&other, &mut bytes).unwrap();
        assert!(
            Histogram::from_base64(&BASE64.encode(bytes))
                .unwrap_err()
                .contains("expected 128..3600000000000")
        );
    }
}
