//! Which files is a suite made of? A file, or a folder of them, on top of what it extends.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::node::{Node, SuiteError, Value};

use super::Read;

/// What all tools share, in a folder.
const SHARED: &str = "suite.toml";
/// Where suites are found by name.
const SUITES: &str = "suites";
/// Suites that build on each other, at most.
const DEPTH: usize = 8;

/// A suite, without the parts of the tools.
pub(super) struct Found {
    /// Its folder or file.
    pub(super) path: PathBuf,
    /// What all tools share; empty where that is nothing.
    pub(super) node: Node,
}

/// What the tools share of the suite that `given` names.
///
/// # Errors
/// As [`tree`] has.
pub(super) fn found(given: &str, read: Read<'_>) -> Result<Found, SuiteError> {
    let path = locate(given, Path::new(SUITES));
    let shared = path.join(SHARED);
    let node = if is_file(&path) {
        merged(&path, "", read, 0)?
    } else if read(&shared).is_ok() {
        merged(&shared, "", read, 0)?
    } else {
        Node::empty(&shared.display().to_string())
    };
    Ok(Found { path, node })
}

/// The suite `given` as something in the folder of a suite names it: a path is meant from there.
pub(super) fn beside(folder: &Path, given: &str) -> PathBuf {
    let located = locate(given, Path::new(SUITES));
    if is_path(given) { folder.join(located) } else { located }
}

/// The suite that `given` names, a path or a name, for `tool`: its own name, and its files merged.
///
/// # Errors
/// A file that is not there or no TOML, or suites that extend each other in a circle.
pub fn tree(given: &str, tool: &str, read: Read<'_>) -> Result<(String, Node), SuiteError> {
    let path = locate(given, Path::new(SUITES));
    let name = path.file_stem().map_or_else(|| given.to_owned(), |stem| stem.to_string_lossy().into_owned());
    Ok((name, merged(&path, tool, read, 0)?))
}

/// A name means a folder of `suites`, everything else is a path.
fn locate(given: &str, suites: &Path) -> PathBuf {
    if is_path(given) { PathBuf::from(given) } else { suites.join(given) }
}

fn is_path(given: &str) -> bool {
    given.contains('/') || given == "." || is_file(Path::new(given))
}

fn is_file(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "toml")
}

fn merged(path: &Path, tool: &str, read: Read<'_>, depth: usize) -> Result<Node, SuiteError> {
    let is_file = is_file(path);
    let files = if is_file {
        vec![path.to_owned()]
    } else {
        vec![path.join(SHARED), path.join(format!("{tool}.toml"))]
    };
    let mut whole: Option<Node> = None;
    for file in &files {
        let shown = file.display().to_string();
        let text = match read(file) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound && !is_file => continue,
            Err(error) => {
                return Err(SuiteError::new(format!(
                    "--suite: {shown}: {error}; expected a file, or a folder with {SHARED}"
                )));
            }
        };
        let node = Node::parse(&shown, &text)?;
        let node = extended(node, file, tool, read, depth)?;
        whole = Some(match whole {
            Some(below) => below.overlaid(node),
            None => node,
        });
    }
    whole.ok_or_else(|| {
        let shown = path.display();
        SuiteError::new(format!(
            "--suite: no suite at {shown}; expected a .toml file, or a folder with {SHARED} or {tool}.toml"
        ))
    })
}

/// `node` on top of the suite that it extends.
fn extended(node: Node, file: &Path, tool: &str, read: Read<'_>, depth: usize) -> Result<Node, SuiteError> {
    let Some(base) = node.get("extends") else { return Ok(node) };
    let Value::Text(base_name) = &base.value else {
        return Err(SuiteError::at(&base.place, "extends: expected the name or the path of a suite"));
    };
    if depth == DEPTH {
        return Err(SuiteError::at(
            &base.place,
            format!("extends: more than {DEPTH} suites build on each other; do they in a circle?"),
        ));
    }
    let folder = file.parent().unwrap_or_else(|| Path::new(""));
    let path = beside(folder, base_name);
    let mut below = merged(&path, tool, read, depth + 1).map_err(|error| {
        if error.place.is_some() { error } else { SuiteError::at(&base.place, error.message) }
    })?;
    if let Value::Table(keys) = &mut below.value {
        // They say what that suite is and what belongs to it.
        keys.retain(|(key, _)| key != "components" && key != "about");
    }
    Ok(below.overlaid(node))
}
