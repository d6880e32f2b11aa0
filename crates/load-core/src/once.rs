//! What does each task do? Every one is run once, with every message shown: a suite is looked at before it is let loose.

use std::cell::RefCell;
use std::fmt::Display;
use std::num::NonZeroU32;
use std::pin::pin;

use load_report::exit::Exit;
use load_report::render::units::counted;

use crate::around::{clean_up, set_up};
use crate::clock::{Alarm, Clock, Nanos};
use crate::conduct::Signals;
use crate::engine::within;
use crate::error::RunError;
use crate::output::Console;
use crate::plan::RunPlan;
use crate::protocol::{
    Act, Call, Control, Fault, Hold, LinkId, Outcome, Parallel, Probe, Protocol, TaskStep, Vu,
};
use crate::record::Observer;

/// So long a connection is held to see what comes by itself.
const LOOK: Nanos = Nanos(2_000_000_000);

/// Shows what it is told.
struct Show {
    clock: Clock,
    shown: RefCell<String>,
}

impl Observer for Show {
    fn now(&self) -> Nanos {
        self.clock.now()
    }

    fn alarm(&self) -> Option<Alarm> {
        Some(self.clock.alarm())
    }

    fn observe(&self, _extra: usize, _ns: u64) {}

    fn count(&self, _counter: usize, _n: u64) {}

    fn shows(&self) -> bool {
        true
    }

    fn show(&self, text: &dyn Display) {
        for line in text.to_string().lines() {
            let mut shown = self.shown.borrow_mut();
            shown.extend(["      ", line.trim_end(), "\n"]);
        }
    }
}

/// One user, who tries everything.
struct Trial<'a, P: Protocol> {
    protocol: &'a P,
    target: &'a P::Target,
    plan: &'a RunPlan,
    show: Show,
    console: &'a Console,
    vu: Vu,
    session: Option<P::Session>,
    note: String,
    failed: u32,
}

/// Runs every task of every class once: its user's first steps, the tasks in their order, the last steps. Then what the run
/// has made is removed, as after every run.
///
/// # Errors
/// The target cannot be prepared, or the machine gives no timer.
pub(crate) async fn once<P: Protocol>(
    protocol: &P,
    plan: &RunPlan,
    console: &Console,
) -> Result<Exit, RunError> {
    let clock = Clock::real().map_err(|source| RunError::Machine { what: "no timer", source })?;
    let driver = clock.clone();
    tokio::task::spawn_local(async move { driver.drive().await });
    let mut signals = Signals::listen()?;
    let mut control = Control::of(plan);
    let prepared = tokio::select! {
        target = protocol.prepare(&mut control) => target.map(Some),
        () = signals.next() => Ok(None),
    };
    let target = prepared.as_ref().ok().and_then(Option::as_ref);
    let begun = set_up(protocol, target, &mut control, &clock, &mut signals, console).await;
    let mut failed = 0;
    if let (Some(target), Ok(true)) = (target, &begun) {
        let show = Show { clock: clock.clone(), shown: RefCell::default() };
        let (session, note) = (None, String::new());
        let mut trial =
            Trial { protocol, target, plan, show, console, vu: Vu::new(0), session, note, failed };
        // A signal ends the tasks; what they have made is removed all the same.
        tokio::select! {
            () = trial.all() => {}
            () = signals.next() => {}
        }
        failed = trial.failed;
    }
    let interrupted = signals.heard > 0;
    let before = control.calls;
    let left = clean_up(protocol, target, &mut control, &clock, &mut signals, console).await;
    let calls = control.calls - before;
    if calls > 0 {
        console.result(&format!("cleanup: {}\n", counted(calls, "call", "calls")));
    }
    prepared?;
    begun?;
    Ok(match (interrupted, failed, left) {
        (true, ..) => Exit::Interrupted,
        (false, 0, None) => Exit::Pass,
        _ => Exit::Failed,
    })
}

