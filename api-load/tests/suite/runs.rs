//! Does a suite do what it says? Every count is compared with what the shop saw.

use load_report::fault::FaultKind;
use tool_tests::{pass, signal};

use crate::{Shop, calls, run, shop_suite, tool, written};

const SHORT: &str = "--no-progress";

#[test]
fn every_call_of_every_step_is_counted_as_the_shop_counts_it() {
    for more in ["", " --processes 2", " --disable-keepalive"] {
        let (shop, tool) = (Shop::open(), tool());
        let left = run(&tool, &shop, &shop_suite(), &format!("-u 10 -d 2s {SHORT}{more}"));
        assert_eq!(left.code, 0, "{}{}", left.stdout, left.stderr);
        for (op, seen) in [
            ("login", "POST /login"),
            ("GET /products?page={{int(1, 20)}}", "GET /products"),
            ("POST /orders", "POST /orders"),
            ("order status", "GET /orders"),
            ("logout", "POST /logout"),
        ] {
            assert_eq!(calls(&left, op), shop.seen(seen), "{op}");
        }
        let stats = shop.stats();
        // Each user logged in once, by its own name, and out once; every order had a key of its own.
        assert_eq!((calls(&left, "login"), calls(&left, "logout")), (10, 10));
        assert_eq!(stats["users"].as_object().unwrap().len(), 10);
        assert_eq!(stats["keys"], shop.seen("POST /orders"));
        assert_eq!((shop.seen("unauthorised"), shop.seen("DELETE /all")), (0, 1));
        assert_eq!(left.run().ledger.control_calls, 1);
        let (browsed, bought) = (shop.seen("GET /products"), shop.seen("POST /orders"));
        assert!(bought > 30 && browsed > 2 * bought && browsed < 5 * bought, "{browsed} : {bought}");
        // Three looks bring an order to its end.
        let done = left.run().extras.iter().find(|extra| extra.name == "order_done").unwrap();
        assert_eq!((done.count, calls(&left, "order status")), (bought, 3 * bought));
        assert!(done.ms.unwrap().min >= 10.0, "two pauses of 5 ms: {:?}", done.ms);
        assert_eq!(left.counter("orders_placed"), bought);
        let rate = |name: &str| left.run().rates.iter().find(|rate| rate.name == name).unwrap().clone();
        assert_eq!((rate("refused").cases, rate("refused").all), (0, browsed));
        assert_eq!((rate("checks").cases, rate("checks").all), (rate("checks").all, 10 + browsed + bought));
        let trend = left.run().extras.iter().find(|extra| extra.name == "browse_time").unwrap();
        assert_eq!(trend.count, browsed);
    }
}

const MIX: &str = r#"
[[users]]
name = "many"
weight = 9
[[users.tasks]]
name = "a"
request = "GET /many"
headers = { Authorization = "Bearer t-x" }
[[users]]
name = "few"
[[users.start]]
request = "POST /login"
json = { user = "few" }
[[users.tasks]]
name = "b"
request = "GET /few"
headers = { Authorization = "Bearer t-x" }
"#;

#[test]
fn arrivals_keep_the_mix_of_the_classes() {
    let (shop, tool) = (Shop::open(), tool());
    let left = run(&tool, &shop, MIX, &format!("-r 300 -d 3s -c 8 {SHORT}"));
    assert_eq!(left.run().ledger.iterations.scheduled, 900);
    let (many, few, logins) = (shop.seen("GET /many"), shop.seen("GET /few"), shop.seen("POST /login"));
    assert_eq!((many + few, calls(&left, "POST /login")), (900, logins));
    // Five standard deviations of 900 draws with 1 in 10.
    assert!((45..=135).contains(&few) && (1..=8).contains(&logins), "{many} : {few}, {logins} logins");
}

#[test]
fn users_keep_the_mix_exactly() {
    let (shop, tool) = (Shop::open(), tool());
    let left = run(&tool, &shop, MIX, &format!("-u 10 -d 1s --think 20ms {SHORT}"));
    assert_eq!(left.code, 0, "{}{}", left.stdout, left.stderr);
    assert_eq!(shop.seen("POST /login"), 1, "one user of ten");
}

