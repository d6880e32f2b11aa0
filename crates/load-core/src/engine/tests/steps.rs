//! What an iteration is made of besides calls: first and last steps of a user, pauses, a session that is replaced.

use load_suite::condition::Condition;
use load_suite::template::Names;
use load_suite::think::Think;

use super::staged::{Do, Staged, call, step};
use super::*;
use crate::protocol::UserClass;

fn paused(what: Do, ms: u64) -> TaskStep<Do> {
    TaskStep { think: Think::parse(&format!("{ms}ms")).unwrap(), ..step(what) }
}

/// One class of users who log in, work and log out.
fn class(login: Do, logout: Do) -> Script<Do> {
    Script::new(vec![UserClass {
        name: String::new(),
        weight: 1,
        think: None,
        start: vec![step(login), step(call("hello", 1))],
        tasks: vec![Task::new(1, vec![step(call("work", 10))])],
        stop: vec![step(call("bye", 1)), step(logout)],
    }])
}

fn count<const RESUMES: bool>(protocol: &Staged<RESUMES>, name: &str) -> usize {
    protocol.begun().iter().filter(|(seen, _)| *seen == name).count()
}

#[test]
fn first_steps_are_made_once_and_belong_to_the_first_iteration() {
    let (run, protocol) = play("-u 1 -n 3", Staged::<true>::with(class(call("in", 5), call("out", 2))), None);
    let expected =
        [("in", 0), ("hello", 5), ("work", 6), ("work", 16), ("work", 26), ("bye", 36), ("out", 37)];
    assert_eq!(protocol.begun(), expected);
    let phase = &run.data.phases[1];
    // The last steps are calls outside any iteration.
    assert_eq!((phase.iterations.ok, phase.calls.ok), (3, 7));
    assert_eq!(phase.iteration_ok.sum_ns(), (16 + 10 + 10) * MS as u128);
    assert_eq!(protocol.opened(), 1, "a user has one connection for all of it");
}

#[test]
fn first_steps_that_fail_are_tried_again_and_there_is_nothing_to_end() {
    let login = Do { fails: Some(FaultKind::Rejected), ..call("in", 5) };
    let (run, protocol) = play("-u 2 -n 6", Staged::<true>::with(class(login, call("out", 2))), None);
    assert_eq!((count(&protocol, "in"), count(&protocol, "work"), count(&protocol, "out")), (6, 0, 0));
    assert_eq!(run.ledger.iterations.failed.get(FaultKind::Rejected), 6);
}

#[test]
fn last_steps_that_fail_are_failed_calls_and_no_failed_iterations() {
    let logout = Do { fails: Some(FaultKind::Wrong), ..call("out", 2) };
    let (run, _) = play("-u 2 -n 6", Staged::<true>::with(class(call("in", 5), logout)), None);
    assert_eq!((run.ledger.iterations.ok, run.ledger.iterations.failed.total()), (6, 0));
    assert_eq!((run.ledger.calls.failed.get(FaultKind::Wrong), run.ledger.calls.ok), (2, 2 * 3 + 6));
}

#[test]
fn users_who_come_and_go_begin_and_end_each_time() {
    let staged = Staged::<true>::with(class(call("in", 5), call("out", 2)));
    let (run, protocol) = play("-u 0 --stage 1s:2,1s:2,1s:0 --think 100ms", staged, None);
    assert_eq!((count(&protocol, "in"), count(&protocol, "out")), (2, 2));
    let ends: Vec<_> = protocol.seen().iter().filter(|seen| seen.name == "out").map(|s| s.end_ms).collect();
    assert!(ends.iter().all(|end| (2_000..3_200).contains(end)), "{ends:?}");
    assert_eq!((protocol.opened(), protocol.closed.load(Ordering::Relaxed)), (2, 2));
    assert_eq!(run.ledger.calls.ok as usize, protocol.begun().len());
}

