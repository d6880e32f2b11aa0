//! What has been counted? The one set of counters that workers fill, journals carry and results keep.
//!
//! A tally is a delta (one worker, one second) or a total (a whole run over all workers): the same type, because
//! a total is the sum of its deltas. [`Tally::merge`] is associative, commutative and loses nothing.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fanout::FanoutTable;
use crate::fault::{ByKind, FaultKind};
use crate::hist::Histogram;

/// Everything counted, by phase. The index of a phase is its index in the plan.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Tally {
    /// One entry a phase; phases without any event may be missing at the end.
    pub phases: Vec<PhaseTally>,
    /// Failures by op, kind and code, with a sample each.
    pub faults: FaultTable,
    /// Messages that go to many, by message.
    #[serde(default)]
    pub fanout: FanoutTable,
}

/// What happened to the ticks, or the calls, of one phase.
///
/// `scheduled = unsent + ok + failed + abandoned + lost + still in flight`; at the end of a run nothing is in
/// flight and the law holds exactly.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ledger {
    /// Taken up, or declared unsent.
    pub scheduled: u64,
    /// Due, but never taken up before the stop.
    pub unsent: u64,
    /// Of the unsent, those that were due while a lane was idle: the generator's fault, not the target's.
    pub unsent_while_idle: u64,
    /// Ended as expected.
    pub ok: u64,
    /// Ended in a fault, by kind.
    pub failed: ByKind,
    /// Still in flight when the graceful stop ran out.
    pub abandoned: u64,
    /// In the share of a worker, process or segment that was lost.
    pub lost: u64,
}

impl Ledger {
    /// Adds the counts of `other`.
    pub fn merge(&mut self, other: &Self) {
        self.scheduled += other.scheduled;
        self.unsent += other.unsent;
        self.unsent_while_idle += other.unsent_while_idle;
        self.ok += other.ok;
        self.failed.merge(&other.failed);
        self.abandoned += other.abandoned;
        self.lost += other.lost;
    }

    /// What the ledger accounts for: everything but what is in flight.
    pub fn accounted(&self) -> u64 {
        self.unsent + self.ok + self.failed.total() + self.abandoned + self.lost
    }

    /// `(failed + abandoned + unsent) / scheduled`; `None` when nothing was scheduled.
    pub fn error_rate(&self) -> Option<f64> {
        let errors = self.failed.total() + self.abandoned + self.unsent;
        (self.scheduled > 0).then(|| errors as f64 / self.scheduled as f64)
    }
}

/// What one op did in one phase.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OpTally {
    /// Calls that ended as expected.
    pub ok: u64,
    /// Calls that ended in a fault, by kind.
    pub failed: ByKind,
    /// Calls still in flight when the graceful stop ran out.
    pub abandoned: u64,
    /// Bytes of requests, protocol headers included, TLS excluded.
    pub bytes_sent: u64,
    /// Bytes of answers, protocol headers included, TLS excluded.
    pub bytes_received: u64,
    /// Messages received inside answers, where an answer has several.
    pub messages: u64,
    /// Response time (end − due) of the calls that ended as expected.
    pub response_ok: Histogram,
    /// Service time (end − start) of the calls that ended as expected.
    pub service_ok: Histogram,
    /// Response time of the failed calls.
    pub response_failed: Histogram,
    /// Service time of the failed calls.
    pub service_failed: Histogram,
}

impl OpTally {
    /// Adds the counts of `other`.
    pub fn merge(&mut self, other: &Self) {
        self.ok += other.ok;
        self.failed.merge(&other.failed);
        self.abandoned += other.abandoned;
        self.bytes_sent += other.bytes_sent;
        self.bytes_received += other.bytes_received;
        self.messages += other.messages;
        self.response_ok.merge(&other.response_ok);
        self.service_ok.merge(&other.service_ok);
        self.response_failed.merge(&other.response_failed);
        self.service_failed.merge(&other.service_failed);
    }

    fn clear(&mut self) {
        self.failed = ByKind::default();
        (self.ok, self.abandoned, self.bytes_sent, self.bytes_received, self.messages) = (0, 0, 0, 0, 0);
        self.response_ok.clear();
        self.service_ok.clear();
        self.response_failed.clear();
        self.service_failed.clear();
    }
}

/// Connections opened in one phase.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ConnectTally {
    /// Connections established.
    pub opened: u64,
    /// Attempts that failed, by kind.
    pub failed: ByKind,
    /// Time from the attempt to the established connection, TLS included.
    pub time: Histogram,
    /// Connections that ended before their time, by a fault.
    pub lost: u64,
    /// Time from such an end until there was another connection in its place.
    pub outage: Histogram,
}

impl ConnectTally {
    /// Adds the counts of `other`.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.opened += other.opened;
        self.failed.merge(&other.failed);
        self.time.merge(&other.time);
        self.lost += other.lost;
        self.outage.merge(&other.outage);
    }

    fn clear(&mut self) {
        (self.opened, self.failed, self.lost) = (0, ByKind::default(), 0);
        self.time.clear();
        self.outage.clear();
    }
}

