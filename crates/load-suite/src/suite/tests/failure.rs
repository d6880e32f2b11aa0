//! Who says whether an iteration goes on behind a step that failed, and what may stand instead of a call?

use super::*;

const USERS: &str = r#"
[[users]]
name = "u"
on_failure = "continue"
[[users.start]]
request = "GET /in"
[[users.tasks]]
name = "a"
[[users.tasks.steps]]
request = "GET /1"
[[users.tasks.steps]]
request = "GET /2"
on_failure = "end"
[[users.tasks]]
name = "b"
on_failure = "end"
steps = [{ request = "GET /3" }, { request = "GET /4", on_failure = "continue" }]
[[users.tasks]]
name = "c"
request = "GET /5"
on_failure = "end"
[[users]]
name = "plain"
[[users.tasks]]
name = "a"
request = "GET /6"
"#;

#[test]
fn the_nearest_one_counts() {
    let suite = one(USERS).unwrap();
    let says = |class: &UserClass| -> Vec<_> {
        let tasks = class.tasks.iter().flat_map(|task| &task.steps);
        class.start.iter().chain(tasks).map(|step| step.goes_on).collect()
    };
    let expected = [true, true, false, false, true, false].map(Some);
    assert_eq!((says(&suite.users[0]), says(&suite.users[1])), (expected.to_vec(), vec![None]));
}

#[test]
fn where_it_means_nothing_it_is_refused() {
    let users = |key: &str| format!("[[users]]\nname = \"u\"\n[[users.tasks]]\nname = \"t\"\n{key}");
    let go_on = "on_failure = \"continue\"";
    for (text, expected) in [
        (
            users("on_failure = \"stop\"\nrequest = \"GET /\""),
            "s.toml:5: on_failure: \"stop\" is none of \"end\", \"continue\"",
        ),
        (
            users(&format!("parallel = [{{ request = \"GET /\", {go_on} }}]")),
            "on_failure: a call that fails lets the others end",
        ),
        (
            users(&format!("hold = \"1s\"\ntimers = [{{ every = \"1s\", send = \"x\", {go_on} }}]")),
            "on_failure: the user goes on holding",
        ),
        (
            users(&format!("request = \"GET /\"\n[[setup]]\nrequest = \"GET /\"\n{go_on}")),
            "s.toml:6: setup: ",
        ),
    ] {
        let error = one(&text).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_step_may_be_a_pause_alone() {
    let users =
        |step: &str| format!("[[users]]\nname = \"u\"\n[[users.tasks]]\nname = \"t\"\nsteps = [{step}]");
    let suite = one(&users("{ pause = true, think = \"1s..2s\", if = \"1 == 1\" }")).unwrap();
    let step = &suite.users[0].tasks[0].steps[0];
    assert!(step.pause && step.think.is_some() && step.conditions.len() == 1);
    for (step, expected) in [
        ("{ pause = true }", "s.toml:5: pause: for how long? give think"),
        ("{ pause = true, think = \"0s\" }", "pause: for how long?"),
        ("{ pause = true, think = \"1s\", request = \"GET /\" }", "a pause has no request"),
        ("{ parallel = [{ pause = true, think = \"1s\" }] }", "pause: within parallel"),
    ] {
        let error = one(&users(step)).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
