//! The suites of the five systems in virtual time: the real engine, the suites as they are shipped, and a system that answers
//! every call well. What they are compared with stands in these tests as the systems' documents have it, and is not read
//! from the suites.

mod chance;
mod habits;
mod kinds;
mod profiles;
mod shares;

use load_report::model::{ExtraPlan, RatePlan};
use load_suite::suite::{Step, Suite};
use load_suite::template::Names;

use super::*;
use crate::compile::{Compiler, Made, Plans};
use crate::suite;

/// What a call is here.
#[derive(Clone, Copy)]
struct Deed {
    /// Which step of the suite makes it, counted from 0.
    step: usize,
    /// Its connection ends with it.
    closes: bool,
}

/// A call that was made.
#[derive(Clone, Copy)]
struct Seen {
    user: u64,
    iteration: u64,
    step: usize,
    begin: Nanos,
    end: Nanos,
}

/// Users of a suite, who have whatever their steps need: conditions of steps are left out, so that each task that is drawn
/// makes a call and is seen.
struct Users<const VISITS: bool> {
    script: Script<Deed>,
    plans: Plans,
    sharing: Sharing,
    /// What the steps are called, by number.
    names: Vec<String>,
    seen: Mutex<Vec<Seen>>,
}

impl<const VISITS: bool> Users<VISITS> {
    fn of(mut suite: Suite) -> Self {
        let tasks = suite.users.iter_mut().flat_map(|class| &mut class.tasks);
        tasks.flat_map(|task| &mut task.steps).for_each(|step| step.conditions.clear());
        let mut names = Vec::new();
        let call = |_: &Compiler, step: &Step, _: &mut Names| {
            let mut keys = step.request.clone();
            let name = match &step.name {
                Some(name) => name.value.clone(),
                None => keys.text("request")?.map_or_else(String::new, |text| text.value),
            };
            names.push(name.clone());
            let deed = Deed { step: names.len() - 1, closes: step.request.has("close") };
            Ok(Made { name, step: deed, timeout: None })
        };
        let compiler = Compiler::new(&suite.measures, None, Plans::default()).holding().answering();
        let (script, from_suite) = compiler.run(&suite, call).unwrap();
        // Databases have a pool where there are to be so many connections.
        let sharing = suite.profile.connections.map_or(Sharing::Exclusive, |_| Sharing::Pool);
        Self { script, plans: from_suite.plans, sharing, names, seen: Mutex::default() }
    }
}

impl<const VISITS: bool> Protocol for Users<VISITS> {
    const NAME: &'static str = "users";
    const RESUMES: bool = !VISITS;
    const VISITS: bool = VISITS;
    type Args = NoArgs;
    type Target = ();
    type Step = Deed;
    type Link = ();
    type Session = Alarm;

    fn new(_: NoArgs) -> Result<Self, UsageError> {
        Err(UsageError::new("made of suites alone"))
    }
    fn label(&self) -> String {
        "a system that is well".into()
    }
    fn describe(&self) -> serde_json::Value {
        serde_json::Value::Null
    }
    fn ops(&self) -> Vec<String> {
        self.plans.ops.clone()
    }
    fn extras(&self) -> Vec<ExtraPlan> {
        self.plans.extras.clone()
    }
    fn counters(&self) -> Vec<ExtraPlan> {
        self.plans.counters.clone()
    }
    fn rates(&self) -> Vec<RatePlan> {
        self.plans.rates.clone()
    }
    fn script(&self) -> &Script<Deed> {
        &self.script
    }
    async fn prepare(&self, _: &mut Control) -> Result<(), PrepareError> {
        Ok(())
    }
    fn sharing(&self) -> Sharing {
        self.sharing
    }
    fn share(&self, (): &()) -> Option<()> {
        Some(())
    }
    async fn connect(&self, _: &(), id: LinkId, probe: &mut Probe<'_>) -> Result<(), Fault> {
        if self.sharing == Sharing::Pool {
            (0..id.connections.get()).for_each(|_| probe.connected(probe.now()));
        }
        Ok(())
    }
    async fn open(&self, (): (), _: &Vu) -> Result<Alarm, Fault> {
        Ok(the_clock().alarm())
    }
    /// Answers after 1 to 20 ms, so that a pause that began with the call would be seen.
    async fn call(
        &self,
        alarm: &mut Alarm,
        deed: &Deed,
        vu: &mut Vu,
        probe: &mut Probe<'_>,
    ) -> Result<Outcome, Fault> {
        let begin = probe.now();
        alarm.set(begin + Nanos(MS * (1 + vu.scope.seq as i64 % 20)));
        alarm.wait().await;
        let (user, iteration, step) = (vu.scope.vu, vu.scope.iteration, deed.step);
        self.seen.lock().unwrap().push(Seen { user, iteration, step, begin, end: probe.now() });
        Ok(Outcome { ends_session: deed.closes, ..Outcome::default() })
    }
}

/// The folder of a shipped suite.
fn shipped(name: &str) -> String {
    format!("{}/../../suites/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Users of a suite, a folder or file, as the tool whose part of it is called `tool` reads it, with what `line` says besides.
fn act<const VISITS: bool>(tool: &str, suite: &str, line: &str) -> (RunFile, Arc<Users<VISITS>>) {
    let mut args = args(&format!("--suite {suite} --no-thresholds {line}"));
    let suite = suite::read(&args, tool).unwrap().unwrap();
    suite::apply(&mut args, &suite).unwrap();
    play_args(&args, Users::of(suite), None)
}
