//! What do two runs say about each figure? Their values, and how likely the difference is chance.

use crate::figures::{Counted, all_ops};
use crate::hist::Histogram;
use crate::model::{Point, RunFile};
use crate::tally::OpTally;

use super::figure::{Figure, Times};
use super::series::{self, MIN_POINTS, Mean, two_sided};
use super::{Change, Compared, Row, Side, spread};

/// Why a row has no p-value.
type Untold = String;

/// The component `name` of both sides, figures not yet judged.
pub(super) fn component(name: &str, baseline: &[Side<'_>], current: &[Side<'_>]) -> Compared {
    let runs: Vec<&RunFile> = baseline.iter().chain(current).map(|side| side.runs[name]).collect();
    let (first, last) = (runs[0], runs[runs.len() - 1]);
    let single = (runs.len() == 2).then(|| Pair::of(first, last));
    let basis = single.as_ref().map_or_else(
        || format!("{} runs against {}", current.len(), baseline.len()),
        |pair| pair.basis.clone(),
    );
    let plan = &first.header.plan;
    let everywhere = |op: &&String| runs.iter().all(|run| run.header.plan.ops.contains(op));
    let ops = plan.ops.iter().filter(everywhere).map(|op| Some(op.as_str()));
    // The only op is the whole.
    let ops = ops.filter(|_| plan.ops.len() > 1);
    let mut rows = Vec::new();
    for op in std::iter::once(None).chain(ops) {
        let of_op: Vec<Row> =
            Figure::ALL.iter().filter_map(|&figure| row(figure, op, &runs, baseline.len())).collect();
        for mut row in of_op {
            if let (Some(pair), Some(change)) = (&single, row.change) {
                match pair.p_value(row.figure, op, change) {
                    Ok(p) => row.p_value = Some(p),
                    Err(why) => row.note = Some(why),
                }
            }
            rows.push(row);
        }
    }
    Compared { component: name.to_owned(), basis, rows }
}

/// The figure on all runs, of which the first `of_baseline` are the baseline; none where no run has it.
fn row(figure: Figure, op: Option<&str>, runs: &[&RunFile], of_baseline: usize) -> Option<Row> {
    let values: Vec<Option<f64>> = runs.iter().map(|run| figure.on(run, op)).collect();
    if values.iter().all(Option::is_none) {
        return None;
    }
    let mean = |values: &[Option<f64>]| {
        let all: Option<Vec<f64>> = values.iter().copied().collect();
        all.map(|all| all.iter().sum::<f64>() / all.len() as f64)
    };
    let (baseline, current) = (mean(&values[..of_baseline]), mean(&values[of_baseline..]));
    let change = baseline.zip(current).and_then(|(baseline, current)| figure.change(baseline, current));
    Some(Row {
        op: op.map(str::to_owned),
        figure,
        unit: figure.unit(),
        baseline,
        current,
        change,
        p_value: None,
        judgement: Change::NotJudged,
        note: change.is_none().then(|| "nothing was measured on one side".to_owned()),
        values: values.into_iter().flatten().collect(),
    })
}

/// One run a side.
struct Pair {
    basis: String,
    points: usize,
    throughput: Option<Mean>,
    errors: Option<Mean>,
    /// Of p50, p95 and p99.
    times: [Option<Mean>; 3],
    baseline: Counts,
    current: Counts,
}

/// What a run has counted, by op and in all.
struct Counts {
    names: Vec<String>,
    ops: Vec<OpTally>,
    all: OpTally,
}

impl Counts {
    fn of(run: &RunFile) -> Self {
        let counted = Counted::of(&run.header.plan, &run.data, run.end).tally;
        Self { names: run.header.plan.ops.clone(), all: all_ops(&counted.ops), ops: counted.ops }
    }

    fn op(&self, name: Option<&str>) -> Option<&OpTally> {
        let Some(name) = name else { return Some(&self.all) };
        self.ops.get(self.names.iter().position(|op| op == name)?)
    }
}

impl Pair {
    fn of(baseline: &RunFile, current: &RunFile) -> Self {
        let pairs = pairs(baseline, current);
        let seconds = baseline.timeseries.interval_s;
        let of_times = |of: fn(&Point) -> Option<f64>| {
            let ratio = |(one, other): &(Point, Point)| Some(of(other)?.ln() - of(one)?.ln());
            let ratios: Vec<f64> = pairs.iter().filter_map(ratio).filter(|ratio| ratio.is_finite()).collect();
            series::mean(&ratios)
        };
        Self {
            basis: format!(
                "{} intervals of {seconds} s in common, one run a side: how much runs differ among themselves is not known",
                pairs.len()
            ),
            points: pairs.len(),
            throughput: throughput(&pairs),
            errors: series::mean(
                &pairs.iter().map(|(one, other)| share(other) - share(one)).collect::<Vec<_>>(),
            ),
            times: [of_times(|p| p.p50_ms), of_times(|p| p.p95_ms), of_times(|p| p.p99_ms)],
            baseline: Counts::of(baseline),
            current: Counts::of(current),
        }
    }

    /// How likely such a `change` is where nothing has changed.
    fn p_value(&self, figure: Figure, op: Option<&str>, change: f64) -> Result<f64, Untold> {
        let (Some(one), Some(other)) = (self.baseline.op(op), self.current.op(op)) else {
            return Err("not on both sides".to_owned());
        };
        match (figure.quantile(), figure) {
            (Some((times, q)), _) => self.of_times((one, other), times, q, op.is_none(), change),
            (None, Figure::ErrorRate) => self.of_errors((one, other), op.is_none(), change),
            (None, Figure::Throughput) if op.is_none() => {
                self.throughput.map(|mean| agreeing(mean, change)).ok_or_else(|| self.short())
            }
            _ => self.of_counts((one.ok, other.ok), change),
        }
    }

