//! How does a suite become scripts? Every class, task and step compiled, with names and indices fixed before the run.
//!
//! | question | module |
//! |---|---|
//! | What does a suite ask of an answer? | [`rules`] |

pub mod rules;

use std::num::NonZeroU32;
use std::path::Path;

use load_core::error::UsageError;
use load_core::protocol::{
    Act, Branch, Call, OpId, Parallel, Poll, Script as Tasks, Task, TaskStep, UserClass,
};
use load_report::model::{ExtraPlan, RatePlan};
use load_suite::fields::{At, Fields};
use load_suite::node::SuiteError;
use load_suite::suite::{self, Measure, MeasureKind, Suite, Tests};
use load_suite::template::Names;
use load_suite::think::Think;

use super::protocol::Step;
use super::script::{Command, Manner, Script};
use super::series;
use rules::{Good, Meter, Rules};

/// What a suite comes to.
pub struct Compiled {
    /// All scripts; those of the cleanup are the last ones.
    pub scripts: Vec<Script>,
    /// How many of them are for the cleanup.
    pub cleanup: usize,
    /// What users do.
    pub tasks: Tasks<Step>,
    /// Names of what is counted and timed.
    pub names: Gathered,
}

/// Names of what is counted and timed.
#[derive(Default)]
pub struct Gathered {
    /// Ops.
    pub ops: Vec<String>,
    /// Series of the protocol's own, and behind them the suite's.
    pub extras: Vec<ExtraPlan>,
    /// Counters, in the same order.
    pub counters: Vec<ExtraPlan>,
    /// Shares of counters.
    pub rates: Vec<RatePlan>,
}

/// Compiles `suite`, on top of the protocol's `extras` and counters.
///
/// # Errors
/// The first mistake, with its place.
pub fn compiled(suite: &Suite, manner: Manner, extras: Vec<ExtraPlan>) -> Result<Compiled, UsageError> {
    Compiler::new(suite, manner, extras)
        .and_then(|compiler| compiler.run(suite))
        .map_err(|error| UsageError::new(error.to_string()))
}

struct Compiler {
    manner: Manner,
    number: usize,
    expect: Option<Fields>,
    timeout: Option<std::time::Duration>,
    meters: Vec<Meter>,
    scripts: Vec<Script>,
    names: Gathered,
}

fn plan(name: &str, help: &str) -> ExtraPlan {
    ExtraPlan { name: name.to_owned(), help: help.to_owned() }
}

impl Compiler {
    fn new(suite: &Suite, manner: Manner, extras: Vec<ExtraPlan>) -> Result<Self, SuiteError> {
        let (mut expect, mut timeout) = (None, None);
        if let Some(mut defaults) = suite.defaults.clone() {
            expect = defaults.table("expect")?;
            timeout = defaults.duration("timeout")?.map(|at| at.value);
            defaults.finish("[defaults]")?;
        }
        let mut counters = series::counters();
        let (passed, made) = (counters.len(), counters.len() + 1);
        counters.push(plan("checks_passed", "calls with an answer that was all that its step expects"));
        counters.push(plan("checks_made", "calls of steps that expect something"));
        let rates = vec![RatePlan { name: "checks".into(), cases: passed, all: made }];
        let mut compiler = Self {
            manner,
            number: 0,
            expect,
            timeout,
            meters: Vec::new(),
            scripts: Vec::new(),
            names: Gathered { ops: Vec::new(), extras, counters, rates },
        };
        compiler.meters = suite.measures.iter().map(|measure| compiler.meter(measure)).collect();
        Ok(compiler)
    }

