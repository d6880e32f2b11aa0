//! What did several profiles do together? A run whose folder holds one results folder a profile has one verdict, too.

use std::path::Path;

use load_report::exit::Exit;
use load_report::summary::{SUMMARY_SCHEMA, Summary};
use load_report::verdict::Verdict;

use crate::load;

/// The profiles of the run in `folder`: the folders in it that hold results, unless it has results of its own.
pub(crate) fn of(folder: &Path) -> Vec<String> {
    if load::has_results(folder) {
        return Vec::new();
    }
    // What cannot be read is told by those who read it next.
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter(|entry| load::has_results(&entry.path())).map(|entry| entry.file_name());
    let mut names: Vec<String> = names.filter_map(|name| name.into_string().ok()).collect();
    names.sort();
    names
}

/// One summary of all `profiles`: components and targets are named `profile/name`, the worst verdict holds.
pub(crate) fn combine(run_id: String, profiles: Vec<(String, Summary)>) -> Summary {
    let exit = Exit::first_of(profiles.iter().map(|(_, summary)| summary.exit));
    let worst = [Verdict::Invalid, Verdict::NoData, Verdict::Fail, Verdict::Warn];
    let said = |verdict: &Verdict| profiles.iter().any(|(_, summary)| summary.verdict == *verdict);
    let verdict = worst.into_iter().find(said).unwrap_or(Verdict::Pass);
    let mut whole = Summary {
        schema: SUMMARY_SCHEMA.to_owned(),
        run_id,
        verdict,
        exit,
        components: Vec::new(),
        targets: Vec::new(),
        skipped: Vec::new(),
        notes: Vec::new(),
        comparison: None,
    };
    for (profile, summary) in profiles {
        let qualified = |name: &str| format!("{profile}/{name}");
        whole.notes.push(format!(
            "profile {profile}: {}, exit code {}",
            summary.verdict.label(),
            summary.exit.code()
        ));
        whole.notes.extend(summary.notes.iter().map(|note| format!("profile {profile}: {note}")));
        whole.components.extend(summary.components.into_iter().map(|mut component| {
            component.0.header.component = qualified(&component.0.header.component);
            component
        }));
        whole.targets.extend(summary.targets.into_iter().map(|mut target| {
            target.name = qualified(&target.name);
            target
        }));
        whole.skipped.extend(summary.skipped.into_iter().map(|mut skipped| {
            skipped.component = qualified(&skipped.component);
            skipped
        }));
    }
    whole
}
