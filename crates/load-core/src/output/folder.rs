//! Where do results go? One folder a run; nothing in it is ever overwritten.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use load_report::journal::MAGIC;
use load_report::model::{RunFile, Segment};
use load_report::render::{csv, hlog, html, json, junit, k6, locust, markdown};
use load_report::store::atomically;

use crate::error::{RunError, UsageError};
use crate::plan::Outs;

/// The folder of one run, as one component sees it.
pub(crate) struct Folder {
    path: PathBuf,
    /// `api`, or `api.0of3` for a segment.
    stem: String,
    journal: File,
    journal_failed: Option<io::Error>,
}

/// One path segment that no file system takes amiss.
fn check_name(what: &str, name: &str) -> Result<(), UsageError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if !(1..=64).contains(&name.len()) || !name.chars().all(plain) || name.starts_with('.') {
        return Err(UsageError::new(format!(
            "{what} {name:?}: expected 1 to 64 letters, digits, '.', '_' or '-', not beginning with '.'"
        )));
    }
    Ok(())
}

impl Folder {
    /// Makes the folder and reserves the component's place in it.
    ///
    /// # Errors
    /// A bad name, a place that is taken, or a folder that cannot be written.
    pub(crate) fn create(
        results: &Path,
        run_id: &str,
        component: &str,
        segment: Segment,
    ) -> Result<Self, RunError> {
        check_name("--run-id", run_id)?;
        check_name("--name", component)?;
        let stem = match segment {
            Segment::WHOLE => component.to_owned(),
            Segment { index, of } => format!("{component}.{index}of{of}"),
        };
        let path = results.join(run_id);
        let write = |path: &Path| {
            let path = path.to_owned();
            |source| RunError::Write { path, source }
        };
        fs::create_dir_all(&path).map_err(write(&path))?;
        let journal_path = path.join(format!("{stem}.journal"));
        let taken = [path.join(format!("{stem}_summary.json")), journal_path.clone()];
        if let Some(taken) = taken.iter().find(|path| path.exists()) {
            return Err(UsageError::new(format!(
                "{} exists: this component has already run under --run-id {run_id}; choose another --run-id or --name",
                taken.display()
            ))
            .into());
        }
        let mut journal =
            File::options().write(true).create_new(true).open(&journal_path).map_err(write(&journal_path))?;
        journal.write_all(MAGIC).map_err(write(&journal_path))?;
        Ok(Self { path, stem, journal, journal_failed: None })
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Appends one entry to the journal. A failure is told at the end: the run itself goes on.
    pub(crate) fn append(&mut self, entry: &[u8]) {
        if self.journal_failed.is_none()
            && let Err(error) = self.journal.write_all(entry)
        {
            tracing::warn!("the journal is incomplete from here on: {error}");
            self.journal_failed = Some(error);
        }
    }

    /// The run ended before it began: takes the empty journal away again, and the folder if nothing else is in it.
    pub(crate) fn discard(self) {
        // What cannot be removed does no harm.
        let _ = fs::remove_file(self.path.join(format!("{}.journal", self.stem)));
        let _ = fs::remove_dir(&self.path);
    }

    /// Writes the summary and everything that is rendered from it, and the reports that were asked for.
    ///
    /// # Errors
    /// The first file that could not be written; the others are written all the same.
    pub(crate) fn write(
        &self,
        run: &RunFile,
        log: &str,
        reports: &[PathBuf],
        outs: &Outs,
    ) -> Result<(), RunError> {
        let mut files = vec![
            (self.file("_summary.json"), json::run(run).into_bytes()),
            (self.file(".hlog"), hlog::run(run).into_bytes()),
            (self.file("_stats.csv"), csv::stats([run])),
            (self.file("_failures.csv"), csv::failures(run)),
            (self.file("_exceptions.csv"), csv::exceptions(run)),
            (self.file("_timeseries.csv"), csv::timeseries(run)),
            (self.file(".log"), log.as_bytes().to_vec()),
        ];
        files.extend(reports.iter().filter_map(|path| Some((path.clone(), report(path, run)?))));
        files.extend(besides(outs, run, log));
        let mut result = Ok(());
        for (path, bytes) in files {
            if let Err(source) = atomically(&path, &bytes) {
                result = result.and(Err(RunError::Write { path, source }));
            }
        }
        result
    }

    fn file(&self, rest: &str) -> PathBuf {
        self.path.join(format!("{}{rest}", self.stem))
    }

    /// Points `latest` beside the folder at it.
    ///
    /// # Errors
    /// When the link cannot be made.
    pub(crate) fn link_latest(&self) -> io::Result<()> {
        let (Some(parent), Some(name)) = (self.path.parent(), self.path.file_name()) else { return Ok(()) };
        let temporary = parent.join(format!(".latest.{}", std::process::id()));
        std::os::unix::fs::symlink(name, &temporary)?;
        fs::rename(&temporary, parent.join("latest"))
    }
}

/// The files that `outs` ask for at the end of a run.
fn besides(outs: &Outs, run: &RunFile, log: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    if let Some(path) = &outs.html {
        files.push((path.clone(), html::run(run).into_bytes()));
    }
    if let Some(path) = &outs.k6_summary {
        files.push((path.clone(), k6::summary(run).into_bytes()));
    }
    if let Some(prefix) = &outs.locust {
        let test_id = prefix.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let mut add = |rest: &str, bytes: Vec<u8>| {
            files.push((prefix.with_file_name(format!("{test_id}{rest}")), bytes));
        };
        add("_report.html", html::run(run).into_bytes());
        add("_results_stats.csv", csv::stats([run]));
        add("_results_stats_history.csv", csv::timeseries(run));
        add("_results_failures.csv", csv::failures(run));
        add("_exceptions.csv", csv::exceptions(run));
        add("_summary.json", locust::summary(run, &test_id, log).into_bytes());
        add(".log", log.as_bytes().to_vec());
    }
    files
}

/// The report that the extension of `path` asks for.
fn report(path: &Path, run: &RunFile) -> Option<Vec<u8>> {
    match path.extension()?.to_str()? {
        "html" => Some(html::run(run).into_bytes()),
        "md" => Some(markdown::run(run).into_bytes()),
        "json" => Some(json::run(run).into_bytes()),
        "xml" => Some(junit::run(run).into_bytes()),
        "csv" => Some(csv::stats([run])),
        _ => None,
    }
}

/// Checks that every report is of a kind that is known.
///
/// # Errors
/// The first one that is not.
pub(crate) fn check_reports(reports: &[PathBuf]) -> Result<(), UsageError> {
    let known = |path: &&PathBuf| {
        !matches!(path.extension().and_then(|e| e.to_str()), Some("html" | "md" | "json" | "xml" | "csv"))
    };
    match reports.iter().find(known) {
        Some(path) => Err(UsageError::new(format!(
            "--report {}: expected a file that ends in .html, .md, .json, .xml (JUnit) or .csv",
            path.display()
        ))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_leave_the_folder_are_refused() {
        for name in ["../x", "/abs", "a/b", "", ".hidden", "a\0b", &"x".repeat(65)] {
            assert!(check_name("--run-id", name).is_err(), "{name:?}");
        }
        assert!(check_name("--run-id", "20261121T025500Z").is_ok());
    }

    #[test]
    fn a_place_that_is_taken_is_refused_and_a_segment_has_its_own() {
        let results = tempfile::tempdir().unwrap();
        let create = |segment| Folder::create(results.path(), "one", "api", segment);
        create(Segment::WHOLE).unwrap();
        assert!(matches!(create(Segment::WHOLE), Err(RunError::Usage(_))));
        create(Segment { index: 1, of: 3 }).unwrap().discard();
        assert!(results.path().join("one/api.journal").exists());
    }
}
