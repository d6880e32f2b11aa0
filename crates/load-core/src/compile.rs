//! How does a suite become a script? Its classes, tasks and steps, with names and indices fixed before the run; what a call
//! is, the protocol says.

mod feed;

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::time::Duration;

use load_report::model::{ExtraPlan, RatePlan};
use load_suite::node::{Place, SuiteError};
use load_suite::suite::{self, Gives, Measure, MeasureKind, Suite};
use load_suite::template::Names;
use load_suite::think::Think;
use serde_json::Value as Json;

use crate::outside::Outside;
use crate::protocol::{
    Act, Branch, Call, Hold, OpId, Parallel, Poll, Script, Task, TaskStep, Timer, UserClass,
};

pub use feed::{counts, feed, feed_by_answer};

/// What is counted and timed under which names; other places refer to them by index.
#[derive(Clone, Debug, Default)]
pub struct Plans {
    /// Ops.
    pub ops: Vec<String>,
    /// Series: the protocol's, then the suite's own.
    pub extras: Vec<ExtraPlan>,
    /// Counters: the protocol's, then the suite's own.
    pub counters: Vec<ExtraPlan>,
    /// Shares of counters.
    pub rates: Vec<RatePlan>,
}

/// What a run has of its suite besides the script.
#[derive(Clone, Debug)]
pub struct FromSuite<S> {
    /// The suite's name.
    pub name: String,
    /// That of the environment.
    pub environment: String,
    /// That of the profile.
    pub profile: String,
    /// Where the token comes from that goes with its calls, in words.
    pub token: Option<String>,
    /// Values that must never be printed.
    pub secrets: Vec<String>,
    /// Made once before the run.
    pub setup: Vec<Outside<S>>,
    /// Made once after everything.
    pub cleanup: Vec<Outside<S>>,
    /// What is counted and timed.
    pub plans: Plans,
}

impl<S> FromSuite<S> {
    /// Which suite it was, for the record.
    pub fn describe(&self) -> Json {
        serde_json::json!({
            "name": self.name,
            "environment": self.environment,
            "profile": self.profile,
            "token": self.token,
        })
    }
}

/// What the protocol makes of one call of a suite.
pub struct Made<S> {
    /// Under which it counts, unless the step has a name.
    pub name: String,
    /// What it sends.
    pub step: S,
    /// How long it may take, unless the step says so.
    pub timeout: Option<Duration>,
}

/// Where a metric of a suite is gathered: indices of the protocol's own counters and series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meter {
    /// A sum.
    Counter(usize),
    /// Cases in question, and all cases.
    Rate(usize, usize),
    /// Times.
    Trend(usize),
}

/// What a step gives to which metrics.
pub type Feeds = Vec<(Gives, Meter)>;

/// Compiles suites.
pub struct Compiler {
    /// Calls at the same time, where a suite does not say how many; as many as there are without it.
    at_once: Option<NonZeroU32>,
    /// Connections are held, and messages come by themselves.
    holds: bool,
    /// Answers have statuses and headers, and several kinds of them may be good.
    answers: bool,
    /// The steps that are being compiled are those before or behind the run.
    outside: bool,
    meters: Vec<Meter>,
    /// Where a name is among the ops.
    op_of: HashMap<String, OpId>,
    plans: Plans,
}

const ANSWERS: &str = "for HTTP, which api-load alone speaks throughout";
const HOLDS: &str = "for connections that are held, which ws-load alone has; leave it out";

/// A series or counter of this name and meaning.
pub fn plan((name, help): (&str, &str)) -> ExtraPlan {
    ExtraPlan { name: name.to_owned(), help: help.to_owned() }
}

impl Compiler {
    /// For a suite with these metrics, and a protocol with these `plans` of its own, which makes `at_once` calls at the same
    /// time, or as many as there are, unless the suite says how many.
    pub fn new(measures: &[Measure], at_once: Option<NonZeroU32>, plans: Plans) -> Self {
        let mut compiler = Self {
            at_once,
            holds: false,
            answers: false,
            outside: false,
            meters: Vec::new(),
            op_of: HashMap::new(),
            plans,
        };
        compiler.meters = measures.iter().map(|measure| compiler.meter(measure)).collect();
        compiler
    }

    /// For a protocol whose users hold connections: classes may have `connect` and `pushes`, and steps `hold`.
    #[must_use]
    pub fn holding(self) -> Self {
        Self { holds: true, ..self }
    }

    /// For a protocol whose answers have statuses and headers: metrics may be fed by them, and `expect` may be a list.
    #[must_use]
    pub fn answering(self) -> Self {
        Self { answers: true, ..self }
    }

    /// Whether the present step is made once, before or behind the run, over a connection of its own.
    pub fn is_outside(&self) -> bool {
        self.outside
    }

    /// What `step` gives to which of them.
    pub fn feeds(&self, step: &suite::Step) -> Feeds {
        step.feeds.iter().map(|feed| (feed.gives.clone(), self.meters[feed.measure])).collect()
    }