#[test]
fn a_signal_lets_users_say_goodbye_but_not_two() {
    let staged = || Staged::<true>::with(class(call("in", 5), call("out", 100)));
    let (run, protocol) = play("-u 3 -d 60s", staged(), Some((1_000 * MS, Command::Stop(Nanos(0)))));
    assert_eq!((count(&protocol, "out"), run.ledger.calls.abandoned), (3, 0));
    // The graceful stop runs out in the last call, which stands for no iteration.
    let line = "-u 3 -d 1s --graceful-stop 50ms";
    let (run, protocol) = play(line, staged(), None);
    assert_eq!((count(&protocol, "out"), run.ledger.calls.abandoned), (0, 3));
    assert_eq!(run.ledger.iterations.abandoned, 0);
}

#[test]
fn lanes_that_never_had_an_iteration_make_no_first_and_no_last_step() {
    let staged = Staged::<true>::with(class(call("in", 5), call("out", 2)));
    let (_, protocol) = play("-r 10 -d 1s -c 8", staged, None);
    // One iteration every 100 ms: lanes take turns, so all eight have one in the first 0.8 s.
    assert_eq!((count(&protocol, "work"), count(&protocol, "in"), count(&protocol, "out")), (10, 8, 8));
    let staged = Staged::<true>::with(class(call("in", 5), call("out", 2)));
    let (_, protocol) = play("-r 3 -d 1s -c 8", staged, None);
    assert_eq!((count(&protocol, "work"), count(&protocol, "in"), count(&protocol, "out")), (3, 3, 3));
}

#[test]
fn a_pause_is_between_two_calls_and_in_neither() {
    let steps = vec![paused(call("a", 10), 200), paused(call("b", 20), 500), paused(call("c", 30), 9_000)];
    let (run, protocol) = play("-u 1 -n 2", Staged::<true>::of(steps), None);
    // The pause after the last step is none of the iteration's.
    let first = [("a", 0), ("b", 210), ("c", 730)];
    assert_eq!(protocol.begun(), [first, first.map(|(name, at)| (name, at + 9_760))].concat());
    let phase = &run.data.phases[1];
    let all = load_report::figures::all_ops(&phase.ops);
    assert_eq!(all.response_ok.sum_ns(), 2 * 60 * MS as u128);
    assert_eq!(phase.iteration_ok.sum_ns(), 2 * 760 * MS as u128);
}

#[test]
fn a_stop_in_a_pause_lets_the_iteration_come_to_its_end() {
    let steps = || vec![paused(call("a", 10), 2_000), step(call("b", 10))];
    let stop = Some((1_000 * MS, Command::Stop(Nanos(0))));
    let (run, protocol) = play("-u 2 -d 60s", Staged::<true>::of(steps()), stop);
    assert_eq!((run.ledger.iterations.ok, count(&protocol, "b"), run.end.end_ns / MS), (2, 2, 2_020));
    let leave = Some((1_000 * MS, Command::Abandon(Some(Nanos(0)))));
    let (run, _) = play("-u 2 -d 60s", Staged::<true>::of(steps()), leave);
    assert_eq!((run.ledger.iterations.abandoned, run.ledger.calls.abandoned, run.ledger.calls.ok), (2, 0, 2));
}

#[test]
fn a_session_that_ended_is_replaced_between_two_calls_where_that_does_no_harm() {
    let steps = || vec![step(Do { ends: true, ..call("a", 10) }), step(call("b", 10))];
    let (run, protocol) = play("-u 1 -n 3", Staged::<true>::of(steps()), None);
    assert_eq!((run.ledger.iterations.ok, run.ledger.calls.ok, protocol.opened()), (3, 6, 4));
    let connections: Vec<_> = protocol.seen().iter().map(|seen| seen.connection).collect();
    assert_eq!(connections, [1, 2, 2, 3, 3, 4]);
    // Where a session knows what a new one would not, the iteration cannot go on.
    let (run, protocol) = play("-u 1 -n 3", Staged::<false>::of(steps()), None);
    assert_eq!((run.ledger.iterations.failed.get(FaultKind::Closed), run.ledger.calls.ok), (3, 3));
    assert_eq!(count(&protocol, "b"), 0);
}

