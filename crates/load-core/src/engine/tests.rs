//! The real engine in virtual time, against a protocol whose every answer is scripted.

mod held;
mod hold;
mod parallel;
mod pool;
mod staged;
mod steps;
mod systems;

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use load_report::collect::Collector;
use load_report::fault::FaultKind;
use load_report::figures::Record;
use load_report::journal::{Entry, Footer, Next, decode};
use load_report::laws;
use load_report::model::{End, Header, RunFile, SCHEMA, Segment};
use rand::RngExt as _;
use tokio::sync::{mpsc, watch};

use super::worker::run;
use super::{Command, Job, Message};
use crate::clock::{self, Alarm, Clock, Nanos};
use crate::error::{PrepareError, UsageError};
use crate::null::NoArgs;
use crate::plan::args::LoadArgs;
use crate::plan::{Context, build};
use crate::protocol::{
    Control, Fault, LinkId, Outcome, Poll, Probe, Protocol, Script, Sharing, Task, TaskStep, Vu,
};

const MS: i64 = 1_000_000;
const SECOND: i64 = 1_000 * MS;

thread_local! {
    static CLOCK: RefCell<Option<Clock>> = const { RefCell::new(None) };
}

fn the_clock() -> Clock {
    CLOCK.with_borrow(|clock| clock.clone().expect("a run is under way"))
}

/// A target that takes `service_ns` for a call, freezes once, and is away for a while.
struct Scripted {
    service_ns: i64,
    /// Nothing is answered between these two instants.
    freeze: (i64, i64),
    /// No connection is accepted, and those that exist break, between these two instants.
    away: (i64, i64),
    /// A connection ends as soon as nothing is under way on it.
    dies: bool,
    /// Only every so many calls meet the condition.
    holds_every: u64,
    calls: AtomicU64,
    connects: AtomicU64,
    sharing: Sharing,
    /// What the first draw of each iteration was.
    drawn: Mutex<Vec<(u64, u64)>>,
    script: Script<()>,
}

impl Scripted {
    fn quick() -> Self {
        Self {
            service_ns: MS,
            freeze: (0, 0),
            away: (0, 0),
            dies: false,
            holds_every: 1,
            calls: AtomicU64::new(0),
            connects: AtomicU64::new(0),
            sharing: Sharing::Exclusive,
            drawn: Mutex::default(),
            script: Script::call(()),
        }
    }

    fn is_away(&self, now: Nanos) -> bool {
        (self.away.0..self.away.1).contains(&now.0)
    }
}

impl Protocol for Scripted {
    const NAME: &'static str = "scripted";
    type Args = NoArgs;
    type Target = ();
    type Step = ();
    type Link = ();
    type Session = Alarm;

    fn new(_: NoArgs) -> Result<Self, UsageError> {
        Ok(Self::quick())
    }
    fn label(&self) -> String {
        "a script".into()
    }
    fn describe(&self) -> serde_json::Value {
        serde_json::Value::Null
    }
    fn ops(&self) -> Vec<String> {
        vec!["op".into()]
    }
    fn script(&self) -> &Script<()> {
        &self.script
    }
    fn sharing(&self) -> Sharing {
        self.sharing
    }
    fn share(&self, (): &()) -> Option<()> {
        Some(())
    }
    async fn prepare(&self, _: &mut Control) -> Result<(), PrepareError> {
        Ok(())
    }
    async fn connect(&self, _: &(), id: LinkId, probe: &mut Probe<'_>) -> Result<(), Fault> {
        self.connects.fetch_add(1, Ordering::Relaxed);
        if self.is_away(probe.now()) {
            return Err(Fault::fatal(FaultKind::Connect));
        }
        if self.sharing == Sharing::Pool {
            (0..id.connections.get()).for_each(|_| probe.connected(probe.now()));
        }
        Ok(())
    }
    async fn open(&self, _: (), _: &Vu) -> Result<Alarm, Fault> {
        Ok(the_clock().alarm())
    }
    async fn idle(&self, _: &mut Alarm, _: &mut Probe<'_>) -> Fault {
        if self.dies {
            return Fault::fatal(FaultKind::Closed);
        }
        std::future::pending().await
    }
    async fn call(
        &self,
        alarm: &mut Alarm,
        _: &(),
        vu: &mut Vu,
        probe: &mut Probe<'_>,
    ) -> Result<Outcome, Fault> {
        self.drawn.lock().unwrap().push((vu.scope.seq, vu.rng.random()));
        let number = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        let mut end = probe.now().0 + self.service_ns;
        if (self.freeze.0..self.freeze.1).contains(&probe.now().0) {
            end = self.freeze.1 + self.service_ns;
        }
        if self.is_away(probe.now()) {
            return Err(Fault::fatal(FaultKind::Reset));
        }
        alarm.set(Nanos(end));
        alarm.wait().await;
        Ok(Outcome { pending: !number.is_multiple_of(self.holds_every), ..Outcome::default() })
    }
}

