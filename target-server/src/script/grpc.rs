//! What shall the server do with this gRPC call? The `[grpc]` table as data, and the decision; pure.

use std::num::NonZeroU32;

use serde::{Deserialize, Deserializer, de};
use tonic::Code;

use super::{
    When, unit,
    values::{Fails, when},
};
use crate::delay::Delay;

/// The stream of draws of gRPC calls; HTTP rules have the lower ones.
const DRAWS: u64 = 1 << 63;

/// Calls under way on a connection unless the script says otherwise: hyper's own figure.
const STREAMS: u32 = 200;

/// What happens to the calls of the load; health and reflection are served as they are.
#[derive(Debug, Clone, PartialEq)]
pub struct GrpcScript {
    /// How long the answer waits, from the arrival of the call's head.
    pub delay: Delay,
    /// Tried in this order; the first that falls due applies.
    pub fails: Vec<GrpcFail>,
    /// After this many calls a connection is told to go away; 0 is never.
    pub calls_per_connection: u64,
    /// Calls that a connection may have under way (`SETTINGS_MAX_CONCURRENT_STREAMS`).
    pub streams: u32,
}

/// A fault and how often it falls due.
#[derive(Debug, Clone, PartialEq)]
pub struct GrpcFail {
    /// What happens.
    pub how: GrpcHow,
    /// How often.
    pub when: When,
}

/// A way for a gRPC call to go wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GrpcHow {
    /// Another status than OK, and what it says.
    Code(Code, String),
    /// The stream is reset.
    Reset,
    /// The connection is closed, with all calls on it.
    Close,
    /// No answer.
    Never,
    /// A message whose bytes are none of its type, and OK.
    Garbage,
    /// Half a message, and OK.
    Short,
    /// No message, and OK.
    Empty,
}

impl Default for GrpcScript {
    fn default() -> Self {
        Self { delay: Delay::Constant(0), fails: Vec::new(), calls_per_connection: 0, streams: STREAMS }
    }
}

impl GrpcScript {
    /// The delay in ns and the fault for the call number `n`, from 0.
    pub(crate) fn decide(&self, seed: u64, n: u64) -> (u64, Option<&GrpcHow>) {
        let draw = |stream: usize| unit(seed, DRAWS | stream as u64, n);
        let delay_ns = match self.delay {
            Delay::Constant(ns) => ns,
            ref drawn => drawn.quantile(draw(0)),
        };
        let due = |(i, fail): &(usize, &GrpcFail)| match fail.when {
            When::Always => true,
            When::Share(share) => draw(i + 1) < share,
            When::Every(every) => (n + 1).is_multiple_of(every),
        };
        (delay_ns, self.fails.iter().enumerate().find(due).map(|(_, fail)| &fail.how))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawGrpc {
    delay: Option<Delay>,
    #[serde(default)]
    fail: Fails<GrpcFail>,
    #[serde(default)]
    calls_per_connection: u64,
    streams: Option<NonZeroU32>,
}

impl From<RawGrpc> for GrpcScript {
    fn from(raw: RawGrpc) -> Self {
        Self {
            delay: raw.delay.unwrap_or(Delay::Constant(0)),
            fails: raw.fail.0,
            calls_per_connection: raw.calls_per_connection,
            streams: raw.streams.map_or(STREAMS, NonZeroU32::get),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFail {
    how: Option<String>,
    code: Option<String>,
    message: Option<String>,
    share: Option<f64>,
    every: Option<u64>,
}

impl<'de> Deserialize<'de> for GrpcFail {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        RawFail::deserialize(from)?.check().map_err(de::Error::custom)
    }
}

impl RawFail {
    fn check(self) -> Result<GrpcFail, String> {
        let when = when(self.share, self.every)?;
        let how = match (self.how.as_deref(), self.code) {
            (None, Some(code)) => {
                let message = self.message.unwrap_or_else(|| "as scripted".to_owned());
                return Ok(GrpcFail { how: GrpcHow::Code(check_code(&code)?, message), when });
            }
            (Some("reset"), None) => GrpcHow::Reset,
            (Some("close"), None) => GrpcHow::Close,
            (Some("never"), None) => GrpcHow::Never,
            (Some("garbage"), None) => GrpcHow::Garbage,
            (Some("short"), None) => GrpcHow::Short,
            (Some("empty"), None) => GrpcHow::Empty,
            (how, _) => {
                return Err(format!(
                    "how = {:?}: expected reset, close, never, garbage, short or empty, or `code` instead",
                    how.unwrap_or_default()
                ));
            }
        };
        match self.message {
            Some(_) => Err("expected `message` with `code` only".to_owned()),
            None => Ok(GrpcFail { how, when }),
        }
    }
}

fn check_code(name: &str) -> Result<Code, String> {
    let known = |code: &Code| *code != Code::Ok && code_name(*code).eq_ignore_ascii_case(name);
    (1..17)
        .map(Code::from_i32)
        .find(known)
        .ok_or_else(|| format!("code = {name:?}: expected a gRPC status other than ok, like \"unavailable\""))
}

/// A status as gRPC's specification writes it.
pub(crate) fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
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
            "[grpc]\ndelay = \"2ms\"\ncalls_per_connection = 9\nstreams = 2\nfail = [{ every = 3, code = \"not_found\" }, { share = 1.0, how = \"reset\" }]\n",
        )
        .unwrap()
        .grpc;
        assert_eq!((script.calls_per_connection, script.streams), (9, 2));
        let not_found = GrpcHow::Code(Code::NotFound, "as scripted".to_owned());
        assert_eq!(script.decide(1, 2), (2_000_000, Some(&not_found)));
        assert_eq!(script.decide(1, 3), (2_000_000, Some(&GrpcHow::Reset)));
    }

    #[test]
    fn mistakes_say_what_was_expected() {
        for (line, message) in [
            ("fail = { code = \"ok\" }", "expected a gRPC status other than ok"),
            ("fail = { code = \"unavailable\", how = \"reset\" }", "or `code` instead"),
            ("fail = { how = \"explode\" }", "expected reset, close, never"),
            ("fail = { how = \"reset\", message = \"x\" }", "expected `message` with `code` only"),
            ("fail = { how = \"reset\", every = 0 }", "expected 1 or more"),
            ("streams = 0", "expected a nonzero u32"),
            ("fial = 1", "unknown field `fial`"),
        ] {
            let error = Script::parse("s.toml", &format!("[grpc]\n{line}\n")).unwrap_err().to_string();
            assert!(error.starts_with("s.toml:2: ") && error.contains(message), "{line}: {error}");
        }
    }
}