    fn meter(&mut self, measure: &Measure) -> Meter {
        let name = measure.name.as_str();
        let mut counter = |name: &str| {
            self.names.counters.push(plan(name, "of the suite"));
            self.names.counters.len() - 1
        };
        match measure.kind {
            MeasureKind::Counter => Meter::Counter(counter(name)),
            MeasureKind::Rate => {
                let (cases, all) = (counter(&format!("{name}_cases")), counter(&format!("{name}_all")));
                self.names.rates.push(RatePlan { name: name.to_owned(), cases, all });
                Meter::Rate(cases, all)
            }
            MeasureKind::Trend => {
                self.names.extras.push(plan(name, "of the suite"));
                Meter::Trend(self.names.extras.len() - 1)
            }
        }
    }

    fn run(mut self, suite: &Suite) -> Result<Compiled, SuiteError> {
        let classes = suite.users.iter().map(|class| self.class(class)).collect::<Result<Vec<_>, _>>()?;
        let before = self.scripts.len();
        let mut names = suite.names.clone();
        for step in &suite.cleanup {
            self.call(step, &mut names)?;
        }
        let cleanup = self.scripts.len() - before;
        let Self { scripts, names, .. } = self;
        Ok(Compiled { scripts, cleanup, tasks: Tasks::new(classes), names })
    }

    fn class(&mut self, class: &suite::UserClass) -> Result<UserClass<Step>, SuiteError> {
        // What `\set` and `\gset` add is the class's, too.
        let mut names = class.names.clone();
        let start = self.steps(&class.start, &mut names)?;
        let mut tasks = Vec::new();
        for task in &class.tasks {
            tasks.push(Task {
                name: task.name.value.clone(),
                weight: task.weight,
                condition: task.condition.clone(),
                steps: self.steps(&task.steps, &mut names)?,
            });
        }
        if class.in_order {
            tasks = vec![Task::new(1, in_order(tasks))];
        }
        Ok(UserClass {
            name: class.name.value.clone(),
            weight: class.weight,
            think: class.think,
            start,
            tasks,
            stop: self.steps(&class.stop, &mut names)?,
        })
    }

    fn steps(&mut self, steps: &[suite::Step], names: &mut Names) -> Result<Vec<TaskStep<Step>>, SuiteError> {
        steps.iter().map(|step| self.step(step, names)).collect()
    }

    fn step(&mut self, step: &suite::Step, names: &mut Names) -> Result<TaskStep<Step>, SuiteError> {
        let act = match &step.parallel {
            Some(parallel) => Act::Parallel(Box::new(self.parallel(parallel, names)?)),
            None => Act::Call(self.call(step, names)?),
        };
        let (conditions, think) = (step.conditions.clone(), step.think.unwrap_or(Think::None));
        Ok(TaskStep { conditions, act, think })
    }

    fn parallel(
        &mut self,
        parallel: &suite::Parallel,
        names: &mut Names,
    ) -> Result<Parallel<Step>, SuiteError> {
        let branch = |step: &suite::Step| {
            Ok(Branch { conditions: step.conditions.clone(), call: self.call(step, names)? })
        };
        let branches = parallel.steps.iter().map(branch).collect::<Result<Vec<_>, SuiteError>>()?;
        let help = "from the begin of several calls at the same time to the end of the last";
        let series = parallel.series.as_ref().map(|name| self.series(&name.value, help));
        let all = NonZeroU32::new(branches.len() as u32).unwrap_or(NonZeroU32::MIN);
        Ok(Parallel { branches, at_once: parallel.at_once.unwrap_or(all), series })
    }