    fn of_times(
        &self,
        (one, other): (&OpTally, &OpTally),
        times: Times,
        q: f64,
        whole: bool,
        change: f64,
    ) -> Result<f64, Untold> {
        let index = if q < 0.9 { 0 } else { 1 + usize::from(q > 0.97) };
        let Some(mean) = self.times[index] else {
            let some = self.times.iter().any(Option::is_some) || self.points < MIN_POINTS;
            return Err(if some { self.short() } else { "the time series has no percentiles".to_owned() });
        };
        if whole && times == Times::Response {
            return Ok(agreeing(mean, change));
        }
        let few = || "too few calls".to_owned();
        let both = |one: &Histogram, other: &Histogram, effect: f64| {
            Some(
                spread::of_quantile(one, q, effect)?.powi(2) + spread::of_quantile(other, q, effect)?.powi(2),
            )
        };
        let (all_one, all_other) = (&self.baseline.all.response_ok, &self.current.all.response_ok);
        let effect = spread::effect(mean.variance, both(all_one, all_other, 1.0).ok_or_else(few)?);
        let variance = both(times.of(one), times.of(other), effect).ok_or_else(few)?;
        Ok(two_sided(change.ln_1p() / variance.sqrt(), mean.freedom))
    }

    fn of_errors(&self, (one, other): (&OpTally, &OpTally), whole: bool, change: f64) -> Result<f64, Untold> {
        let mean = self.errors.ok_or_else(|| self.short())?;
        let failed =
            |op: &OpTally| (op.failed.total() + op.abandoned, op.ok + op.failed.total() + op.abandoned);
        if whole && mean.value.abs() * 2.0 >= change.abs() {
            return Ok(agreeing(mean, change));
        }
        if whole {
            // What was never sent, or never answered, is in no interval: all calls of a second are taken for one.
            let n = self.points as f64;
            let share = (change.abs() / 2.0).clamp(0.0, 0.5);
            return Ok(two_sided(change / (share * (1.0 - share) * 2.0 / n).sqrt(), n - 1.0));
        }
        let all = spread::of_shares(failed(&self.baseline.all), failed(&self.current.all));
        let variance = spread::of_shares(failed(one), failed(other)) * spread::effect(mean.variance, all);
        Ok(if variance > 0.0 { two_sided(change / variance.sqrt(), mean.freedom) } else { 1.0 })
    }

    fn of_counts(&self, (one, other): (u64, u64), change: f64) -> Result<f64, Untold> {
        let mean = self.throughput.ok_or_else(|| self.short())?;
        let few = || "too few calls".to_owned();
        let all = spread::of_counts(self.baseline.all.ok, self.current.all.ok).ok_or_else(few)?;
        let variance = spread::of_counts(one, other).ok_or_else(few)? * spread::effect(mean.variance, all);
        Ok(two_sided(change.ln_1p() / variance.sqrt(), mean.freedom))
    }

    fn short(&self) -> Untold {
        format!("{} intervals in common, {MIN_POINTS} are needed: make the runs longer", self.points)
    }
}

impl Times {
    fn of(self, op: &OpTally) -> &Histogram {
        match self {
            Self::Response => &op.response_ok,
            Self::Service => &op.service_ok,
        }
    }
}

/// The p-value of a mean that goes the same way as the figure; no proof where it does not.
fn agreeing(mean: Mean, change: f64) -> f64 {
    if mean.value * change > 0.0 { mean.p } else { 1.0 }
}

fn share(point: &Point) -> f64 {
    let all = point.ok + point.failed;
    if all == 0 { 0.0 } else { point.failed as f64 / all as f64 }
}

/// Differences of the successful calls, as shares of the baseline's mean.
fn throughput(pairs: &[(Point, Point)]) -> Option<Mean> {
    let mean = pairs.iter().map(|(one, _)| one.ok as f64).sum::<f64>() / pairs.len().max(1) as f64;
    let changes = pairs.iter().map(|(one, other)| (other.ok as f64 - one.ok as f64) / mean);
    if mean > 0.0 { series::mean(&changes.collect::<Vec<_>>()) } else { None }
}

/// The intervals that lie in counted phases of both runs: what the plan asks of a second is the same in both.
fn pairs(baseline: &RunFile, current: &RunFile) -> Vec<(Point, Point)> {
    if baseline.timeseries.interval_s != current.timeseries.interval_s {
        return Vec::new();
    }
    let both = baseline.timeseries.points.iter().zip(&current.timeseries.points);
    let counted = |(one, other): &(&Point, &Point)| {
        one.t_s.total_cmp(&other.t_s).is_eq()
            && [(baseline, one), (current, other)].iter().all(|(run, point)| is_counted(run, point.t_s))
    };
    both.filter(counted).map(|(one, other)| (*one, *other)).collect()
}

/// Whether the interval that begins at `t_s` lies in counted phases, before the stop.
fn is_counted(run: &RunFile, t_s: f64) -> bool {
    let ns = |seconds: f64| (seconds * 1e9) as i64;
    let (from, to) = (ns(t_s), ns(t_s + f64::from(run.timeseries.interval_s)));
    let counted = run.header.plan.phases.iter().filter(|phase| phase.counted);
    let within: i64 = counted.map(|phase| (phase.end_ns.min(to) - phase.start_ns.max(from)).max(0)).sum();
    within == to - from && to <= run.end.stop_ns
}
