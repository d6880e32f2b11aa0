//! How do the segments of one component become one record? By adding: nothing is averaged, nothing is lost.
//!
//! Parts belong together when they are of the same component, run, version, schema and plan. What may differ
//! between machines is left out of that comparison: `threads` (the largest is kept), `processes` (added) and
//! `tags` (those that all parts share are kept).

mod series;

use std::collections::BTreeSet;

use crate::figures::Record;
use crate::hist::Histogram;
use crate::model::{Header, Health, Plan, Segment};
use crate::tally::{Ledger, PhaseTally, Tally};

/// Counters of one record, added up, may not exceed this; so no sum of them can overflow.
pub(crate) const MAX_WEIGHT: u128 = 1 << 62;
/// A run has at most so many segments.
pub(crate) const MAX_SEGMENTS: u32 = 100_000;
/// Segments that begin further apart than this were not one load, s.
const START_TOLERANCE_S: f64 = 1.0;

/// Why records cannot be merged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// There is nothing to merge.
    #[error("nothing to merge")]
    Empty,
    /// The parts are not of one run.
    #[error("segment {segment} is of another run: its {what} differs from that of segment {first}")]
    Differs {
        /// The part that does not fit.
        segment: Segment,
        /// The part it was compared with.
        first: Segment,
        /// The keys that differ.
        what: String,
    },
    /// The parts divide the run differently.
    #[error("segments {segment} and {first} divide the run differently; merge parts of one division only")]
    Division {
        /// The part that does not fit.
        segment: Segment,
        /// The part it was compared with.
        first: Segment,
    },
    /// The same part came twice.
    #[error("segment {0} is there twice; remove one of its files")]
    Twice(Segment),
    /// The counters exceed what 64 bits hold.
    #[error("the counters of segment {0} are too large to be added")]
    TooLarge(Segment),
}

/// Adds up the segments of one component, one after the other, so that memory does not grow with their number.
#[derive(Clone, Debug)]
pub struct Merger {
    sum: Record,
    seen: BTreeSet<Segment>,
    weight: u128,
    starts: Option<(jiff::Timestamp, jiff::Timestamp)>,
}

/// Merges the segments of one component. The order of `records` does not matter.
///
/// A part that is missing is noted as lost, so that the verdict is INVALID.
///
/// # Errors
/// When `records` is empty, a part is there twice, or the parts are not of one run.
pub fn merge(mut records: Vec<Record>) -> Result<Record, MergeError> {
    records.sort_by_key(|record| record.header.segment);
    let mut records = records.into_iter();
    let mut merger = Merger::new(records.next().ok_or(MergeError::Empty)?)?;
    for record in records {
        merger.add(record)?;
    }
    Ok(merger.finish())
}

impl Merger {
    /// Begins with one part.
    ///
    /// # Errors
    /// When its counters are too large.
    pub fn new(mut first: Record) -> Result<Self, MergeError> {
        let segment = first.header.segment;
        label(&mut first);
        let start = first.header.started_at.parse().ok();
        let weight = weight(&first.data);
        if weight > MAX_WEIGHT {
            return Err(MergeError::TooLarge(segment));
        }
        let starts = start.map(|at| (at, at));
        Ok(Self { sum: first, seen: BTreeSet::from([segment]), weight, starts })
    }

    /// Adds one more part.
    ///
    /// # Errors
    /// When the part was added before, or is not of the same run; the sum is then unchanged.
    pub fn add(&mut self, mut part: Record) -> Result<(), MergeError> {
        let (segment, first) = (part.header.segment, self.sum.header.segment);
        if segment.of != first.of {
            return Err(MergeError::Division { segment, first });
        }
        if self.seen.contains(&segment) {
            return Err(MergeError::Twice(segment));
        }
        let what = differences(&self.sum.header, &part.header);
        if !what.is_empty() {
            return Err(MergeError::Differs { segment, first, what: what.join(", ") });
        }
        let weight = self.weight + weight(&part.data);
        if weight > MAX_WEIGHT {
            return Err(MergeError::TooLarge(segment));
        }
        (self.weight, _) = (weight, self.seen.insert(segment));
        if let (Some((from, to)), Ok(at)) = (self.starts, part.header.started_at.parse()) {
            self.starts = Some((from.min(at), to.max(at)));
        }
        label(&mut part);
        add(&mut self.sum, part);
        Ok(())
    }

    /// The sum: the whole run when every part was there, otherwise with the missing ones as lost.
    pub fn finish(mut self) -> Record {
        let of = self.sum.header.segment.of;
        let missing = (0..of.min(MAX_SEGMENTS)).map(|index| Segment { index, of });
        let missing: Vec<_> = missing.filter(|segment| !self.seen.contains(segment)).collect();
        if missing.is_empty() {
            self.sum.header.segment = Segment::WHOLE;
        }
        self.sum.health.lost.extend(missing.iter().map(|segment| format!("segment {segment}")));
        if let Some((from, to)) = self.starts {
            let apart_s = (to - from).total(jiff::Unit::Second).unwrap_or(0.0);
            if apart_s > START_TOLERANCE_S {
                self.sum
                    .warnings
                    .push(format!("the segments began {apart_s:.1} s apart, so rates do not add up"));
            }
        }
        self.sum
    }
}

