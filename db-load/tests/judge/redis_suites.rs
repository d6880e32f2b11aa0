//! Does a suite of Redis's commands do what it says? Its counts beside those of the server, and its mistakes with their place.

use std::path::{Path, PathBuf};
use std::process::Command;

use redis::Connection;
use tempfile::TempDir;
use tool_tests::Left;

use crate::support::{Service, Tool, commands, keys, op};

fn suite(text: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("db.toml"), text).unwrap();
    folder
}

fn step(step: &str) -> TempDir {
    suite(&format!("[[users]]\nname = \"u\"\n[[users.tasks]]\nname = \"t\"\nsteps = [{step}]"))
}

fn run(service: &Service, folder: &Path, line: &str) -> Left {
    service.tool().run(&format!("--suite {} {line}", folder.display()))
}

fn ask<T: redis::FromRedisValue>(redis: &mut Connection, line: &str) -> T {
    let mut words = line.split(' ');
    redis::cmd(words.next().unwrap()).arg(words.collect::<Vec<_>>()).query(redis).unwrap()
}

fn nova_torch() -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../suites/nova-torch-library")).canonicalize().unwrap()
}

/// The shipped suite without pauses and without its cleanup, so that what it made can be counted.
#[test]
fn what_nova_torch_does_is_what_the_server_has() {
    let Some(service) = Service::start("redis") else { return };
    let folder = suite(&format!(
        "extends = \"{}\"\ncleanup = []\n{}",
        nova_torch().display(),
        ["orchestrator", "agent", "stress"]
            .map(|name| format!("[[users]]\nname = \"{name}\"\nthink = \"0s\"\n"))
            .concat()
    ));
    for line in ["-u 14 -c 5", "-u 28 --resp3 --threads 2", "-u 14 -c 2 --multiplex 7"] {
        let mut redis = service.redis();
        ask::<()>(&mut redis, "FLUSHALL");
        ask::<()>(&mut redis, "CONFIG RESETSTAT");
        let left = run(&service, folder.path(), &format!("-n 4000 --profile smoke {line}"));
        assert_eq!(left.code, 0, "{line}: {} {}", left.stdout, left.stderr);
        let n = |name: &str| op(&left, name);
        assert!(
            n("lock task") > 100 && n("heartbeat") > 100 && n("acknowledge") > 10,
            "{line}: {}",
            left.stdout
        );
        for (command, expected) in [
            ("XLEN nova.torch.tasks.queue", n("queue task")),
            ("XLEN nova.torch.tasks.active", n("assign task")),
            ("HLEN nova.torch.assignments", n("assign task")),
            ("XLEN nova.torch.tasks.completed", n("complete task")),
            // One was there before all users.
            ("XLEN nova.torch.orchestrator", 1 + n("tell orchestrator")),
            ("XLEN nova.torch.collaboration.requests", n("request collaboration")),
            ("XLEN nova.torch.stress.test", n("flood")),
            ("XLEN nova:torch:registry:heartbeats", n("heartbeat")),
            // All have left.
            ("HLEN nova:torch:registry:agents", 0),
            ("SCARD nova:torch:registry:role:developer", 0),
            ("EXISTS nova.torch.locks:task:task_1", 0),
        ] {
            assert_eq!(ask::<u64>(&mut redis, command), expected, "{line}: {command}");
        }
        // A repeated name of an op is one op: the look and the heartbeat itself are two.
        let adds = n("queue task")
            + n("assign task")
            + n("complete task")
            + n("tell orchestrator")
            + n("request collaboration")
            + n("flood")
            + n("heartbeat")
            + 1;
        for (command, expected) in [
            ("xadd", adds),
            ("set", n("lock task") + n("try lock")),
            ("del", n("unlock task")),
            ("hget", n("look up itself") + n("look up agent")),
            ("hset", n("register") + n("heartbeat") + n("assign task")),
            ("sadd", 2 * n("register")),
            ("srem", 2 * n("deregister")),
            ("smembers", n("list role")),
            ("xreadgroup", n("read message")),
            ("xack", n("acknowledge")),
            ("xgroup|create", n("join group")),
            ("xgroup|destroy", n("leave group")),
        ] {
            assert_eq!(commands(&mut redis, command), expected, "{line}: {command}");
        }
        assert_eq!(n("register"), n("deregister"), "{line}");
        let (made, passed) = (left.counter("checks_made"), left.counter("checks_passed"));
        assert!(made == passed && made > 2_000, "{line}: {passed} of {made}");
        let locks: u64 = ask::<Vec<String>>(&mut redis, "KEYS nova.torch.locks:*").len() as u64;
        assert_eq!(locks, 0);
        let time = left.run().extras.iter().find(|extra| extra.name == "lock_time").unwrap().count;
        assert_eq!(time, n("lock task"));
    }
    // As it is shipped it leaves nothing.
    let mut redis = service.redis();
    ask::<()>(&mut redis, "FLUSHALL");
    let left = run(&service, &nova_torch(), "--profile smoke -u 14 -d 2s --scale-time 1");
    assert_eq!((left.code, keys(&mut redis)), (0, 0), "{} {}", left.stdout, left.stderr);
}

const LOCKS: &str = r#"
[vars]
limit = "3"

[metrics]
taken = "rate"
value = "trend"

[[users]]
name = "locker"
[[users.tasks]]
name = "lock"
steps = [
  { name = "take", command = "SET lock:{{int(1, 2)}}:{{vu}} {{seq}} NX PX 50", expect = { type = ["ok", "nil"] },
    capture = { lock = { json = "$", optional = true } }, metrics = { taken = "ok" } },
  { name = "count", if = "lock", commands = ["MULTI", "INCR taken", "EXEC"], expect = { type = "list", json = { "$[2][0]" = { min = 1 } } } },
  { name = "wait", command = "INCRBY round:{{seq}} 1",
    poll = { until = { value = "{{limit}}" }, every = "1ms", at_most = 5, series = "to_three" }, metrics = { value = "$" } },
]

