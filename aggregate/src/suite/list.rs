//! Which suites are there, and which profiles has one?

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use load_report::exit::Exit;
use load_suite::node::{Node, Value};
use load_suite::suite::{names, parts};
use serde_json::{Value as Json, json};

use super::{open, usage, wrong};
use crate::Failure;
use crate::args::{ListArgs, ListFormat, SuitesArgs};

/// What a suite is.
struct Overview {
    name: String,
    about: String,
    tools: Vec<&'static str>,
    profiles: Vec<String>,
    environments: Vec<String>,
}

impl Overview {
    fn of(folder: &Path) -> Result<Self, Failure> {
        let shown = folder.display().to_string();
        let parts = parts(&shown, &open).map_err(wrong)?;
        let all = |key: &str| {
            let mut all = Vec::new();
            for name in parts.iter().flat_map(|(_, node)| names(node, key)) {
                if !all.contains(&name) {
                    all.push(name);
                }
            }
            all
        };
        Ok(Self {
            name: folder.file_name().map_or(shown.clone(), |name| name.to_string_lossy().into_owned()),
            about: parts.iter().find_map(|(_, node)| about(node)).unwrap_or_default(),
            tools: parts.iter().map(|(tool, _)| tool.command).collect(),
            profiles: all("profiles"),
            environments: all("environments"),
        })
    }
}

fn about(node: &Node) -> Option<String> {
    match &node.get("about")?.value {
        Value::Text(text) => Some(text.clone()),
        _ => None,
    }
}

/// All suites of a folder.
pub(super) fn suites(asked: &SuitesArgs) -> Result<String, Failure> {
    let folder = &asked.folder;
    let entries = std::fs::read_dir(folder)
        .map_err(|error| usage(format!("{}: {error}; expected a folder of suites", folder.display())))?;
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let mut all = Vec::new();
    for path in paths {
        let suite = Overview::of(&path)?;
        // What holds no part of a suite is something else.
        if !suite.tools.is_empty() {
            all.push(suite);
        }
    }
    if asked.format == ListFormat::Json {
        let suite = |suite: &Overview| {
            json!({
                "name": suite.name, "about": suite.about, "tools": suite.tools,
                "profiles": suite.profiles, "environments": suite.environments,
            })
        };
        return pretty(&all.iter().map(suite).collect());
    }
    let mut text = String::new();
    for suite in all {
        let _ = writeln!(text, "{}", suite.name);
        let lines = [
            ("", suite.about),
            ("tools", suite.tools.join(", ")),
            ("profiles", suite.profiles.join(", ")),
            ("environments", suite.environments.join(", ")),
        ];
        for (what, said) in lines.into_iter().filter(|(_, said)| !said.is_empty()) {
            let line = if what.is_empty() { format!("  {said}") } else { format!("  {what:<14}{said}") };
            let _ = writeln!(text, "{line}");
        }
    }
    Ok(text)
}

/// The profiles of a suite, and which tools know them.
pub(super) fn profiles(asked: &ListArgs) -> Result<String, Failure> {
    let parts = parts(&asked.suite, &open).map_err(wrong)?;
    if parts.is_empty() {
        return Err(nothing(&asked.suite));
    }
    let mut all = Vec::<(String, Vec<&str>)>::new();
    for (tool, node) in &parts {
        for name in names(node, "profiles") {
            match all.iter_mut().find(|(there, _)| *there == name) {
                Some((_, tools)) => tools.push(tool.command),
                None => all.push((name, vec![tool.command])),
            }
        }
    }
    if asked.format == ListFormat::Json {
        return pretty(&all.iter().map(|(name, tools)| json!({"name": name, "tools": tools})).collect());
    }
    let wide = all.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for (name, tools) in all {
        let _ = writeln!(text, "{name:<wide$}  {}", tools.join(", "));
    }
    Ok(text)
}

/// There is no such suite.
pub(super) fn nothing(given: &str) -> Failure {
    Failure::new(
        Exit::Usage,
        format!(
            "no suite {given}; expected a folder with api.toml, ws.toml, db.toml or grpc.toml, or the name of one in suites/ (aggregate suites lists them)"
        ),
    )
}

/// `value` for programs.
pub(super) fn pretty(value: &Json) -> Result<String, Failure> {
    serde_json::to_string_pretty(value)
        .map(|text| text + "\n")
        .map_err(|error| Failure::new(Exit::Internal, error.to_string()))
}
