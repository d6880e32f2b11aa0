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

/// Of a body as large as that a trend says an hour.
#[test]
fn what_a_trend_cannot_hold_is_a_warning() {
    let (shop, tool) = (Shop::open(), tool());
    let text = "metrics = { large = \"trend\", small = \"trend\" }\n[[users]]\nname = \"u\"\n[[users.tasks]]\nname = \"t\"\n\
        request = \"DELETE /all\"\nmetrics = { large = \"$.bytes\", small = \"$.words\" }\n";
    let left = run(&tool, &shop, text, &format!("-u 1 -n 3 {SHORT}"));
    assert_eq!(left.code, 0, "{}", left.stdout);
    let warnings: Vec<_> =
        left.run().warnings.iter().filter(|warning| warning.contains("3,600,000 ms")).collect();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].starts_with("3 values of large lie above"), "{warnings:?}");
}

const LOOKS: &str = r#"
metrics = { looks = "counter", found = "rate", pending = "rate" }
defaults = { headers = { Authorization = "Bearer t-x" } }

[[users]]
name = "u"
[[users.tasks]]
name = "follow"
steps = [
  { request = "POST /orders", json = { key = "{{uuid}}", product = "p" }, expect = { status = 201 }, capture = { order = "$.id" } },
  { name = "look", request = "GET /orders/{{order}}", poll = { until = { json = { "$.status" = "done" } }, every = "1ms", at_most = 3 }, metrics = { looks = 1, found = "ok", pending = { json = { "$.status" = { one_of = ["pending"] } } } } },
]
"#;

#[test]
fn of_the_looks_of_a_poll_the_last_one_counts() {
    // An order is done with its third look.
    for (at_most, found) in [(3, 10), (2, 0)] {
        let (shop, tool) = (Shop::open(), tool());
        let text = LOOKS.replace("at_most = 3", &format!("at_most = {at_most}"));
        let left = run(&tool, &shop, &text, &format!("-u 2 -n 10 {SHORT}"));
        let rate = |name: &str| left.run().rates.iter().find(|rate| rate.name == name).unwrap().clone();
        let counts = (rate("found").cases, rate("found").all, left.counter("looks"));
        assert_eq!(counts, (found, 10, found), "{}", left.stdout);
        // What it was, whether that was good or not.
        assert_eq!((rate("pending").cases, rate("pending").all), (10 - found, 10));
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

/// A flag wins over the environment of the process, and that over the suite; the plan says which one it was.
#[test]
fn the_plan_says_where_the_token_comes_from() {
    let (shop, tool) = (Shop::open(), tool());
    let path = crate::written(&tool, TOKEN).display().to_string();
    for (flags, variable, said, good) in [
        ("", None, "token    of the suite", true),
        ("", Some(""), "token    of the suite", true),
        ("", Some("nobody"), "token    API_TOKEN, instead of that of the suite", false),
        ("--token t-mine", Some("nobody"), "token    --token, instead of that of the suite", true),
    ] {
        let before = shop.seen("unauthorised");
        let line = format!("once --suite {path} --url {} {flags}", shop.url);
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_api-load"));
        let set = |command: &mut std::process::Command| {
            command.env_remove("API_TOKEN").envs(variable.map(|value| ("API_TOKEN", value)));
        };
        set(&mut command);
        let left = command.args(line.split_whitespace()).output().unwrap();
        assert_eq!(left.status.success(), good, "{flags} {variable:?}");
        assert_eq!(shop.seen("unauthorised") - before, u64::from(!good), "{flags} {variable:?}");
        let mut check = std::process::Command::new(env!("CARGO_BIN_EXE_api-load"));
        set(&mut check);
        let line = line.replacen("once", "check", 1);
        let plan = String::from_utf8(check.args(line.split_whitespace()).output().unwrap().stderr).unwrap();
        assert!(plan.lines().any(|line| line == said), "{flags} {variable:?}: {plan}");
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
        ("metrics = { a = { } }", "expected one of status, header and json"),
        ("metrics = { a = { status = 429, header = \"X\" } }", "expected one of status, header and json"),
        (
            "metrics = { a = { json = { \"$.x\" = \"{{seq}}\" } } }",
            ":6: metrics: a value with {{...}} varies",
        ),
        (
            "metrics = { b = { status = 429 } }",
            "b is a trend; status, header and json are for a counter or a rate",
        ),
    ] {
        run(&tool, &shop, &step(text), "--quiet").is_refused(104, expected);
    }
}