fn args(line: &str) -> LoadArgs {
    use clap::{Args as _, FromArgMatches as _};
    let words = std::iter::once("test").chain(line.split_whitespace());
    let matches = LoadArgs::augment_args(clap::Command::new("test")).try_get_matches_from(words);
    LoadArgs::from_arg_matches(&matches.unwrap()).unwrap()
}

/// Runs one worker in virtual time; `command` is told at its instant, or in place of `Go` when that has come.
fn play<P: Protocol<Target = ()>>(
    line: &str,
    protocol: P,
    command: Option<(i64, Command)>,
) -> (RunFile, Arc<P>) {
    play_args(&args(line), protocol, command)
}

/// The same for a command line that has been read.
fn play_args<P: Protocol<Target = ()>>(
    args: &LoadArgs,
    protocol: P,
    command: Option<(i64, Command)>,
) -> (RunFile, Arc<P>) {
    let protocol = Arc::new(protocol);
    let plan = Arc::new(build(args, Context::of(&*protocol)).unwrap());
    let header = Header {
        schema: SCHEMA.into(),
        component: "scripted".into(),
        run_id: "test".into(),
        version: "0".into(),
        segment: Segment::WHOLE,
        started_at: "2026-01-01T00:00:00Z".into(),
        t0_monotonic_ns: 0,
        plan: plan.record.clone(),
    };
    let job = Job {
        protocol: Arc::clone(&protocol),
        target: (),
        plan: Arc::clone(&plan),
        process: 0,
        worker: 0,
        segment: Segment::WHOLE,
    };
    let (tell, commands) = watch::channel(Command::Prepare);
    let (sender, mut messages) = mpsc::unbounded_channel();
    let clock = Clock::virtual_time();
    CLOCK.with_borrow_mut(|slot| *slot = Some(clock.clone()));
    clock::in_virtual_time(&clock.clone(), async move {
        let teller = clock.clone();
        let early = command.filter(|(at, _)| *at == 0).map(|(_, command)| command);
        tell.send_replace(early.unwrap_or(Command::Go(Nanos(0))));
        tokio::task::spawn_local(async move {
            if let Some((at, command)) = command {
                teller.sleep_until(Nanos(at)).await;
                tell.send_replace(command);
            }
            std::future::pending::<()>().await;
        });
        run(job, clock, commands, sender).await.unwrap();
    });
    let mut collector = Collector::new(header);
    let mut end = None;
    while let Ok(message) = messages.try_recv() {
        match message {
            Message::Entry(bytes) => match decode(&bytes) {
                Next::Entry(Entry::Frame(frame), _) => collector.absorb(&frame),
                other => panic!("{other:?}"),
            },
            Message::Done { end_ns, .. } => {
                let planned = command.map_or(plan.duration.0, |(at, _)| at.min(plan.duration.0));
                let stop_ns = if plan.record.requests.is_some() { planned.min(end_ns) } else { planned };
                end = Some(End { stop_ns, end_ns });
            }
            Message::Ready(_) | Message::Lost { .. } => {}
        }
    }
    let end = end.expect("a worker says when it is done");
    let record: Record = collector.finish(Footer { end, ..Footer::default() });
    assert_eq!(laws::violations(&plan.record, &record.data, end), Vec::<String>::new());
    (record.judge(&plan.thresholds), protocol)
}

#[test]
fn a_freeze_is_seen_by_every_call_that_was_due_in_it() {
    let script = Scripted { freeze: (4 * SECOND, 5 * SECOND), ..Scripted::quick() };
    let (run, protocol) = play("-r 1000 -d 10s -c 64 --max-vus 64", script, None);
    assert_eq!(run.ledger.calls.ok, 10_000);
    assert_eq!(protocol.calls.load(Ordering::Relaxed), 10_000);
    let all = load_report::figures::all_ops(&run.data.phases[1].ops);
    // 64 lanes were caught by the freeze; everything else waited in the backlog.
    assert_eq!(all.service_ok.count_above(500_000_000), 64);
    assert!(run.totals.service_ms.unwrap().p99 < 10.0);
    // The tick due at 4.000 s is answered at 5.001 s, later ones 1 ms less each, until the backlog is worked off.
    assert!((run.totals.response_ms.unwrap().max - 1_001.0).abs() < 1.0);
    assert!(run.totals.response_ms.unwrap().p99 > 890.0);
    assert!(run.generator.lateness_ms.unwrap().max < 1e-9);
}

