//! What happens while a connection is held? How long, what is sent at which times, and what ends it.

use std::time::Duration;

use crate::fields::{At, Fields};
use crate::node::{Node, Place, SuiteError, Value};
use crate::template::Names;
use crate::think::Think;

use super::measure::Measure;
use super::step::{Step, series};

/// A step that holds the user's connection. All of what a step may hold besides `if` and `think` is its own.
#[derive(Clone, Debug)]
pub struct Hold {
    /// How long, unless what it waits for comes before.
    pub lasts: Think,
    /// It ends with a message like this: a step that sends nothing.
    pub until: Option<Box<Step>>,
    /// The series of the times until then.
    pub series: Option<At<String>>,
    /// What is sent at which times.
    pub timers: Vec<Timer>,
}

/// Calls that are due at times since the hold began.
#[derive(Clone, Debug)]
pub struct Timer {
    /// When the first one is.
    pub first: Duration,
    /// From one to the next; above 0.
    pub every: Duration,
    /// One of them each time, drawn by weight; at least one.
    pub steps: Vec<(u32, Step)>,
}

impl Hold {
    /// Takes `hold`, where it is there, and what belongs to it.
    pub(super) fn read(
        fields: &mut Fields,
        names: &mut Names,
        measures: &[Measure],
    ) -> Result<Option<Self>, SuiteError> {
        let Some(lasts) = fields.text("hold")? else { return Ok(None) };
        let expected = "expected a time like 30s or 30s..60s";
        let lasts = match Think::parse(&lasts.value) {
            Ok(Think::Pacing(_) | Think::None) => {
                return Err(lasts.wrong(format!("hold: {:?}: {expected}", lasts.value)));
            }
            Ok(think) => think,
            Err(error) => return Err(lasts.wrong(format!("hold: {error}; {expected}"))),
        };
        let until =
            fields.node("until").map(|node| waits(node, names, measures).map(Box::new)).transpose()?;
        let series = series(fields)?;
        if let (Some(series), None) = (&series, &until) {
            return Err(series.wrong("series: of the times until what? give until beside it"));
        }
        let timers = fields.tables("timers")?.into_iter().map(|timer| Timer::read(timer, names, measures));
        Ok(Some(Self { lasts, until, series, timers: timers.collect::<Result<_, _>>()? }))
    }

    /// Every step in it.
    pub fn steps_mut(&mut self) -> impl Iterator<Item = &mut Step> {
        let timed = self.timers.iter_mut().flat_map(|timer| timer.steps.iter_mut().map(|(_, step)| step));
        self.until.as_deref_mut().into_iter().chain(timed)
    }
}

/// The step that waits for a message and sends nothing.
fn waits(node: Node, names: &mut Names, measures: &[Measure]) -> Result<Step, SuiteError> {
    let place: Place = node.place.clone();
    let table = Node { place, value: Value::Table(vec![("receive".into(), node)]) };
    Step::read(Fields::of(table, "until")?, names, measures)
}

impl Timer {
    fn read(mut fields: Fields, names: &mut Names, measures: &[Measure]) -> Result<Self, SuiteError> {
        let every = fields.duration("every")?;
        let every =
            every.ok_or_else(|| fields.wrong("a timer without every; expected a time like \"5s\""))?;
        if every.value.is_zero() {
            return Err(every.wrong("every: expected a time above 0"));
        }
        let first = fields.duration("first")?.map_or(every.value, |at| at.value);
        let steps = if fields.has("any") {
            let steps = fields.tables("any")?.into_iter().map(|mut fields| {
                let weight = fields.count("weight", 1)?.unwrap_or(1);
                let weight = u32::try_from(weight).unwrap_or(u32::MAX);
                Ok((weight, step(fields, names, measures)?))
            });
            let steps = steps.collect::<Result<Vec<_>, SuiteError>>()?;
            if steps.is_empty() {
                return Err(fields.wrong("any: a list without a step"));
            }
            fields.finish("a timer with any")?;
            steps
        } else {
            vec![(1, step(fields, names, measures)?)]
        };
        Ok(Self { first, every: every.value, steps })
    }
}

/// A call of a timer.
fn step(fields: Fields, names: &mut Names, measures: &[Measure]) -> Result<Step, SuiteError> {
    let step = Step::read(fields, names, measures)?;
    let wrong = |why: &str| Err(SuiteError::at(&step.place, why));
    if step.parallel.is_some() || step.hold.is_some() || step.pause {
        return wrong(
            "timers: each makes one call at a time; hold, pause and parallel are steps of their own",
        );
    }
    if step.think.is_some() {
        return wrong("think: calls of a timer have no pause behind them; every says when the next one is");
    }
    if step.goes_on.is_some() {
        return wrong("on_failure: the user goes on holding behind a call that failed; leave it out");
    }
    Ok(step)
}
