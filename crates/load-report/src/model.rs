//! What does a run leave behind? `RunFile` v1, the summary that every tool writes and `aggregate` reads.
//!
//! A run file holds the lossless record (`plan`, `data`, `health`) and what follows from it (`totals`, `phases`,
//! `ops`, `thresholds`, `verdict`). The second half is always recomputed from the first by [`crate::figures`]
//! and [`crate::verdict`], never merged.

mod plan;
mod threshold;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::exit::Exit;
use crate::fanout::FanoutReport;
use crate::fault::FaultKind;
use crate::gauge::{GaugeReport, Samples};
use crate::tally::{Ledger, Tally};
use crate::verdict::{Invalid, Verdict};

pub use plan::{ExtraPlan, Header, LoadModel, PhasePlan, Plan, RatePlan, Rehearsal, Segment, Stage};
pub use threshold::{Severity, ThresholdOutcome, ThresholdReport};

/// The schema that this build writes, and the only one it reads.
pub const SCHEMA: &str = "quintet/run/v1";

/// The stored result of one component: `<component>_summary.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunFile {
    /// Who ran what, when: known before the first call.
    #[serde(flatten)]
    pub header: Header,
    /// Was it good.
    pub verdict: Verdict,
    /// The exit code that goes with the verdict.
    pub exit: Exit,
    /// Stopped by a signal before its time.
    pub interrupted: bool,
    /// Rebuilt from a journal, because the run left no summary.
    pub recovered: bool,
    /// Why the figures prove nothing; empty for a valid run.
    pub invalid: Vec<Invalid>,
    /// What a reader should know before quoting the figures.
    pub warnings: Vec<String>,
    /// How the run ended.
    pub end: End,
    /// Every tick and every call of every phase.
    pub ledger: LedgerReport,
    /// Figures over all counted phases.
    pub totals: Figures,
    /// Connections over the whole run.
    pub connections: Connections,
    /// Figures by phase.
    pub phases: Vec<PhaseReport>,
    /// Figures by op over all counted phases.
    pub ops: Vec<OpReport>,
    /// Failures by op, kind and code, over the whole run.
    pub faults: Vec<FaultReport>,
    /// The protocol's own series, over all counted phases.
    pub extras: Vec<ExtraReport>,
    /// The protocol's own counters, over all counted phases.
    pub counters: Vec<CounterReport>,
    /// Shares of counters, over all counted phases.
    #[serde(default)]
    pub rates: Vec<RateReport>,
    /// What the target said of itself, over all counted phases.
    #[serde(default)]
    pub gauges: Vec<GaugeReport>,
    /// Messages that go to many receivers; none without any.
    #[serde(default)]
    pub fanout: Option<FanoutReport>,
    /// What the generator itself used.
    pub generator: Generator,
    /// Thresholds with what was observed.
    pub thresholds: Vec<ThresholdReport>,
    /// What was done besides the load, in the order of the suite.
    #[serde(default)]
    pub events: Vec<EventReport>,
    /// At most 3,600 points.
    pub timeseries: Timeseries,
    /// Every look at the gauges.
    #[serde(default)]
    pub samples: Samples,
    /// The health record that the verdict rests on.
    pub health: Health,
    /// The lossless record: merging run files means adding these.
    pub data: Tally,
}

/// How the run ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct End {
    /// When new work stopped, ns since time zero.
    pub stop_ns: i64,
    /// When the last call ended or was abandoned, ns since time zero.
    pub end_ns: i64,
}

/// Both accounts over all phases.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LedgerReport {
    /// One a tick.
    pub iterations: Ledger,
    /// One or more an iteration.
    pub calls: Ledger,
    /// Calls made outside the schedule, to prepare and clean up; in no other figure.
    pub control_calls: u64,
}