#[test]
fn rows_are_handed_out_as_their_order_says() {
    let suite = |order: &str| {
        format!(
            "[data.word]\norder = \"{order}\"\nrows = [{{ q = \"a b\" }}, {{ q = \"c\" }}, {{ q = \"d\" }}]\n[[users]]\nname = \"u\"\n[[users.tasks]]\nname = \"t\"\nrequest = \"GET /search?q={{{{word.q}}}}\"\n"
        )
    };
    let words = |order: &str, line: &str| {
        let (shop, tool) = (Shop::open(), tool());
        let left = run(&tool, &shop, &suite(order), &format!("{line} {SHORT}"));
        assert_eq!(left.code, 0, "{}{}", left.stdout, left.stderr);
        let words = shop.stats()["words"].clone();
        ["a%20b", "c", "d"].map(|word| words[word].as_u64().unwrap_or(0))
    };
    assert_eq!(words("sequential", "-u 4 -n 300"), [100, 100, 100]);
    assert_eq!(words("sequential", "-u 4 -n 300 --processes 2"), [100, 100, 100]);
    assert!(words("random", "-u 4 -n 300").iter().all(|n| (60..140).contains(n)));
    let unique = words("unique", "-u 2 -n 100");
    assert!(unique[0] > 0 && unique[1] > 0 && unique[2] == 0, "{unique:?}");
}

#[test]
fn what_goes_wrong_is_told_apart() {
    for (step, kind, sample) in [
        ("request = \"GET /gone\"\nexpect = { status = 200 }", FaultKind::Rejected, "status 404 Not Found"),
        ("request = \"GET /limited\"", FaultKind::RateLimited, "status 429"),
        (
            "request = \"GET /search\"\nexpect = { json = { \"$.hits\" = { length = 1 } } }",
            FaultKind::Wrong,
            "$.hits: is []",
        ),
        (
            "request = \"GET /search\"\nexpect = { text = \"nowhere\" }",
            FaultKind::Wrong,
            "the body lacks \"nowhere\"",
        ),
        (
            "request = \"GET /search\"\nexpect = { header = { ETag = \"x\" } }",
            FaultKind::Wrong,
            "no header etag",
        ),
        ("request = \"GET /search\"\nexpect = { size = 1 }", FaultKind::Wrong, "expected at most 1"),
        ("request = \"GET /search\"\nexpect = { time = \"1us\" }", FaultKind::Wrong, "expected at most 1µs"),
        (
            "request = \"GET /search\"\ncapture = { id = \"$.id\" }",
            FaultKind::Wrong,
            "nothing to capture as id: no $.id",
        ),
        (
            "request = \"GET /search\"\npoll = { until = { json = { \"$.done\" = true } }, every = \"1ms\", at_most = 3 }",
            FaultKind::Timeout,
            "",
        ),
    ] {
        let (shop, tool) = (Shop::open(), tool());
        let suite = format!("[[users]]\nname = \"u\"\n[[users.tasks]]\nname = \"t\"\n{step}\n");
        let left = run(&tool, &shop, &suite, &format!("-u 2 -n 20 {SHORT}"));
        let run = left.run();
        if kind == FaultKind::Timeout {
            // Every look was answered well; the iterations failed.
            assert_eq!(run.ledger.iterations.failed.get(kind), 20, "{step}");
            assert_eq!(shop.seen("GET /search"), 60);
            continue;
        }
        assert_eq!((left.code, run.ledger.calls.failed.get(kind)), (99, 20), "{step}: {:?}", run.faults);
        if step.contains("expect =") {
            let checks = run.rates.iter().find(|rate| rate.name == "checks").unwrap();
            assert_eq!((checks.cases, checks.all), (0, 20), "{step}");
        }
        assert!(run.faults[0].sample.contains(sample), "{step}: {}", run.faults[0].sample);
        if kind == FaultKind::RateLimited {
            let asked = run.extras.iter().find(|extra| extra.name == "retry_after").unwrap();
            assert_eq!((asked.count, asked.ms.unwrap().max.round()), (20, 2_000.0));
        }
    }
}

