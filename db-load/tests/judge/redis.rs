//! Does a run do to Redis what was asked for, and say what came of it?

use load_report::fault::FaultKind;

use crate::support::{Service, commands, keys, op, pass, timed};

fn reset(service: &Service) -> redis::Connection {
    let mut redis = service.redis();
    redis::cmd("CONFIG").arg("RESETSTAT").exec(&mut redis).unwrap();
    redis
}

#[test]
fn workloads_are_the_commands_that_redis_counted_and_leave_nothing() {
    let Some(service) = Service::start("redis") else { return };
    for (line, ops) in [
        ("--workload get", &[("get", "get")][..]),
        ("--workload set --ttl 10s --value-size 10..2k", &[("set", "set")]),
        ("--workload hash --read-ratio 0.5 --resp3", &[("hget", "hget"), ("hset", "hset")]),
        ("--workload list", &[("lpop", "lpop"), ("rpush", "rpush")]),
        ("--workload zset --resp3", &[("zrange", "zrange"), ("zadd", "zadd")]),
        (
            "--workload get@3,list --distribution zipf",
            &[("get", "get"), ("lpop", "lpop"), ("rpush", "rpush")],
        ),
        ("--workload set --pipeline 16", &[("set", "set")]),
        ("--workload mixed --pipeline 7 -c 2 --multiplex 4", &[("read", "get"), ("write", "set")]),
    ] {
        let mut redis = reset(&service);
        let left = service.tool().run(&format!("-n 2000 -u 8 --keys 300 {line}"));
        assert_eq!(left.code, 0, "{line}: {} {}", left.stdout, left.stderr);
        let run = left.run();
        let per_call: u64 = line
            .split("--pipeline ")
            .nth(1)
            .map_or(1, |rest| rest.split(' ').next().unwrap().parse().unwrap());
        for (name, command) in ops {
            let expected = per_call * op(&left, name);
            assert!(expected > 0, "{line}: no {name}");
            // The run puts hashes there itself.
            let made = if *command == "hset" { 300 } else { 0 };
            assert_eq!(commands(&mut redis, command), expected + made, "{line}: {command}");
        }
        assert_eq!(left.counter("commands"), 2_000 * per_call, "{line}");
        assert_eq!((left.counter("commands_failed"), run.ledger.calls.ok), (0, 2_000), "{line}");
        assert_eq!(keys(&mut redis), 0, "{line}");
        let series = run.extras.iter().find(|extra| extra.name == "command").map(|extra| extra.count);
        assert_eq!(series, (per_call > 1).then_some(2_000 * per_call), "{line}");
    }
}

#[test]
fn shares_of_workloads_and_commands_are_those_that_were_asked_for() {
    let Some(service) = Service::start("redis") else { return };
    let mut redis = reset(&service);
    let tool = service.tool();
    let output = tool
        .command("-n 8000 -u 4 --keys 50 --workload set@2")
        .args(["--command", "INCRBY total {{int(3, 3)}}@5"])
        .args(["--command", "GET nothing:{{key}}"])
        .output()
        .unwrap();
    let left = tool.left(&output);
    assert_eq!(left.code, 0, "{} {}", left.stdout, left.stderr);
    let increments = op(&left, "INCRBY total {{int(3, 3)}}");
    assert!((4_800..5_200).contains(&increments), "{increments}");
    let total: u64 = redis::cmd("GETDEL").arg("total").query(&mut redis).unwrap();
    assert_eq!(total, 3 * increments);
    let gets = op(&left, "GET nothing:{{key}}");
    assert!((850..1_150).contains(&gets), "{gets}");
    assert_eq!((left.counter("misses"), commands(&mut redis, "get")), (gets, gets));
    assert_eq!(keys(&mut redis), 0);
}

#[test]
fn one_wrong_reply_in_a_pipeline_is_one_and_fails_its_call() {
    let Some(service) = Service::start("redis") else { return };
    let (mut redis, tool) = (service.redis(), service.tool());
    let child = tool.start("-r 200 -d 3s -c 2 -u 2 --keys 10 --workload get --pipeline 5");
    let key = loop {
        let keys: Vec<String> = redis::cmd("KEYS").arg("quintet:*:7").query(&mut redis).unwrap();
        if let Some(key) = keys.into_iter().next() {
            break key;
        }
        pass(10);
    };
    redis::cmd("LPUSH").arg("other").arg(1).exec(&mut redis).unwrap();
    redis::cmd("RENAME").arg("other").arg(&key).exec(&mut redis).unwrap();
    let left = tool.wait(child);
    let run = left.run();
    assert_eq!((left.code, run.faults.len()), (99, 1), "{:?}", run.faults);
    let fault = &run.faults[0];
    assert!(fault.kind == FaultKind::Rejected && fault.sample.contains("WRONGTYPE"), "{fault:?}");
    // Of five keys a tenth is wrong each: 41 % of the calls have at least one, a tenth of the commands are wrong.
    let (failed, commands) = (left.counter("commands_failed"), left.counter("commands"));
    assert!(failed > fault.count && fault.count * 5 > failed, "{failed} in {fault:?}");
    let text: String = redis::cmd("INFO").arg("errorstats").query(&mut redis).unwrap();
    let counted = text.split("errorstat_WRONGTYPE:count=").nth(1).unwrap();
    let counted: u64 = counted.lines().next().unwrap().trim().parse().unwrap();
    assert_eq!(counted, failed, "of {commands}");
}

