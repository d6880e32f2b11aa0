//! Where do the figures of one worker go? Into the tally of the phase in which a call was due.

use std::sync::Arc;

use load_report::fault::FaultKind;
use load_report::model::{PhasePlan, Plan};
use load_report::tally::{PhaseTally, Tally};

use super::{Ended, Sinks};
use crate::clock::{Nanos, take_turns};
use crate::protocol::{Fault, OpId, Outcome};
use crate::secret::Secrets;

/// The phase before time zero.
pub(super) const CONNECT: usize = 0;

/// How a tick came to a lane. All instants are absolute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// Global index of the iteration.
    pub seq: u64,
    /// When the schedule wanted it.
    pub due: Nanos,
    /// Since when the lane was free.
    pub freed: Nanos,
    /// Until when some lane of the worker was idle although work was due: a pause of the generator.
    pub idle_until: Nanos,
    /// When the lane took it up.
    pub start: Nanos,
}

/// The instants of one call, absolute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallTimes {
    /// Global index of the iteration.
    pub seq: u64,
    /// When it was due: for a first call the tick, later when the one before ended plus think time.
    pub due: Nanos,
    /// When it began.
    pub start: Nanos,
    /// When it ended.
    pub end: Nanos,
}

/// The record of one worker since its last snapshot.
pub struct Recorder {
    phases: Vec<PhasePlan>,
    ops: usize,
    extras: usize,
    counters: usize,
    t0: Nanos,
    tally: Tally,
    /// Phase of the last due instant, and its bounds.
    current: usize,
    sinks: Option<Box<Sinks>>,
    secrets: Arc<Secrets>,
}

impl Recorder {
    /// An empty record of a run of `plan`, with every call to `sinks`, too.
    pub fn new(plan: &Plan, sinks: Option<Box<Sinks>>, secrets: Arc<Secrets>) -> Self {
        let (phases, ops) = (plan.phases.clone(), plan.ops.len());
        let (extras, counters) = (plan.extras.len(), plan.counters.len());
        Self {
            phases,
            ops,
            extras,
            counters,
            t0: Nanos::NEVER,
            tally: Tally::default(),
            current: CONNECT,
            sinks,
            secrets,
        }
    }

    /// Time zero is known.
    pub fn begin(&mut self, t0: Nanos) {
        self.t0 = t0;
    }

    /// The tally of the phase that `at` falls into.
    fn phase(&mut self, at: Nanos) -> &mut PhaseTally {
        let since = at.0.saturating_sub(self.t0.0);
        let inside = |p: &PhasePlan| p.start_ns <= since && since < p.end_ns;
        if !self.phases.get(self.current).is_some_and(inside) {
            self.current = self.find(since);
        }
        self.tally_of(self.current)
    }

    #[cold]
    fn find(&self, since: i64) -> usize {
        if self.t0 == Nanos::NEVER || since < 0 {
            return CONNECT;
        }
        let after = self.phases.iter().skip(1).position(|p| since < p.end_ns);
        after.map_or(self.phases.len() - 1, |i| i + 1)
    }

    fn tally_of(&mut self, index: usize) -> &mut PhaseTally {
        let (ops, extras, counters) = (self.ops, self.extras, self.counters);
        let tally = self.tally.phase_mut(index);
        if tally.ops.len() < ops {
            *tally = PhaseTally::new(ops, extras, counters);
        }
        tally
    }

    /// A lane has taken up a tick.
    #[inline]
    pub fn started(&mut self, start: &Start) {
        let phase = self.phase(start.due);
        phase.iterations.scheduled += 1;
        let lag = start.start.since(start.due);
        // What passed while any lane was idle is the generator's own lateness, whoever took the tick in the end.
        let waiting_from = start.due.max(start.idle_until);
        let wait = start.freed.min(start.start).since(waiting_from);
        phase.lag.record(lag);
        phase.wait.record(wait);
        phase.lateness.record(lag - wait);
    }

    /// A call that was due at `due` begins.
    #[inline]
    pub fn begun(&mut self, due: Nanos) {
        self.phase(due).calls.scheduled += 1;
    }

