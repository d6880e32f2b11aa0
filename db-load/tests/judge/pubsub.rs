//! Does each message that Redis says it has handed on come to those who have subscribed, and is it told if not?

use std::collections::HashMap;

use redis::Connection;
use tool_tests::Left;

use crate::support::{Service, Tool, commands, op, pass};

/// The channels of a run that is under way, each with its subscribers.
fn channels(redis: &mut Connection, n: usize) -> Vec<(String, u64)> {
    for _ in 0..1_000 {
        let names: Vec<String> = redis::cmd("PUBSUB").arg("CHANNELS").arg("quintet:*").query(redis).unwrap();
        if names.len() == n {
            let counts: HashMap<String, u64> =
                redis::cmd("PUBSUB").arg("NUMSUB").arg(&names).query(redis).unwrap();
            return counts.into_iter().collect();
        }
        pass(10);
    }
    panic!("no {n} channels within 10 s");
}

fn series(left: &Left, name: &str) -> u64 {
    left.run().extras.iter().find(|extra| extra.name == name).unwrap().count
}

fn count(left: &Left, name: &str) -> u64 {
    left.counter(&format!("pubsub_{name}"))
}

/// The run is in order. Its counts are also where a busy machine made its calls late, so that its times are worth nothing.
fn counts_count(left: &Left) {
    drop(left.exits(0));
}

/// What holds in every run.
fn adds_up(left: &Left, subscribers: u64) {
    let count = |name| count(left, name);
    assert_eq!(count("receivers") + count("missed"), subscribers * count("messages"));
    let confirmed = count("deliveries") - count("duplicates") - count("unconfirmed");
    assert_eq!(confirmed + count("lost"), count("receivers"));
    assert_eq!(series(left, "delivery"), count("deliveries"));
}

#[test]
fn every_message_comes_to_every_subscriber_once_and_in_order() {
    let Some(service) = Service::start("redis") else { return };
    for (line, threads, subscribers) in [
        ("-u 8 -c 4 --threads 2 --subscribers 5 -d 2s", 2, 5),
        ("-r 2000 -u 4 --threads 1 --subscribers 20 --resp3 --value-size 2k -d 2s", 1, 20),
        ("-u 4 -c 1 --multiplex 4 --threads 1 --subscribers 1 --value-size 1 -d 2s", 1, 1),
    ] {
        let mut redis = service.redis();
        redis::cmd("CONFIG").arg("RESETSTAT").exec(&mut redis).unwrap();
        let tool = service.tool();
        let child = tool.start(&format!("--workload pubsub {line}"));
        let there = channels(&mut redis, threads);
        assert!(there.iter().all(|(_, n)| *n == subscribers), "{line}: {there:?}");
        let left = tool.wait(child);
        counts_count(&left);
        let messages = commands(&mut redis, "publish");
        assert!(messages > 500, "{line}: {messages}");
        assert_eq!(op(&left, "publish"), messages, "{line}");
        for (name, expected) in [
            ("messages", messages),
            ("receivers", messages * subscribers),
            ("deliveries", messages * subscribers),
        ] {
            assert_eq!(count(&left, name), expected, "{line}: {name}");
        }
        for name in ["missed", "lost", "duplicates", "out_of_order", "unconfirmed"] {
            assert_eq!(count(&left, name), 0, "{line}: {name}");
        }
        assert_eq!((series(&left, "fan_out"), series(&left, "outage")), (messages, 0), "{line}");
        adds_up(&left, subscribers);
        let ms = |name: &str| left.run().extras.iter().find(|extra| extra.name == name).unwrap().ms.unwrap();
        // The last receiver has to wait longest, and no delivery takes longer than that.
        assert!(ms("fan_out").mean >= ms("delivery").mean && ms("fan_out").max >= ms("delivery").max);
        let of_run: u64 = redis::cmd("DBSIZE").query(&mut redis).unwrap();
        assert_eq!(of_run, 0);
    }
}

