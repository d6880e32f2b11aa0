//! What shall the server do with this migration? The `[dwcp]` table as data, and the decision; pure.

use serde::{Deserialize, Deserializer, de};

use super::{
    When,
    dwcp_data::DwcpDataScript,
    unit,
    values::{Fails, check_status, when},
};
use crate::delay::Delay;

/// The streams of draws of migrations; HTTP rules, gRPC calls and WebSockets have others.
const DRAWS: u64 = 3 << 61;

/// What becomes of migrations.
#[derive(Debug, Clone, PartialEq)]
pub struct DwcpScript {
    /// How long the answer to the order waits, from its arrival.
    pub accept: Delay,
    /// How long a job is pending, from the order's arrival.
    pub pending: Delay,
    /// How long a job is in progress after that.
    pub work: Delay,
    /// Tried in this order; the first that falls due applies.
    pub fails: Vec<DwcpFail>,
    /// What happens to the bytes of migrations.
    pub data: DwcpDataScript,
}

/// A fault and how often it falls due.
#[derive(Debug, Clone, PartialEq)]
pub struct DwcpFail {
    /// What happens.
    pub how: DwcpHow,
    /// How often, by the order's place among all.
    pub when: When,
}

/// A way for a migration to go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DwcpHow {
    /// The order is answered with this status, and there is no job.
    Reject(u16),
    /// The job ends as failed.
    Fail,
    /// The job is accepted, and nobody knows it afterwards.
    Lose,
    /// The order makes two jobs.
    Duplicate,
    /// The job completes and says that data were lost.
    DataLoss,
    /// The event of the job's end is sent twice.
    RepeatEvent,
}

/// What becomes of one order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fate {
    pub(crate) accept_ns: u64,
    pub(crate) pending_ns: u64,
    pub(crate) work_ns: u64,
    pub(crate) how: Option<DwcpHow>,
}

impl Default for DwcpScript {
    /// Every migration takes 50 ms, 10 of them pending.
    fn default() -> Self {
        Self {
            accept: Delay::Constant(0),
            pending: Delay::Constant(10_000_000),
            work: Delay::Constant(40_000_000),
            fails: Vec::new(),
            data: DwcpDataScript::default(),
        }
    }
}

impl DwcpScript {
    /// What becomes of order number `n`, from 0.
    pub(crate) fn fate(&self, seed: u64, n: u64) -> Fate {
        let draw = |stream: usize| unit(seed, DRAWS | stream as u64, n);
        let take = |delay: &Delay, stream| match *delay {
            Delay::Constant(ns) => ns,
            ref drawn => drawn.quantile(draw(stream)),
        };
        let due = |(i, fail): &(usize, &DwcpFail)| match fail.when {
            When::Always => true,
            When::Share(share) => draw(i + 3) < share,
            When::Every(every) => (n + 1).is_multiple_of(every),
        };
        Fate {
            accept_ns: take(&self.accept, 0),
            pending_ns: take(&self.pending, 1),
            work_ns: take(&self.work, 2),
            how: self.fails.iter().enumerate().find(due).map(|(_, fail)| fail.how),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDwcp {
    accept: Option<Delay>,
    pending: Option<Delay>,
    work: Option<Delay>,
    #[serde(default)]
    fail: Fails<DwcpFail>,
    #[serde(default)]
    data: DwcpDataScript,
}

impl<'de> Deserialize<'de> for DwcpScript {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let (raw, usual) = (RawDwcp::deserialize(from)?, Self::default());
        Ok(Self {
            accept: raw.accept.unwrap_or(usual.accept),
            pending: raw.pending.unwrap_or(usual.pending),
            work: raw.work.unwrap_or(usual.work),
            fails: raw.fail.0,
            data: raw.data,
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

impl<'de> Deserialize<'de> for DwcpFail {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        RawFail::deserialize(from)?.check().map_err(de::Error::custom)
    }
}

impl RawFail {
    fn check(self) -> Result<DwcpFail, String> {
        let when = when(self.share, self.every)?;
        let how = match self.how.split_once(':').unwrap_or((&self.how, "")) {
            ("reject", status) => {
                let status = status
                    .parse()
                    .map_err(|_| format!("how = {:?}: expected a status after the colon", self.how))?;
                check_status(status)?;
                DwcpHow::Reject(status)
            }
            ("fail", "") => DwcpHow::Fail,
            ("lose", "") => DwcpHow::Lose,
            ("duplicate", "") => DwcpHow::Duplicate,
            ("data_loss", "") => DwcpHow::DataLoss,
            ("repeat_event", "") => DwcpHow::RepeatEvent,
            _ => {
                return Err(format!(
                    "how = {:?}: expected reject:STATUS, fail, lose, duplicate, data_loss or repeat_event",
                    self.how
                ));
            }
        };
        Ok(DwcpFail { how, when })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::Script;

    #[test]
    fn a_whole_table_is_understood() {
        let text = "[dwcp]\naccept = \"1ms\"\npending = \"2ms\"\nwork = \"3ms\"\nfail = [{ every = 2, how = \"lose\" }, { every = 3, how = \"reject:503\" }]\n";
        let script = Script::parse("s.toml", text).unwrap().dwcp;
        let of = |n| script.fate(1, n);
        assert_eq!((of(0).accept_ns, of(0).pending_ns, of(0).work_ns), (1_000_000, 2_000_000, 3_000_000));
        let lose = Some(DwcpHow::Lose);
        assert_eq!([0, 1, 2, 5].map(|n| of(n).how), [None, lose, Some(DwcpHow::Reject(503)), lose]);
    }

    #[test]
    fn mistakes_say_what_was_expected() {
        for (line, message) in [
            ("fail = { how = \"reject\" }", "expected a status after the colon"),
            ("fail = { how = \"reject:101\" }", "expected a final one"),
            ("fail = { how = \"explode\" }", "expected reject:STATUS"),
            ("wrok = \"1s\"", "unknown field `wrok`"),
        ] {
            let error = Script::parse("s.toml", &format!("[dwcp]\n{line}\n")).unwrap_err().to_string();
            assert!(error.starts_with("s.toml:") && error.contains(message), "{line}: {error}");
        }
    }
}
