//! What happens when rows are wrong, or answers late?

use load_report::fault::FaultKind;

use crate::support::{Service, pass};

#[test]
fn a_row_that_somebody_changed_is_a_wrong_answer() {
    let Some(service) = Service::start("postgres") else { return };
    let (sql, tool) = (service.sql(), service.tool());
    let child = tool.start("-r 240 -d 4s -c 4 --rows 4 --read-ratio 0.5");
    let table = sql.wait_for_load(50);
    sql.run(&format!("UPDATE {table} SET token = 0 WHERE id = 1; DELETE FROM {table} WHERE id = 2"));
    let left = tool.wait(child);
    let run = left.run();
    assert_eq!(left.code, 99, "{}", left.stdout);
    let wrong = |name: &str, sample: &str| {
        let mut faults = run.faults.iter().filter(|fault| fault.op.as_deref() == Some(name));
        assert!(faults.all(|fault| fault.kind == FaultKind::Wrong), "{:?}", run.faults);
        let fault = run.faults.iter().find(|fault| fault.op.as_deref() == Some(name)).unwrap();
        assert!(fault.sample.contains(sample), "{fault:?}");
        fault.count
    };
    assert!(wrong("read", "the row") > 50);
    assert!(wrong("write", "0 rows, expected 1") > 20);
}

#[test]
fn a_key_that_somebody_changed_is_a_wrong_answer() {
    let Some(service) = Service::start("redis") else { return };
    let (mut redis, tool) = (service.redis(), service.tool());
    let child = tool.start("-r 300 -d 3s -c 4 --keys 4 --read-ratio 1");
    let key = loop {
        let keys: Vec<String> = redis::cmd("KEYS").arg("quintet:*:2").query(&mut redis).unwrap();
        if let Some(key) = keys.into_iter().next() {
            break key;
        }
        pass(10);
    };
    redis::cmd("SET").arg(&key).arg("something else").exec(&mut redis).unwrap();
    let left = tool.wait(child);
    let run = left.run();
    assert_eq!(left.code, 99, "{}", left.stdout);
    assert_eq!(run.faults.len(), 1, "{:?}", run.faults);
    assert_eq!(run.faults[0].kind, FaultKind::Wrong);
    assert!(run.faults[0].sample.contains("another value"), "{:?}", run.faults);
    assert!(run.faults[0].count > 100, "{:?}", run.faults);
}

/// Calls that wait for a lock are given up; their connections have answers still to come, and none of those may be
/// taken for the answer to another call.
#[test]
fn a_connection_with_an_answer_still_to_come_is_not_lent_again() {
    let Some(service) = Service::start("postgres") else { return };
    let (sql, tool) = (service.sql(), service.tool());
    let child = tool.start("-r 200 -d 4s -u 8 -c 4 --max-vus 8 --timeout 150ms --rows 100");
    let table = sql.wait_for_load(50);
    sql.run(&format!("BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"));
    pass(700);
    sql.run("COMMIT");
    let left = tool.wait(child);
    let failed = &left.run().ledger.calls.failed;
    assert!(failed.get(FaultKind::Timeout) > 4, "{failed:?}");
    assert_eq!(failed.get(FaultKind::Wrong), 0, "{:?}", left.run().faults);
    let last = &left.run().timeseries.points[3];
    assert!(last.ok > 150 && last.failed == 0, "{last:?}");
}

#[test]
fn a_redis_that_pauses_times_out_and_its_late_answers_are_nobodys() {
    let Some(service) = Service::start("redis") else { return };
    for more in ["", "--multiplex 4", "--pipeline 5"] {
        let (mut redis, tool) = (service.redis(), service.tool());
        let line = format!("-r 400 -d 3s -u 8 -c 2 --max-vus 8 --timeout 150ms {more}");
        let child = tool.start(&line);
        pass(1_000);
        redis::cmd("CLIENT").arg("PAUSE").arg(600).exec(&mut redis).unwrap();
        let left = tool.wait(child);
        let failed = &left.run().ledger.calls.failed;
        assert!(failed.get(FaultKind::Timeout) > 4, "{failed:?}");
        assert_eq!(failed.get(FaultKind::Wrong), 0, "{:?}", left.run().faults);
        let last = &left.run().timeseries.points[2];
        assert!(last.ok > 300 && last.failed == 0, "{last:?}");
    }
}
