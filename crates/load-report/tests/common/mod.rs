//! One fixed run for all tests of outputs: two phases, two ops, failures, abandoned and unsent calls, thresholds of
//! every outcome, and text from an unfriendly server.

#![allow(dead_code, reason = "every test binary uses its own part")]

use std::collections::BTreeMap;

use load_report::compare::{Comparison, Rules, Side, compare};
use load_report::fault::FaultKind;
use load_report::figures::Record;
use load_report::gauge::{GaugeKind, GaugePlan, GaugeUnit, Sample, Samples};
use load_report::hist::Histogram;
use load_report::model::{
    End, EventReport, ExtraPlan, Header, Health, LoadModel, PhasePlan, Plan, Point, RunFile, SCHEMA, Segment,
    Stage, ThresholdOutcome, ThresholdReport, Timeseries,
};
use load_report::summary::{Skipped, Summary, TargetReport};
use load_report::tally::{Ledger, PhaseTally, Tally};

const MS: u64 = 1_000_000;
const SECOND_NS: i64 = 1_000_000_000;

/// The plan of the sample.
pub(crate) fn plan() -> Plan {
    let phase = |name: &str, counted, from: i64, to: i64| PhasePlan {
        name: name.into(),
        counted,
        start_ns: from * SECOND_NS,
        end_ns: to * SECOND_NS,
    };
    let gauge = |name: &str, unit| GaugePlan {
        name: name.into(),
        help: "what the server says".into(),
        unit,
        kind: GaugeKind::Level,
    };
    Plan {
        target: "http://127.0.0.1:8080".into(),
        model: LoadModel::Open,
        vus: 8,
        max_vus: 64,
        connections: 8,
        rate_per_s: Some(100.0),
        arrivals: Some("poisson".into()),
        duration_s: 12.0,
        warmup_s: 2.0,
        requests: None,
        stages: vec![Stage { name: Some("sustain".into()), duration_s: 10.0, target: 100.0 }],
        phases: vec![phase("warm-up", false, 0, 2), phase("sustain", true, 2, 12)],
        think_s: None,
        timeout_s: 30.0,
        graceful_stop_s: 30.0,
        threads: 2,
        processes: 1,
        seed: 7,
        ops: vec!["GET /orders".into(), "POST /orders|<b>".into()],
        counters: vec![ExtraPlan { name: "redirects".into(), help: "answers that pointed elsewhere".into() }],
        rates: Vec::new(),
        gauges: vec![
            gauge("db_cache_hit", GaugeUnit::Ratio),
            gauge("db_bytes", GaugeUnit::Bytes),
            gauge("db_unseen", GaugeUnit::PerS),
        ],
        sample_s: Some(1.0),
        extras: vec![ExtraPlan { name: "time_to_first_byte".into(), help: "first byte − start".into() }],
        thresholds: Vec::new(),
        rehearsal: None,
        tags: BTreeMap::from([("branch".into(), "main".into())]),
        args: serde_json::json!({ "method": "GET" }),
    }
}

/// The header of the sample, as segment `segment` of component `component`.
pub(crate) fn header(component: &str, segment: Segment) -> Header {
    Header {
        schema: SCHEMA.into(),
        component: component.into(),
        run_id: "20261121T025500Z".into(),
        version: "0.1.0".into(),
        segment,
        started_at: "2026-11-21T02:55:00Z".into(),
        t0_monotonic_ns: 5_000_000_000,
        plan: plan(),
    }
}

