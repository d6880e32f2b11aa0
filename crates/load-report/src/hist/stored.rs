//! How does a histogram look in a file? In JSON as HdrHistogram's own form, in journals as counts of the buckets in use.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{HIGHEST_NS, Histogram, TOO_MANY, index_of};

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
            histogram.add(index, n);
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

    #[test]
    fn a_bucket_out_of_range_is_refused_without_allocating_for_it() {
        let evil = Sparse { sum: 0, min: 0, max: 0, clamped: 0, buckets: vec![(u32::MAX, 1)] };
        assert!(postcard::from_bytes::<Histogram>(&postcard::to_stdvec(&evil).unwrap()).is_err());
    }
}
