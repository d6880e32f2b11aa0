//! Steps that make several calls at the same time: when, over what, counted how, known to whom.

use std::num::NonZeroU32;

use load_suite::condition::Condition;
use load_suite::template::Names;
use load_suite::think::Think;

use super::staged::{Do, Staged, call, step};
use super::*;
use crate::plan::needs;
use crate::protocol::{Act, Branch, Call, Parallel};

/// A step that makes `calls`, so many `at_once`.
fn group(at_once: u32, calls: &[Do]) -> TaskStep<Do> {
    let branch = |what: &Do| Branch { conditions: Vec::new(), call: Call::new(0, *what) };
    let branches = calls.iter().map(branch).collect();
    let at_once = NonZeroU32::new(at_once).unwrap();
    TaskStep::of(Act::Parallel(Box::new(Parallel { branches, at_once, series: Some(0) })))
}

fn branch(step: &mut TaskStep<Do>, number: usize) -> &mut Branch<Do> {
    match &mut step.act {
        Act::Parallel(group) => &mut group.branches[number],
        Act::Call(_) | Act::Hold(_) | Act::Pause => panic!("one call"),
    }
}

const PAGE: [(&str, i64); 3] = [("html", 10), ("css", 30), ("js", 20)];

fn page() -> [Do; 3] {
    PAGE.map(|(name, ms)| call(name, ms))
}

#[test]
fn calls_overlap_and_the_iteration_goes_on_with_the_last() {
    let steps = vec![step(call("first", 5)), group(6, &page()), step(call("last", 1))];
    let (run, protocol) = play("-u 1 -n 2", Staged::<true>::of(steps), None);
    let expected = [("first", 0), ("html", 5), ("css", 5), ("js", 5), ("last", 35)];
    let again = expected.map(|(name, at)| (name, at + 36));
    assert_eq!(protocol.begun(), [expected, again].concat());
    let phase = &run.data.phases[1];
    assert_eq!((phase.calls.scheduled, phase.calls.ok, phase.iterations.ok), (10, 10, 2));
    assert_eq!(phase.iteration_ok.sum_ns(), 2 * 36 * MS as u128);
    // Each call's own time, from the instant at which all of them were due.
    let all = load_report::figures::all_ops(&phase.ops);
    assert_eq!(all.response_ok.sum_ns(), 2 * (5 + 10 + 30 + 20 + 1) * MS as u128);
    assert_eq!(all.service_ok.sum_ns(), all.response_ok.sum_ns());
    let whole = &phase.extras[0];
    assert_eq!((whole.count(), whole.sum_ns()), (2, 2 * 30 * MS as u128));
    // Connections besides the first are opened once, kept, and closed with the user.
    assert_eq!((protocol.opened(), protocol.closed.load(Ordering::Relaxed)), (3, 3));
    assert_eq!(run.connections.opened, 3);
    let last: Vec<_> =
        protocol.seen().iter().filter(|seen| seen.name == "last").map(|s| s.connection).collect();
    assert_eq!(last, [1, 1]);
}

#[test]
fn no_more_are_under_way_than_may_be_and_the_wait_is_in_the_response_time() {
    let calls: Vec<_> = ["a", "b", "c", "d", "e"].map(|name| call(name, 10)).into();
    let (run, protocol) = play("-u 1 -n 1", Staged::<true>::of(vec![group(2, &calls)]), None);
    assert_eq!(protocol.begun(), [("a", 0), ("b", 0), ("c", 10), ("d", 10), ("e", 20)]);
    let all = load_report::figures::all_ops(&run.data.phases[1].ops);
    assert_eq!(all.response_ok.sum_ns(), (2 * 10 + 2 * 20 + 30) * MS as u128);
    assert_eq!(all.service_ok.sum_ns(), 50 * MS as u128);
    assert_eq!(protocol.opened(), 2);
    // A connection that is free first takes the next call.
    let calls = [call("long", 50), call("a", 10), call("b", 10), call("c", 10)];
    let (_, protocol) = play("-u 1 -n 1", Staged::<true>::of(vec![group(2, &calls)]), None);
    assert_eq!(protocol.begun(), [("long", 0), ("a", 0), ("b", 10), ("c", 20)]);
}

