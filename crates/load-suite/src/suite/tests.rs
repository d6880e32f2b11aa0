mod failure;
mod known;
mod parallel;

use std::io;
use std::time::Duration;

use super::*;
use crate::scope::Scope;
use crate::think::Think;

/// Reads `given` from files that are only in memory.
fn suite(given: &str, files: &[(&str, &str)], choice: &Choice) -> Result<Suite, SuiteError> {
    let read = |path: &Path| {
        let found = files.iter().find(|(name, _)| Path::new(name) == path);
        found.map(|(_, text)| (*text).to_owned()).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    };
    let (name, node) = tree(given, "api", &read)?;
    Suite::read(&name, node, choice, &read)
}

fn one(text: &str) -> Result<Suite, SuiteError> {
    suite(
        "s.toml",
        &[("s.toml", text), ("users.csv", "mail,role\na@x,admin\nb@x,user\n")],
        &Choice::default(),
    )
}

const SHOP: &str = r#"
thresholds = ["error_rate < 1%"]

[vars]
tenant = "acme"

[environments.local]
url = "http://127.0.0.1:8080"
[environments.staging]
url = "https://staging.example"
vars = { tenant = "stage" }

[profiles.smoke]
vus = 5
duration = "10s"
thresholds = ["response_time: p(95)<500"]
[profiles.stress]
rate = "100/s"
stages = ["1m:100", "peak=30s:500"]

[data.people]
file = "users.csv"
order = "unique"

[metrics]
orders = "counter"

[[users]]
name = "visitor"
weight = 3
think = "1s..5s"
[[users.start]]
request = "POST /login"
capture = { token = "$.access_token" }
[[users.tasks]]
name = "browse"
weight = 10
tags = ["read"]
request = "GET /products"
[[users.tasks]]
name = "buy"
tags = ["write"]
if = "product and token"
[[users.tasks.steps]]
request = "POST /orders"
if = "not order"
capture = { order = ["$.id", "$.order.id"], product = { json = "$.items[*].id", pick = "random", optional = true } }
metrics = { orders = 1 }
[[users.tasks.steps]]
request = "GET /orders/{{order}}"
poll = { until = { json = { "$.status" = "done" } }, every = "500ms", at_most = 20 }

[[users]]
name = "admin"
order = "sequence"
[[users.tasks]]
name = "report"
request = "GET /report"
"#;

#[test]
fn a_suite_says_what_its_users_do() {
    let suite = one(SHOP).unwrap();
    assert_eq!(
        (suite.name.as_str(), suite.environment.name.as_str(), suite.profile.vus),
        ("s", "local", Some(5))
    );
    let thresholds: Vec<_> = suite.thresholds.iter().map(|text| text.value.as_str()).collect();
    assert_eq!(thresholds, ["error_rate < 1%", "response_time: p(95)<500"]);
    let [visitor, admin] = suite.users.as_slice() else { panic!("two classes") };
    assert_eq!((visitor.weight, admin.weight, visitor.in_order, admin.in_order), (3, 1, false, true));
    assert_eq!(visitor.think, Some(Think::Uniform(Duration::from_secs(1), Duration::from_secs(5))));
    assert_eq!((visitor.start.len(), visitor.tasks.len(), visitor.tasks[1].steps.len()), (1, 2, 2));
    assert!(visitor.tasks[1].condition.is_some() && visitor.tasks[1].steps[0].conditions.len() == 1);
    assert_eq!(visitor.tasks[1].steps[1].poll.as_ref().unwrap().at_most, 20);
    // Each class has variables of its own.
    let slots: Vec<_> = visitor.names.variables().collect();
    assert_eq!(slots.len(), 3);
    assert_eq!((visitor.names.end(), admin.names.end()), (3, 3));
    assert_eq!(admin.names.variables().count(), 0);
}

