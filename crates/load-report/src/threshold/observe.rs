//! What did the run see? The value of one series on one run file.

use crate::fault::FaultKind;
use crate::gauge::GaugeTally;
use crate::hist::Histogram;
use crate::model::{PhasePlan, RatePlan, RunFile};
use crate::tally::{Ledger, OpTally, PhaseTally};

use super::dimension::Dimension;
use super::metric::{Builtin, Kind};
use super::nothing::{NO_SAMPLES, Nothing, absent, no_samples, unknown};
use super::recovery;
use super::rule::{Aggregation, Metric, OutcomeTag, Selector, Series};
use super::typing;

/// What there was to aggregate.
enum Data {
    Times(Histogram),
    /// How many, and in how many seconds.
    Sum(u64, f64),
    /// Cases, out of how many.
    Share(u64, u64),
    /// One number.
    Figure(f64),
    /// In the order of time.
    Points(Vec<f64>),
    /// Looks at a gauge.
    Gauge(GaugeTally),
}

/// The value of `series` on `run` in base units.
///
/// # Errors
/// Says why there is nothing to observe: an unknown metric, phase or op, or no samples.
pub(super) fn observe(series: &Series, run: &RunFile) -> Result<f64, Nothing> {
    let part = Part::of(series, run)?;
    let data = match &series.metric {
        Metric::Builtin(builtin) => part.builtin(*builtin)?,
        Metric::Extra(name) | Metric::Share(name)
            if series.aggregation.suits(Kind::Rate) && part.rate(name).is_some() =>
        {
            part.share(name)
        }
        Metric::Share(name) => return Err(absent("rate", name)),
        Metric::Extra(name) | Metric::Counter(name)
            if series.aggregation.suits(Kind::Counter) && part.counts(name) =>
        {
            part.counter(name)
        }
        Metric::Counter(name) => return Err(absent("counter", name)),
        Metric::Gauge(name, _) => part.gauge(name)?,
        Metric::Extra(name) if series.aggregation.suits(Kind::Gauge) && position(run, name).is_some() => {
            part.gauge(name)?
        }
        // An expression that was read without knowledge of the protocol may ask for what its series do not have.
        Metric::Extra(_) if !series.aggregation.suits(Kind::Trend) => {
            return Err(absent("rate or value", series.metric.name()));
        }
        Metric::Extra(name) => part.extra(name)?,
    };
    aggregate(&data, series.aggregation).ok_or_else(no_samples)
}

fn aggregate(data: &Data, aggregation: Aggregation) -> Option<f64> {
    let some = |there: bool, value: f64| there.then_some(value);
    match (data, aggregation) {
        (Data::Times(times), _) if times.is_empty() => None,
        (Data::Times(times), _) => Some(of_times(times, aggregation)),
        (&Data::Sum(count, seconds), Aggregation::Rate) => some(seconds > 0.0, count as f64 / seconds),
        (&Data::Sum(count, _), _) => Some(count as f64),
        (&Data::Share(cases, all), _) => some(all > 0, cases as f64 / all as f64),
        (&Data::Figure(value), _) => Some(value),
        // Only gauges of the target have one.
        (Data::Points(_), Aggregation::Slope) => None,
        (Data::Points(points), Aggregation::Min) => points.iter().copied().reduce(f64::min),
        (Data::Points(points), Aggregation::Max) => points.iter().copied().reduce(f64::max),
        (Data::Points(points), Aggregation::Avg) => {
            some(!points.is_empty(), points.iter().sum::<f64>() / points.len() as f64)
        }
        (Data::Points(points), _) => points.last().copied(),
        (Data::Gauge(tally), Aggregation::Min) => some(tally.count > 0, tally.min),
        (Data::Gauge(tally), Aggregation::Max) => some(tally.count > 0, tally.max),
        (Data::Gauge(tally), Aggregation::Avg) => tally.mean(),
        (Data::Gauge(tally), Aggregation::Slope) => tally.slope(),
        (Data::Gauge(tally), _) => some(tally.count > 0, tally.last),
    }
}

/// Milliseconds, or the number of values.
fn of_times(times: &Histogram, aggregation: Aggregation) -> f64 {
    let ns = match aggregation {
        Aggregation::Count => return times.count() as f64,
        Aggregation::Avg => times.mean_ns(),
        Aggregation::Min => times.min_ns() as f64,
        Aggregation::Max => times.max_ns() as f64,
        Aggregation::Percentile(rank) => times.quantile_ns(quantile(rank)) as f64,
        Aggregation::Med | Aggregation::Rate | Aggregation::Value | Aggregation::Slope => {
            times.quantile_ns(0.5) as f64
        }
    };
    ns / 1e6
}

