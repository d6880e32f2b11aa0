//! What did the target say of itself? Gauges: what a protocol declares, every look at them, and what follows.
//!
//! Figures are kept by phase and are exact however long a run is; of the looks themselves at most [`MAX_POINTS`] are kept.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::collect::MAX_POINTS;
use crate::model::{PhasePlan, Plan};

/// Something that the target can be asked for at any time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GaugePlan {
    /// What thresholds call it.
    pub name: String,
    /// What it means.
    pub help: String,
    /// Of what its values are an amount.
    pub unit: GaugeUnit,
    /// What its values are made of.
    pub kind: GaugeKind,
}

/// Of what a value is an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GaugeUnit {
    /// A number of things.
    Count,
    /// Bytes.
    Bytes,
    /// A fraction: of 1, or of one core.
    Ratio,
    /// Things a second.
    PerS,
    /// Bytes a second.
    BytesPerS,
    /// Milliseconds.
    Ms,
}

/// What the values of a gauge are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GaugeKind {
    /// What the target says, as it is.
    Level,
    /// A running total of the target, since the beginning of the run.
    Growth,
    /// A running total of the target, by the seconds since the look before.
    Rate,
    /// Two running totals since the look before: so many cases of so many. None without cases.
    Share,
}

/// One look at all gauges.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// When the target answered the look before, ns since time zero; of the first look, when it answered this one.
    pub from_ns: i64,
    /// When it answered, or was given up, ns since time zero.
    pub at_ns: i64,
    /// In the order of [`Plan::gauges`]; empty when it did not answer.
    pub values: Vec<Option<f64>>,
}

/// All looks of a run: merging adds them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Samples {
    /// Looks that were answered.
    pub answered: u64,
    /// Looks that were not.
    pub failed: u64,
    /// By phase, then by gauge. A look belongs to the phase that has the middle of the time since the one before.
    pub phases: Vec<Vec<GaugeTally>>,
    /// Of so many seconds only the last look is in `points`; 0 when every one is.
    pub every_s: u32,
    /// Looks in the order of time, at most 3,600.
    pub points: Vec<GaugePoint>,
}

/// The values of one gauge in one phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GaugeTally {
    /// How many; without any, the rest is 0.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
    /// The one that came last.
    pub last: f64,
    /// When that was, seconds since time zero.
    pub last_s: f64,
    /// Sum of the instants, in whole tenths of a second since time zero: sums of whole numbers are the same in any order.
    #[serde(default)]
    pub sum_t: f64,
    /// Sum of their squares.
    #[serde(default)]
    pub sum_tt: f64,
    /// Sum of each value times its instant.
    #[serde(default)]
    pub sum_tv: f64,
}

/// Of so many parts of a second the instants of a slope are.
const TICKS_PER_S: f64 = 10.0;

/// One look.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GaugePoint {
    /// When the target answered, seconds since time zero.
    pub t_s: f64,
    /// In the order of the plan's gauges; none where there was nothing to say.
    pub values: Vec<Option<f64>>,
}

/// One gauge over all counted phases.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GaugeReport {
    /// Its name.
    pub name: String,
    /// Of what its values are an amount.
    pub unit: GaugeUnit,
    /// How many values.
    pub count: u64,
    /// The smallest; none without values.
    pub min: Option<f64>,
    /// Arithmetic mean; none without values.
    pub mean: Option<f64>,
    /// The largest; none without values.
    pub max: Option<f64>,
    /// The last one; none without values.
    pub last: Option<f64>,
}

impl GaugeUnit {
    /// Its name in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Bytes => "bytes",
            Self::Ratio => "ratio",
            Self::PerS => "per_s",
            Self::BytesPerS => "bytes_per_s",
            Self::Ms => "ms",
        }
    }
}

impl GaugeTally {
    fn add(&mut self, value: f64, at_s: f64) {
        let t = (at_s * TICKS_PER_S).round();
        self.merge(&Self {
            count: 1,
            sum: value,
            min: value,
            max: value,
            last: value,
            last_s: at_s,
            sum_t: t,
            sum_tt: t * t,
            sum_tv: t * value,
        });
    }

    /// Adds the values of another part.
    pub fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        if self.count == 0 {
            *self = *other;
            return;
        }
        self.count = self.count.saturating_add(other.count);
        self.sum += other.sum;
        self.sum_t += other.sum_t;
        self.sum_tt += other.sum_tt;
        self.sum_tv += other.sum_tv;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        // Of two values of one instant the larger one, so that the order does not matter.
        let order = other.last_s.total_cmp(&self.last_s).then(other.last.total_cmp(&self.last));
        if order.is_gt() {
            (self.last, self.last_s) = (other.last, other.last_s);
        }
    }

    /// Arithmetic mean; none without values.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }

    /// What the values grow by in a second: the line that is nearest to them all (least squares). None without values at two
    /// instants.
    pub fn slope(&self) -> Option<f64> {
        let n = self.count as f64;
        let spread = n * self.sum_tt - self.sum_t * self.sum_t;
        // Of one instant nothing is left but what rounding makes of it.
        (self.count > 1 && spread > 1e-9 * n * self.sum_tt)
            .then(|| (n * self.sum_tv - self.sum_t * self.sum) / spread * TICKS_PER_S)
    }
}

