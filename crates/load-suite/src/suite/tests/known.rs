//! What is known before the run: variables of the environment, other names of places and profiles, and what a profile keeps.

use super::*;

const SHOP: &str = r#"
profile = '{{env.SHOP_PROFILE or "small"}}'

[vars]
base = "http://{{host}}:8080"
host = '{{env.SHOP_HOST or env.HOST or "localhost"}}'

[environments]
staging = "k8s-staging"
[environments.local]
url = '{{env.SHOP_URL or base}}'
token = '{{env.SHOP_TOKEN or ""}}'
[environments.k8s-staging]
url = "{{base}}"
token = "s3cret"
vars = { host = "staging.example" }

[profiles.small]
vus = 1
[profiles.contract]
once = true
only = ["reader", "pay"]
[profiles.writes]
vus = '{{env.SHOP_USERS or "2"}}'
vars = { host = "writes.example" }
tags = ["write"]
[profiles]
normal = "small"

[[users]]
name = "reader"
weight = 9
[[users.tasks]]
name = "list"
request = "GET /list"
capture = { id = { json = "$.id", keep = true } }
[[users.tasks]]
name = "show"
request = "GET /show/{{id}}"
[[users]]
name = "buyer"
[[users.tasks]]
name = "pay"
tags = ["write"]
request = "POST /pay"
[[users.tasks]]
name = "leave"
request = "POST /leave"
"#;

fn shop(variables: &[(&str, &str)], choice: Choice) -> Result<Suite, SuiteError> {
    let environment_variables =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    suite("s.toml", &[("s.toml", SHOP)], &Choice { environment_variables, ..choice })
}

fn url(suite: &Suite) -> &str {
    &suite.environment.url.as_ref().unwrap().value
}

#[test]
fn variables_of_the_environment_have_defaults() {
    let plain = shop(&[], Choice::default()).unwrap();
    assert_eq!((url(&plain), plain.profile.name.as_str()), ("http://localhost:8080", "small"));
    assert_eq!((plain.environment.headers.len(), plain.secrets.len()), (0, 0), "no token, no header");
    let set = [("SHOP_PROFILE", "writes"), ("SHOP_HOST", ""), ("HOST", "h"), ("SHOP_TOKEN", "t0k3n")];
    let set = shop(&set, Choice::default()).unwrap();
    assert_eq!((url(&set), set.profile.vus), ("http://writes.example:8080", Some(2)));
    let (name, header) = &set.environment.headers[0];
    assert_eq!((name.as_str(), header.value.as_str()), ("authorization", "Bearer t0k3n"));
    assert!(set.secrets.contains(&"t0k3n".to_owned()));
    let wins =
        shop(&[("SHOP_URL", "http://u")], Choice { profile: Some("small".into()), ..Choice::default() });
    assert_eq!(url(&wins.unwrap()), "http://u");
}

#[test]
fn an_environment_and_the_command_line_win_over_vars_that_build_on_each_other() {
    let staging = |vars: &[(&str, &str)]| {
        let vars = vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        shop(&[], Choice { environment: Some("staging".into()), vars, ..Choice::default() }).unwrap()
    };
    let suite = staging(&[]);
    assert_eq!(
        (url(&suite), suite.environment.name.as_str()),
        ("http://staging.example:8080", "k8s-staging")
    );
    assert_eq!(url(&staging(&[("host", "x")])), "http://x:8080");
    let normal = shop(&[], Choice { profile: Some("normal".into()), ..Choice::default() }).unwrap();
    assert_eq!(normal.profile.name, "small");
}

#[test]
fn a_profile_keeps_tasks_unless_the_command_line_does() {
    let tasks = |profile: &str, only: &[&str]| {
        let only = only.iter().map(|name| (*name).to_owned()).collect();
        let suite = shop(&[], Choice { profile: Some(profile.into()), only, ..Choice::default() }).unwrap();
        let named =
            |class: &UserClass| class.tasks.iter().map(|task| task.name.value.clone()).collect::<Vec<_>>();
        suite.users.iter().flat_map(named).collect::<Vec<_>>()
    };
    assert_eq!(tasks("small", &[]), ["list", "show", "pay", "leave"]);
    assert_eq!(tasks("writes", &[]), ["pay"]);
    assert_eq!(tasks("contract", &[]), ["list", "show", "pay"]);
    assert_eq!(tasks("contract", &["leave"]), ["leave"]);
}