#[test]
fn open_arrivals_do_not_wait_for_answers() {
    let script = Scripted { service_ns: 500 * MS, ..Scripted::quick() };
    let (run, _) = play("-r 100 -d 4s -c 10 --max-vus 10 --graceful-stop 2s", script, None);
    // 10 lanes finish 20 calls/s of the 100/s that are due.
    assert_eq!(run.ledger.calls.scheduled, 400);
    assert_eq!(run.ledger.calls.unsent, 400 - run.ledger.calls.ok);
    assert!((80..=90).contains(&run.ledger.calls.ok), "{}", run.ledger.calls.ok);
    assert_eq!(run.ledger.calls.unsent_while_idle, 0);
    assert_eq!(run.exit.code(), 99);
}

#[test]
fn lanes_grow_when_the_target_is_slow() {
    let script = Scripted { service_ns: 200 * MS, ..Scripted::quick() };
    let (run, _) = play("-r 200 -d 10s -c 4 --max-vus 100", script, None);
    // Little: 200/s for 0.2 s each keep 40 lanes busy; the backlog of the beginning needs some more.
    assert_eq!(run.ledger.calls.ok, 2_000);
    assert!((40..100).contains(&run.health.peak_vus), "{}", run.health.peak_vus);
}

#[test]
fn closed_users_wait_for_their_answers_and_think() {
    let script = Scripted { service_ns: 100 * MS, ..Scripted::quick() };
    let (run, _) = play("-u 5 -d 10s --think 400ms", script, None);
    // Every user makes two calls a second.
    assert_eq!(run.ledger.calls.ok, 100);
    assert!((run.totals.response_ms.unwrap().max - 100.0).abs() < 1e-9);
}

#[test]
fn a_number_of_requests_ends_the_run() {
    let (run, protocol) = play("-u 7 -n 1000", Scripted::quick(), None);
    assert_eq!((run.ledger.calls.ok, protocol.calls.load(Ordering::Relaxed)), (1_000, 1_000));
    assert!(run.end.end_ns < SECOND);
    let (run, _) = play("-r 100 -n 250", Scripted::quick(), None);
    assert_eq!((run.ledger.calls.ok, run.end.end_ns / MS), (250, 2_491));
}

#[test]
fn a_dead_target_fails_at_the_schedules_pace_and_recovers() {
    let script = Scripted { away: (3 * SECOND, 6 * SECOND), ..Scripted::quick() };
    let (run, protocol) = play("-r 1000 -d 10s -c 20", script, None);
    assert_eq!(run.ledger.calls.scheduled, 10_000);
    let failed = run.ledger.calls.failed.total();
    assert!((3_000..3_600).contains(&failed), "{failed}");
    let by_second: Vec<_> = run.timeseries.points.iter().map(|p| p.failed).collect();
    assert!(by_second[3] >= 950 && by_second[4] == 1_000 && by_second[5] == 1_000, "{by_second:?}");
    assert_eq!(by_second[8], 0);
    // One lane each reconnects with back-off: no storm.
    assert!(protocol.connects.load(Ordering::Relaxed) < 20 + 20 * 10);
    assert_eq!(run.exit.code(), 99);
}

#[test]
fn closed_users_of_a_dead_target_neither_spin_nor_fall_silent() {
    let script = Scripted { away: (2 * SECOND, 100 * SECOND), ..Scripted::quick() };
    let (run, _) = play("-u 10 -d 12s", script, None);
    let failed = run.timeseries.points[8].failed;
    assert!((5..=40).contains(&failed), "{failed}");
}

#[test]
fn a_stop_lets_calls_in_flight_end_and_a_second_one_abandons_them() {
    let script = || Scripted { service_ns: 3 * SECOND, ..Scripted::quick() };
    let (run, _) = play("-u 4 -d 60s", script(), Some((4 * SECOND, Command::Stop(Nanos(0)))));
    assert_eq!((run.ledger.calls.ok, run.ledger.calls.abandoned, run.end.end_ns / SECOND), (8, 0, 6));
    let (run, _) = play("-u 4 -d 60s", script(), Some((4 * SECOND, Command::Abandon(Some(Nanos(0))))));
    assert_eq!((run.ledger.calls.ok, run.ledger.calls.abandoned, run.end.end_ns / SECOND), (4, 4, 4));
    let (run, _) = play("-u 4 -d 4s --graceful-stop 1s", script(), None);
    assert_eq!((run.ledger.calls.ok, run.ledger.calls.abandoned, run.end.end_ns / SECOND), (4, 4, 5));
}

