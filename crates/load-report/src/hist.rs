//! How are durations counted? An HDR histogram whose memory follows the values it has seen.
//!
//! Bucket for bucket this is `HdrHistogram` with 3 significant digits from 128 ns to 1 h
//! (<https://hdrhistogram.github.io/HdrHistogram/>), and it is stored in that project's V2 deflated form. Its
//! own array of 26,624 counters would cost 213 KB a series; here pages of 128 counters come into being when a
//! value first falls into them, so 50 ops with four series each stay within a few MiB.

mod v2;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hdrhistogram::serialization::{Serializer as _, V2DeflateSerializer};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

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
const PAGE: usize = 128;
const TOO_MANY: &str = "more values than 64 bits count";

type Page = [u64; PAGE];

/// A histogram of durations in nanoseconds, with exact count, sum, minimum and maximum beside the buckets.
#[derive(Clone, Debug, Default)]
pub struct Histogram {
    pages: Vec<Option<Box<Page>>>,
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
        *self.slot(index_of(value)) += n;
        self.min = if self.count == 0 { value } else { self.min.min(value) };
        self.max = self.max.max(value);
        self.count += n;
        self.sum += u128::from(value) * u128::from(n);
    }

    #[inline]
    fn slot(&mut self, index: usize) -> &mut u64 {
        let page = index / PAGE;
        if page >= self.pages.len() {
            self.pages.resize_with(page + 1, || None);
        }
        &mut self.pages[page].get_or_insert_with(|| Box::new([0; PAGE]))[index % PAGE]
    }

    /// Adds every value of `other`. Associative, commutative and without loss.
    pub fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        for (index, n) in other.buckets() {
            *self.slot(index) += n;
        }
        self.min = if self.count == 0 { other.min } else { self.min.min(other.min) };
        self.max = self.max.max(other.max);
        self.count += other.count;
        self.sum += other.sum;
        self.clamped += other.clamped;
    }

    /// Forgets every value and keeps the pages, so that a steady series allocates nothing.
    pub fn clear(&mut self) {
        if self.count == 0 {
            return;
        }
        for page in self.pages.iter_mut().flatten() {
            page.fill(0);
        }
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
        self.pages.iter().enumerate().filter_map(|(number, page)| Some((number, page.as_ref()?))).flat_map(
            |(number, page)| {
                page.iter().enumerate().filter(|&(_, &n)| n > 0).map(move |(i, &n)| (number * PAGE + i, n))
            },
        )
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

/// The stored form in JSON: exact figures in clear, buckets in HdrHistogram's own form.
#[derive(Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Histogram")]
struct Stored {
    /// Number of values.
    count: u64,
    /// Sum of all values in ns, as decimal text because it may exceed 64 bits.
    sum_ns: String,
    /// Smallest value, ns.
    min_ns: u64,
    /// Largest value, ns.
    max_ns: u64,
    /// Values above one hour, counted as one hour.
    clamped: u64,
    /// HdrHistogram V2, deflated, base64; 128 ns to 1 h, 3 significant digits; empty when there is no value.
    hdr: String,
}

/// The stored form in journals: counts of the buckets in use, each with its distance from the one before.
#[derive(Serialize, Deserialize)]
struct Sparse {
    sum: u128,
    min: u64,
    max: u64,
    clamped: u64,
    buckets: Vec<(u32, u64)>,
}

impl Serialize for Histogram {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            let hdr = if self.is_empty() { String::new() } else { self.to_base64() };
            let (count, min_ns, max_ns, clamped) = (self.count, self.min, self.max, self.clamped);
            return Stored { count, sum_ns: self.sum.to_string(), min_ns, max_ns, clamped, hdr }
                .serialize(serializer);
        }
        let mut previous = 0;
        let buckets = self.buckets().map(|(index, n)| {
            let gap = index - previous;
            previous = index;
            (gap as u32, n)
        });
        let (sum, min, max, clamped) = (self.sum, self.min, self.max, self.clamped);
        Sparse { sum, min, max, clamped, buckets: buckets.collect() }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Histogram {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let stored = Stored::deserialize(deserializer)?;
            return stored.read().map_err(de::Error::custom);
        }
        Sparse::deserialize(deserializer)?.read().map_err(de::Error::custom)
    }
}

impl Stored {
    fn read(self) -> Result<Histogram, String> {
        if self.hdr.is_empty() {
            return if self.count == 0 {
                Ok(Histogram::new())
            } else {
                Err(format!("histogram without buckets says {} values", self.count))
            };
        }
        let mut histogram = Histogram::from_base64(&self.hdr)?;
        if histogram.count != self.count {
            return Err(format!("histogram holds {} values, says {}", histogram.count, self.count));
        }
        histogram.sum =
            self.sum_ns.parse().map_err(|_| format!("sum_ns is not a number: {:?}", self.sum_ns))?;
        (histogram.min, histogram.max, histogram.clamped) = (self.min_ns, self.max_ns, self.clamped);
        histogram.coherent()
    }
}

impl Sparse {
    fn read(self) -> Result<Histogram, String> {
        let last = index_of(HIGHEST_NS);
        let mut histogram = Histogram::new();
        let mut index = 0_usize;
        for (gap, n) in self.buckets {
            index = index.saturating_add(gap as usize);
            if index > last {
                return Err(format!("bucket {index} is beyond the last one, {last}"));
            }
            // No bucket holds more than the count, so the slot cannot overflow where the count does not.
            histogram.count = histogram.count.checked_add(n).ok_or(TOO_MANY)?;
            *histogram.slot(index) += n;
        }
        (histogram.sum, histogram.min, histogram.max) = (self.sum, self.min, self.max);
        histogram.clamped = self.clamped;
        histogram.coherent()
    }
}

impl JsonSchema for Histogram {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Histogram".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Stored::json_schema(generator)
    }
}

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
    fn a_bucket_out_of_range_is_refused_without_allocating_for_it() {
        let evil = Sparse { sum: 0, min: 0, max: 0, clamped: 0, buckets: vec![(u32::MAX, 1)] };
        assert!(postcard::from_bytes::<Histogram>(&postcard::to_stdvec(&evil).unwrap()).is_err());
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
