//! How are the steps of a suite made that are no part of its load? Once, one after the other, by hand: before the engine is there,
//! and when it is there no more.
#![expect(clippy::disallowed_methods, reason = "nothing is measured, and there is no clock of an engine")]

use std::time::Duration;

use jiff::Timestamp;
use load_report::fault::FaultKind;
use load_suite::condition::Condition;
use load_suite::think::Think;
use tokio::time::{sleep, timeout};

use crate::error::PrepareError;
use crate::protocol::{Control, Fault, Outcome, Poll, Probe, Protocol};
use crate::record::Unobserved;

/// A step of a suite that is made once, or a number of times.
#[derive(Clone, Debug)]
pub struct Outside<S> {
    /// What it is called in messages.
    pub name: String,
    /// Where it stands.
    pub place: String,
    /// How often.
    pub repeat: u64,
    /// It is left out unless all of them hold.
    pub conditions: Vec<Condition>,
    /// What is sent.
    pub step: S,
    /// How to go on while its condition does not hold.
    pub poll: Option<Poll>,
    /// How long a call may take; as long as those of the run when it does not say so.
    pub timeout: Option<Duration>,
    /// Pause behind each call.
    pub think: Think,
}

/// What these steps draw is nothing that an iteration draws.
const SALT: u64 = 0x5E70_9A1D_C1EA_0B5E;

/// Makes the steps before a run, where this part of it is the one that makes them. The first that fails is the last.
///
/// # Errors
/// Which step failed, and why.
pub async fn setup<P: Protocol>(
    protocol: &P,
    target: &P::Target,
    steps: &[Outside<P::Step>],
    control: &mut Control,
) -> Result<(), PrepareError> {
    if !control.first {
        return Ok(());
    }
    let mut maker = Maker { protocol, target, session: None, note: String::new() };
    for (number, step) in steps.iter().enumerate() {
        maker.all_of(number, step, control).await.map_err(|why| said("setup", step, &why))?;
    }
    maker.leave().await;
    Ok(())
}

/// Makes the steps behind a run, where this part of it is the one that makes them. The first that fails is told, the others are made
/// all the same.
///
/// # Errors
/// Which step failed first, and why.
pub async fn cleanup<P: Protocol>(
    protocol: &P,
    target: &P::Target,
    steps: &[Outside<P::Step>],
    control: &mut Control,
) -> Result<(), PrepareError> {
    if !control.cleans {
        return Ok(());
    }
    let mut maker = Maker { protocol, target, session: None, note: String::new() };
    let mut failed = None;
    for (number, step) in steps.iter().enumerate() {
        // Other draws than those before the run.
        match maker.all_of(usize::MAX - number, step, control).await {
            Ok(()) => {}
            Err(Failed { connected: false, why, .. }) => return Err(PrepareError::new(why)),
            Err(Failed { why, .. }) => {
                failed.get_or_insert_with(|| format!("{}: {}", step.name, why));
            }
        }
    }
    maker.leave().await;
    failed.map_or(Ok(()), |why| Err(PrepareError::new(why)))
}

/// Why a step failed.
struct Failed {
    /// There was a connection.
    connected: bool,
    /// Which of several times it was, from 0.
    time: u64,
    why: String,
}

fn said<S>(what: &str, step: &Outside<S>, Failed { time, why, .. }: &Failed) -> PrepareError {
    let time = if step.repeat > 1 { format!(", {} of {}", time + 1, step.repeat) } else { String::new() };
    PrepareError::new(format!("{what}: {}{time} ({}): {why}", step.name, step.place))
}

/// Who makes the calls, over one connection as long as it lasts.
struct Maker<'a, P: Protocol> {
    protocol: &'a P,
    target: &'a P::Target,
    session: Option<P::Session>,
    note: String,
}

impl<P: Protocol> Maker<'_, P> {
    /// Makes `step`, number `number` of all, as often as it wants.
    async fn all_of(
        &mut self,
        number: usize,
        step: &Outside<P::Step>,
        control: &mut Control,
    ) -> Result<(), Failed> {
        let seed = control.seed ^ SALT ^ (number as u64).rotate_right(16);
        for time in 0..step.repeat {
            control.vu.begin(seed, time);
            if !step.conditions.iter().all(|condition| condition.holds(&control.vu.scope)) {
                continue;
            }
            self.once(step, time, control).await?;
            let pause = step.think.after(0, 0, control.vu.scope.share());
            sleep(Duration::from_nanos(pause.unsigned_abs())).await;
        }
        Ok(())
    }

    /// Makes a call, again and again while its condition does not hold.
    async fn once(
        &mut self,
        step: &Outside<P::Step>,
        time: u64,
        control: &mut Control,
    ) -> Result<(), Failed> {
        let mut left = step.poll.map_or(1, |poll| poll.at_most);
        loop {
            let outcome = self.call(step, time, control).await?;
            if !outcome.pending {
                return Ok(());
            }
            left = left.saturating_sub(1);
            let Some(poll) = step.poll.filter(|_| left > 0) else {
                let calls = step.poll.map_or(1, |poll| poll.at_most);
                let why = format!("what it waits for did not come in {calls} calls");
                return Err(Failed { connected: true, time, why });
            };
            sleep(Duration::from_nanos(poll.every.0.unsigned_abs())).await;
        }
    }

    async fn call(
        &mut self,
        step: &Outside<P::Step>,
        time: u64,
        control: &mut Control,
    ) -> Result<Outcome, Failed> {
        let most = step.timeout.unwrap_or(control.timeout);
        control.vu.scope.now_ns = i64::try_from(Timestamp::now().as_nanosecond()).unwrap_or_default();
        let Self { protocol, target, session, note } = self;
        let mut probe = Probe::unobserved(&Unobserved, note);
        let mut connected = session.is_some();
        let calling = async {
            if session.is_none() {
                *session = Some(protocol.aside(target, &control.vu, &mut probe).await?);
            }
            connected = true;
            control.calls += 1;
            match session {
                Some(open) => protocol.call(open, &step.step, &mut control.vu, &mut probe).await,
                None => Err(Fault::fatal(FaultKind::Connect)),
            }
        };
        let ended = timeout(most, calling).await.unwrap_or_else(|_| {
            probe.note(format_args!("no answer within {most:?}"));
            Err(Fault::fatal(FaultKind::Timeout))
        });
        if ended.map_or_else(|fault| fault.ends_session, |outcome| outcome.ends_session) {
            *session = None;
        }
        ended.map_err(|fault| {
            let no = if connected { "" } else { "no connection: " };
            Failed { connected, time, why: format!("{no}{}: {note}", fault.kind.name()) }
        })
    }

    /// Ends the session in good order.
    async fn leave(self) {
        let Self { protocol, session, mut note, .. } = self;
        if let Some(session) = session {
            protocol.close(session, &mut Probe::unobserved(&Unobserved, &mut note)).await;
        }
    }
}
