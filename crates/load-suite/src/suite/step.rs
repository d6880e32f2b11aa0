//! What is one step? What all protocols have in common; the rest of its keys belongs to the protocol.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::time::Duration;

use crate::condition::Condition;
use crate::fields::{At, Fields};
use crate::node::{Node, Place, SuiteError, Value};
use crate::template::Names;
use crate::think::Think;

use super::capture::Capture;
use super::hold::Hold;
use super::measure::{Feed, Measure, is_name};
use super::profile::think;

/// One call, or several at the same time, and what goes with it.
#[derive(Clone, Debug)]
pub struct Step {
    /// Where it stands.
    pub place: Place,
    /// Under which name its calls count, when it says so.
    pub name: Option<At<String>>,
    /// It is left out unless all of them hold.
    pub conditions: Vec<Condition>,
    /// What a good answer is, when it says so.
    pub expect: Option<Fields>,
    /// What is a good answer, too: one of them, or `expect`, has to hold.
    pub or_expect: Vec<Fields>,
    /// What the user keeps of the answer.
    pub captures: Vec<Capture>,
    /// How to go on until something holds.
    pub poll: Option<Poll>,
    /// Pause after it.
    pub think: Option<Think>,
    /// Instead of the run's.
    pub timeout: Option<Duration>,
    /// The iteration goes on when the step has failed, when it or its task or class says so.
    pub goes_on: Option<bool>,
    /// What it gives to metrics.
    pub feeds: Vec<Feed>,
    /// The calls that it makes instead of one of its own.
    pub parallel: Option<Parallel>,
    /// For how long it holds the connection, instead of a call.
    pub hold: Option<Hold>,
    /// It is a pause alone.
    pub pause: bool,
    /// The other keys: what is sent.
    pub request: Fields,
}

/// The call is made again until something holds.
#[derive(Clone, Debug)]
pub struct Poll {
    /// What must hold, as in `expect`.
    pub until: Fields,
    /// Pause between two calls.
    pub every: Duration,
    /// Calls at most.
    pub at_most: u32,
    /// The series of the times to the condition.
    pub series: Option<At<String>>,
}

/// Several calls at the same time. All of what a step may hold besides `if` and `think` is theirs.
#[derive(Clone, Debug)]
pub struct Parallel {
    /// The calls, in the order in which they begin; at least one.
    pub steps: Vec<Step>,
    /// How many are under way at most, when it says so.
    pub at_once: Option<NonZeroU32>,
    /// The series of the times from the first begin to the last end.
    pub series: Option<At<String>>,
}

/// Reads steps; what they capture gets slots in `names`.
pub(super) fn read_all(
    steps: Vec<Fields>,
    names: &mut Names,
    measures: &[Measure],
) -> Result<Vec<Step>, SuiteError> {
    steps.into_iter().map(|fields| Step::read(fields, names, measures)).collect()
}

impl Step {
    /// Reads a step. Its condition is compiled by [`Step::condition`], when all names are known.
    pub(super) fn read(
        mut fields: Fields,
        names: &mut Names,
        measures: &[Measure],
    ) -> Result<Self, SuiteError> {
        let place = fields.place.clone();
        let think = step_think(&mut fields)?;
        let goes_on = on_failure(&mut fields)?;
        let parallel = Parallel::read(&mut fields, names, measures)?;
        let hold = if parallel.is_none() { Hold::read(&mut fields, names, measures)? } else { None };
        let pause = parallel.is_none() && hold.is_none() && fields.flag("pause")?;
        if pause && think.is_none_or(|think| think == Think::None) {
            return Err(fields.wrong("pause: for how long? give think = \"2s\" or \"1s..3s\" beside it"));
        }
        if parallel.is_some() || hold.is_some() || pause {
            return Ok(Self {
                place,
                name: None,
                conditions: Vec::new(),
                expect: None,
                or_expect: Vec::new(),
                captures: Vec::new(),
                poll: None,
                think,
                timeout: None,
                goes_on,
                feeds: Vec::new(),
                parallel,
                hold,
                pause,
                request: fields,
            });
        }
        let name = fields.text("name")?;
        let (expect, or_expect) = if fields.list("expect") {
            let mut all = fields.tables("expect")?.into_iter();
            let first = all.next().ok_or_else(|| fields.wrong("expect: a list of nothing; leave it out"))?;
            (Some(first), all.collect())
        } else {
            (fields.table("expect")?, Vec::new())
        };
        let captures = Capture::read_all(&mut fields, names)?;
        let poll = fields.table("poll")?.map(Poll::read).transpose()?;
        let timeout = fields.duration("timeout")?.map(|at| at.value);
        let feeds = Feed::read_all(&mut fields, measures)?;
        Ok(Self {
            place,
            name,
            conditions: Vec::new(),
            expect,
            or_expect,
            captures,
            poll,
            think,
            timeout,
            goes_on,
            feeds,
            parallel: None,
            hold: None,
            pause: false,
            request: fields,
        })
    }

    /// Compiles `if`.
    pub(super) fn condition(&mut self, names: &Names) -> Result<(), SuiteError> {
        self.conditions.extend(condition(&mut self.request, names)?);
        let what = match (&mut self.parallel, &mut self.hold) {
            (Some(parallel), _) => {
                parallel.steps.iter_mut().try_for_each(|step| step.condition(names))?;
                "a step with parallel"
            }
            (None, Some(hold)) => {
                hold.steps_mut().try_for_each(|step| step.condition(names))?;
                "a step with hold"
            }
            (None, None) if self.pause => "a pause",
            (None, None) => return Ok(()),
        };
        // Nothing is left for the protocol.
        self.request.clone().finish(what)
    }