#[test]
fn one_that_fails_lets_the_others_end_and_the_iteration_fails() {
    let mut calls = page();
    calls[0].fails = Some(FaultKind::Rejected);
    calls[2].fails = Some(FaultKind::Wrong);
    let steps = vec![group(2, &calls), step(call("never", 1))];
    let (run, protocol) = play("-u 1 -n 3", Staged::<false>::of(steps), None);
    let phase = &run.data.phases[1];
    assert_eq!((phase.calls.ok, phase.calls.failed.total(), phase.calls.scheduled), (3, 6, 9));
    assert_eq!(phase.calls.failed.get(FaultKind::Rejected), 3);
    // By its first fault.
    assert_eq!(phase.iterations.failed.get(FaultKind::Rejected), 3);
    assert_eq!(phase.iteration_failed.sum_ns(), 3 * 30 * MS as u128);
    assert!(protocol.seen().iter().all(|seen| seen.name != "never"));
    assert_eq!(phase.extras[0].count(), 0, "the time of a whole is that of a good one");
}

#[test]
fn what_is_learnt_is_known_after_the_step_and_not_within() {
    let mut calls = [call("x", 1), call("y", 2), call("z", 3)];
    (calls[0].keeps, calls[1].keeps, calls[2].keeps) = (Some(0), Some(1), Some(2));
    let mut first = call("first", 1);
    first.keeps = Some(0);
    let steps = vec![step(first), group(1, &calls), step(call("last", 1))];
    let (_, protocol) = play("-u 1 -n 1", Staged::<true>::of(steps), None);
    let vars: Vec<_> = protocol.seen().iter().map(|seen| seen.vars.join(",")).collect();
    assert_eq!(vars, [",,", "first,,", "first,,", "first,,", "x,y,z"]);
    // What the protocol keeps for the user is one and the same for all of them.
    let kept: Vec<_> = protocol.seen().iter().map(|seen| seen.kept).collect();
    assert_eq!(kept, [1, 2, 3, 4, 5]);
    let (_, protocol) = play("-u 1 -n 2", Staged::<true>::of(vec![group(3, &calls)]), None);
    let kept: Vec<_> = protocol.seen().iter().map(|seen| seen.kept).collect();
    assert_eq!(kept, [1, 2, 3, 4, 5, 6]);
}

#[test]
fn what_a_call_draws_does_not_depend_on_who_is_first() {
    let drawn = |at_once, css_ms| {
        let mut calls = page();
        calls[1].ms = css_ms;
        let steps = vec![group(at_once, &calls), step(call("last", 1))];
        let (_, protocol) = play("-u 1 -n 5 --seed 7", Staged::<true>::of(steps), None);
        let mut drawn: Vec<_> =
            protocol.seen().iter().map(|seen| (seen.iteration, seen.name, seen.drawn)).collect();
        drawn.sort_unstable();
        drawn
    };
    let one = drawn(1, 1);
    assert_eq!(one, drawn(6, 30));
    assert_eq!(one, drawn(2, 300));
    let different: std::collections::HashSet<_> = one.iter().map(|(_, _, drawn)| drawn).collect();
    assert_eq!(different.len(), one.len());
}

#[test]
fn a_timeout_is_that_of_one_call() {
    let calls = [call("quick", 10), call("slow", 10_000), call("middle", 300)];
    let (run, protocol) = play("-u 1 -n 2 --timeout 500ms", Staged::<true>::of(vec![group(6, &calls)]), None);
    let phase = &run.data.phases[1];
    assert_eq!((phase.calls.ok, phase.calls.failed.get(FaultKind::Timeout)), (4, 2));
    assert_eq!(phase.iteration_failed.sum_ns(), 2 * 500 * MS as u128);
    // The connection of the slow one is lost, and opened again when it is needed.
    assert_eq!(protocol.opened(), 4);
    // While a call waits for its turn its time has not begun.
    let calls = [call("a", 400), call("b", 400)];
    let (run, _) = play("-u 1 -n 1 --timeout 500ms", Staged::<true>::of(vec![group(1, &calls)]), None);
    assert_eq!(run.ledger.calls.ok, 2);
}

