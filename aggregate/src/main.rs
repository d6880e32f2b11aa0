//! What did all components do together, and was it good? Merges, recovers, judges and renders stored runs; reads
//! files, needs no network.

mod args;
mod judge;
mod load;
mod report;

use std::io::Write as _;
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
    let reports = report::kinds(&args.report)?;
    let targets = args.targets.as_deref().map(judge::read_targets).transpose()?.unwrap_or_default();
    let loaded = load::folder(&args.results, args.keep_going)?;
    let summary = judge::judge(loaded, &targets, args.require_all);
    let written = report::write(&args.results, &summary, &reports);
    let printed = report::print(&summary, args.quiet);
    for failure in [&written, &printed].into_iter().filter_map(|result| result.as_ref().err()) {
        let _ = writeln!(std::io::stderr(), "aggregate: {}", failure.message);
    }
    let failed = written.is_err() || printed.is_err();
    Ok(Exit::first_of([Some(summary.exit), failed.then_some(Exit::NotWritten)].into_iter().flatten()))
}