#[test]
fn keys_expire_when_they_should() {
    let Some(service) = Service::start("redis") else { return };
    let (mut redis, tool) = (service.redis(), service.tool());
    let child = tool.start("-r 200 -d 3s -u 4 --keys 20 --workload set --ttl 100s");
    let ttl = loop {
        let key: Option<String> = redis::cmd("RANDOMKEY").query(&mut redis).unwrap();
        if let Some(key) = key {
            break redis::cmd("TTL").arg(key).query::<i64>(&mut redis).unwrap();
        }
        pass(10);
    };
    assert!((95..=100).contains(&ttl), "{ttl}");
    assert_eq!(tool.wait(child).code, 0);
    let left = service.tool().run("-n 3000 -u 4 --keys 20 --workload mixed --ttl 1ms");
    assert!(left.code == 0 && left.counter("misses") > 100, "{} {}", left.stdout, left.counter("misses"));
}

#[test]
fn a_user_a_database_and_resp3_are_those_that_were_asked_for() {
    let Some(service) = Service::start("redis") else { return };
    let mut redis = service.redis();
    let rules = ["on", ">s3cr3t-w0rd", "~*", "+@all", "-hset"];
    redis::cmd("ACL").arg("SETUSER").arg("loader").arg(&rules).exec(&mut redis).unwrap();
    let url = format!("redis://loader:s3cr3t-w0rd@{}/3", service.address());
    let tool = crate::support::Tool::new("redis", &url);
    let child = tool.start("-r 200 -d 2s -u 4 --keys 20 --resp3 --workload set --command FLUSHNOTHING@1");
    let seen = loop {
        let list: String = redis::cmd("CLIENT").arg("LIST").query(&mut redis).unwrap();
        let lines: Vec<_> =
            list.lines().filter(|line| line.contains("user=loader")).map(str::to_owned).collect();
        if lines.len() > 3 && lines.iter().any(|line| line.contains("cmd=set")) {
            break lines;
        }
        pass(10);
    };
    assert!(seen.iter().all(|line| line.contains(" db=3 ") && line.contains(" resp=3")), "{seen:?}");
    let left = tool.wait(child);
    let run = left.run();
    assert_eq!((left.code, run.faults.len()), (99, 1), "{:?}", run.faults);
    assert!(run.faults[0].sample.contains("unknown command"), "{:?}", run.faults);
    tool.keeps(&["s3cr3t-w0rd"], &left);
    let left = crate::support::Tool::new("redis", &url).run("-n 10 -u 2 --workload hash --quiet");
    left.is_refused(114, "NOPERM");
}

#[test]
fn a_redis_that_is_killed_and_comes_back_costs_its_outage_and_no_more() {
    timed(|| {
        let Some(service) = Service::start("redis") else { return Ok(()) };
        let tool = service.tool();
        let child = tool.start("-r 400 -d 6s -u 8 -c 4 --max-vus 8 --keys 100 --workload set");
        pass(1_500);
        service.kill();
        pass(1_500);
        service.start_again();
        let left = tool.wait(child);
        let run = left.run();
        assert_eq!(run.ledger.calls.scheduled, 2_400);
        let failed = &run.ledger.calls.failed;
        assert_eq!(failed.get(FaultKind::Wrong) + failed.get(FaultKind::Rejected), 0, "{:?}", run.faults);
        let outage = run.extras.iter().find(|extra| extra.name == "outage").unwrap();
        let longest = outage.ms.unwrap().max;
        // The one warning is that the server could not be asked about itself in the meantime.
        let only_looks = run.warnings.iter().all(|warning| warning.contains("looks at the gauges failed"));
        assert!((1..=4).contains(&outage.count) && only_looks, "{outage:?} {:?}", run.warnings);
        // 99 for the error rate: the laws hold, and the generator kept pace.
        left.exits(99)?;
        // From the kill to the restart, and the pause before the next attempt.
        if !(1_400.0..3_500.0).contains(&longest) {
            return Err(format!("an outage of {longest} ms"));
        }
        // What failed was due in the outage.
        let lost = failed.total() + run.ledger.calls.unsent + run.ledger.calls.abandoned;
        let expected = longest / 1e3 * 400.0;
        if !(expected * 0.7..expected * 1.3 + 20.0).contains(&(lost as f64)) {
            return Err(format!("{lost} lost in {longest} ms"));
        }
        left.paced(400, &[1, 2], &[5])
    });
}
