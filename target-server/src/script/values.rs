//! How are the values of a script written that are more than numbers? Durations, delays and faults.

use std::{fmt, marker::PhantomData, time::Duration};

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};

use super::{Fail, When};
use crate::{clock::nanos, delay::Delay, fault::How};

/// A duration in nanoseconds, written like "5ms".
#[derive(Debug, Deserialize, Clone, Copy)]
#[serde(try_from = "String")]
pub(crate) struct Time(pub(crate) u64);

impl TryFrom<String> for Time {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let parsed: Duration = humantime::parse_duration(&text).map_err(|_| {
            format!("{text:?} is no duration: expected one like \"250us\", \"5ms\" or \"1s\"")
        })?;
        // A bound keeps every later sum far from overflow.
        match nanos(parsed) {
            ns if ns <= 86_400_000_000_000 => Ok(Self(ns)),
            _ => Err(format!("{text:?} is too long: expected at most one day")),
        }
    }
}

/// A status that ends an exchange.
pub(crate) fn check_status(status: u16) -> Result<(), String> {
    if (200..600).contains(&status) {
        return Ok(());
    }
    Err(format!("status {status}: expected a final one, 200 to 599"))
}

fn check_share(share: f64) -> Result<f64, String> {
    if (0.0..=1.0).contains(&share) {
        return Ok(share);
    }
    Err(format!("share = {share}: expected 0 to 1"))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDelay {
    uniform: Option<[Time; 2]>,
    bimodal: Option<[Time; 2]>,
    share: Option<f64>,
    exponential: Option<RawExponential>,
    pareto: Option<RawPareto>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawExponential {
    mean: Time,
    max: Time,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPareto {
    scale: Time,
    shape: f64,
    max: Time,
}

impl RawDelay {
    fn check(self) -> Result<Delay, String> {
        if self.share.is_some() != self.bimodal.is_some() {
            return Err("expected `bimodal` and `share` together".to_owned());
        }
        match (self.uniform, self.bimodal, self.exponential, self.pareto) {
            (Some([low, high]), None, None, None) if low.0 <= high.0 => {
                Ok(Delay::Uniform { low: low.0, high: high.0 })
            }
            (Some(_), None, None, None) => Err("uniform: expected the shorter time first".to_owned()),
            (None, Some([usual, other]), None, None) => {
                let share = check_share(self.share.unwrap_or_default())?;
                Ok(Delay::Bimodal { usual: usual.0, other: other.0, share })
            }
            (None, None, Some(raw), None) => Ok(Delay::Exponential { mean: raw.mean.0, max: raw.max.0 }),
            (None, None, None, Some(raw)) if raw.shape > 0.0 && raw.scale.0 <= raw.max.0 => {
                Ok(Delay::Pareto { scale: raw.scale.0, shape: raw.shape, max: raw.max.0 })
            }
            (None, None, None, Some(_)) => {
                Err("pareto: expected a shape above 0 and a scale no longer than max".to_owned())
            }
            _ => Err("expected one of uniform, bimodal, exponential, pareto".to_owned()),
        }
    }
}

impl<'de> Deserialize<'de> for Delay {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Delay;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration like \"5ms\" or a table like { uniform = [\"1ms\", \"9ms\"] }")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Delay, E> {
                Time::try_from(text.to_owned()).map(|time| Delay::Constant(time.0)).map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Delay, A::Error> {
                RawDelay::deserialize(MapAccessDeserializer::new(map))?.check().map_err(de::Error::custom)
            }
        }
        from.deserialize_any(Either)
    }
}

/// How often a fault falls due.
pub(super) fn when(share: Option<f64>, every: Option<u64>) -> Result<When, String> {
    match (share, every) {
        (Some(_), Some(_)) => Err("expected `share` or `every`, not both".to_owned()),
        (Some(share), None) => Ok(When::Share(check_share(share)?)),
        (None, Some(0)) => Err("every = 0: expected 1 or more".to_owned()),
        (None, Some(every)) => Ok(When::Every(every)),
        (None, None) => Ok(When::Always),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFail {
    how: String,
    share: Option<f64>,
    every: Option<u64>,
    after_bytes: Option<usize>,
    byte_every: Option<Time>,
}

impl RawFail {
    fn check(self) -> Result<Fail, String> {
        let when = when(self.share, self.every)?;
        let how = self.how()?;
        if self.after_bytes.is_some() && !matches!(how, How::Reset(_) | How::Close(_) | How::Never(_)) {
            return Err("expected `after_bytes` with how = \"reset\", \"close\" or \"never\" only".to_owned());
        }
        if self.byte_every.is_some() != matches!(how, How::Drip { .. }) {
            return Err("expected how = \"drip\" and `byte_every` together".to_owned());
        }
        Ok(Fail { how, when })
    }

    fn how(&self) -> Result<How, String> {
        let after = self.after_bytes.unwrap_or(0);
        Ok(match self.how.as_str() {
            "reset" => How::Reset(after),
            "close" => How::Close(after),
            "never" => How::Never(after),
            "short" => How::Short,
            "malformed" => How::Malformed,
            "garbage" => How::Garbage,
            "bad_chunk" => How::BadChunk,
            "bad_length" => How::BadLength,
            "two_lengths" => How::TwoLengths,
            "endless_header" => How::EndlessHeader,
            "endless_body" => How::EndlessBody,
            "endless_interim" => How::EndlessInterim,
            "interim" => How::Interim,
            "drip" => How::Drip { every_ns: self.byte_every.map_or(0, |time| time.0) },
            "hangup" => How::Hangup,
            other => {
                let status = other.strip_prefix("status:").and_then(|status| status.parse().ok());
                let status = status.ok_or_else(|| format!(
                    "how = {other:?}: expected status:N, reset, close, never, short, malformed, garbage, bad_chunk, \
                     bad_length, two_lengths, endless_header, endless_body, endless_interim, interim, drip or hangup"
                ))?;
                check_status(status)?;
                How::Status(status)
            }
        })
    }
}

impl<'de> Deserialize<'de> for Fail {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        RawFail::deserialize(from)?.check().map_err(de::Error::custom)
    }
}

/// One fault, or a list of them.
pub(super) struct Fails<F>(pub(super) Vec<F>);

impl<F> Default for Fails<F> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, F: Deserialize<'de>> Deserialize<'de> for Fails<F> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct OneOrMany<F>(PhantomData<F>);
        impl<'de, F: Deserialize<'de>> Visitor<'de> for OneOrMany<F> {
            type Value = Fails<F>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table like { share = 0.01, how = \"reset\" } or a list of them")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                Ok(Fails(vec![F::deserialize(MapAccessDeserializer::new(map))?]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut fails = Vec::new();
                while let Some(fail) = seq.next_element()? {
                    fails.push(fail);
                }
                Ok(Fails(fails))
            }
        }
        from.deserialize_any(OneOrMany(PhantomData))
    }
}