/// A phase of `calls` calls on two ops, of which the second one has failures and a call that never ended.
fn phase(calls: u64, failures: bool) -> PhaseTally {
    let mut phase = PhaseTally::new(2, 1, 1);
    for k in 0..calls {
        let op = &mut phase.ops[(k % 2) as usize];
        let ms = 2 + k * 37 % 101;
        let (service, response) = (ms * MS, ms * MS + 300_000);
        if failures && k % 50 == 1 {
            let kind = if k % 100 == 1 { FaultKind::Rejected } else { FaultKind::Timeout };
            op.failed.add(kind, 1);
            op.response_failed.record(response);
            op.service_failed.record(service);
            phase.calls.failed.add(kind, 1);
            phase.iteration_failed.record(response);
        } else {
            op.ok += 1;
            op.response_ok.record(response);
            op.service_ok.record(service);
            phase.calls.ok += 1;
            phase.iteration_ok.record(response);
        }
        (op.bytes_sent, op.bytes_received) = (op.bytes_sent + 120, op.bytes_received + 2_048);
        phase.lag.record(300_000);
        phase.wait.record(100_000);
        phase.lateness.record(200_000);
        phase.turn.record(50_000 + k % 7 * 1_000);
        phase.extras[0].record(MS);
        phase.counters[0] += 1;
    }
    phase.calls.scheduled = calls;
    if failures {
        phase.ops[1].abandoned = 1;
        phase.abandoned_age.record(30_000 * MS);
        phase.calls.abandoned = 1;
        phase.calls.unsent = 3;
        phase.calls.scheduled += 4;
    }
    phase.iterations = Ledger { ..phase.calls.clone() };
    phase
}

fn faults(data: &mut Tally) {
    let at = |k: i64| 2 * SECOND_NS + k * 10_000_000;
    let evil = "HTTP 503: <script>alert(1)</script> | =cmd()\u{202e} @team `x`";
    for k in [1, 101, 201, 301, 401, 501, 601, 701, 801, 901] {
        data.faults.add((Some(1), FaultKind::Rejected, 503), at(k), || evil.into());
    }
    for k in [51, 151, 251, 351, 451, 551, 651, 751, 851, 951] {
        data.faults.add((Some(1), FaultKind::Timeout, 0), at(k), || "no answer within 30 s".into());
    }
    data.faults.add((None, FaultKind::Local, 24), at(5), || "=too many open files".into());
}

fn timeseries() -> Timeseries {
    let point = |t: u32| Point {
        t_s: t.into(),
        ok: 96 + u64::from(t % 3),
        failed: u64::from(t % 4),
        bytes_sent: 12_000,
        bytes_received: 204_800,
        vus: 8,
        in_flight: 5,
        connections: 8,
        opened: if t == 0 { 8 } else { 0 },
        mean_ms: 52.5,
        p50_ms: Some(52.0),
        p95_ms: Some(97.0),
        p99_ms: (t > 0).then_some(101.0),
        max_ms: 102.3,
        p95_between_ms: None,
    };
    Timeseries { interval_s: 1, points: (0..12).map(point).collect() }
}

/// A look each second, one of which was not answered.
fn samples() -> Samples {
    let mut samples = Samples::default();
    for second in 0..12 {
        let (from_ns, at_ns) = (second * SECOND_NS, (second + 1) * SECOND_NS);
        let hit = (second != 3).then_some(0.99 + 0.000_5 * second as f64);
        let answer = vec![hit, Some(8_192.0 * (100 + second) as f64), None];
        let values = if second == 7 { Vec::new() } else { answer };
        samples.absorb(&Sample { from_ns, at_ns, values }, &plan());
    }
    samples
}

/// The record of the sample.
fn event() -> EventReport {
    EventReport {
        name: "stop | a server".into(),
        command: vec!["systemctl".into(), "stop".into(), "shop".into()],
        at_s: 5.0,
        began_s: Some(5.0),
        ended_s: Some(5.25),
        exit_code: Some(0),
        note: None,
    }
}

pub(crate) fn record(component: &str, segment: Segment) -> Record {
    let mut data = Tally { phases: vec![phase(200, false), phase(1_000, true)], ..Tally::default() };
    data.phases[0].connects.opened = 8;
    for k in 1..=8 {
        data.phases[0].connects.time.record(k * 150_000);
    }
    faults(&mut data);
    Record {
        header: header(component, segment),
        end: End { stop_ns: 12 * SECOND_NS, end_ns: 42 * SECOND_NS },
        interrupted: false,
        recovered: false,
        warnings: vec!["virtual users were short: 8 of 64".into()],
        events: vec![event()],
        timeseries: timeseries(),
        samples: samples(),
        health: Health {
            control_calls: 3,
            peak_connections: 8,
            peak_vus: 8,
            cpu_ns: 1_234 * MS,
            max_rss_bytes: 12_900_000,
            worker_seconds: 24,
            busy_seconds: vec![(12, 0), (12, 1)],
            ..Health::default()
        },
        data,
    }
}

