//! What is in the results folder? One judged run a component: segments merged, killed runs recovered.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use load_report::exit::Exit;
use load_report::figures::Record;
use load_report::merge::Merger;
use load_report::model::{RunFile, Segment, ThresholdReport};
use load_report::summary::Skipped;
use load_report::threshold::Threshold;
use load_report::{journal, read};
use rustix::fs::OFlags;

use crate::Failure;

/// No journal is larger, bytes: a day of eight workers takes a quarter of it.
const MAX_JOURNAL_BYTES: usize = 4 << 30;
/// No note on a skipped component is larger, bytes.
const MAX_SKIPPED_BYTES: usize = 64 << 10;

/// What a results folder holds.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    /// The run id of all components, or the folder's name when none ran.
    pub(crate) run_id: String,
    /// One judged run a component, in the order of their names.
    pub(crate) runs: Vec<RunFile>,
    /// Components that could not run, in the order of their names.
    pub(crate) skipped: Vec<Skipped>,
    /// What a reader should know.
    pub(crate) notes: Vec<String>,
    /// A file could not be read, and the rest is reported all the same.
    pub(crate) unreadable: bool,
}

/// A file that holds one segment of one component.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Summary(String),
    Journal(String),
}

/// The files of a folder, by what they hold.
#[derive(Debug, Default)]
struct Listing {
    parts: BTreeMap<String, BTreeMap<Segment, Part>>,
    skipped: BTreeMap<String, String>,
}

/// Reads the results folder `path`. With `keep_going`, files that cannot be read become notes.
///
/// # Errors
/// When it is no folder, has no results, or holds a file that cannot be read (unless `keep_going`).
pub(crate) fn folder(path: &Path, keep_going: bool) -> Result<Loaded, Failure> {
    let mut loader = Loader { path, keep_going, loaded: Loaded::default() };
    let listing = loader.list()?;
    if listing.parts.is_empty() && listing.skipped.is_empty() && !loader.loaded.unreadable {
        let message =
            format!("{}: no results; expected files named <component>_summary.json", path.display());
        return Err(Failure::new(Exit::NoData, message));
    }
    for (component, parts) in &listing.parts {
        let run = loader.component(component, parts);
        if let Some(run) = loader.or_note(run)? {
            loader.loaded.runs.push(run);
        }
    }
    for (component, file) in &listing.skipped {
        if listing.parts.contains_key(component) {
            loader.loaded.notes.push(format!("{file} is ignored, because {component} has results"));
            continue;
        }
        let skipped = loader.skipped(component, file);
        if let Some(skipped) = loader.or_note(skipped)? {
            loader.loaded.skipped.push(skipped);
        }
    }
    Ok(loader.finish())
}

/// Whether `folder` holds a file that [`folder()`] would read.
pub(crate) fn has_results(folder: &Path) -> bool {
    let mut listing = Listing::default();
    // A name that is not in order is told when the folder is read.
    fs::read_dir(folder).into_iter().flatten().flatten().any(|entry| {
        let added = printable(&entry.file_name()).map(|name| listing.add(&name));
        added.is_some_and(|added| added.is_err()) || !(listing.parts.is_empty() && listing.skipped.is_empty())
    })
}

/// The name of a folder, also of one that was named by a link.
pub(crate) fn name_of(folder: &Path) -> String {
    let whole = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    whole.file_name().and_then(printable).unwrap_or_default()
}

struct Loader<'a> {
    path: &'a Path,
    keep_going: bool,
    loaded: Loaded,
}

