//! What has to run for `--suite NAME --profile P`? The components of a system, each with its command line.

use std::path::{Component as Piece, Path, PathBuf};

use crate::nearest::nearest;
use crate::node::{Node, SuiteError, Value};

use super::Read;
use super::component::{Component, Load, Tool};
use super::files::{Found, beside, found, tree};
use crate::fields::Fields;

/// Which of a system's loads is asked for.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The profile of the system.
    pub profile: String,
    /// The environment; the first one otherwise.
    pub environment: Option<String>,
    /// Values for `{{name}}`, written as NAME=VALUE.
    pub vars: Vec<String>,
    /// All times by this.
    pub scale_time: f64,
    /// All users by this.
    pub scale_users: f64,
}

/// A component that takes part.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Jobs of one turn run together; a higher one waits for all of the lower ones.
    pub turn: usize,
    /// The component's name.
    pub component: String,
    /// What runs.
    pub tool: Tool,
    /// Its command line, after the tool's name.
    pub flags: Vec<String>,
}

/// The tools that have a part in the suite `given`, each with its files merged.
///
/// # Errors
/// A file that is no TOML.
pub fn parts(given: &str, read: Read<'_>) -> Result<Vec<(Tool, Node)>, SuiteError> {
    let Found { path, .. } = found(given, read)?;
    let mut all = Vec::new();
    for tool in Tool::ALL {
        if read(&path.join(format!("{}.toml", tool.part))).is_err() {
            continue;
        }
        let (_, node) = tree(given, tool.part, read)?;
        if tool.reads(&node) {
            all.push((tool, node));
        }
    }
    Ok(all)
}

/// The names in the table `key` of a suite: of its profiles, of its environments; other names included.
pub fn names(node: &Node, key: &str) -> Vec<String> {
    match node.get(key).map(|node| &node.value) {
        Some(Value::Table(entries)) => entries.iter().map(|(name, _)| name.clone()).collect(),
        _ => Vec::new(),
    }
}

/// The components of the suite `given`: those that it names, or one for each of its parts.
///
/// # Errors
/// What is wrong in `[components]`.
pub fn components(given: &str, read: Read<'_>) -> Result<Vec<Component>, SuiteError> {
    let Found { node, .. } = found(given, read)?;
    let named = match node.get("components") {
        Some(_) => Component::read_all(&mut Fields::of(node, "a suite")?)?,
        None => Vec::new(),
    };
    if !named.is_empty() {
        return Ok(named);
    }
    let own = |(tool, node): (Tool, Node)| Component {
        name: tool.kind.to_owned(),
        place: node.place,
        tool,
        suite: None,
        flags: Vec::new(),
        after: Vec::new(),
        loads: Vec::new(),
    };
    Ok(parts(given, read)?.into_iter().map(own).collect())
}

/// What runs, in its order.
///
/// # Errors
/// No component knows the profile, components wait for each other, or a suite cannot be read.
pub fn plan(given: &str, asked: &Asked, read: Read<'_>) -> Result<Vec<Job>, SuiteError> {
    let Found { path, .. } = found(given, read)?;
    let components = components(given, read)?;
    let turns = turns(&components)?;
    let (mut jobs, mut known) = (Vec::new(), Vec::<String>::new());
    for (component, turn) in components.into_iter().zip(turns) {
        let suite = match &component.suite {
            Some(other) => plain(&beside(&path, other)),
            None => given.to_owned(),
        };
        // What loads by flags alone needs no suite.
        let alone = |(_, load): &(String, Load)| matches!(load, Load::Own(_));
        let there = if !component.loads.is_empty() && component.loads.iter().all(alone) {
            Vec::new()
        } else {
            names(&tree(&suite, component.tool.part, read)?.1, "profiles")
        };
        let load = if component.loads.is_empty() {
            known.extend(there.iter().cloned());
            there.contains(&asked.profile).then(|| Load::Named(asked.profile.clone()))
        } else {
            known.extend(component.loads.iter().map(|(name, _)| name.clone()));
            component.loads.into_iter().find(|(name, _)| *name == asked.profile).map(|(_, load)| load)
        };
        let mut flags = match load {
            None => continue,
            Some(Load::Own(profile)) => {
                let mut flags = profile.scaled(asked.scale_time, asked.scale_users).flags();
                if is_factor(asked.scale_time) || is_factor(asked.scale_users) {
                    let factors = format!("{},{}", asked.scale_time, asked.scale_users);
                    flags.extend(["--rehearsal".to_owned(), factors]);
                }
                flags
            }
            Some(Load::Named(name)) if there.contains(&name) => of_suite(suite, name, asked),
            Some(Load::Named(name)) => {
                let message = format!(
                    "the suite {suite} of {} has no profile {name}; known are {}",
                    component.name,
                    there.join(", ")
                );
                return Err(SuiteError::at(&component.place, message));
            }
        };
        flags.extend(component.flags);
        flags.extend(["--name".to_owned(), component.name.clone()]);
        jobs.push(Job { turn, component: component.name, tool: component.tool, flags });
    }
    if jobs.is_empty() {
        known.sort();
        known.dedup();
        let hint = match nearest(&asked.profile, known.iter().map(String::as_str)) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("known are {}", known.join(", ")),
        };
        return Err(SuiteError::new(format!(
            "no component of {given} has a profile {}; {hint}",
            asked.profile
        )));
    }
    jobs.sort_by_key(|job| job.turn);
    Ok(jobs)
}

/// Whether it changes something: one alone would say that it is a rehearsal.
fn is_factor(factor: f64) -> bool {
    factor.to_bits() != 1.0_f64.to_bits()
}

fn of_suite(suite: String, profile: String, asked: &Asked) -> Vec<String> {
    let mut flags = vec!["--suite".to_owned(), suite, "--profile".to_owned(), profile];
    if let Some(environment) = &asked.environment {
        flags.extend(["--environment".to_owned(), environment.clone()]);
    }
    for var in &asked.vars {
        flags.extend(["--var".to_owned(), var.clone()]);
    }
    for (flag, factor) in [("--scale-time", asked.scale_time), ("--scale-users", asked.scale_users)] {
        if is_factor(factor) {
            flags.extend([flag.to_owned(), factor.to_string()]);
        }
    }
    flags
}

/// In which turn each of them runs: after all that it waits for.
fn turns(components: &[Component]) -> Result<Vec<usize>, SuiteError> {
    let at = |name: &String| components.iter().position(|component| component.name == *name);
    let mut turns = vec![0; components.len()];
    for _ in 0..=components.len() {
        let before = turns.clone();
        for (own, component) in components.iter().enumerate() {
            let waits = component.after.iter().filter_map(at).filter_map(|other| turns.get(other));
            let turn = waits.map(|turn| turn + 1).max().unwrap_or(0);
            if let Some(own) = turns.get_mut(own) {
                *own = turn;
            }
        }
        if turns == before {
            return Ok(turns);
        }
    }
    let message = "after: the components wait for each other in a circle";
    Err(components
        .first()
        .map_or_else(|| SuiteError::new(message), |first| SuiteError::at(&first.place, message)))
}

/// `path` without the `..` that can be left out.
fn plain(path: &Path) -> String {
    let mut plain = PathBuf::new();
    for piece in path.components() {
        let named = matches!(plain.components().next_back(), Some(Piece::Normal(_)));
        if piece == Piece::ParentDir && named {
            plain.pop();
        } else {
            plain.push(piece);
        }
    }
    plain.display().to_string()
}
