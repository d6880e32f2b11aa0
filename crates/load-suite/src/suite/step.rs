//! What is one step? What all protocols have in common; the rest of its keys belongs to the protocol.

use std::time::Duration;

use crate::condition::Condition;
use crate::fields::{At, Fields};
use crate::node::{Place, SuiteError};
use crate::template::Names;
use crate::think::Think;

use super::capture::Capture;
use super::measure::{Feed, Measure};
use super::profile::think;

/// One call, and what goes with it.
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
    /// What the user keeps of the answer.
    pub captures: Vec<Capture>,
    /// How to go on until something holds.
    pub poll: Option<Poll>,
    /// Pause after it.
    pub think: Option<Think>,
    /// Instead of the run's.
    pub timeout: Option<Duration>,
    /// What it gives to metrics.
    pub feeds: Vec<Feed>,
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
        let name = fields.text("name")?;
        let expect = fields.table("expect")?;
        let captures = Capture::read_all(&mut fields, names)?;
        let poll = fields.table("poll")?.map(Poll::read).transpose()?;
        let think = think(&mut fields)?;
        if matches!(think, Some(Think::Pacing(_))) {
            return Err(fields.wrong("think: pacing is between iterations; a step takes a pause like 1s..5s"));
        }
        let timeout = fields.duration("timeout")?.map(|at| at.value);
        let feeds = Feed::read_all(&mut fields, measures)?;
        let place = fields.place.clone();
        Ok(Self {
            place,
            name,
            conditions: Vec::new(),
            expect,
            captures,
            poll,
            think,
            timeout,
            feeds,
            request: fields,
        })
    }

    /// Compiles `if`.
    pub(super) fn condition(&mut self, names: &Names) -> Result<(), SuiteError> {
        self.conditions.extend(condition(&mut self.request, names)?);
        Ok(())
    }

    /// Asks whether everything that the step says was understood; `protocol`'s keys have been taken.
    ///
    /// # Errors
    /// A key that nobody knows.
    pub fn finish(self) -> Result<(), SuiteError> {
        self.request.finish("a step")
    }
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
        let series = fields.text("series")?;
        fields.finish("poll")?;
        Ok(Self { until, every, at_most, series })
    }
}