/// One phase.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PhaseTally {
    /// The account of iterations: one a tick.
    pub iterations: Ledger,
    /// The account of calls: one or more an iteration.
    pub calls: Ledger,
    /// By op; the index of an op is its index in the plan.
    pub ops: Vec<OpTally>,
    /// Duration (end − due) of the iterations that ended as expected.
    pub iteration_ok: Histogram,
    /// Duration (end − due) of the failed iterations.
    pub iteration_failed: Histogram,
    /// Start − due of first calls: `wait + lateness`.
    pub lag: Histogram,
    /// The part of the lag that passed before a lane was free: the target is slow.
    pub wait: Histogram,
    /// The part of the lag that passed with a lane free: the generator is late.
    pub lateness: Histogram,
    /// Turns of the workers' event loops: how long a socket that became ready may have had to wait.
    pub turn: Histogram,
    /// Age of the abandoned calls when they were abandoned.
    pub abandoned_age: Histogram,
    /// Connections opened.
    pub connects: ConnectTally,
    /// Series that the protocol declares of its own, in the order of the plan.
    pub extras: Vec<Histogram>,
    /// Counters that the protocol declares of its own, in the order of the plan.
    pub counters: Vec<u64>,
}

impl PhaseTally {
    /// An empty tally for `ops` ops, `extras` series and `counters` counters of the protocol's own.
    pub fn new(ops: usize, extras: usize, counters: usize) -> Self {
        let mut tally = Self::default();
        tally.ops.resize_with(ops, OpTally::default);
        tally.extras.resize_with(extras, Histogram::new);
        tally.counters.resize(counters, 0);
        tally
    }

    /// Adds the counts of `other`.
    pub fn merge(&mut self, other: &Self) {
        self.iterations.merge(&other.iterations);
        self.calls.merge(&other.calls);
        merge_each(&mut self.ops, &other.ops, OpTally::merge);
        self.iteration_ok.merge(&other.iteration_ok);
        self.iteration_failed.merge(&other.iteration_failed);
        self.lag.merge(&other.lag);
        self.wait.merge(&other.wait);
        self.lateness.merge(&other.lateness);
        self.turn.merge(&other.turn);
        self.abandoned_age.merge(&other.abandoned_age);
        self.connects.merge(&other.connects);
        merge_each(&mut self.extras, &other.extras, Histogram::merge);
        merge_each(&mut self.counters, &other.counters, |mine, theirs| *mine += theirs);
    }

    /// Forgets all counts and keeps the memory.
    pub fn clear(&mut self) {
        (self.iterations, self.calls) = (Ledger::default(), Ledger::default());
        self.ops.iter_mut().for_each(OpTally::clear);
        self.extras.iter_mut().for_each(Histogram::clear);
        self.counters.fill(0);
        for histogram in [
            &mut self.iteration_ok,
            &mut self.iteration_failed,
            &mut self.lag,
            &mut self.wait,
            &mut self.lateness,
            &mut self.turn,
            &mut self.abandoned_age,
        ] {
            histogram.clear();
        }
        self.connects.clear();
    }
}

impl Tally {
    /// Adds the counts of `other`.
    pub fn merge(&mut self, other: &Self) {
        merge_each(&mut self.phases, &other.phases, PhaseTally::merge);
        self.faults.merge(&other.faults);
        self.fanout.merge(&other.fanout);
    }

    /// The phase `index`, made when it is not there yet.
    pub fn phase_mut(&mut self, index: usize) -> &mut PhaseTally {
        if index >= self.phases.len() {
            self.phases.resize_with(index + 1, PhaseTally::default);
        }
        &mut self.phases[index]
    }
}

/// Merges two lists element by element; a longer `theirs` extends `mine`.
fn merge_each<T: Default>(mine: &mut Vec<T>, theirs: &[T], merge: impl Fn(&mut T, &T)) {
    if mine.len() < theirs.len() {
        mine.resize_with(theirs.len(), T::default);
    }
    mine.iter_mut().zip(theirs).for_each(|(a, b)| merge(a, b));
}

/// Failures of one op, kind and code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FaultEntry {
    /// Index of the op in the plan; none where no op was under way (a connect, an idle connection).
    pub op: Option<u16>,
    /// What kind of fault.
    pub kind: FaultKind,
    /// The protocol's own code: an HTTP status, an errno; 0 when there is none.
    pub code: u32,
    /// How many.
    pub count: u64,
    /// First seen, ns since time zero of the run.
    pub first_ns: i64,
    /// Last seen, ns since time zero of the run.
    pub last_ns: i64,
    /// What the first of them said: at most [`FaultTable::SAMPLE_BYTES`] bytes, printable.
    pub sample: String,
}

/// Failures by op, kind and code. Bounded: an op has at most [`FaultTable::CODES`] codes a kind, further ones are
/// counted under code 0.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FaultTable(Vec<FaultEntry>);

