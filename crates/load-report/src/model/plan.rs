//! What was a run meant to do? Its header: who ran what, when, and the plan; known before the first call.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::gauge::GaugePlan;

/// Who ran what, when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Header {
    /// The version of this format: [`SCHEMA`](super::SCHEMA).
    pub schema: String,
    /// Component: `api`, `ws`, `dwcp`, `db-postgres`, `db-redis`, `grpc`, or the name given by `--name`.
    pub component: String,
    /// The results folder's name.
    pub run_id: String,
    /// Version of the tool.
    pub version: String,
    /// Which part of the whole run this is.
    pub segment: Segment,
    /// Time zero of the plan, RFC 3339 in UTC.
    pub started_at: String,
    /// Time zero of the plan on this machine's `CLOCK_MONOTONIC`, ns.
    pub t0_monotonic_ns: i64,
    /// The effective plan.
    pub plan: Plan,
}

/// Part `index` of `of` equal parts of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Segment {
    /// Counted from 0.
    pub index: u32,
    /// Number of parts; at least 1.
    pub of: u32,
}

impl Segment {
    /// The whole run.
    pub const WHOLE: Self = Self { index: 0, of: 1 };

    /// Part `index` of `of` parts of this part.
    ///
    /// Tick k belongs to segment i/n when k mod n = i, so part j/m of it takes every m-th of those: k mod nm = i + nj.
    #[must_use]
    pub fn part(self, index: u32, of: u32) -> Self {
        Self { index: self.index + self.of * index, of: self.of * of }
    }

    /// How many of the first `n` ticks (or users) belong to this segment.
    pub fn share_of(self, n: u64) -> u64 {
        let (index, of) = (u64::from(self.index), u64::from(self.of));
        (n + of - 1 - index.min(n + of - 1)) / of
    }

    /// The global index of this segment's `k`-th tick (or user).
    pub fn global(self, k: u64) -> u64 {
        u64::from(self.index) + u64::from(self.of) * k
    }
}

impl std::fmt::Display for Segment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

/// Closed: users wait for answers. Open: calls arrive when the schedule says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LoadModel {
    /// A user's next iteration is due when the last one ended plus think time.
    #[default]
    Closed,
    /// The next iteration is due when the schedule says, whatever the target does.
    Open,
}

/// By what a profile was made smaller, or larger, to be tried.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Rehearsal {
    /// All its times were multiplied by this.
    pub time: f64,
    /// All its users, rates and limits a second were multiplied by this.
    pub users: f64,
}

/// The effective plan, as printed at the start.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// What is loaded, without secrets.
    pub target: String,
    /// Closed or open.
    pub model: LoadModel,
    /// Virtual users at the start, over all segments; in a closed plan with stages, the most at any time.
    pub vus: u32,
    /// Most virtual users; in the open model lanes may grow to it.
    pub max_vus: u32,
    /// Connections in the pool, over all segments.
    pub connections: u32,
    /// Open model: arrivals/s in total; with stages, the highest.
    pub rate_per_s: Option<f64>,
    /// Open model: `constant` or `poisson`.
    pub arrivals: Option<String>,
    /// Seconds from time zero to the stop of new work.
    pub duration_s: f64,
    /// Seconds at the beginning that are recorded and not counted.
    pub warmup_s: f64,
    /// Stop after so many calls in total.
    pub requests: Option<u64>,
    /// The stages as given.
    pub stages: Vec<Stage>,
    /// Parts of the run that are recorded apart.
    pub phases: Vec<PhasePlan>,
    /// Pause between iterations of one user: lower and upper bound, seconds.
    pub think_s: Option<(f64, f64)>,
    /// One call may take so long, seconds.
    pub timeout_s: f64,
    /// After the stop, calls in flight may take so long, seconds.
    pub graceful_stop_s: f64,
    /// Workers a process.
    pub threads: u32,
    /// Processes.
    pub processes: u32,
    /// All random data derive from it.
    pub seed: u64,
    /// Names of the ops; other places refer to them by index.
    pub ops: Vec<String>,
    /// The protocol's own series; other places refer to them by index.
    pub extras: Vec<ExtraPlan>,
    /// The protocol's own counters; other places refer to them by index.
    pub counters: Vec<ExtraPlan>,
    /// Shares of counters.
    #[serde(default)]
    pub rates: Vec<RatePlan>,
    /// What the target is asked for while the run lasts; other places refer to them by index.
    #[serde(default)]
    pub gauges: Vec<GaugePlan>,
    /// How often it is asked, seconds; none when it is not.
    #[serde(default)]
    pub sample_s: Option<f64>,
    /// Thresholds as given, the default one included.
    pub thresholds: Vec<String>,
    /// The run is a rehearsal of its profile: its verdict is none on the profile itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rehearsal: Option<Rehearsal>,
    /// `--tag K=V`.
    pub tags: BTreeMap<String, String>,
    /// The protocol's own flags, without secrets.
    pub args: serde_json::Value,
}

/// A ramp to `target` users, or arrivals/s, over `duration_s`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stage {
    /// The user's name for it.
    pub name: Option<String>,
    /// Seconds.
    pub duration_s: f64,
    /// Users, or arrivals/s, at its end.
    pub target: f64,
}

/// A part of the run that is recorded apart. A call belongs to the phase of its due instant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PhasePlan {
    /// What thresholds call it: `{phase:name}`.
    pub name: String,
    /// Whether totals and thresholds include it.
    pub counted: bool,
    /// Begin, ns since time zero.
    pub start_ns: i64,
    /// End (exclusive), ns since time zero.
    pub end_ns: i64,
}

/// A series or counter that a protocol declares of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExtraPlan {
    /// What thresholds call it.
    pub name: String,
    /// What it means.
    pub help: String,
}

/// A share that a protocol declares: of all cases those in question, both counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RatePlan {
    /// What thresholds call it.
    pub name: String,
    /// Index of the counter of the cases in question.
    pub cases: usize,
    /// Index of the counter of all cases.
    pub all: usize,
}
