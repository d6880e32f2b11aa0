//! How does a step of a suite become a call? Its commands compiled, and what is asked of their replies.
//!
//! | question | module |
//! |---|---|
//! | What does a suite ask of a reply? | [`rules`] |

pub mod rules;

use std::time::Duration;

use load_core::compile::{Compiler, FromSuite, Made, Plans, plan};
use load_core::error::UsageError;
use load_core::protocol::Script;
use load_report::model::{ExtraPlan, RatePlan};
use load_suite::fields::{At, Fields};
use load_suite::node::SuiteError;
use load_suite::suite::{self, Suite, Tests, compile};
use load_suite::template::{Escape, Names};

use super::command::Command;
use super::numbered;
use super::protocol::Step;
use super::series;
use rules::{Good, Kind, Rules};

/// The key of a step whose message gets a number.
const NUMBERED: &str = "numbered";

/// The commands of one step, which are sent in one piece.
pub struct Asked {
    /// At least one.
    pub commands: Vec<Command>,
    /// What is asked of the replies.
    pub rules: Rules,
    /// The message that it adds gets a number.
    pub numbered: bool,
}

/// What a suite comes to.
pub struct Compiled {
    /// All steps, by the index that the script knows.
    pub asked: Vec<Asked>,
    /// What users do.
    pub script: Script<Step>,
    /// Everything else.
    pub from_suite: FromSuite<Step>,
}

/// Compiles `suite`, on top of the protocol's series and counters.
///
/// # Errors
/// The first mistake, with its place.
pub fn compiled(suite: &Suite, extras: Vec<ExtraPlan>) -> Result<Compiled, UsageError> {
    let wrong = |error: SuiteError| UsageError::new(error.to_string());
    let defaults = Defaults::read(suite).map_err(wrong)?;
    let numbers = defaults.numbered || suite.users.iter().any(numbers);
    let mut counters = series::counters(false, false);
    counters.extend(series::suite::CHECKS.map(plan));
    let (cases, all) = (series::suite::CHECKS_PASSED, series::suite::CHECKS_MADE);
    let mut rates = vec![RatePlan { name: "checks".into(), cases, all }];
    if numbers {
        counters.extend(series::numbered::COUNTERS.map(plan));
        let (cases, all) = (series::numbered::LOST, series::numbered::CHECKED);
        rates.push(RatePlan { name: series::numbered::LOSS.into(), cases, all });
    }
    let compiler = Compiler::new(&suite.measures, None, Plans { ops: Vec::new(), extras, counters, rates });
    let mut asked = Vec::new();
    let compiled = compiler.run(suite, |compiler, step, names| {
        let (name, one) = defaults.step(compiler, step, names)?;
        asked.push(one);
        Ok(Made { name, step: Step::Asked(asked.len() - 1), timeout: defaults.timeout })
    });
    let (script, from_suite) = compiled.map_err(wrong)?;
    Ok(Compiled { asked, script, from_suite })
}

/// Whether users of a class number messages.
fn numbers(class: &suite::UserClass) -> bool {
    let steps = class.start.iter().chain(class.tasks.iter().flat_map(|task| &task.steps)).chain(&class.stop);
    let mut all = steps.flat_map(|step| {
        let several = step.parallel.iter().flat_map(|parallel| &parallel.steps);
        std::iter::once(step).chain(several)
    });
    all.any(|step| step.request.has(NUMBERED))
}

/// What all steps have in common.
#[derive(Default)]
struct Defaults {
    expect: Option<Fields>,
    timeout: Option<Duration>,
    /// Messages get numbers, unless a step says otherwise.
    numbered: bool,
    /// The profile that is run.
    profile: String,
}

impl Defaults {
    fn read(suite: &Suite) -> Result<Self, SuiteError> {
        let mut defaults = Self { profile: suite.profile.name.clone(), ..Self::default() };
        if let Some(mut fields) = suite.defaults.clone() {
            defaults.expect = fields.table("expect")?;
            defaults.timeout = fields.duration("timeout")?.map(|at| at.value);
            defaults.numbered = defaults.numbered(&mut fields)?.unwrap_or(false);
            fields.finish("[defaults]")?;
        }
        Ok(defaults)
    }

