//! Who takes away what the run has made, and how long may that take?

use crate::clock::{Clock, Nanos};
use crate::conduct::Signals;
use crate::output::Console;
use crate::protocol::{Control, Protocol};

/// A target that does not answer must not keep a run from its end.
const PATIENCE: Nanos = Nanos(10_000_000_000);

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
