//! Is a server that cannot be used one clear line, without a secret?

use std::net::TcpListener;
use std::process::Command;

use crate::support::{Service, Tool};

const SECRET: &str = "s3cr3t-w0rd";

fn is_refused(word: &'static str, url: &str, expected: &str) {
    let left = Tool::new(word, url).run("-r 10 -d 1s --quiet");
    left.is_refused(114, expected);
    assert!(!left.stderr.contains(SECRET), "{}", left.stderr);
}

#[test]
fn a_server_that_is_not_there_is_114() {
    is_refused("postgres", &format!("postgres://me:{SECRET}@127.0.0.1:1/db"), "Connection refused");
    is_refused("redis", &format!("redis://:{SECRET}@127.0.0.1:1/0"), "Connection refused");
    let unknown = format!("me:{SECRET}@no-such-host.invalid");
    is_refused("postgres", &format!("postgres://{unknown}/db"), "no-such-host.invalid:5432/db: ");
    is_refused("redis", &format!("redis://{unknown}/"), "no-such-host.invalid:6379/0: ");
}

#[test]
fn a_postgres_that_refuses_is_114() {
    let Some(service) = Service::shared() else { return };
    let (address, password) = (service.address(), service.password());
    let wrong = format!("postgres://quintet:{SECRET}@{address}/postgres");
    is_refused("postgres", &wrong, "password authentication failed for user \"quintet\" (SQLSTATE 28P01)");
    let nowhere = format!("postgres://quintet:{password}@{address}/nowhere");
    is_refused("postgres", &nowhere, "database \"nowhere\" does not exist (SQLSTATE 3D000)");
    let tls = format!("{}?sslmode=require", service.url());
    is_refused("postgres", &tls, "TLS");
    is_refused("redis", &format!("redis://:{SECRET}@{address}/0"), "is it a Redis server?");
    // One that may not make tables.
    let sql = service.sql();
    sql.run(&format!("CREATE ROLE reader LOGIN PASSWORD '{SECRET}'"));
    let reader = format!("postgres://reader:{SECRET}@{address}/postgres");
    is_refused("postgres", &reader, "permission denied for schema public (SQLSTATE 42501)");
    sql.run("DROP ROLE reader");
}

#[test]
fn a_redis_that_refuses_is_114() {
    let Some(service) = Service::start("redis") else { return };
    let address = service.address();
    is_refused("redis", &format!("redis://:{SECRET}@{address}/0"), "WRONGPASS");
    is_refused("redis", &format!("redis://{address}/0"), "Authentication required");
    let nowhere = format!("redis://:{}@{address}/4711", service.password());
    is_refused("redis", &nowhere, "DB index is out of range");
}

#[test]
fn a_server_that_says_nothing_is_114_within_5_s() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let postgres = format!("postgres://me:{SECRET}@{address}/db");
            is_refused("postgres", &postgres, "no answer within 5 s; is it a PostgreSQL server?");
        });
        scope.spawn(|| {
            let redis = format!("redis://:{SECRET}@{address}/0");
            is_refused("redis", &redis, "no answer within 5 s; is it a Redis server?");
        });
    });
}

#[test]
fn a_command_line_that_cannot_be_meant_is_104_without_a_secret() {
    for (word, url, line, expected) in [
        ("postgres", "", "", "give --url postgres://USER@HOST[:PORT]/DATABASE, or set DATABASE_URL"),
        ("redis", "", "", "give --url redis://[USER@]HOST[:PORT][/DATABASE], or set REDIS_URL"),
        ("postgres", "mysql://me:s3cr3t-w0rd@h/db", "", "--url: expected postgres://"),
        ("postgres", "postgres://me:s3cr3t-w0rd@h:port/db", "", "--url: "),
        ("postgres", "postgres:///db", "", "--url: no host"),
        ("redis", "http://:s3cr3t-w0rd@h/0", "", "--url: expected redis://"),
        ("redis", "redis://:s3cr3t-w0rd@h/0?db=1", "", "protocol=resp3 and nothing else"),
        ("redis", "redis://:s3cr3t-w0rd@h/zero", "", "--url: expected redis://"),
        ("postgres", "postgres://me@h/db", "--rows 0", "--rows: expected at least 1"),
        ("redis", "redis://h", "-u 1 --processes 2 -c 2", "1 user is fewer than the 2 processes"),
        (
            "redis",
            "redis://h",
            "-u 1 --threshold response_time{op:raed}:p(95)<1s",
            "no op of this run is called raed; did you mean read?",
        ),
        ("redis", "redis://h", "-c 1 --processes 2 -u 4", "--connections 1 is fewer than the 2 processes"),
        ("postgres", "postgres://me@h/db", "--password-file /nowhere", "--password-file /nowhere"),
    ] {
        let left = Tool::new(word, url).run(line);
        left.is_refused(104, expected);
        assert!(!left.stderr.contains(SECRET), "{}", left.stderr);
    }
    let left = Tool::new("postgres", "postgres://me@h/db").run("--read-ratio 1.5");
    assert_eq!(left.code, 104, "{}", left.stderr);
    assert!(left.stderr.contains("from 0 (writes only) to 1 (reads only)"), "{}", left.stderr);
    for (line, expected) in [
        ("--value-size 1g", "expected at most"),
        ("--command {{nobody}}", "nobody"),
        ("--workload kv", "expected get, set, mixed"),
    ] {
        let left = Tool::new("redis", "redis://h").run(line);
        assert!(left.code == 104 && left.stderr.contains(expected), "{}", left.stderr);
    }
}

#[test]
fn the_first_word_chooses_and_a_mistyped_one_is_104() {
    let said = |words: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_db-load")).args(words).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    };
    let (code, help, _) = said(&["--help"]);
    assert_eq!(code, 0);
    assert!(
        ["postgres", "redis", "cleanup"].iter().all(|word| help.contains(&format!("\n  {word} "))),
        "{help}"
    );
    let (code, help, _) = said(&["redis", "--help"]);
    assert!(code == 0 && help.contains("db-load redis [OPTIONS]") && help.contains("--pipeline"), "{help}");
    let (code, _, error) = said(&["postgers", "--url", "x"]);
    assert!(code == 104 && error.contains("'postgres'"), "{error}");
    assert_eq!(said(&[]).0, 104);
    assert_eq!(said(&["--version"]).0, 0);
}