[[cleanup]]
command = "SET done {{limit}}"
"#;

#[test]
fn captures_conditions_polls_and_transactions_work_on_replies() {
    let Some(service) = Service::start("redis") else { return };
    let mut redis = service.redis();
    let left = run(&service, suite(LOCKS).path(), "-n 300 -u 3");
    assert_eq!(left.code, 0, "{} {}", left.stdout, left.stderr);
    let (taken, counted) = (op(&left, "take"), op(&left, "count"));
    assert!(taken == 300 && counted > 2 && counted < 300, "{counted} of {taken}");
    assert_eq!(ask::<u64>(&mut redis, "GET taken"), counted);
    assert_eq!((commands(&mut redis, "exec"), commands(&mut redis, "incrby")), (counted, 900));
    assert_eq!(op(&left, "wait"), 900);
    let series = |name: &str| left.run().extras.iter().find(|extra| extra.name == name).unwrap().clone();
    // Of the three looks of a poll the last one counts.
    let value = series("value");
    assert_eq!((series("to_three").count, value.count), (300, 300));
    assert!((value.ms.unwrap().min - 3.0).abs() < 0.01, "{value:?}");
    assert_eq!(ask::<String>(&mut redis, "GET done"), "3");
    assert_eq!(left.counter("misses"), 300 - counted);
}

#[test]
fn a_reply_that_is_not_what_the_suite_expects_is_a_wrong_one() {
    let Some(service) = Service::start("redis") else { return };
    let mut redis = service.redis();
    ask::<()>(&mut redis, "SET text {\"a\":[1,2]}");
    ask::<()>(&mut redis, "RPUSH list x y");
    for (command, expect, sample) in [
        ("GET text", "type = \"number\"", "a reply of type text, expected number"),
        ("GET nothing", "type = [\"text\", \"list\"]", "a reply of type nil, expected text or list"),
        ("STRLEN text", "value = \"10\"", "the reply is not \\\"10\\\""),
        ("GET text", "json = { \"$.a[1]\" = 3 }", "$.a[1]"),
        ("LRANGE list 0 -1", "json = { \"$\" = { length = 3 } }", "$"),
        ("GET text", "text = \"nowhere\"", "lacks"),
        ("INCR list", "type = \"number\"", "WRONGTYPE"),
    ] {
        let folder = step(&format!("{{ command = '{command}', expect = {{ {expect} }} }}"));
        let left = run(&service, folder.path(), "-n 5 -u 1");
        let run = left.run();
        assert_eq!((left.code, run.faults.len()), (99, 1), "{command}: {} {}", left.stdout, left.stderr);
        let said = run.faults[0].sample.replace('"', "\\\"");
        assert!(said.contains(sample), "{command}: {said}");
        assert_eq!((left.counter("checks_made"), left.counter("checks_passed")), (5, 0));
    }
    // The same expectations in their other sense.
    for (command, more) in [
        ("GET text", "expect = { type = \"text\", json = { \"$.a[1]\" = 2 }, text = \"[1,2]\", size = 11 }"),
        ("GET nothing", "expect = { type = \"nil\" }"),
        ("STRLEN text", "expect = { type = \"number\", value = \"11\" }"),
        ("LRANGE list 0 -1", "expect = { type = \"list\", json = { \"$[1]\" = \"y\" } }"),
        ("INCR list", "allow = [\"WRONGTYPE\"]"),
    ] {
        let folder = step(&format!("{{ command = '{command}', {more} }}"));
        let left = run(&service, folder.path(), "-n 5 -u 1");
        assert_eq!(left.code, 0, "{command}: {} {}", left.stdout, left.stderr);
    }
}

#[test]
fn mistakes_in_suites_are_told_with_their_place_and_once_shows_all() {
    let Some(service) = Service::start("redis") else { return };
    for (text, expected) in [
        ("{ name = \"x\" }", "expected command = "),
        ("{ command = \"GET {{nobody}}\" }", "db.toml:5"),
        ("{ command = \"GET 'x\" }", "a quote is not closed"),
        ("{ command = \"\" }", "no command"),
        ("{ command = \"GET x\", commands = [\"GET y\"] }", "expected command = "),
        ("{ command = \"GET x\", expect = { type = \"word\" } }", "expected ok, text, number, list or nil"),
        ("{ command = \"GET x\", expect = { rows = 1 } }", "rows"),
        ("{ sql = \"SELECT 1\" }", "expected command = "),
    ] {
        let folder = step(text);
        let tool = service.tool();
        tool.run(&format!("--suite {} -n 5 -u 1 --quiet", folder.path().display())).is_refused(104, expected);
    }
    for line in ["--workload get", "--command PING", "--pipeline 2"] {
        let tool = Tool::new("redis", service.url());
        tool.run(&format!("--suite {} {line} -n 1 --quiet", nova_torch().display()))
            .is_refused(104, "leave it out with --suite");
    }
    let mut redis = service.redis();
    for (word, expected) in [("check", "3 user classes"), ("once", "> SET nova.torch.locks:task:task_")] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_db-load"));
        command.args([word, "redis", "--url", service.url(), "--suite"]).arg(nova_torch());
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.contains(expected), "{word}: {said} {error}");
        assert!(!said.contains(&service.password()) && !error.contains(&service.password()));
    }
    assert_eq!(keys(&mut redis), 0);
}