/// Figures of a set of calls. Headline percentiles and rate are of the calls that ended as expected.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Figures {
    /// Calls begun: ok, failed and abandoned.
    pub requests: u64,
    /// Calls that ended in a fault.
    pub failures: u64,
    /// Calls in flight when the graceful stop ran out.
    pub abandoned: u64,
    /// Ticks never taken up.
    pub unsent: u64,
    /// `(failed + abandoned + unsent) / scheduled`; 0 when nothing was scheduled.
    pub error_rate: f64,
    /// Successful calls a second of counted time.
    pub rate_per_s: f64,
    /// Messages received a second of counted time.
    pub messages_per_s: f64,
    /// Bytes sent.
    pub bytes_sent: u64,
    /// Bytes received.
    pub bytes_received: u64,
    /// End − due of successful calls; none without any.
    pub response_ms: Option<Quantiles>,
    /// End − start of successful calls; none without any.
    pub service_ms: Option<Quantiles>,
    /// Start − due; none without any, and none for a single op.
    pub lag_ms: Option<Quantiles>,
}

/// A distribution in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Quantiles {
    /// Smallest.
    pub min: f64,
    /// Arithmetic mean.
    pub mean: f64,
    /// Median.
    pub p50: f64,
    /// 90th percentile.
    pub p90: f64,
    /// 95th percentile.
    pub p95: f64,
    /// 99th percentile.
    pub p99: f64,
    /// 99.9th percentile.
    pub p999: f64,
    /// Largest.
    pub max: f64,
}

/// Connections over the whole run, the `connect` phase included.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Connections {
    /// Established.
    pub opened: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Most open at one time.
    pub peak: u64,
    /// Time to establish one; none without any.
    pub connect_ms: Option<Quantiles>,
    /// Ended before their time, by a fault.
    pub lost: u64,
    /// Time from such an end until there was another one in its place; none without any.
    pub reconnect_ms: Option<Quantiles>,
}

/// One phase.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PhaseReport {
    /// Its name.
    pub name: String,
    /// Whether totals and thresholds include it.
    pub counted: bool,
    /// Begin, seconds since time zero.
    pub start_s: f64,
    /// End, seconds since time zero; the stop when the run stopped in it.
    pub end_s: f64,
    /// Its figures.
    pub figures: Figures,
    /// By op.
    pub ops: Vec<OpReport>,
}

/// One op.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OpReport {
    /// Its name.
    pub name: String,
    /// Its figures.
    pub figures: Figures,
}

/// Failures of one op, kind and code.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FaultReport {
    /// Op; none where no op was under way.
    pub op: Option<String>,
    /// What kind of fault.
    pub kind: FaultKind,
    /// The protocol's own code; 0 when there is none.
    pub code: u32,
    /// How many.
    pub count: u64,
    /// First seen, seconds since time zero.
    pub first_s: f64,
    /// Last seen, seconds since time zero.
    pub last_s: f64,
    /// What the first of them said.
    pub sample: String,
}

/// One of the protocol's own series.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ExtraReport {
    /// Its name.
    pub name: String,
    /// Number of values.
    pub count: u64,
    /// Its distribution; none without values.
    pub ms: Option<Quantiles>,
}

/// One of the protocol's own counters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CounterReport {
    /// Its name.
    pub name: String,
    /// What was counted.
    pub count: u64,
    /// That by the length of the counted phases, 1/s.
    pub rate_per_s: f64,
}

/// A share of the protocol's own counters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RateReport {
    /// Its name.
    pub name: String,
    /// The cases in question.
    pub cases: u64,
    /// All cases.
    pub all: u64,
    /// The one by the other; none without cases.
    pub share: Option<f64>,
}

/// What the generator itself used, over all its processes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Generator {
    /// CPU seconds, user and system.
    pub cpu_s: f64,
    /// CPU microseconds a call begun.
    pub cpu_us_per_call: f64,
    /// Largest resident set of a process, bytes, added over processes.
    pub max_rss_bytes: u64,
    /// The same for each of the connections that were open at a time, bytes; none with fewer than 1,000.
    #[serde(default)]
    pub rss_bytes_per_connection: Option<f64>,
    /// How late calls were sent although a lane was free; none without any.
    pub lateness_ms: Option<Quantiles>,
    /// Turns of the event loops; none without any.
    pub turn_ms: Option<Quantiles>,
    /// Closed model: the generator had no idle time left, so the rate is a lower bound of what the target can do.
    pub generator_bound: bool,
}

