//! Do suites do what they say?

use load_report::fault::FaultKind;
use tool_tests::Left;

use crate::streams::{definition, start};
use crate::support::tool;

const SUITE: &str = r#"
[profiles.short]
vus = 4
requests = 200

[metrics]
sums = "counter"

[defaults]
metadata = { x-run = "suite" }

[[users]]
name = "caller"
[[users.tasks]]
name = "two"
weight = 3
[[users.tasks.steps]]
call = "judge.Streams/One"
json = { name = "u{{vu}}", number = 7 }
expect = { status = "OK", json = { "$.number" = "7", "$.name" = { matches = "^u[0-3]$" } } }
capture = { name = "$.name" }
[[users.tasks.steps]]
name = "sum up"
call = "judge.Streams/Sum"
json = [{ name = "{{name}}", number = 2 }, { number = 3 }]
messages = 4
metadata = { x-name = "{{name}}" }
expect = { json = { "$.number" = "10" } }
metrics = { sums = "ok" }

[[users.tasks]]
name = "many"
call = "judge.Streams/Many"
json = { replies = 5 }
expect = { messages = 5, json = { "$[4].number" = "4" } }

[[cleanup]]
call = "judge.Streams/One"
json = { number = 1000000 }
"#;

fn with(suite: &str, words: &[&str]) -> Left {
    let tool = tool();
    let file = tool.folder().join("suite.toml");
    std::fs::write(&file, suite).unwrap();
    let mut args = words.to_vec();
    args.extend(["--suite", file.to_str().unwrap()]);
    tool.run(args)
}

#[test]
fn tasks_are_drawn_by_weight_and_their_answers_checked() {
    let Some(server) = start(&[]) else { return };
    let left = with(SUITE, &["--url", &server.url(), "-c", "2"]);
    let run = left.run();
    assert_eq!(left.code, 0, "{} {:?}", left.stdout, run.faults);
    let count = |name: &str| {
        let op = run.ops.iter().find(|op| op.name == name).unwrap();
        op.figures.requests - op.figures.failures
    };
    let (twos, manys) = (count("sum up"), count("judge.Streams/Many"));
    assert_eq!((count("judge.Streams/One"), twos + manys), (twos, 200));
    assert!((115..=185).contains(&twos), "3 of 4 tasks: {twos} of 200");
    let counter = |name: &str| run.counters.iter().find(|counter| counter.name == name).unwrap().count;
    assert_eq!((counter("sums"), counter("checks_made")), (twos, 2 * twos + manys));
    assert_eq!(counter("checks_passed"), counter("checks_made"));
    let counts = server.counts();
    assert_eq!(counts["number"], 7 * twos + 10 * twos + 1_000_000, "the last step was made once");
}

#[test]
fn an_answer_that_is_not_what_a_step_expects_is_wrong() {
    let Some(server) = start(&[]) else { return };
    let wrong = SUITE.replace("\"$.number\" = \"10\"", "\"$.number\" = \"11\"");
    let left = with(&wrong, &["--url", &server.url(), "--only", "two", "-n", "20"]);
    let [fault] = left.run().faults.as_slice() else { panic!("{:?}", left.run().faults) };
    assert_eq!((left.code, fault.kind, fault.count), (99, FaultKind::Wrong, 20));
    assert!(fault.sample.contains("$.number"), "{}", fault.sample);
    let fewer = SUITE.replace("messages = 5", "messages = 6");
    let left = with(&fewer, &["--url", &server.url(), "--only", "many", "-n", "20"]);
    assert_eq!(left.run().faults[0].sample, "5 messages, expected 6");
}

#[test]
fn mistakes_have_their_place() {
    let proto = definition();
    let check = |suite: &str| {
        let left = with(suite, &["check", "--url", "http://127.0.0.1:1", "--proto", &proto]);
        (left.code, left.stderr)
    };
    assert_eq!(check(SUITE).0, 0, "{}", check(SUITE).1);
    for (from, to, expected) in [
        ("number = 7 }", "numbr = 7 }", "unrecognized field"),
        ("Streams/Many", "Streams/Mani", "nearest of 4: Many"),
        // Beside a value that is captured only later.
        ("number = 2 }", "numbr = 2 }", "unrecognized field name 'numbr'"),
        ("json = { replies = 5 }", "json = { replies = 5 }\nin_flight = 2", "in_flight: it is for methods"),
        (
            "json = { replies = 5 }",
            "json = { replies = 5 }\ndeadline = \"0s\"",
            "deadline: expected a time above 0",
        ),
        (
            "call = \"judge.Streams/Many\"",
            "request = \"GET /\"",
            "no call, but request, which is for api-load",
        ),
        ("messages = 4", "mesages = 4", "did you mean messages?"),
        ("call = \"judge.Streams/Many\"", "call = \"Many\"", "expected pkg.Service/Method"),
        ("status = \"OK\"", "status = \"FINE\"", "status: \"FINE\""),
        ("x-run = ", "te = ", "gRPC's own"),
        ("messages = 5", "messages = 5, nothing = 1", "expect has no nothing"),
    ] {
        let (code, said) = check(&SUITE.replace(from, to));
        assert!(code == 104 && said.contains(expected), "{to}: {code} {said}");
        assert!(said.contains("suite.toml:"), "{to}: {said}");
    }
}

#[test]
fn once_shows_what_is_asked_and_answered() {
    let Some(server) = start(&[]) else { return };
    let left = with(SUITE, &["once", "--url", &server.url()]);
    assert_eq!(left.code, 0, "{} {}", left.stdout, left.stderr);
    for line in [
        r#"> {"name":"u0","number":7}"#,
        r#"< {"name":"u0","number":"7"}"#,
        "> x-name: u0",
        r#"< [{},{"number":"1"}"#,
    ] {
        assert!(left.stdout.contains(line), "{line} is not in {}", left.stdout);
    }
}
