//! Does a suite of SQL do what it says? Its counts beside those of the server, and its mistakes told with their place.

use std::process::Command;

use tempfile::TempDir;
use tool_tests::Left;

use crate::support::{Service, op};

const SHOP: &str = r#"
[vars]
limit = "40"

[data.people]
order = "sequential"
rows = [{ name = "O'Hara", cents = "5" }, { name = "Li", cents = "7" }]

[metrics]
cents_spent = "counter"
order_time = "trend"
full = "rate"

[defaults]
timeout = "5s"

[[users]]
name = "buyer"
weight = 3
order = "sequence"
start = [{ name = "enter", sql = "INSERT INTO visits (vu) VALUES ({{vu}})" }]

[[users.tasks]]
name = "buy"
steps = [
  { name = "order", sql = "INSERT INTO orders (seq, who, cents) VALUES ({{seq}}, {{people.name}}, {{people.cents}}) RETURNING id, cents, done",
    expect = { rows = 1, json = { "$[0].done" = false, "$[0].cents" = { min = 5, max = 7 } } },
    capture = { order = "$[0].id" }, metrics = { cents_spent = "$[0].cents", order_time = "time" } },
  { name = "pay", sql = """
      BEGIN;
      UPDATE orders SET done = true, tries = tries + 1 WHERE id = {{order}};
      INSERT INTO payments SELECT id, who, cents FROM orders WHERE id = {{order}};
      COMMIT;""" },
  { name = "look", sql_file = "look.sql", poll = { until = { json = { "$[0].tries" = 3 } }, every = "1ms", at_most = 5, series = "to_three" } },
]

[[users]]
name = "reader"

[[users.tasks]]
name = "list"
steps = [{ name = "list", sql = "SELECT id FROM orders ORDER BY id DESC LIMIT {{limit}}::int", expect = { max_rows = 40 }, metrics = { full = "ok" } },
  { parallel = [{ name = "both", sql = "SELECT pg_sleep(0.002)" }, { name = "both", sql = "SELECT pg_sleep(0.002)" }], series = "page" }]

[[cleanup]]
sql = "INSERT INTO visits (vu) VALUES (-1)"
"#;

const LOOK: &str = "UPDATE orders SET tries = tries + 1 WHERE id = {{order}} RETURNING tries;";

fn shop(text: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("db.toml"), text).unwrap();
    std::fs::write(folder.path().join("look.sql"), LOOK).unwrap();
    folder
}

fn tables(service: &Service) {
    service.sql().run(
        "DROP TABLE IF EXISTS orders, payments, visits; \
         CREATE TABLE orders (id serial PRIMARY KEY, seq bigint, who text, cents int, done bool DEFAULT false, tries int DEFAULT 0); \
         CREATE TABLE payments (id int, who text, cents int); CREATE TABLE visits (vu bigint)",
    );
}

fn counter(left: &Left, name: &str) -> u64 {
    left.run().counters.iter().find(|counter| counter.name == name).unwrap().count
}

#[test]
fn what_a_suite_does_is_what_the_server_has() {
    let Some(service) = Service::start("postgres") else { return };
    let (sql, folder) = (service.sql(), shop(SHOP));
    for way in ["-u 8 -c 3", "-u 8 --no-pool -M simple", "-u 8 -c 4 -M extended --processes 2"] {
        tables(&service);
        let left = service.tool().run(&format!("--suite {} -n 400 {way}", folder.path().display()));
        assert_eq!(left.code, 0, "{} {}", left.stdout, left.stderr);
        let (orders, lists) = (op(&left, "order"), op(&left, "list"));
        assert!(orders > 30 && lists > 5, "{}", left.stdout);
        for (count, expected) in [
            ("count(*) FROM orders", orders),
            ("count(DISTINCT seq) FROM orders", orders),
            (
                "count(*) FROM payments JOIN orders USING (id, who, cents) WHERE done AND tries = 3",
                op(&left, "pay"),
            ),
            ("coalesce(sum(cents), 0)::bigint FROM orders", counter(&left, "cents_spent")),
            ("count(*) FROM visits WHERE vu >= 0", op(&left, "enter")),
            ("count(*) FROM visits WHERE vu = -1", 1),
            ("count(DISTINCT who) FROM orders", 2),
        ] {
            assert_eq!(sql.number(&format!("SELECT {count}")).unsigned_abs(), expected, "{way}: {count}");
        }
        assert_eq!(op(&left, "look"), 2 * op(&left, "pay"));
        assert_eq!(op(&left, "both"), 2 * lists);
        assert_eq!(counter(&left, "checks_made"), orders + lists);
        assert_eq!(counter(&left, "checks_passed"), orders + lists);
        let series = |name: &str| left.run().extras.iter().find(|extra| extra.name == name).unwrap().count;
        assert_eq!((series("to_three"), series("order_time")), (op(&left, "pay"), orders));
        assert_eq!(
            left.run().header.plan.args["suite"]["name"],
            folder.path().file_stem().unwrap().to_str().unwrap()
        );
    }
}