/// A worker that was slow to look sees only the last of two words.
#[test]
fn a_stop_that_overtakes_go_ends_a_run_that_has_begun() {
    for command in [Command::Stop(Nanos(0)), Command::Abandon(Some(Nanos(0)))] {
        let (run, _) = play("-r 100 -d 60s", Scripted::quick(), Some((0, command)));
        assert_eq!((run.ledger.calls.scheduled, run.end.end_ns), (0, 0), "{command:?}");
    }
}

#[test]
fn a_call_that_takes_too_long_is_a_timeout_and_loses_its_connection() {
    let script = Scripted { service_ns: 700 * MS, ..Scripted::quick() };
    let (run, protocol) = play("-u 1 -d 2s --timeout 500ms", script, None);
    assert_eq!(run.ledger.calls.failed.get(FaultKind::Timeout), 4);
    assert_eq!(protocol.connects.load(Ordering::Relaxed), 4);
}

#[test]
fn warm_up_is_in_the_ledger_but_in_no_total() {
    let (run, _) = play("-r 100 -d 10s --warmup 4s", Scripted::quick(), None);
    assert_eq!((run.ledger.calls.ok, run.totals.requests), (1_000, 600));
    assert!((run.totals.rate_per_s - 100.0).abs() < 1e-9, "{}", run.totals.rate_per_s);
}

#[test]
fn stages_are_phases_by_name() {
    let (run, _) = play("-r 0 --stage up=10s:100,10s:100,10s:0", Scripted::quick(), None);
    let phases: Vec<_> = run.phases.iter().map(|p| (p.name.as_str(), p.figures.requests)).collect();
    assert_eq!(phases, [("connect", 0), ("up", 500), ("sustain", 1_000), ("ramp-down", 500)]);
}

#[test]
fn an_hour_takes_moments_and_keeps_every_law() {
    let (run, _) = play("-r 50 -d 1h -c 5", Scripted::quick(), None);
    assert_eq!((run.ledger.calls.ok, run.timeseries.points.len()), (180_000, 3_600));
}

/// Makes a call of 1 ms again every 100 ms until every `holds_every`-th one meets the condition.
fn polling(holds_every: u64, at_most: u32) -> Scripted {
    let poll = Poll { every: Nanos(100 * MS), at_most, series: None };
    let script = Script::of(vec![Task::new(1, vec![TaskStep::polled(0, (), poll)])]);
    Scripted { holds_every, script, ..Scripted::quick() }
}

#[test]
fn a_call_is_made_again_until_its_condition_holds() {
    let (run, protocol) = play("-u 1 -n 10", polling(3, 3), None);
    let phase = &run.data.phases[1];
    assert_eq!((phase.iterations.ok, phase.calls.ok), (10, 30));
    assert_eq!(protocol.calls.load(Ordering::Relaxed), 30);
    // Two pauses and three calls; the last iteration began after the last tick was spent and yet came to its end.
    assert_eq!(phase.iteration_ok.sum_ns(), 10 * 203 * MS as u128);
    assert!((run.totals.response_ms.unwrap().max - 1.0).abs() < 1e-9);
}

#[test]
fn a_condition_that_never_holds_fails_the_iteration_and_no_call() {
    let (run, _) = play("-u 1 -n 10", polling(u64::MAX, 2), None);
    let phase = &run.data.phases[1];
    assert_eq!((phase.iterations.failed.get(FaultKind::Timeout), phase.iterations.ok), (10, 0));
    assert_eq!((phase.calls.ok, phase.calls.failed.total()), (20, 0));
}

#[test]
fn a_stop_lets_iterations_that_wait_to_call_again_come_to_their_end() {
    let (run, _) = play("-u 4 -d 60s", polling(16, 1_000), Some((1_050 * MS, Command::Stop(Nanos(0)))));
    let phase = &run.data.phases[1];
    assert_eq!((phase.iterations.ok, phase.iterations.abandoned), (phase.iterations.scheduled, 0));
    assert!(phase.iterations.scheduled >= 4 && run.end.end_ns > 1_050 * MS);
}

#[test]
fn the_end_of_the_graceful_stop_abandons_the_iterations_that_wait_to_call_again() {
    let stop = (1_050 * MS, Command::Stop(Nanos(0)));
    let leave = (1_050 * MS, Command::Abandon(Some(Nanos(0))));
    for (line, command, end) in
        [("-u 4 -d 60s --graceful-stop 500ms", stop, 1_550), ("-u 4 -d 60s", leave, 1_050)]
    {
        let (run, _) = play(line, polling(u64::MAX, 1_000), Some(command));
        let phase = &run.data.phases[1];
        assert_eq!((phase.iterations.abandoned, phase.iterations.ok), (4, 0), "{line}");
        assert_eq!((phase.calls.abandoned, phase.calls.failed.total()), (0, 0), "{line}");
        assert_eq!(run.end.end_ns / MS, end, "{line}");
    }
}
