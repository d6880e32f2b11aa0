//! Which runs are kept to be compared with? Folders of run files in `baselines` of the results, by name.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use load_report::baseline::{FOLDER, check_name, names};
use load_report::compare::unfit;
use load_report::exit::Exit;
use load_report::model::RunFile;
use load_report::render::units::{number, offered, percent, percentiles};
use load_report::render::{escape, json};
use load_report::store::atomically;
use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::Failure;
use crate::args::Baselines;
use crate::compare::{Run, read};
use crate::suite::print;

/// Keeps, lists or shows baselines.
///
/// # Errors
/// A name that is taken or none, a run that is no baseline, or what cannot be read or written.
pub(crate) fn run(command: &Baselines) -> Result<Exit, Failure> {
    match command {
        Baselines::Save { name, run, replace, results } => save(name, run, *replace, results)?,
        Baselines::List { results } => list(results)?,
        Baselines::Show { name, results } => show(name, results)?,
    }
    Ok(Exit::Pass)
}

fn save(name: &str, run: &Path, replace: bool, results: &Path) -> Result<(), Failure> {
    check_name(name).map_err(|message| Failure::new(Exit::Usage, format!("baseline {message}")))?;
    let (all, given) = (results.join(FOLDER), run.display().to_string());
    let place = all.join(name);
    let taken = || {
        let message =
            format!("{}: there is a baseline of that name; --replace takes its place", place.display());
        Failure::new(Exit::Usage, message)
    };
    if place.exists() && !replace {
        return Err(taken());
    }
    if !run.is_dir() {
        return Err(Failure::new(Exit::Unreadable, format!("{given}: expected the results folder of a run")));
    }
    let kept = read(results, &given)?;
    if let Some((component, why)) = kept.components.iter().find_map(|(name, run)| Some((name, unfit(run)?))) {
        let message = format!("{given}: {component} {why}, so it is no baseline");
        return Err(Failure::new(Exit::Unreadable, message));
    }
    let not_written =
        |error: io::Error| Failure::new(Exit::NotWritten, format!("{}: {error}", place.display()));
    fs::create_dir_all(&all).map_err(not_written)?;
    let temporary = all.join(format!(".{name}.{}.tmp", std::process::id()));
    let written = write(&temporary, &kept).and_then(|()| put(&temporary, &place, replace));
    if written.is_err() || temporary.exists() {
        // What is left in it is incomplete, or the baseline that was replaced.
        let _ = fs::remove_dir_all(&temporary);
    }
    match written {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(taken()),
        Err(error) => Err(not_written(error)),
        Ok(()) => print(&format!("{}: {}\n", place.display(), components(&kept))),
    }
}

fn write(folder: &Path, kept: &Run) -> io::Result<()> {
    fs::create_dir(folder)?;
    for (key, run) in &kept.components {
        let profile = key.rsplit_once('/').map_or_else(PathBuf::new, |(profile, _)| profile.into());
        let folder = folder.join(profile);
        fs::create_dir_all(&folder)?;
        let file = folder.join(format!("{}_summary.json", run.header.component));
        atomically(&file, json::run(run).as_bytes())?;
    }
    Ok(())
}

/// Gives the whole folder its name at once: never over another one, unless it is exchanged for that.
fn put(temporary: &Path, place: &Path, replace: bool) -> io::Result<()> {
    let first = renameat_with(CWD, temporary, CWD, place, RenameFlags::NOREPLACE);
    match first {
        Err(rustix::io::Errno::EXIST) if replace => {
            renameat_with(CWD, temporary, CWD, place, RenameFlags::EXCHANGE)?;
        }
        other => other?,
    }
    File::open(place.parent().unwrap_or(Path::new(".")))?.sync_all()
}

fn components(kept: &Run) -> String {
    let names: Vec<&str> = kept.components.keys().map(String::as_str).collect();
    let run = kept.components.values().next().map_or("", |run| run.header.run_id.as_str());
    escape::terminal(&format!("run {run}, {}", names.join(", ")))
}

fn list(results: &Path) -> Result<(), Failure> {
    let line = |name: String| Ok(format!("{name}: {}\n", components(&read_kept(results, &name)?)));
    let mut out = names(results).into_iter().map(line).collect::<Result<String, Failure>>()?;
    if out.is_empty() {
        out = format!("no baselines in {}\n", results.join(FOLDER).display());
    }
    print(&out)
}

fn read_kept(results: &Path, name: &str) -> Result<Run, Failure> {
    check_name(name).map_err(|message| Failure::new(Exit::Usage, format!("baseline {message}")))?;
    let place = results.join(FOLDER).join(name);
    if !place.is_dir() {
        let known = names(results).join(", ");
        let message = format!("{}: no such baseline; there are: {known}", place.display());
        return Err(Failure::new(Exit::Unreadable, message));
    }
    read(results, &place.display().to_string())
}

fn show(name: &str, results: &Path) -> Result<(), Failure> {
    let kept = read_kept(results, name)?;
    let mut out = String::new();
    for (component, run) in &kept.components {
        out.push_str(&escape::terminal(&line(component, run)));
        out.push('\n');
    }
    print(&out)
}

fn line(component: &str, run: &RunFile) -> String {
    let totals = &run.totals;
    let [p50, _, p95, p99, ..] = percentiles(totals.response_ms.as_ref());
    format!(
        "{component}: {}, run {} of {}, {} for {} s against {}: {}/s, errors {}, response p50 {p50} p95 {p95} p99 {p99} ms",
        run.verdict.label(),
        run.header.run_id,
        run.header.started_at,
        offered(run),
        number(run.header.plan.duration_s),
        run.header.plan.target,
        number(totals.rate_per_s),
        percent(totals.error_rate),
    )
}