#[test]
fn a_4xx_that_is_expected_is_none_and_a_missing_variable_is_no_request() {
    let (shop, tool) = (Shop::open(), tool());
    let suite = "[[users]]\nname = \"u\"\norder = \"sequence\"\n[[users.tasks]]\nname = \"a\"\nrequest = \"GET /gone\"\nexpect = { status = [200, 404] }\ncapture = { id = { json = \"$.id\", optional = true } }\n[[users.tasks]]\nname = \"b\"\nrequest = \"GET /search?q={{id}}\"\n";
    let left = run(&tool, &shop, suite, &format!("-u 1 -n 10 {SHORT}"));
    assert_eq!((left.code, left.counter("expected_4xx")), (99, 10), "{}", left.stdout);
    assert_eq!((shop.seen("GET /gone"), shop.seen("GET /search")), (10, 0));
    assert!(left.run().faults[0].sample.contains("{{id}} is not set"), "{}", left.run().faults[0].sample);
}

#[test]
fn a_suites_thresholds_are_judged() {
    let (shop, tool) = (Shop::open(), tool());
    let suite = "thresholds = [\"checks: rate>0.99\"]\n".to_owned()
        + "[profiles.p]\nvus = 2\nrequests = 20\nthresholds = [\"http_req_duration: p(95)<60000\"]\n"
        + "[[users]]\nname = \"u\"\n[[users.tasks]]\nname = \"t\"\nrequest = \"GET /search\"\nexpect = { text = \"nowhere\" }\n";
    let left = run(&tool, &shop, &suite, SHORT);
    assert_eq!((left.code, left.run().totals.requests), (99, 20), "{}", left.stderr);
    let failed: Vec<_> =
        left.run().thresholds.iter().filter(|t| !t.passed).map(|t| t.expression.as_str()).collect();
    assert!(failed.iter().any(|text| text.starts_with("checks")), "{failed:?}");
    assert!(left.run().thresholds.iter().any(|t| t.passed && t.expression.starts_with("http_req_duration")));
}

#[test]
fn a_signal_lets_users_leave_and_cleans_up() {
    let (shop, tool) = (Shop::open(), tool());
    let path = written(&tool, &shop_suite()).display().to_string();
    let line = ["--suite", &path, "--url", &shop.url, "-u", "5", "-d", "60s"];
    let child = tool.start(line);
    pass(1_500);
    signal(child.id(), "INT");
    let left = tool.wait(child);
    assert_eq!(left.code, 105, "{}", left.stderr);
    assert_eq!((shop.seen("POST /login"), shop.seen("POST /logout"), shop.seen("DELETE /all")), (5, 5, 1));
}

#[test]
fn the_command_line_leaves_tasks_out() {
    let (shop, tool) = (Shop::open(), tool());
    let left = run(&tool, &shop, &shop_suite(), &format!("-u 2 -n 50 --exclude-tags write {SHORT}"));
    assert_eq!((left.code, shop.seen("POST /orders")), (0, 0), "{}{}", left.stdout, left.stderr);
    assert!(shop.seen("GET /products") >= 49);
}

#[test]
fn check_sends_nothing_and_once_shows_everything() {
    let (shop, tool) = (Shop::open(), tool());
    let path = written(&tool, &shop_suite()).display().to_string();
    let said = |word: &str| {
        let args = [word, "--suite", &path, "--url", &shop.url];
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_api-load")).args(args).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, text) = said("check");
    assert_eq!((code, text.as_str()), (Some(0), "nothing wrong: 1 user class, 5 steps; nothing was sent\n"));
    assert_eq!(shop.stats()["seen"], serde_json::json!({}));
    let (code, text) = said("once");
    assert_eq!(code, Some(0), "{text}");
    for part in [
        "user visitor",
        "✓ login",
        "> POST /login HTTP/1.1",
        "< HTTP/1.1 201 Created",
        "~ order status",
        "✓ order status",
        "> X-Greeting: hello",
        "\ncleanup: 1 call\n",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(!text.contains("Bearer t-"), "{text}");
    let seen = shop.stats()["seen"].clone();
    for (what, times) in [
        ("POST /login", 1),
        ("GET /products", 1),
        ("POST /orders", 1),
        ("GET /orders", 3),
        ("POST /logout", 1),
        ("DELETE /all", 1),
    ] {
        assert_eq!(seen[what], times, "{what}");
    }
}
