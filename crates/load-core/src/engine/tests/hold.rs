//! Connections that are held: calls at times, what ends a hold, and visits that begin and end.

use load_suite::think::Think;

use super::staged::{Do, Staged, call, step};
use super::*;
use crate::protocol::{Act, Branch, Call, Hold, Timer, UserClass};

/// A call every so many ms, the first one after `first`.
fn timer(first: i64, every: i64, what: Do) -> Timer<Do> {
    let call = Call::new(0, what);
    let calls = vec![(1, Branch { conditions: Vec::new(), call })];
    Timer { first: Nanos(first * MS), every: Nanos(every * MS), calls }
}

fn hold(lasts: &str, timers: Vec<Timer<Do>>) -> TaskStep<Do> {
    let lasts = Think::parse(lasts).unwrap();
    TaskStep::of(Act::Hold(Box::new(Hold {
        lasts,
        until: None,
        missed: String::new(),
        series: None,
        timers,
    })))
}

#[test]
fn calls_are_due_at_their_times_and_late_ones_are_made_late() {
    let slow = Do { pending: 0, ..call("slow", 250) };
    let timers = vec![timer(100, 100, call("a", 10)), timer(0, 200, call("b", 5)), timer(650, 900, slow)];
    let steps = vec![step(call("in", 20)), hold("1s", timers), step(call("out", 1))];
    let (run, protocol) = play("-u 1 -n 1", Staged::<true>::of(steps), None);
    // The hold begins at 20 ms. At 200, 400, ... both are due, and the first timer's call comes first.
    let expected = [
        ("in", 0),
        ("b", 20),
        ("a", 120),
        ("a", 220),
        ("b", 230),
        ("a", 320),
        ("a", 420),
        ("b", 430),
        ("a", 520),
        ("a", 620),
        ("b", 630),
        ("slow", 670),
        ("a", 920),
        ("a", 930),
        ("b", 940),
        ("a", 945),
        ("out", 1_020),
    ];
    assert_eq!(protocol.begun(), expected);
    let phase = &run.data.phases[1];
    let all = load_report::figures::all_ops(&phase.ops);
    // What the slow one kept waiting was due at 720, 820 and 820 ms, and at 920.
    let late = (920 - 720) + (930 - 820) + (940 - 820) + (945 - 920);
    let waits = 3 * 10 + late;
    assert_eq!(all.response_ok.sum_ns(), (20 + 9 * 10 + 5 * 5 + 250 + 1 + waits) as u128 * MS as u128);
    assert_eq!(phase.iteration_ok.sum_ns(), 1_021 * MS as u128);
}

#[test]
fn a_timers_call_that_fails_fails_itself_alone() {
    let bad = Do { fails: Some(FaultKind::Wrong), ..call("bad", 10) };
    let steps = vec![hold("1s", vec![timer(300, 300, bad)])];
    let (run, protocol) = play("-u 1 -n 2", Staged::<true>::of(steps), None);
    assert_eq!((run.ledger.iterations.ok, run.ledger.calls.failed.get(FaultKind::Wrong)), (2, 6));
    assert_eq!(protocol.opened(), 1);
    // Unless the connection ends with it.
    let fatal = Do { ends: true, ..bad };
    let steps = vec![hold("1s", vec![timer(300, 300, fatal)])];
    let (run, protocol) = play("-u 1 -n 2", Staged::<false>::of(steps), None);
    assert_eq!(run.ledger.iterations.failed.get(FaultKind::Wrong), 2);
    assert_eq!(protocol.begun(), [("bad", 300), ("bad", 610)]);
}

#[test]
fn what_does_not_come_while_it_is_held_is_a_fault_of_the_iteration() {
    let waiting = || {
        let mut step = hold("1s", vec![timer(400, 400, call("ping", 1))]);
        let Act::Hold(hold) = &mut step.act else { panic!("it holds") };
        (hold.until, hold.missed) = (Some(call("never", 1)), "it did not come (x.toml:3)".into());
        step
    };
    let (run, protocol) = play("-u 1 -n 2", Staged::<true>::of(vec![waiting(), step(call("out", 1))]), None);
    assert_eq!(run.ledger.iterations.failed.get(FaultKind::Timeout), 2);
    assert_eq!(run.ledger.calls.failed.total(), 0, "no call has failed");
    let told = |fault: &load_report::model::FaultReport| (fault.op.is_none(), fault.kind, fault.count);
    assert_eq!(run.faults.iter().map(told).collect::<Vec<_>>(), [(true, FaultKind::Timeout, 2)]);
    assert!(format!("{:?}", run.faults).contains("it did not come (x.toml:3)"));
    // The connection is what it was.
    let pings = [400, 800, 1_400, 1_800].map(|at| ("ping", at));
    assert_eq!((protocol.begun(), protocol.opened()), (pings.to_vec(), 1));
    // It goes on where the step says so, and the iteration has failed all the same.
    let on = TaskStep { goes_on: Some(Vec::new()), ..waiting() };
    let (run, protocol) = play("-u 1 -n 1", Staged::<true>::of(vec![on, step(call("out", 1))]), None);
    assert_eq!((run.ledger.iterations.ok, protocol.begun().last().copied()), (0, Some(("out", 1_000))));
    // That the time of the run is over is no fault of the target's.
    let (run, _) = play("-u 1 -d 500ms", Staged::<true>::of(vec![waiting()]), None);
    assert_eq!((run.ledger.iterations.ok, run.faults.len()), (1, 0));
}

