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
    let located = locate(base_name, Path::new(SUITES));
    // A path is meant from where it is written.
    let path = if is_path(base_name) { folder.join(located) } else { located };
    let below = merged(&path, tool, read, depth + 1).map_err(|error| {
        if error.place.is_some() { error } else { SuiteError::at(&base.place, error.message) }
    })?;
    Ok(below.overlaid(node))
}
