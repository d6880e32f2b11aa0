//! Are the figures those that the server has counted?

use tool_tests::Left;

use crate::support::{Service, commands, is_likely, keys, op, timed};

/// All calls of the plan were made, none failed, and the mix is the one that was asked for. `Err` when a machine that
/// was busy with something else left no lane for some of them.
fn is_mixed(left: &Left, planned: u64, ratio: f64) -> Result<(), String> {
    let run = left.run();
    let (calls, unsent) = (run.ledger.calls.ok, run.ledger.calls.unsent);
    assert_eq!((calls + unsent, run.ledger.calls.failed.total()), (planned, 0), "{:?}", run.faults);
    assert_eq!(op(left, "read") + op(left, "write"), calls);
    assert!(is_likely(op(left, "read"), calls, ratio), "{} of {calls} read", op(left, "read"));
    assert_eq!(run.extras[0].name, "pool_wait");
    assert_eq!(run.extras[0].count, calls);
    if unsent == 0 { Ok(()) } else { Err(format!("{unsent} unsent")) }
}

#[test]
fn reads_and_writes_are_those_that_postgres_counted() {
    let Some(service) = Service::start("postgres") else { return };
    let sql = service.sql();
    for (line, calls, ratio, connections) in [
        ("-r 600 -d 3s -u 8 -c 4 --read-ratio 0.7 --rows 500", 1_800, 0.7, 4),
        ("-n 3000 -u 6 -c 3 --read-ratio 0.3 --rows 25k --processes 2", 3_000, 0.3, 3),
    ] {
        timed(|| {
            sql.run("SELECT pg_stat_statements_reset()");
            let left = service.tool().run(line);
            let counted = (sql.calls("SELECT token"), sql.calls("UPDATE quintet"));
            assert_eq!(counted, (op(&left, "read"), op(&left, "write")), "{line}");
            let control = sql.calls("BEGIN|CREATE|INSERT|COMMIT|ROLLBACK|SET|DROP");
            assert_eq!(left.run().ledger.control_calls, control, "{line}");
            assert_eq!(sql.tables(), Vec::<String>::new(), "{:?}", left.run().warnings);
            assert_eq!(left.run().connections.peak, connections);
            is_mixed(&left, calls, ratio)
        });
    }
}

#[test]
fn reads_and_writes_are_those_that_redis_counted() {
    let Some(service) = Service::start("redis") else { return };
    for (line, calls, ratio) in [
        ("-r 1500 -d 2s -u 8 -c 4 --read-ratio 0.7 --keys 500", 3_000, 0.7),
        ("-n 20k -u 32 -c 2 --multiplex 16 --keys 2500 --value-bytes 5000 --processes 2", 20_000, 0.8),
        ("-n 2000 -u 4 -c 4 --read-ratio 0 --value-bytes 3", 2_000, 0.0),
    ] {
        timed(|| {
            let mut redis = service.redis();
            redis::cmd("CONFIG").arg("RESETSTAT").exec(&mut redis).unwrap();
            let left = service.tool().run(line);
            let counted = (commands(&mut redis, "get"), commands(&mut redis, "set"));
            assert_eq!(counted, (op(&left, "read"), op(&left, "write")), "{line}");
            let control: u64 = ["ping", "mset", "unlink"].iter().map(|name| commands(&mut redis, name)).sum();
            assert_eq!(left.run().ledger.control_calls, control, "{line}");
            assert_eq!(keys(&mut redis), 0);
            is_mixed(&left, calls, ratio)
        });
    }
}

#[test]
fn rows_are_drawn_alike_in_any_division() {
    let Some(service) = Service::start("redis") else { return };
    let reads = |line: &str| {
        let left = service.tool().run(&format!("-n 2000 -u 4 -c 4 --read-ratio 0.5 --seed 7 {line}"));
        op(&left, "read")
    };
    let all = reads("--threads 1");
    assert_eq!(reads("--threads 2"), all);
    assert_eq!(reads("--processes 2"), all);
}

/// The wait for one of 2 connections by 16 users is most of what they feel: by Little's law 14 of 16 wait.
#[test]
fn a_pool_that_is_too_small_shows_in_its_wait() {
    let Some(service) = Service::shared() else { return };
    let share = |line: &str| {
        let left = service.tool().run(line);
        let run = left.run();
        let said = run.warnings.iter().any(|warning| warning.contains("the pool is too small for the load"));
        assert_eq!(run.connections.opened, u64::from(run.header.plan.connections), "each of the pool");
        (run.extras[0].ms.unwrap().mean / run.totals.response_ms.unwrap().mean, said)
    };
    timed(|| {
        let crowded = share("-d 1s -u 16 -c 2 --threads 1");
        let roomy = share("-d 1s -u 4 -c 4 --threads 1");
        let right = (0.7..1.0).contains(&crowded.0) && crowded.1 && roomy.0 < 0.2 && !roomy.1;
        if right { Ok(()) } else { Err(format!("{crowded:?} of a small pool, {roomy:?} of a large one")) }
    });
}