impl FaultTable {
    /// Longest sample, bytes.
    pub const SAMPLE_BYTES: usize = 200;
    /// Most entries of a table; what comes later is counted under op none, code 0.
    pub const CODES: usize = 1_000;

    /// The entries, in the order of op, kind, code.
    pub fn entries(&self) -> &[FaultEntry] {
        &self.0
    }

    /// Counts one fault, seen at `at_ns` since time zero. `sample` is asked for only by the first of its entry.
    pub fn add(&mut self, key: (Option<u16>, FaultKind, u32), at_ns: i64, sample: impl FnOnce() -> String) {
        let slot = self.slot(key);
        let entry = &mut self.0[slot];
        if entry.count == 0 {
            (entry.first_ns, entry.sample) = (at_ns, printable(&sample()));
        }
        entry.count += 1;
        entry.last_ns = at_ns;
    }

    /// Adds the counts of `other`; of two samples the one seen first is kept.
    pub fn merge(&mut self, other: &Self) {
        for theirs in &other.0 {
            let slot = self.slot((theirs.op, theirs.kind, theirs.code));
            let mine = &mut self.0[slot];
            if mine.count == 0 || (theirs.first_ns, &theirs.sample) < (mine.first_ns, &mine.sample) {
                (mine.first_ns, mine.sample) = (theirs.first_ns, theirs.sample.clone());
            }
            mine.last_ns = if mine.count == 0 { theirs.last_ns } else { mine.last_ns.max(theirs.last_ns) };
            mine.count += theirs.count;
        }
    }

    /// Forgets every entry.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    fn slot(&mut self, key: (Option<u16>, FaultKind, u32)) -> usize {
        let find = |table: &Self, key| table.0.binary_search_by_key(&key, |e| (e.op, e.kind, e.code));
        let (key, at) = match find(self, key) {
            Ok(at) => return at,
            Err(at) if self.0.len() < Self::CODES => (key, at),
            Err(_) => match find(self, (None, key.1, 0)) {
                Ok(at) => return at,
                Err(at) => ((None, key.1, 0), at),
            },
        };
        let (op, kind, code) = key;
        let entry = FaultEntry { op, kind, code, count: 0, first_ns: 0, last_ns: 0, sample: String::new() };
        self.0.insert(at, entry);
        at
    }
}

/// `text` without control characters, cut to [`FaultTable::SAMPLE_BYTES`]: it comes from servers and goes to
/// terminals.
fn printable(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars().map(|c| if c.is_control() { ' ' } else { c }) {
        if out.len() + c.len_utf8() > FaultTable::SAMPLE_BYTES {
            break;
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tallies() -> impl Strategy<Value = Tally> {
        let event = (0_usize..3, 0_usize..4, 0_usize..13, 0_u32..4, 1_u64..10_000_000_000);
        prop::collection::vec(event, 0..40).prop_map(|events| {
            let mut tally = Tally::default();
            for (phase, op, kind, code, ns) in events {
                let entry = tally.phase_mut(phase);
                if entry.ops.is_empty() {
                    *entry = PhaseTally::new(4, 1, 1);
                }
                entry.calls.scheduled += 1;
                entry.lag.record(ns / 2);
                let kind = FaultKind::ALL[kind];
                if code == 0 {
                    entry.calls.ok += 1;
                    entry.ops[op].response_ok.record(ns);
                } else {
                    entry.calls.failed.add(kind, 1);
                    entry.ops[op].response_failed.record(ns);
                    tally.faults.add((Some(op as u16), kind, code), ns as i64, || format!("seen at {ns}"));
                }
            }
            tally
        })
    }

    fn sum(tallies: &[&Tally]) -> Tally {
        let mut total = Tally::default();
        tallies.iter().for_each(|t| total.merge(t));
        total
    }

    proptest! {
        #[test]
        fn merging_is_associative_and_commutative(a in tallies(), b in tallies(), c in tallies()) {
            let grouped = sum(&[&a, &sum(&[&b, &c])]);
            prop_assert_eq!(&sum(&[&a, &b, &c]), &grouped);
            prop_assert_eq!(&sum(&[&c, &a, &b]), &grouped);
        }

        #[test]
        fn both_stored_forms_give_the_tally_back(tally in tallies()) {
            let bytes = postcard::to_stdvec(&tally).unwrap();
            prop_assert_eq!(&postcard::from_bytes::<Tally>(&bytes).unwrap(), &tally);
            let json = serde_json::to_string(&tally).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Tally>(&json).unwrap(), &tally);
        }
    }

    #[test]
    fn a_table_of_faults_stays_bounded_and_counts_all() {
        let mut table = FaultTable::default();
        for code in 0..5_000 {
            table.add((Some(0), FaultKind::Rejected, code), i64::from(code), || "no\u{1b}[31m".repeat(100));
        }
        assert!(table.entries().len() <= FaultTable::CODES + FaultKind::ALL.len());
        assert_eq!(table.entries().iter().map(|e| e.count).sum::<u64>(), 5_000);
        assert!(table.entries().iter().all(|e| e.sample.len() <= 200 && !e.sample.contains('\u{1b}')));
    }
}
