//! Do scripts of the user do what they say, over whatever way there is to the server?

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};

use tempfile::TempDir;

use crate::support::{Service, Tool, op, pass};

fn file(folder: &TempDir, name: &str, text: &str) -> String {
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[test]
fn values_come_from_draws_templates_defines_and_rows() {
    let Some(service) = Service::start("postgres") else { return };
    let (sql, folder) = (service.sql(), tempfile::tempdir().unwrap());
    sql.run("CREATE TABLE got (seq bigint, k int, word text, who text, twice bigint)");
    let text = "\\set k random(10, 10 + :spread)\nSELECT :k * 2 AS double, NULL AS nothing \\gset my_\n\
                INSERT INTO got VALUES ({{seq}}, :k, {{pick(\"it's\", \"b\")}}, :who, :my_double);\n\\rows 1\n";
    let script = file(&folder, "insert.sql", text);
    let other = file(&folder, "select.sql", "SELECT count(*) FROM got;");
    for protocol in ["simple", "extended", "prepared", "prepared --pipelined"] {
        sql.run("TRUNCATE got");
        let line =
            format!("-f {script}@3 -f {other} -D spread=5 -D who=O'Hara -M {protocol} -n 400 -u 4 -c 2");
        let left = service.tool().run(&line);
        assert_eq!(left.code, 0, "{} {}", left.stdout, left.stderr);
        let inserts = op(&left, "insert");
        assert_eq!(inserts + op(&left, "select"), 400);
        assert!((240..360).contains(&inserts), "{inserts}");
        assert_eq!(sql.number("SELECT count(DISTINCT seq) FROM got").unsigned_abs(), inserts);
        let wrong = "SELECT count(*) FROM got WHERE k NOT BETWEEN 10 AND 15 OR twice <> 2 * k OR who <> 'O''Hara' OR word NOT IN ('it''s', 'b')";
        assert_eq!(sql.number(wrong), 0);
        assert_eq!(sql.number("SELECT count(DISTINCT k) FROM got"), 6);
    }
}

#[test]
fn a_script_that_is_wrong_is_told_before_the_run() {
    let Some(service) = Service::shared() else { return };
    let folder = tempfile::tempdir().unwrap();
    for (text, code, expected) in [
        ("SELECT 1;\nSELECT :x", 104, "wrong.sql:2: unknown :x"),
        ("SELEKT 1", 114, "syntax error at or near \"SELEKT\": \"SELEKT 1\" (SQLSTATE 42601)"),
        ("SELECT * FROM nowhere", 114, "relation \"nowhere\" does not exist"),
    ] {
        let script = file(&folder, "wrong.sql", text);
        service.tool().run(&format!("-f {script} -n 10 -u 1 --quiet")).is_refused(code, expected);
    }
    service.tool().run("-f /nowhere.sql -n 1 -u 1 --quiet").is_refused(104, "/nowhere.sql");
    service.tool().run("--workload kv,tpcb -n 1 -u 1 --quiet").is_refused(104, "cannot be mixed");
    service.tool().run("--use-existing -n 1 -u 1 --quiet").is_refused(104, "--use-existing");
    service.tool().run("-M simple --pipelined -n 1 -u 1 --quiet").is_refused(104, "--pipelined");
}

/// What fails within a transaction leaves nothing of it, and a connection that serves the next call.
#[test]
fn a_failed_transaction_is_rolled_back() {
    let Some(service) = Service::start("postgres") else { return };
    let (sql, folder) = (service.sql(), tempfile::tempdir().unwrap());
    sql.run("CREATE TABLE part (n bigint)");
    let script = file(
        &folder,
        "fails.sql",
        "BEGIN; INSERT INTO part VALUES (1); SELECT 1 / ({{vu}}::int - {{vu}}::int); COMMIT;",
    );
    let good = file(&folder, "good.sql", "SELECT 1;\n\\rows 1");
    for way in ["-c 1", "--no-pool", "-c 1 --pipelined", "--no-pool -M simple"] {
        let left = service.tool().run(&format!("-f {script} -f {good} -n 100 -u 1 {way} --no-thresholds"));
        let run = left.run();
        assert_eq!(run.connections.opened, 1, "{way}: {}", left.stdout);
        assert_eq!(run.faults.len(), 1);
        assert!(run.faults[0].sample.contains("division by zero (SQLSTATE 22012)"), "{:?}", run.faults);
        assert!(op(&left, "good") > 20 && run.ledger.calls.failed.total() + op(&left, "good") == 100);
        assert_eq!(sql.number("SELECT count(*) FROM part"), 0);
    }
    let open = file(&folder, "open.sql", "BEGIN; INSERT INTO part VALUES (1);");
    let left = service.tool().run(&format!("-f {open} -n 10 -u 1 --no-thresholds"));
    assert!(left.run().faults[0].sample.contains("ends within a transaction"), "{:?}", left.run().faults);
    assert_eq!(sql.number("SELECT count(*) FROM part"), 0);
}

#[test]
fn a_call_that_is_given_up_is_ended_on_the_server_too() {
    let Some(service) = Service::start("postgres") else { return };
    let (sql, folder) = (service.sql(), tempfile::tempdir().unwrap());
    let script = file(&folder, "sleep.sql", "SELECT pg_sleep(30);");
    for way in ["-c 2", "--no-pool"] {
        let left =
            service.tool().run(&format!("-f {script} -d 1s -u 2 {way} --timeout 300ms --no-thresholds"));
        assert!(
            left.run().faults[0].kind == load_report::fault::FaultKind::Timeout,
            "{:?}",
            left.run().faults
        );
        let sleeping = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(30)%' AND state = 'active' AND pid <> pg_backend_pid()";
        // A backend that was told to end needs a moment.
        let all_gone = (0..100).any(|_| {
            sql.number(sleeping) == 0 || {
                pass(20);
                false
            }
        });
        assert!(all_gone, "{way}");
    }
    let left =
        service.tool().run(&format!("-f {script} -d 1s -u 2 --statement-timeout 200ms --no-thresholds"));
    let run = left.run();
    assert!(run.faults[0].sample.contains("statement timeout"), "{:?}", run.faults);
    assert_eq!(run.connections.opened, 2, "the connection stays");
}

#[test]
fn a_unix_socket_is_a_way_to_the_server() {
    let Some(service) = Service::shared() else { return };
    let folder = tempfile::tempdir().unwrap();
    let listener = UnixListener::bind(folder.path().join(".s.PGSQL.5432")).unwrap();
    let address = service.address().to_owned();
    std::thread::spawn(move || {
        for socket in listener.incoming().map_while(Result::ok) {
            let server = TcpStream::connect(&address).unwrap();
            server.set_nodelay(true).unwrap();
            pipe(socket.try_clone().unwrap(), server.try_clone().unwrap(), |server| {
                let _ = server.shutdown(Shutdown::Write);
            });
            pipe(server, socket, |socket: &UnixStream| {
                let _ = socket.shutdown(Shutdown::Write);
            });
        }
    });
    let host = folder.path().display().to_string();
    let url = format!("postgres://quintet:{}@/postgres?host={host}", service.password());
    let left = Tool::new("postgres", &url).run("-n 200 -u 2 -c 2 --rows 50");
    assert_eq!(left.code, 0, "{}", left.stderr);
    assert_eq!(left.run().ledger.calls.ok, 200);
}

fn pipe<R: Read + Send + 'static, W: Write + Send + 'static>(mut from: R, mut to: W, end: fn(&W)) {
    std::thread::spawn(move || {
        let mut buffer = [0; 16_384];
        while let Ok(n @ 1..) = from.read(&mut buffer) {
            if to.write_all(&buffer[..n]).is_err() {
                break;
            }
        }
        end(&to);
    });
}
