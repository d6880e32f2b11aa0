//! How does a suite become a script? Its classes, tasks and steps, with names and indices fixed before the run; what a call
//! is, the protocol says.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::time::Duration;

use load_report::model::{ExtraPlan, RatePlan};
use load_suite::node::SuiteError;
use load_suite::suite::{self, Gives, Measure, MeasureKind, Suite};
use load_suite::template::Names;
use load_suite::think::Think;
use serde_json::Value as Json;

use crate::protocol::{Act, Branch, Call, OpId, Parallel, Poll, Probe, Script, Task, TaskStep, UserClass};

/// What a suite comes to.
pub struct Compiled<S> {
    /// What users do.
    pub script: Script<S>,
    /// Run once after everything.
    pub cleanup: Vec<S>,
    /// Names of the ops.
    pub ops: Vec<String>,
    /// Series: the protocol's, then the suite's own.
    pub extras: Vec<ExtraPlan>,
    /// Counters: the protocol's, then the suite's own.
    pub counters: Vec<ExtraPlan>,
    /// Shares of counters.
    pub rates: Vec<RatePlan>,
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
    /// Calls at the same time, where a suite does not say how many.
    at_once: NonZeroU32,
    meters: Vec<Meter>,
    ops: Vec<String>,
    /// Where a name is among the ops.
    op_of: HashMap<String, OpId>,
    extras: Vec<ExtraPlan>,
    counters: Vec<ExtraPlan>,
    rates: Vec<RatePlan>,
}

/// A series or counter of this name and meaning.
pub fn plan((name, help): (&str, &str)) -> ExtraPlan {
    ExtraPlan { name: name.to_owned(), help: help.to_owned() }
}

impl Compiler {
    /// For a suite with these metrics, and a protocol with these series, counters and shares of its own, which makes so many
    /// calls at the same time unless the suite says how many.
    pub fn new(
        measures: &[Measure],
        at_once: NonZeroU32,
        extras: Vec<ExtraPlan>,
        counters: Vec<ExtraPlan>,
        rates: Vec<RatePlan>,
    ) -> Self {
        let (meters, ops, op_of) = (Vec::new(), Vec::new(), HashMap::new());
        let mut compiler = Self { at_once, meters, ops, op_of, extras, counters, rates };
        compiler.meters = measures.iter().map(|measure| compiler.meter(measure)).collect();
        compiler
    }

    /// What `step` gives to which of them.
    pub fn feeds(&self, step: &suite::Step) -> Feeds {
        step.feeds.iter().map(|feed| (feed.gives.clone(), self.meters[feed.measure])).collect()
    }

    /// Compiles `suite`, whose steps `call` makes calls of.
    ///
    /// # Errors
    /// The first mistake, with its place.
    pub fn run<S>(
        mut self,
        suite: &Suite,
        mut call: impl FnMut(&Self, &suite::Step, &Names) -> Result<Made<S>, SuiteError>,
    ) -> Result<Compiled<S>, SuiteError> {
        let mut classes = Vec::new();
        for class in &suite.users {
            classes.push(self.class(class, &mut call)?);
        }
        let cleanup = suite.cleanup.iter().map(|step| Ok(self.call(step, &suite.names, &mut call)?.step));
        let cleanup = cleanup.collect::<Result<_, SuiteError>>()?;
        let Self { ops, extras, counters, rates, .. } = self;
        Ok(Compiled { script: Script::new(classes), cleanup, ops, extras, counters, rates })
    }

    fn meter(&mut self, measure: &Measure) -> Meter {
        let name = measure.name.as_str();
        let mut counter = |name: &str| {
            self.counters.push(plan((name, "of the suite")));
            self.counters.len() - 1
        };
        match measure.kind {
            MeasureKind::Counter => Meter::Counter(counter(name)),
            MeasureKind::Rate => {
                let (cases, all) = (counter(&format!("{name}_cases")), counter(&format!("{name}_all")));
                self.rates.push(RatePlan { name: name.to_owned(), cases, all });
                Meter::Rate(cases, all)
            }
            MeasureKind::Trend => {
                self.extras.push(plan((name, "of the suite")));
                Meter::Trend(self.extras.len() - 1)
            }
        }
    }