#[test]
fn a_hold_ends_with_the_users_time_the_runs_time_and_a_signal() {
    let steps = || vec![hold("60s", vec![timer(400, 400, call("ping", 1))]), step(call("out", 1))];
    for (line, stop) in [
        ("-u 2 -d 1s", None),
        ("-u 2 -d 60s", Some((1_000 * MS, Command::Stop(Nanos(0))))),
        ("-r 2 -d 1s -c 2", None),
    ] {
        let (run, protocol) = play(line, Staged::<false>::of(steps()), stop);
        let outs: Vec<_> = protocol.begun().into_iter().filter(|(name, _)| *name == "out").collect();
        assert_eq!(outs, [("out", 1_000), ("out", 1_000)], "{line}");
        assert_eq!((run.ledger.iterations.ok, run.ledger.iterations.abandoned), (2, 0), "{line}");
    }
    // One user goes after half a second, the other one after a second and a half.
    let (run, protocol) = play("-u 2 --stage 1s:2,1s:0", Staged::<false>::of(steps()), None);
    let outs = protocol.begun().into_iter().filter(|(name, _)| *name == "out").count();
    assert_eq!((outs as u64, run.ledger.iterations.failed.total()), (run.ledger.iterations.ok, 0));
    assert!(outs >= 2);
    // The last ticks being taken is no end of the run's time.
    let steps = vec![hold("500ms", Vec::new())];
    let (run, _) = play("-u 2 -n 2", Staged::<false>::of(steps), None);
    assert_eq!((run.ledger.iterations.ok, run.end.end_ns / MS), (2, 500));
}

/// Subscribes, works for 100 ms, says goodbye.
fn visit() -> Script<Do> {
    Script::new(vec![UserClass {
        name: String::new(),
        weight: 1,
        think: Some(Think::parse("50ms").unwrap()),
        start: vec![step(call("subscribe", 5))],
        tasks: vec![Task::new(
            1,
            vec![hold("100ms", Vec::new()), step(Do { ends: true, ..call("close", 5) })],
        )],
        stop: vec![step(call("never", 1))],
    }])
}

#[test]
fn every_visit_has_a_connection_and_first_steps_of_its_own() {
    let (run, protocol) = play("-u 1 -n 3", Staged::<false>::with(visit()), None);
    let expected = [0, 160, 320].map(|at| [("subscribe", at), ("close", at + 105)]).concat();
    assert_eq!(protocol.begun(), expected);
    assert_eq!((protocol.opened(), run.connections.opened, run.ledger.iterations.ok), (3, 3, 3));
    let connections: Vec<_> = protocol.seen().iter().map(|seen| seen.connection).collect();
    assert_eq!(connections, [1, 1, 2, 2, 3, 3]);
}

#[test]
fn nobody_comes_back_when_the_time_is_over() {
    for (line, begun, opened) in [
        // Away from 110 ms to 160 ms, when the run ends.
        ("-u 1 -d 150ms", vec![("subscribe", 0), ("close", 105)], 1),
        ("-u 1 -d 250ms", vec![("subscribe", 0), ("close", 105), ("subscribe", 160), ("close", 250)], 2),
    ] {
        let (run, protocol) = play(line, Staged::<false>::with(visit()), None);
        assert_eq!((protocol.begun(), protocol.opened()), (begun, opened), "{line}");
        assert_eq!(run.ledger.iterations.failed.total(), 0, "{line}");
    }
    // So it is for a user whose time is over before that of the run.
    let (run, protocol) = play("-u 0 --stage 150ms:1,10ms:0,2s:0", Staged::<false>::with(visit()), None);
    assert_eq!((protocol.opened(), run.ledger.iterations.failed.total()), (1, 0), "{:?}", protocol.begun());
}

#[test]
fn a_connection_that_breaks_is_followed_by_a_new_visit() {
    let mut staged = Staged::<false>::with(visit());
    staged.breaks = Some((1, 50));
    let (run, protocol) = play("-u 1 -n 2", staged, None);
    // The broken one ends its iteration at 50 ms; the next one is due after the pause, and the connection is there before.
    assert_eq!(protocol.begun(), [("subscribe", 0), ("subscribe", 100), ("close", 205)]);
    assert_eq!((run.ledger.iterations.ok, run.ledger.iterations.failed.get(FaultKind::Closed)), (1, 1));
    assert_eq!(protocol.opened(), 2);
}
