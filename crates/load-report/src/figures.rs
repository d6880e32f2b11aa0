//! What follows from the record? Totals, phases, ops and verdict, computed from counters and histograms.

use crate::exit::Exit;
use crate::gauge::Samples;
use crate::hist::Histogram;
use crate::laws;
use crate::model::{
    Connections, CounterReport, End, EventReport, ExtraPlan, ExtraReport, FaultReport, Figures, Generator,
    Header, Health, LedgerReport, OpReport, PhaseReport, Plan, Quantiles, RatePlan, RateReport, RunFile,
    ThresholdReport, Timeseries,
};
use crate::tally::{ConnectTally, Ledger, OpTally, PhaseTally, Tally};
use crate::threshold::{self, Threshold};
use crate::verdict::{self, Verdict};

/// With fewer connections, the memory of a process says nothing about one of them.
const MANY_CONNECTIONS: u64 = 1_000;

/// The lossless half of a run file: everything else follows from it.
#[derive(Clone, Debug)]
pub struct Record {
    /// Who ran what, when.
    pub header: Header,
    /// How the run ended.
    pub end: End,
    /// Stopped by a signal.
    pub interrupted: bool,
    /// Rebuilt from a journal.
    pub recovered: bool,
    /// What a reader should know before quoting the figures.
    pub warnings: Vec<String>,
    /// What was done besides the load.
    pub events: Vec<EventReport>,
    /// Counts over time.
    pub timeseries: Timeseries,
    /// What the target said of itself.
    pub samples: Samples,
    /// What the run knows about its own health.
    pub health: Health,
    /// All counters.
    pub data: Tally,
}

impl Quantiles {
    /// The distribution of `histogram`; none when it is empty.
    pub fn of(histogram: &Histogram) -> Option<Self> {
        let at = |q| histogram.quantile_ns(q) as f64 / 1e6;
        (!histogram.is_empty()).then(|| Self {
            min: histogram.min_ns() as f64 / 1e6,
            mean: histogram.mean_ns() / 1e6,
            p50: at(0.5),
            p90: at(0.9),
            p95: at(0.95),
            p99: at(0.99),
            p999: at(0.999),
            max: histogram.max_ns() as f64 / 1e6,
        })
    }
}

impl Record {
    /// Judges the record by `thresholds` and computes every figure.
    pub fn judge(self, thresholds: &[Threshold]) -> RunFile {
        self.judge_against(thresholds, None)
    }

    /// The same with an earlier run of the component as the baseline of `delta(...)`.
    pub fn judge_against(mut self, thresholds: &[Threshold], baseline: Option<&RunFile>) -> RunFile {
        self.health.violations.extend(laws::violations(&self.header.plan, &self.data, self.end));
        let mut run = self.into_figures();
        run.invalid = verdict::invalid(&run.header.plan, &run.data, &run.health);
        run.thresholds = thresholds.iter().map(|t| threshold::evaluate_against(t, &run, baseline)).collect();
        if run.generator.generator_bound {
            let rate = run.totals.rate_per_s;
            let warning =
                format!("the generator had no idle time left: the target does at least {rate:.0}/s");
            // A record that is judged again has it already.
            if !run.warnings.contains(&warning) {
                run.warnings.push(warning);
            }
        }
        run.settle();
        run
    }

    /// Computes every figure, without a judgement.
    pub fn into_figures(self) -> RunFile {
        let Self { header, end, interrupted, recovered, warnings, events, timeseries, samples, health, data } =
            self;
        let plan = &header.plan;
        let counted = Counted::of(plan, &data, end);
        let (ledger, totals) = (ledger(&data, &health), counted.figures());
        let begun: u64 = data.phases.iter().map(|p| p.calls.scheduled.saturating_sub(p.calls.unsent)).sum();
        let ops = op_reports(plan, &counted.tally.ops, counted.seconds);
        let extras = extra_reports(plan, &counted.tally.extras);
        let counters = counter_reports(plan, &counted);
        let rates = rate_reports(plan, &counted);
        let gauges = samples.reports(plan);
        RunFile {
            verdict: Verdict::NoData,
            exit: Exit::NoData,
            interrupted,
            recovered,
            invalid: Vec::new(),
            warnings,
            end,
            ledger,
            totals,
            connections: connections(&data, &health),
            phases: phase_reports(plan, &data, end),
            ops,
            faults: fault_reports(plan, &data),
            extras,
            counters,
            rates,
            gauges,
            fanout: data.fanout.report(),
            generator: generator(plan, &health, begun, &counted.tally),
            thresholds: Vec::new(),
            events,
            timeseries,
            samples,
            health,
            data,
            header,
        }
    }
}

