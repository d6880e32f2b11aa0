//! Does the tool doubt itself, and only when it should?

use std::process::{Child, Command, Stdio};

use load_report::verdict::Clause;

use crate::support::{Left, Tool, alone, pass, server, signal, timed, url};

#[test]
fn a_healthy_run_makes_no_clause_true() {
    timed(|| {
        let (server, tool) = (server(""), Tool::new());
        tool.run(&url(&server, "/"), "-r 1000 -d 3s -c 32").exits(0)
    });
}

#[test]
fn a_pause_in_the_middle_is_late_and_misses_snapshots() {
    let _alone = alone();
    let (server, tool) = (server(""), Tool::new());
    let child = tool.start(&url(&server, "/"), "-r 1000 -d 6s -c 32 --no-thresholds");
    pass(1_000);
    signal(child.id(), "STOP");
    pass(3_800);
    signal(child.id(), "CONT");
    let left = tool.wait(child);
    let clauses = left.clauses();
    assert!(clauses.contains(&Clause::Lateness) && clauses.contains(&Clause::Snapshots), "{clauses:?}");
    assert_eq!(left.code, 111);
}

#[test]
fn a_pause_at_the_end_leaves_ticks_unsent_with_idle_lanes() {
    let _alone = alone();
    let (server, tool) = (server(""), Tool::new());
    let child = tool.start(&url(&server, "/"), "-r 1000 -d 2s -c 32 --no-thresholds");
    pass(1_000);
    signal(child.id(), "STOP");
    pass(1_700);
    signal(child.id(), "CONT");
    let left = tool.wait(child);
    assert!(left.clauses().contains(&Clause::UnsentWhileIdle), "{:?}", left.run().invalid);
    assert_eq!(left.code, 111);
}

#[test]
fn a_blocked_poll_is_a_slow_turn() {
    let _alone = alone();
    let tool = Tool::new();
    let left = tool.run("", "--null -r 1000 -d 2s -c 32 --null-block 5ms --no-thresholds");
    assert!(left.clauses().contains(&Clause::LoopTurn), "{:?}", left.run().invalid);
    assert_eq!(left.code, 111);
}

/// Processes that leave nothing of core 0.
struct Hogs(Vec<Child>);

impl Hogs {
    fn start() -> Self {
        let hog = || {
            let shell = ["-c", "0", "sh", "-c", "while :; do :; done"];
            Command::new("taskset").args(shell).stdin(Stdio::null()).spawn().unwrap()
        };
        Self((0..6).map(|_| hog()).collect())
    }
}

impl Drop for Hogs {
    fn drop(&mut self) {
        for hog in &mut self.0 {
            hog.kill().unwrap();
            hog.wait().unwrap();
        }
    }
}

/// A run on core 0, which hogs keep busy, at the least priority: the scheduler's kindness to sleepers does not help.
fn starved(tool: &Tool, url: &str, args: &str) -> Left {
    let _hogs = Hogs::start();
    let binary = tool.command(url, args);
    let mut pinned = Command::new("taskset");
    pinned.args(["-c", "0", "nice", "-n", "19"]).arg(binary.get_program()).args(binary.get_args());
    tool.wait(pinned.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
}

#[test]
fn a_generator_without_cpu_is_late() {
    let _alone = alone();
    let left = starved(&Tool::new(), "", "--null -r 2000 -d 3s -c 32 --threads 1 --no-thresholds");
    assert!(left.clauses().contains(&Clause::Lateness), "{:?}", left.run().invalid);
    assert_eq!(left.code, 111);
}

/// Answers that nobody reads make lanes look busy, and the target slow: only the loop knows better.
#[test]
fn a_generator_without_cpu_does_not_blame_the_target() {
    let _alone = alone();
    let (server, tool) = (server(""), Tool::new());
    let left = starved(&tool, &url(&server, "/"), "-r 2000 -d 3s -c 32 --threads 1 --no-thresholds");
    assert!(left.clauses().contains(&Clause::LoopTurn), "{:?}", left.run().invalid);
    assert_eq!(left.code, 111);
}

#[test]
fn a_killed_child_is_named() {
    let (server, tool) = (server(""), Tool::new());
    let child = tool.start(&url(&server, "/"), "-r 900 -d 3s -c 30 --processes 3 --no-thresholds");
    pass(1_500);
    let children = Command::new("pgrep").args(["-P", &child.id().to_string()]).output().unwrap();
    let children = String::from_utf8(children.stdout).unwrap();
    let victim = children.lines().next().unwrap().parse().unwrap();
    signal(victim, "KILL");
    let left = tool.wait(child);
    assert_eq!(left.code, 111);
    let lost: Vec<_> = left.run().invalid.iter().filter(|i| i.clause == Clause::Lost).collect();
    assert!(lost.len() == 1 && lost[0].why.contains("process "), "{lost:?}");
    // The other two thirds of the arrivals went on.
    assert!(left.run().ledger.calls.ok > 2_000);
}

#[test]
fn a_generator_without_idle_time_says_so() {
    let tool = Tool::new();
    let left = tool.run("", "--null -u 8 -d 3s --threshold response_time:p(50)<0.000001ms");
    assert!(left.run().generator.generator_bound);
    assert_eq!(left.code, 111, "{}", left.stdout);
}
