//! How is taken away what a run could not take away itself? The steps behind a run are made, and nothing else.

use load_report::exit::Exit;
use load_report::render::units::counted;

use crate::around::clean_up;
use crate::clock::Clock;
use crate::conduct::Signals;
use crate::error::RunError;
use crate::output::Console;
use crate::plan::RunPlan;
use crate::protocol::{Control, Protocol};

/// Makes the steps of the suite behind its runs, which know nothing of what those before a run have captured.
///
/// # Errors
/// The target cannot be prepared, or the machine gives no timer.
pub(crate) async fn tidy<P: Protocol>(
    protocol: &P,
    plan: &RunPlan,
    console: &Console,
) -> Result<Exit, RunError> {
    let clock = Clock::real().map_err(|source| RunError::Machine { what: "no timer", source })?;
    let driver = clock.clone();
    tokio::task::spawn_local(async move { driver.drive().await });
    let mut signals = Signals::listen()?;
    // Whichever segment's flags these are.
    let mut control = Control { cleans: true, ..Control::of(plan) };
    let prepared = tokio::select! {
        target = protocol.prepare(&mut control) => target.map(Some),
        () = signals.next() => Ok(None),
    };
    let (target, before) = (prepared.as_ref().ok().and_then(Option::as_ref), control.calls);
    let left = clean_up(protocol, target, &mut control, &clock, &mut signals, console).await;
    let calls = control.calls - before;
    prepared?;
    let shown = console.result(&format!("cleanup: {}\n", counted(calls, "call", "calls")));
    Ok(match (signals.heard, left) {
        (0, None) if shown => Exit::Pass,
        (0, None) => Exit::NotWritten,
        (0, Some(_)) => Exit::Failed,
        _ => Exit::Interrupted,
    })
}
