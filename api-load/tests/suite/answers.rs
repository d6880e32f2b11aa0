//! What may a suite ask of answers that come in several kinds, and what is counted of them?

use load_report::fault::FaultKind;

use crate::{Shop, calls, run, tool};

const SHORT: &str = "--no-progress";

/// `/search` is answered with 200, `/limited` with 429 and a header.
const KINDS: &str = r#"
metrics = { limited = "rate", limits = "counter", told = "rate", looks = "counter", found = "rate" }

[[users]]
name = "u"
order = "sequence"
[[users.tasks]]
name = "limits"
[[users.tasks.steps]]
name = "either"
request = "GET /{{path | raw}}"
expect = [{ status = 200, json = { "$.hits" = { type = "array" } } }, { status = 429, header = { Retry-After = "2" }, text = "slow" }]
metrics = { limited = { status = "4xx" }, limits = { status = [429, "500-503"] }, told = { header = "Retry-After" } }
"#;

#[test]
fn one_of_several_kinds_of_answers_has_to_hold() {
    for (path, limited) in [("search?q=a", 0), ("limited", 20)] {
        let (shop, tool) = (Shop::open(), tool());
        let left = run(&tool, &shop, KINDS, &format!("-u 2 -n 20 {SHORT} -e path={path}"));
        assert_eq!(left.code, 0, "{}{}", left.stdout, left.stderr);
        let rate = |name: &str| left.run().rates.iter().find(|rate| rate.name == name).unwrap().clone();
        assert_eq!((rate("limited").cases, rate("limited").all), (limited, 20));
        assert_eq!((rate("told").cases, rate("told").all), (limited, 20));
        assert_eq!((left.counter("limits"), rate("checks").cases), (limited, 20));
    }
    // Each kind has its own demands, and a status of none of them is refused; metrics do not care.
    for (path, text, kind, sample) in [
        ("limited", KINDS.replace("\"slow\"", "\"fast\""), FaultKind::Wrong, "the body lacks \"fast\""),
        (
            "search?q=a",
            KINDS.replace("\"array\"", "\"object\""),
            FaultKind::Wrong,
            "$.hits: is [], expected object",
        ),
        ("gone", KINDS.to_owned(), FaultKind::Rejected, "404"),
        (
            "limited",
            KINDS
                .replace(
                    "[{ status = 200, json = { \"$.hits\" = { type = \"array\" } } }, ",
                    "[{ status = 429, size = 1 }, ",
                )
                .replace("slow", "fast"),
            FaultKind::Wrong,
            "bytes, expected at most 1; or the body lacks",
        ),
    ] {
        let (shop, tool) = (Shop::open(), tool());
        let left = run(&tool, &shop, &text, &format!("-u 1 -n 5 {SHORT} -e path={path}"));
        assert_eq!((left.code, left.run().ledger.calls.failed.get(kind)), (99, 5), "{}", left.stdout);
        assert!(left.run().faults[0].sample.contains(sample), "{:?}", left.run().faults);
        assert_eq!(left.counter("limits"), if path == "limited" { 5 } else { 0 });
    }
}

const LOOKS: &str = r#"
metrics = { looks = "counter", found = "rate" }
defaults = { headers = { Authorization = "Bearer t-x" } }

[[users]]
name = "u"
[[users.tasks]]
name = "follow"
steps = [
  { request = "POST /orders", json = { key = "{{uuid}}", product = "p" }, expect = { status = 201 }, capture = { order = "$.id" } },
  { name = "look", request = "GET /orders/{{order}}", poll = { until = { json = { "$.status" = "done" } }, every = "1ms", at_most = 3 }, metrics = { looks = 1, found = "ok" } },
]
"#;

#[test]
fn of_the_looks_of_a_poll_the_last_one_counts() {
    // An order is done with its third look.
    for (at_most, found) in [(3, 10), (2, 0)] {
        let (shop, tool) = (Shop::open(), tool());
        let text = LOOKS.replace("at_most = 3", &format!("at_most = {at_most}"));
        let left = run(&tool, &shop, &text, &format!("-u 2 -n 10 {SHORT}"));
        let rate = left.run().rates.iter().find(|rate| rate.name == "found").unwrap();
        assert_eq!((rate.cases, rate.all, left.counter("looks")), (found, 10, found), "{}", left.stdout);
        assert_eq!((calls(&left, "look"), shop.seen("GET /orders")), (10 * at_most, 10 * at_most));
    }
}

const TOKEN: &str = r#"
[environments.local]
token = "t-suite"

[[users]]
name = "u"
[[users.tasks]]
name = "t"
request = "GET /products"
"#;

#[test]
fn the_token_of_the_command_line_wins_over_that_of_the_environment() {
    for (flags, refused) in [("", 0), ("--token t-mine", 0), ("--token nobody", 4)] {
        let (shop, tool) = (Shop::open(), tool());
        let left = run(&tool, &shop, TOKEN, &format!("-u 1 -n 4 {SHORT} {flags}"));
        assert_eq!(shop.seen("unauthorised"), refused, "{flags}: {}", left.stdout);
    }
}

#[test]
fn mistakes_in_them_are_told_with_their_place() {
    let (shop, tool) = (Shop::open(), tool());
    let step = |step: &str| {
        format!(
            "metrics = {{ a = \"rate\", b = \"trend\" }}\n[[users]]\nname = \"u\"\n[[users.tasks]]\nname = \"t\"\nsteps = [{{ request = \"GET /\", {step} }}]"
        )
    };
    for (text, expected) in [
        ("expect = []", ":6: expect: a list of nothing"),
        ("expect = [{ status = 200 }, { statsu = 429 }]", ":6: expect has no statsu; did you mean status?"),
        ("metrics = { a = { status = 4290 } }", ":6: status: \"4290\"; expected a status like 429"),
        ("metrics = { a = { } }", "expected either status or header"),
        ("metrics = { a = { status = 429, header = \"X\" } }", "expected either status or header"),
        ("metrics = { b = { status = 429 } }", "b is a trend; status and header are for a counter or a rate"),
    ] {
        run(&tool, &shop, &step(text), "--quiet").is_refused(104, expected);
    }
}