    fn class<S>(
        &mut self,
        class: &suite::UserClass,
        call: &mut impl FnMut(&Self, &suite::Step, &Names) -> Result<Made<S>, SuiteError>,
    ) -> Result<UserClass<S>, SuiteError> {
        let names = &class.names;
        let mut steps = |steps: &[suite::Step]| {
            steps.iter().map(|step| self.step(step, names, call)).collect::<Result<Vec<_>, _>>()
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
        names: &Names,
        call: &mut impl FnMut(&Self, &suite::Step, &Names) -> Result<Made<S>, SuiteError>,
    ) -> Result<TaskStep<S>, SuiteError> {
        let act = match &step.parallel {
            Some(parallel) => Act::Parallel(Box::new(self.parallel(parallel, names, call)?)),
            None => Act::Call(self.call(step, names, call)?),
        };
        let (conditions, think) = (step.conditions.clone(), step.think.unwrap_or(Think::None));
        Ok(TaskStep { conditions, act, think })
    }

    fn parallel<S>(
        &mut self,
        parallel: &suite::Parallel,
        names: &Names,
        call: &mut impl FnMut(&Self, &suite::Step, &Names) -> Result<Made<S>, SuiteError>,
    ) -> Result<Parallel<S>, SuiteError> {
        let branch = |step: &suite::Step| {
            Ok(Branch { conditions: step.conditions.clone(), call: self.call(step, names, call)? })
        };
        let branches = parallel.steps.iter().map(branch).collect::<Result<_, SuiteError>>()?;
        let help = "from the begin of several calls at the same time to the end of the last";
        let series = parallel.series.as_ref().map(|name| self.series(&name.value, help));
        Ok(Parallel { branches, at_once: parallel.at_once.unwrap_or(self.at_once), series })
    }

    fn call<S>(
        &mut self,
        step: &suite::Step,
        names: &Names,
        call: &mut impl FnMut(&Self, &suite::Step, &Names) -> Result<Made<S>, SuiteError>,
    ) -> Result<Call<S>, SuiteError> {
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

    fn poll(&mut self, poll: &suite::Poll) -> Poll {
        let help = "from the first call to the condition";
        let series = poll.series.as_ref().map(|name| self.series(&name.value, help));
        Poll { every: poll.every.into(), at_most: poll.at_most, series }
    }

    /// The index of the series `name`.
    fn series(&mut self, name: &str, help: &str) -> usize {
        let at = self.extras.iter().position(|extra| extra.name == name);
        at.unwrap_or_else(|| {
            self.extras.push(plan((name, help)));
            self.extras.len() - 1
        })
    }

    /// The index of `name`; none when there are too many.
    fn op(&mut self, name: &str) -> Option<OpId> {
        if let Some(op) = self.op_of.get(name) {
            return Some(*op);
        }
        let op = OpId::try_from(self.ops.len()).ok()?;
        self.ops.push(name.to_owned());
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

/// Gives metrics what a call has for them: whether it was good, how long it took, and its answer as JSON.
pub fn feed(feeds: &Feeds, ok: bool, time: Duration, json: Option<&Json>, probe: &Probe<'_>) {
    for (gives, meter) in feeds {
        let ns = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        match (gives, *meter) {
            (Gives::Time, Meter::Trend(series)) => probe.observe(series, ns),
            (Gives::Ok, Meter::Counter(counter)) => probe.count(counter, u64::from(ok)),
            (Gives::Failed, Meter::Counter(counter)) => probe.count(counter, u64::from(!ok)),
            (Gives::Ok | Gives::Failed, Meter::Rate(cases, all)) => {
                probe.count(cases, u64::from(ok == matches!(gives, Gives::Ok)));
                probe.count(all, 1);
            }
            (Gives::Number(n), Meter::Counter(counter)) if ok => probe.count(counter, *n),
            (Gives::Json(path), meter) if ok => {
                let value = json.and_then(|json| path.find(json).first().and_then(|value| value.as_f64()));
                match (value.filter(|value| *value >= 0.0), meter) {
                    (Some(ms), Meter::Trend(series)) => probe.observe(series, (ms * 1e6) as u64),
                    (Some(n), Meter::Counter(counter)) => probe.count(counter, n as u64),
                    _ => {}
                }
            }
            _ => {}
        }
    }
}
