//! What is a profile of a suite? For people, for programs, and for k6 and Locust.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use load_suite::node::SuiteError;
use load_suite::suite::{Choice, Suite, Tool, names, parts};
use load_suite::think::Think;
use load_suite::units::written;
use serde_json::{Map, Value, json};

use super::list::{nothing, pretty};
use super::{k6, locust, open, usage, wrong};
use crate::Failure;
use crate::args::{ShowArgs, ShowFormat};

/// What a tool does in the profile.
pub(super) struct Part {
    pub(super) tool: Tool,
    pub(super) suite: Suite,
}

impl Part {
    /// Suite, profile and tool.
    pub(super) fn title(&self) -> String {
        let Suite { name, profile, environment, .. } = &self.suite;
        let mut title = name.clone();
        for (what, name) in [("profile", &profile.name), ("environment", &environment.name)] {
            if !name.is_empty() {
                let _ = write!(title, ", {what} {name}");
            }
        }
        title
    }

    /// The environment's URL, unless it varies or holds something that nobody may see.
    pub(super) fn url(&self) -> &str {
        let url = self.suite.environment.url.as_ref().map(|url| url.value.as_str());
        url.filter(|url| !url.contains('@') && !url.contains("{{")).unwrap_or("http://localhost:8080")
    }

    /// Of each kind of users: name, weight, and the pauses from and to, in seconds.
    pub(super) fn classes(&self) -> Vec<(String, u32, f64, f64)> {
        let profile = &self.suite.profile;
        let of = |class: &load_suite::suite::UserClass| {
            // What is made once ends with its first iteration.
            let own = if profile.once { None } else { class.think.or(profile.think) };
            let (low, high) = seconds(own.unwrap_or_default());
            (class.name.value.clone(), class.weight, low, high)
        };
        self.suite.users.iter().map(of).collect()
    }
}

/// Pauses from and to, in seconds; of one that is drawn otherwise twice the mean is the most.
fn seconds(think: Think) -> (f64, f64) {
    let (low, high) = match think {
        Think::None => (Duration::ZERO, Duration::ZERO),
        Think::Uniform(low, high) => (low, high),
        Think::Exponential(mean) => (Duration::ZERO, mean.saturating_mul(2)),
        Think::Pacing(period) => (period, period),
    };
    (low.as_secs_f64(), high.as_secs_f64())
}

/// The profile as it was asked for.
pub(super) fn show(asked: &ShowArgs) -> Result<String, Failure> {
    let parts = read(asked)?;
    let other = |what: &str| match parts.iter().find(|part| part.tool.kind == "api") {
        Some(part) => Ok(part),
        None => parts.first().ok_or_else(|| usage(format!("nothing to show as {what}"))),
    };
    match asked.format {
        ShowFormat::Text => Ok(parts.iter().map(text).collect()),
        ShowFormat::Json => pretty(&parts.iter().map(json).collect()),
        ShowFormat::K6 => k6::script(other("k6")?),
        ShowFormat::Locust => Ok(locust::file(other("Locust")?)),
    }
}

/// The parts of the suite that have the profile.
fn read(asked: &ShowArgs) -> Result<Vec<Part>, Failure> {
    let (given, named) = match asked.suite.rsplit_once('/') {
        Some((suite, profile)) if !Path::new(&asked.suite).exists() => (suite, Some(profile.to_owned())),
        _ => (asked.suite.as_str(), None),
    };
    let profile = asked.profile.clone().or(named);
    let wanted = |tool: &Tool| asked.tool.as_ref().is_none_or(|name| tool.kind == name || tool.part == name);
    let mut found = parts(given, &open).map_err(wrong)?;
    found.retain(|(tool, _)| wanted(tool));
    if found.is_empty() {
        return Err(nothing(given));
    }
    let known: Vec<String> = found.iter().flat_map(|(_, node)| names(node, "profiles")).collect();
    if let Some(profile) = profile.as_ref().filter(|profile| !known.contains(profile)) {
        return Err(usage(format!(
            "no profile {profile} in {given}; known are {}",
            unique(known).join(", ")
        )));
    }
    let read = |(tool, node): (Tool, load_suite::node::Node)| -> Result<Part, SuiteError> {
        let choice = Choice {
            profile: profile.clone(),
            environment: asked.environment.clone(),
            environment_variables: std::env::vars().collect(),
            ..Choice::default()
        };
        let mut suite = Suite::read(given.rsplit('/').next().unwrap_or(given), node, &choice, &open)?;
        suite.profile = suite.profile.scaled(asked.scale_time, asked.scale_users);
        Ok(Part { tool, suite })
    };
    let has = |node: &load_suite::node::Node| match &profile {
        Some(profile) => names(node, "profiles").contains(profile),
        None => true,
    };
    found.into_iter().filter(|(_, node)| has(node)).map(read).collect::<Result<_, _>>().map_err(wrong)
}