#[test]
fn a_session_that_is_lost_in_a_pause_is_replaced_when_the_next_call_is_due() {
    let steps = || vec![paused(call("a", 10), 1_000), step(call("b", 10))];
    let breaks = Some((1, 300));
    let (run, protocol) = play("-u 1 -n 1", Staged::<true> { breaks, ..Staged::of(steps()) }, None);
    assert_eq!(protocol.begun(), [("a", 0), ("b", 1_010)]);
    assert_eq!((run.ledger.iterations.ok, protocol.opened()), (1, 2));
    let (run, protocol) = play("-u 1 -n 1", Staged::<false> { breaks, ..Staged::of(steps()) }, None);
    assert_eq!((run.ledger.iterations.failed.get(FaultKind::Closed), count(&protocol, "b")), (1, 0));
    assert_eq!(run.end.end_ns / MS, 300, "there is nothing to wait for");
}

#[test]
fn a_call_for_which_no_session_is_to_be_had_has_failed() {
    let steps = vec![step(Do { ends: true, ..call("a", 10) }), step(call("b", 10)), step(call("c", 10))];
    let staged = Staged::<true> { away_ms: 5, ..Staged::of(steps) };
    let (run, protocol) = play("-u 1 -n 1", staged, None);
    let phase = &run.data.phases[1];
    assert_eq!((phase.calls.ok, phase.calls.failed.get(FaultKind::Connect)), (1, 1));
    assert_eq!(phase.iterations.failed.get(FaultKind::Connect), 1);
    assert_eq!(protocol.begun(), [("a", 0)]);
}

#[test]
fn an_iteration_goes_on_behind_a_step_that_says_so_and_has_failed_all_the_same() {
    let wrong = |name| Do { fails: Some(FaultKind::Wrong), ..call(name, 10) };
    let goes_on = |what| TaskStep { goes_on: Some(Vec::new()), ..paused(what, 50) };
    let steps = vec![goes_on(wrong("a")), goes_on(call("b", 10)), step(wrong("c")), step(call("d", 10))];
    let (run, protocol) = play("-u 1 -n 2", Staged::<true>::of(steps), None);
    // The pause behind it is made, too.
    let first = [("a", 0), ("b", 60), ("c", 120)];
    assert_eq!(protocol.begun(), [first, first.map(|(name, at)| (name, at + 130))].concat());
    let (iterations, calls) = (&run.ledger.iterations, &run.ledger.calls);
    assert_eq!((iterations.ok, iterations.failed.get(FaultKind::Wrong)), (0, 2));
    assert_eq!((calls.ok, calls.failed.get(FaultKind::Wrong)), (2, 4));
    // Of several faults the first one is the iteration's.
    let rejected = Do { fails: Some(FaultKind::Rejected), ..call("b", 10) };
    let steps = vec![goes_on(wrong("a")), goes_on(rejected), step(call("c", 10))];
    let (run, protocol) = play("-u 1 -n 3", Staged::<true>::of(steps), None);
    assert_eq!((count(&protocol, "c"), run.ledger.iterations.failed.get(FaultKind::Wrong)), (3, 3));
    assert_eq!(run.ledger.iterations.failed.total(), 3);
}

#[test]
fn an_iteration_does_not_go_on_without_its_connection() {
    let lost = Do { fails: Some(FaultKind::Wrong), ends: true, ..call("a", 10) };
    let steps = || vec![TaskStep { goes_on: Some(Vec::new()), ..step(lost) }, step(call("b", 10))];
    let (_, protocol) = play("-u 1 -n 2", Staged::<false>::of(steps()), None);
    assert_eq!((count(&protocol, "a"), count(&protocol, "b")), (2, 0));
    // Where another one does no harm it goes on with that.
    let (_, protocol) = play("-u 1 -n 2", Staged::<true>::of(steps()), None);
    assert_eq!((count(&protocol, "a"), count(&protocol, "b")), (2, 2));
}

