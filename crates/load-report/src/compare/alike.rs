//! May these runs be compared? They did the same, and the baseline proves something.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::model::{Plan, RunFile};
use crate::verdict::Verdict;

use super::{MAX_RUNS, Side};

/// Where a tool sends to rather than what: the same load on another machine is the same load.
const PLACES: [&str; 6] = ["url", "stream", "server", "route", "authority", "local_ips"];
const ALLOW: &str = "--allow-different compares them all the same";

/// Why runs are not compared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unlike {
    /// It is no baseline.
    #[error("{name}: {component} {why}, so it is no baseline")]
    Unfit {
        /// Which run.
        name: String,
        /// Which of its components.
        component: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The runs differ in what they did.
    #[error("the runs are not alike: {}; {ALLOW}", .0.join("; "))]
    Different(Vec<String>),
    /// There is nothing that both sides have.
    #[error("the runs have no component in common: {0} against {1}")]
    Nothing(String, String),
    /// More than [`MAX_RUNS`].
    #[error("{0} runs; at most {MAX_RUNS} can be compared at once")]
    TooMany(usize),
}

/// What the sides have in common.
pub(super) struct Met {
    /// Components that all runs have.
    pub(super) components: Vec<String>,
    /// What is not alike.
    pub(super) different: Vec<String>,
    /// What differs and does not matter by itself.
    pub(super) notes: Vec<String>,
}

/// Why `run` cannot be the baseline of anything; none when it can.
pub fn unfit(run: &RunFile) -> Option<&'static str> {
    Some(match run.verdict {
        Verdict::Invalid => "is INVALID",
        Verdict::NoData => "has NO DATA",
        _ if run.recovered => "was killed and recovered from its journal",
        _ if run.interrupted => "was stopped by a signal",
        _ => return None,
    })
}

/// What both sides have, or why they are not compared.
pub(super) fn meet(baseline: &[Side<'_>], current: &[Side<'_>], allowed: bool) -> Result<Met, Unlike> {
    let all = || baseline.iter().chain(current);
    if all().count() > MAX_RUNS {
        return Err(Unlike::TooMany(all().count()));
    }
    for side in baseline {
        if let Some((component, why)) = side.runs.iter().find_map(|(name, run)| Some((name, unfit(run)?))) {
            return Err(Unlike::Unfit { name: side.name.clone(), component: component.clone(), why });
        }
    }
    let union: BTreeSet<&String> = all().flat_map(|side| side.runs.keys()).collect();
    let (components, partial): (Vec<_>, Vec<_>) =
        union.into_iter().partition(|name| all().all(|side| side.runs.contains_key(*name)));
    let mut different: Vec<String> = Vec::new();
    for name in partial {
        let absent: Vec<&str> =
            all().filter(|side| !side.runs.contains_key(name)).map(|side| &*side.name).collect();
        different.push(format!("no {name} in {}", absent.join(", ")));
    }
    let (mut notes, Some(first)) = (Vec::new(), baseline.first()) else {
        return Err(Unlike::Nothing(names(baseline), names(current)));
    };
    for name in &components {
        for side in all().skip(1) {
            let (one, other) = (first.runs[*name], side.runs[*name]);
            let found = differences(&one.header.plan, &other.header.plan);
            different.extend(found.into_iter().map(|what| format!("{name} of {}: {what}", side.name)));
            notes.extend(besides(one, other).into_iter().map(|what| format!("{name}: {what}")));
        }
    }
    for side in current {
        let stopped = side.runs.iter().filter(|(_, run)| run.interrupted || run.recovered);
        different
            .extend(stopped.map(|(name, _)| format!("{name} of {} was stopped before its time", side.name)));
    }
    if components.is_empty() {
        return Err(Unlike::Nothing(names(baseline), names(current)));
    }
    if !different.is_empty() && !allowed {
        return Err(Unlike::Different(different));
    }
    notes.sort();
    notes.dedup();
    Ok(Met { components: components.into_iter().cloned().collect(), different, notes })
}

