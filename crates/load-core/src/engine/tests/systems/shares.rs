//! Do users do what they do as often as the documents say, do they pause as long, and are there as many of each kind?

use std::collections::BTreeMap;

use super::habits::Habits;
use super::kinds::{self, Kind};
use super::*;

/// What is so unlikely about what the users did that it is no chance.
fn unlikely<const VISITS: bool>(users: &Users<VISITS>, kinds: &[Kind]) -> Vec<String> {
    kinds.iter().flat_map(|kind| unlikely_of(&users.habits(kind.name), kind)).collect()
}

fn unlikely_of(habits: &Habits, kind: &Kind) -> Vec<String> {
    let mut found = Vec::new();
    let counts: Vec<usize> =
        kind.tasks.iter().map(|(task, _)| habits.tasks.get(*task).copied().unwrap_or(0)).collect();
    let weights: Vec<u32> = kind.tasks.iter().map(|(_, weight)| *weight).collect();
    let all: usize = habits.tasks.values().sum();
    assert!(all >= 10_000 && habits.waits.len() >= 10_000, "{}: {all} iterations", kind.name);
    if counts.iter().sum::<usize>() != all {
        found.push(format!("{}: does something else: {:?}", kind.name, habits.tasks));
    } else if counts.len() > 1 {
        let p = chance::of_counts(&counts, &weights);
        if p <= chance::LEAST {
            found.push(format!("{}: {:?} for {weights:?}, p = {p}", kind.name, habits.tasks));
        }
    }
    let (low, high) = kind.waits;
    let p = chance::of_times(&habits.waits, low, high);
    if p <= chance::LEAST {
        let range = habits.waits.iter().fold((f64::MAX, 0.0_f64), |(a, b), &wait| (a.min(wait), b.max(wait)));
        found.push(format!("{}: waits of {range:?} s for {low} to {high} s, p = {p}", kind.name));
    }
    found
}

/// Runs a shipped suite as `line` says and compares.
fn judge<const VISITS: bool>(tool: &str, suite: &str, line: &str, kinds: &[Kind]) {
    judge_changed::<VISITS>(tool, suite, "", line, kinds);
}

/// The same with changes.
fn judge_changed<const VISITS: bool>(tool: &str, suite: &str, changes: &str, line: &str, kinds: &[Kind]) {
    let changed = Changed::new(suite, changes);
    let (_, users) = act::<VISITS>(tool, &changed.path(), line);
    assert_eq!(unlikely(&users, kinds), Vec::<String>::new(), "{suite} ({tool})");
}

/// A suite that extends a shipped one.
struct Changed(tempfile::TempDir);

impl Changed {
    fn new(suite: &str, changes: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let text = format!("extends = {:?}\n{changes}", shipped(suite));
        std::fs::write(folder.path().join("suite.toml"), text).unwrap();
        Self(folder)
    }

    fn path(&self) -> String {
        self.0.path().join("suite.toml").display().to_string()
    }
}

#[test]
fn nova_torchs_users_do_what_its_locustfile_says() {
    // What another tool does is a pause alone; as a call it is seen.
    let class = "[[users]]\nname = \"NovaOrchestratorUser\"\n[[users.tasks]]\n";
    let seen = "name = \"register_agent_grpc\"\nsteps = [{ name = \"elsewhere\", command = \"PING\" }]\n";
    let (seen, line) = (format!("{class}{seen}"), "--profile soak -u 140 -d 23m");
    judge_changed::<false>("db", "nova-torch", &seen, line, &kinds::NOVA_TORCH);
    let seen = "name = \"messages\"\nsteps = [{ name = \"elsewhere\", call = \"any/Method\" }]\n";
    let (seen, line) = (format!("{class}{seen}"), "--profile soak -u 100 -d 8m");
    judge_changed::<false>("grpc", "nova-torch", &seen, line, &kinds::NOVA_TORCH_GRPC);
    let line = "--profile soak -u 100 -d 13m";
    judge::<false>("db", "nova-torch-collaboration", line, &kinds::NOVA_TORCH_COLLABORATION);
}

