//! Is every mistake told with file, line and what was expected, before anything is sent?

use crate::{tool, written};

/// What the tool says of the suite `text`, behind the file's name.
fn said(text: &str, line: &str) -> String {
    let tool = tool();
    let path = written(&tool, text).display().to_string();
    let words = ["--suite", &path, "--url", "http://127.0.0.1:1"];
    let left = tool.run(words.into_iter().chain(line.split_whitespace()));
    assert_eq!(left.code, 104, "{}{}\n{text}", left.stdout, left.stderr);
    assert!(left.run.is_none(), "nothing was measured");
    left.stderr.trim().replace(&path, "FILE")
}

#[test]
fn mistakes_in_steps_have_their_place() {
    let head = "[[users]]\nname = \"u\"\n[[users.tasks]]\nname = \"t\"\n";
    for (step, expected) in [
        ("", "FILE:3: no request"),
        ("request = \"/orders\"", "FILE:5: request: \"/orders\"; expected a method and a path"),
        ("request = \"GET orders\"", "FILE:5: request: \"GET orders\"; expected a method and a path"),
        ("request = \"GET http://other/x\"", "FILE:5: request: a path without a host"),
        ("request = \"G@T /x\"", "FILE:5: request: \"G@T /x\""),
        ("request = \"GET /x y\"", "FILE:5: request: \"GET /x y\""),
        (
            "request = \"GET /{{ordre}}\"\ncapture = { order = \"$.id\" }",
            "FILE:5: path or query: column 2: unknown {{ordre}}; did you mean {{order}}?",
        ),
        ("request = \"GET /{{int(5, 1)}}\"", "FILE:5: path or query: column 2: expected int(LOW, HIGH)"),
        (
            "request = \"GET /\"\nheader = { A = \"b\" }",
            "FILE:6: a step has no header; did you mean headers?",
        ),
        (
            "request = \"GET /\"\nheaders = { \"A b\" = \"c\" }",
            "FILE:6: headers: \"A b\" with this value is no header",
        ),
        (
            "request = \"GET /\"\nheaders = { Content-Length = 3 }",
            "FILE:6: headers: Content-Length follows from the body",
        ),
        ("request = \"POST /\"\nbody = \"a\"\njson = {}", "FILE:3: body and json in one step"),
        ("request = \"POST /\"\njson = { a = \"{{nope}}\" }", "FILE:6: "),
        ("request = \"POST /\"\nbody_file = \"none.json\"", "FILE:6: body_file: "),
        (
            "request = \"GET /\"\nexpect = { status = \"ok\" }",
            "FILE:6: status: \"ok\": expected a status like 200",
        ),
        (
            "request = \"GET /\"\nexpect = { stauts = 200 }",
            "FILE:6: expect has no stauts; did you mean status?",
        ),
        ("request = \"GET /\"\nexpect = { json = { \"id\" = 1 } }", "FILE:6: \"id\" is no JSONPath"),
        (
            "request = \"GET /\"\nexpect = { json = { \"$.id\" = { typ = \"string\" } } }",
            "FILE:6: a test that tests nothing",
        ),
        (
            "request = \"GET /\"\npoll = { until = { status = 200 }, evry = \"1s\" }",
            "FILE:6: poll has no evry; did you mean every?",
        ),
        ("request = \"GET /\"\nmetrics = { x = 1 }", "FILE:6: metrics: unknown x"),
        ("parallel = [\"GET /a\", \"/b\"]", "FILE:5: request: \"/b\"; expected a method and a path"),
        (
            "parallel = [{ request = \"GET /a\", header = {} }]",
            "FILE:5: a step has no header; did you mean headers?",
        ),
        (
            "sql = \"SELECT 1\"",
            "FILE:3: no request, but sql, which is for db-load postgres; expected a request",
        ),
        ("call = \"a.B/C\"", "FILE:3: no request, but call, which is for grpc-load; expected a request"),
        ("request = \"GET /\"\nat_once = 2", "FILE:6: a step has no at_once"),
        ("parallel = [\"GET /a\"]\nat_once = 0", "FILE:6: at_once: expected a whole number of at least 1"),
    ] {
        let error = said(&format!("{head}{step}\n"), "");
        assert!(error.starts_with(&format!("api-load: {expected}")), "{error}\nexpected {expected}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

#[test]
fn flags_that_do_not_fit_are_told() {
    let suite = "[profiles.p]\nstages = [\"1m:5\"]\n[[users]]\nname = \"u\"\n[[users.tasks]]\nname = \"t\"\nrequest = \"GET /\"\n";
    for (line, expected) in [
        ("--profile q", "--profile q: unknown"),
        ("--environment e", "--environment e: unknown; the suite has no [environments]"),
        ("--only x", "--only x: unknown"),
        ("--tags x", "--tags x: unknown; no task has tags"),
        ("--expect-status 700", "from 100 to 599"),
        ("--scale-time 0", "expected a factor above 0"),
        ("-d 5s", "--duration: the profile p ramps by stages"),
        ("--body x", "a body: the steps of the suite say that"),
        ("--method PUT", "--method: the steps of the suite say that"),
        ("--threshold no_such:count>1", "unknown metric `no_such`"),
        ("-u 5 --scale-time 0.1 --exclude-tags x", "--exclude-tags x: unknown"),
    ] {
        let error = said(suite, line);
        assert!(error.contains(expected), "{line}: {error}");
    }
    let error = said(&format!("thresholds = [\n\"no_such: count>1\"]\n{suite}"), "");
    assert!(error.contains("FILE:2: ") && error.contains("unknown metric `no_such`"), "{error}");
    let rows = format!("[data.d]\norder = \"unique\"\nrows = [{{ a = 1 }}, {{ a = 2 }}]\n{suite}");
    let error = said(&rows, "--only u");
    assert!(error.contains("data d has 2 rows for 5 users"), "{error}");
    let left = tool().run(["--url", "http://127.0.0.1:1", "--profile", "p"]);
    left.is_refused(104, "--profile is about a suite");
    tool().run(["--suite", "nowhere.toml"]).is_refused(104, "nowhere.toml: No such file");
}

#[test]
fn users_that_are_typed_win_over_the_connections_of_a_profile() {
    let task = "[[users]]\nname = \"u\"\n[[users.tasks]]\nname = \"t\"\nrequest = \"GET /\"\n";
    for (profile, line, expected) in [
        ("connections = 4", "-u 2", "closed: 2 users over 2 connections"),
        ("vus = 5", "-c 3", "closed: 3 users over 3 connections"),
        ("connections = 1", "", "closed: 1 user over 1 connection\n"),
    ] {
        let tool = tool();
        let path = written(&tool, &format!("[profiles.p]\n{profile}\n{task}")).display().to_string();
        let words = ["--suite", &path, "--url", "http://127.0.0.1:1", "--dry-run"];
        let left = tool.run(words.into_iter().chain(line.split_whitespace()));
        assert_eq!(left.code, 0, "{}", left.stderr);
        assert!(left.stderr.contains(expected), "{}", left.stderr);
    }
}