impl<P: Protocol> Trial<'_, P> {
    async fn all(&mut self) {
        for index in 0..self.protocol.script().classes().len() {
            self.class(index).await;
        }
    }

    async fn class(&mut self, index: usize) {
        let class = &self.protocol.script().classes()[index];
        self.vu = Vu::new(index as u64);
        if !class.name.is_empty() {
            self.console.result(&format!("user {}\n", class.name));
        }
        let mut seq = 0;
        let mut begin = |vu: &mut Vu| {
            vu.begin(self.plan.record.seed, seq);
            seq += 1;
        };
        begin(&mut self.vu);
        let mut begun = self.steps("start", &class.start).await;
        for task in &class.tasks {
            begin(&mut self.vu);
            if P::VISITS && begun && self.session.is_none() {
                begun = self.steps("start", &class.start).await;
            }
            let possible = task.condition.as_ref().is_none_or(|condition| condition.holds(&self.vu.scope));
            if begun && possible {
                self.steps(&task.name, &task.steps).await;
            } else {
                let why = if begun { "its condition does not hold" } else { "the first steps failed" };
                self.console.result(&format!("  {}: left out, {why}\n", task.name));
            }
        }
        if begun && (self.session.is_some() || !P::VISITS) {
            self.steps("stop", &class.stop).await;
        }
        if let Some(session) = self.session.take() {
            self.protocol.close(session, &mut Probe::unobserved(&self.show, &mut self.note)).await;
        }
    }

    /// Whether all was done; one that has failed ends the others, unless they go on behind it.
    async fn steps(&mut self, name: &str, steps: &[TaskStep<P::Step>]) -> bool {
        if !steps.is_empty() && !name.is_empty() {
            self.console.result(&format!("  {name}\n"));
        }
        for step in steps {
            if !step.is_possible(&self.vu.scope) {
                let op = step.calls().next().map_or_else(String::new, |call| self.op(call));
                self.console.result(&format!("    - {op}: its condition does not hold\n"));
                continue;
            }
            let good = match &step.act {
                Act::Call(call) => self.call(call).await,
                Act::Parallel(group) => self.parallel(group).await,
                Act::Hold(hold) => self.hold(hold).await,
                // Nobody waits for what is only looked at.
                Act::Pause => true,
            };
            if !good {
                let Some(slots) = &step.goes_on else { return false };
                slots.iter().for_each(|slot| self.vu.scope.vars.set(*slot, b""));
            }
        }
        true
    }

    /// Makes the calls of `group` one after the other, so that they can be read, but each as if it were the first.
    async fn parallel(&mut self, group: &Parallel<P::Step>) -> bool {
        let (all, at_once) = (group.branches.len(), group.at_once);
        let most =
            if (at_once.get() as usize) < all { format!(", {at_once} of them") } else { String::new() };
        self.console.result(&format!("    {all} calls that a run makes at the same time{most}:\n"));
        let (salt, mut good, mut learnt) = (self.vu.scope.draw(), true, Vec::new());
        for (number, branch) in group.branches.iter().enumerate() {
            if !branch.is_possible(&self.vu.scope) {
                let op = self.op(&branch.call);
                self.console.result(&format!("    - {op}: its condition does not hold\n"));
                continue;
            }
            let fork = self.vu.fork(salt, number as u64);
            let before = std::mem::replace(&mut self.vu, fork);
            good &= self.call(&branch.call).await;
            let after = std::mem::replace(&mut self.vu, before);
            let changes = after.scope.vars.changes(&self.vu.scope.vars);
            learnt.extend(changes.map(|(slot, value)| (slot, value.to_vec())));
        }
        for (slot, value) in learnt {
            self.vu.scope.vars.set(slot, &value);
        }
        good
    }

    /// Makes every call of its timers once, then listens: for all of its time where it waits for something, otherwise as long
    /// as it takes to see what comes.
    async fn hold(&mut self, hold: &Hold<P::Step>) -> bool {
        let mut good = true;
        for (_, branch) in hold.timers.iter().flat_map(|timer| &timer.calls) {
            if branch.is_possible(&self.vu.scope) {
                good &= self.call(&branch.call).await;
            }
        }
        let lasts = Nanos(hold.lasts.after(0, 0, self.vu.scope.share()));
        let most = if hold.until.is_some() { lasts } else { lasts.min(LOOK) };
        let alarm = self.show.clock.alarm();
        let begin = self.show.clock.now();
        alarm.set(begin + most);
        let Self { protocol, show, vu, session, note, .. } = self;
        let Some(open) = session.as_mut() else { return false };
        let mut probe = Probe::unobserved(show, note);
        let waited =
            within(&alarm, pin!(protocol.wait(open, hold.until.as_ref(), vu, &mut probe))).await.output;
        let s = self.show.clock.now().since(begin) as f64 / 1e9;
        let all = lasts.as_secs_f64();
        let (line, ended) = match waited {
            Some(Ok(())) => (format!("    ✓ held {s:.1} s, until the message came"), true),
            None if hold.until.is_some() => (format!("    ✗ held {s:.1} s: timeout: {}", hold.missed), false),
            None if most == lasts => (format!("    ✓ held {s:.1} s"), true),
            None => (format!("    ✓ held {s:.1} s of the {all:.1} s of a run"), true),
            Some(Err(fault)) => (format!("    ✗ held {s:.1} s: {}: {}", fault.kind.name(), self.note), false),
        };
        if waited.is_some_and(|waited| waited.is_err()) {
            self.session = None;
        }
        self.failed += u32::from(!ended);
        self.console.result(&format!("{line}\n{}", self.show.shown.take()));
        good && ended
    }

    fn op(&self, call: &Call<P::Step>) -> String {
        self.protocol.ops().get(usize::from(call.op)).cloned().unwrap_or_default()
    }

    /// Makes a call, again and again while its condition does not hold; whether it went well.
    async fn call(&mut self, call: &Call<P::Step>) -> bool {
        let mut left = call.poll.map_or(1, |poll| poll.at_most);
        loop {
            let begin = self.show.clock.now();
            let ended = self.attempt(call).await;
            let ms = self.show.clock.now().since(begin) as f64 / 1e6;
            left -= 1;
            let op = self.op(call);
            let (line, more) = match ended {
                Ok(outcome) if outcome.pending && left > 0 => {
                    (format!("    ~ {op}  {ms:.1} ms, not yet"), true)
                }
                Ok(outcome) if outcome.pending => {
                    (format!("    ✗ {op}  {ms:.1} ms: the condition never held"), false)
                }
                Ok(_) => (format!("    ✓ {op}  {ms:.1} ms"), false),
                Err(fault) => {
                    (format!("    ✗ {op}  {ms:.1} ms: {}: {}", fault.kind.name(), self.note), false)
                }
            };
            self.console.result(&format!("{line}\n{}", self.show.shown.take()));
            if more {
                let every = call.poll.map_or(Nanos::ZERO, |poll| poll.every);
                self.show.clock.sleep_until(self.show.clock.now() + every).await;
                continue;
            }
            let good = ended.is_ok_and(|outcome| !outcome.pending);
            self.failed += u32::from(!good);
            return good;
        }
    }

    async fn attempt(&mut self, call: &Call<P::Step>) -> Result<Outcome, Fault> {
        let alarm = self.show.clock.alarm();
        alarm.set(self.show.clock.now() + call.timeout.unwrap_or(self.plan.timeout));
        let Self { protocol, target, show, vu, session, note, .. } = self;
        let now = i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or_default();
        vu.scope.now_ns = now;
        let mut probe = Probe::unobserved(show, note);
        let calling = async {
            if session.is_none() {
                let link = LinkId { index: vu.scope.vu, connections: NonZeroU32::MIN, generation: 0 };
                let link = protocol.connect(target, link, &mut probe).await?;
                *session = Some(protocol.open(link, vu).await?);
            }
            match session {
                Some(session) => protocol.call(session, &call.step, vu, &mut probe).await,
                None => Ok(Outcome::default()),
            }
        };
        let ended = within(&alarm, pin!(calling)).await.output;
        let result = ended.unwrap_or(Err(Fault::fatal(load_report::fault::FaultKind::Timeout)));
        if result.map_or_else(|fault| fault.ends_session, |outcome| outcome.ends_session) {
            *session = None;
        }
        result
    }
}
