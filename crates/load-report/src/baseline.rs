//! Where is a baseline? A results folder, a run file, or a name under which a run was kept.
//!
//! Beside [`crate::store`] the one module here that touches the disk: generators and `aggregate` both need it.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::compare::unfit;
use crate::model::RunFile;
use crate::read::{MAX_BYTES, read_run};

/// The folder of all baselines, in the folder of the results folders.
pub const FOLDER: &str = "baselines";

/// Whether `name` is one that a baseline may have: one path segment that no file system takes amiss.
///
/// # Errors
/// What is expected.
pub fn check_name(name: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if (1..=64).contains(&name.len()) && name.chars().all(plain) && !name.starts_with('.') {
        return Ok(());
    }
    Err(format!("{name:?}: expected 1 to 64 letters, digits, '.', '_' or '-', not beginning with '.'"))
}

/// The baselines that are kept in the folder of the results folders `results`, in the order of their names.
pub fn names(results: &Path) -> Vec<String> {
    let entries = fs::read_dir(results.join(FOLDER)).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter(|entry| entry.path().is_dir())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| check_name(name).is_ok())
        .collect();
    names.sort();
    names
}

/// What `given` means: a folder or file that is there, or else the name of a baseline in `results`.
///
/// # Errors
/// In a line, what was looked for and which baselines there are.
pub fn locate(results: &Path, given: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(given);
    if path.exists() {
        return Ok(path);
    }
    let kept = results.join(FOLDER).join(given);
    if check_name(given).is_ok() && kept.is_dir() {
        return Ok(kept);
    }
    let known = names(results);
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    Err(format!(
        "{given}: no such results folder or run file, and no baseline in {}: there are {known}",
        results.join(FOLDER).display()
    ))
}

/// The run of `component` that is to be compared with.
///
/// # Errors
/// In a line: it is not there, cannot be read, or proves nothing.
pub fn of_component(results: &Path, given: &str, component: &str) -> Result<RunFile, String> {
    let path = locate(results, given)?;
    let file = if path.is_dir() { path.join(format!("{component}_summary.json")) } else { path };
    let name = file.display().to_string();
    let bytes = read(&file).map_err(|error| {
        format!("{name}: {error}; of segments or profiles, `aggregate baseline save` makes a baseline")
    })?;
    let run = read_run(&name, &bytes).map_err(|error| error.to_string())?;
    if run.header.component != component {
        return Err(format!("{name}: is of component {:?}, expected {component}", run.header.component));
    }
    match unfit(&run) {
        Some(why) => Err(format!("{name}: {component} {why}, so it is no baseline")),
        None => Ok(run),
    }
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // One byte more than is allowed, so that the reader says so.
    File::open(path)?.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
