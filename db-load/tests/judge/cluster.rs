//! Do commands get to the node that has their key, and after it when the key moves? Three real nodes, and what they count.

use db_load::redis::cluster::keys::keys as key_positions;
use load_report::fault::FaultKind;
use redis::Connection;
use tool_tests::Left;

use crate::nodes::{Cluster, Node, PASSWORD, makes, until};
use crate::support::{Tool, commands, keys, op, pass, signal, timed};

fn tool(cluster: &Cluster, node: usize) -> Tool {
    Tool::new("redis", &cluster.nodes[node].url())
}

fn redirects(left: &Left) -> (u64, u64) {
    (left.counter("cluster_moved"), left.counter("cluster_asked"))
}

#[test]
fn every_command_goes_to_the_node_that_has_its_key() {
    for make in makes() {
        let Some(cluster) = Cluster::start(make) else { continue };
        for (line, names) in [
            ("--workload get@2,set", &["get", "set"][..]),
            ("--workload mixed --pipeline 16 --value-size 10..2k", &["read", "write"]),
            (
                "--workload hash,list,zset --resp3 -c 3 --multiplex 4",
                &["hget", "hset", "lpop", "rpush", "zrange", "zadd"],
            ),
            ("--workload set --pipeline 5 -c 2 --multiplex 4 --threads 2", &["set"]),
        ] {
            cluster.reset();
            let tool = tool(&cluster, 1);
            let left = tool.run(&format!("--cluster -n 3000 -u 8 --keys 900 {line}"));
            assert_eq!(left.code, 0, "{line}: {} {}", left.stdout, left.stderr);
            let pipeline: u64 = line
                .split("--pipeline ")
                .nth(1)
                .map_or(1, |rest| rest.split(' ').next().unwrap().parse().unwrap());
            let mut all = 0;
            for name in names {
                let command = match *name {
                    "read" => "get",
                    "write" => "set",
                    name => name,
                };
                let asked = pipeline * op(&left, name);
                // The run makes its keys with SET and HSET.
                let made = match (command, line.contains("get@") || line.contains("mixed")) {
                    ("set", true) | ("hset", _) => 900,
                    _ => 0,
                };
                assert!(asked > 0, "{line}: no {name}");
                assert_eq!(cluster.sum(|redis| commands(redis, command)), asked + made, "{line}: {command}");
                all += asked;
            }
            assert_eq!((left.counter("commands"), left.counter("commands_failed")), (all, 0), "{line}");
            assert_eq!((redirects(&left), cluster.refusals("MOVED")), ((0, 0), 0), "{line}");
            assert_eq!(cluster.sum(keys), 0, "{line}");
            tool.keeps(&[PASSWORD], &left);
            let first = if names[0] == "read" { "get" } else { names[0] };
            for node in &cluster.nodes {
                let share =
                    commands(&mut node.redis(), first) as f64 / (pipeline * op(&left, names[0])) as f64;
                assert!((0.2..0.9).contains(&share), "{line}: {share} of {first}");
            }
            let series =
                left.run().extras.iter().find(|extra| extra.name == "command").map(|extra| extra.count);
            assert_eq!(series, (pipeline > 1).then_some(all), "{line}");
        }
    }
}

fn id(redis: &mut Connection) -> String {
    redis::cmd("CLUSTER").arg("MYID").query(redis).unwrap()
}

fn set_slot(node: &Node, words: &[&str]) {
    redis::cmd("CLUSTER").arg("SETSLOT").arg(words).exec(&mut node.redis()).unwrap();
}

