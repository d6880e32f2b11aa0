//! What does a dashboard read while the run lasts? Counters of the whole run so far, in Prometheus' text format.
//!
//! Names begin with `quintet_`, units are seconds and bytes, and every series has the label `component`. Which series there are
//! follows from the plan alone, but for kinds of faults, of which there are a few. Counters are over all phases, those that are
//! not counted in the result included, and never go down.

mod calls;
mod exposition;

use std::collections::BTreeSet;

use self::exposition::{Exposition, Kind, escape, seconds};
use crate::gauge::{GaugeUnit, Samples};
use crate::live::{Present, phase_at};
use crate::model::{Header, LoadModel, ThresholdReport};
use crate::tally::{ConnectTally, Ledger, Tally};

/// The media type of [`text`].
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The labels of a run, which are known before it.
#[derive(Clone, Debug)]
pub struct Labels {
    /// Of every series.
    base: String,
    /// Of the one that says what is run.
    info: String,
    phases: Vec<String>,
    ops: Vec<String>,
    extras: Vec<String>,
    counters: Vec<String>,
    gauges: Vec<String>,
}

/// How a run stands.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// What is run.
    pub header: &'a Header,
    /// Since time zero, ns; before it, less than 0.
    pub elapsed_ns: i64,
    /// Everything counted so far.
    pub data: &'a Tally,
    /// What the target said of itself.
    pub samples: &'a Samples,
    /// What the parts said last.
    pub present: Present,
    /// The thresholds, by what has been counted so far.
    pub thresholds: &'a [ThresholdReport],
}

impl Labels {
    /// Of the run that `header` describes. `strike` takes secrets out of a text.
    pub fn new(header: &Header, strike: impl Fn(&str) -> String) -> Self {
        let plan = &header.plan;
        let label = |text: &str| escape(&strike(text));
        // Two series with the same labels would make a reader refuse everything.
        let all = |names: &mut dyn Iterator<Item = &String>| {
            let mut taken = BTreeSet::new();
            let mut distinct = |name: &String| {
                let name = label(name);
                let numbered = (2..).map(|n| format!("{name} #{n}"));
                std::iter::once(name.clone()).chain(numbered).find(|name| taken.insert(name.clone()))
            };
            names.filter_map(&mut distinct).collect::<Vec<_>>()
        };
        let model = match plan.model {
            LoadModel::Open => "open",
            LoadModel::Closed => "closed",
        };
        let info = format!(
            "run_id=\"{}\",target=\"{}\",model=\"{model}\",segment=\"{}\",version=\"{}\"",
            label(&header.run_id),
            label(&plan.target),
            header.segment,
            label(&header.version)
        );
        Self {
            base: format!("component=\"{}\"", label(&header.component)),
            info,
            phases: all(&mut plan.phases.iter().map(|phase| &phase.name)),
            ops: all(&mut plan.ops.iter()),
            extras: all(&mut plan.extras.iter().map(|extra| &extra.name)),
            counters: all(&mut plan.counters.iter().map(|counter| &counter.name)),
            gauges: all(&mut plan.gauges.iter().map(|gauge| &gauge.name)),
        }
    }
}

/// The page that Prometheus reads.
pub fn text(labels: &Labels, scene: &Scene<'_>) -> String {
    let informed = format!("{},{}", labels.base, labels.info);
    let mut info = Exposition::new(&informed);
    info.one("quintet_info", Kind::Gauge, "What is run.", 1);
    let mut out = Exposition::new(&labels.base);
    course(&mut out, labels, scene);
    ledger(&mut out, scene);
    calls::write(&mut out, labels, scene.data);
    connections(&mut out, scene);
    own_series(&mut out, labels, scene);
    target(&mut out, labels, scene);
    generator(&mut out, scene);
    thresholds(&mut out, scene.thresholds);
    info.text() + &out.text()
}

