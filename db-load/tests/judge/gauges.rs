//! Does the server say of itself in our results what it says of itself to others?

use load_report::gauge::{GaugeReport, Samples};
use load_report::model::RunFile;
use tempfile::TempDir;
use tool_tests::Left;

use crate::support::{Service, Sql, commands, pass, timed};

/// What `pg_stat_database` has in `column` for the database.
fn total(sql: &Sql, column: &str) -> i64 {
    sql.number(&format!("SELECT {column} FROM pg_stat_database WHERE datname = current_database()"))
}

/// Waits until the sessions of a run that is over have told what they counted.
fn settle(sql: &Sql) {
    let others = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
    for _ in 0..500 {
        if sql.number(others) == 0 {
            return;
        }
        pass(10);
    }
    panic!("sessions that do not end");
}

fn wal(sql: &Sql) -> f64 {
    sql.number("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint") as f64
}

#[track_caller]
fn gauge<'a>(left: &'a Left, name: &str) -> &'a GaugeReport {
    left.run().gauges.iter().find(|gauge| gauge.name == name).unwrap_or_else(|| panic!("no gauge {name}"))
}

#[track_caller]
fn figures(left: &Left, name: &str) -> (f64, f64, f64, f64) {
    let GaugeReport { min, mean, max, last, .. } = gauge(left, name);
    let [min, mean, max, last] =
        [min, mean, max, last].map(|value| value.unwrap_or_else(|| panic!("{name}: no samples")));
    (min, mean, max, last)
}

/// The largest value of a gauge of whole numbers.
#[track_caller]
fn most(left: &Left, name: &str) -> u64 {
    figures(left, name).2 as u64
}

/// The values of a gauge, with the seconds since the look before.
fn course(run: &RunFile, name: &str) -> Vec<(f64, f64)> {
    let index = run.header.plan.gauges.iter().position(|gauge| gauge.name == name).unwrap();
    let Samples { points, .. } = &run.samples;
    let steps =
        points.windows(2).filter_map(|pair| Some((pair[1].t_s - pair[0].t_s, pair[1].values[index]?)));
    steps.collect()
}

/// What a rate comes to over the whole run.
fn sum(run: &RunFile, name: &str) -> f64 {
    course(run, name).iter().map(|(seconds, rate)| seconds * rate).sum()
}

/// The server was asked as often as it answered, and no more than once in vain: at the end nobody waits for long.
#[track_caller]
fn is_asked(answered: u64, calls: u64) {
    assert!((answered..=answered + 1).contains(&calls), "{answered} looks, {calls} questions");
}

/// PostgreSQL whose only WAL, commits and blocks are those of the run, with pgbench's tables.
fn quiet() -> Option<(Service, Sql)> {
    let service = Service::start("postgres")?;
    let sql = service.sql();
    sql.run("ALTER SYSTEM SET autovacuum = off");
    sql.run("ALTER SYSTEM SET deadlock_timeout = '50ms'");
    sql.run("ALTER SYSTEM SET shared_buffers = '1MB'");
    drop(sql);
    service.stop();
    service.start_again();
    let sql = service.sql();
    Some((service, sql))
}

