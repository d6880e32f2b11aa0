//! What can be run? The shipped suites, their profiles and their components; reads files alone.

mod k6;
mod levels;
mod limit;
mod list;
mod locust;
mod plan;
mod show;

use std::fmt::Display;
use std::io;
use std::path::Path;

use load_report::exit::Exit;
use load_suite::node::SuiteError;

use crate::Failure;
use crate::args::{Command, Profiles};

/// Answers one of the commands.
pub(crate) fn run(command: &Command) -> Result<Exit, Failure> {
    let text = match command {
        Command::Suites(asked) => list::suites(asked)?,
        Command::Profiles { command: Profiles::List(asked) } => list::profiles(asked)?,
        Command::Profiles { command: Profiles::Show(asked) } => show::show(asked)?,
        Command::Components(asked) => plan::components(asked)?,
        Command::Slo(asked) => return crate::slo::run(asked),
        Command::Compare(asked) => return crate::compare::run(asked),
        Command::Baseline { command } => return crate::baselines::run(command),
    };
    print(&text)?;
    Ok(Exit::Pass)
}

/// Opens the files of suites.
pub(crate) fn open(path: &Path) -> io::Result<String> {
    std::fs::read_to_string(path)
}

pub(crate) fn usage(error: impl Display) -> Failure {
    Failure::new(Exit::Usage, error.to_string())
}

fn wrong(error: SuiteError) -> Failure {
    usage(error)
}

pub(crate) fn print(text: &str) -> Result<(), Failure> {
    use std::io::Write as _;
    match io::stdout().write_all(text.as_bytes()) {
        // Whoever reads it has seen enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::new(Exit::NotWritten, format!("standard output: {error}")))
        }
        _ => Ok(()),
    }
}