/// When, and how far.
fn course(out: &mut Exposition<'_>, labels: &Labels, scene: &Scene<'_>) {
    let plan = &scene.header.plan;
    if let Ok(start) = scene.header.started_at.parse::<jiff::Timestamp>() {
        let start = start.as_nanosecond() as f64 / 1e9;
        out.one(
            "quintet_start_time_seconds",
            Kind::Gauge,
            "Time zero of the run, in seconds since 1970.",
            start,
        );
    }
    let elapsed = scene.elapsed_ns as f64 / 1e9;
    out.one("quintet_elapsed_seconds", Kind::Gauge, "Since time zero.", elapsed);
    out.one(
        "quintet_duration_seconds",
        Kind::Gauge,
        "From time zero to the stop of new work, as planned.",
        plan.duration_s,
    );
    let now = phase_at(&plan.phases, scene.elapsed_ns);
    let mut phases =
        out.family("quintet_phase", Kind::Gauge, "1 for the phase that the run is in, 0 for the others.");
    for (index, phase) in labels.phases.iter().enumerate() {
        phases.series(&[("phase", phase)], u8::from(now == Some(index)));
    }
}

/// Both accounts, but for what is told by op.
fn ledger(out: &mut Exposition<'_>, scene: &Scene<'_>) {
    let (mut iterations, mut calls) = (Ledger::default(), Ledger::default());
    for phase in &scene.data.phases {
        iterations.merge(&phase.iterations);
        calls.merge(&phase.calls);
    }
    let help = "Iterations that were taken up, or declared unsent.";
    out.one("quintet_iterations_scheduled_total", Kind::Counter, help, iterations.scheduled);
    let mut outcomes =
        out.family("quintet_iterations_total", Kind::Counter, "Iterations by what became of them.");
    for (outcome, n) in [
        ("ok", iterations.ok),
        ("failed", iterations.failed.total()),
        ("abandoned", iterations.abandoned),
        ("unsent", iterations.unsent),
        ("lost", iterations.lost),
    ] {
        outcomes.series(&[("outcome", outcome)], n);
    }
    let help = "Durations of iterations, from when they were due to their end.";
    let mut times = out.family("quintet_iteration_time_seconds", Kind::Histogram, help);
    let phases = &scene.data.phases;
    times.histogram(&[("outcome", "ok")], phases.iter().map(|phase| &phase.iteration_ok));
    times.histogram(&[("outcome", "failed")], phases.iter().map(|phase| &phase.iteration_failed));
    let help =
        "Calls that were begun, or declared unsent: unsent, lost, in flight, or in quintet_calls_total.";
    out.one("quintet_calls_scheduled_total", Kind::Counter, help, calls.scheduled);
    let help = "Calls that were due and never taken up.";
    out.one("quintet_calls_unsent_total", Kind::Counter, help, calls.unsent);
    let help = "Calls in the share of a worker, process or segment that was lost.";
    out.one("quintet_calls_lost_total", Kind::Counter, help, calls.lost);
    out.one("quintet_calls_in_flight", Kind::Gauge, "Calls in flight.", scene.present.in_flight);
}

fn connections(out: &mut Exposition<'_>, scene: &Scene<'_>) {
    let mut all = ConnectTally::default();
    scene.data.phases.iter().for_each(|phase| all.merge(&phase.connects));
    let help = "Virtual users at work; in the open model, lanes. The most of a second.";
    out.one("quintet_vus", Kind::Gauge, help, scene.present.vus);
    let help = "Connections that are open. The most of a second.";
    out.one("quintet_connections_open", Kind::Gauge, help, scene.present.connections);
    out.one("quintet_connections_opened_total", Kind::Counter, "Connections established.", all.opened);
    let help = "Attempts to connect that failed.";
    out.one("quintet_connections_failed_total", Kind::Counter, help, all.failed.total());
    let help = "Connections that ended before their time.";
    out.one("quintet_connections_lost_total", Kind::Counter, help, all.lost);
    let help = "From the attempt to the established connection, TLS included.";
    let mut times = out.family("quintet_connect_time_seconds", Kind::Histogram, help);
    times.histogram(&[], std::iter::once(&all.time));
}

