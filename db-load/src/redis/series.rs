//! What does a run count and time besides calls? The protocol's own series and counters, by index.

use load_report::model::ExtraPlan;

use crate::pool;

/// Time from the loss of a connection to the next one that could be opened.
pub const OUTAGE: usize = 1;
/// Time of one command of a pipeline; only where there are pipelines.
pub const COMMAND: usize = 2;

/// Commands that were answered.
pub const COMMANDS: usize = 0;
/// Commands that the server refused, or answered wrongly.
pub const COMMANDS_FAILED: usize = 1;
/// Commands that found nothing.
pub const MISSES: usize = 2;

fn plan((name, help): (&str, &str)) -> ExtraPlan {
    ExtraPlan { name: name.to_owned(), help: help.to_owned() }
}

/// The series, in the order of their indices.
pub fn extras(has_pipelines: bool) -> Vec<ExtraPlan> {
    let mut all = pool::extras();
    all.push(plan(("outage", "From the loss of a connection to the next one that could be opened.")));
    if has_pipelines {
        all.push(plan(("command", "From the sending of a pipeline to the reply to each of its commands.")));
    }
    all
}

/// The counters, in the order of their indices.
pub fn counters() -> Vec<ExtraPlan> {
    [
        ("commands", "answered by the server"),
        ("commands_failed", "refused, or answered wrongly"),
        ("misses", "commands that found nothing"),
    ]
    .map(plan)
    .into()
}