    /// A call ended well.
    #[inline]
    pub fn ok(&mut self, op: OpId, times: &CallTimes, outcome: &Outcome) {
        let phase = self.phase(times.due);
        phase.calls.ok += 1;
        let tally = &mut phase.ops[usize::from(op)];
        tally.ok += 1;
        tally.bytes_sent += outcome.sent;
        tally.bytes_received += outcome.received;
        tally.messages += u64::from(outcome.messages);
        tally.response_ok.record(times.end.since(times.due));
        tally.service_ok.record(times.end.since(times.start));
        if let Some(sinks) = &mut self.sinks {
            sinks.call(self.t0, (self.current, op), times, Ended::Ok);
        }
    }

    /// A call failed; `note` is what it said.
    pub fn failed(&mut self, op: OpId, times: &CallTimes, fault: &Fault, note: &str) {
        let phase = self.phase(times.due);
        phase.calls.failed.add(fault.kind, 1);
        let tally = &mut phase.ops[usize::from(op)];
        tally.failed.add(fault.kind, 1);
        tally.bytes_sent += fault.sent;
        tally.bytes_received += fault.received;
        tally.response_failed.record(times.end.since(times.due));
        tally.service_failed.record(times.end.since(times.start));
        self.fault(Some(op), fault.kind, fault.code, times.end, note);
        if let Some(sinks) = &mut self.sinks {
            sinks.call(self.t0, (self.current, op), times, Ended::Failed(fault.kind, fault.code));
        }
    }

    fn fault(&mut self, op: Option<OpId>, kind: FaultKind, code: u32, at: Nanos, note: &str) {
        let since = if self.t0 == Nanos::NEVER { 0 } else { (at - self.t0).0 };
        self.tally.faults.add((op, kind, code), since, || self.secrets.strike(note));
    }

    /// An iteration that was due at `due` ended at `end`; `failed` is the kind of its first fault.
    #[inline]
    pub fn iteration(&mut self, due: Nanos, end: Nanos, failed: Option<FaultKind>) {
        let phase = self.phase(due);
        let duration = end.since(due);
        match failed {
            None => {
                phase.iterations.ok += 1;
                phase.iteration_ok.record(duration);
            }
            Some(kind) => {
                phase.iterations.failed.add(kind, 1);
                phase.iteration_failed.record(duration);
            }
        }
        if let Some(sinks) = &mut self.sinks {
            sinks.iteration(self.current, end, duration, failed.is_none());
        }
    }

    /// A call was still in flight when the graceful stop ran out at `times.end`.
    pub fn abandoned(&mut self, op: OpId, times: &CallTimes) {
        let phase = self.phase(times.due);
        phase.calls.abandoned += 1;
        phase.ops[usize::from(op)].abandoned += 1;
        phase.abandoned_age.record(times.end.since(times.start));
        if let Some(sinks) = &mut self.sinks {
            sinks.call(self.t0, (self.current, op), times, Ended::Abandoned);
        }
    }

    /// An iteration that was due at `tick` had not come to its end when the graceful stop ran out.
    pub fn iteration_abandoned(&mut self, tick: Nanos) {
        self.phase(tick).iterations.abandoned += 1;
    }

    /// A tick that was due at `due` was never taken up; `idle` when a lane could have.
    pub fn unsent(&mut self, due: Nanos, idle: bool) {
        let phase = self.phase(due);
        for ledger in [&mut phase.iterations, &mut phase.calls] {
            ledger.scheduled += 1;
            ledger.unsent += 1;
            ledger.unsent_while_idle += u64::from(idle);
        }
    }

    /// A connection was established, or not.
    pub fn connected(&mut self, start: Nanos, end: Nanos, fault: Option<&Fault>, note: &str) {
        let phase = self.phase(start);
        match fault {
            None => {
                phase.connects.opened += 1;
                phase.connects.time.record(end.since(start));
                if let Some(sinks) = &mut self.sinks {
                    sinks.connected(self.current, end, end.since(start));
                }
            }
            Some(fault) => {
                phase.connects.failed.add(fault.kind, 1);
                self.fault(None, fault.kind, fault.code, end, note);
            }
        }
    }

    /// A connection was lost at `at`, whatever was under way on it.
    pub fn lost(&mut self, at: Nanos) {
        self.phase(at).connects.lost += 1;
    }

    /// Whoever had lost its connection at `lost_at` has had another one since `now`.
    pub fn reconnected(&mut self, lost_at: Nanos, now: Nanos) {
        self.phase(now).connects.outage.record(now.since(lost_at));
    }

    /// A connection was lost while it was idle.
    pub fn lost_while_idle(&mut self, at: Nanos, fault: &Fault, note: &str) {
        self.fault(None, fault.kind, fault.code, at, note);
    }

