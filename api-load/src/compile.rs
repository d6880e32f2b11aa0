//! How does a suite become calls? Every class, task and step compiled, with names and indices fixed before the run.

use std::collections::HashMap;

use load_core::error::UsageError;
use load_core::protocol::{Act, Branch, Call, OpId, Parallel, Poll, Script, Task, TaskStep, UserClass};
use load_net::http::{Body, Parts, Ways};
use load_net::redact;
use load_report::model::{ExtraPlan, RatePlan};
use load_suite::fields::{At, Fields};
use load_suite::node::SuiteError;
use load_suite::suite::{self, Measure, MeasureKind, Suite, Tests, compile, texts};
use load_suite::template::{Escape, Names};
use load_suite::think::Think;

use crate::client::Version;
use crate::content::Content;
use crate::expect::{Expect, StatusRange, Statuses};
use crate::manner;
use crate::protocol::Step;
use crate::rules::{self, Good, Meter, Rules};

/// What a suite comes to.
pub struct Compiled {
    /// What users do.
    pub script: Script<Step>,
    /// Run once after everything.
    pub cleanup: Vec<Step>,
    /// Names of the ops.
    pub ops: Vec<String>,
    /// Series of the suite's own.
    pub extras: Vec<ExtraPlan>,
    /// Counters of the suite's own.
    pub counters: Vec<ExtraPlan>,
    /// Shares of counters.
    pub rates: Vec<RatePlan>,
}

/// What all steps of a suite have in common.
pub struct Base<'a> {
    /// Which HTTP is spoken.
    pub version: Version,
    /// And whether over TLS.
    pub secure: bool,
    /// Path before that of every step.
    pub prefix: &'a str,
    /// Headers of every step that has none of the same name.
    pub headers: &'a [(String, String)],
    /// Statuses of a good answer, unless a step says otherwise.
    pub statuses: &'a Statuses,
    /// How calls are made, unless a step says otherwise.
    pub ways: Ways,
}

/// Compiles `suite`.
///
/// # Errors
/// The first mistake, with its place.
pub fn compiled(suite: &Suite, base: &Base<'_>) -> Result<Compiled, UsageError> {
    Compiler::new(suite, base)
        .and_then(|compiler| compiler.run(suite))
        .map_err(|error| UsageError::new(error.to_string()))
}

struct Compiler<'a> {
    base: &'a Base<'a>,
    /// Of the suite's environment and defaults: they win over those of the command line's defaults.
    headers: Vec<(String, At<String>)>,
    expect: Option<Fields>,
    timeout: Option<std::time::Duration>,
    ways: Ways,
    meters: Vec<Meter>,
    ops: Vec<String>,
    /// Where a name is among the ops.
    op_of: HashMap<String, OpId>,
    extras: Vec<ExtraPlan>,
    counters: Vec<ExtraPlan>,
    rates: Vec<RatePlan>,
}

fn plan((name, help): (&str, &str)) -> ExtraPlan {
    ExtraPlan { name: name.to_owned(), help: help.to_owned() }
}

