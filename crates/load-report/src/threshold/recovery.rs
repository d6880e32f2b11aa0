//! How long does a target take to recover? Read from the time series: from the end of a phase to the first of the slices that
//! are well again.

use std::fmt;

use crate::figures::all_ops;
use crate::model::{PhasePlan, Point, RunFile};
use crate::tally::PhaseTally;

use super::dimension::Dimension;
use super::grammar::quantity;
use super::rule::Selector;
use super::scan::Cursor;

/// A slice is well when so many of its calls have succeeded, as in a run that says nothing about errors.
const WELL: f64 = 0.99;
/// So many slices in a row tell that it lasts.
const IN_A_ROW: usize = 3;

/// How much slower than the phase of comparison a slice may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Within {
    /// By so many milliseconds.
    Time(f64),
    /// By this share.
    Share(f64),
}

impl Default for Within {
    fn default() -> Self {
        Self::Share(0.1)
    }
}

impl Within {
    /// Reads `20ms` or `10%`; none for anything else.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut cursor = Cursor::new(text);
        let first = cursor.number().filter(|first| *first >= 0.0)?;
        let (value, dimension) = quantity(&mut cursor, 0, first).ok()?;
        let whole = cursor.peek().is_none();
        match dimension.filter(|_| whole)? {
            Dimension::Time => Some(Self::Time(value)),
            Dimension::Ratio => Some(Self::Share(value)),
            _ => None,
        }
    }

    /// The limit, where the phase of comparison has `ms`.
    fn limit(self, ms: f64) -> f64 {
        match self {
            Self::Time(more) => ms + more,
            Self::Share(more) => ms * (1.0 + more),
        }
    }
}

impl fmt::Display for Within {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(ms) => write!(f, "{ms}ms"),
            Self::Share(share) => write!(f, "{}%", share * 100.0),
        }
    }
}

/// Milliseconds from the end of the selected phase to the begin of the first slice that is well, with the two behind it. What lies
/// behind the phase that follows is not looked at: there the next thing may go wrong.
///
/// # Errors
/// Why there is no such time: no phase is named, the run did not get there, or it was never well again.
pub(super) fn time(selector: &Selector, run: &RunFile) -> Result<f64, String> {
    let plan = &run.header.plan;
    let name = selector.phase.as_deref().ok_or("expected a phase, as in recovery_time{phase:spike}")?;
    let of = |name: &str| {
        let at = plan.phases.iter().rposition(|phase| phase.name == name);
        at.ok_or_else(|| format!("no samples: no phase `{name}` in this run"))
    };
    let end_ns = plan.phases[of(name)?].end_ns;
    if run.end.stop_ns <= end_ns {
        return Err(format!("no samples: the run ended before the end of phase `{name}`"));
    }
    let limit = match &selector.like {
        None => f64::INFINITY,
        Some(like) => {
            let usual = usual(run.data.phases.get(of(like)?));
            selector.within.unwrap_or_default().limit(usual.ok_or("no samples in the phase of comparison")?)
        }
    };
    let until_ns = window(&plan.phases, end_ns).min(run.end.stop_ns);
    let length_ns = i64::from(run.timeseries.interval_s) * 1_000_000_000;
    let begin = |point: &Point| (point.t_s * 1e9) as i64;
    let inside = |point: &&Point| begin(point) + length_ns > end_ns && begin(point) < until_ns;
    // What has no calls says nothing.
    let slices = run.timeseries.points.iter().filter(inside).filter(|point| point.ok + point.failed > 0);
    let slices: Vec<_> = slices.collect();
    if limit.is_finite() && slices.iter().any(|slice| slice.ok > 0 && slice.p95_between().is_none()) {
        return Err("not known: the time series has no percentiles; leave out `like`".into());
    }
    // Where points became one, their percentile lies between two values: all is well by the lower one at the earliest, by the upper
    // one at the latest.
    let first = |bound: fn((f64, f64)) -> f64| {
        let well = |slice: &&Point| {
            let all = (slice.ok + slice.failed) as f64;
            slice.ok as f64 >= WELL * all && slice.p95_between().is_none_or(|p95| bound(p95) <= limit)
        };
        let first = (0..slices.len()).find(|&at| slices[at..].iter().take(IN_A_ROW).all(well));
        first.map(|first| (begin(slices[first]) - end_ns).max(0) as f64 / 1e6)
    };
    let unknown = "not known: the percentile of seconds that became one point lies between theirs, so that it was well again";
    match (first(|(least, _)| least), first(|(_, most)| most)) {
        (Some(earliest), Some(latest)) if earliest.total_cmp(&latest).is_eq() => Ok(latest),
        (Some(earliest), Some(latest)) => {
            Err(format!("{unknown} {} to {} s behind phase `{name}`", earliest / 1e3, latest / 1e3))
        }
        (Some(earliest), None) => Err(format!(
            "{unknown} {} s behind phase `{name}` at the earliest, or not at all",
            earliest / 1e3
        )),
        _ => {
            let after = (until_ns - end_ns) as f64 / 1e9;
            Err(format!("not well again in the {after:.1} s behind phase `{name}`"))
        }
    }
}

/// The end of the phase that follows whatever ends at `end_ns`.
fn window(phases: &[PhasePlan], end_ns: i64) -> i64 {
    let later = phases.iter().filter(|phase| phase.end_ns > end_ns && phase.end_ns > phase.start_ns);
    later.map(|phase| phase.end_ns).min().unwrap_or(i64::MAX)
}

/// The 95th percentile of the response times of a phase, milliseconds.
fn usual(phase: Option<&PhaseTally>) -> Option<f64> {
    let all = all_ops(&phase?.ops).response_ok;
    (!all.is_empty()).then(|| all.quantile_ns(0.95) as f64 / 1e6)
}
