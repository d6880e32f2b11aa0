//! How does a step of a suite become a call? Its SQL compiled to a script.
//!
//! | question | module |
//! |---|---|
//! | What does a suite ask of an answer? | [`rules`] |

pub mod rules;

use std::path::Path;
use std::time::Duration;

use load_core::compile::{Compiler, FromSuite, Made, Plans, plan};
use load_core::error::UsageError;
use load_core::protocol::Script as Tasks;
use load_report::model::{ExtraPlan, RatePlan};
use load_suite::fields::{At, Fields};
use load_suite::node::SuiteError;
use load_suite::suite::{self, Suite, Tests};
use load_suite::template::Names;

use super::protocol::Step;
use super::script::{Command, Manner, Script};
use super::series;
use rules::{Good, Rules};

/// What a suite comes to.
pub struct Compiled {
    /// All scripts, by the index that the steps know.
    pub scripts: Vec<Script>,
    /// What users do.
    pub tasks: Tasks<Step>,
    /// Everything else.
    pub from_suite: FromSuite<Step>,
}

/// Compiles `suite`, on top of the protocol's `extras` and counters.
///
/// # Errors
/// The first mistake, with its place.
pub fn compiled(suite: &Suite, manner: Manner, extras: Vec<ExtraPlan>) -> Result<Compiled, UsageError> {
    let mut counters = series::counters();
    counters.extend(series::CHECKS.map(plan));
    let rates =
        vec![RatePlan { name: "checks".into(), cases: series::CHECKS_PASSED, all: series::CHECKS_MADE }];
    let compiler = Compiler::new(&suite.measures, None, Plans { ops: Vec::new(), extras, counters, rates });
    let mut scripts = Vec::new();
    let compiled = Calls::new(suite, manner).and_then(|mut calls| {
        compiler.run(suite, |compiler, step, names| {
            let (script, rules) = calls.call(compiler, step, names)?;
            let name = script.name.clone();
            scripts.push(script);
            let step = Step { script: scripts.len() - 1, rules: Some(Box::new(rules)) };
            Ok(Made { name, step, timeout: calls.timeout })
        })
    });
    let (tasks, from_suite) = compiled.map_err(|error| UsageError::new(error.to_string()))?;
    Ok(Compiled { scripts, tasks, from_suite })
}

/// What all steps of a suite have in common.
struct Calls {
    manner: Manner,
    /// Statements so far.
    number: usize,
    expect: Option<Fields>,
    timeout: Option<Duration>,
}

impl Calls {
    fn new(suite: &Suite, manner: Manner) -> Result<Self, SuiteError> {
        let mut calls = Self { manner, number: 0, expect: None, timeout: None };
        if let Some(mut defaults) = suite.defaults.clone() {
            calls.expect = defaults.table("expect")?;
            calls.timeout = defaults.duration("timeout")?.map(|at| at.value);
            defaults.finish("[defaults]")?;
        }
        Ok(calls)
    }

    /// The script of `step`; what `\set` and `\gset` in it add is among the `names` from then on.
    fn call(
        &mut self,
        compiler: &Compiler,
        step: &suite::Step,
        names: &mut Names,
    ) -> Result<(Script, Rules), SuiteError> {
        let mut fields = step.request.clone();
        let (place, sql) = statements(&mut fields)?;
        fields.finish("a step")?;
        let name = step.name.as_ref().map_or_else(|| shortened(&sql.value), |name| name.value.clone());
        let manner = if compiler.is_outside() { self.manner.for_once() } else { self.manner };
        let script = Script::compile((&name, &place), &sql.value, names, manner, &mut self.number);
        let mut script = script.map_err(|why| sql.wrong(why))?;
        let expect = step.expect.clone().or_else(|| self.expect.clone());
        let rules = Rules {
            expects: expect.is_some(),
            good: expect.map(|expect| good(expect, names, "expect")).transpose()?.unwrap_or_default(),
            until: step.poll.as_ref().map(|poll| good(poll.until.clone(), names, "until")).transpose()?,
            captures: step.captures.clone(),
            feeds: compiler.feeds(step),
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
        Ok((script, rules))
    }
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
