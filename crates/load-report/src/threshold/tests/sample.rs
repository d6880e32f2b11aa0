//! One small run whose figures are known: 10 counted seconds, 200 ticks, of which 20 are errors.

use crate::fault::FaultKind;
use crate::figures::Record;
use crate::gauge::{GaugeKind, GaugePlan, GaugeUnit, Sample, Samples};
use crate::model::{
    End, ExtraPlan, Header, Health, LoadModel, PhasePlan, Plan, Point, RatePlan, RunFile, SCHEMA, Segment,
    Timeseries,
};
use crate::tally::{PhaseTally, Tally};

const MS: u64 = 1_000_000;
const SECOND_NS: i64 = 1_000_000_000;

/// Open model, 20 arrivals/s, two counted phases and one that is not.
pub(super) fn plan() -> Plan {
    let phase = |name: &str, from: i64, to: i64| PhasePlan {
        name: name.into(),
        counted: name != "warm-up",
        start_ns: from * SECOND_NS,
        end_ns: to * SECOND_NS,
    };
    let gauge =
        |name: &str, unit| GaugePlan { name: name.into(), help: String::new(), unit, kind: GaugeKind::Level };
    let extra = |name: &str| ExtraPlan { name: name.into(), help: String::new() };
    Plan {
        target: "http://127.0.0.1:1".into(),
        model: LoadModel::Open,
        vus: 8,
        max_vus: 64,
        connections: 8,
        rate_per_s: Some(20.0),
        arrivals: Some("constant".into()),
        duration_s: 12.0,
        warmup_s: 2.0,
        requests: None,
        stages: Vec::new(),
        phases: vec![phase("warm-up", 0, 2), phase("sustain", 2, 10), phase("stress", 10, 12)],
        think_s: None,
        timeout_s: 30.0,
        graceful_stop_s: 30.0,
        threads: 1,
        processes: 1,
        seed: 1,
        ops: vec!["login".into(), "GET /vms/{id}".into()],
        extras: vec![extra("message_latency"), extra("never_seen")],
        counters: vec![extra("messages_lost"), extra("messages_twice")],
        rates: vec![RatePlan { name: "twice".into(), cases: 1, all: 0 }],
        gauges: vec![
            gauge("cache_hit", GaugeUnit::Ratio),
            gauge("memory", GaugeUnit::Bytes),
            gauge("unseen", GaugeUnit::Count),
        ],
        sample_s: Some(1.0),
        thresholds: Vec::new(),
        rehearsal: None,
        tags: std::collections::BTreeMap::new(),
        args: serde_json::Value::Null,
    }
}

/// A phase of `ok` calls of op `op` that take 1, 2, 3... ms, half of it service time.
fn phase(op: usize, ok: u64) -> PhaseTally {
    let mut phase = PhaseTally::new(2, 2, 2);
    let mine = &mut phase.ops[op];
    for k in 1..=ok {
        mine.response_ok.record(k * MS);
        mine.service_ok.record(k * MS / 2);
        phase.iteration_ok.record(k * MS);
        phase.lag.record(3 * MS);
        phase.wait.record(2 * MS);
        phase.lateness.record(MS);
    }
    phase.turn.record(MS / 10);
    (mine.ok, mine.bytes_sent, mine.bytes_received, mine.messages) = (ok, 100 * ok, 1_000 * ok, 2 * ok);
    (phase.calls.ok, phase.calls.scheduled) = (ok, ok);
    phase.iterations = phase.calls.clone();
    phase
}

/// 80 calls that end as expected, 15 that fail after 500 ms, 2 that do not end and 3 that never begin.
fn stress() -> PhaseTally {
    let mut phase = phase(1, 80);
    let op = &mut phase.ops[1];
    op.failed.add(FaultKind::Timeout, 15);
    op.response_failed.record_n(500 * MS, 15);
    op.service_failed.record_n(400 * MS, 15);
    op.abandoned = 2;
    phase.iteration_failed.record_n(500 * MS, 15);
    phase.abandoned_age.record_n(30_000 * MS, 2);
    let calls = &mut phase.calls;
    calls.failed.add(FaultKind::Timeout, 15);
    (calls.abandoned, calls.unsent, calls.scheduled) = (2, 3, 100);
    phase.iterations = calls.clone();
    phase
}

/// A look at the end of each second: a share of hits that falls, and memory that grows.
fn samples() -> Samples {
    let mut samples = Samples::default();
    for second in 0..12 {
        let values = vec![Some(1.0 - second as f64 / 100.0), Some(1_000_000.0 * (second + 1) as f64), None];
        let (from_ns, at_ns) = (second * SECOND_NS, (second + 1) * SECOND_NS);
        samples.absorb(&Sample { from_ns, at_ns, values }, &plan());
    }
    samples
}

/// The record of component `component`.
pub(super) fn record(component: &str) -> Record {
    let (mut warm_up, mut sustain) = (phase(0, 50), phase(0, 100));
    warm_up.connects.opened = 8;
    warm_up.connects.failed.add(FaultKind::Connect, 2);
    warm_up.connects.time.record_n(3 * MS, 8);
    sustain.extras[0].record_n(5 * MS, 4);
    sustain.counters[0] = 30;
    // Of the last phase, the first second is not well.
    let point = |t: u32| {
        let (ok, failed) = if t == 10 { (3, 2) } else { (15, 0) };
        Point { t_s: t.into(), vus: u64::from(t) + 1, ok, failed, p95_ms: Some(95.0), ..Point::default() }
    };
    Record {
        header: Header {
            schema: SCHEMA.into(),
            component: component.into(),
            run_id: "20261121T025500Z".into(),
            version: "0.1.0".into(),
            segment: Segment::WHOLE,
            started_at: "2026-11-21T02:55:00Z".into(),
            t0_monotonic_ns: 0,
            plan: plan(),
        },
        end: End { stop_ns: 12 * SECOND_NS, end_ns: 42 * SECOND_NS },
        interrupted: false,
        recovered: false,
        warnings: Vec::new(),
        events: Vec::new(),
        timeseries: Timeseries { interval_s: 1, points: (0..13).map(point).collect() },
        samples: samples(),
        health: Health {
            peak_connections: 9,
            // 50 + 197 calls begun, 20 µs each.
            cpu_ns: 247 * 20_000,
            max_rss_bytes: 12_000_000,
            ..Health::default()
        },
        data: Tally { phases: vec![warm_up, sustain, stress()], ..Tally::default() },
    }
}

/// Its figures.
pub(super) fn run() -> RunFile {
    record("api").into_figures()
}

/// The same load by users without a schedule, whose generator was busy all the time.
pub(super) fn generator_bound() -> Record {
    let mut record = record("api");
    let plan = &mut record.header.plan;
    (plan.model, plan.rate_per_s, plan.arrivals) = (LoadModel::Closed, None, None);
    record.health.busy_seconds = vec![(12, 6)];
    record
}

/// A run in which nothing happened.
pub(super) fn empty() -> RunFile {
    let mut record = record("api");
    (record.data, record.health, record.timeseries) =
        (Tally::default(), Health::default(), Timeseries::default());
    record.into_figures()
}