#[test]
fn an_answer_that_is_not_what_the_suite_expects_is_a_wrong_one() {
    let Some(service) = Service::shared() else { return };
    for (sql, expect, sample) in [
        ("SELECT 1 AS n", "rows = 2", "1 rows, expected 2"),
        ("SELECT 1 AS n", "max_rows = 0", "1 rows, expected 0"),
        ("SELECT 1 AS n", "json = { \"$[0].n\" = 2 }", "$[0].n"),
        ("SELECT NULL AS n", "json = { \"$[0].n\" = \"\" }", "$[0].n"),
        ("SELECT pg_sleep(0.05)", "time = \"10ms\"", "expected at most 10ms"),
    ] {
        let text = format!(
            "[[users]]\nname = \"u\"\n[[users.tasks]]\nname = \"t\"\nsteps = [{{ sql = \"{sql}\", expect = {{ {expect} }} }}]"
        );
        let folder = shop(&text);
        let left = service.tool().run(&format!("--suite {} -n 5 -u 1", folder.path().display()));
        let run = left.run();
        assert_eq!((left.code, run.faults.len()), (99, 1), "{}", left.stdout);
        assert!(run.faults[0].sample.contains(sample), "{:?}", run.faults);
        assert_eq!((counter(&left, "checks_made"), counter(&left, "checks_passed")), (5, 0));
    }
}

#[test]
fn mistakes_are_told_with_their_place_and_once_shows_all() {
    let Some(service) = Service::start("postgres") else { return };
    let step =
        |step: &str| format!("[[users]]\nname = \"u\"\n[[users.tasks]]\nname = \"t\"\nsteps = [{step}]");
    for (text, code, expected) in [
        (step("{ name = \"x\" }"), 104, "expected sql = "),
        (step("{ sql = \"SELECT {{nobody}}\" }"), 104, "db.toml:5"),
        (step("{ sql = \"SELECT 1\", expect = { row = 1 } }"), 104, "row"),
        (step("{ sql_file = \"none.sql\" }"), 104, "none.sql"),
        (step("{ sql = \"SELECT * FROM nowhere\" }"), 114, "relation \"nowhere\" does not exist"),
    ] {
        let folder = shop(&text);
        let left = service.tool().run(&format!("--suite {} -n 5 -u 1 --quiet", folder.path().display()));
        left.is_refused(code, expected);
    }
    tables(&service);
    let folder = shop(SHOP);
    for (word, expected) in
        [("check", "2 user classes, 7 steps"), ("once", "> UPDATE orders SET done = true")]
    {
        let mut command = Command::new(env!("CARGO_BIN_EXE_db-load"));
        let output =
            command.args([word, "--url", service.url(), "--suite"]).arg(folder.path()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && said.contains(expected),
            "{said} {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    assert_eq!(service.sql().number("SELECT count(*) FROM payments"), 1);
}

/// The table that the users read is made before the run, and gone behind it.
const MADE: &str = r#"
vars = { rows = "500" }

[[setup]]
name = "make"
sql = """
BEGIN;
CREATE TABLE made (id int PRIMARY KEY, name text);
INSERT INTO made SELECT n, 'row ' || n FROM generate_series(1, {{rows}}) AS n;
COMMIT;
"""

[[setup]]
name = "one more"
sql = "INSERT INTO made VALUES (1000 + {{seq}}, {{uuid}})"
repeat = 3

[[users]]
name = "reader"
[[users.tasks]]
name = "count"
steps = [{ name = "count", sql = "SELECT count(*)::int AS n FROM made", expect = { json = { "$[0].n" = 503 } } }]

[[cleanup]]
sql = "INSERT INTO kept SELECT count(*) FROM made; DROP TABLE made"
"#;

#[test]
fn statements_of_tables_that_the_setup_makes_are_prepared_behind_it() {
    let Some(service) = Service::start("postgres") else { return };
    let (sql, folder) = (service.sql(), shop(MADE));
    for way in ["-M prepared", "-M simple", "-M extended --pipelined", "--no-pool --processes 2"] {
        sql.run("DROP TABLE IF EXISTS made, kept; CREATE TABLE kept (n bigint)");
        let left = service.tool().run(&format!("--suite {} -n 50 -u 4 {way}", folder.path().display()));
        assert_eq!(left.code, 0, "{way}: {} {}", left.stdout, left.stderr);
        assert_eq!(op(&left, "count"), 50);
        assert_eq!(sql.number("SELECT n FROM kept"), 503, "{way}");
        assert_eq!(sql.number("SELECT count(*) FROM pg_tables WHERE tablename = 'made'"), 0, "{way}");
    }
    // What fails is named, and what was made before it is removed.
    let folder = shop(&MADE.replace("1000 + {{seq}}", "1001 + {{seq}} % 2"));
    sql.run("DELETE FROM kept");
    let left = service.tool().run(&format!("--suite {} -n 50 --quiet", folder.path().display()));
    left.is_refused(114, "setup: one more, 3 of 3 (");
    assert!(left.stderr.contains("duplicate key"), "{}", left.stderr);
    assert_eq!(sql.number("SELECT n FROM kept"), 502);
}