/// Series and counters of the protocol and of the suite.
fn own_series(out: &mut Exposition<'_>, labels: &Labels, scene: &Scene<'_>) {
    let phases = &scene.data.phases;
    if !labels.extras.is_empty() {
        let help = "Times of the protocol's and of the suite's own.";
        let mut family = out.family("quintet_series_seconds", Kind::Histogram, help);
        for (index, name) in labels.extras.iter().enumerate() {
            let parts = phases.iter().filter_map(|phase| phase.extras.get(index));
            family.histogram(&[("series", name)], parts);
        }
    }
    if !labels.counters.is_empty() {
        let help = "Counts of the protocol's and of the suite's own.";
        let mut family = out.family("quintet_events_total", Kind::Counter, help);
        for (index, name) in labels.counters.iter().enumerate() {
            let parts = phases.iter().filter_map(|phase| phase.counters.get(index));
            family.series(&[("event", name)], parts.sum::<u64>());
        }
    }
}

/// What the target said of itself.
fn target(out: &mut Exposition<'_>, labels: &Labels, scene: &Scene<'_>) {
    let Samples { answered, failed, points, .. } = scene.samples;
    if labels.gauges.is_empty() {
        return;
    }
    let help = "Times that the target was asked about itself.";
    let mut looks = out.family("quintet_target_looks_total", Kind::Counter, help);
    looks.series(&[("outcome", "answered")], answered);
    looks.series(&[("outcome", "failed")], failed);
    let help = "What the target said last of itself, in the unit that the label says.";
    let mut family = out.family("quintet_target", Kind::Gauge, help);
    let values = points.last().map(|point| point.values.as_slice()).unwrap_or_default();
    for ((name, plan), value) in labels.gauges.iter().zip(&scene.header.plan.gauges).zip(values) {
        let Some(value) = value.filter(|value| value.is_finite()) else { continue };
        let (unit, value) = match plan.unit {
            GaugeUnit::Ms => ("seconds", value / 1e3),
            other => (other.name(), value),
        };
        family.series(&[("gauge", name), ("unit", unit)], value);
    }
}

/// What the generator used, and how late it was itself.
fn generator(out: &mut Exposition<'_>, scene: &Scene<'_>) {
    let phases = &scene.data.phases;
    let help = "From when an iteration was due to its begin.";
    out.family("quintet_lag_seconds", Kind::Histogram, help)
        .histogram(&[], phases.iter().map(|phase| &phase.lag));
    let help = "The part of the lag with a lane free: the generator's own fault.";
    out.family("quintet_lateness_seconds", Kind::Histogram, help)
        .histogram(&[], phases.iter().map(|phase| &phase.lateness));
    let Present { cpu_ns, max_rss_bytes, .. } = scene.present;
    let cpu = seconds(cpu_ns.into());
    out.one(
        "quintet_generator_cpu_seconds_total",
        Kind::Counter,
        "CPU of the generator, user and system.",
        cpu,
    );
    let help = "Largest resident set of the generator.";
    out.one("quintet_generator_max_resident_bytes", Kind::Gauge, help, max_rss_bytes);
}

/// Which thresholds hold by what has been counted so far; one without an observation says nothing.
fn thresholds(out: &mut Exposition<'_>, reports: &[ThresholdReport]) {
    let observed: Vec<_> = reports.iter().filter(|report| report.observed.is_some()).collect();
    if observed.is_empty() {
        return;
    }
    let help = "1 for a threshold that holds so far, 0 for one that does not.";
    let mut family = out.family("quintet_threshold_passing", Kind::Gauge, help);
    let mut told = BTreeSet::new();
    for report in observed {
        if told.insert((&report.expression, &report.level)) {
            let labels = [("threshold", &*escape(&report.expression)), ("level", &report.level)];
            family.series(&labels, u8::from(report.passed));
        }
    }
}

#[cfg(test)]
mod tests;