impl RunFile {
    /// Draws verdict and exit code from thresholds and reasons of invalidity, after one of them changed.
    pub fn settle(&mut self) {
        let measured = self.totals.requests > 0;
        self.verdict = verdict::judge(&self.thresholds, &self.invalid, false, measured);
        self.exit = exit_of(self);
    }

    /// The lossless half, to be merged or judged again.
    pub fn into_record(self) -> Record {
        let Self {
            header,
            end,
            interrupted,
            recovered,
            warnings,
            events,
            timeseries,
            samples,
            mut health,
            data,
            ..
        } = self;
        health.violations.clear();
        Record { header, end, interrupted, recovered, warnings, events, timeseries, samples, health, data }
    }
}

/// The exit code of a judged run.
fn exit_of(run: &RunFile) -> Exit {
    let by_verdict = match run.verdict {
        Verdict::Pass | Verdict::Warn | Verdict::Fail => Exit::Pass,
        Verdict::Invalid => Exit::Invalid,
        Verdict::NoData => Exit::NoData,
    };
    let interrupted = run.interrupted.then_some(Exit::Interrupted);
    let thresholds = run.thresholds.iter().map(ThresholdReport::exit);
    Exit::first_of(thresholds.chain(interrupted).chain([by_verdict]))
}

/// The sum of all counted phases.
pub struct Counted {
    /// Counters of all counted phases together.
    pub tally: PhaseTally,
    /// How long they took, seconds.
    pub seconds: f64,
}

impl Counted {
    /// Adds up the phases of `data` that `plan` counts, as far as the run got.
    pub fn of(plan: &Plan, data: &Tally, end: End) -> Self {
        Self::filtered(plan, data, end, |phase| phase.counted)
    }

    /// Adds up the phases of `data` that `keep` names.
    pub fn filtered(
        plan: &Plan,
        data: &Tally,
        end: End,
        keep: impl Fn(&crate::model::PhasePlan) -> bool,
    ) -> Self {
        let mut sum = Self { tally: PhaseTally::default(), seconds: 0.0 };
        for (index, phase) in plan.phases.iter().enumerate().filter(|(_, phase)| keep(phase)) {
            sum.seconds += (phase.end_ns.min(end.stop_ns) - phase.start_ns).max(0) as f64 / 1e9;
            if let Some(tally) = data.phases.get(index) {
                sum.tally.merge(tally);
            }
        }
        sum
    }

    fn figures(&self) -> Figures {
        let all = all_ops(&self.tally.ops);
        let mut figures = figures_of(&all, &self.tally.calls, self.seconds);
        figures.lag_ms = Quantiles::of(&self.tally.lag);
        figures
    }
}

/// All ops together.
pub fn all_ops(ops: &[OpTally]) -> OpTally {
    let mut all = OpTally::default();
    ops.iter().for_each(|op| all.merge(op));
    all
}

fn per_s(n: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { n as f64 / seconds } else { 0.0 }
}

fn figures_of(op: &OpTally, ledger: &Ledger, seconds: f64) -> Figures {
    let failures = op.failed.total();
    Figures {
        requests: op.ok + failures + op.abandoned,
        failures,
        abandoned: op.abandoned,
        unsent: ledger.unsent,
        error_rate: ledger.error_rate().unwrap_or(0.0),
        rate_per_s: per_s(op.ok, seconds),
        messages_per_s: per_s(op.messages, seconds),
        bytes_sent: op.bytes_sent,
        bytes_received: op.bytes_received,
        response_ms: Quantiles::of(&op.response_ok),
        service_ms: Quantiles::of(&op.service_ok),
        lag_ms: None,
    }
}

fn op_reports(plan: &Plan, ops: &[OpTally], seconds: f64) -> Vec<OpReport> {
    let named = plan.ops.iter().zip(ops);
    named
        .map(|(name, op)| {
            let scheduled = op.ok + op.failed.total() + op.abandoned;
            let (failed, abandoned) = (op.failed.clone(), op.abandoned);
            let ledger = Ledger { scheduled, ok: op.ok, failed, abandoned, ..Ledger::default() };
            OpReport { name: name.clone(), figures: figures_of(op, &ledger, seconds) }
        })
        .collect()
}

