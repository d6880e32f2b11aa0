//! How is a suite written? As somebody would who wants it to be read: comments, short lines, one thing a line.

use std::fmt::Write as _;

use crate::json::{Json, block, key, quoted};
use crate::model::{Body, Content, Expect, Part, Status, Step, Suite, Task};

/// A longer table is written as the text of JSON, over several lines.
const WIDTH: usize = 100;
/// A comment of somebody else's text is cut behind so many characters.
const COMMENT: usize = 300;

/// The suite as TOML. `name` is what it was made of.
pub(crate) fn suite(name: &str, suite: &Suite) -> String {
    let rest = settings(suite);
    let mut out = String::new();
    comment(&mut out, &format!("Imported from {name}: {}.", suite.origin));
    comment(
        &mut out,
        "Check it with `api-load check --suite FILE`, look at its calls with `api-load once --suite FILE`.",
    );
    suite.notes.iter().for_each(|note| comment(&mut out, note));
    let is_used = |(name, _): &&(String, String)| rest.contains(&format!("{{{{env.{name}}}}}"));
    let needed: Vec<_> = suite.secrets.iter().filter(is_used).collect();
    if !needed.is_empty() {
        comment(
            &mut out,
            "Not written here, because they are secret or not known: set these environment variables before a run.",
        );
    }
    for (name, what) in needed {
        comment(&mut out, format!("  {name}  {what}").trim_end());
    }
    out + &rest
}

/// Everything but the comment at the top.
fn settings(suite: &Suite) -> String {
    let mut out = String::new();
    if !suite.vars.is_empty() {
        out += "\n[vars]\n";
        texts(&mut out, &suite.vars);
    }
    for (name, url) in &suite.environments {
        let _ = write!(out, "\n[environments.{}]\nurl = {}\n", key(name), quoted(url));
    }
    out += "\n[profiles.smoke]\nvus = 1\nduration = \"30s\"\n";
    if !suite.headers.is_empty() {
        out += "\n[defaults.headers]\n";
        texts(&mut out, &suite.headers);
    }
    out += "\n[[users]]\nname = \"user\"\n";
    if let Some(think) = suite.think {
        let _ = writeln!(out, "think = {}", quoted(think));
    }
    if suite.in_order {
        out += "order = \"sequence\"\n";
    }
    suite.tasks.iter().for_each(|one| task(&mut out, one));
    out
}

fn task(out: &mut String, task: &Task) {
    let _ = write!(out, "\n[[users.tasks]]\nname = {}\n", quoted(&task.name));
    if !task.tags.is_empty() {
        let tags = task.tags.iter().map(|tag| quoted(tag)).collect::<Vec<_>>();
        let _ = writeln!(out, "tags = [{}]", tags.join(", "));
    }
    if let Some(condition) = task.condition {
        let _ = writeln!(out, "if = {}", quoted(condition));
    }
    if let [only] = task.steps.as_slice() {
        return step(out, only);
    }
    for one in &task.steps {
        out.push_str("\n[[users.tasks.steps]]\n");
        step(out, one);
    }
}

fn step(out: &mut String, step: &Step) {
    step.notes.iter().for_each(|note| comment(out, note));
    if let Body::Multipart(parts) = &step.body {
        lost(parts).iter().for_each(|note| comment(out, note));
    }
    let _ = writeln!(out, "request = {}", quoted(&step.request));
    if !step.headers.is_empty() {
        let _ = writeln!(out, "headers = {}", inline(&step.headers));
    }
    body(out, step);
    if let Some(expect) = expect(&step.expect) {
        let _ = writeln!(out, "expect = {expect}");
    }
    if !step.captures.is_empty() {
        let _ = writeln!(out, "capture = {}", inline(&step.captures));
    }
    for (name, value) in [("timeout", &step.timeout), ("think", &step.think)] {
        if let Some(value) = value {
            let _ = writeln!(out, "{name} = {}", quoted(value));
        }
    }
}