    /// Compiles `suite`, whose steps `call` makes calls of. It may add names, which the later steps of the class know, too.
    ///
    /// # Errors
    /// The first mistake, with its place.
    pub fn run<S>(
        mut self,
        suite: &Suite,
        mut call: impl FnMut(&Self, &suite::Step, &mut Names) -> Result<Made<S>, SuiteError>,
    ) -> Result<(Script<S>, FromSuite<S>), SuiteError> {
        let mut classes = Vec::new();
        for class in &suite.users {
            classes.push(self.class(class, &mut call)?);
        }
        let mut names = suite.names.clone();
        self.outside = true;
        let mut outside = |steps: &[suite::Outside]| {
            steps.iter().map(|one| self.outside(one, &mut names, &mut call)).collect::<Result<Vec<_>, _>>()
        };
        let (setup, cleanup) = (outside(&suite.setup)?, outside(&suite.cleanup)?);
        let from_suite = FromSuite {
            setup,
            cleanup,
            name: suite.name.clone(),
            environment: suite.environment.name.clone(),
            profile: suite.profile.name.clone(),
            token: None,
            secrets: suite.secrets.clone(),
            plans: self.plans,
        };
        Ok((Script::new(classes), from_suite))
    }

    fn meter(&mut self, measure: &Measure) -> Meter {
        let name = measure.name.as_str();
        let mut counter = |name: &str| {
            self.plans.counters.push(plan((name, "of the suite")));
            self.plans.counters.len() - 1
        };
        match measure.kind {
            MeasureKind::Counter => Meter::Counter(counter(name)),
            MeasureKind::Rate => {
                let (cases, all) = (counter(&format!("{name}_cases")), counter(&format!("{name}_all")));
                self.plans.rates.push(RatePlan { name: name.to_owned(), cases, all });
                Meter::Rate(cases, all)
            }
            MeasureKind::Trend => {
                self.plans.extras.push(plan((name, "of the suite")));
                Meter::Trend(self.plans.extras.len() - 1)
            }
        }
    }

    fn class<S>(
        &mut self,
        class: &suite::UserClass,
        call: &mut impl FnMut(&Self, &suite::Step, &mut Names) -> Result<Made<S>, SuiteError>,
    ) -> Result<UserClass<S>, SuiteError> {
        let held = class.connect.as_ref().map(|fields| ("connect", &fields.place));
        let held = held.or_else(|| class.pushes.as_ref().map(|pushes| ("pushes", &pushes.place)));
        if let Some((key, place)) = held.filter(|_| !self.holds) {
            return Err(SuiteError::at(place, format!("{key}: {HOLDS}")));
        }
        let mut names = class.names.clone();
        let mut steps = |steps: &[suite::Step]| {
            steps.iter().map(|step| self.step(step, &mut names, call)).collect::<Result<Vec<_>, _>>()
        };
        let mut tasks = Vec::new();
        let start = steps(&class.start)?;
        for task in &class.tasks {
            tasks.push(Task {
                name: task.name.value.clone(),
                weight: task.weight,
                condition: task.condition.clone(),
                steps: steps(&task.steps)?,
            });
        }
        let stop = steps(&class.stop)?;
        if class.in_order {
            tasks = vec![Task::new(1, in_order(tasks))];
        }
        Ok(UserClass {
            name: class.name.value.clone(),
            weight: class.weight,
            think: class.think,
            start,
            tasks,
            stop,
        })
    }

    fn step<S>(
        &mut self,
        step: &suite::Step,
        names: &mut Names,
        call: &mut impl FnMut(&Self, &suite::Step, &mut Names) -> Result<Made<S>, SuiteError>,
    ) -> Result<TaskStep<S>, SuiteError> {
        let act = match (&step.parallel, &step.hold) {
            (Some(parallel), _) => Act::Parallel(Box::new(self.parallel(parallel, names, call)?)),
            (None, Some(_)) if !self.holds => {
                return Err(SuiteError::at(&step.place, format!("hold: {HOLDS}")));
            }
            (None, Some(hold)) => Act::Hold(Box::new(self.hold(hold, &step.place, names, call)?)),
            (None, None) if step.pause => Act::Pause,
            (None, None) => Act::Call(self.call(step, names, call)?),
        };
        Ok(TaskStep {
            conditions: step.conditions.clone(),
            act,
            think: step.think.unwrap_or(Think::None),
            goes_on: (step.goes_on == Some(true)).then(|| {
                let captured = step.captures.iter().filter(|capture| !capture.keep);
                captured.map(|capture| capture.slot).collect()
            }),
        })
    }

    fn parallel<S>(
        &mut self,
        parallel: &suite::Parallel,
        names: &mut Names,
        call: &mut impl FnMut(&Self, &suite::Step, &mut Names) -> Result<Made<S>, SuiteError>,
    ) -> Result<Parallel<S>, SuiteError> {
        let branch = |step: &suite::Step| {
            Ok(Branch { conditions: step.conditions.clone(), call: self.call(step, names, call)? })
        };
        let branches = parallel.steps.iter().map(branch).collect::<Result<Vec<_>, SuiteError>>()?;
        let help = "from the begin of several calls at the same time to the end of the last";
        let series = parallel.series.as_ref().map(|name| self.series(&name.value, help));
        let all = NonZeroU32::new(branches.len() as u32).unwrap_or(NonZeroU32::MIN);
        let at_once = parallel.at_once.or(self.at_once).unwrap_or(all);
        Ok(Parallel { branches, at_once, series })
    }

