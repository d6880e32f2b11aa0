//! Are pgbench's workloads those of pgbench? Beside it, on its own tables, with its own laws.

use std::process::Command;

use tool_tests::Left;

use crate::support::{Service, Sql, op, timed};

/// The sums that pgbench's transactions keep equal.
fn is_balanced(sql: &Sql) {
    let sum = |what: &str| {
        sql.number(&format!(
            "SELECT coalesce(sum({what})::bigint, 0) FROM pgbench_{}",
            match what {
                "abalance" => "accounts",
                "tbalance" => "tellers",
                "bbalance" => "branches",
                _ => "history",
            }
        ))
    };
    let all = ["abalance", "tbalance", "bbalance", "delta"].map(sum);
    assert!(all.iter().all(|sum| *sum == all[0]), "{all:?}");
}

fn initialise(service: &Service, scale: u32) {
    let output = Command::new("pgbench").args(["-q", "-i", "-s", &scale.to_string(), service.url()]).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn pgbench(service: &Service, line: &str) {
    let output = Command::new("pgbench").arg("-n").args(line.split(' ')).arg(service.url()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// How often each statement on pgbench's tables was executed, by its first two words and its table.
fn calls(sql: &Sql) -> Vec<u64> {
    [
        "UPDATE pgbench_accounts",
        "SELECT abalance FROM",
        "UPDATE pgbench_tellers",
        "UPDATE pgbench_branches",
        "INSERT INTO pgbench_history",
        "BEGIN",
        "END|COMMIT",
    ]
    .map(|pattern| sql.calls(pattern))
    .into()
}

fn counter(left: &Left, name: &str) -> u64 {
    left.run().counters.iter().find(|counter| counter.name == name).unwrap().count
}

#[test]
fn the_same_transactions_are_the_same_statements_as_those_of_pgbench() {
    let Some(service) = Service::start("postgres") else { return };
    let sql = service.sql();
    initialise(&service, 2);
    for (workload, builtin) in
        [("tpcb", "tpcb-like"), ("simple-update", "simple-update"), ("select-only", "select-only")]
    {
        for protocol in ["simple", "extended", "prepared"] {
            sql.run("SELECT pg_stat_statements_reset()");
            pgbench(&service, &format!("-b {builtin} -M {protocol} -c 2 -t 50"));
            let theirs = calls(&sql);
            sql.run("SELECT pg_stat_statements_reset()");
            let pool = if protocol == "extended" { "--no-pool" } else { "-c 2" };
            let line = format!("--workload {workload} --use-existing -M {protocol} -u 2 {pool} -n 100");
            let left = service.tool().run(&line);
            assert_eq!(left.code, 0, "{} {}", left.stdout, left.stderr);
            if workload == "tpcb" {
                is_balanced(&sql);
            }
            assert_eq!(calls(&sql), theirs, "{line}");
            assert_eq!(op(&left, workload), 100);
            let statements = match workload {
                "tpcb" => 7,
                "simple-update" => 5,
                _ => 1,
            };
            assert_eq!(counter(&left, "statements"), 100 * statements);
        }
    }
    // 3 protocols, 100 of each tool, of tpcb and simple-update.
    assert_eq!(sql.number("SELECT count(*) FROM pgbench_history"), 1_200);
    assert_eq!(sql.number("SELECT count(DISTINCT bid) FROM pgbench_history"), 2);
}

#[test]
fn tables_that_were_there_are_touched_by_nobody_who_does_not_say_so() {
    let Some(service) = Service::start("postgres") else { return };
    let sql = service.sql();
    let line = "--workload tpcb --use-existing -n 10 -u 2 --quiet";
    service.tool().run(line).is_refused(114, "make them with pgbench -i, or leave --use-existing out");
    initialise(&service, 1);
    let left = service
        .tool()
        .run("--workload tpcb@1,select-only@3 --scale 2 -n 400 -u 4 -c 2 --distribution zipf:1.1");
    assert_eq!(left.code, 0, "{}", left.stderr);
    assert_eq!(op(&left, "tpcb") + op(&left, "select-only"), 400);
    assert!((60..140).contains(&op(&left, "tpcb")), "{}", left.stdout);
    assert_eq!(sql.number("SELECT count(*) FROM pgbench_history"), 0);
    assert_eq!(sql.tables(), Vec::<String>::new());
    sql.run("DELETE FROM pgbench_tellers WHERE tid = 10");
    service.tool().run(line).is_refused(114, "are not whole");
}

#[test]
fn no_transaction_is_half_done_when_the_server_is_killed() {
    timed(|| {
        let Some(service) = Service::start("postgres") else { return Ok(()) };
        initialise(&service, 1);
        // The server's own flags would let it forget what it has confirmed.
        service.sql().run("ALTER ROLE quintet SET synchronous_commit = on");
        let tool = service.tool();
        let child = tool.start("--workload tpcb --use-existing -r 100 -d 6s -u 8 -c 4 --max-vus 8");
        crate::support::pass(1_500);
        service.kill();
        crate::support::pass(2_000);
        service.start_again();
        let left = tool.wait(child);
        let sql = service.sql();
        is_balanced(&sql);
        // What the tool was told is committed is there; what was in flight may be there or not.
        let there = sql.number("SELECT count(*) FROM pgbench_history").unsigned_abs();
        let (ok, unknown) = (left.run().ledger.calls.ok, counter(&left, "unknown_outcomes"));
        assert!((ok..=ok + unknown).contains(&there), "{there} of {ok} and {unknown} unknown");
        let outage = left.run().extras.iter().find(|extra| extra.name == "outage").unwrap();
        let longest = outage.ms.unwrap().max;
        assert!((1_900.0..4_500.0).contains(&longest), "{longest}");
        left.exits(99)?;
        left.paced(100, &[2], &[5])
    });
}

/// Transactions on one row that begin with what they read: all but the first of those at a time must try again.
#[test]
fn conflicts_are_tried_again_and_counted() {
    let Some(service) = Service::start("postgres") else { return };
    let (sql, tool) = (service.sql(), service.tool());
    sql.run("CREATE TABLE counter (n bigint); INSERT INTO counter VALUES (0)");
    let script = tool.folder().join("count.sql");
    std::fs::write(
        &script,
        "BEGIN;\nSELECT n FROM counter \\gset\n\\set m :n + 1\nUPDATE counter SET n = :m;\n\\rows 1\nCOMMIT;",
    )
    .unwrap();
    let line = |tries| {
        format!(
            "-f {} --isolation repeatable-read --max-tries {tries} -n 300 -u 4 --no-pool --no-thresholds",
            script.display()
        )
    };
    let left = service.tool().run(&line(1));
    let failed = left.run().ledger.calls.failed.total();
    assert_eq!(sql.number("SELECT n FROM counter").unsigned_abs() + failed, 300);
    assert!(failed > 0 && counter(&left, "serialization_failures") == failed, "{}", left.stdout);
    assert!(
        left.run().faults.iter().all(|fault| fault.sample.contains("SQLSTATE 40001")),
        "{:?}",
        left.run().faults
    );
    let before = sql.number("SELECT n FROM counter");
    let left = service.tool().run(&line(1_000));
    assert_eq!(left.run().ledger.calls.ok, 300, "{}", left.stdout);
    assert_eq!(sql.number("SELECT n FROM counter") - before, 300);
    assert!(counter(&left, "retries") > 0);
    assert_eq!(counter(&left, "retries"), counter(&left, "serialization_failures"));
}

#[test]
fn the_queries_of_novacron_meet_what_they_look_for() {
    let Some(service) = Service::start("postgres") else { return };
    for way in ["-c 2", "--no-pool -M simple", "-c 2 -M extended --pipelined"] {
        let left = service.tool().run(&format!("--workload novacron --scale 2 -n 600 -u 4 {way}"));
        assert_eq!((left.code, left.run().faults.len()), (0, 0), "{} {}", left.stdout, left.stderr);
        let batches = op(&left, "batch-vms");
        assert!(
            (240..360).contains(&op(&left, "list-vms")) && (20..90).contains(&batches),
            "{}",
            left.stdout
        );
        assert_eq!(counter(&left, "statements"), 600 + 4 * batches);
        assert_eq!(service.sql().tables(), Vec::<String>::new());
    }
}
