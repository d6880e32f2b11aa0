//! What did all components do together, and was it good? Merges, recovers, judges and renders stored runs, and says
//! what there is to run; reads files, needs no network.

mod args;
mod baselines;
mod compare;
mod judge;
mod load;
mod profiles;
mod report;
mod slo;
mod suite;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser as _;
use load_report::exit::Exit;

use crate::args::Args;

/// Why `aggregate` ends before it has a verdict.
#[derive(Debug)]
struct Failure {
    /// The exit code.
    exit: Exit,
    /// What was expected, where, and what to do.
    message: String,
}

impl Failure {
    fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }
}

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Pass };
            // Nobody is left to be told when this cannot be written.
            let _ = error.print();
            return exit.into();
        }
    };
    // A panic is a bug of the tool, and has an exit code of its own; the message is already on stderr.
    std::panic::catch_unwind(|| run(&args)).unwrap_or(Exit::Internal).into()
}

fn run(args: &Args) -> Exit {
    match aggregate(args) {
        Ok(exit) => exit,
        Err(Failure { exit, message }) => {
            let _ = writeln!(std::io::stderr(), "aggregate: {message}");
            exit
        }
    }
}

fn aggregate(args: &Args) -> Result<Exit, Failure> {
    if let Some(command) = &args.command {
        return suite::run(command);
    }
    let Some(results) = &args.results else {
        return Err(Failure::new(Exit::Usage, "no RESULTS; expected the folder of a run (--help)"));
    };
    let reports = report::kinds(&args.report)?;
    let targets = args.targets.as_deref().map(judge::read_targets).transpose()?.unwrap_or_default();
    let baseline =
        args.baseline.as_deref().map(|given| compare::read(&beside(results), given)).transpose()?;
    judge::need_baseline(&targets, baseline.is_some())?;
    let one = |folder: &Path, profile: Option<&str>| {
        let loaded = load::folder(folder, args.keep_going)?;
        let baseline = baseline.as_ref().map(|baseline| baseline.of_profile(profile));
        Ok(judge::judge(loaded, &targets, args.require_all, baseline.as_ref()))
    };
    let mut written = Vec::new();
    let profiles = profiles::of(results);
    let mut summary = if profiles.is_empty() {
        one(results, None)?
    } else {
        let mut judged = Vec::new();
        for profile in profiles {
            let folder = results.join(&profile);
            let summary = one(&folder, Some(&profile))?;
            written.push(report::write(&folder, &summary));
            judged.push((profile, summary));
        }
        profiles::combine(load::name_of(results), judged)
    };
    if let Some(baseline) = baseline {
        compare::add(&mut summary, baseline, args.against);
    }
    written.push(report::write(results, &summary));
    written.push(report::write_besides(&summary, &reports));
    let printed = report::print(&summary, args.quiet);
    written.push(printed);
    let failures: Vec<_> = written.into_iter().filter_map(Result::err).collect();
    for failure in &failures {
        let _ = writeln!(std::io::stderr(), "aggregate: {}", failure.message);
    }
    let not_written = (!failures.is_empty()).then_some(Exit::NotWritten);
    Ok(Exit::first_of([Some(summary.exit), not_written].into_iter().flatten()))
}

/// The folder of the results folders, where baselines are kept: the one that `folder` is in.
fn beside(folder: &Path) -> PathBuf {
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.map_or_else(|| PathBuf::from("."), Path::to_owned)
}