/// The share that a percentile stands for. 99.9 / 100 is a little more than 0.999 in binary, enough to reach the
/// next value of a thousand; a quotient of whole numbers is the nearest there is.
fn quantile(percentile: f64) -> f64 {
    (percentile * 1e7).round() / 1e9
}

/// What a run says a series is an amount of, where the expression alone does not tell: a gauge of another component, or
/// times.
pub(super) fn dimension(series: &Series, run: &RunFile) -> Option<Dimension> {
    let Metric::Extra(name) = &series.metric else { return None };
    if !series.aggregation.suits(Kind::Gauge) {
        return None;
    }
    match position(run, name) {
        Some(index) => {
            let dimension = Dimension::of(run.header.plan.gauges[index].unit);
            Some(if series.aggregation == Aggregation::Slope { dimension.per_second() } else { dimension })
        }
        None => series.aggregation.suits(Kind::Trend).then_some(Dimension::Time),
    }
}

/// Whether `series` is a share of cases, or of anything else, on `run`.
pub(super) fn is_share(series: &Series, run: &RunFile) -> bool {
    let known = typing::of(&series.metric, series.aggregation).or_else(|| dimension(series, run));
    let is_rate = |name: &String| run.header.plan.rates.iter().any(|rate| rate.name == *name);
    match (&series.metric, known) {
        (Metric::Extra(name), None) => is_rate(name),
        (_, known) => known == Some(Dimension::Ratio),
    }
}

/// Whether an expression that was read without knowledge of the protocol speaks of a gauge.
pub(super) fn is_gauge(series: &Series, run: &RunFile) -> bool {
    matches!(&series.metric, Metric::Extra(name) if position(run, name).is_some())
}

/// Which of the gauges of `run` has this name.
fn position(run: &RunFile, name: &str) -> Option<usize> {
    run.header.plan.gauges.iter().position(|gauge| gauge.name == name)
}

/// The part of a run that tags select.
struct Part<'a> {
    run: &'a RunFile,
    selector: &'a Selector,
    phases: Vec<(&'a PhasePlan, Option<&'a PhaseTally>)>,
    op: Option<usize>,
}

impl<'a> Part<'a> {
    fn of(series: &'a Series, run: &'a RunFile) -> Result<Self, Nothing> {
        let (selector, plan) = (&series.selector, &run.header.plan);
        if let Some((key, _)) = selector.other.first() {
            return Err(Nothing::Unknown(format!("{NO_SAMPLES}: no tool records the tag `{key}`")));
        }
        let whole = matches!(&series.metric, Metric::Builtin(builtin) if builtin.counts_everywhere());
        let keep = |phase: &PhasePlan| match &selector.phase {
            Some(name) => phase.name == *name,
            None => phase.counted || whole,
        };
        let all = plan.phases.iter().enumerate().filter(|(_, phase)| keep(phase));
        let phases: Vec<_> = all.map(|(index, phase)| (phase, run.data.phases.get(index))).collect();
        if let Some(name) = selector.phase.as_ref().filter(|_| phases.is_empty()) {
            let known = plan.phases.iter().map(|phase| phase.name.as_str());
            return Err(unknown("phase", name, known));
        }
        let op = match &selector.op {
            None => None,
            Some(name) => {
                let index = plan.ops.iter().position(|op| op == name);
                Some(index.ok_or_else(|| unknown("op", name, plan.ops.iter().map(String::as_str)))?)
            }
        };
        Ok(Self { run, selector, phases, op })
    }

