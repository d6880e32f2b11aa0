//! What may a step of several calls at the same time say?

use super::*;

#[test]
fn calls_at_the_same_time_are_texts_or_steps() {
    let text = "[[users]]\nname = \"u\"\n[[users.tasks]]\nname = \"page\"\nif = \"vu > 1\"\nat_once = 4\nseries = \"load\"\nthink = \"1s\"\n\
                parallel = [\"GET /a.css\", { request = \"GET /b\", name = \"b\", if = \"id\", capture = { id = \"$.id\" }, poll = { until = { status = 200 } } }]\n";
    let suite = one(text).unwrap();
    let task = &suite.users[0].tasks[0];
    assert!(task.condition.is_some());
    let step = &task.steps[0];
    assert_eq!((step.think, step.captures.len()), (Some(Think::parse("1s").unwrap()), 0));
    let parallel = step.parallel.as_ref().unwrap();
    assert_eq!(parallel.at_once.map(std::num::NonZeroU32::get), Some(4));
    assert_eq!(parallel.series.as_ref().unwrap().value, "load");
    let [first, second] = parallel.steps.as_slice() else { panic!("{parallel:?}") };
    assert_eq!(first.request.clone().text("request").unwrap().unwrap().value, "GET /a.css");
    assert!(first.name.is_none() && first.conditions.is_empty());
    assert_eq!((second.captures.len(), second.conditions.len()), (1, 1));
    assert!(second.poll.is_some() && second.name.as_ref().unwrap().value == "b");
}

#[test]
fn mistakes_in_them_are_reported_with_their_line() {
    let task = "[[users]]\nname = \"u\"\n[[users.tasks]]\nname = \"t\"\n";
    let step = format!("{task}request = \"GET /\"\n");
    for (text, expected) in [
        (format!("{task}parallel = \"GET /\"\n"), "s.toml:5: parallel: expected a list of requests"),
        (format!("{task}parallel = []\n"), "s.toml:5: parallel: a list without a call"),
        (format!("{task}parallel = [1]\n"), "s.toml:5: a call of parallel is a table"),
        (format!("{step}parallel = [\"GET /a\"]\n"), "s.toml:5: a step with parallel has no request"),
        (
            format!("{task}parallel = [\n\"GET /a\",\n{{ parallel = [\"GET /b\"] }}]\n"),
            "s.toml:7: parallel: within parallel",
        ),
        (
            format!("{task}parallel = [\n\"GET /a\",\n{{ request = \"GET /b\", think = \"1s\" }}]\n"),
            "s.toml:7: think: calls at the same time",
        ),
        (
            format!(
                "{task}parallel = [\n{{ request = \"GET /a\", capture = {{ id = \"$.x\" }} }},\n{{ request = \"GET /b\", capture = {{ id = \"$.y\" }} }}]\n"
            ),
            "s.toml:7: parallel: two of its calls capture id",
        ),
        (format!("{task}parallel = [{{ request = \"GET /a\", if = \"toekn ==\" }}]\n"), "s.toml:5: if: "),
        (
            format!("{task}parallel = [\"GET /a\"]\nexpect = {{ status = 200 }}\n"),
            "s.toml:6: a step with parallel has no expect",
        ),
        (
            format!("{task}parallel = [\"GET /a\"]\nseries = \"page load\"\n"),
            "s.toml:6: series: \"page load\"",
        ),
        (format!("[[cleanup]]\nparallel = [\"DELETE /\"]\n{step}"), "s.toml:1: cleanup: its calls are made"),
    ] {
        is_wrong(&text, expected);
    }
}
