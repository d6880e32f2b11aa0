//! What was asked for on the command line?

use std::path::PathBuf;

use clap::Parser;
use load_report::exit::Exit;

/// Merges the results of all components of a run, judges them together, and says PASS, WARNING, FAIL or INVALID.
#[derive(Debug, Parser)]
#[command(version, after_help = Exit::help())]
pub(crate) struct Args {
    /// The results folder of one run, for example results/latest
    #[arg(value_name = "RESULTS")]
    pub(crate) results: PathBuf,

    /// TOML file with targets that may span components: a list of tables `[[target]]` with `name`, `expr` (such as
    /// `api::response_time: p(95)<500ms`) and, optionally, `level` (`fail` or `warn`) and `description`
    #[arg(long, value_name = "FILE")]
    pub(crate) targets: Option<PathBuf>,

    /// Fail when a component was skipped, instead of warning
    #[arg(long)]
    pub(crate) require_all: bool,

    /// Report what can be read although a file cannot; the exit code stays that of the unreadable file
    #[arg(long)]
    pub(crate) keep_going: bool,

    /// Write one more report; the extension says what: md, json, xml (JUnit), csv
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Vec<PathBuf>,

    /// Print nothing but the verdict
    #[arg(short, long)]
    pub(crate) quiet: bool,
}
