//! Were the objectives met? The validation report of a run, or of a recorded one.

use std::path::Path;

use load_report::exit::Exit;
use load_report::read;
use load_report::render::{json, slo as text};
use load_report::slo::SloReport;
use load_report::summary::Summary;
use load_report::threshold::{Threshold, unknown};
use load_suite::suite::{Choice, Suite, parts};

use crate::args::{ListFormat, SloArgs};
use crate::load::Loaded;
use crate::suite::{open, print, usage};
use crate::{Failure, judge, load};

/// Aragora's users against the reference server: what `--demo` shows.
const RECORDED: &[u8] = include_bytes!("../demo/api_summary.json");
const DEMO: &str = "a recorded run of Aragora's users against the reference server, not a run of yours";
/// Whose profiles judge the recorded run.
const DEMO_SUITE: &str = "aragora";

/// Prints the report; the exit code is that of the verdict.
///
/// # Errors
/// Results, targets or a suite that cannot be read.
pub(crate) fn run(asked: &SloArgs) -> Result<Exit, Failure> {
    let mut loaded = match (&asked.results, asked.demo) {
        (Some(results), false) => load::folder(results, false)?,
        (None, true) => recorded()?,
        _ => {
            let what = "expected the folder of a run, or --demo for a recorded one";
            return Err(Failure::new(Exit::Usage, format!("slo: {what}")));
        }
    };
    let suite = asked.suite.as_deref().or((asked.demo && asked.profile.is_some()).then_some(DEMO_SUITE));
    if let Some(suite) = suite {
        judge_by(&mut loaded, suite, asked.profile.as_deref())?;
    } else if asked.profile.is_some() {
        return Err(Failure::new(Exit::Usage, "slo: --profile is one of a suite; give --suite too"));
    }
    let targets = asked.targets.as_deref().map(judge::read_targets).transpose()?.unwrap_or_default();
    let summary: Summary = judge::judge(loaded, &targets, false, None);
    let mut report = SloReport::of(&summary);
    report.demo = asked.demo.then(|| DEMO.to_owned());
    print(&match asked.format {
        ListFormat::Text => text::text(&report),
        ListFormat::Json => json::slo(&report),
    })?;
    Ok(summary.exit)
}

/// The recorded run.
fn recorded() -> Result<Loaded, Failure> {
    let broken = |error: &dyn std::fmt::Display| Failure::new(Exit::Internal, format!("the demo: {error}"));
    let record = read::read_run("demo", RECORDED).map_err(|error| broken(&error))?.into_record();
    let thresholds = load::thresholds(&record).map_err(|error| broken(&error))?;
    let run = record.judge(&thresholds);
    Ok(Loaded { run_id: run.header.run_id.clone(), runs: vec![run], ..Loaded::default() })
}

/// Judges each run by the thresholds that the profile of `suite` has for its tool, instead of its own.
fn judge_by(loaded: &mut Loaded, suite: &str, profile: Option<&str>) -> Result<(), Failure> {
    let choice = Choice {
        profile: profile.map(str::to_owned),
        environment_variables: std::env::vars().collect(),
        ..Choice::default()
    };
    let found = parts(suite, &open).map_err(usage)?;
    for run in &mut loaded.runs {
        let component = run.header.component.as_str();
        let own = |kind: &str| component == kind || component.starts_with(&format!("{kind}-"));
        let Some((_, node)) = found.iter().find(|(tool, _)| own(tool.kind) || own(tool.part)) else {
            continue;
        };
        let name = Path::new(suite).file_stem().map_or(suite.into(), |name| name.to_string_lossy());
        let part = Suite::read(&name, node.clone(), &choice, &open).map_err(usage)?;
        let mut thresholds = Vec::new();
        for text in &part.thresholds {
            let threshold = text.value.parse::<Threshold>();
            let threshold = threshold.map_err(|error| usage(format!("{}: {error}", text.place)))?;
            // What this run could not have measured says nothing about it.
            if !threshold.holds_unmeasured() || unknown(&threshold, &run.header.plan).is_none() {
                thresholds.push(threshold);
            }
        }
        let mut record = run.clone().into_record();
        record.header.plan.thresholds = thresholds.iter().map(ToString::to_string).collect();
        *run = record.judge(&thresholds);
    }
    Ok(())
}
