//! What shall the server do on this WebSocket? The `[ws]` table as data, and the decisions; pure.

use serde::{Deserialize, Deserializer, de};

use super::{
    When, unit,
    values::{Fails, Time, check_status, when},
};
use crate::delay::Delay;

/// The stream of draws of WebSockets; HTTP rules and gRPC calls have others.
const DRAWS: u64 = 1 << 62;

/// What happens on the connections of the WebSocket listener.
#[derive(Debug, Clone, PartialEq)]
pub struct WsScript {
    /// Pause between two pushes to a connection, in ns, the first one after it as well; 0 is no pushes.
    pub push_every_ns: u64,
    /// How much earlier than now a push says that it was sent, in ns.
    pub push_age_ns: u64,
    /// Pause between two pings to a connection, in ns; 0 is no pings.
    pub ping_every_ns: u64,
    /// How long an echo waits, from the arrival of the message.
    pub delay: Delay,
    /// An upgrade without `Authorization: Bearer` and this is refused with 401.
    pub token: Option<String>,
    /// Tried in this order; the first that falls due applies.
    pub fails: Vec<WsFail>,
}

/// A fault and how often it falls due.
#[derive(Debug, Clone, PartialEq)]
pub struct WsFail {
    /// What happens.
    pub how: WsHow,
    /// How often: upgrades count over the whole server, messages and pushes each on their connection.
    pub when: When,
}

/// A way for a WebSocket to go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WsHow {
    /// The upgrade is answered with this HTTP status.
    Refuse(u16),
    /// Instead of an answer to the message, the connection is closed with this code.
    Close(u16),
    /// Instead of an answer, a TCP reset.
    Reset,
    /// Instead of an answer, the connection ends without a close frame.
    Hangup,
    /// Instead of an answer, bytes that are no frame, and the end.
    Malformed,
    /// No answer to the message.
    Never,
    /// Another text than the message's.
    Wrong,
    /// The answer twice.
    Duplicate,
    /// The push is not sent, though it has its number.
    LosePush,
    /// The push is sent twice.
    DuplicatePush,
}

/// What a fault applies to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Upgrade,
    Message,
    Push,
}

impl WsHow {
    fn stage(self) -> Stage {
        match self {
            Self::Refuse(_) => Stage::Upgrade,
            Self::LosePush | Self::DuplicatePush => Stage::Push,
            _ => Stage::Message,
        }
    }
}

impl Default for WsScript {
    fn default() -> Self {
        Self {
            push_every_ns: 0,
            push_age_ns: 0,
            ping_every_ns: 0,
            delay: Delay::Constant(0),
            token: None,
            fails: Vec::new(),
        }
    }
}

impl WsScript {
    /// The status with which the upgrade number `n` of the server, from 0, is refused.
    pub(crate) fn refuse(&self, seed: u64, n: u64) -> Option<u16> {
        match self.due(Stage::Upgrade, seed, 0, n) {
            Some(WsHow::Refuse(status)) => Some(status),
            _ => None,
        }
    }

    /// The delay in ns and the fault for the message number `n` of a connection, from 0.
    pub(crate) fn message(&self, seed: u64, connection: u64, n: u64) -> (u64, Option<WsHow>) {
        let delay_ns = match self.delay {
            Delay::Constant(ns) => ns,
            ref drawn => drawn.quantile(unit(seed, DRAWS, place(connection, n))),
        };
        (delay_ns, self.due(Stage::Message, seed, connection, n))
    }

    /// The fault for the push number `n` of a connection, from 0.
    pub(crate) fn push(&self, seed: u64, connection: u64, n: u64) -> Option<WsHow> {
        self.due(Stage::Push, seed, connection, n)
    }

    fn due(&self, stage: Stage, seed: u64, connection: u64, n: u64) -> Option<WsHow> {
        let of_stage = self.fails.iter().enumerate().filter(|(_, fail)| fail.how.stage() == stage);
        let mut due = of_stage.filter(|(i, fail)| match fail.when {
            When::Always => true,
            When::Share(share) => unit(seed, DRAWS | (i + 1) as u64, place(connection, n)) < share,
            When::Every(every) => (n + 1).is_multiple_of(every),
        });
        due.next().map(|(_, fail)| fail.how)
    }
}

/// One number for a message's place among all; connections have less than 2^32 messages.
fn place(connection: u64, n: u64) -> u64 {
    connection << 32 ^ n
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWs {
    push_every: Option<Time>,
    push_rate: Option<f64>,
    push_age: Option<Time>,
    ping_every: Option<Time>,
    delay: Option<Delay>,
    token: Option<String>,
    #[serde(default)]
    fail: Fails<WsFail>,
}

impl<'de> Deserialize<'de> for WsScript {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        RawWs::deserialize(from)?.check().map_err(de::Error::custom)
    }
}