#[test]
fn the_command_line_chooses() {
    let read = |choice: Choice| suite("s.toml", &[("s.toml", SHOP), ("users.csv", "mail\na\n")], &choice);
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let chosen = read(Choice {
        environment: Some("staging".into()),
        profile: Some("stress".into()),
        vars: vec![("extra".into(), "1".into())],
        tags: words(&["write"]),
        ..Choice::default()
    })
    .unwrap();
    assert_eq!(chosen.environment.url.unwrap().value, "https://staging.example");
    assert_eq!((chosen.profile.rate, chosen.profile.stages.len()), (Some(100.0), 2));
    assert_eq!((chosen.names.constant("tenant"), chosen.names.constant("extra")), (Some("stage"), Some("1")));
    let left: Vec<_> = chosen
        .users
        .iter()
        .flat_map(|class| class.tasks.iter().map(|task| task.name.value.as_str()))
        .collect();
    assert_eq!(left, ["buy"]);
    let only = read(Choice { only: words(&["admin", "browse"]), ..Choice::default() }).unwrap();
    assert_eq!(only.users.iter().map(|class| class.tasks.len()).collect::<Vec<_>>(), [1, 1]);
    for (choice, expected) in [
        (
            Choice { profile: Some("smok".into()), ..Choice::default() },
            "--profile smok: unknown; did you mean smoke?",
        ),
        (Choice { environment: Some("moon".into()), ..Choice::default() }, "known are local, staging"),
        (
            Choice { only: words(&["adnim"]), ..Choice::default() },
            "--only adnim: unknown; did you mean admin?",
        ),
        (Choice { exclude_tags: words(&["raed"]), ..Choice::default() }, "did you mean read?"),
        (
            Choice { only: words(&["buy"]), exclude_tags: words(&["write"]), ..Choice::default() },
            "leave no task",
        ),
    ] {
        let error = read(choice).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn the_condition_of_a_task_that_is_its_only_step_is_the_tasks() {
    let task = |keys: &str| {
        format!("[[users]]\nname = \"u\"\n[[users.tasks]]\nname = \"t\"\nif = \"vu > 1\"\n{keys}")
    };
    for keys in ["request = \"GET /\"\n", "[[users.tasks.steps]]\nrequest = \"GET /\"\n"] {
        let suite = one(&task(keys)).unwrap();
        let task = &suite.users[0].tasks[0];
        assert!(task.condition.is_some() && task.steps[0].conditions.is_empty(), "{keys}");
    }
}

#[test]
fn secrets_are_known_by_their_names() {
    let variables =
        [("API_TOKEN".to_owned(), "s3cr3t".to_owned()), ("HOME".to_owned(), "/root".to_owned())].into();
    let choice = Choice {
        environment_variables: variables,
        vars: vec![("admin_password".into(), "hunter2".into())],
        ..Choice::default()
    };
    let suite = suite("s.toml", &[("s.toml", SHOP), ("users.csv", "mail\na\n")], &choice).unwrap();
    let mut secrets = suite.secrets;
    secrets.sort();
    assert_eq!(secrets, ["hunter2", "s3cr3t"]);
    assert_eq!(suite.names.constant("env.HOME"), Some("/root"));
}

#[test]
fn a_suite_builds_on_another() {
    let base = ("suites/base/suite.toml", "[environments.local]\nurl = \"http://a\"\n");
    let tool = (
        "suites/base/api.toml",
        "[[users]]\nname = \"u\"\nweight = 2\n[[users.tasks]]\nname = \"t\"\nrequest = \"GET /\"\n",
    );
    let mine = (
        "mine.toml",
        "extends = \"base\"\n[environments.local]\nurl = \"http://b\"\n[[users]]\nname = \"u\"\n[[users.tasks]]\nname = \"t\"\nweight = 9\n",
    );
    let read = suite("mine.toml", &[base, tool, mine], &Choice::default()).unwrap();
    assert_eq!(read.environment.url.unwrap().value, "http://b");
    assert_eq!((read.users[0].weight, read.users[0].tasks[0].weight), (2, 9));
    assert_eq!(suite("base", &[base, tool], &Choice::default()).unwrap().name, "base");
    let circle = [("a.toml", "extends = \"b.toml\""), ("b.toml", "extends = \"a.toml\"")];
    let error = suite("a.toml", &circle, &Choice::default()).unwrap_err().to_string();
    assert!(error.contains("in a circle"), "{error}");
    let error = suite("a.toml", &[("a.toml", "x = 1\nextends = \"nowhere\"")], &Choice::default())
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("a.toml:2: --suite: no suite at suites/nowhere"), "{error}");
    assert!(suite("none.toml", &[], &Choice::default()).unwrap_err().to_string().contains("none.toml"));
}

#[test]
fn every_mistake_is_reported_with_its_line() {
    let users = "[[users]]\nname = \"u\"\n";
    let task = format!("{users}[[users.tasks]]\nname = \"t\"\n");
    let step = format!("{task}request = \"GET /\"\n");
    for (text, expected) in [
        ("x = \n".to_owned(), "s.toml:1: "),
        (String::new(), "s.toml:1: no users"),
        (format!("usres = []\n{step}"), "s.toml:1: a suite has no usres; did you mean users?"),
        ("[[users]]\nweight = 1\n".to_owned(), "s.toml:1: no name"),
        (users.to_owned(), "s.toml:1: the user class u has no tasks"),
        (
            format!("{users}wieght = 2\n[[users.tasks]]\nname = \"t\"\nrequest = \"GET /\"\n"),
            "s.toml:3: a user class has no wieght; did you mean weight?",
        ),
        (format!("{users}weight = 0\n"), "s.toml:3: weight: expected a whole number of at least 1"),
        (format!("{users}think = \"soon\"\n"), "s.toml:3: think: \"soon\" is not a pause"),
        (
            format!("{users}order = \"random\"\n"),
            "s.toml:3: order: \"random\" is none of \"weighted\", \"sequence\"",
        ),
        (
            format!("{step}[[users]]\nname = \"u\"\n[[users.tasks]]\nname = \"t\"\n"),
            "s.toml:7: there are two user classes",
        ),
        (
            format!("{step}[[users.tasks]]\nname = \"t\"\nrequest = \"GET /\"\n"),
            "s.toml:7: u has two tasks \"t\"",
        ),
        (format!("{users}[[users.tasks]]\nrequest = \"GET /\"\n"), "s.toml:3: no name"),
        (format!("{task}steps = []\n"), "s.toml:4: the task t has no steps"),
        (format!("{step}capture = {{ id = \"items\" }}\n"), "s.toml:6: \"items\" is no JSONPath"),
        (format!("{step}capture = {{ id = {{ pick = \"any\" }} }}\n"), "s.toml:6: pick: \"any\" is none of"),
        (format!("{step}capture = {{ id = {{ pick = \"last\" }} }}\n"), "s.toml:6: a capture from nowhere"),
        (
            format!("{step}capture = {{ id = {{ regex = \"(\" }} }}\n"),
            "s.toml:6: \"(\" is no regular expression",
        ),
        (format!("{step}capture = {{ \"a b\" = \"$.x\" }}\n"), "s.toml:6: capture: \"a b\" is no name"),
        (format!("{step}if = \"toekn ==\"\n"), "s.toml:6: if: "),
        (format!("{step}poll = {{ every = \"1s\" }}\n"), "s.toml:6: poll: no until"),
        (
            format!("{step}poll = {{ until = {{}}, series = \"time to x\" }}\n"),
            "s.toml:6: series: \"time to x\" is no name like page_load; expected letters, digits and _",
        ),
        (format!("{step}poll = {{ until = {{}}, at_most = 0 }}\n"), "s.toml:6: at_most: expected"),
        (format!("{step}think = \"pacing 1s\"\n"), "s.toml:3: think: pacing is between iterations"),
        (format!("{step}timeout = \"never\"\n"), "s.toml:6: timeout: \"never\" is not a duration"),
        (format!("{step}metrics = {{ x = 1 }}\n"), "s.toml:6: metrics: unknown x; declare it"),
        (format!("[metrics]\nx = \"sum\"\n{step}"), "s.toml:2: metrics: \"sum\" is none of"),
        (
            format!("[metrics]\nx = \"rate\"\n{step}metrics = {{ x = \"time\" }}\n"),
            "s.toml:8: metrics: x = \"time\"; a trend",
        ),
        (format!("[profiles.a]\nvus = -1\n{step}"), "s.toml:2: vus: expected"),
        (
            format!("[profiles.a]\nvus = 1\n[profiles.b]\nrate = \"fast\"\n{step}"),
            "s.toml:4: rate: \"fast\" is not a rate",
        ),
        (format!("[profiles.a]\nstages = [\"1m\"]\n{step}"), "s.toml:2: stages: \"1m\" is not a stage"),
        (
            format!("[environments.a]\nuri = \"x\"\n{step}"),
            "s.toml:2: an environment has no uri; did you mean url?",
        ),
        (format!("[data.d]\nfile = \"none.csv\"\n{step}"), "s.toml:2: none.csv: "),
        (format!("[data.d]\norder = \"unique\"\n{step}"), "s.toml:1: expected either file"),
        (format!("[data.d]\nrows = [{{ a = 1 }}, {{ b = 1 }}]\n{step}"), "s.toml:2: the row has no a"),
        (format!("[vars]\na = [1]\n{step}"), "s.toml:2: a: expected a text, not a list"),
        (format!("[[cleanup]]\nif = \"x\"\nname = 1\npoll = 3\n{step}"), "s.toml:4: poll is a table"),
    ] {
        is_wrong(&text, expected);
    }
}

/// The suite `text` has a mistake that is told like this.
fn is_wrong(text: &str, expected: &str) {
    match one(text) {
        Ok(_) => panic!("no mistake found in\n{text}"),
        Err(error) => {
            assert!(error.to_string().starts_with(expected), "{error}\nexpected {expected}\n{text}");
        }
    }
}

/// What a test says of a JSON body.
fn judged(test: &str, body: &str) -> Result<(), String> {
    let node = Node::parse("s.toml", &format!("json = {{ {test} }}\n")).unwrap();
    let mut names = Names::none();
    names.slot("id");
    let tests = Tests::read(&mut Fields::of(node, "expect").unwrap(), &names).unwrap();
    let json = serde_json::from_str(body).ok();
    let answer = Answer { status: 200, header: &|_| None, body: body.as_bytes(), json: json.as_ref() };
    let mut scope = Scope::default();
    scope.vars.set(0, b"7");
    tests.judge(&answer, Duration::ZERO, &scope)
}

#[test]
fn values_are_tested() {
    let body = r#"{"id": 7, "name": "ann", "items": [{"id": 1.0}, {"id": 2}], "none": null}"#;
    for test in [
        "\"$.id\" = 7",
        "\"$.id\" = \"{{id}}\"",
        "\"$.name\" = \"ann\"",
        "\"$.items[0].id\" = 1",
        "\"$.items\" = { type = \"array\", length = 2 }",
        "\"$.items[*].id\" = { min = 1, max = 1 }",
        "\"$.name\" = { matches = \"^a.n$\", one_of = [\"bob\", \"ann\"] }",
        "\"$.missing\" = { exists = false }",
        "\"$.none\" = { type = \"null\" }",
        "\"$['name']\" = \"ann\"",
    ] {
        assert_eq!(judged(test, body), Ok(()), "{test}");
    }
    for (test, expected) in [
        ("\"$.id\" = 8", "$.id: is 7, expected 8"),
        ("\"$.missing\" = 1", "$.missing: is missing"),
        ("\"$.missing\" = { exists = true }", "is missing"),
        ("\"$.id\" = { exists = false }", "expected nothing"),
        ("\"$.items\" = { length = 3 }", "a length of at least 3"),
        ("\"$.name\" = { type = \"number\" }", "is \"ann\", expected number"),
    ] {
        let error = judged(test, body).unwrap_err();
        assert!(error.contains(expected), "{test}: {error}");
    }
    assert_eq!(judged("\"$.id\" = 7", "<html>"), Err("the body is no JSON".into()));
}

/// What a capture keeps of an answer.
fn kept(capture: &str, body: &str) -> Result<String, String> {
    let node = Node::parse("s.toml", &format!("capture = {{ it = {capture} }}\n")).unwrap();
    let mut names = Names::none();
    let captures = Capture::read_all(&mut Fields::of(node, "a step").unwrap(), &mut names).unwrap();
    let json = serde_json::from_str(body).ok();
    let header = |name: &str| (name == "etag").then_some(&b"e1"[..]);
    let answer = Answer { status: 201, header: &header, body: body.as_bytes(), json: json.as_ref() };
    let mut scope = Scope::default();
    captures[0].keep(&answer, &mut scope)?;
    Ok(String::from_utf8(scope.vars.get(captures[0].slot).to_vec()).unwrap())
}

#[test]
fn values_are_captured() {
    let body = r#"{"id": 7, "name": "ann", "items": [{"id": "a"}, {"id": "b"}], "ok": true}"#;
    for (capture, expected) in [
        ("\"$.id\"", "7"),
        ("\"$.name\"", "ann"),
        ("\"$.ok\"", "true"),
        ("\"$.items[0]\"", "{\"id\":\"a\"}"),
        ("[\"$.order_id\", \"$.id\"]", "7"),
        ("{ json = \"$.items[*].id\", pick = \"last\" }", "b"),
        ("{ header = \"ETag\" }", "e1"),
        ("{ regex = \"\\\"name\\\": \\\"(.)\" }", "a"),
        ("{ from = \"status\" }", "201"),
        ("{ json = \"$.none\", optional = true }", ""),
    ] {
        assert_eq!(kept(capture, body).as_deref(), Ok(expected), "{capture}");
    }
    assert!(
        ["a", "b"].contains(&kept("{ json = \"$.items[*].id\", pick = \"random\" }", body).unwrap().as_str())
    );
    assert_eq!(kept("\"$.nothing\"", body), Err("nothing to capture as it: no $.nothing".into()));
    assert_eq!(kept("{ header = \"X\" }", body), Err("nothing to capture as it: no header x".into()));
}