/// A slot moves in mid-run, key by key as `redis-cli --cluster reshard` does it. Each INCR counts once, wherever it was sent. Each
/// line moves a slot of its own: one that came back could be claimed anew by a message of its old owner that is still on its way.
#[test]
fn a_slot_that_is_moved_is_followed_and_nothing_is_done_twice() {
    for make in makes() {
        let Some(cluster) = Cluster::start(make) else { continue };
        for (key, line) in [
            ("n:{hot}", "-c 4"),
            ("n:{warm}", "-c 2 --multiplex 2 --resp3"),
            ("n:{cold}", "-c 4 --pipeline 8"),
        ] {
            let slot: u16 =
                redis::cmd("CLUSTER").arg("KEYSLOT").arg(key).query(&mut cluster.nodes[0].redis()).unwrap();
            let from = usize::from(slot / 5_462).min(2);
            let to = (from + 1) % 3;
            let (source, target) = (&cluster.nodes[from], &cluster.nodes[to]);
            let (source_id, target_id) = (id(&mut source.redis()), id(&mut target.redis()));
            cluster.reset();
            let tool = tool(&cluster, 2);
            let mut command =
                tool.command(&format!("--cluster -r 500 -u 4 -d 8s --keys 300 --threads 1 {line}"));
            let incr = format!("INCR {key}");
            command.args(["--workload", "get", "--command", &incr]);
            let child = command
                .stdout(std::process::Stdio::piped())
                .stderr(std::process::Stdio::piped())
                .spawn()
                .unwrap();
            until("INCR", || commands(&mut source.redis(), "incr") >= 50);
            let slot = slot.to_string();
            set_slot(target, &[&slot, "IMPORTING", &source_id]);
            set_slot(source, &[&slot, "MIGRATING", &target_id]);
            let port = target.port.to_string();
            let migrate = ["127.0.0.1", &port, "", "0", "5000", "AUTH", PASSWORD, "KEYS", key];
            redis::cmd("MIGRATE").arg(&migrate).exec(&mut source.redis()).unwrap();
            // Its commands are asked for elsewhere, each time anew.
            until("ASK", || cluster.refusals("ASK") >= 50);
            assert_eq!(cluster.refusals("MOVED"), 0);
            for node in [target, source, &cluster.nodes[3 - from - to]] {
                set_slot(node, &[&slot, "NODE", &target_id]);
            }
            let left = tool.wait(child);
            drop(left.exits(0));
            let run = left.run();
            assert_eq!(run.ledger.calls.failed.total(), 0, "{line}: {:?}", run.faults);
            assert_eq!(redirects(&left), (cluster.refusals("MOVED"), cluster.refusals("ASK")), "{line}");
            // Each connection may learn of it for itself, and what was under way then.
            let (moved, asked) = redirects(&left);
            assert!((1..=4 * 8).contains(&moved) && asked >= 50, "{line}: {moved} moved, {asked} asked");
            assert!(left.counter("cluster_refreshes") >= 1, "{line}");
            let pipeline = if line.contains("pipeline") { 8 } else { 1 };
            let there: u64 = redis::cmd("GETDEL").arg(key).query(&mut target.redis()).unwrap();
            assert_eq!(there, pipeline * op(&left, &incr), "{line}");
            assert_eq!(cluster.sum(keys), 0, "{line}");
        }
    }
}

#[test]
fn a_node_that_is_killed_fails_its_own_keys_alone_and_is_found_again() {
    timed(|| {
        for make in makes() {
            let Some(mut cluster) = Cluster::with_timeout(make, 2_000) else { continue };
            let tool = tool(&cluster, 0);
            let child = tool.start("--cluster -r 300 -d 8s -u 6 -c 6 --keys 300 --workload set --threads 1");
            pass(1_500);
            // The one that the URL names.
            cluster.nodes[0].kill();
            pass(1_500);
            cluster.nodes[0].start_again();
            let left = tool.wait(child);
            left.exits(99)?;
            let run = left.run();
            let failed = run.ledger.calls.failed.total();
            assert_eq!(run.ledger.calls.failed.get(FaultKind::Wrong), 0, "{:?}", run.faults);
            // A node that has come back takes no commands for 2 s.
            let mut rejected = run.faults.iter().filter(|fault| fault.kind == FaultKind::Rejected);
            assert!(rejected.all(|fault| fault.sample.contains("CLUSTERDOWN")), "{:?}", run.faults);
            // A third of 3.5 s at 300 a second, and as long as a node takes to start.
            if !(150..700).contains(&failed) {
                return Err(format!("{failed} failed"));
            }
            let outage = run.extras.iter().find(|extra| extra.name == "outage").unwrap();
            if outage.count == 0 || outage.ms.unwrap().max < 1_000.0 {
                return Err(format!("{outage:?}"));
            }
            let last = run.timeseries.points.iter().rev().nth(1).unwrap();
            if last.failed > 0 {
                return Err(format!("{} failed at last", last.failed));
            }
            assert_eq!(cluster.sum(keys), 0);
        }
        Ok(())
    });
}

#[test]
fn a_suite_runs_over_a_cluster_and_leaves_nothing() {
    for make in makes() {
        let Some(cluster) = Cluster::start(make) else { continue };
        let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/../suites/nova-torch-library");
        let hurried =
            ["orchestrator", "agent"].map(|name| format!("[[users]]\nname = \"{name}\"\nthink = \"0s\"\n"));
        let folder = tempfile::tempdir().unwrap();
        let text = format!("extends = \"{shipped}\"\n{}", hurried.concat());
        std::fs::write(folder.path().join("db.toml"), text).unwrap();
        let suite = folder.path().display();
        let left = tool(&cluster, 0).run(&format!("--cluster --suite {suite} --profile smoke -u 14 -n 2000"));
        assert_eq!(left.code, 0, "{} {}", left.stdout, left.stderr);
        for (command, ops) in [("set", &["lock task", "try lock"][..]), ("sadd", &["register", "register"])] {
            let expected = ops.iter().map(|name| op(&left, name)).sum::<u64>();
            assert_eq!(cluster.sum(|redis| commands(redis, command)), expected, "{command}");
        }
        assert_eq!(left.counter("checks_made"), left.counter("checks_passed"));
        assert_eq!((redirects(&left), cluster.sum(keys)), ((0, 0), 0));
        assert!(cluster.nodes.iter().all(|node| commands(&mut node.redis(), "set") > 0));
    }
}