#[test]
fn a_stop_lets_them_end_and_a_second_one_abandons_what_is_under_way() {
    // Two of three begin at 0 and 6 s, the third at 3 and 9 s.
    let staged = || Staged::<true>::of(vec![group(2, &["a", "b", "c"].map(|name| call(name, 3_000)))]);
    let told = |at: i64, command| Some((at * MS, command));
    let (run, _) = play("-u 4 -d 60s", staged(), told(7_000, Command::Stop(Nanos(0))));
    assert_eq!((run.ledger.iterations.ok, run.ledger.calls.ok, run.end.end_ns / SECOND), (8, 24, 12));
    for (at, ok, abandoned) in [(4_000, 8, 4), (7_000, 12, 8)] {
        let (run, _) = play("-u 4 -d 60s", staged(), told(at, Command::Abandon(Some(Nanos(0)))));
        let ledger = &run.ledger;
        assert_eq!((ledger.calls.ok, ledger.calls.abandoned), (ok, abandoned), "{at}");
        assert_eq!(ledger.iterations.abandoned, 4, "{at}");
        assert_eq!(ledger.calls.scheduled, ok + abandoned, "what has not begun was not scheduled");
    }
    let (run, _) = play("-u 4 -d 7s --graceful-stop 1s", staged(), None);
    assert_eq!((run.ledger.calls.ok, run.ledger.calls.abandoned, run.end.end_ns / SECOND), (12, 8, 8));
    // Between two calls of which one is to be made again, nothing is under way.
    let mut step = group(2, &[call("a", 1), Do { pending: u64::MAX, ..call("b", 1) }]);
    branch(&mut step, 1).call.poll = Some(Poll { every: Nanos(10 * SECOND), at_most: 9, series: None });
    let (run, _) =
        play("-u 3 -d 60s", Staged::<true>::of(vec![step]), told(5_000, Command::Abandon(Some(Nanos(0)))));
    assert_eq!((run.ledger.calls.ok, run.ledger.calls.abandoned), (6, 0));
    assert_eq!(run.ledger.iterations.abandoned, 3);
}

#[test]
fn frames_count_what_is_under_way_and_what_is_open() {
    let staged = Staged::<true>::of(vec![group(3, &["a", "b", "c"].map(|name| call(name, 3_000)))]);
    let (run, _) = play("-u 4 -d 5s", staged, None);
    let point = &run.timeseries.points[1];
    assert_eq!((point.in_flight, point.vus, point.connections), (12, 4, 12));
}

#[test]
fn calls_that_are_made_again_leave_the_others_alone() {
    let mut step = group(2, &[Do { pending: 2, ..call("job", 1) }, call("b", 5), call("c", 5)]);
    branch(&mut step, 0).call.poll = Some(Poll { every: Nanos(10 * MS), at_most: 3, series: None });
    let (run, protocol) = play("-u 1 -n 1", Staged::<true>::of(vec![step]), None);
    assert_eq!(protocol.begun(), [("job", 0), ("b", 0), ("c", 5), ("job", 11), ("job", 22)]);
    assert_eq!((run.ledger.iterations.ok, run.ledger.calls.ok), (1, 5));
}

#[test]
fn a_side_connection_that_ended_meanwhile_is_no_failed_call() {
    let steps =
        || vec![TaskStep { think: Think::parse("1s").unwrap(), ..group(6, &page()) }, step(call("last", 1))];
    for breaks in [2, 3] {
        let staged = Staged::<true> { breaks: Some((breaks, 500)), ..Staged::of(steps()) };
        let (run, protocol) = play("-u 1 -n 2", staged, None);
        assert_eq!((run.ledger.calls.ok, run.ledger.iterations.ok), (8, 2));
        assert_eq!((protocol.opened(), run.connections.peak), (4, 3));
        assert_eq!(run.faults.iter().map(|fault| fault.count).sum::<u64>(), 1, "it is told all the same");
    }
    // One that ends with its call, in good order, is replaced within the step, though a new session starts afresh.
    let calls: Vec<_> = ["a", "b", "c", "d"].map(|name| Do { ends: true, ..call(name, 10) }).into();
    let (run, protocol) = play("-u 1 -n 1", Staged::<true>::of(vec![group(2, &calls)]), None);
    // The last one is for an iteration that does not come.
    assert_eq!((run.ledger.calls.ok, protocol.opened()), (4, 5));
}