    /// What a user waited for has not come until `at`, and no call was about it.
    pub fn missed(&mut self, at: Nanos, note: &str) {
        self.fault(None, FaultKind::Timeout, 0, at, note);
    }

    /// A value of the protocol's own series.
    pub fn observe(&mut self, at: Nanos, extra: usize, ns: u64) {
        if let Some(histogram) = self.phase(at).extras.get_mut(extra) {
            histogram.record(ns);
        }
        if let Some(sinks) = &mut self.sinks {
            sinks.observed(self.current, at, extra, ns);
        }
    }

    /// One more has received message `key`, which many receive, at an age of `age_ns`.
    pub fn fan_out(&mut self, key: u64, age_ns: u64) {
        self.tally.fanout.received(key, age_ns);
    }

    /// `n` more of the protocol's own counter number `counter`.
    pub fn count(&mut self, at: Nanos, counter: usize, n: u64) {
        if let Some(count) = self.phase(at).counters.get_mut(counter) {
            *count += n;
        }
        if let Some(sinks) = &mut self.sinks {
            sinks.counted(self.current, at, counter, n);
        }
    }

    /// What was counted since the last time, with the turns of the event loop until `now`.
    pub fn take(&mut self, now: Nanos) -> Tally {
        take_turns(&mut self.phase(now).turn);
        if let Some(sinks) = &mut self.sinks {
            sinks.flush();
        }
        std::mem::take(&mut self.tally)
    }

    /// Waits until the files hold everything: once the last worker is done, its process may end at any moment. What is
    /// recorded later is in none of them.
    pub fn close_files(&mut self) {
        self.sinks = None;
    }

    /// Gives the memory of a tally back that [`Self::take`] handed out. Only the current phase and the one before
    /// keep theirs.
    pub fn give_back(&mut self, mut tally: Tally) {
        let keep_from = self.current.saturating_sub(1);
        for (index, phase) in tally.phases.iter_mut().enumerate() {
            if index < keep_from { *phase = PhaseTally::default() } else { phase.clear() }
        }
        tally.faults.clear();
        tally.fanout.clear();
        self.tally = tally;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorder() -> Recorder {
        let phase = |name: &str, counted, start_ns, end_ns| PhasePlan {
            name: name.into(),
            counted,
            start_ns,
            end_ns,
        };
        let phases = vec![
            phase("connect", false, 0, 0),
            phase("warm-up", false, 0, 1_000),
            phase("sustain", true, 1_000, 5_000),
        ];
        let plan = Plan { phases, ops: vec!["op".into()], ..Plan::default() };
        let mut recorder = Recorder::new(&plan, None, Arc::default());
        recorder.begin(Nanos(100_000));
        recorder
    }

    #[test]
    fn a_call_belongs_to_the_phase_of_its_due_instant() {
        let mut recorder = recorder();
        for (due, end) in [(100_500, 104_000), (101_000, 101_500), (104_999, 109_000), (99_999, 100_001)] {
            let times = CallTimes { seq: 0, due: Nanos(due), start: Nanos(due), end: Nanos(end) };
            recorder.ok(0, &times, &Outcome::default());
        }
        let tally = recorder.take(Nanos(110_000));
        let ok: Vec<_> = tally.phases.iter().map(|p| p.calls.ok).collect();
        assert_eq!(ok, [1, 1, 2]);
    }

    #[test]
    fn lag_is_split_into_waiting_and_lateness() {
        let mut recorder = recorder();
        let mut split = |due, freed, idle_until, start| {
            let (due, freed, start) = (Nanos(due), Nanos(freed), Nanos(start));
            recorder.started(&Start { seq: 0, due, freed, idle_until: Nanos(idle_until), start });
            let phase = recorder.take(Nanos(110_000)).phases.swap_remove(2);
            (phase.lag.sum_ns(), phase.wait.sum_ns(), phase.lateness.sum_ns())
        };
        // A lane was free in time: all lag is lateness.
        assert_eq!(split(102_000, 101_000, 0, 102_300), (300, 0, 300));
        // Freed late: the rest is waiting.
        assert_eq!(split(102_000, 103_000, 0, 103_100), (1_100, 1_000, 100));
        // The generator slept with idle lanes until 102_800; only then did the tick wait for this one.
        assert_eq!(split(102_000, 103_000, 102_800, 103_100), (1_100, 200, 900));
    }
}