#[test]
fn what_a_cluster_cannot_do_is_told() {
    for make in makes() {
        let Some(cluster) = Cluster::start(make) else { continue };
        let mset = |words: &str| {
            let tool = tool(&cluster, 0);
            let mut command = tool.command("--cluster -n 10 -u 2 --keys 20 --quiet");
            tool.left(&command.args(["--command", words]).output().unwrap())
        };
        mset("MSET a 1 b 2").is_refused(104, "different slots");
        mset("MGET {{key}} {{key}}x").is_refused(104, "different slots");
        assert_eq!(mset("MSET {{{row}}}a 1 {{{row}}}b 2").code, 104);
        let left = mset("MSET a:{x{{row}}} 1 b:{x{{row}}} 2");
        assert_eq!(left.code, 0, "{} {}", left.stdout, left.stderr);
        for line in ["--workload stream", "--workload pubsub"] {
            tool(&cluster, 0)
                .run(&format!("--cluster -n 10 -u 2 --quiet {line}"))
                .is_refused(104, "single server");
        }
        let url = format!("{}/3", cluster.nodes[0].url());
        Tool::new("redis", &url).run("--cluster -n 10 -u 2 --quiet").is_refused(104, "database 0");
        let single = Node::start(make, &[]);
        let left = Tool::new("redis", &single.url()).run("--cluster -n 10 -u 2 --quiet");
        left.is_refused(114, "cluster support disabled");
        // Without --cluster the refusal of the node says where to go.
        let left = tool(&cluster, 0).run("-n 100 -u 2 --keys 50 --workload list");
        assert!(left.code == 99 && left.run().faults[0].sample.contains("MOVED"), "{}", left.stdout);
    }
}

#[test]
fn a_killed_run_leaves_keys_on_all_nodes_that_cleanup_finds() {
    for make in makes() {
        let Some(cluster) = Cluster::start(make) else { continue };
        let tool = tool(&cluster, 0);
        let child = tool.start("--cluster -r 100 -d 60s -u 2 --keys 600 --workload get");
        until("GET", || cluster.sum(|redis| commands(redis, "get")) >= 20);
        signal(child.id(), "KILL");
        let _ = child.wait_with_output();
        assert_eq!(cluster.sum(keys), 600);
        let mut clean = std::process::Command::new(env!("CARGO_BIN_EXE_db-load"));
        let listed = clean.args(["cleanup", "--url", &cluster.nodes[1].url()]).output().unwrap();
        let listed = String::from_utf8(listed.stdout).unwrap();
        assert!(listed.contains("600 keys"), "{listed}");
        let run = listed.split(' ').next().unwrap();
        let mut clean = std::process::Command::new(env!("CARGO_BIN_EXE_db-load"));
        let cleaned = clean.args(["cleanup", "--url", &cluster.nodes[1].url(), run]).output().unwrap();
        assert!(cleaned.status.success());
        assert_eq!(cluster.sum(keys), 0);
    }
}

/// The table beside what servers say of themselves.
#[test]
fn keys_of_commands_are_those_that_the_server_names() {
    for make in makes().into_iter().filter(|make| *make != "dragonfly") {
        let node = Node::start(make, &[]);
        let mut redis = node.redis();
        for line in [
            "GET a",
            "SET a 1 EX 10",
            "DEL a b c",
            "UNLINK a",
            "EXISTS a b",
            "MGET a b",
            "MSET a 1 b 2",
            "MSETNX a 1 b 2",
            "SINTERSTORE a b c",
            "SDIFF a b",
            "SMOVE a b c",
            "PFMERGE a b",
            "PFCOUNT a b",
            "BLPOP a b 0",
            "BZPOPMIN a b 0",
            "RENAME a b",
            "COPY a b",
            "LMOVE a b LEFT LEFT",
            "BLMOVE a b LEFT LEFT 0",
            "LCS a b",
            "BITOP AND a b c",
            "OBJECT ENCODING a",
            "MEMORY USAGE a",
            "XGROUP CREATE a g $",
            "XINFO STREAM a",
            "SINTERCARD 2 a b",
            "ZUNION 2 a b",
            "LMPOP 2 a b LEFT",
            "BLMPOP 0 2 a b LEFT",
            "ZMPOP 1 a MIN",
            "EVAL x 2 a b c",
            "FCALL f 1 a",
            "ZUNIONSTORE a 2 b c",
            "ZDIFFSTORE a 1 b",
            "GEOSEARCHSTORE a b FROMMEMBER m BYRADIUS 1 m",
            "ZRANGESTORE a b 0 1",
            "XREAD COUNT 1 STREAMS a b 0 0",
            "XREADGROUP GROUP g c STREAMS a >",
            "XADD a * f v",
            "XAUTOCLAIM a g c 0 0",
            "HSET a f v",
            "ZADD a 1 m",
            "GETEX a",
        ] {
            let words: Vec<_> = line.split(' ').collect();
            let named: Vec<String> =
                redis::cmd("COMMAND").arg("GETKEYS").arg(&words).query(&mut redis).unwrap();
            let known = key_positions(&words.iter().copied().map(Some).collect::<Vec<_>>());
            let known: Vec<_> = known.into_iter().map(|at| words[at].to_owned()).collect();
            assert_eq!(known, named, "{line}");
        }
    }
}