/// Says of which segment lost workers and warnings are, because the merged record has many.
fn label(record: &mut Record) {
    let segment = record.header.segment;
    if segment.of > 1 {
        let lists = [&mut record.health.lost, &mut record.health.violations, &mut record.warnings];
        lists.into_iter().flatten().for_each(|text| *text = format!("segment {segment}: {text}"));
    }
}

/// The keys in which two headers may not differ, but do.
fn differences(a: &Header, b: &Header) -> Vec<String> {
    let fixed = [
        ("schema", &a.schema, &b.schema),
        ("component", &a.component, &b.component),
        ("run_id", &a.run_id, &b.run_id),
        ("version", &a.version, &b.version),
    ];
    let mut what: Vec<String> =
        fixed.iter().filter(|(_, a, b)| a != b).map(|(name, ..)| (*name).to_owned()).collect();
    let (a, b) = (comparable(&a.plan), comparable(&b.plan));
    let differing = a.iter().filter(|(key, value)| b.get(*key) != Some(value));
    what.extend(differing.map(|(key, _)| format!("plan.{key}")));
    what
}

/// The keys of a plan that all its segments share.
fn comparable(plan: &Plan) -> serde_json::Map<String, serde_json::Value> {
    let Ok(serde_json::Value::Object(mut map)) = serde_json::to_value(plan) else {
        return serde_json::Map::new();
    };
    map.retain(|key, _| !["threads", "processes", "tags"].contains(&key.as_str()));
    map
}

fn add(sum: &mut Record, part: Record) {
    if part.header.segment < sum.header.segment {
        sum.header.segment = part.header.segment;
        sum.header.started_at = part.header.started_at;
        sum.header.t0_monotonic_ns = part.header.t0_monotonic_ns;
    }
    let (mine, theirs) = (&mut sum.header.plan, &part.header.plan);
    mine.threads = mine.threads.max(theirs.threads);
    mine.processes = mine.processes.saturating_add(theirs.processes);
    mine.tags.retain(|key, value| theirs.tags.get(key) == Some(value));
    sum.end.stop_ns = sum.end.stop_ns.max(part.end.stop_ns);
    sum.end.end_ns = sum.end.end_ns.max(part.end.end_ns);
    sum.interrupted |= part.interrupted;
    sum.recovered |= part.recovered;
    sum.warnings.extend(part.warnings);
    sum.events.extend(part.events);
    sum.timeseries.merge(&part.timeseries);
    sum.samples.merge(&part.samples);
    sum.health.merge(part.health);
    sum.data.merge(&part.data);
}

impl Health {
    /// Adds what another machine, or process, knows. What is used adds up; peaks add up too, because the parts
    /// ran at the same time (an upper bound); of faults in time, the worst one counts.
    pub fn merge(&mut self, other: Self) {
        for (mine, theirs) in [
            (&mut self.control_calls, other.control_calls),
            (&mut self.peak_connections, other.peak_connections),
            (&mut self.peak_vus, other.peak_vus),
            (&mut self.cpu_ns, other.cpu_ns),
            (&mut self.max_rss_bytes, other.max_rss_bytes),
            (&mut self.worker_seconds, other.worker_seconds),
            (&mut self.run_queue_ns, other.run_queue_ns),
        ] {
            *mine = mine.saturating_add(theirs);
        }
        self.missed_snapshots = self.missed_snapshots.max(other.missed_snapshots);
        self.clock_jump_ms = self.clock_jump_ms.max(other.clock_jump_ms);
        // Parts may share a machine, and then they saw the same theft.
        self.steal_ns = self.steal_ns.max(other.steal_ns);
        self.lost.extend(other.lost);
        self.violations.extend(other.violations);
        self.busy_seconds.extend(other.busy_seconds);
        self.causes.extend(other.causes);
        self.causes.sort();
        self.causes.dedup();
    }
}

/// All counters of a tally together: an upper bound of every sum of them.
pub(crate) fn weight(data: &Tally) -> u128 {
    let faults = data.faults.entries().iter().map(|entry| u128::from(entry.count)).sum::<u128>();
    data.phases.iter().map(phase_weight).sum::<u128>() + faults + u128::from(data.fanout.count())
}