fn body(out: &mut String, step: &Step) {
    let _ = match &step.body {
        Body::None => Ok(()),
        Body::Text(text) => writeln!(out, "body = {}", block(text)),
        Body::File(path) => writeln!(out, "body_file = {}", quoted(path)),
        Body::Json(value) => match value.inline() {
            Some(inline) if inline.len() <= WIDTH && matches!(value, Json::Table(_) | Json::List(_)) => {
                writeln!(out, "json = {inline}")
            }
            _ => writeln!(out, "json = {}", block(&value.pretty())),
        },
        Body::Form(fields) => writeln!(out, "form = {}", inline(fields)),
        Body::Multipart(parts) => writeln!(out, "multipart = {}", inline(&multipart(parts))),
    };
}

/// Names and values of parts, each name once; `@` stands before a file.
fn multipart(parts: &[Part]) -> Vec<(String, String)> {
    let mut all = Vec::<(String, String)>::new();
    for part in parts.iter().filter(|part| !part.name.is_empty()) {
        let value = match &part.content {
            Content::File(path) => format!("@{path}"),
            Content::Text(text) => match text.strip_prefix('@') {
                Some(rest) => format!("{{{{pick('@')}}}}{rest}"),
                None => text.clone(),
            },
        };
        if !all.iter().any(|(name, _)| *name == part.name) {
            all.push((part.name.clone(), value));
        }
    }
    all
}

/// What a suite cannot say of parts.
fn lost(parts: &[Part]) -> Vec<String> {
    let mut lost = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        if let Some(mime) = &part.mime {
            lost.push(format!("The type {mime} of the part {} was left out.", part.name));
        }
        if parts[..at].iter().any(|other| other.name == part.name) {
            lost.push(format!("Another part {} was left out: a name is there once.", part.name));
        }
        if let Content::File(path) = &part.content {
            lost.push(format!("The file {path} must be beside the suite."));
        }
    }
    lost
}

fn expect(expect: &Expect) -> Option<String> {
    let mut all = Vec::new();
    let statuses = expect.statuses.iter().map(|status| match status {
        Status::One(code) => code.to_string(),
        Status::Class(digit) => format!("\"{digit}xx\""),
    });
    let statuses: Vec<_> = statuses.collect();
    match statuses.as_slice() {
        [] => {}
        [only] => all.push(format!("status = {only}")),
        several => all.push(format!("status = [{}]", several.join(", "))),
    }
    match expect.texts.as_slice() {
        [] => {}
        [only] => all.push(format!("text = {}", quoted(only))),
        several => {
            all.push(format!(
                "text = [{}]",
                several.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(", ")
            ));
        }
    }
    if !expect.headers.is_empty() {
        all.push(format!("header = {}", inline(&expect.headers)));
    }
    let tests = expect
        .json
        .iter()
        .filter_map(|(path, value)| Some(format!("{} = {}", quoted(path), value.inline()?)));
    let tests: Vec<_> = tests.collect();
    if !tests.is_empty() {
        all.push(format!("json = {{ {} }}", tests.join(", ")));
    }
    if let Some(time) = &expect.time {
        all.push(format!("time = {}", quoted(time)));
    }
    (!all.is_empty()).then(|| format!("{{ {} }}", all.join(", ")))
}

fn texts(out: &mut String, entries: &[(String, String)]) {
    for (name, value) in entries {
        let _ = writeln!(out, "{} = {}", key(name), quoted(value));
    }
}

fn inline(entries: &[(String, String)]) -> String {
    let entries: Vec<_> =
        entries.iter().map(|(name, value)| format!("{} = {}", key(name), quoted(value))).collect();
    format!("{{ {} }}", entries.join(", "))
}

/// A comment of one line, whatever somebody wrote.
fn comment(out: &mut String, text: &str) {
    let mut line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(COMMENT).collect();
    if text.chars().count() > COMMENT {
        line += " ...";
    }
    let _ = writeln!(out, "# {line}");
}
