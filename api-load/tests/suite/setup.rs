//! What is made once, before and behind the run: does the target see it so often, and a run that lacks it not begin?

use crate::{Shop, calls, run, tool};

const SHORT: &str = "--no-progress";

/// Thirty orders and a look at the last one before the run, and one more behind it.
const STOCKED: &str = r#"
[defaults]
headers = { Authorization = "Bearer t-x" }

[vars]
stock = "30"

[[setup]]
name = "log in"
request = "POST /login"
json = { user = "keeper" }
capture = { token = "$.access_token" }

[[setup]]
name = "stock"
request = "POST /orders"
json = { product = "p{{seq}}", key = "{{uuid}}" }
headers = { Authorization = "Bearer {{token}}" }
expect = { status = 201 }
capture = { order = "$.id" }
repeat = "{{stock}}"

[[setup]]
name = "is stocked"
request = "GET /orders/{{order}}"
poll = { until = { json = { "$.status" = "done" } }, every = "1ms", at_most = 10 }

[[setup]]
request = "DELETE /never"
if = "not token"

[[users]]
name = "visitor"
[[users.tasks]]
name = "browse"
request = "GET /products"

[[cleanup]]
name = "remove"
if = "order"
request = "DELETE /orders/{{order}}"
"#;

#[test]
fn it_is_made_once_whatever_the_number_of_users_and_processes() {
    for more in ["", " --processes 2", " -e stock=1000"] {
        let (shop, tool) = (Shop::open(), tool());
        let left = run(&tool, &shop, STOCKED, &format!("-u 4 -n 100 {SHORT}{more}"));
        assert_eq!(left.code, 0, "{}{}", left.stdout, left.stderr);
        let stock = if more.contains("1000") { 1_000 } else { 30 };
        let stats = shop.stats();
        assert_eq!((shop.seen("POST /orders"), stats["keys"].as_u64()), (stock, Some(stock)));
        // What the first steps have captured, the last one knows.
        let looks = (shop.seen("POST /login"), shop.seen("GET /orders"), shop.seen("DELETE /orders"));
        assert_eq!((looks, shop.seen("DELETE /never")), ((1, 3, 1), 0));
        // It is no part of the load.
        assert_eq!((calls(&left, "GET /products"), shop.seen("GET /products")), (100, 100));
        assert_eq!((left.run().ops.len(), left.run().ledger.control_calls), (1, stock + 5));
        let said = if stock > 30 { "setup: 1,004 calls in " } else { "setup: 34 calls in " };
        assert!(left.stderr.contains(said), "{}", left.stderr);
    }
}

#[test]
fn of_several_segments_the_first_one_makes_it() {
    let (shop, tool) = (Shop::open(), tool());
    let left = run(&tool, &shop, STOCKED, &format!("-u 2 -n 10 --segment 1/2 {SHORT}"));
    let seen = ["POST /orders", "GET /products", "DELETE /orders"].map(|what| shop.seen(what));
    assert_eq!((left.code, seen), (0, [0, 5, 0]), "{}", left.stdout);
}

/// What is taken away needs nothing that the first steps have learnt.
const SWEPT: &str = "[[users]]\nname = \"u\"\n[[users.tasks]]\nname = \"t\"\nrequest = \"GET /all\"\n\
    [[cleanup]]\nname = \"sweep\"\nrequest = \"DELETE /all\"\n";

#[test]
fn the_first_segment_takes_nothing_away_while_others_may_be_under_way() {
    let (shop, tool) = (Shop::open(), tool());
    let left = run(&tool, &shop, SWEPT, &format!("-u 2 -d 200ms --segment 0/2 {SHORT}"));
    assert_eq!((left.code, shop.seen("DELETE /all")), (0, 0), "{}", left.stderr);
    assert!(left.stdout.contains("not made, as other segments may be under way"), "{}", left.stdout);
    let loaded = shop.seen("GET /all");
    // Then a person does, with the same flags.
    let path = crate::written(&tool, SWEPT).display().to_string();
    let sweep = |path: &str| {
        let args = ["cleanup", "--suite", path, "--url", &shop.url, "-u", "2", "--segment", "0/2"];
        std::process::Command::new(env!("CARGO_BIN_EXE_api-load")).args(args).output().unwrap()
    };
    let swept = sweep(&path);
    assert_eq!((swept.status.code(), &swept.stdout[..]), (Some(0), &b"cleanup: 1 call\n"[..]));
    assert_eq!((shop.seen("DELETE /all"), shop.seen("GET /all")), (1, loaded));
    // A suite that has nothing of the kind is a mistake.
    let path = crate::written(&tool, SWEPT.split("[[cleanup]]").next().unwrap()).display().to_string();
    let refused = sweep(&path);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(refused.status.code() == Some(104) && said.contains("no [[cleanup]] to make"), "{said}");
}

#[test]
fn the_first_segment_waits_for_the_end_of_all() {
    let (shop, tool) = (Shop::open(), tool());
    let date = |words: &[&str]| {
        let output = std::process::Command::new("date").arg("-u").args(words).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let at = date(&["-d", "+5 seconds", "+%FT%TZ"]);
    let flags = format!("-u 2 -d 200ms --graceful-stop 2s --segment 0/2 {SHORT} --start-at {at}");
    let left = run(&tool, &shop, SWEPT, &flags);
    let said = &left.stderr;
    assert_eq!((left.code, shop.seen("DELETE /all")), (0, 1), "{said}");
    assert!(said.contains("cleanup: in 3 s, when all segments have ended"), "{said}");
    // The run, the graceful stop and a second.
    let seconds = |text: String| text.parse::<u64>().unwrap();
    assert!(seconds(date(&["+%s"])) >= seconds(date(&["-d", &at, "+%s"])) + 3);
}

#[test]
fn a_step_that_fails_is_named_and_nothing_is_run_but_the_last_steps() {
    let last = "[[setup]]\nname = \"ask\"\nrequest = \"GET /limited\"\nrepeat = 3\n\
        [[users]]\nname = \"u\"\n[[users.tasks]]\nname = \"t\"\nrequest = \"GET /x\"\n[[cleanup]]\nrequest = \"DELETE /all\"\n";
    let slow = last.replace(
        "repeat = 3",
        "poll = { until = { status = 200 }, every = \"1ms\", at_most = 4 }\nexpect = { status = 429 }",
    );
    for (text, seen, expected) in [
        (last, 1, "setup: ask, 1 of 3 (/"),
        (&slow, 4, "suite.toml:1): what it waits for did not come in 4 calls"),
    ] {
        let (shop, tool) = (Shop::open(), tool());
        let left = run(&tool, &shop, text, &format!("-u 2 -n 10 {SHORT} --quiet"));
        left.is_refused(114, expected);
        assert_eq!((shop.seen("GET /limited"), shop.seen("GET /x"), shop.seen("DELETE /all")), (seen, 0, 1));
    }
}

#[test]
fn once_makes_it_too() {
    let (shop, tool) = (Shop::open(), tool());
    let path = crate::written(&tool, STOCKED).display().to_string();
    let args = ["once", "--suite", &path, "--url", &shop.url];
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_api-load")).args(args).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.contains("setup: 34 calls in "), "{said}");
    assert_eq!(
        (shop.seen("POST /orders"), shop.seen("GET /products"), shop.seen("DELETE /orders")),
        (30, 1, 1)
    );
}
