//! Is a run worse than its baseline? Reads both, and says what has changed.

use std::collections::BTreeMap;
use std::path::Path;

use load_report::baseline::locate;
use load_report::compare::{Comparison, Rules, Side, compare};
use load_report::exit::Exit;
use load_report::model::RunFile;
use load_report::read;
use load_report::render::{compare as page, json};
use load_report::summary::Summary;
use load_report::verdict::Verdict;

use crate::args::{Against, CompareArgs, CompareFormat};
use crate::suite::print;
use crate::{Failure, load, profiles};

/// One run: its components by name, those of several profiles as `profile/component`.
#[derive(Debug)]
pub(crate) struct Run {
    name: String,
    pub(crate) components: BTreeMap<String, RunFile>,
}

/// Of a note on regressions, so many figures are named.
const MOST_NAMED: usize = 10;

/// Prints the comparison that was asked for.
///
/// # Errors
/// Results that cannot be read, or are not alike.
pub(crate) fn run(asked: &CompareArgs) -> Result<Exit, Failure> {
    let read = |given: &String| read(&asked.results, given);
    let baseline = std::iter::once(&asked.baseline).chain(&asked.more).map(read);
    let baseline = baseline.collect::<Result<Vec<_>, _>>()?;
    let current = asked.current.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let comparison = judged(&baseline, &current, asked.against)?;
    print(&match asked.format {
        CompareFormat::Text => page::text(&comparison),
        CompareFormat::Json => json::comparison(&comparison),
        CompareFormat::Md => page::page(&comparison, 2),
    })?;
    Ok(comparison.exit)
}

fn judged(baseline: &[Run], current: &[Run], against: Against) -> Result<Comparison, Failure> {
    let rules = Rules {
        noise: against.noise,
        error_noise: against.error_noise,
        level: against.level,
        allow_different: against.allow_different,
    };
    let (baseline, current): (Vec<_>, Vec<_>) =
        (baseline.iter().map(Run::side).collect(), current.iter().map(Run::side).collect());
    compare(&baseline, &current, rules).map_err(|unlike| Failure::new(Exit::Unreadable, unlike.to_string()))
}

/// Reads what `given` means: a results folder, a run file, or the name of a baseline in `results`.
///
/// # Errors
/// There is no such thing, or it cannot be read.
pub(crate) fn read(results: &Path, given: &str) -> Result<Run, Failure> {
    let path = locate(results, given).map_err(|message| Failure::new(Exit::Unreadable, message))?;
    let name = given.to_owned();
    if path.is_dir() {
        return Ok(Run { name, components: of_folder(&path)? });
    }
    let unreadable = |message: String| Failure::new(Exit::Unreadable, message);
    let bytes = std::fs::read(&path).map_err(|error| unreadable(format!("{given}: {error}")))?;
    let run = read::read_run(given, &bytes).map_err(|error| unreadable(error.to_string()))?;
    Ok(Run { name, components: BTreeMap::from([(run.header.component.clone(), run)]) })
}

fn of_folder(path: &Path) -> Result<BTreeMap<String, RunFile>, Failure> {
    let mut components = BTreeMap::new();
    let profiles = profiles::of(path);
    if profiles.is_empty() {
        let runs = runs(path)?;
        components.extend(runs.into_iter().map(|run| (run.header.component.clone(), run)));
    }
    for profile in profiles {
        let runs = runs(&path.join(&profile))?;
        components.extend(runs.into_iter().map(|run| (format!("{profile}/{}", run.header.component), run)));
    }
    if components.is_empty() {
        let message = format!("{}: no component has results, all were skipped", path.display());
        return Err(Failure::new(Exit::NoData, message));
    }
    Ok(components)
}

/// The runs of a folder; of several, errors say which it is.
fn runs(path: &Path) -> Result<Vec<RunFile>, Failure> {
    let named = |failure: Failure| {
        let place = path.display().to_string();
        let message = failure.message;
        Failure::new(
            failure.exit,
            if message.starts_with(&place) { message } else { format!("{place}: {message}") },
        )
    };
    Ok(load::folder(path, false).map_err(named)?.runs)
}

/// Compares the judged `summary` with `baseline`, and lets its verdict and exit code say so.
pub(crate) fn add(summary: &mut Summary, baseline: Run, against: Against) {
    let components = summary.runs().map(|run| (run.header.component.clone(), run.clone())).collect();
    let current = Run { name: summary.run_id.clone(), components };
    match judged(&[baseline], &[current], against) {
        Ok(comparison) => {
            let worse = page::worse(&comparison);
            let more = worse.len().saturating_sub(MOST_NAMED);
            summary.notes.extend(
                worse.into_iter().take(MOST_NAMED).map(|what| format!("worse than the baseline: {what}")),
            );
            if more > 0 {
                summary.notes.push(format!("worse than the baseline: {more} figures more"));
            }
            if comparison.exit == Exit::NoData {
                let why = comparison.rows().find_map(|(name, row)| Some((name, row.note.as_ref()?)));
                let why = why.map_or_else(String::new, |(name, note)| format!(": {name}: {note}"));
                summary.notes.push(format!("the comparison with the baseline is not judged{why}"));
            }
            lower(summary, comparison.exit);
            summary.comparison = Some(comparison);
        }
        // The results are told all the same: they may have taken hours.
        Err(Failure { exit, message }) => {
            summary.notes.push(format!("not compared with the baseline: {message}"));
            lower(summary, exit);
        }
    }
}

/// Lets what would have passed not pass where `exit` says that the comparison did not.
fn lower(summary: &mut Summary, exit: Exit) {
    if exit != Exit::Pass && matches!(summary.verdict, Verdict::Pass | Verdict::Warn) {
        summary.verdict = match exit {
            Exit::Regression => Verdict::Fail,
            Exit::Invalid => Verdict::Invalid,
            _ => Verdict::NoData,
        };
    }
    summary.exit = Exit::first_of([summary.exit, exit]);
}

impl Run {
    fn side(&self) -> Side<'_> {
        let runs = self.components.iter().map(|(name, run)| (name.clone(), run)).collect();
        Side { name: self.name.clone(), runs }
    }

    /// The components of `profile`, or those of a run without profiles, by their own names.
    pub(crate) fn of_profile<'a>(&'a self, profile: Option<&str>) -> BTreeMap<&'a str, &'a RunFile> {
        let prefix = profile.map_or_else(String::new, |profile| format!("{profile}/"));
        let own = self.components.iter().filter_map(|(name, run)| Some((name.strip_prefix(&prefix)?, run)));
        own.collect()
    }
}
