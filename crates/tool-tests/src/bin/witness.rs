//! Runs a command and says whether the machine was quiet meanwhile: a run that calls itself invalid may blame the machine
//! only when somebody else saw it, too.
//!
//! `witness COMMAND [ARG...]`; the exit code is the command's, except that 111 becomes 75 (try again later, as in
//! sysexits.h) when the machine was late.

use std::io::Write as _;
use std::process::{Command, ExitCode};

use load_report::exit::Exit;
use tool_tests::Witness;

/// `EX_TEMPFAIL`.
const BUSY: u8 = 75;

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    let Some(program) = words.next() else { return said("expected a command", Exit::Usage.code()) };
    let witness = Witness::start();
    let ended = Command::new(&program).args(words).status();
    let late = witness.stop();
    let code = match ended {
        Ok(status) => status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1),
        Err(error) => return said(&format!("{}: {error}", program.display()), 127),
    };
    let quiet = Witness::is_quiet(late);
    let code = if code == Exit::Invalid.code() && !quiet { BUSY } else { code };
    said(&format!("the machine was {}, {late:.1?} late at p99", if quiet { "quiet" } else { "busy" }), code)
}

/// Says so on stderr.
fn said(what: &str, code: u8) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "witness: {what}");
    ExitCode::from(code)
}
