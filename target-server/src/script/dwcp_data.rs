//! What shall happen to the bytes of migrations? The `[dwcp.data]` table as data, and the decisions; pure.

use serde::{Deserialize, Deserializer, de};

use super::{
    When, unit,
    values::{Fails, Time, when},
};

/// The streams of draws of the data plane; job API, HTTP rules, gRPC calls and WebSockets have others.
const DRAWS: u64 = 5 << 60;

/// The link to the receiver, and what goes wrong with migrations.
#[derive(Debug, Clone, PartialEq)]
pub struct DwcpDataScript {
    /// One way, ns: an answer is later by two of them.
    pub latency_ns: u64,
    /// Bytes a second that all connections share; none is as fast as it goes.
    pub bandwidth: Option<u64>,
    /// Which connections are lost, by their number, and after how many bytes.
    pub lose: Option<(When, u64)>,
    /// Bytes of images, of all migrations together.
    pub memory: u64,
    /// Credit of a connection, bytes.
    pub window: u64,
    /// Tried in this order; the first that falls due applies.
    pub fails: Vec<DwcpDataFail>,
}

/// A fault and how often it falls due.
#[derive(Debug, Clone, PartialEq)]
pub struct DwcpDataFail {
    /// What happens.
    pub how: DwcpDataHow,
    /// How often, by the migration's place among all.
    pub when: When,
}

/// A way for a migration to go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DwcpDataHow {
    /// It is given up after the first round, as somebody wanted.
    Cancel,
    /// It is given up after the first round, for no reason of the source's.
    Fail,
    /// A bit of the image is wrong when it is hashed.
    Corrupt,
}

impl Default for DwcpDataScript {
    /// 8 GiB of images, 16 MiB of credit, no emulation.
    fn default() -> Self {
        Self {
            latency_ns: 0,
            bandwidth: None,
            lose: None,
            memory: 8 << 30,
            window: 16 << 20,
            fails: Vec::new(),
        }
    }
}

fn due(when: When, n: u64, draw: impl FnOnce() -> f64) -> bool {
    match when {
        When::Always => true,
        When::Share(share) => draw() < share,
        When::Every(every) => (n + 1).is_multiple_of(every),
    }
}

impl DwcpDataScript {
    /// After how many bytes connection number `n` is lost.
    pub(crate) fn loses(&self, seed: u64, n: u64) -> Option<u64> {
        let (when, after) = self.lose?;
        due(when, n, || unit(seed, DRAWS, n)).then_some(after)
    }

    /// What goes wrong with migration number `n`.
    pub(crate) fn fate(&self, seed: u64, n: u64) -> Option<DwcpDataHow> {
        let falls =
            |(i, fail): &(usize, &DwcpDataFail)| due(fail.when, n, || unit(seed, DRAWS | (1 + *i as u64), n));
        self.fails.iter().enumerate().find(falls).map(|(_, fail)| fail.how)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawData {
    latency: Option<Time>,
    bandwidth: Option<u64>,
    lose: Option<RawLose>,
    memory: Option<u64>,
    window: Option<u64>,
    #[serde(default)]
    fail: Fails<DwcpDataFail>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLose {
    after_bytes: u64,
    share: Option<f64>,
    every: Option<u64>,
}

impl<'de> Deserialize<'de> for DwcpDataScript {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let (raw, usual) = (RawData::deserialize(from)?, Self::default());
        let lose = raw.lose.map(|lose| Ok((when(lose.share, lose.every)?, lose.after_bytes))).transpose();
        let window = raw.window.unwrap_or(usual.window);
        if raw.bandwidth == Some(0) {
            return Err(de::Error::custom("bandwidth = 0: expected bytes a second, 1 or more"));
        }
        // A source sends a chunk as a whole: with less credit it would wait for ever.
        if window < 1 << 20 {
            return Err(de::Error::custom(format!("window = {window}: expected 1,048,576 bytes or more")));
        }
        Ok(Self {
            latency_ns: raw.latency.map_or(0, |time| time.0),
            bandwidth: raw.bandwidth,
            lose: lose.map_err(|error: String| de::Error::custom(error))?,
            memory: raw.memory.unwrap_or(usual.memory),
            window,
            fails: raw.fail.0,
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFail {
    how: String,
    share: Option<f64>,
    every: Option<u64>,
}

impl<'de> Deserialize<'de> for DwcpDataFail {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let raw = RawFail::deserialize(from)?;
        let how = match raw.how.as_str() {
            "cancel" => DwcpDataHow::Cancel,
            "fail" => DwcpDataHow::Fail,
            "corrupt" => DwcpDataHow::Corrupt,
            other => {
                return Err(de::Error::custom(format!("how = {other:?}: expected cancel, fail or corrupt")));
            }
        };
        Ok(Self { how, when: when(raw.share, raw.every).map_err(de::Error::custom)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::Script;

    #[test]
    fn a_whole_table_is_understood() {
        let text = "[dwcp.data]\nlatency = \"25ms\"\nbandwidth = 1000000\nlose = { every = 3, after_bytes = 5 }\nmemory = 9\nwindow = 2000000\nfail = { every = 2, how = \"corrupt\" }\n";
        let data = Script::parse("s.toml", text).unwrap().dwcp.data;
        assert_eq!(
            (data.latency_ns, data.bandwidth, data.memory, data.window),
            (25_000_000, Some(1_000_000), 9, 2_000_000)
        );
        assert_eq!([0, 1, 2].map(|n| data.loses(1, n)), [None, None, Some(5)]);
        assert_eq!([0, 1].map(|n| data.fate(1, n)), [None, Some(DwcpDataHow::Corrupt)]);
    }

    #[test]
    fn mistakes_say_what_was_expected() {
        for (line, message) in [
            ("bandwidth = 0", "expected bytes a second"),
            ("window = 4096", "expected 1,048,576 bytes or more"),
            ("lose = { every = 0, after_bytes = 1 }", "expected 1 or more"),
            ("fail = { how = \"explode\" }", "expected cancel, fail or corrupt"),
        ] {
            let error = Script::parse("s.toml", &format!("[dwcp.data]\n{line}\n")).unwrap_err().to_string();
            assert!(error.contains(message), "{line}: {error}");
        }
    }
}