/// A command of the suite that was run at an instant of the run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EventReport {
    /// What the suite calls it.
    pub name: String,
    /// The command and its arguments.
    pub command: Vec<String>,
    /// When it was to begin, seconds since time zero.
    pub at_s: f64,
    /// When it began; none when the run ended before that.
    pub began_s: Option<f64>,
    /// When it ended; none when it never began.
    pub ended_s: Option<f64>,
    /// Its exit code; none when it was killed or never began.
    pub exit_code: Option<i32>,
    /// Why there is no exit code, in words.
    pub note: Option<String>,
}

/// Counts over time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Timeseries {
    /// Seconds a point; doubles whenever there would be more than 3,600 points.
    pub interval_s: u32,
    /// In the order of time, without gaps.
    pub points: Vec<Point>,
}

/// One interval, by the instant at which calls ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Point {
    /// Begin, seconds since time zero.
    pub t_s: f64,
    /// Calls that ended as expected.
    pub ok: u64,
    /// Calls that ended in a fault.
    pub failed: u64,
    /// Bytes sent.
    pub bytes_sent: u64,
    /// Bytes received.
    pub bytes_received: u64,
    /// The most lanes in use at a time in it.
    pub vus: u64,
    /// Calls in flight at its end.
    pub in_flight: u64,
    /// The most connections open at a time in it.
    pub connections: u64,
    /// Connections opened in it.
    #[serde(default)]
    pub opened: u64,
    /// Mean response time of the successful calls, ms; 0 without any.
    pub mean_ms: f64,
    /// Median response time of the successful calls, ms; none without any, and none in merged files.
    pub p50_ms: Option<f64>,
    /// 95th percentile, ms.
    pub p95_ms: Option<f64>,
    /// 99th percentile, ms.
    pub p99_ms: Option<f64>,
    /// Largest response time of the successful calls, ms; 0 without any.
    pub max_ms: f64,
    /// From where to where the 95th percentile of several points lies that became one, ms: it cannot be told from theirs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p95_between_ms: Option<(f64, f64)>,
}

impl Point {
    /// From where to where the 95th percentile of the response times of the successful calls lies, ms; one value where it is known.
    pub fn p95_between(&self) -> Option<(f64, f64)> {
        self.p95_ms.map(|ms| (ms, ms)).or(self.p95_between_ms)
    }
}

/// What the run knows about its own health.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Health {
    /// Calls made outside the schedule.
    pub control_calls: u64,
    /// Most connections open at one time.
    pub peak_connections: u64,
    /// Most lanes in use at one time.
    pub peak_vus: u64,
    /// CPU of all processes, ns.
    pub cpu_ns: u64,
    /// Largest resident sets of the processes, added, bytes.
    pub max_rss_bytes: u64,
    /// Workers, processes and segments that were lost, in words.
    pub lost: Vec<String>,
    /// Most snapshots in a row that a worker missed.
    pub missed_snapshots: u32,
    /// Largest jump of the wall clock, or pause of the machine, against `CLOCK_MONOTONIC`, ms.
    pub clock_jump_ms: f64,
    /// Laws that do not balance, in words; a bug of the tool.
    pub violations: Vec<String>,
    /// Worker-seconds observed.
    pub worker_seconds: u64,
    /// Worker-seconds by worker without idle time: (seconds observed, seconds without idle time).
    pub busy_seconds: Vec<(u32, u32)>,
    /// Time that threads of the generator waited for a CPU, ns.
    pub run_queue_ns: u64,
    /// Time that the hypervisor took from this machine, ns.
    pub steal_ns: u64,
    /// Of an invalid run: what may have kept the generator from its work. Never a criterion.
    pub causes: Vec<String>,
}