    /// Takes `numbered`: always, never, or in these profiles.
    fn numbered(&self, fields: &mut Fields) -> Result<Option<bool>, SuiteError> {
        if fields.list(NUMBERED) {
            let profiles = fields.texts(NUMBERED)?;
            return Ok(Some(profiles.iter().any(|profile| profile.value == self.profile)));
        }
        Ok(if fields.has(NUMBERED) { Some(fields.flag(NUMBERED)?) } else { None })
    }

    /// What a step sends and asks for, and what it is called without a name of its own.
    fn step(
        &self,
        compiler: &Compiler,
        step: &suite::Step,
        names: &Names,
    ) -> Result<(String, Asked), SuiteError> {
        let mut fields = step.request.clone();
        let several = fields.has("commands");
        let lines = lines(&mut fields)?;
        let allowed = fields.texts("allow")?.into_iter().map(|text| text.value.into_bytes()).collect();
        let asked = self.numbered(&mut fields)?;
        if asked == Some(true) && several {
            return Err(fields.wrong("numbered: expected one command; give the others steps of their own"));
        }
        let numbered = asked.unwrap_or(self.numbered && !several && lines.iter().all(adds));
        fields.finish("a step")?;
        let command = |line: &At<String>| {
            let command = if numbered {
                Command::with_more(&line.value, names, numbered::WORDS)
            } else {
                Command::in_suite(&line.value, names)
            };
            command.map_err(|why| line.wrong(why))
        };
        let commands = lines.iter().map(command).collect::<Result<Vec<_>, _>>()?;
        let expect = step.expect.clone().or_else(|| self.expect.clone());
        let rules = Rules {
            expects: expect.is_some(),
            good: expect.map(|expect| good(expect, names, "expect")).transpose()?.unwrap_or_default(),
            until: step.poll.as_ref().map(|poll| good(poll.until.clone(), names, "until")).transpose()?,
            allowed,
            captures: step.captures.clone(),
            feeds: compiler.feeds(step),
            several,
        };
        Ok((shortened(&lines), Asked { commands, rules, numbered }))
    }
}

/// Whether it adds a message to a stream.
fn adds(line: &At<String>) -> bool {
    line.value.split_whitespace().next().is_some_and(|name| name.eq_ignore_ascii_case("XADD"))
}

/// What a step sends: its commands as `redis-cli` takes them.
fn lines(fields: &mut Fields) -> Result<Vec<At<String>>, SuiteError> {
    match (fields.text("command")?, fields.texts("commands")?) {
        (Some(command), others) if others.is_empty() => Ok(vec![command]),
        (None, commands) if !commands.is_empty() => Ok(commands),
        _ => Err(fields.wrong(
            "a step without a command; expected command = \"SET key value\" or commands = [\"...\", \"...\"]",
        )),
    }
}

/// The first command, and how many come after it, for steps that have no name.
fn shortened(lines: &[At<String>]) -> String {
    const LONGEST: usize = 60;
    let first = lines.first().map_or("", |line| line.value.as_str());
    let name = match first.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &first[..end]),
        None => first.to_owned(),
    };
    if lines.len() > 1 { format!("{name} (+{})", lines.len() - 1) } else { name }
}

/// What a good reply is.
fn good(mut fields: Fields, names: &Names, what: &str) -> Result<Good, SuiteError> {
    let mut kinds = Vec::new();
    for text in fields.texts("type")? {
        let known = Kind::ALL.iter().find(|(name, _)| *name == text.value);
        let known = known.ok_or_else(|| text.wrong("type: expected ok, text, number, list or nil"))?;
        kinds.push(known.1);
    }
    let value = fields.text("value")?.map(|value| compile(&value, names, Escape::Raw)).transpose()?;
    let tests = Tests::read(&mut fields, names)?;
    fields.finish(what)?;
    Ok(Good { kinds, value, tests })
}