    fn hold<S>(
        &mut self,
        hold: &suite::Hold,
        place: &Place,
        names: &mut Names,
        call: &mut impl FnMut(&Self, &suite::Step, &mut Names) -> Result<Made<S>, SuiteError>,
    ) -> Result<Hold<S>, SuiteError> {
        // It is no call, and has no name.
        let until = hold.until.as_deref().map(|step| Ok(call(self, step, names)?.step)).transpose()?;
        let help = "from the begin of a hold to what it waited for";
        let series = hold.series.as_ref().map(|name| self.series(&name.value, help));
        let timers = hold.timers.iter().map(|timer| {
            let calls = timer.steps.iter().map(|(weight, step)| {
                let conditions = step.conditions.clone();
                Ok((*weight, Branch { conditions, call: self.call(step, names, call)? }))
            });
            let calls = calls.collect::<Result<_, SuiteError>>()?;
            Ok(Timer { first: timer.first.into(), every: timer.every.into(), calls })
        });
        let timers = timers.collect::<Result<_, SuiteError>>()?;
        let missed = format!("what it waits for did not come while it was held ({place})");
        Ok(Hold { lasts: hold.lasts, until, missed, series, timers })
    }

    /// A step that is no part of the load: no name of it is among the ops, and no series.
    fn outside<S>(
        &self,
        one: &suite::Outside,
        names: &mut Names,
        call: &mut impl FnMut(&Self, &suite::Step, &mut Names) -> Result<Made<S>, SuiteError>,
    ) -> Result<Outside<S>, SuiteError> {
        let step = &one.step;
        self.look(step)?;
        let made = call(self, step, names)?;
        let poll = step.poll.as_ref();
        Ok(Outside {
            name: step.name.as_ref().map_or(made.name, |name| name.value.clone()),
            place: step.place.to_string(),
            repeat: one.repeat,
            conditions: step.conditions.clone(),
            step: made.step,
            poll: poll.map(|poll| Poll { every: poll.every.into(), at_most: poll.at_most, series: None }),
            timeout: step.timeout.or(made.timeout),
            think: step.think.unwrap_or(Think::None),
        })
    }

    fn call<S>(
        &mut self,
        step: &suite::Step,
        names: &mut Names,
        call: &mut impl FnMut(&Self, &suite::Step, &mut Names) -> Result<Made<S>, SuiteError>,
    ) -> Result<Call<S>, SuiteError> {
        self.look(step)?;
        let made = call(self, step, names)?;
        let name = step.name.as_ref().map_or(&made.name, |name| &name.value);
        let op = self.op(name).ok_or_else(|| {
            let why = "more names of calls than can be told apart; give steps the same name";
            SuiteError::at(&step.place, why)
        })?;
        let poll = step.poll.as_ref().map(|poll| self.poll(poll));
        let timeout = step.timeout.or(made.timeout).map(Into::into);
        Ok(Call { op, step: made.step, poll, timeout })
    }

    /// Refuses what is for answers of another kind.
    fn look(&self, step: &suite::Step) -> Result<(), SuiteError> {
        let fed = step.feeds.iter().any(|feed| feed.gives.is_of_answer());
        let what = match (step.or_expect.is_empty(), fed) {
            (false, _) => "expect: a list of answers is",
            (true, true) => "metrics: status and header are",
            (true, false) => return Ok(()),
        };
        if self.answers { Ok(()) } else { Err(SuiteError::at(&step.place, format!("{what} {ANSWERS}"))) }
    }

    fn poll(&mut self, poll: &suite::Poll) -> Poll {
        let help = "from the first call to the condition";
        let series = poll.series.as_ref().map(|name| self.series(&name.value, help));
        Poll { every: poll.every.into(), at_most: poll.at_most, series }
    }

    /// The index of the series `name`.
    fn series(&mut self, name: &str, help: &str) -> usize {
        let at = self.plans.extras.iter().position(|extra| extra.name == name);
        at.unwrap_or_else(|| {
            self.plans.extras.push(plan((name, help)));
            self.plans.extras.len() - 1
        })
    }

    /// The index of `name`; none when there are too many.
    fn op(&mut self, name: &str) -> Option<OpId> {
        if let Some(op) = self.op_of.get(name) {
            return Some(*op);
        }
        let op = OpId::try_from(self.plans.ops.len()).ok()?;
        self.plans.ops.push(name.to_owned());
        self.op_of.insert(name.to_owned(), op);
        Some(op)
    }
}

/// The steps of all tasks; what a task needs, each of its steps needs.
fn in_order<S>(tasks: Vec<Task<S>>) -> Vec<TaskStep<S>> {
    let steps = |task: Task<S>| {
        let condition = task.condition;
        task.steps.into_iter().map(move |mut step| {
            step.conditions.extend(condition.clone());
            step
        })
    };
    tasks.into_iter().flat_map(steps).collect()
}
