//! Was it good? The rules of the verdict, as pure functions of a finished record.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::hist::Histogram;
use crate::model::{Health, LoadModel, Plan, ThresholdOutcome, ThresholdReport};
use crate::tally::{OpTally, PhaseTally, Tally};

/// The judgement on a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every threshold holds.
    Pass,
    /// Only thresholds of level `warn` do not hold, or something was skipped.
    Warn,
    /// A threshold does not hold.
    Fail,
    /// The generator was the limit, or the account does not balance.
    Invalid,
    /// Nothing was measured.
    NoData,
}

impl Verdict {
    /// In capitals, for people.
    pub fn label(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Warn => "WARNING",
            Self::Fail => "FAIL",
            Self::Invalid => "INVALID",
            Self::NoData => "NO DATA",
        }
    }
}

/// Why a run is invalid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Invalid {
    /// Which rule.
    pub clause: Clause,
    /// What was observed, and against which limit.
    pub why: String,
}

/// The rules that make a run invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Clause {
    /// Calls were sent late although a lane was free (open model).
    Lateness,
    /// The event loop turned slowly, so answers were seen late (open model).
    LoopTurn,
    /// Ticks were not taken up although a lane was idle (open model).
    UnsentWhileIdle,
    /// A worker, process or segment was lost.
    Lost,
    /// The clock jumped or the machine was paused.
    Clock,
    /// Snapshots are missing.
    Snapshots,
    /// The account does not balance: a bug of the tool.
    Laws,
}

/// Starts that a phase needs before its lateness is judged.
const MIN_STARTS: u64 = 1_000;
/// Lateness and turns up to this are never held against the generator, ns.
const FLOOR_NS: u64 = 1_000_000;
/// Jump of the wall clock against the monotonic one that is still taken for slewing, ms.
const CLOCK_JUMP_MS: f64 = 500.0;
/// So many snapshots in a row may not be missing.
const MISSED_SNAPSHOTS: u32 = 3;

/// Why this record proves nothing about the target; empty when it does.
pub fn invalid(plan: &Plan, data: &Tally, health: &Health) -> Vec<Invalid> {
    let mut found = Vec::new();
    if plan.model == LoadModel::Open {
        for (phase, tally) in plan.phases.iter().zip(&data.phases).filter(|(phase, _)| phase.counted) {
            found.extend(phase_invalid(&phase.name, tally));
        }
    }
    let mut add = |clause, why| found.push(Invalid { clause, why });
    for lost in &health.lost {
        add(Clause::Lost, format!("lost: {lost}"));
    }
    if health.clock_jump_ms > CLOCK_JUMP_MS {
        add(
            Clause::Clock,
            format!("the clock jumped, or the machine paused, by {:.0} ms", health.clock_jump_ms),
        );
    }
    if health.missed_snapshots >= MISSED_SNAPSHOTS {
        add(Clause::Snapshots, format!("a worker missed {} snapshots in a row", health.missed_snapshots));
    }
    for law in &health.violations {
        add(Clause::Laws, format!("the account does not balance, a bug of the tool: {law}"));
    }
    found
}

fn phase_invalid(name: &str, tally: &PhaseTally) -> Vec<Invalid> {
    let mut found = Vec::new();
    let starts = tally.lateness.count();
    if starts + tally.iterations.unsent < MIN_STARTS {
        return found;
    }
    // Late sends are an error of response times, slow turns one of service times as well. The latter are not measured
    // against response times, which grow without bound when the slow turns themselves keep all lanes busy.
    let p99 = |of: fn(&OpTally) -> &Histogram| {
        let mut times = Histogram::new();
        tally.ops.iter().for_each(|op| times.merge(of(op)));
        times.quantile_ns(0.99)
    };
    let late = [
        (
            Clause::Lateness,
            "calls were sent late with a lane free",
            &tally.lateness,
            p99(|op| &op.response_ok),
        ),
        (Clause::LoopTurn, "the event loop turned slowly", &tally.turn, p99(|op| &op.service_ok)),
    ];
    for (clause, what, histogram, times) in late {
        let (p99, limit) = (histogram.quantile_ns(0.99), FLOOR_NS.max(times / 10));
        if p99 > limit {
            let why = format!("phase {name}: {what}: p99 {:.2} ms, limit {:.2} ms", ms(p99), ms(limit));
            found.push(Invalid { clause, why });
        }
    }
    let (idle, scheduled) = (tally.iterations.unsent_while_idle, tally.iterations.scheduled);
    if idle as f64 > scheduled as f64 * 0.001 {
        let why = format!(
            "phase {name}: {idle} of {scheduled} ticks were not sent while a lane was idle, limit 0.1 %"
        );
        found.push(Invalid { clause: Clause::UnsentWhileIdle, why });
    }
    found
}

fn ms(ns: u64) -> f64 {
    ns as f64 / 1e6
}

/// Closed model: a worker had no idle time left in half of its seconds, so the target may be able to do more.
pub fn generator_bound(plan: &Plan, health: &Health) -> bool {
    plan.model == LoadModel::Closed
        && health.busy_seconds.iter().any(|&(observed, busy)| observed > 0 && busy * 2 >= observed)
}

/// The verdict on a run with these thresholds, reasons of invalidity and successful or failed calls.
pub fn judge(thresholds: &[ThresholdReport], invalid: &[Invalid], warned: bool, measured: bool) -> Verdict {
    let any = |outcome| thresholds.iter().any(|t| t.outcome == outcome);
    if !invalid.is_empty() || any(ThresholdOutcome::Invalid) {
        Verdict::Invalid
    } else if !measured {
        Verdict::NoData
    } else if any(ThresholdOutcome::Fail) {
        Verdict::Fail
    } else if warned || any(ThresholdOutcome::Warn) || any(ThresholdOutcome::Skipped) {
        Verdict::Warn
    } else {
        Verdict::Pass
    }
}