/// PUBLISH counts somebody whose deliveries the tool cannot see: exactly those are lost to it.
#[test]
fn receivers_without_a_delivery_are_lost() {
    let Some(service) = Service::start("redis") else { return };
    let (mut redis, mut stranger, tool) = (service.redis(), service.redis(), service.tool());
    let child = tool.start("--workload pubsub -r 300 -u 2 --threads 1 --subscribers 3 -d 3s");
    let (channel, _) = channels(&mut redis, 1).remove(0);
    let mut seen = stranger.as_pubsub();
    seen.subscribe(&channel).unwrap();
    seen.set_read_timeout(Some(std::time::Duration::from_secs(5))).unwrap();
    let mut messages = 0;
    while seen.get_message().is_ok() {
        messages += 1;
    }
    let left = tool.wait(child);
    assert!((300..=900).contains(&messages), "{messages}");
    assert_eq!(count(&left, "lost"), messages);
    assert_eq!(count(&left, "deliveries"), 3 * count(&left, "messages"));
}

/// The kill and the server's count of PUBLISH are one transaction, and nobody may subscribe again: every message after it
/// has one receiver less.
#[test]
fn a_subscriber_that_is_killed_misses_what_is_published_from_then_on() {
    let Some(service) = Service::start("redis") else { return };
    let mut redis = service.redis();
    let rules = ["on", ">s3cr3t-w0rd", "~*", "&*", "+@all"];
    redis::cmd("ACL").arg("SETUSER").arg("loader").arg(&rules).exec(&mut redis).unwrap();
    let tool = Tool::new("redis", &format!("redis://loader:s3cr3t-w0rd@{}", service.address()));
    let child =
        tool.start("--workload pubsub -r 1000 -u 4 --threads 1 --subscribers 4 --value-size 4k -d 3s");
    channels(&mut redis, 1);
    while commands(&mut redis, "publish") < 500 {
        pass(10);
    }
    let list: String = redis::cmd("CLIENT").arg("LIST").arg("TYPE").arg("PUBSUB").query(&mut redis).unwrap();
    let id = list.lines().next().unwrap().split(' ').next().unwrap().strip_prefix("id=").unwrap();
    redis::cmd("ACL").arg("SETUSER").arg("loader").arg("-subscribe").exec(&mut redis).unwrap();
    let (killed, stats): (u64, String) = redis::pipe()
        .atomic()
        .cmd("CLIENT")
        .arg("KILL")
        .arg("ID")
        .arg(id)
        .cmd("INFO")
        .arg("commandstats")
        .query(&mut redis)
        .unwrap();
    assert_eq!(killed, 1);
    let before = stats.split("cmdstat_publish:calls=").nth(1).unwrap().split(',').next().unwrap();
    let before: u64 = before.parse().unwrap();
    let left = tool.wait(child);
    counts_count(&left);
    let messages = commands(&mut redis, "publish");
    assert_eq!(count(&left, "messages"), messages);
    assert_eq!(count(&left, "missed"), messages - before);
    assert!(messages - before > 500, "{before} of {messages}");
    adds_up(&left, 4);
    // What was on its way to the one that was killed.
    assert!(count(&left, "lost") < 100, "{}", count(&left, "lost"));
    tool.keeps(&["s3cr3t-w0rd"], &left);
}

#[test]
fn subscribers_that_are_killed_come_back() {
    let Some(service) = Service::start("redis") else { return };
    let (mut redis, tool) = (service.redis(), service.tool());
    let child = tool.start("--workload pubsub -r 1000 -u 4 --threads 1 --subscribers 6 -d 4s");
    channels(&mut redis, 1);
    let mut killed = 0;
    for _ in 0..5 {
        pass(400);
        killed += redis::cmd("CLIENT").arg(&["KILL", "TYPE", "pubsub"]).query::<u64>(&mut redis).unwrap();
    }
    let back = (0..200).any(|_| {
        pass(10);
        channels(&mut redis, 1)[0].1 == 6
    });
    let left = tool.wait(child);
    assert!(back && killed >= 6, "{killed} killed");
    counts_count(&left);
    assert_eq!(series(&left, "outage"), killed);
    assert_eq!((count(&left, "duplicates"), count(&left, "out_of_order")), (0, 0));
    assert_eq!(count(&left, "messages"), commands(&mut redis, "publish"));
    adds_up(&left, 6);
}

#[test]
fn what_cannot_be_mixed_with_pubsub_is_told() {
    let tool = Tool::new("redis", "redis://127.0.0.1:1");
    for line in
        ["--workload pubsub,get", "--workload pubsub --pipeline 2", "--workload pubsub --command PING"]
    {
        tool.run(&format!("-n 1 --quiet {line}")).is_refused(104, "--workload pubsub: it cannot be mixed");
    }
}
