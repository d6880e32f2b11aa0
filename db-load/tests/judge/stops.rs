//! Is nothing left on the server, however a run ends?

use crate::support::{Service, keys, pass, signal};

#[test]
fn a_run_that_is_stopped_leaves_a_result_and_no_table() {
    let Some(service) = Service::start("postgres") else { return };
    let sql = service.sql();
    for name in ["INT", "TERM"] {
        sql.run("SELECT pg_stat_statements_reset()");
        let tool = service.tool();
        let child = tool.start("-r 200 -d 60s -c 4 --processes 2");
        sql.wait_for_load(50);
        signal(child.id(), name);
        let left = tool.wait(child);
        assert_eq!(left.code, 105, "{}", left.stderr);
        assert!(left.run().interrupted && left.run().warnings.is_empty(), "{:?}", left.run().warnings);
        assert_eq!(sql.tables(), Vec::<String>::new());
    }
}

#[test]
fn a_run_that_is_stopped_leaves_a_result_and_no_keys() {
    let Some(service) = Service::start("redis") else { return };
    let (mut redis, tool) = (service.redis(), service.tool());
    let child = tool.start("-r 200 -d 60s -c 4 --processes 2");
    pass(1_500);
    assert_eq!(keys(&mut redis), 10_000);
    signal(child.id(), "INT");
    let left = tool.wait(child);
    assert_eq!((left.code, left.run().interrupted), (105, true), "{}", left.stderr);
    assert_eq!(keys(&mut redis), 0);
}

#[test]
fn a_preparation_that_is_stopped_half_way_leaves_nothing() {
    let Some(service) = Service::start("postgres") else { return };
    let sql = service.sql();
    for at in [100, 400, 900] {
        let tool = service.tool();
        let child = tool.start("--rows 5m -d 1s");
        pass(at);
        signal(child.id(), "INT");
        let left = tool.wait(child);
        assert_eq!((left.code, left.run.is_none()), (105, true), "{}", left.stderr);
        assert!(!left.stderr.contains("cleanup"), "{}", left.stderr);
        assert_eq!(sql.tables(), Vec::<String>::new());
    }
    let Some(service) = Service::start("redis") else { return };
    let mut redis = service.redis();
    for at in [60, 150, 400] {
        let tool = service.tool();
        let child = tool.start("--keys 2m --value-bytes 10 -d 1s");
        pass(at);
        signal(child.id(), "INT");
        let left = tool.wait(child);
        assert_eq!((left.code, left.run.is_none()), (105, true), "{}", left.stderr);
        assert_eq!(keys(&mut redis), 0, "stopped after {at} ms");
    }
}