fn pgbench(service: &Service) {
    let made =
        std::process::Command::new("pgbench").args(["-q", "-i", "-s", "1", service.url()]).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

#[test]
fn commits_wal_and_tables_are_those_of_postgres() {
    let Some((service, sql)) = quiet() else { return };
    pgbench(&service);
    let size = "SELECT sum(pg_total_relation_size(oid))::bigint FROM pg_class WHERE relname LIKE 'pgbench_%' AND relkind = 'r'";
    timed(|| {
        settle(&sql);
        sql.run("CHECKPOINT; SELECT pg_stat_statements_reset()");
        let before = (total(&sql, "xact_commit"), wal(&sql), sql.number(size));
        let left = service.tool().run("--workload simple-update --use-existing -r 300 -d 6s -u 4 -c 4");
        settle(&sql);
        let after = (total(&sql, "xact_commit"), wal(&sql), sql.number(size));
        left.exits(0)?;
        let run = left.run();
        assert_eq!(run.header.plan.sample_s, Some(1.0));
        // One look a second, from before time zero to the end, by one session, which no other asks like.
        let (answered, failed) = (run.samples.answered, run.samples.failed);
        is_asked(answered, sql.calls("SELECT xact_commit::float8"));
        assert_eq!(failed, 0, "{:?}", run.warnings);
        if !(7..=8).contains(&answered) {
            return Err(format!("{answered} looks"));
        }
        // A session tells its commits when it is idle, once a second at most.
        let (seen, commits) = (sum(run, "pg_commits"), (after.0 - before.0) as f64);
        assert!(commits >= 1_800.0 && seen <= commits, "{seen} of {commits}");
        let (min, mean, ..) = figures(&left, "pg_commits");
        let (.., grown) = figures(&left, "pg_wal_bytes");
        let written = after.1 - before.1;
        assert!(grown <= written && grown > 0.9 * written, "{grown} of {written}");
        let (smallest, _, largest, _) = figures(&left, "pg_table_bytes");
        assert!(
            smallest >= before.2 as f64 && largest <= after.2 as f64,
            "{smallest} {largest} {before:?} {after:?}"
        );
        assert!(after.2 > before.2 && largest >= after.2 as f64 - 65_536.0, "{largest} {after:?}");
        // Four of the run, and ours.
        assert_eq!(most(&left, "pg_connections"), 5);
        if seen < 0.6 * commits || mean < 180.0 || min < 0.0 {
            return Err(format!("{seen} of {commits} commits, {mean}/s"));
        }
        Ok(())
    });
}

#[test]
fn blocks_that_are_not_in_memory_are_seen() {
    let Some((service, sql)) = quiet() else { return };
    let folder = tempfile::tempdir().unwrap();
    for (table, rows) in [("small", 200), ("large", 60_000)] {
        sql.run(&format!(
            "CREATE TABLE {table} (id int PRIMARY KEY, filler text); \
             INSERT INTO {table} SELECT id, repeat('x', 500) FROM generate_series(1, {rows}) AS id"
        ));
        sql.run(&format!("VACUUM ANALYZE {table}"));
    }
    let run = |table: &str, rows: u32, more: &str| {
        settle(&sql);
        let script = file(
            &folder,
            table,
            &format!("\\set id random(1, {rows})\nSELECT filler FROM {table} WHERE id = :id;"),
        );
        let before = (total(&sql, "blks_hit"), total(&sql, "blks_read"));
        let line =
            format!("-f {script} -r 1000 -d 5s --warmup 2s -u 4 -c 4 --threshold pg_cache_hit:min>0.97");
        let left = service.tool().run(&format!("{line}{more}"));
        settle(&sql);
        let (hits, reads) = (total(&sql, "blks_hit") - before.0, total(&sql, "blks_read") - before.1);
        (left, hits as f64 / (hits + reads) as f64)
    };
    timed(|| {
        let (left, share) = run("large", 60_000, "");
        // The first two seconds, with what sessions read to begin, are in no figure of ours, and in those of the server.
        assert!(gauge(&left, "pg_cache_hit").count <= 4);
        let (min, mean, max, _) = figures(&left, "pg_cache_hit");
        // Most of the large table is not in memory; its index and the catalogs are.
        assert!((0.3..0.95).contains(&share), "{share}");
        left.exits(99)?;
        if (mean - share).abs() > 0.05 || max - min > 0.1 {
            return Err(format!("{min} to {max}, {mean} in the mean, where the server says {share}"));
        }
        let (left, share) = run("small", 200, "");
        let (.., last) = figures(&left, "pg_database_bytes");
        assert_eq!(last as i64, sql.number("SELECT pg_database_size(current_database())"));
        left.exits(0)?;
        let (min, ..) = figures(&left, "pg_cache_hit");
        if share > 0.97 && min > 0.97 {
            Ok(())
        } else {
            Err(format!("{min} of the small table, server {share}"))
        }
    });
}

#[test]
fn deadlocks_and_waits_are_seen_while_they_are_there() {
    let Some((service, sql)) = quiet() else { return };
    let folder = tempfile::tempdir().unwrap();
    sql.run("CREATE TABLE pair (id int PRIMARY KEY, n int); INSERT INTO pair VALUES (1, 0), (2, 0)");
    let script = |name: &str, first: u32, second: u32| {
        let update = |id| format!("UPDATE pair SET n = n + 1 WHERE id = {id};\n");
        let text = format!("BEGIN;\n{}SELECT pg_sleep(0.02);\n{}END;", update(first), update(second));
        file(&folder, name, &text)
    };
    let (up, down) = (script("up", 1, 2), script("down", 2, 1));
    timed(|| {
        settle(&sql);
        let before = total(&sql, "deadlocks");
        let line = format!("-f {up} -f {down} -u 8 --no-pool -d 6s --threshold pg_deadlocks:value==0");
        let left = service.tool().run(&line);
        settle(&sql);
        let deadlocks = total(&sql, "deadlocks") - before;
        assert_eq!(left.counter("deadlocks"), deadlocks.unsigned_abs());
        assert!(deadlocks > 10, "{deadlocks}");
        assert_eq!(left.code, 99, "{}", left.stdout);
        let (.., seen) = figures(&left, "pg_deadlocks");
        assert!(seen <= deadlocks as f64, "{seen} of {deadlocks}");
        let grown = course(left.run(), "pg_deadlocks");
        assert!(grown.is_sorted_by(|a, b| a.1 <= b.1), "{grown:?}");
        // Those who wait for a row are all but one or two of eight.
        let waiting = ["pg_waiting_lock", "pg_locks_waiting", "pg_idle_in_transaction"]
            .map(|name| figures(&left, name).2);
        assert!(waiting[..2].iter().all(|&most| (1.0..=8.0).contains(&most)), "{waiting:?}");
        if seen >= 0.5 * deadlocks as f64 { Ok(()) } else { Err(format!("{seen} of {deadlocks}")) }
    });
}

#[test]
fn a_server_that_is_away_leaves_a_gap_and_the_looks_go_on() {
    timed(|| {
        let Some(service) = Service::start("postgres") else { return Ok(()) };
        let (sql, tool) = (service.sql(), service.tool());
        let child = tool.start("-r 100 -d 8s -u 4 -c 4 --rows 100 --no-thresholds --processes 2");
        sql.wait_for_load(50);
        drop(sql);
        pass(1_000);
        service.kill();
        pass(1_200);
        service.start_again();
        let left = tool.wait(child);
        let run = left.run();
        let Samples { answered, failed, points, .. } = &run.samples;
        assert_eq!(points.len() as u64, *answered);
        let said = run.warnings.iter().find(|text| text.contains("looks at the gauges failed"));
        assert!(*failed >= 1 && said.is_some(), "{failed} {:?}", run.warnings);
        let wal = course(run, "pg_wal_bytes");
        assert!(wal.is_sorted_by(|a, b| a.1 <= b.1), "{wal:?}");
        let gap = course(run, "pg_connections").iter().map(|(seconds, _)| *seconds).fold(0.0, f64::max);
        let late = points.last().unwrap().t_s;
        left.exits(0)?;
        if gap > 1.5 && late > 7.0 && (5..=9).contains(answered) {
            Ok(())
        } else {
            Err(format!("{gap} {late} {answered}"))
        }
    });
}

#[test]
fn what_a_role_may_not_see_is_said_once_and_the_rest_is_sampled() {
    let Some(service) = Service::start("postgres") else { return };
    let sql = service.sql();
    sql.run("CREATE ROLE loader LOGIN PASSWORD 'l0ader-w0rd'; GRANT CREATE ON SCHEMA public TO loader");
    let url = format!("postgres://loader:l0ader-w0rd@{}/postgres", service.address());
    let left = crate::support::Tool::new("postgres", &url).run("-r 50 -d 3s -u 2 -c 2 --rows 10");
    let said: Vec<_> = left.run().warnings.iter().filter(|text| text.contains("pg_read_all_stats")).collect();
    assert_eq!(said.len(), 1, "{:?}", left.run().warnings);
    assert!(said[0].contains("GRANT pg_read_all_stats TO loader"), "{said:?}");
    assert_eq!(left.run().samples.failed, 0, "{:?}", left.run().warnings);
    assert_eq!(most(&left, "pg_connections"), 2);
    assert!(figures(&left, "pg_wal_bytes").3 > 0.0);
}

#[test]
fn sampling_can_be_off_or_more_often_and_a_threshold_needs_it() {
    let Some(service) = Service::start("postgres") else { return };
    let sql = service.sql();
    let left = service.tool().run("-r 50 -d 2s -u 2 -c 2 --rows 10 --sample off");
    assert_eq!((left.run().header.plan.sample_s, &left.run().samples), (None, &Samples::default()));
    assert_eq!(sql.calls("SELECT xact_commit::float8"), 0);
    assert!(!left.stdout.contains("pg_commits"), "{}", left.stdout);
    let refused = |line: &str, why: &str| {
        service.tool().run(&format!("-r 1 -d 1s --quiet {line}")).is_refused(104, why);
    };
    refused("--sample off --threshold pg_cache_hit:min>0.9", "nobody would look at pg_cache_hit");
    let left = service.tool().run("-r 1 -d 1s --quiet --sample 10ms");
    assert_eq!(left.code, 104);
    assert!(left.stderr.contains("expected a time from 100ms to 1h, or off"), "{}", left.stderr);
    timed(|| {
        sql.run("SELECT pg_stat_statements_reset()");
        let line = "-r 50 -d 2s -u 2 -c 2 --rows 10 --sample 200ms";
        let left = service.tool().run(&format!("{line} --processes 2"));
        let (answered, calls) = (left.run().samples.answered, sql.calls("SELECT xact_commit::float8"));
        // One of the processes alone asks, and the first of the segments.
        is_asked(answered, calls);
        let second = service.tool().run(&format!("{line} --segment 1/2"));
        assert!(second.code == 0 && !second.stdout.contains("pg_commits"), "{}", second.stdout);
        assert_eq!(sql.calls("SELECT xact_commit::float8"), calls);
        let first = service.tool().run(&format!("{line} --segment 0/2"));
        assert!(first.code == 0 && first.stdout.contains("pg_commits"), "{}", first.stdout);
        if (9..=12).contains(&answered) { Ok(()) } else { Err(format!("{answered} looks")) }
    });
}

#[test]
fn a_suite_may_promise_something_of_the_server() {
    let Some(service) = Service::start("postgres") else { return };
    let folder = tempfile::tempdir().unwrap();
    let suite = |threshold: &str| {
        let text = format!(
            "thresholds = [\"{threshold}\"]\n[[users]]\nname = \"one\"\n[[users.tasks]]\nname = \"ask\"\n\
             steps = [{{ name = \"ask\", sql = \"SELECT count(*) FROM pg_class\" }}]\n"
        );
        let path = folder.path().join("db.toml");
        std::fs::write(&path, text).unwrap();
        service.tool().run(&format!("--suite {} -u 2 -c 2 -d 2s", path.display()))
    };
    let left = suite("pg_cache_hit: min>0.9");
    assert_eq!(left.code, 0, "{}{}", left.stdout, left.stderr);
    assert_eq!(suite("pg_connections: max<2").code, 99);
    let left = suite("pg_conections: max<2");
    assert_eq!(left.code, 104);
    assert!(left.stderr.contains("did you mean `pg_connections`?"), "{}", left.stderr);
}

#[test]
fn what_redis_says_is_what_info_says() {
    let Some(service) = Service::start("redis") else { return };
    timed(|| {
        let mut redis = service.redis();
        redis::cmd("SET").arg("there").arg("x").exec(&mut redis).unwrap();
        redis::cmd("CONFIG").arg("RESETSTAT").exec(&mut redis).unwrap();
        let tool = service.tool();
        let mut command = tool.command("-r 2000 -d 4s -u 8 -c 4 --threshold redis_keyspace_hit:min>0.9");
        command.args(["--command", "GET there@3", "--command", "GET absent"]);
        let left = run_in(&tool, command);
        let (hits, misses) = (info(&mut redis, "keyspace_hits"), info(&mut redis, "keyspace_misses"));
        let share = hits / (hits + misses);
        left.exits(99)?;
        let answered = left.run().samples.answered;
        assert_eq!(commands(&mut redis, "info"), answered + 2, "ours and the two before this one");
        let (min, mean, max, _) = figures(&left, "redis_keyspace_hit");
        assert!((0.7..0.8).contains(&share), "{share}");
        assert!((mean - share).abs() < 0.02 && max - min < 0.1, "{min} {mean} {max} {share}");
        let (seen, calls) = (sum(left.run(), "redis_commands"), left.run().ledger.calls.ok as f64);
        let memory = figures(&left, "redis_used_memory");
        assert!(memory.0 > 500_000.0 && memory.2 <= info(&mut redis, "used_memory_peak"), "{memory:?}");
        // Four of the pool, those that prepare and sample, and ours.
        assert_eq!(most(&left, "redis_connected_clients"), 7);
        let (_, cpu, ..) = figures(&left, "redis_cpu");
        assert!((0.000_1..1.5).contains(&cpu), "{cpu}");
        if seen > 0.7 * calls && seen < 1.1 * calls {
            Ok(())
        } else {
            Err(format!("{seen} of {calls} commands"))
        }
    });
}

#[test]
fn clients_that_wait_and_keys_that_expire_are_seen() {
    let Some(service) = Service::start("redis") else { return };
    timed(|| {
        let mut redis = service.redis();
        redis::cmd("CONFIG").arg("RESETSTAT").exec(&mut redis).unwrap();
        let tool = service.tool();
        let mut command = tool.command("-u 5 -c 5 -d 3s --no-thresholds");
        command.args(["--command", "BLPOP never 0.4"]);
        let left = run_in(&tool, command);
        let blocked = most(&left, "redis_blocked_clients");
        assert!(blocked <= 5, "{blocked}");
        let tool = service.tool();
        let mut command = tool.command("-r 200 -u 5 -c 5 -d 3s --no-thresholds");
        command.args(["--command", "SET {{key}} x PX 20"]);
        let left = run_in(&tool, command);
        let (.., seen) = figures(&left, "redis_expired_keys");
        let expired = info(&mut redis, "expired_keys");
        assert!(seen <= expired && expired > 100.0, "{seen} of {expired}");
        if blocked == 5 && seen > 0.5 * expired {
            Ok(())
        } else {
            Err(format!("{blocked} blocked, {seen} of {expired} expired"))
        }
    });
}

/// A field of `INFO`.
fn info(redis: &mut redis::Connection, field: &str) -> f64 {
    let info: String = redis::cmd("INFO").query(redis).unwrap();
    let line = info.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.unwrap().trim().parse().unwrap()
}

fn run_in(tool: &crate::support::Tool, mut command: std::process::Command) -> Left {
    let output = command.output().unwrap();
    tool.left(&output)
}

fn file(folder: &TempDir, name: &str, text: &str) -> String {
    let path = folder.path().join(format!("{name}.sql"));
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[test]
fn gauges_of_its_machine_stand_beside_those_of_the_server() {
    let Some(service) = Service::start("redis") else { return };
    // The process of this test stands for that of the server, whose number nobody knows here.
    let line = format!("-u 2 --think 20ms -d 1500ms --sample 300ms --sample-pid {}", std::process::id());
    let left = service.tool().run(&line);
    let run = left.run();
    assert!(run.samples.answered > 1 && run.samples.failed == 0, "{:?}", run.warnings);
    assert!(figures(&left, "redis_used_memory").0 > 1e5 && figures(&left, "process_memory").0 > 1e6);
    assert_eq!(most(&left, "process_restarts"), 0);
}