impl Samples {
    /// Adds one look of the run that `plan` describes.
    pub fn absorb(&mut self, sample: &Sample, plan: &Plan) {
        if sample.values.is_empty() {
            self.failed += 1;
            return;
        }
        self.answered += 1;
        let t_s = (sample.at_ns as f64 / 1e9).max(0.0);
        let middle = i64::midpoint(sample.from_ns, sample.at_ns);
        if let Some(phase) = phase_of(&plan.phases, middle) {
            if self.phases.len() <= phase {
                self.phases.resize_with(phase + 1, Vec::new);
            }
            let tallies = &mut self.phases[phase];
            tallies.resize(plan.gauges.len().max(tallies.len()), GaugeTally::default());
            for (tally, value) in tallies.iter_mut().zip(&sample.values) {
                if let Some(value) = value {
                    tally.add(*value, t_s);
                }
            }
        }
        self.push(GaugePoint { t_s, values: sample.values.clone() });
        self.thin();
    }

    /// Adds the looks of another part of the run.
    pub fn merge(&mut self, other: &Self) {
        self.answered = self.answered.saturating_add(other.answered);
        self.failed = self.failed.saturating_add(other.failed);
        if self.phases.len() < other.phases.len() {
            self.phases.resize_with(other.phases.len(), Vec::new);
        }
        for (mine, theirs) in self.phases.iter_mut().zip(&other.phases) {
            mine.resize(theirs.len().max(mine.len()), GaugeTally::default());
            mine.iter_mut().zip(theirs).for_each(|(mine, theirs)| mine.merge(theirs));
        }
        self.every_s = self.every_s.max(other.every_s);
        self.points.extend(other.points.iter().cloned());
        self.points.sort_by(GaugePoint::order);
        self.coarsen();
        self.thin();
    }

    /// Doubles the interval until there are few enough points.
    fn thin(&mut self) {
        while self.points.len() > MAX_POINTS {
            self.every_s = (self.every_s * 2).max(1);
            self.coarsen();
        }
    }

    /// Keeps the last point of each interval. What is dropped of a part would be dropped of the whole, so parts may be
    /// added in any order.
    fn coarsen(&mut self) {
        let points = std::mem::take(&mut self.points);
        points.into_iter().for_each(|point| self.push(point));
    }

    /// Adds a point that is later than all others.
    fn push(&mut self, point: GaugePoint) {
        let interval = |point: &GaugePoint| (point.t_s / f64::from(self.every_s)) as u64;
        match self.points.last_mut() {
            Some(last) if self.every_s > 0 && interval(last) == interval(&point) => *last = point,
            _ => self.points.push(point),
        }
    }

    /// The values of gauge number `gauge` in the phases that `keep` names.
    pub fn tally(&self, plan: &Plan, gauge: usize, keep: impl Fn(&PhasePlan) -> bool) -> GaugeTally {
        let mut sum = GaugeTally::default();
        for (_, tallies) in plan.phases.iter().zip(&self.phases).filter(|(phase, _)| keep(phase)) {
            tallies.get(gauge).into_iter().for_each(|tally| sum.merge(tally));
        }
        sum
    }

    /// What the counted phases of `plan` come to.
    pub fn reports(&self, plan: &Plan) -> Vec<GaugeReport> {
        let report = |(index, gauge): (usize, &GaugePlan)| {
            let tally = self.tally(plan, index, |phase| phase.counted);
            let some = |value| (tally.count > 0).then_some(value);
            GaugeReport {
                name: gauge.name.clone(),
                unit: gauge.unit,
                count: tally.count,
                min: some(tally.min),
                mean: tally.mean(),
                max: some(tally.max),
                last: some(tally.last),
            }
        };
        plan.gauges.iter().enumerate().map(report).collect()
    }
}

impl GaugePoint {
    /// By time; of one time, by values, so that there is one order.
    fn order(a: &Self, b: &Self) -> std::cmp::Ordering {
        let bits = |point: &Self| -> Vec<Option<u64>> {
            point.values.iter().map(|value| value.map(f64::to_bits)).collect()
        };
        a.t_s.total_cmp(&b.t_s).then_with(|| bits(a).cmp(&bits(b)))
    }
}

/// The phase that has the instant; the last one for what comes behind it, as the end of a run does.
fn phase_of(phases: &[PhasePlan], ns: i64) -> Option<usize> {
    let within = |phase: &PhasePlan| (phase.start_ns..phase.end_ns).contains(&ns);
    phases.iter().position(within).or_else(|| {
        let last = phases.len().checked_sub(1)?;
        (ns >= phases[last].end_ns && phases[last].start_ns < phases[last].end_ns).then_some(last)
    })
}

#[cfg(test)]
mod tests;