#[test]
fn where_no_more_connections_are_to_be_had_the_calls_that_need_them_fail() {
    let steps = vec![step(call("first", 5)), group(6, &page())];
    let staged = Staged::<true> { away_ms: 1, ..Staged::of(steps) };
    let (run, protocol) = play("-u 1 -n 2", staged, None);
    // Those that need one fail at once, and nothing is left for the lane's own but the first.
    assert_eq!((run.ledger.calls.ok, run.ledger.calls.failed.get(FaultKind::Connect)), (4, 4));
    assert_eq!(run.ledger.iterations.failed.get(FaultKind::Connect), 2);
    assert_eq!((protocol.opened(), run.connections.failed), (1, 4));
}

#[test]
fn lanes_that_share_a_connection_share_it_for_this_too() {
    let sharing = Sharing::Shared { lanes: None };
    let staged = Staged::<true> { sharing, ..Staged::of(vec![group(6, &page())]) };
    let (run, protocol) = play("-u 4 -c 2 --threads 1 -n 8", staged, None);
    assert_eq!((run.ledger.calls.ok, protocol.opened(), run.connections.peak), (24, 2, 2));
    assert_eq!(protocol.begun().iter().filter(|(_, at)| *at == 0).count(), 12);
}

#[test]
fn conditions_leave_out_one_call_or_the_whole_step() {
    let mut names = Names::none();
    let slot = names.slot("there");
    let condition = |text| Condition::compile(text, &names).unwrap();
    let mut one = group(6, &page());
    branch(&mut one, 1).conditions.push(condition("there"));
    let mut none = group(6, &[call("a", 1), call("b", 1)]);
    branch(&mut none, 0).conditions.push(condition("not there"));
    branch(&mut none, 1).conditions.push(condition("not there"));
    let mut last = call("last", 1);
    last.keeps = Some(slot);
    let pause = Think::parse("100ms").unwrap();
    let steps = vec![one, TaskStep { think: pause, ..none }, step(last)];
    let (run, protocol) = play("-u 1 -n 2", Staged::<true>::of(steps), None);
    // At first `there` is not set; in the second iteration it is, and no pause follows what was not done.
    let first = [("html", 0), ("js", 0), ("a", 20), ("b", 20), ("last", 121)];
    let second = [("html", 122), ("css", 122), ("js", 122), ("last", 152)];
    assert_eq!(protocol.begun(), [&first[..], &second[..]].concat());
    assert_eq!(run.ledger.calls.ok, 9);
}

#[test]
fn arrivals_that_find_no_lane_wait_as_for_any_iteration() {
    let staged = Staged::<true>::of(vec![group(3, &["a", "b", "c"].map(|name| call(name, 100)))]);
    let (run, _) = play("-r 20 -d 5s -c 4 --max-vus 4", staged, None);
    assert_eq!((run.ledger.iterations.ok, run.ledger.calls.ok, run.connections.opened), (100, 300, 12));
}

#[test]
fn the_machine_is_asked_for_every_connection() {
    let plan = |at_once| {
        let staged = Staged::<true>::of(vec![group(at_once, &page()), step(call("last", 1))]);
        build(&args("-u 1000 -d 1s"), Context::of(&staged)).unwrap()
    };
    let ports = |at_once| needs(&plan(at_once)).ports;
    assert_eq!((ports(1), ports(2), ports(100)), (1_000, 2_000, 3_000));
    assert!(needs(&plan(3)).descriptors > 3_000);
}