fn phase_weight(phase: &PhaseTally) -> u128 {
    let ledger = |l: &Ledger| {
        let counts = [l.scheduled, l.unsent, l.unsent_while_idle, l.ok, l.abandoned, l.lost];
        counts.into_iter().chain(l.failed.iter().map(|(_, n)| n)).map(u128::from).sum::<u128>()
    };
    let connects =
        phase.connects.failed.iter().map(|(_, n)| n).chain([phase.connects.opened, phase.connects.lost]);
    let histograms = [
        &phase.iteration_ok,
        &phase.iteration_failed,
        &phase.lag,
        &phase.wait,
        &phase.lateness,
        &phase.turn,
        &phase.abandoned_age,
        &phase.connects.time,
        &phase.connects.outage,
    ];
    let histograms = histograms.into_iter().chain(&phase.extras).map(|h| u128::from(h.count()));
    let counters = phase.counters.iter().copied().map(u128::from);
    let ops = phase.ops.iter().map(|op| {
        let times = [&op.response_ok, &op.service_ok, &op.response_failed, &op.service_failed];
        let counts = [op.ok, op.abandoned, op.bytes_sent, op.bytes_received, op.messages];
        let counts =
            counts.into_iter().chain(op.failed.iter().map(|(_, n)| n)).chain(times.map(Histogram::count));
        counts.map(u128::from).sum::<u128>()
    });
    ledger(&phase.iterations)
        + ledger(&phase.calls)
        + connects.map(u128::from).sum::<u128>()
        + histograms.sum::<u128>()
        + counters.sum::<u128>()
        + ops.sum::<u128>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::tests::header;
    use crate::model::{End, Point, Timeseries};

    fn part(index: u32, of: u32) -> Record {
        let mut header = header(10);
        header.segment = Segment { index, of };
        header.started_at = "2026-11-21T02:55:00Z".into();
        let mut data = Tally::default();
        let phase = data.phase_mut(0);
        *phase = PhaseTally::new(1, 0, 0);
        (phase.calls.scheduled, phase.calls.ok, phase.ops[0].ok) = (2, 2, 2);
        let point = Point { ok: 2, max_ms: f64::from(index), ..Point::default() };
        Record {
            header,
            end: End { stop_ns: i64::from(index), end_ns: 10 - i64::from(index) },
            interrupted: index == 1,
            recovered: false,
            warnings: Vec::new(),
            events: Vec::new(),
            timeseries: Timeseries { interval_s: 1, points: vec![point] },
            samples: crate::gauge::Samples::default(),
            health: Health {
                cpu_ns: 10,
                clock_jump_ms: f64::from(index),
                busy_seconds: vec![(index, 0)],
                ..Health::default()
            },
            data,
        }
    }

    #[test]
    fn all_parts_in_any_order_are_the_whole_run() {
        for order in [[0, 1, 2], [2, 0, 1], [1, 2, 0]] {
            let whole = merge(order.map(|index| part(index, 3)).into()).unwrap();
            assert_eq!(whole.header.segment, Segment::WHOLE);
            assert_eq!((whole.data.phases[0].calls.ok, whole.timeseries.points[0].ok), (6, 6));
            assert_eq!(whole.end, End { stop_ns: 2, end_ns: 10 });
            assert!(whole.interrupted && whole.health.lost.is_empty());
            assert_eq!((whole.health.cpu_ns, whole.health.clock_jump_ms), (30, 2.0));
            assert_eq!(whole.health.busy_seconds, [(0, 0), (1, 0), (2, 0)]);
            assert_eq!(whole.header.plan.processes, 3);
        }
    }

    #[test]
    fn a_missing_part_is_lost() {
        let sum = merge(vec![part(0, 3), part(1, 3)]).unwrap();
        assert_eq!(sum.health.lost, ["segment 2/3"]);
        assert_eq!(sum.header.segment, Segment { index: 0, of: 3 });
    }

    #[test]
    fn parts_that_do_not_belong_together_are_refused() {
        assert_eq!(merge(Vec::new()).unwrap_err(), MergeError::Empty);
        let twice = merge(vec![part(1, 3), part(0, 3), part(1, 3)]);
        assert_eq!(twice.unwrap_err(), MergeError::Twice(Segment { index: 1, of: 3 }));
        assert!(matches!(merge(vec![part(0, 3), part(1, 2)]), Err(MergeError::Division { .. })));

        let mut other = part(1, 2);
        (other.header.version, other.header.plan.seed) = ("9".into(), 77);
        let error = merge(vec![part(0, 2), other]).unwrap_err();
        assert!(error.to_string().contains("its version, plan.seed differs"), "{error}");
    }

    #[test]
    fn machines_may_differ_in_threads_and_tags() {
        let mut other = part(1, 2);
        other.header.plan.threads = 64;
        other.header.plan.tags.insert("host".into(), "b".into());
        let sum = merge(vec![part(0, 2), other]).unwrap();
        assert_eq!((sum.header.plan.threads, sum.header.plan.tags.len()), (64, 0));
    }

    #[test]
    fn segments_that_began_far_apart_are_said() {
        let mut late = part(1, 2);
        late.header.started_at = "2026-11-21T02:55:07.5Z".into();
        let sum = merge(vec![part(0, 2), late]).unwrap();
        assert_eq!(sum.warnings, ["the segments began 7.5 s apart, so rates do not add up"]);
    }

    #[test]
    fn counters_that_could_overflow_are_refused() {
        let mut large = part(0, 2);
        large.data.phases[0].ops[0].bytes_sent = 1 << 61;
        let mut other = part(1, 2);
        other.data.phases[0].ops[0].bytes_sent = 1 << 61;
        assert!(matches!(merge(vec![large, other]), Err(MergeError::TooLarge(_))));
    }
}
