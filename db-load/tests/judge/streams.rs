//! Is what a run says of a stream what the server has in it?

use std::collections::HashSet;

use redis::{Connection, Value, from_redis_value};

use crate::support::{Service, pass, signal};

/// All messages of the stream: producer and number.
fn messages(redis: &mut Connection, key: &str) -> Vec<(String, String)> {
    let all: Vec<Value> = redis::cmd("XRANGE").arg(key).arg("-").arg("+").query(redis).unwrap();
    let message = |entry: Value| {
        let (_, fields): (String, Vec<String>) = from_redis_value(entry).unwrap();
        let field = |name: &str| fields[fields.iter().position(|field| field == name).unwrap() + 1].clone();
        (field("p"), field("n"))
    };
    all.into_iter().map(message).collect()
}

/// What the group has been given, and what of it is not acknowledged.
fn group(redis: &mut Connection, key: &str) -> (u64, u64) {
    let groups: Vec<Vec<Value>> = redis::cmd("XINFO").arg("GROUPS").arg(key).query(redis).unwrap();
    let at =
        groups[0].iter().position(|field| *field == Value::BulkString(b"entries-read".to_vec())).unwrap();
    let pending: Vec<Value> = redis::cmd("XPENDING").arg(key).arg("quintet").query(redis).unwrap();
    // Nothing before the first read.
    let read: Option<u64> = from_redis_value(groups[0][at + 1].clone()).unwrap();
    (read.unwrap_or(0), from_redis_value(pending[0].clone()).unwrap())
}

#[test]
fn producers_and_consumers_account_for_every_message() {
    let Some(service) = Service::start("redis") else { return };
    let mut redis = service.redis();
    for line in
        ["--stream s1 -c 8", "--stream s2 --resp3 --block 20ms --batch 100", "--stream s3 --threads 1"]
    {
        let key = &line[9..11];
        let left = service.tool().run(&format!("--workload stream --read-ratio 0.5 -u 8 -d 2s {line}"));
        assert_eq!(left.code, 0, "{} {}", left.stdout, left.stderr);
        let there = messages(&mut redis, key);
        let n = there.len() as u64;
        assert!(n > 500 && there.into_iter().collect::<HashSet<_>>().len() as u64 == n);
        for (name, expected) in [("added", n), ("delivered", n), ("acknowledged", n)] {
            assert_eq!(left.counter(&format!("stream_{name}")), expected, "{line}: {name}");
        }
        for name in ["redelivered", "duplicates", "out_of_order", "missing", "pending"] {
            assert_eq!(left.counter(&format!("stream_{name}")), 0, "{line}: {name}");
        }
        let lag = left.run().extras.iter().find(|extra| extra.name == "stream_lag").unwrap();
        assert_eq!(lag.count, n);
        assert_eq!(group(&mut redis, key), (n, 0));
    }
    let left = service.tool().run("--workload stream --read-ratio 0.5 -u 4 -d 1s");
    assert_eq!(left.code, 0, "{} {}", left.stdout, left.stderr);
    let keys: Vec<String> = redis::cmd("KEYS").arg("quintet:*").query(&mut redis).unwrap();
    assert_eq!(keys, Vec::<String>::new());
}

/// 100,000 messages; the consumers are killed twice, and others go on.
#[test]
fn consumers_that_are_killed_leave_what_xpending_says() {
    let Some(service) = Service::start("redis") else { return };
    let mut redis = service.redis();
    let left =
        service.tool().run("--workload stream --read-ratio 0 --stream s -n 100k -u 16 --value-size 20");
    assert_eq!((left.code, left.counter("stream_added")), (0, 100_000), "{}", left.stderr);
    let (mut read, mut pending) = (0, 0);
    for last in [false, false, true] {
        let tool = service.tool();
        // What the others had is old enough to be taken over.
        pass(1_000);
        let more = if last { "-d 15s --batch 100" } else { "-d 60s" };
        let line = format!("--workload stream --read-ratio 1 --stream s -u 4 --claim 1s --block 50ms {more}");
        let child = tool.start(&line);
        let now = loop {
            let now = group(&mut redis, "s");
            if now.0 > read + 10_000 {
                break now;
            }
            pass(1);
        };
        if last {
            let left = tool.wait(child);
            assert_eq!(left.code, 0, "{} {}", left.stdout, left.stderr);
            assert_eq!(left.counter("stream_delivered"), 100_000 - read);
            assert_eq!(left.counter("stream_redelivered"), pending);
            // Of what others have acknowledged, this run has seen nothing; but for that all have come, and once.
            assert_eq!(left.counter("stream_missing"), read - pending);
            assert_eq!((left.counter("stream_duplicates"), left.counter("stream_out_of_order")), (0, 0));
            assert_eq!((left.counter("stream_pending"), group(&mut redis, "s")), (0, (100_000, 0)));
        } else {
            assert!(now.0 < 100_000);
            signal(child.id(), "KILL");
            let _ = child.wait_with_output();
            // The server has closed their connections when nothing moves any more.
            let mut before = (0, 0);
            (read, pending) = loop {
                let now = group(&mut redis, "s");
                if now == before {
                    break now;
                }
                before = now;
                pass(50);
            };
        }
    }
    assert_eq!(messages(&mut redis, "s").len(), 100_000);
}

/// Connections are cut all the time: whatever was taken and not acknowledged is taken over, and comes twice if it was seen.
#[test]
fn duplicates_are_those_that_came_twice() {
    let Some(service) = Service::start("redis") else { return };
    let (mut redis, tool) = (service.redis(), service.tool());
    let child = tool.start(
        "--workload stream --read-ratio 0.5 --stream s -u 8 -d 5s --claim 200ms --block 20ms --no-thresholds",
    );
    for _ in 0..30 {
        pass(100);
        let _: u64 =
            redis::cmd("CLIENT").arg(&["KILL", "TYPE", "normal", "SKIPME", "yes"]).query(&mut redis).unwrap();
    }
    let left = tool.wait(child);
    let run = left.run();
    let n = messages(&mut redis, "s").len() as u64;
    let count = |name: &str| left.counter(&format!("stream_{name}"));
    assert!(run.ledger.calls.failed.total() > 0 && n > 500, "{}", left.stdout);
    // Some whose addition nobody confirmed are there all the same.
    assert!(count("added") <= n && n <= count("added") + run.ledger.calls.failed.total());
    assert_eq!(group(&mut redis, "s").1, count("pending"));
    // All that are there came at least once, but for those that are pending and that nobody saw.
    let distinct = count("delivered") + count("redelivered") - count("duplicates");
    assert!(distinct <= n && n <= distinct + count("pending"), "{distinct} of {n}");
    assert!(count("missing") <= count("pending"));
}
