//! When was this message sent, and which one is it? Two fields of a JSON object, found without keeping any of it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Which fields to look at.
#[derive(Clone, Debug)]
pub struct Fields {
    /// Says when a message was sent.
    pub timestamp: String,
    /// Numbers the messages of a connection; an empty name is no field.
    pub seq: String,
    /// Messages with a time in them are told apart by their content, too.
    pub fanout: bool,
    /// By how many ns the clock behind the timestamps is ahead of this machine's. Known when there is a connection.
    pub ahead_ns: Arc<AtomicI64>,
}

/// What a message says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// When it was sent, ns since 1970 on this machine's clock.
    pub sent_ns: Option<i64>,
    /// Which one it is.
    pub seq: Option<u64>,
}

impl Fields {
    /// What `message` says of itself: nothing, unless it is a JSON object with these fields at its top.
    pub fn read(&self, message: &[u8]) -> Stamp {
        if message.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
            return Stamp::default();
        }
        let read = serde_json::Deserializer::from_slice(message).deserialize_map(Object(self));
        let Stamp { sent_ns, seq } = read.unwrap_or_default();
        let ahead_ns = self.ahead_ns.load(Ordering::Relaxed);
        Stamp { sent_ns: sent_ns.map(|ns| ns.saturating_sub(ahead_ns)), seq }
    }
}

struct Object<'a>(&'a Fields);

impl<'de> Visitor<'de> for Object<'_> {
    type Value = Stamp;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Stamp, A::Error> {
        let mut stamp = Stamp::default();
        while let Some(field) = map.next_key_seed(Key(self.0))? {
            match field {
                Field::Timestamp => stamp.sent_ns = instant(map.next_value::<&RawValue>()?.get()),
                Field::Seq => stamp.seq = map.next_value::<&RawValue>()?.get().parse().ok(),
                Field::Other => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(stamp)
    }
}

enum Field {
    Timestamp,
    Seq,
    Other,
}

struct Key<'a>(&'a Fields);

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = Field;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Field, D::Error> {
        from.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = Field;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field")
    }

    fn visit_str<E>(self, name: &str) -> Result<Field, E> {
        Ok(match name {
            name if name == self.0.timestamp => Field::Timestamp,
            name if name == self.0.seq => Field::Seq,
            _ => Field::Other,
        })
    }
}

/// A number or a string of JSON as an instant, in ns since 1970. The unit of a number follows from its size: between
/// 1973 and 5138 seconds, milliseconds, microseconds and nanoseconds have different ones.
fn instant(json: &str) -> Option<i64> {
    let text = json.trim_matches('"');
    if let Ok(whole) = text.parse::<i64>() {
        return whole.checked_mul(unit_ns(whole as f64));
    }
    if let Some(exact) = decimal(text) {
        return Some(exact);
    }
    if let Ok(number) = text.parse::<f64>() {
        // A float that is no instant becomes one far away, not a panic.
        return number.is_finite().then(|| (number * unit_ns(number) as f64).round() as i64);
    }
    let parsed: jiff::Timestamp = text.parse().ok()?;
    i64::try_from(parsed.as_nanosecond()).ok()
}

/// A number like 1795248000123.456: a float would be off by some 0.2 us.
fn decimal(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.')?;
    let whole = i64::try_from(whole.parse::<u64>().ok()?).ok()?;
    let digits = fraction.get(..fraction.len().min(9))?;
    let part = digits.parse::<u32>().ok()?;
    let unit = unit_ns(whole as f64);
    let rest = f64::from(part) / 10_f64.powi(digits.len() as i32) * unit as f64;
    whole.checked_mul(unit)?.checked_add(rest.round() as i64)
}

fn unit_ns(number: f64) -> i64 {
    match number.abs() {
        size if size < 1e11 => 1_000_000_000,
        size if size < 1e14 => 1_000_000,
        size if size < 1e17 => 1_000,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(timestamp: &str, seq: &str) -> Fields {
        Fields { timestamp: timestamp.into(), seq: seq.into(), fanout: false, ahead_ns: Arc::default() }
    }

    fn read(message: &str) -> Stamp {
        fields("timestamp", "seq").read(message.as_bytes())
    }

    #[test]
    fn every_usual_way_to_write_an_instant_is_understood() {
        let second = 1_795_248_000_000_000_000;
        for (text, ns) in [
            ("1795248000", second),
            ("1795248000.25", second + 250_000_000),
            ("1795248000123.456", second + 123_456_000),
            ("1.795248e9", second),
            ("1795248000123", second + 123_000_000),
            ("1795248000123456", second + 123_456_000),
            ("1795248000123456789", second + 123_456_789),
            ("\"1795248000123\"", second + 123_000_000),
            ("\"2026-11-21T08:00:00Z\"", second),
            ("\"2026-11-21T09:00:00.5+01:00\"", second + 500_000_000),
        ] {
            assert_eq!(read(&format!("{{\"timestamp\":{text}}}")).sent_ns, Some(ns), "{text}");
        }
    }

    #[test]
    fn only_the_fields_at_the_top_count() {
        let text = r#" {"data":{"timestamp":1,"seq":2},"list":[1,{"seq":3}],"seq":4,"x":null}"#;
        assert_eq!(read(text), Stamp { sent_ns: None, seq: Some(4) });
        let escaped = r#"{"\u0073eq":5,"timestamp":"2026-11-21T08:00:00Z"}"#;
        assert_eq!(read(escaped).seq, Some(5));
    }

    #[test]
    fn what_is_no_object_says_nothing() {
        for text in ["", "hello", "[1]", "{", r#"{"timestamp":"#, r#""timestamp""#, "12", "\u{0}"] {
            assert_eq!(read(text), Stamp::default(), "{text}");
        }
        for text in ["true", "null", "[]", "\"soon\"", "1e400", "\"\"", "99999999999999999999"] {
            let stamp = read(&format!("{{\"timestamp\":{text},\"seq\":-1}}"));
            assert_eq!(stamp.seq, None, "{text}");
        }
    }

    #[test]
    fn the_time_of_another_clock_becomes_that_of_ours() {
        let fields = fields("t", "seq");
        fields.ahead_ns.store(-250_000_000, Ordering::Relaxed);
        let stamp = fields.read(br#"{"t":1795248000,"seq":3}"#);
        assert_eq!(stamp, Stamp { sent_ns: Some(1_795_248_000_250_000_000), seq: Some(3) });
    }

    proptest::proptest! {
        #[test]
        fn no_message_is_a_panic(bytes: Vec<u8>, number: f64) {
            let fields = fields("t", "");
            fields.read(&bytes);
            fields.read(format!("{{\"t\":{number}}}").as_bytes());
            fields.read(format!("{{\"t\":{number:e}}}").as_bytes());
        }
    }
}