impl<'a> Compiler<'a> {
    fn new(suite: &Suite, base: &'a Base<'a>) -> Result<Self, SuiteError> {
        let mut headers = suite.environment.headers.clone();
        let (mut expect, mut timeout, mut ways) = (None, None, base.ways);
        if let Some(mut defaults) = suite.defaults.clone() {
            if let Some(mut table) = defaults.table("headers")? {
                headers.extend(texts(&mut table)?);
            }
            expect = defaults.table("expect")?;
            timeout = defaults.duration("timeout")?.map(|at| at.value);
            ways = manner::ways(&mut defaults, ways)?;
            defaults.finish("[defaults]")?;
        }
        let mut compiler = Self {
            base,
            headers,
            expect,
            timeout,
            ways,
            meters: Vec::new(),
            ops: Vec::new(),
            op_of: HashMap::new(),
            extras: rules::SERIES.map(plan).into(),
            counters: rules::COUNTERS.map(plan).into(),
            rates: vec![RatePlan { name: "checks".into(), cases: 1, all: 2 }],
        };
        compiler.meters = suite.measures.iter().map(|measure| compiler.meter(measure)).collect();
        Ok(compiler)
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

    fn run(mut self, suite: &Suite) -> Result<Compiled, SuiteError> {
        let classes = suite.users.iter().map(|class| self.class(class)).collect::<Result<Vec<_>, _>>()?;
        let cleanup = suite.cleanup.iter().map(|step| Ok(self.call(step, &suite.names)?.step));
        let cleanup = cleanup.collect::<Result<_, SuiteError>>()?;
        let Self { ops, extras, counters, rates, .. } = self;
        Ok(Compiled { script: Script::new(classes), cleanup, ops, extras, counters, rates })
    }

    fn class(&mut self, class: &suite::UserClass) -> Result<UserClass<Step>, SuiteError> {
        let names = &class.names;
        let mut tasks = Vec::new();
        for task in &class.tasks {
            tasks.push(Task {
                name: task.name.value.clone(),
                weight: task.weight,
                condition: task.condition.clone(),
                steps: self.steps(&task.steps, names)?,
            });
        }
        if class.in_order {
            tasks = vec![Task::new(1, in_order(tasks))];
        }
        Ok(UserClass {
            name: class.name.value.clone(),
            weight: class.weight,
            think: class.think,
            start: self.steps(&class.start, names)?,
            tasks,
            stop: self.steps(&class.stop, names)?,
        })
    }

    fn steps(&mut self, steps: &[suite::Step], names: &Names) -> Result<Vec<TaskStep<Step>>, SuiteError> {
        steps.iter().map(|step| self.step(step, names)).collect()
    }

    fn step(&mut self, step: &suite::Step, names: &Names) -> Result<TaskStep<Step>, SuiteError> {
        let act = match &step.parallel {
            Some(parallel) => Act::Parallel(Box::new(self.parallel(parallel, names)?)),
            None => Act::Call(self.call(step, names)?),
        };
        let (conditions, think) = (step.conditions.clone(), step.think.unwrap_or(Think::None));
        Ok(TaskStep { conditions, act, think })
    }

    fn parallel(&mut self, parallel: &suite::Parallel, names: &Names) -> Result<Parallel<Step>, SuiteError> {
        let branch = |step: &suite::Step| {
            Ok(Branch { conditions: step.conditions.clone(), call: self.call(step, names)? })
        };
        let branches = parallel.steps.iter().map(branch).collect::<Result<_, SuiteError>>()?;
        let help = "from the begin of several calls at the same time to the end of the last";
        let series = parallel.series.as_ref().map(|name| self.series(&name.value, help));
        Ok(Parallel { branches, at_once: parallel.at_once.unwrap_or(self.base.version.at_once()), series })
    }

    fn call(&mut self, step: &suite::Step, names: &Names) -> Result<Call<Step>, SuiteError> {
        let mut fields = step.request.clone();
        let line = fields.required("request", "a request like \"GET /path\"")?;
        let (method, path) = request_line(&line)?;
        let content = Content::read(&mut fields, names, &|path| std::fs::read(path))?;
        let mut own = match fields.table("headers")? {
            Some(mut table) => texts(&mut table)?,
            None => Vec::new(),
        };
        let ways = manner::ways(&mut fields, self.ways)?;
        fields.finish("a step")?;
        let media_type = content.as_ref().and_then(|content| content.media_type.clone());
        if let Some(media_type) = media_type
            && !self.headers.iter().chain(&own).any(|(name, _)| name.eq_ignore_ascii_case("content-type"))
        {
            own.push(("Content-Type".into(), line.clone().map(|_| media_type)));
        }
        let headers = self.headers(&own, ways)?;
        let target = format!("{}{path}", self.base.prefix);
        let body = content.as_ref().map(|content| Body::Text(&content.body));
        let parts = Parts { method, target: &target, headers: &headers, body };
        let request = self
            .base
            .version
            .request((self.base.secure, ways), &parts, names)
            .map_err(|why| line.wrong(why))?;
        let (statuses, tests) = match step.expect.clone().or_else(|| self.expect.clone()) {
            Some(expect) => good(expect, names, "expect")?,
            None => (None, Good::default()),
        };
        let until = match &step.poll {
            Some(poll) => Some(good(poll.until.clone(), names, "until")?),
            None => None,
        };
        let needed = request.text.slots();
        let needs = names.variables().filter(|(_, slot)| needed.contains(slot));
        let rules = Rules {
            needs: needs.map(|(name, slot)| (slot, name.to_owned())).collect(),
            expects: step.expect.is_some() || self.expect.is_some(),
            good: tests,
            until,
            captures: step.captures.clone(),
            feeds: step.feeds.iter().map(|feed| (feed.gives.clone(), self.meters[feed.measure])).collect(),
        };
        let name = match &step.name {
            Some(name) => name.value.clone(),
            None => format!("{method} {}", redact::target(path)),
        };
        let op = self.op(&name).ok_or_else(|| {
            line.wrong("more names of calls than can be told apart; give steps the same name")
        })?;
        let expect = Expect { statuses: statuses.unwrap_or_else(|| self.base.statuses.clone()), text: None };
        let poll = step.poll.as_ref().map(|poll| self.poll(poll));
        let timeout = step.timeout.or(self.timeout).map(Into::into);
        Ok(Call { op, step: Step { request, expect, rules: Some(Box::new(rules)) }, poll, timeout })
    }

    /// The step's headers on top of those of the suite on top of those of the command line.
    fn headers(&self, own: &[(String, At<String>)], ways: Ways) -> Result<Vec<(String, String)>, SuiteError> {
        let mut all = self.base.headers.to_vec();
        manner::accept_encoding(ways, &mut all);
        for (name, value) in self.headers.iter().chain(own) {
            let is_name = ::http::HeaderName::from_bytes(name.as_bytes()).is_ok();
            if !is_name || ::http::HeaderValue::from_bytes(value.value.as_bytes()).is_err() {
                return Err(value.wrong(format!(
                    "headers: {name:?} with this value is no header like Accept = \"text/html\""
                )));
            }
            if ["content-length", "transfer-encoding"].iter().any(|ours| name.eq_ignore_ascii_case(ours)) {
                return Err(value.wrong(format!("headers: {name} follows from the body; leave it out")));
            }
            match all.iter_mut().find(|(there, _)| there.eq_ignore_ascii_case(name)) {
                Some((_, there)) => there.clone_from(&value.value),
                None => all.push((name.clone(), value.value.clone())),
            }
        }
        Ok(all)
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

/// Method and path of `GET /path`.
fn request_line(line: &At<String>) -> Result<(&str, &str), SuiteError> {
    let wrong = || {
        line.wrong(format!(
            "request: {:?}; expected a method and a path like \"GET /orders?page=2\"",
            line.value
        ))
    };
    let (method, path) = line.value.trim().split_once(' ').ok_or_else(wrong)?;
    let path = path.trim();
    if path.contains("://") {
        return Err(line.wrong(
            "request: a path without a host is expected; the host is the environment's url, or --url",
        ));
    }
    let is_path = path.starts_with('/') && !outside(path).contains(|c: char| c.is_whitespace() || c == '#');
    if method == "CONNECT" || ::http::Method::from_bytes(method.as_bytes()).is_err() || !is_path {
        return Err(wrong());
    }
    Ok((method, path))
}

/// What of `path` is outside of `{{...}}`.
fn outside(path: &str) -> String {
    path.split("{{")
        .enumerate()
        .map(|(i, piece)| if i == 0 { piece } else { piece.split_once("}}").map_or("", |(_, rest)| rest) })
        .collect()
}

/// What a good answer is; statuses only where some are given.
fn good(mut fields: Fields, names: &Names, what: &str) -> Result<(Option<Statuses>, Good), SuiteError> {
    let statuses = fields.texts("status")?;
    let range = |text: &At<String>| {
        text.value
            .parse::<StatusRange>()
            .map_err(|why| text.wrong(format!("status: {:?}: {why}", text.value)))
    };
    let statuses = statuses.iter().map(range).collect::<Result<Vec<_>, _>>()?;
    let mut headers = Vec::new();
    if let Some(mut table) = fields.table("header")? {
        for (name, value) in texts(&mut table)? {
            headers.push((name.to_ascii_lowercase(), compile(&value, names, Escape::Raw)?));
        }
    }
    let tests = Tests::read(&mut fields, names)?;
    fields.finish(what)?;
    Ok(((!statuses.is_empty()).then(|| Statuses::new(statuses)), Good { headers, tests }))
}