fn phase_reports(plan: &Plan, data: &Tally, end: End) -> Vec<PhaseReport> {
    let seconds = |ns: i64| ns as f64 / 1e9;
    let one = |phase: &crate::model::PhasePlan| {
        let sum = Counted::filtered(plan, data, end, |other| std::ptr::eq(other, phase));
        PhaseReport {
            name: phase.name.clone(),
            counted: phase.counted,
            start_s: seconds(phase.start_ns),
            end_s: seconds(phase.end_ns.min(end.stop_ns).max(phase.start_ns)),
            figures: sum.figures(),
            ops: op_reports(plan, &sum.tally.ops, sum.seconds),
        }
    };
    plan.phases.iter().map(one).collect()
}

fn extra_reports(plan: &Plan, extras: &[Histogram]) -> Vec<ExtraReport> {
    let empty = Histogram::new();
    let of = |index| extras.get(index).unwrap_or(&empty);
    plan.extras
        .iter()
        .enumerate()
        .map(|(index, extra)| ExtraReport {
            name: extra.name.clone(),
            count: of(index).count(),
            ms: Quantiles::of(of(index)),
        })
        .collect()
}

fn rate_reports(plan: &Plan, counted: &Counted) -> Vec<RateReport> {
    let count = |index: usize| counted.tally.counters.get(index).copied().unwrap_or(0);
    let report = |rate: &RatePlan| {
        let (cases, all) = (count(rate.cases), count(rate.all));
        let share = (all > 0).then(|| cases as f64 / all as f64);
        RateReport { name: rate.name.clone(), cases, all, share }
    };
    plan.rates.iter().map(report).collect()
}

fn counter_reports(plan: &Plan, counted: &Counted) -> Vec<CounterReport> {
    let report = |(index, counter): (usize, &ExtraPlan)| {
        let count = counted.tally.counters.get(index).copied().unwrap_or(0);
        CounterReport { name: counter.name.clone(), count, rate_per_s: per_s(count, counted.seconds) }
    };
    plan.counters.iter().enumerate().map(report).collect()
}

fn fault_reports(plan: &Plan, data: &Tally) -> Vec<FaultReport> {
    let name = |op: u16| plan.ops.get(usize::from(op)).cloned();
    let report = |entry: &crate::tally::FaultEntry| FaultReport {
        op: entry.op.and_then(name),
        kind: entry.kind,
        code: entry.code,
        count: entry.count,
        first_s: entry.first_ns as f64 / 1e9,
        last_s: entry.last_ns as f64 / 1e9,
        sample: entry.sample.clone(),
    };
    data.faults.entries().iter().map(report).collect()
}

fn ledger(data: &Tally, health: &Health) -> LedgerReport {
    let mut report = LedgerReport { control_calls: health.control_calls, ..LedgerReport::default() };
    for phase in &data.phases {
        report.iterations.merge(&phase.iterations);
        report.calls.merge(&phase.calls);
    }
    report
}

fn connections(data: &Tally, health: &Health) -> Connections {
    let mut all = ConnectTally::default();
    for phase in &data.phases {
        all.merge(&phase.connects);
    }
    Connections {
        opened: all.opened,
        failed: all.failed.total(),
        peak: health.peak_connections,
        connect_ms: Quantiles::of(&all.time),
        lost: all.lost,
        reconnect_ms: Quantiles::of(&all.outage),
    }
}

fn generator(plan: &Plan, health: &Health, begun: u64, counted: &PhaseTally) -> Generator {
    Generator {
        cpu_s: health.cpu_ns as f64 / 1e9,
        cpu_us_per_call: if begun == 0 { 0.0 } else { health.cpu_ns as f64 / 1e3 / begun as f64 },
        max_rss_bytes: health.max_rss_bytes,
        rss_bytes_per_connection: (health.peak_connections >= MANY_CONNECTIONS)
            .then(|| health.max_rss_bytes as f64 / health.peak_connections as f64),
        lateness_ms: Quantiles::of(&counted.lateness),
        turn_ms: Quantiles::of(&counted.turn),
        generator_bound: verdict::generator_bound(plan, health),
    }
}