#[test]
fn aragoras_users_do_what_its_locustfile_says() {
    // Three of the kinds take their time; without the others they can have it.
    let (mut fast, mut slow) = (Vec::new(), Vec::new());
    for kind in kinds::ARAGORA {
        if kind.waits.0 < 2.0 { fast.push(kind) } else { slow.push(kind) }
    }
    judge::<false>("api", "aragora", "--profile soak -u 180 -d 19m", &fast);
    let only: Vec<_> = slow.iter().map(|kind| format!("--only {}", kind.name)).collect();
    let line = format!("--profile soak -u 150 -d 23m {}", only.join(" "));
    judge::<false>("api", "aragora", &line, &slow);
    judge::<true>("ws", "aragora", "--profile soak -u 100 -d 20m", &kinds::ARAGORA_WS);
    judge::<false>("api", "aragora-mix", "--profile smoke -u 100 -d 4m", &kinds::ARAGORA_MIX);
}

#[test]
fn the_platforms_users_do_what_its_locustfile_says() {
    judge::<false>("api", "platform", "--profile endurance -u 300 -d 15m", &kinds::PLATFORM);
}

#[test]
fn megaagents_users_do_what_its_locustfile_says() {
    judge::<false>("api", "megaagent", "--profile endurance -u 200 -d 15m", &kinds::MEGAAGENT);
}

/// A weight or a pause that is not what the documents say would be seen.
#[test]
fn a_weight_or_a_pause_that_is_another_one_is_no_chance() {
    let agents = |more: &str| {
        let changed = Changed::new("nova-torch", &format!("[[users]]\nname = \"NovaAgentUser\"\n{more}"));
        let line = "--profile soak --only NovaAgentUser -u 100 -d 13m";
        let (_, users) = act::<false>("db", &changed.path(), line);
        unlikely(&users, &kinds::NOVA_TORCH[1..2])
    };
    assert_eq!(agents(""), Vec::<String>::new());
    let found = agents("[[users.tasks]]\nname = \"complete_task\"\nweight = 8\n");
    assert!(found.len() == 1 && found[0].contains("for [10, 5, 2]"), "{found:?}");
    let found = agents("think = \"2s..9500ms\"\n");
    assert!(found.len() == 1 && found[0].contains("for 2 to 10 s"), "{found:?}");
}

/// Asserts that users of `class` make these calls one after the other again and again, and pause for so many ms behind each.
fn in_order(suite: &str, class: &str, steps: &[(&str, i64)]) {
    let (_, users) = act::<false>("api", &shipped(suite), "--profile smoke -u 5 -d 10m");
    for user in users.calls_of(class).chunk_by(|a, b| a.user == b.user) {
        assert!(user.len() > 80 * steps.len(), "{suite}: {}", user.len());
        for (i, pair) in user.windows(2).enumerate() {
            let (name, pause) = steps[i % steps.len()];
            assert_eq!(users.names[pair[0].step], name, "{suite}");
            assert_eq!((pair[1].begin.0 - pair[0].end.0) / MS, pause, "{suite}: behind {name}");
        }
    }
}

#[test]
fn what_k6_scripts_do_in_order_comes_in_that_order_with_their_pauses() {
    let steps = [
        ("GET /api/v1/vms", 1_000),
        ("GET /api/v1/vms/:id", 500),
        ("POST /api/v1/vms", 1_000),
        ("PATCH /api/v1/vms/:id", 500),
        ("DELETE /api/v1/vms/:id", 2_000),
        ("GET /api/v1/vms?zone&status", 1_000),
        ("GET /api/v1/vms/:id/metrics", 1_000),
    ];
    in_order("novacron", "user", &steps);
    let steps = [
        ("GET /health", 1_000),
        ("GET /api/workspaces", 1_000),
        ("POST /api/workspaces", 1_000),
        ("GET /api/workspaces/:id/workflows", 1_000),
        ("GET /api/workspaces/:id/knowledge/search", 2_000),
    ];
    in_order("platform-visitor", "visitor", &steps);
    let steps = [
        ("list", 500),
        ("list with metrics, tags and network", 500),
        ("create", 500),
        ("change", 500),
        ("statistics", 500),
        ("search", 500),
        ("batch", 1_000),
        ("page", 100),
        ("page", 100),
        ("page", 100),
        ("page", 100),
        // With what is left of the 5.5 s of an iteration.
        ("page", 1_100),
    ];
    in_order("novacron-database", "reader and writer", &steps);
}