impl Loader<'_> {
    /// The value, or a note about the error when that is asked for.
    fn or_note<T>(&mut self, result: Result<T, String>) -> Result<Option<T>, Failure> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(message) if self.keep_going => {
                self.loaded.notes.push(format!("unreadable: {message}"));
                self.loaded.unreadable = true;
                Ok(None)
            }
            Err(message) => Err(Failure::new(Exit::Unreadable, message)),
        }
    }

    fn list(&mut self) -> Result<Listing, Failure> {
        let unreadable = |error: io::Error| {
            let message = format!("{}: {error}; expected a results folder", self.path.display());
            Failure::new(Exit::Unreadable, message)
        };
        let entries = fs::read_dir(self.path).map_err(unreadable)?;
        let names = entries
            .map(|entry| Ok(entry?.file_name()))
            .collect::<io::Result<Vec<_>>>()
            .map_err(unreadable)?;
        let mut names: Vec<String> =
            names.iter().filter_map(|name: &std::ffi::OsString| printable(name)).collect();
        // Messages, and sums of floating-point numbers, are then the same every time.
        names.sort();
        let mut listing = Listing::default();
        for name in names {
            let added = listing.add(&name);
            self.or_note(added)?;
        }
        Ok(listing)
    }

    fn component(&mut self, component: &str, parts: &BTreeMap<Segment, Part>) -> Result<RunFile, String> {
        let mut merger: Option<Merger> = None;
        let mut judged: Vec<ThresholdReport> = Vec::new();
        for (&segment, part) in parts {
            let record = self.record(component, segment, part).and_then(|(record, changes)| {
                judged = changes;
                let (Part::Summary(name) | Part::Journal(name)) = part;
                match &mut merger {
                    Some(merger) => merger.add(record),
                    None => Merger::new(record).map(|first| merger = Some(first)),
                }
                .map_err(|error| format!("{name}: {error}"))
            });
            match record {
                Err(message) if self.keep_going => {
                    self.loaded.notes.push(format!("unreadable: {message}"));
                    self.loaded.unreadable = true;
                }
                other => other?,
            }
        }
        let record = merger.ok_or_else(|| format!("{component}: none of its files can be read"))?.finish();
        let whole = record.header.segment == Segment::WHOLE && parts.len() == 1;
        let thresholds = thresholds(&record)?;
        let mut run = record.judge(&thresholds);
        if whole && !judged.is_empty() {
            restore(&mut run, &judged);
        }
        Ok(run)
    }

    /// What a file holds, and how its tool judged changes since a baseline.
    fn record(
        &mut self,
        component: &str,
        segment: Segment,
        part: &Part,
    ) -> Result<(Record, Vec<ThresholdReport>), String> {
        let mut changes = Vec::new();
        let (name, record) = match part {
            Part::Summary(name) => {
                let bytes = self.read(name, read::MAX_BYTES)?;
                let run = read::read_run(name, &bytes).map_err(|error| error.to_string())?;
                changes.extend(run.thresholds.iter().filter(|report| report.delta).cloned());
                (name, run.into_record())
            }
            Part::Journal(name) => {
                let bytes = self.read(name, MAX_JOURNAL_BYTES)?;
                let record = journal::recover(&bytes).map_err(|error| format!("{name}: {error}"))?;
                read::check_record(&record).map_err(|error| format!("{name}: {error}"))?;
                let how = if record.recovered { "it was killed and left" } else { "there is" };
                self.loaded.notes.push(format!("{component} is read from {name}: {how} no summary"));
                (name, record)
            }
        };
        let header = &record.header;
        if (header.component.as_str(), header.segment) != (component, segment) {
            let (says, part) = (&header.component, header.segment);
            return Err(format!("{name}: holds segment {part} of {says:?}; give it back its own name"));
        }
        let run_id = &mut self.loaded.run_id;
        if run_id.is_empty() {
            run_id.clone_from(&header.run_id);
        } else if *run_id != header.run_id {
            let other = &header.run_id;
            return Err(format!(
                "{name}: is of run {other:?}, the others are of {run_id:?}; one folder holds one run"
            ));
        }
        Ok((record, changes))
    }

    fn skipped(&self, component: &str, name: &str) -> Result<Skipped, String> {
        let bytes = self.read(name, MAX_SKIPPED_BYTES)?;
        let skipped: Skipped = serde_json::from_slice(&bytes)
            .map_err(|error| format!("{name}: {error}; expected {{\"component\": …, \"reason\": …}}"))?;
        if skipped.component != component {
            return Err(format!("{name}: is about {:?}; give it back its own name", skipped.component));
        }
        Ok(skipped)
    }

    /// The bytes of a file of the folder, at most `limit`; never through a link, never of a pipe.
    fn read(&self, name: &str, limit: usize) -> Result<Vec<u8>, String> {
        let read = || {
            let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
            let file =
                OpenOptions::new().read(true).custom_flags(flags.cast_signed()).open(self.path.join(name))?;
            let metadata = file.metadata()?;
            if !metadata.is_file() {
                return Err(io::Error::other("expected a regular file"));
            }
            if metadata.len() > limit as u64 {
                return Err(io::Error::other(format!("{} bytes, expected at most {limit}", metadata.len())));
            }
            let mut bytes = Vec::with_capacity(metadata.len() as usize);
            file.take(limit as u64).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        read().map_err(|error| match rustix::io::Errno::from_io_error(&error) {
            Some(rustix::io::Errno::LOOP) => format!("{name}: is a symbolic link; expected the file itself"),
            _ => format!("{name}: {error}"),
        })
    }

    fn finish(mut self) -> Loaded {
        if self.loaded.run_id.is_empty() {
            self.loaded.run_id = name_of(self.path);
        }
        self.loaded
    }
}