    fn tallies(&self) -> impl Iterator<Item = &'a PhaseTally> {
        self.phases.iter().filter_map(|(_, tally)| *tally)
    }

    /// The selected op, or all of them, in every selected phase.
    fn ops(&self) -> impl Iterator<Item = &'a OpTally> {
        let op = self.op;
        self.tallies()
            .flat_map(move |tally| {
                tally.ops.iter().enumerate().filter(move |(i, _)| op.is_none_or(|op| op == *i))
            })
            .map(|(_, tally)| tally)
    }

    /// How long the selected phases took, as far as the run got.
    fn seconds(&self) -> f64 {
        let stop = self.run.end.stop_ns;
        let ns =
            self.phases.iter().map(|(phase, _)| phase.end_ns.min(stop).saturating_sub(phase.start_ns).max(0));
        ns.sum::<i64>() as f64 / 1e9
    }

    fn builtin(&self, metric: Builtin) -> Result<Data, Nothing> {
        use Builtin as B;
        let phase_times = |of: fn(&PhaseTally) -> &Histogram| Ok(Data::Times(merged(self.tallies().map(of))));
        let calls = |of: fn(&OpTally) -> u64| self.counted(self.calls_scheduled(), self.ops().map(of).sum());
        let ticks = |of: fn(&PhaseTally) -> u64| {
            let scheduled = self.tallies().map(|tally| tally.iterations.scheduled).sum();
            self.counted(scheduled, self.tallies().map(of).sum())
        };
        let health = &self.run.health;
        match metric {
            B::ResponseTime => Ok(self.times(OutcomeTag::Ok, |op| (&op.response_ok, &op.response_failed))),
            B::ServiceTime => Ok(self.times(OutcomeTag::Ok, |op| (&op.service_ok, &op.service_failed))),
            B::HttpReqDuration | B::GrpcReqDuration => {
                Ok(self.times(OutcomeTag::All, |op| (&op.service_ok, &op.service_failed)))
            }
            B::Lag => phase_times(|tally| &tally.lag),
            B::Wait => phase_times(|tally| &tally.wait),
            B::Lateness => phase_times(|tally| &tally.lateness),
            B::LoopTurn => phase_times(|tally| &tally.turn),
            B::IterationDuration => {
                let both = self.tallies().flat_map(|tally| [&tally.iteration_ok, &tally.iteration_failed]);
                Ok(Data::Times(merged(both)))
            }
            B::ConnectTime => Ok(Data::Times(merged(self.tallies().map(|tally| &tally.connects.time)))),
            B::ReconnectTime => Ok(Data::Times(merged(self.tallies().map(|tally| &tally.connects.outage)))),
            B::ConnectErrors => {
                let sum = |of: fn(&PhaseTally) -> u64| self.tallies().map(of).sum::<u64>();
                let failed = sum(|tally| tally.connects.failed.total());
                Ok(Data::Share(failed, failed + sum(|tally| tally.connects.opened)))
            }
            B::ConnectionsLost => self.attempts(|tally| tally.connects.lost),
            B::ConnectionsOpened => self.attempts(|tally| tally.connects.opened),
            B::ConnectionsFailed => self.attempts(|tally| tally.connects.failed.total()),
            B::ErrorRate => Ok(self.error_rate()),
            B::Availability => Ok(match self.error_rate() {
                Data::Share(errors, all) => Data::Share(all - errors, all),
                other => other,
            }),
            B::HttpReqFailed => {
                let (ok, failed) = (self.sum(|op| op.ok), self.sum(|op| op.failed.total()));
                // A wrong answer is a failed check in k6, and no failed request.
                let wrong = self.sum(|op| op.failed.get(FaultKind::Wrong));
                Ok(Data::Share(failed - wrong, ok + failed))
            }
            B::HttpReqs => match self.selector.outcome.unwrap_or(OutcomeTag::All) {
                OutcomeTag::Ok => calls(|op| op.ok),
                OutcomeTag::Failed => calls(|op| op.failed.total()),
                OutcomeTag::All => calls(|op| op.ok + op.failed.total()),
            },
            B::Requests => calls(begun),
            B::Failures => calls(|op| op.failed.total()),
            B::Abandoned => calls(|op| op.abandoned),
            B::DataSent => calls(|op| op.bytes_sent),
            B::DataReceived => calls(|op| op.bytes_received),
            B::Messages => calls(|op| op.messages),
            B::Throughput => {
                let successes = calls(|op| op.ok)?;
                aggregate(&successes, Aggregation::Rate).map(Data::Figure).ok_or_else(no_samples)
            }
            B::Iterations => ticks(|tally| tally.iterations.ok + tally.iterations.failed.total()),
            B::IterationErrors => {
                let sum = |of: fn(&Ledger) -> u64| self.tallies().map(|tally| of(&tally.iterations)).sum();
                Ok(Data::Share(sum(errors), sum(|iterations| iterations.scheduled)))
            }
            B::DroppedIterations => ticks(|tally| tally.iterations.unsent),
            B::Vus => Ok(Data::Points(self.vus())),
            B::VusMax => Ok(Data::Figure(f64::from(self.run.header.plan.max_vus))),
            B::ConnectionsPeak => used(health.peak_connections as f64),
            // What never recovered was measured: no `any` makes that good.
            B::RecoveryTime => {
                recovery::time(self.selector, self.run).map(Data::Figure).map_err(Nothing::Unknown)
            }
            B::CpuPerCall => used(self.run.generator.cpu_us_per_call / 1e3),
            B::MaxRssBytes => used(health.max_rss_bytes as f64),
        }
    }

    fn extra(&self, name: &str) -> Result<Data, Nothing> {
        let plan = &self.run.header.plan;
        let names = || plan.extras.iter().map(|extra| extra.name.as_str());
        let Some(index) = names().position(|extra| extra == name) else {
            return Err(unknown("metric", name, Builtin::names().chain(names())));
        };
        Ok(Data::Times(merged(self.tallies().filter_map(|tally| tally.extras.get(index)))))
    }

    fn gauge(&self, name: &str) -> Result<Data, Nothing> {
        let (run, plan) = (self.run, &self.run.header.plan);
        let Some(index) = position(run, name) else {
            return Err(unknown("gauge", name, plan.gauges.iter().map(|gauge| gauge.name.as_str())));
        };
        if plan.sample_s.is_none() {
            let why = format!("{NO_SAMPLES}: the run was made with --sample off");
            return Err(Nothing::Unmeasured(why));
        }
        let selected = |phase: &PhasePlan| self.phases.iter().any(|(one, _)| std::ptr::eq(*one, phase));
        Ok(Data::Gauge(run.samples.tally(plan, index, selected)))
    }

    fn counts(&self, name: &str) -> bool {
        self.run.header.plan.counters.iter().any(|counter| counter.name == name)
    }

    fn rate(&self, name: &str) -> Option<&'a RatePlan> {
        self.run.header.plan.rates.iter().find(|rate| rate.name == name)
    }

    fn share(&self, name: &str) -> Data {
        let sum = |index: usize| self.tallies().filter_map(|tally| tally.counters.get(index)).sum();
        self.rate(name).map_or(Data::Share(0, 0), |rate| Data::Share(sum(rate.cases), sum(rate.all)))
    }

    /// A counter of 0 is a result: what it counts did not happen.
    fn counter(&self, name: &str) -> Data {
        let index = self.run.header.plan.counters.iter().position(|counter| counter.name == name);
        let count = |tally: &PhaseTally| index.and_then(|index| tally.counters.get(index)).copied();
        Data::Sum(self.tallies().filter_map(count).sum(), self.seconds())
    }

    /// Two series, of which the tag, or else `default`, selects one or both.
    fn times(&self, default: OutcomeTag, of: fn(&OpTally) -> (&Histogram, &Histogram)) -> Data {
        let outcome = self.selector.outcome.unwrap_or(default);
        let selected = self.ops().map(of).flat_map(|(ok, failed)| {
            [(outcome != OutcomeTag::Failed).then_some(ok), (outcome != OutcomeTag::Ok).then_some(failed)]
        });
        Data::Times(merged(selected.flatten()))
    }

    fn sum(&self, of: fn(&OpTally) -> u64) -> u64 {
        self.ops().map(of).sum()
    }

    /// A count of 0 says something only where something was due.
    fn counted(&self, scheduled: u64, count: u64) -> Result<Data, Nothing> {
        if scheduled == 0 { Err(no_samples()) } else { Ok(Data::Sum(count, self.seconds())) }
    }

    fn attempts(&self, of: fn(&PhaseTally) -> u64) -> Result<Data, Nothing> {
        let all: fn(&PhaseTally) -> u64 = |tally| tally.connects.opened + tally.connects.failed.total();
        self.counted(self.tallies().map(all).sum(), self.tallies().map(of).sum())
    }

    fn calls_scheduled(&self) -> u64 {
        match self.op {
            None => self.tallies().map(|tally| tally.calls.scheduled).sum(),
            Some(_) => self.sum(begun),
        }
    }

    /// Which op a tick never taken up would have called is not known, so an op has no unsent calls.
    fn error_rate(&self) -> Data {
        let errors = match self.op {
            None => self.tallies().map(|tally| errors(&tally.calls)).sum(),
            Some(_) => self.sum(|op| op.failed.total() + op.abandoned),
        };
        Data::Share(errors, self.calls_scheduled())
    }

    fn vus(&self) -> Vec<f64> {
        let stop = self.run.end.stop_ns;
        let within = |s: f64| {
            let ns = s * 1e9;
            let inside =
                |phase: &PhasePlan| ns >= phase.start_ns as f64 && ns < phase.end_ns.min(stop) as f64;
            self.phases.iter().any(|(phase, _)| inside(phase))
        };
        self.run.timeseries.points.iter().filter(|p| within(p.t_s)).map(|p| p.vus as f64).collect()
    }
}

/// What was used, where 0 means that nobody looked or nothing ran.
fn used(value: f64) -> Result<Data, Nothing> {
    if value > 0.0 { Ok(Data::Figure(value)) } else { Err(no_samples()) }
}

/// Whatever was due and did not end well.
fn errors(of: &Ledger) -> u64 {
    of.failed.total() + of.abandoned + of.unsent
}

fn begun(op: &OpTally) -> u64 {
    op.ok + op.failed.total() + op.abandoned
}

fn merged<'a>(histograms: impl Iterator<Item = &'a Histogram>) -> Histogram {
    let mut all = Histogram::new();
    histograms.for_each(|histogram| all.merge(histogram));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_the_nearest_quantiles_there_are() {
        for tenths in 0..=1_000_u32 {
            let percentile: f64 = format!("{}.{}", tenths / 10, tenths % 10).parse().unwrap();
            let expected: f64 = format!("{}.{:03}", tenths / 1_000, tenths % 1_000).parse().unwrap();
            assert_eq!(quantile(percentile).to_bits(), expected.to_bits(), "{percentile}");
        }
    }
}
