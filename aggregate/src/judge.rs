//! Was the whole good? Targets that span components, and one verdict over all.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use load_report::exit::Exit;
use load_report::model::{RunFile, ThresholdOutcome, ThresholdReport};
use load_report::render::units::rehearsal;
use load_report::summary::{Component, SUMMARY_SCHEMA, Summary, TargetReport};
use load_report::threshold::{Level, Scope, Threshold, evaluate};
use load_report::verdict::Verdict;
use serde::Deserialize;
use toml::Spanned;

use crate::Failure;
use crate::load::Loaded;

/// A promise about the components together.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    name: String,
    description: Option<String>,
    threshold: Threshold,
}

/// The targets file: a list of `[[target]]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    target: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: Spanned<String>,
    expr: Spanned<String>,
    level: Option<Word>,
    description: Option<String>,
}

/// The level of a target.
#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Word {
    Fail,
    Warn,
}

/// Reads the targets file.
///
/// # Errors
/// With file and line, when it cannot be read, is no TOML, has an unknown key, or an expression is wrong.
pub(crate) fn read_targets(path: &Path) -> Result<Vec<Target>, Failure> {
    let failure = |message: String| Failure::new(Exit::Usage, format!("{}{message}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| failure(format!(": {error}")))?;
    parse_targets(&text).map_err(|(line, message)| failure(format!(":{line}: {message}")))
}

/// The targets in `text`; errors come with their line, counted from 1.
fn parse_targets(text: &str) -> Result<Vec<Target>, (usize, String)> {
    let line = |at: Range<usize>| text.bytes().take(at.start).filter(|&b| b == b'\n').count() + 1;
    let file: File = toml::from_str(text)
        .map_err(|error| (error.span().map_or(1, line), error.message().trim().replace('\n', ", ")))?;
    let mut targets: Vec<Target> = Vec::new();
    for entry in file.target {
        let (name_at, expr_at) = (line(entry.name.span()), line(entry.expr.span()));
        let name = entry.name.into_inner();
        if name.trim().is_empty() {
            return Err((name_at, "a target needs a name".to_owned()));
        }
        if targets.iter().any(|target| target.name == name) {
            return Err((name_at, format!("a second target is called {name:?}")));
        }
        let threshold = threshold(entry.expr.get_ref(), entry.level).map_err(|message| (expr_at, message))?;
        targets.push(Target { name, description: entry.description, threshold });
    }
    Ok(targets)
}

fn threshold(expression: &str, level: Option<Word>) -> Result<Threshold, String> {
    let parse = |text: &str| text.parse::<Threshold>().map_err(|error| error.to_string());
    let threshold = parse(expression)?;
    match (threshold.level(), level) {
        (Level::Warn, Some(Word::Fail)) => {
            Err("level is \"fail\", but the expression begins with `warn`".to_owned())
        }
        (Level::Fail, Some(Word::Warn)) => parse(&format!("warn {expression}")),
        _ => Ok(threshold),
    }
}

/// Refuses targets that speak of changes (`delta(...)`) where there is no baseline.
pub(crate) fn need_baseline(targets: &[Target], there_is_one: bool) -> Result<(), Failure> {
    match targets.iter().find(|target| target.threshold.needs_baseline()).filter(|_| !there_is_one) {
        Some(Target { name, threshold, .. }) => {
            Err(Failure::new(Exit::Usage, format!("target {name:?}: `{threshold}` needs --baseline")))
        }
        None => Ok(()),
    }
}

/// Earlier runs, by component.
type Baseline<'a> = BTreeMap<&'a str, &'a RunFile>;

/// Judges all components together. With `require_all`, a component that was skipped is a failure.
pub(crate) fn judge(
    loaded: Loaded,
    targets: &[Target],
    require_all: bool,
    baseline: Option<&Baseline<'_>>,
) -> Summary {
    let Loaded { run_id, mut runs, skipped, mut notes, unreadable } = loaded;
    let names: Vec<String> = skipped.iter().map(|skipped| skipped.component.clone()).collect();
    let (targets, missing) = {
        let bench = Bench { runs: by_name(&runs), skipped: &names, require_all, baseline };
        let judged: Vec<_> = targets.iter().map(|target| bench.target(target)).collect();
        let missing: Vec<Exit> = judged.iter().map(|(_, exit)| *exit).collect();
        (judged.into_iter().map(|(report, _)| report).collect::<Vec<_>>(), missing)
    };
    let mut exits = missing;
    exits.extend(rejudge(&mut runs, &names, require_all, baseline));
    if !skipped.is_empty() {
        let not_evaluated = targets.iter().filter(|t| t.report.outcome == ThresholdOutcome::Skipped).count();
        notes.push(format!("skipped: {}; {not_evaluated} targets not evaluated", names.join(", ")));
        exits.push(if require_all { Exit::Failed } else { Exit::Pass });
    }
    notes.extend(runs.iter().find_map(|run| rehearsal(&run.header.plan)));
    let stopped = runs.iter().filter(|run| run.interrupted && !run.recovered);
    notes.extend(
        stopped.map(|run| format!("{} was stopped by a signal before its time", run.header.component)),
    );
    if unreadable {
        exits.push(Exit::Unreadable);
    }
    if runs.is_empty() {
        exits.push(Exit::NoData);
    }
    exits.extend(runs.iter().map(|run| run.exit));
    let exit = Exit::first_of(exits.iter().copied());
    let warned = !skipped.is_empty() || targets.iter().any(|t| t.report.outcome == ThresholdOutcome::Warn);
    let verdict = verdict(&runs, &exits, warned);
    let components = runs.into_iter().map(Component).collect();
    Summary {
        schema: SUMMARY_SCHEMA.to_owned(),
        run_id,
        verdict,
        exit,
        components,
        targets,
        skipped,
        notes,
        comparison: None,
    }
}

/// The worst of all verdicts; an exit code says more than a verdict where a file or a component is missing.
fn verdict(runs: &[RunFile], exits: &[Exit], warned: bool) -> Verdict {
    let run = |verdict| runs.iter().any(|run| run.verdict == verdict);
    let exit = |exit| exits.contains(&exit);
    if run(Verdict::Invalid) || exit(Exit::Invalid) || exit(Exit::Unreadable) {
        Verdict::Invalid
    } else if run(Verdict::NoData) || exit(Exit::NoData) {
        Verdict::NoData
    } else if run(Verdict::Fail) || exit(Exit::Failed) || exit(Exit::Regression) {
        Verdict::Fail
    } else if warned || run(Verdict::Warn) {
        Verdict::Warn
    } else {
        Verdict::Pass
    }
}

fn by_name(runs: &[RunFile]) -> BTreeMap<&str, &RunFile> {
    runs.iter().map(|run| (run.header.component.as_str(), run)).collect()
}

/// Judges the thresholds of single components that speak of others too, or of changes: no tool alone could.
fn rejudge(
    runs: &mut [RunFile],
    skipped: &[String],
    require_all: bool,
    baseline: Option<&Baseline<'_>>,
) -> Vec<Exit> {
    let mut exits = Vec::new();
    for index in 0..runs.len() {
        let own = runs[index].header.component.clone();
        let texts = runs[index].header.plan.thresholds.clone();
        for (position, text) in texts.iter().enumerate() {
            let Ok(threshold) = text.parse::<Threshold>() else { continue };
            let of_others = threshold.components().iter().any(|name| *name != own);
            if !of_others && (baseline.is_none() || !threshold.needs_baseline()) {
                continue;
            }
            let (report, exit) =
                Bench { runs: by_name(runs), skipped, require_all, baseline }.report(&threshold, Some(&own));
            if let Some(place) = runs[index].thresholds.get_mut(position) {
                *place = report;
            }
            exits.push(exit);
        }
        runs[index].settle();
    }
    exits
}

/// What thresholds are judged by.
struct Bench<'a> {
    runs: BTreeMap<&'a str, &'a RunFile>,
    skipped: &'a [String],
    require_all: bool,
    baseline: Option<&'a Baseline<'a>>,
}

impl Bench<'_> {
    fn target(&self, target: &Target) -> (TargetReport, Exit) {
        let rehearsals = self.runs.values().filter_map(|run| run.header.plan.rehearsal);
        let users = rehearsals.map(|rehearsal| rehearsal.users).max_by(f64::total_cmp);
        let (report, exit) = self.report(&target.threshold.clone().rehearsed(users.unwrap_or(1.0)), None);
        let (name, description) = (target.name.clone(), target.description.clone());
        (TargetReport { name, description, report }, exit)
    }

    /// What can be said about `threshold`, and the exit code that goes with it. Metrics without a component are
    /// those of `own`, or of the only component there is.
    fn report(&self, threshold: &Threshold, own: Option<&str>) -> (ThresholdReport, Exit) {
        let components = threshold.components();
        let absent: Vec<&str> = components.into_iter().filter(|name| !self.runs.contains_key(name)).collect();
        let (skipped, missing): (Vec<&str>, Vec<&str>) =
            absent.into_iter().partition(|name| self.skipped.iter().any(|skipped| skipped == name));
        if !missing.is_empty() {
            let note = format!("no results of {}", missing.join(", "));
            return (unobserved(threshold, ThresholdOutcome::Fail, note), Exit::NoData);
        }
        if !skipped.is_empty() {
            let note = format!("{} was skipped", skipped.join(", "));
            let outcome = if self.require_all { ThresholdOutcome::Fail } else { ThresholdOutcome::Skipped };
            let report = unobserved(threshold, outcome, note);
            let exit = report.exit();
            return (report, exit);
        }
        let only = if self.runs.len() == 1 { self.runs.keys().next().copied() } else { None };
        let mut scope = Scope::new(self.runs.clone()).with_default(own.or(only).unwrap_or("?"));
        if let Some(baseline) = self.baseline {
            scope = scope.with_baseline(baseline.clone());
        }
        let mut report = evaluate(threshold, &scope);
        if own.or(only).is_none() && report.observed.is_none() {
            let names: Vec<&str> = self.runs.keys().copied().collect();
            let hint =
                format!("say of which component each metric is, as in {}::{threshold}", names.join("|"));
            let note = report.note.take().map(|note| format!("{note}; ")).unwrap_or_default();
            report.note = Some(note + &hint);
        }
        let exit = report.exit();
        (report, exit)
    }
}