fn report(expression: &str, observed: Option<f64>, unit: &str, outcome: ThresholdOutcome) -> ThresholdReport {
    let level = if outcome == ThresholdOutcome::Warn { "warn" } else { "fail" };
    ThresholdReport {
        expression: expression.into(),
        level: level.into(),
        observed,
        limit: None,
        unit: unit.into(),
        passed: outcome == ThresholdOutcome::Pass,
        outcome,
        severity: outcome.severity(),
        delta: false,
        note: observed.is_none().then(|| "no samples".to_owned()),
    }
}

/// The judged sample: one threshold holds, one warns, one fails and one had nothing to observe.
pub(crate) fn run() -> RunFile {
    let mut run = record("api", Segment::WHOLE).judge(&[]);
    run.thresholds = vec![
        report("error_rate < 5%", Some(run.totals.error_rate), "ratio", ThresholdOutcome::Pass),
        report("warn response_time: p(95)<50ms", Some(97.3), "ms", ThresholdOutcome::Warn),
        report("response_time{op:GET /orders}: p(99)<80ms", Some(102.3), "ms", ThresholdOutcome::Fail),
        report("http_reqs{phase:stress}: rate>50", None, "per_s", ThresholdOutcome::Fail),
    ];
    run.settle();
    run
}

/// The same load by a generator that was too slow, lost a worker and miscounted.
pub(crate) fn invalid_run() -> RunFile {
    let mut record = record("api", Segment::WHOLE);
    let late = &mut record.data.phases[1].lateness;
    *late = Histogram::new();
    late.record_n(40 * MS, 1_000);
    record.data.phases[1].calls.scheduled += 1;
    record.health.lost.push("worker 1".into());
    record.interrupted = true;
    record.judge(&[])
}

/// Several components with targets between them.
pub(crate) fn summary() -> Summary {
    let mut ws = record("ws", Segment::WHOLE);
    ws.data.faults.clear();
    ws.warnings.clear();
    let mut summary = Summary::of(run());
    summary.components.push(load_report::summary::Component(ws.judge(&[])));
    summary.targets = vec![
        TargetReport {
            name: "orders are fast".into(),
            description: Some("agreed with | the shop".into()),
            report: report("api::response_time: p(95)<500ms", Some(97.3), "ms", ThresholdOutcome::Pass),
        },
        TargetReport {
            name: "storage".into(),
            description: None,
            report: report("db::read_time: p(95)<5ms", None, "ms", ThresholdOutcome::Skipped),
        },
    ];
    summary.skipped = vec![Skipped { component: "db".into(), reason: "no server at <127.0.0.1>".into() }];
    summary.notes = vec!["db was skipped: 1 target is not evaluated".into()];
    summary
}

/// The sample against one whose second op was twice as fast.
pub(crate) fn comparison(rules: Rules) -> Comparison {
    let now = faster(1);
    let then = faster(2);
    let [then, now] = [("good", &then), ("results/20261122T010000Z", &now)].map(|(name, run)| Side {
        name: name.to_owned(),
        runs: BTreeMap::from([(run.header.component.clone(), run)]),
    });
    compare(&[then], &[now], rules).unwrap()
}

/// The sample, its calls of the second op `by` times as fast.
pub(crate) fn faster(by: u32) -> RunFile {
    let mut record = record("api", Segment::WHOLE);
    for point in &mut record.timeseries.points {
        for ms in [&mut point.p50_ms, &mut point.p95_ms, &mut point.p99_ms] {
            *ms = ms.map(|ms| ms / f64::from(by));
        }
    }
    let op = &mut record.data.phases[1].ops[1];
    for times in [&mut op.response_ok, &mut op.service_ok] {
        let mut quicker = Histogram::new();
        times.iter().for_each(|(low, _, n)| quicker.record_n(low / u64::from(by), n));
        *times = quicker;
    }
    record.judge(&[])
}
