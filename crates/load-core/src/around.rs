//! Who makes what the run needs, who takes away what it has made, and how long may that take?

use load_report::figures::Record;
use load_report::render::units::counted;

use crate::clock::{Clock, Nanos};
use crate::conduct::Signals;
use crate::error::PrepareError;
use crate::output::Console;
use crate::plan::RunPlan;
use crate::protocol::{Control, Protocol};

/// A run ends so long after its graceful stop at the latest.
const SECOND: Nanos = Nanos(1_000_000_000);
/// A target that does not answer must not keep a run from its end.
const PATIENCE: Nanos = Nanos(10_000_000_000);

/// Lets the protocol make what a suite needs before the run, where there is a `target`. False when a signal came first: then nothing
/// is to be run.
///
/// # Errors
/// Which step failed, and why.
pub(crate) async fn set_up<P: Protocol>(
    protocol: &P,
    target: Option<&P::Target>,
    control: &mut Control,
    clock: &Clock,
    signals: &mut Signals,
    console: &Console,
) -> Result<bool, PrepareError> {
    let Some(target) = target else { return Ok(false) };
    let (before, begin) = (control.calls, clock.now());
    let done = tokio::select! {
        done = protocol.setup(target, control) => done.map(|()| true),
        () = signals.next() => Ok(false),
    };
    let calls = control.calls - before;
    if calls > 0 && matches!(done, Ok(true)) {
        let s = clock.now().since(begin) as f64 / 1e9;
        console.say(&format!("setup: {} in {s:.1} s", counted(calls, "call", "calls")));
    }
    done
}

/// Whether the segments of the run have all ended, so that nobody needs any longer what the steps behind it take away. They know
/// nothing of each other: where all began at one instant, the plan says when the last one is over, and the first one waits for it
/// with `ended`, its own record.
///
/// # Errors
/// It cannot be known: a warning.
pub(crate) async fn all_ended(
    ended: Option<&Record>,
    plan: &RunPlan,
    together: bool,
    clock: &Clock,
    signals: &mut Signals,
    console: &Console,
) -> Result<(), String> {
    let unknown = |why: &str| {
        Err(format!(
            "cleanup: not made, as other segments may be under way ({why}); when all have ended, the word cleanup and the flags of this run make it"
        ))
    };
    if !together {
        return unknown("they began without --start-at");
    }
    if plan.record.requests.is_some() {
        return unknown("with -n they end when they end");
    }
    let Some(record) = ended.filter(|record| record.end.stop_ns >= plan.duration.0 && !record.interrupted)
    else {
        return unknown("this one ended before its time");
    };
    let last = Nanos(record.header.t0_monotonic_ns) + plan.duration + plan.graceful_stop + SECOND;
    let s = last.since(clock.now()) as f64 / 1e9;
    console.say(&format!("cleanup: in {s:.0} s, when all segments have ended"));
    tokio::select! {
        () = clock.sleep_until(last) => Ok(()),
        () = signals.next() => unknown("stopped by a signal"),
    }
}

/// Lets the protocol clean up, until the time is over or a second signal comes. What is left then, and why, is said on
/// the terminal and returned for the record.
pub(crate) async fn clean_up<P: Protocol>(
    protocol: &P,
    target: Option<&P::Target>,
    control: &mut Control,
    clock: &Clock,
    signals: &mut Signals,
    console: &Console,
) -> Option<String> {
    let mut cleaning = std::pin::pin!(protocol.cleanup(target, control));
    let deadline = clock.now() + PATIENCE;
    let why = loop {
        tokio::select! {
            biased;
            cleaned = &mut cleaning => match cleaned {
                Ok(()) => return None,
                Err(error) => break error.to_string(),
            },
            () = clock.sleep_until(deadline) => break format!("not done after {} s", PATIENCE.0 / 1_000_000_000),
            () = signals.next() => {
                if signals.heard > 1 {
                    break "stopped by a signal".to_owned();
                }
                console.say("removing what the run has made; once more to leave at once");
            }
        }
    };
    let left = protocol.leaves().map_or_else(String::new, |what| format!("; {what}"));
    let warning = format!("cleanup: {why}{left}");
    console.complain(&warning);
    Some(warning)
}