fn unobserved(threshold: &Threshold, outcome: ThresholdOutcome, note: String) -> ThresholdReport {
    ThresholdReport {
        expression: threshold.to_string(),
        level: threshold.level().name().to_owned(),
        observed: None,
        limit: None,
        unit: String::new(),
        passed: false,
        outcome,
        severity: outcome.severity(),
        delta: threshold.needs_baseline(),
        note: Some(note),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> (usize, String) {
        parse_targets(text).unwrap_err()
    }

    #[test]
    fn a_targets_file_is_read_with_its_levels() {
        let text = "[[target]]\nname = \"a\"\nexpr = \"api::response_time: p(95)<500ms\"\n\n\
                    [[target]]\nname = \"b\"\nlevel = \"warn\"\nexpr = \"ws::error_rate: rate<1%\"\ndescription = \"d\"\n";
        let targets = parse_targets(text).unwrap();
        let levels: Vec<_> = targets.iter().map(|t| t.threshold.level()).collect();
        assert_eq!(levels, [Level::Fail, Level::Warn]);
        assert_eq!(targets[1].description.as_deref(), Some("d"));
    }

    #[test]
    fn mistakes_are_reported_with_their_line() {
        let good = "[[target]]\nname = \"a\"\nexpr = \"api::response_time: p(95)<500ms\"\n";
        assert_eq!(error(&format!("{good}levle = \"warn\"\n")).0, 4);
        assert_eq!(error("[[target]]\nname = \"a\"\n").0, 1);
        assert_eq!(error("[[target]\n").0, 1);
        assert_eq!(error("[[target]]\nname = \"a\"\n\nexpr = \"api::response_time: p(95)<<5\"\n").0, 4);
        assert_eq!(error(&format!("{good}\n{good}")), (6, "a second target is called \"a\"".into()));
        assert_eq!(error(&format!("{good}level = \"fatal\"\n")).0, 4);
        let (line, message) =
            error("[[target]]\nname = \"a\"\nlevel = \"fail\"\nexpr = \"warn api::error_rate: rate<1%\"\n");
        assert!(line == 4 && message.contains("begins with `warn`"), "{message}");
    }
}