impl RawWs {
    fn check(self) -> Result<WsScript, String> {
        let push_every_ns = match (self.push_every, self.push_rate) {
            (None, None) => 0,
            (Some(every), None) => pause("push_every", every)?,
            (None, Some(rate)) if (0.001..=1e6).contains(&rate) => (1e9 / rate) as u64,
            (None, Some(rate)) => {
                return Err(format!(
                    "push_rate = {rate}: expected 0.001 to 1000000, pushes a second and connection"
                ));
            }
            (Some(_), Some(_)) => return Err("expected `push_every` or `push_rate`, not both".to_owned()),
        };
        Ok(WsScript {
            push_every_ns,
            push_age_ns: self.push_age.map_or(0, |age| age.0),
            ping_every_ns: self.ping_every.map_or(Ok(0), |every| pause("ping_every", every))?,
            delay: self.delay.unwrap_or(Delay::Constant(0)),
            token: self.token,
            fails: self.fail.0,
        })
    }
}

fn pause(name: &str, every: Time) -> Result<u64, String> {
    match every.0 {
        0..1_000 => Err(format!("{name}: expected 1us or more")),
        ns => Ok(ns),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFail {
    how: String,
    share: Option<f64>,
    every: Option<u64>,
}

impl<'de> Deserialize<'de> for WsFail {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        RawFail::deserialize(from)?.check().map_err(de::Error::custom)
    }
}

impl RawFail {
    fn check(self) -> Result<WsFail, String> {
        let when = when(self.share, self.every)?;
        let number = |text: &str| {
            text.parse::<u16>()
                .map_err(|_| format!("how = {:?}: expected a number after the colon", self.how))
        };
        let how = match self.how.split_once(':').unwrap_or((&self.how, "")) {
            ("refuse", status) => {
                let status = number(status)?;
                check_status(status)?;
                WsHow::Refuse(status)
            }
            ("close", code) => match number(code)? {
                code @ (1000..=1003 | 1007..=1014 | 3000..=4999) => WsHow::Close(code),
                code => return Err(format!("close:{code}: expected a code that may be sent, like 1001")),
            },
            ("reset", "") => WsHow::Reset,
            ("hangup", "") => WsHow::Hangup,
            ("malformed", "") => WsHow::Malformed,
            ("never", "") => WsHow::Never,
            ("wrong", "") => WsHow::Wrong,
            ("duplicate", "") => WsHow::Duplicate,
            ("lose_push", "") => WsHow::LosePush,
            ("duplicate_push", "") => WsHow::DuplicatePush,
            _ => {
                return Err(format!(
                    "how = {:?}: expected refuse:STATUS, close:CODE, reset, hangup, malformed, never, wrong, \
                     duplicate, lose_push or duplicate_push",
                    self.how
                ));
            }
        };
        Ok(WsFail { how, when })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::Script;

    #[test]
    fn a_whole_table_is_understood() {
        let script = Script::parse(
            "s.toml",
            "[ws]\npush_rate = 20\npush_age = \"1s\"\nping_every = \"1s\"\ndelay = \"2ms\"\ntoken = \"t\"\nfail = [{ every = 3, how = \"refuse:503\" }, { every = 2, how = \"close:1001\" }, { share = 1.0, how = \"wrong\" }, { how = \"lose_push\" }]\n",
        )
        .unwrap()
        .ws;
        assert_eq!((script.push_every_ns, script.push_age_ns), (50_000_000, 1_000_000_000));
        assert_eq!(script.ping_every_ns, 1_000_000_000);
        assert_eq!([0, 1, 2, 3].map(|n| script.refuse(1, n)), [None, None, Some(503), None]);
        assert_eq!(script.message(1, 7, 0), (2_000_000, Some(WsHow::Wrong)));
        assert_eq!(script.message(1, 7, 1), (2_000_000, Some(WsHow::Close(1001))));
        assert_eq!(script.push(1, 7, 0), Some(WsHow::LosePush));
    }

    #[test]
    fn mistakes_say_what_was_expected() {
        for (line, message) in [
            ("push_every = \"0s\"", "expected 1us or more"),
            ("push_rate = 0.0", "expected 0.001 to 1000000"),
            ("push_rate = 1.0\npush_every = \"1s\"", "not both"),
            ("fail = { how = \"refuse\" }", "expected a number after the colon"),
            ("fail = { how = \"refuse:101\" }", "expected a final one"),
            ("fail = { how = \"close:1005\" }", "a code that may be sent"),
            ("fail = { how = \"explode\" }", "expected refuse:STATUS"),
            ("fial = 1", "unknown field `fial`"),
        ] {
            let error = Script::parse("s.toml", &format!("[ws]\n{line}\n")).unwrap_err().to_string();
            assert!(error.starts_with("s.toml:") && error.contains(message), "{line}: {error}");
        }
    }
}
