//! What if a run could not clean up? It says what is left, and `db-load cleanup` removes it.

use std::process::{Command, Output};

use crate::support::{Service, keys, pass, signal};

fn clean(service: &Service, runs: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_db-load"));
    command.args(["cleanup", "--url", service.url()]).args(runs).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn a_server_that_is_gone_at_the_end_is_a_warning_with_a_way_out() {
    let Some(service) = Service::start("postgres") else { return };
    let (sql, tool) = (service.sql(), service.tool());
    let child = tool.start("-r 100 -d 3s -c 2 --rows 10");
    let table = sql.wait_for_load(20);
    service.stop();
    let left = tool.wait(child);
    let warnings = left.run().warnings.join("\n");
    assert!(warnings.contains("cleanup: ") && warnings.contains(&table), "{warnings}");
    assert!(left.stderr.contains(&format!("DROP TABLE {table}")), "{}", left.stderr);
    tool.keeps(&[&service.password()], &left);

    service.start_again();
    let run = table.strip_prefix("quintet_").unwrap();
    let listed = said(&clean(&service, &[]));
    assert_eq!(listed, format!("{run}  left  table {table}\n"));
    let removed = clean(&service, &[run]);
    assert_eq!(
        (said(&removed), removed.status.code()),
        (format!("{run}  removed  table {table}\n"), Some(0))
    );
    let again = clean(&service, &[run]);
    let error = String::from_utf8(again.stderr).unwrap();
    assert!(again.status.code() == Some(114) && error.contains("nothing is left of"), "{error}");
    assert!(!error.contains(&service.password()));
    assert_eq!(clean(&service, &["x; DROP TABLE y"]).status.code(), Some(104));
}

#[test]
fn a_cleanup_that_has_to_wait_is_ended_by_the_second_signal() {
    let Some(service) = Service::start("postgres") else { return };
    let (sql, tool) = (service.sql(), service.tool());
    let child = tool.start("-r 100 -d 1s -c 2 --rows 10");
    let table = sql.wait_for_load(20);
    // Reads and writes go on; only DROP has to wait.
    sql.run(&format!("BEGIN; LOCK TABLE {table} IN ACCESS SHARE MODE"));
    pass(2_500);
    signal(child.id(), "INT");
    pass(500);
    signal(child.id(), "INT");
    let left = tool.wait(child);
    assert!(left.stderr.contains("once more to leave at once"), "{}", left.stderr);
    let warnings = left.run().warnings.join("\n");
    assert!(warnings.contains("cleanup: stopped by a signal; ") && warnings.contains(&table), "{warnings}");
    assert!(!left.run().interrupted && left.run().ledger.calls.ok > 50);
    sql.run("COMMIT");
}

#[test]
fn keys_of_a_killed_run_are_listed_and_removed_and_no_others() {
    let Some(service) = Service::start("redis") else { return };
    let mut redis = service.redis();
    redis::cmd("SET").arg("quintet:mine").arg("stays").exec(&mut redis).unwrap();
    let tool = service.tool();
    let child = tool.start("-r 100 -d 60s -c 2 --keys 3000");
    pass(1_000);
    signal(child.id(), "KILL");
    assert_eq!(tool.wait(child).code, -1);
    assert_eq!(keys(&mut redis), 3_001);
    let listed = said(&clean(&service, &[]));
    let run = listed.split(' ').next().unwrap();
    assert_eq!(listed, format!("{run}  left  3000 keys quintet:{run}:*\n"));
    assert!(clean(&service, &[run]).status.success());
    assert_eq!(keys(&mut redis), 1);
}

#[test]
fn a_password_may_come_from_a_file_or_the_environment_and_is_never_shown() {
    for name in ["postgres", "redis"] {
        let Some(service) = Service::start(name) else { continue };
        let password = service.password();
        let tool = service.tool();
        let left = tool.run("-r 50 -d 1s -c 2 -v");
        assert_eq!(left.code, 0, "{}", left.stderr);
        tool.keeps(&[&password], &left);

        let bare = service.url().replace(&format!(":{password}"), "");
        let file = tool.folder().join("password");
        std::fs::write(&file, format!("{password}\n")).unwrap();
        let tool = crate::support::Tool::new(name, &bare);
        let left = tool.run(&format!("-n 10 -u 2 --password-file {}", file.display()));
        assert_eq!(left.code, 0, "{}", left.stderr);

        let tool = crate::support::Tool::new(name, "");
        let variable = if name == "redis" { "REDIS_URL" } else { "DATABASE_URL" };
        let left = tool.left(&tool.command("-n 10 -u 2").env(variable, service.url()).output().unwrap());
        assert_eq!(left.code, 0, "{}", left.stderr);
        tool.keeps(&[&password], &left);
    }
}
