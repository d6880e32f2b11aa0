//! Who is told? The results folder, the files that were asked for, GitHub Actions, the terminal.

use std::fs::OpenOptions;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use load_report::exit::Exit;
use load_report::render::{csv, escape, github, html, json, junit, markdown, text};
use load_report::store;
use load_report::summary::Summary;

use crate::Failure;

/// What a report is, by the extension of its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Html,
    Markdown,
    Json,
    Junit,
    Csv,
}

/// The kinds of the reports that were asked for.
///
/// # Errors
/// When an extension is none that is known.
pub(crate) fn kinds(paths: &[PathBuf]) -> Result<Vec<(PathBuf, Kind)>, Failure> {
    let kind = |path: &PathBuf| {
        let kind = match path.extension().and_then(|extension| extension.to_str()) {
            Some("html") => Kind::Html,
            Some("md") => Kind::Markdown,
            Some("json") => Kind::Json,
            Some("xml") => Kind::Junit,
            Some("csv") => Kind::Csv,
            _ => {
                let message = format!(
                    "--report {}: expected a file that ends in .html, .md, .json, .xml or .csv",
                    path.display()
                );
                return Err(Failure::new(Exit::Usage, message));
            }
        };
        Ok((path.clone(), kind))
    };
    paths.iter().map(kind).collect()
}

fn render(summary: &Summary, kind: Kind) -> Vec<u8> {
    match kind {
        Kind::Html => html::summary(summary).into_bytes(),
        Kind::Markdown => markdown::summary(summary).into_bytes(),
        Kind::Json => json::summary(summary).into_bytes(),
        Kind::Junit => junit::summary(summary).into_bytes(),
        Kind::Csv => csv::stats(summary.runs()),
    }
}

/// Writes the files of the results folder.
///
/// # Errors
/// When one of them cannot be written; the others are all the same.
pub(crate) fn write(folder: &Path, summary: &Summary) -> Result<(), Failure> {
    let own = [
        ("summary.json", Kind::Json),
        ("SUMMARY.md", Kind::Markdown),
        ("report.html", Kind::Html),
        ("junit.xml", Kind::Junit),
    ];
    said(&write_each(summary, &own.map(|(name, kind)| (folder.join(name), kind))))
}

/// Writes the reports asked for, and the step summary.
///
/// # Errors
/// When one of them cannot be written; the others are all the same.
pub(crate) fn write_besides(summary: &Summary, reports: &[(PathBuf, Kind)]) -> Result<(), Failure> {
    let mut failed = write_each(summary, reports);
    if let Some(path) = step_summary()
        && let Err(error) = append(&path, &github::step_summary(summary))
    {
        failed.push(format!("{}: {error}", path.display()));
    }
    said(&failed)
}

/// What could not be written, and why.
fn write_each(summary: &Summary, files: &[(PathBuf, Kind)]) -> Vec<String> {
    let written = files.iter().map(|(path, kind)| (path, store::atomically(path, &render(summary, *kind))));
    written.filter_map(|(path, result)| Some(format!("{}: {}", path.display(), result.err()?))).collect()
}

fn said(failed: &[String]) -> Result<(), Failure> {
    if failed.is_empty() { Ok(()) } else { Err(Failure::new(Exit::NotWritten, failed.join("; "))) }
}

fn on_github() -> bool {
    std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true")
}

/// The file that GitHub Actions shows as the summary of the step.
fn step_summary() -> Option<PathBuf> {
    let path = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty())?;
    on_github().then(|| path.into())
}

fn append(path: &Path, text: &str) -> io::Result<()> {
    OpenOptions::new().append(true).create(true).open(path)?.write_all(text.as_bytes())
}

/// Prints the summary, with annotations inside GitHub Actions; with `quiet` the verdict alone.
///
/// # Errors
/// When standard output cannot be written. A reader that went away is no error.
pub(crate) fn print(summary: &Summary, quiet: bool) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let colour = out.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let page = if quiet {
        let run_id = escape::terminal(&summary.run_id);
        format!("{}  run {run_id}; exit code {}\n", summary.verdict.label(), summary.exit.code())
    } else {
        text::summary(summary, colour)
    };
    let annotations = if on_github() { github::annotations(summary) } else { String::new() };
    match out.write_all((page + &annotations).as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::new(Exit::NotWritten, format!("standard output: {error}")))
        }
        _ => Ok(()),
    }
}