fn unique(mut names: Vec<String>) -> Vec<String> {
    let mut seen = Vec::new();
    names.retain(|name| {
        let new = !seen.contains(name);
        seen.push(name.clone());
        new
    });
    names
}

/// What the profile says, by the names of its keys.
fn load(part: &Part) -> Vec<(&'static str, Value)> {
    let profile = &part.suite.profile;
    let time = |time: Option<Duration>| time.map(|time| json!(written(time)));
    let stages: Vec<_> = profile.stages.iter().map(ToString::to_string).collect();
    let words = |words: &[String]| (!words.is_empty()).then(|| json!(words));
    let all = [
        ("once", profile.once.then(|| json!(true))),
        ("vus", profile.vus.filter(|_| !profile.once).map(|n| json!(n))),
        ("spawn_rate", profile.spawn_rate.map(|rate| json!(rate))),
        ("rate", profile.rate.map(|rate| json!(rate))),
        ("arrivals", profile.poisson.map(|poisson| json!(if poisson { "poisson" } else { "constant" }))),
        ("max_vus", profile.max_vus.map(|n| json!(n))),
        ("connections", profile.connections.map(|n| json!(n))),
        ("duration", time(profile.duration)),
        ("requests", profile.requests.map(|n| json!(n))),
        ("stages", (!stages.is_empty()).then(|| json!(stages))),
        ("warmup", time(profile.warmup)),
        ("timeout", time(profile.timeout)),
        ("graceful_stop", time(profile.graceful_stop)),
        ("only", words(&profile.only)),
        ("tags", words(&profile.tags)),
        ("exclude_tags", words(&profile.exclude_tags)),
    ];
    all.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
}

fn json(part: &Part) -> Value {
    let load: Map<String, Value> =
        load(part).into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    let class = |(name, weight, low, high): (String, u32, f64, f64)| json!({ "name": name, "weight": weight, "pause_s": [low, high] });
    json!({
        "suite": part.suite.name,
        "profile": part.suite.profile.name,
        "environment": part.suite.environment.name,
        "tool": part.tool.command,
        "load": load,
        "users": part.classes().into_iter().map(class).collect::<Vec<_>>(),
        "thresholds": part.suite.thresholds.iter().map(|text| text.value.as_str()).collect::<Vec<_>>(),
    })
}

fn text(part: &Part) -> String {
    let mut text = format!("{}: {}\n", part.title(), part.tool.command);
    for (key, value) in load(part) {
        let value = match value {
            Value::String(text) => text,
            Value::Array(list) => list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
            other => other.to_string(),
        };
        let _ = writeln!(text, "  {key:<14}{value}");
    }
    for (index, (name, weight, low, high)) in part.classes().into_iter().enumerate() {
        let what = if index == 0 { "users" } else { "" };
        let pause = if high > 0.0 { format!(", pauses of {low} to {high} s") } else { String::new() };
        let _ = writeln!(text, "  {what:<14}{name}, weight {weight}{pause}");
    }
    for (index, threshold) in part.suite.thresholds.iter().enumerate() {
        let what = if index == 0 { "thresholds" } else { "" };
        let _ = writeln!(text, "  {what:<14}{}", threshold.value);
    }
    text
}