    fn call(&mut self, step: &suite::Step, names: &mut Names) -> Result<Call<Step>, SuiteError> {
        let mut fields = step.request.clone();
        let (place, sql) = statements(&mut fields)?;
        fields.finish("a step")?;
        let name = step.name.as_ref().map_or_else(|| shortened(&sql.value), |name| name.value.clone());
        let script = Script::compile((&name, &place), &sql.value, names, self.manner, &mut self.number);
        let mut script = script.map_err(|why| sql.wrong(why))?;
        let expect = step.expect.clone().or_else(|| self.expect.clone());
        let rules = Rules {
            expects: expect.is_some(),
            good: expect.map(|expect| good(expect, names, "expect")).transpose()?.unwrap_or_default(),
            until: step.poll.as_ref().map(|poll| good(poll.until.clone(), names, "until")).transpose()?,
            captures: step.captures.clone(),
            feeds: step.feeds.iter().map(|feed| (feed.gives.clone(), self.meters[feed.measure])).collect(),
        };
        if rules.need_rows()
            && let Some(Command::Send(batch)) =
                script.commands.iter_mut().rev().find(|command| matches!(command, Command::Send(_)))
        {
            batch.keep.get_or_insert_default();
            if let Some(last) = batch.statements.last_mut() {
                last.describe();
            }
        }
        let op = self.op(&name).ok_or_else(|| {
            sql.wrong("more names of calls than can be told apart; give steps the same name")
        })?;
        self.scripts.push(script);
        let rules = Some(Box::new(rules));
        let poll = step.poll.as_ref().map(|poll| self.poll(poll));
        let timeout = step.timeout.or(self.timeout).map(Into::into);
        Ok(Call { op, step: Step { script: self.scripts.len() - 1, rules }, poll, timeout })
    }

    fn poll(&mut self, poll: &suite::Poll) -> Poll {
        let help = "from the first call to the condition";
        let series = poll.series.as_ref().map(|name| self.series(&name.value, help));
        Poll { every: poll.every.into(), at_most: poll.at_most, series }
    }

    /// The index of the series `name`.
    fn series(&mut self, name: &str, help: &str) -> usize {
        let at = self.names.extras.iter().position(|extra| extra.name == name);
        at.unwrap_or_else(|| {
            self.names.extras.push(plan(name, help));
            self.names.extras.len() - 1
        })
    }

    /// The index of `name`; none when there are too many.
    fn op(&mut self, name: &str) -> Option<OpId> {
        let at = self.names.ops.iter().position(|op| op == name).unwrap_or_else(|| {
            self.names.ops.push(name.to_owned());
            self.names.ops.len() - 1
        });
        OpId::try_from(at).ok()
    }
}

/// The steps of all tasks; what a task needs, each of its steps needs.
fn in_order(tasks: Vec<Task<Step>>) -> Vec<TaskStep<Step>> {
    let steps = |task: Task<Step>| {
        let condition = task.condition;
        task.steps.into_iter().map(move |mut step| {
            step.conditions.extend(condition.clone());
            step
        })
    };
    tasks.into_iter().flat_map(steps).collect()
}

/// What a step sends, and what mistakes in it are called.
fn statements(fields: &mut Fields) -> Result<(String, At<String>), SuiteError> {
    match (fields.text("sql")?, fields.text("sql_file")?) {
        (Some(sql), None) => Ok(("sql".to_owned(), sql)),
        (None, Some(file)) => {
            let folder = Path::new(&*file.place.file).parent().unwrap_or_else(|| Path::new(""));
            let path = folder.join(&file.value);
            let text = std::fs::read_to_string(&path)
                .map_err(|error| file.wrong(format!("sql_file: {}: {error}", path.display())))?;
            Ok((path.display().to_string(), file.map(|_| text)))
        }
        _ => Err(fields.wrong("a step without SQL; expected sql = \"SELECT ...\" or sql_file = \"FILE\"")),
    }
}

/// The statement in one line, for those that have no name.
fn shortened(sql: &str) -> String {
    const LONGEST: usize = 60;
    let line = sql.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// What a good answer is.
fn good(mut fields: Fields, names: &Names, what: &str) -> Result<Good, SuiteError> {
    let rows = fields.count("rows", 0)?;
    let (min_rows, max_rows) = (fields.count("min_rows", 0)?, fields.count("max_rows", 0)?);
    let tests = Tests::read(&mut fields, names)?;
    fields.finish(what)?;
    let (least, most) = (rows.or(min_rows).unwrap_or(0), rows.or(max_rows).unwrap_or(u64::MAX));
    Ok(Good { rows: least..=most, tests })
}