    /// Asks whether everything that the step says was understood; `protocol`'s keys have been taken.
    ///
    /// # Errors
    /// A key that nobody knows.
    pub fn finish(self) -> Result<(), SuiteError> {
        self.request.finish("a step")
    }
}

/// Takes `on_failure`: whether an iteration goes on behind a step that failed.
pub(super) fn on_failure(fields: &mut Fields) -> Result<Option<bool>, SuiteError> {
    fields.word("on_failure", &[("end", false), ("continue", true)])
}

fn step_think(fields: &mut Fields) -> Result<Option<Think>, SuiteError> {
    match think(fields)? {
        Some(Think::Pacing(_)) => {
            Err(fields.wrong("think: pacing is between iterations; a step takes a pause like 1s..5s"))
        }
        think => Ok(think),
    }
}

impl Parallel {
    /// Takes `parallel`, where it is there, and what belongs to it.
    fn read(
        fields: &mut Fields,
        names: &mut Names,
        measures: &[Measure],
    ) -> Result<Option<Self>, SuiteError> {
        let Some(node) = fields.node("parallel") else { return Ok(None) };
        let Value::List(list) = node.value else {
            return Err(SuiteError::at(
                &node.place,
                "parallel: expected a list of requests like \"GET /a.css\", or of steps",
            ));
        };
        if list.is_empty() {
            return Err(SuiteError::at(&node.place, "parallel: a list without a call; leave it out"));
        }
        let steps = list.into_iter().map(|node| Self::step(node, names, measures));
        let steps = steps.collect::<Result<Vec<_>, _>>()?;
        let mut captured = BTreeSet::new();
        for step in &steps {
            if let Some(capture) = step.captures.iter().find(|capture| !captured.insert(&capture.name)) {
                return Err(SuiteError::at(
                    &step.place,
                    format!(
                        "parallel: two of its calls capture {}, and either may be the last; give them names of their own",
                        capture.name
                    ),
                ));
            }
        }
        let at_once = fields.count("at_once", 1)?;
        let at_once = at_once.map(|n| NonZeroU32::new(u32::try_from(n).unwrap_or(u32::MAX)));
        Ok(Some(Self { steps, at_once: at_once.flatten(), series: series(fields)? }))
    }

    /// One of the calls: a request alone, or a table with the keys of a step.
    fn step(node: Node, names: &mut Names, measures: &[Measure]) -> Result<Step, SuiteError> {
        let place = node.place.clone();
        let node = match node.value {
            Value::Text(_) => {
                Node { place: place.clone(), value: Value::Table(vec![("request".into(), node)]) }
            }
            _ => node,
        };
        let step = Step::read(Fields::of(node, "a call of parallel")?, names, measures)?;
        if step.parallel.is_some() {
            return Err(SuiteError::at(&place, "parallel: within parallel; put all calls into one list"));
        }
        if step.hold.is_some() || step.pause {
            let what = if step.pause { "pause" } else { "hold" };
            return Err(SuiteError::at(
                &place,
                format!("{what}: within parallel; give it a step of its own"),
            ));
        }
        if step.think.is_some() {
            return Err(SuiteError::at(
                &place,
                "think: calls at the same time have no pause between them; give it to the step with parallel",
            ));
        }
        if step.goes_on.is_some() {
            return Err(SuiteError::at(
                &place,
                "on_failure: a call that fails lets the others end anyway; give it to the step with parallel",
            ));
        }
        Ok(step)
    }
}

/// What steps do, and whose suites have it.
const VERBS: [(&str, &str); 6] = [
    ("request", "api-load"),
    ("call", "grpc-load"),
    ("sql", "db-load postgres"),
    ("sql_file", "db-load postgres"),
    ("command", "db-load redis"),
    ("send", "ws-load"),
];

/// Takes what a step of a tool does: the text of `key`, which is like what was `expected`.
///
/// # Errors
/// There is none; with the key of another tool that stands there instead.
pub fn verb(fields: &mut Fields, key: &'static str, expected: &str) -> Result<At<String>, SuiteError> {
    let foreign = VERBS.iter().find(|(other, _)| *other != key && fields.has(other));
    match foreign {
        Some((other, tool)) if !fields.has(key) => {
            Err(fields.wrong(format!("no {key}, but {other}, which is for {tool}; expected {expected}")))
        }
        _ => fields.required(key, expected),
    }
}

/// Takes `series`.
pub(super) fn series(fields: &mut Fields) -> Result<Option<At<String>>, SuiteError> {
    let Some(series) = fields.text("series")? else { return Ok(None) };
    if is_name(&series.value) {
        return Ok(Some(series));
    }
    let why = format!(
        "series: {:?} is no name like page_load; expected letters, digits and _, so that thresholds can name it",
        series.value
    );
    Err(series.wrong(why))
}

/// Takes `if`.
pub(super) fn condition(fields: &mut Fields, names: &Names) -> Result<Option<Condition>, SuiteError> {
    let Some(source) = fields.text("if")? else { return Ok(None) };
    Condition::compile(&source.value, names).map(Some).map_err(|why| source.wrong(format!("if: {why}")))
}

impl Poll {
    fn read(mut fields: Fields) -> Result<Self, SuiteError> {
        let until = fields.table("until")?;
        let until =
            until.ok_or_else(|| fields.wrong("poll: no until; expected what must hold, as in expect"))?;
        let every = fields.duration("every")?.map_or(Duration::from_secs(1), |at| at.value);
        let at_most = fields.count("at_most", 1)?.unwrap_or(60);
        let at_most =
            u32::try_from(at_most).map_err(|_| fields.wrong("at_most: more calls than can be counted"))?;
        let series = series(&mut fields)?;
        fields.finish("poll")?;
        Ok(Self { until, every, at_most, series })
    }
}