#[test]
fn first_steps_that_may_fail_are_made_once() {
    let login = Do { fails: Some(FaultKind::Rejected), ..call("in", 5) };
    let mut script = class(login, call("out", 2));
    let goes_on = |class: &UserClass<Do>| {
        let start = class.start.iter().map(|step| TaskStep { goes_on: Some(Vec::new()), ..step.clone() });
        UserClass { start: start.collect(), ..class.clone() }
    };
    script = Script::new(script.classes().iter().map(goes_on).collect());
    let (run, protocol) = play("-u 2 -n 6", Staged::<true>::with(script), None);
    assert_eq!((count(&protocol, "in"), count(&protocol, "work"), count(&protocol, "out")), (2, 6, 2));
    let iterations = &run.ledger.iterations;
    assert_eq!((iterations.ok, iterations.failed.get(FaultKind::Rejected)), (4, 2));
}

#[test]
fn what_a_failed_step_would_have_learnt_is_not_set_behind_it() {
    // The first call keeps its name, the second one would replace it, and fails.
    let keeps = Do { keeps: Some(0), ..call("a", 10) };
    let fails =
        TaskStep { goes_on: Some(vec![0]), ..step(Do { fails: Some(FaultKind::Wrong), ..call("b", 10) }) };
    let steps = vec![step(keeps), fails, step(call("c", 10))];
    let (_, protocol) = play("-u 1 -n 1", Staged::<true>::of(steps), None);
    let known: Vec<_> = protocol.seen().iter().map(|seen| seen.vars[0].clone()).collect();
    assert_eq!(known, ["", "a", ""]);
}

#[test]
fn the_pause_of_the_last_step_is_made_instead_of_the_class_s() {
    let class = |steps| {
        let tasks = vec![Task::new(1, steps)];
        let think = Some(Think::parse("1s").unwrap());
        let (name, start, stop) = (String::new(), Vec::new(), Vec::new());
        Script::new(vec![UserClass { name, weight: 1, think, start, tasks, stop }])
    };
    let begun = |line: &str, steps| {
        let (run, protocol) = play(line, Staged::<true>::with(class(steps)), None);
        assert_eq!(run.ledger.iterations.ok, run.ledger.iterations.scheduled);
        protocol.begun()
    };
    assert_eq!(begun("-u 1 -n 2", vec![step(call("a", 10))]), [("a", 0), ("a", 1_010)]);
    assert_eq!(begun("-u 1 -n 2", vec![paused(call("a", 10), 300)]), [("a", 0), ("a", 310)]);
    // What the command line says wins over both, and at a rate there is no pause behind an iteration.
    assert_eq!(begun("-u 1 -n 2 --think 2s", vec![paused(call("a", 10), 300)]), [("a", 0), ("a", 2_010)]);
    assert_eq!(begun("-r 10 -n 2 -c 1", vec![paused(call("a", 10), 300)]), [("a", 0), ("a", 100)]);
    // Where the last step is left out, it is the class's.
    let never = Condition::compile("1 == 2", &Names::none()).unwrap();
    let left_out = TaskStep { conditions: vec![never], ..step(call("b", 10)) };
    let steps = vec![paused(call("a", 10), 300), left_out];
    assert_eq!(begun("-u 1 -n 2", steps), [("a", 0), ("a", 1_010)]);
    // A pause alone is no call, wherever it stands.
    let pause = |ms: u64| TaskStep {
        think: Think::parse(&format!("{ms}ms")).unwrap(),
        ..TaskStep::of(crate::protocol::Act::Pause)
    };
    let steps =
        vec![pause(50), paused(call("a", 10), 20), pause(30), pause(5), step(call("b", 10)), pause(400)];
    assert_eq!(begun("-u 1 -n 2", steps), [("a", 50), ("b", 115), ("a", 575), ("b", 640)]);
}