fn names(sides: &[Side<'_>]) -> String {
    let names = sides.iter().flat_map(|side| side.runs.keys().map(String::as_str));
    names.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(", ")
}

/// In what two plans of a component do not ask for the same: `arrival rate 200.0 instead of 100.0`.
pub fn differences(one: &Plan, other: &Plan) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for (what, of) in OFFERED {
        let (one, other) = (of(one), of(other));
        if one != other {
            found.push(format!("{what} {} instead of {}", plain(&other), plain(&one)));
        }
    }
    found.extend(args(&one.args, &other.args));
    found
}

type Part = (&'static str, fn(&Plan) -> Value);

/// What a plan offers.
const OFFERED: [Part; 13] = [
    ("load model", |plan| serde_json::json!(plan.model)),
    ("arrival rate", |plan| plan.rate_per_s.into()),
    ("arrivals", |plan| plan.arrivals.clone().into()),
    ("users", |plan| plan.vus.into()),
    ("most users", |plan| plan.max_vus.into()),
    ("connections", |plan| plan.connections.into()),
    ("duration in s", |plan| plan.duration_s.into()),
    ("warm-up in s", |plan| plan.warmup_s.into()),
    ("number of calls", |plan| plan.requests.into()),
    ("stages", |plan| {
        let stage = |stage: &crate::model::Stage| format!("{}s:{}", stage.duration_s, stage.target);
        plan.stages.iter().map(stage).collect::<Vec<_>>().join(",").into()
    }),
    ("think time", |plan| serde_json::json!(plan.think_s)),
    ("ops", |plan| plan.ops.join(", ").into()),
    ("rehearsal", |plan| serde_json::json!(plan.rehearsal)),
];

/// The flags of the protocol, but for those that say where.
fn args(one: &Value, other: &Value) -> Vec<String> {
    let keys = |value: &Value| value.as_object().into_iter().flat_map(|map| map.keys().cloned()).collect();
    let mut all: BTreeSet<String> = keys(one);
    all.extend::<BTreeSet<String>>(keys(other));
    let of = |value: &Value, key: &str| value.get(key).map_or(Value::Null, placeless);
    let differ = |key: &String| {
        let (one, other) = (of(one, key), of(other, key));
        (one != other).then(|| format!("{key} {} instead of {}", plain(&other), plain(&one)))
    };
    all.iter().filter(|key| !PLACES.contains(&key.as_str())).filter_map(differ).collect()
}

/// A value without the headers that say where the target is, or which version of the tool asks.
fn placeless(value: &Value) -> Value {
    let says_where = |line: &str| {
        let line = line.to_ascii_lowercase();
        line.starts_with("host:") || line.starts_with("user-agent: quintet")
    };
    match value {
        Value::Array(items) => {
            let kept = items.iter().filter(|item| !item.as_str().is_some_and(says_where));
            Value::Array(kept.cloned().collect())
        }
        other => other.clone(),
    }
}

/// A value in a sentence, cut where it is long.
fn plain(value: &Value) -> String {
    let text = match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if text.chars().count() <= 120 { text } else { text.chars().take(120).chain(['…']).collect() }
}

/// What differs, and may be what the comparison is about.
fn besides(one: &RunFile, other: &RunFile) -> Vec<String> {
    let (a, b) = (&one.header, &other.header);
    let pairs = [
        ("target", a.plan.target.clone(), b.plan.target.clone()),
        ("version of the tool", a.version.clone(), b.version.clone()),
        ("seed", a.plan.seed.to_string(), b.plan.seed.to_string()),
        ("threads", a.plan.threads.to_string(), b.plan.threads.to_string()),
        ("processes", a.plan.processes.to_string(), b.plan.processes.to_string()),
    ];
    let differ = pairs.into_iter().filter(|(_, one, other)| one != other);
    let mut notes: Vec<String> =
        differ.map(|(what, one, other)| format!("{what} is {other}, was {one}")).collect();
    if one.verdict == Verdict::Fail {
        notes.push("the baseline itself failed its thresholds".to_owned());
    }
    if one.generator.generator_bound || other.generator.generator_bound {
        notes.push("a generator had no idle time left, so its throughput is a lower bound".to_owned());
    }
    notes
}