#[test]
fn once_is_an_iteration_of_all_tasks_for_each_class() {
    let suite = shop(&[], Choice { profile: Some("contract".into()), ..Choice::default() }).unwrap();
    assert_eq!(suite.profile.vus, Some(2));
    assert!(suite.users.iter().all(|class| class.weight == 1 && class.in_order));
    let (ten, think) = (Duration::from_mins(10), suite.profile.think.unwrap());
    assert_eq!(suite.profile.duration, Some(ten));
    assert!(think.after(0, 1, 0.0) > i64::try_from(ten.as_nanos()).unwrap(), "nobody comes again");
}

#[test]
fn a_capture_may_keep_what_was_there() {
    let suite = shop(&[], Choice::default()).unwrap();
    let capture = &suite.users[0].tasks[0].steps[0].captures[0];
    let mut scope = Scope::default();
    for (body, expected) in [(r#"{"id": 7}"#, "7"), ("{}", "7"), (r#"{"id": 8}"#, "8")] {
        let json: serde_json::Value = serde_json::from_str(body).unwrap();
        let answer = Answer { status: 200, header: &|_| None, body: body.as_bytes(), json: Some(&json) };
        capture.keep(&answer, &mut scope).unwrap();
        assert_eq!(scope.vars.get(capture.slot), expected.as_bytes());
    }
}

#[test]
fn numbers_may_be_names_of_numbers() {
    let text = "[vars]\nvms = 3\n[data.vm]\nfrom = 1\nto = \"{{vms}}\"\n[[users]]\nname = \"u\"\n[[users.tasks]]\nname = \"t\"\n\
        request = \"GET /{{vm.n}}/{{int(3, vms)}}\"\n";
    let choice = |vms: &str| Choice { vars: vec![("vms".into(), vms.into())], ..Choice::default() };
    let rendered = |suite: &Suite, seq| {
        let mut step = suite.users[0].tasks[0].steps[0].clone();
        let request = step.request.text("request").unwrap().unwrap();
        let mut scope = Scope::default();
        scope.begin(1, seq);
        let mut out = Vec::new();
        compile(&request, &suite.users[0].names, crate::template::Escape::Raw)
            .unwrap()
            .render(&scope, &mut out);
        String::from_utf8(out).unwrap()
    };
    let three = suite("s.toml", &[("s.toml", text)], &Choice::default()).unwrap();
    assert_eq!(
        [0, 1, 2, 3].map(|seq| rendered(&three, seq)),
        ["GET /1/3", "GET /2/3", "GET /3/3", "GET /1/3"]
    );
    let many = suite("s.toml", &[("s.toml", text)], &choice("100000")).unwrap();
    assert!(rendered(&many, 99_999).starts_with("GET /100000/"));
    for (vms, expected) in
        [("x", "to: \"x\" is no whole number"), ("0", "the smaller one first"), ("1000001", "expected 1 to")]
    {
        let error = suite("s.toml", &[("s.toml", text)], &choice(vms)).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn mistakes_in_what_is_known_are_told() {
    let users = "[[users]]\nname = \"u\"\n[[users.tasks]]\nname = \"t\"\nrequest = \"GET /\"\n";
    for (text, expected) in [
        ("[vars]\na = \"{{uuid}}\"", "s.toml:2: \"{{uuid}}\" varies; expected what is known before the run"),
        ("[vars]\na = \"{{b}}\"\nb = \"{{a}}\"\nc = 1", "s.toml:2: \"{{b}}\": column 1: unknown {{b}}"),
        ("[environments]\na = \"b\"", "s.toml:2: environments.a: there is no \"b\""),
        ("profile = \"nomal\"\n[profiles.normal]", "did you mean normal?"),
        ("[profiles.p]\nonce = true\nvus = 3", "s.toml:1: once: it says itself"),
        ("[vars]\na = '{{env.NO_SUCH or b}}'", "unknown {{b}}"),
    ] {
        let error = one(&format!("{text}\n{users}")).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