/// Without a baseline here, what the tool said of changes since its own stands.
fn restore(run: &mut RunFile, judged: &[ThresholdReport]) {
    for report in run.thresholds.iter_mut().filter(|report| report.delta) {
        if let Some(said) = judged.iter().find(|said| said.expression == report.expression) {
            report.clone_from(said);
        }
    }
    run.settle();
}

fn printable(name: &OsStr) -> Option<String> {
    name.to_str().map(str::to_owned)
}

/// The thresholds that the plan of `record` sets.
pub(crate) fn thresholds(record: &Record) -> Result<Vec<Threshold>, String> {
    let header = &record.header;
    let read = |text: &String| {
        text.parse()
            .map_err(|error| format!("{}: a threshold of its plan cannot be read: {error}", header.component))
    };
    header.plan.thresholds.iter().map(read).collect()
}

impl Listing {
    /// Notes the file `name`, unless it is none of ours.
    fn add(&mut self, name: &str) -> Result<(), String> {
        if let Some(stem) = name.strip_suffix(".skipped.json") {
            self.skipped.insert(component(name, stem)?, name.to_owned());
        } else if let Some(stem) = name.strip_suffix("_summary.json") {
            let (component, segment) = stem_of(name, stem)?;
            let parts = self.parts.entry(component).or_default();
            if let Some(Part::Summary(other)) = parts.insert(segment, Part::Summary(name.to_owned())) {
                return Err(format!("{other} and {name} hold the same segment {segment}; remove one"));
            }
        } else if let Some(stem) = name.strip_suffix(".journal") {
            let (component, segment) = stem_of(name, stem)?;
            // What a summary holds is more than its journal does.
            self.parts.entry(component).or_default().entry(segment).or_insert(Part::Journal(name.to_owned()));
        }
        Ok(())
    }
}

/// Component and segment of a file name: `api` is the whole, `api.0of3` a segment.
fn stem_of(name: &str, stem: &str) -> Result<(String, Segment), String> {
    let part = stem.rsplit_once('.').and_then(|(component, part)| Some((component, segment(part)?)));
    let (stem, segment) = part.unwrap_or((stem, Segment::WHOLE));
    Ok((component(name, stem)?, segment))
}

fn segment(text: &str) -> Option<Segment> {
    let (index, of) = text.split_once("of")?;
    let number =
        |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<u32>().ok()).flatten();
    Some(Segment { index: number(index)?, of: number(of)? })
}

/// `stem` as the name of a component: `[A-Za-z0-9._-]{1,64}`.
fn component(name: &str, stem: &str) -> Result<String, String> {
    let fits = |c: u8| c.is_ascii_alphanumeric() || b"._-".contains(&c);
    if (1..=64).contains(&stem.len()) && stem.bytes().all(fits) {
        return Ok(stem.to_owned());
    }
    Err(format!(
        "{name:?}: not the name of a component; expected 1 to 64 of the characters A-Z a-z 0-9 . _ -"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_component_and_segment() {
        let of = |stem| stem_of("x", stem).unwrap();
        assert_eq!(of("db-redis"), ("db-redis".into(), Segment::WHOLE));
        assert_eq!(of("api.v2.11of12"), ("api.v2".into(), Segment { index: 11, of: 12 }));
        assert_eq!(of("api.of3"), ("api.of3".into(), Segment::WHOLE));
        for bad in ["", "a b", "ä", "a/b", &"x".repeat(65), ".0of3"] {
            assert!(stem_of("x", bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_summary_takes_the_place_of_its_journal() {
        let mut listing = Listing::default();
        for name in
            ["api.journal", "api_summary.json", "ws.journal", "api_stats.csv", "SUMMARY.md", "summary.json"]
        {
            listing.add(name).unwrap();
        }
        assert_eq!(listing.parts["api"][&Segment::WHOLE], Part::Summary("api_summary.json".into()));
        assert_eq!(listing.parts["ws"][&Segment::WHOLE], Part::Journal("ws.journal".into()));
        assert_eq!(listing.parts.len(), 2);
        assert!(listing.add("api.0of1_summary.json").unwrap_err().contains("the same segment 0/1"));
    }
}