/// NovaCron's visitor holds its connection for 30 to 60 s, asks each 5 s whether somebody is there, and each 10 s one of three
/// things.
#[test]
fn novacrons_visitors_stay_as_long_and_ask_as_often_as_its_script_says() {
    let line = "--profile smoke -u 500 -d 17m";
    let (_, users) = act::<true>("ws", &shipped("novacron"), line);
    let calls = users.calls_of("visitor");
    let name = |call: &Seen| users.names[call.step].as_str();
    let (mut stays, mut asked) = (Vec::new(), BTreeMap::<&str, usize>::new());
    for user in calls.chunk_by(|a, b| a.user == b.user) {
        for visit in user.chunk_by(|a, b| a.iteration == b.iteration).take(20) {
            let names: Vec<&str> = visit.iter().map(name).collect();
            assert_eq!(names[..3], ["subscribe"; 3]);
            assert_eq!(names[names.len() - 2..], ["disconnect", "close"]);
            let held = &visit[3..visit.len() - 2];
            let stay = (visit[visit.len() - 2].begin - visit[2].end).as_secs_f64();
            let pings = held.iter().filter(|call| name(call) == "ping").count();
            assert!((stay / 5.0 - pings as f64).abs() <= 1.0, "{pings} pings in {stay} s");
            let questions: Vec<&str> = held.iter().map(name).filter(|name| *name != "ping").collect();
            assert!((stay / 10.0 - questions.len() as f64).abs() <= 1.0, "{questions:?} in {stay} s");
            questions.into_iter().for_each(|question| *asked.entry(question).or_default() += 1);
            stays.push(stay);
        }
    }
    assert!(stays.len() >= 10_000, "{}", stays.len());
    let p = chance::of_times(&stays, 30.0, 60.0);
    assert!(p > chance::LEAST, "p = {p}");
    let counts = ["vm_query", "metric_query", "event_subscribe"].map(|question| asked[question]);
    let p = chance::of_counts(&counts, &[1, 1, 1]);
    assert!(asked.len() == 3 && p > chance::LEAST, "{asked:?}, p = {p}");
}

/// Asserts that of so many users as many are of each of `kinds`; which of two classes comes first where both are as near is
/// everybody's own matter.
fn divided(tool: &str, suite: &str, kinds: &[Kind], of: &[(u64, &[u64])]) {
    for (n, expected) in of {
        let (_, users) = act::<false>(tool, &shipped(suite), &format!("--profile smoke -u {n} -n {n}"));
        let script = &users.script;
        let is = |user: &u64, kind: &Kind| script.classes()[script.class_of(*user)].name == kind.name;
        let there = kinds.iter().map(|kind| (0..*n).filter(|user| is(user, kind)).count() as u64);
        let there: Vec<u64> = there.collect();
        let near = there.iter().zip(*expected).all(|(there, expected)| there.abs_diff(*expected) <= 1);
        assert!(near && there.iter().sum::<u64>() == *n, "{suite}, {n}: {there:?}, Locust {expected:?}");
    }
}

/// The numbers are what the dispatcher of Locust 2.47 says when it is asked.
#[test]
fn there_are_as_many_users_of_each_kind_as_locust_has() {
    let nova_torch: [(u64, &[u64]); 6] = [
        (5, &[1, 4, 0]),
        (14, &[3, 10, 1]),
        (20, &[4, 15, 1]),
        (100, &[21, 72, 7]),
        (500, &[107, 357, 36]),
        (1_000, &[214, 715, 71]),
    ];
    divided("db", "nova-torch", &kinds::NOVA_TORCH, &nova_torch);
    let aragora: [(u64, &[u64]); 6] = [
        (5, &[1, 1, 1, 0, 1, 1, 0]),
        (18, &[3, 5, 2, 1, 2, 3, 2]),
        (20, &[4, 6, 2, 1, 2, 3, 2]),
        (50, &[8, 14, 6, 3, 6, 8, 5]),
        (100, &[17, 27, 11, 6, 11, 17, 11]),
        (500, &[83, 139, 56, 28, 56, 83, 55]),
    ];
    divided("api", "aragora", &kinds::ARAGORA, &aragora);
    let platform: [(u64, &[u64]); 4] =
        [(5, &[1, 2, 2]), (18, &[6, 6, 6]), (100, &[33, 34, 33]), (500, &[166, 167, 167])];
    divided("api", "platform", &kinds::PLATFORM, &platform);
    let megaagent: [(u64, &[u64]); 4] =
        [(5, &[3, 2]), (50, &[25, 25]), (500, &[250, 250]), (1_000, &[500, 500])];
    divided("api", "megaagent", &kinds::MEGAAGENT, &megaagent);
}
