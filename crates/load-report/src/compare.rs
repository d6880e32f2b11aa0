//! Is this run worse than an earlier one? Figures of two sides, what changed, and whether it is more than noise.
//!
//! Pure: run files in, a [`Comparison`] out. How it is judged, and what that is worth, is in docs/compare.md.

mod alike;
mod evidence;
mod figure;
mod judge;
mod relabel;
mod series;
mod spread;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::exit::Exit;
use crate::model::RunFile;

pub use self::alike::{Unlike, differences, unfit};
pub use self::figure::Figure;

/// The schema of a comparison as JSON.
pub const COMPARE_SCHEMA: &str = "quintet/compare/v1";
/// At most so many runs can be compared at once: all ways to divide them into two sides are gone through.
pub const MAX_RUNS: usize = 16;

/// One run with all its components.
#[derive(Clone, Debug)]
pub struct Side<'a> {
    /// What it was called on the command line.
    pub name: String,
    /// Its components by name.
    pub runs: BTreeMap<String, &'a RunFile>,
}

/// From when on a change counts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Rules {
    /// Relative changes up to this are noise, whatever the test says.
    pub noise: f64,
    /// Differences of error rates up to this are noise, as a share of all calls.
    pub error_noise: f64,
    /// Of comparisons of equal runs at most this share may find a change somewhere.
    pub level: f64,
    /// Compare what differs in plan or components too, and say so.
    pub allow_different: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self { noise: 0.05, error_noise: 0.001, level: 0.05, allow_different: false }
    }
}

/// What has become of the figures.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Comparison {
    /// [`COMPARE_SCHEMA`].
    pub schema: String,
    /// What it comes to.
    pub verdict: Change,
    /// The exit code that goes with it.
    pub exit: Exit,
    /// The runs of the baseline: name and run id.
    pub baseline: Vec<RunName>,
    /// The runs in question.
    pub current: Vec<RunName>,
    /// From when on a change counted.
    pub rules: Rules,
    /// In what the runs differ although they were compared.
    pub different: Vec<String>,
    /// What a reader should know.
    pub notes: Vec<String>,
    /// By component, in the order of their names.
    pub components: Vec<Compared>,
}

/// Which run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RunName {
    /// As it was given.
    pub name: String,
    /// The id of its results folder.
    pub run_id: String,
}

/// What a comparison, or a row of it, comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Worse by more than noise.
    Worse,
    /// Better by more than noise, and nothing is worse.
    Better,
    /// No change that is more than noise.
    Same,
    /// There is too little to tell.
    NotJudged,
}

/// One component on both sides.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Compared {
    /// Its name.
    pub component: String,
    /// Which figures were tested, and what that is worth.
    pub basis: String,
    /// The figures of the component, then those of its ops.
    pub rows: Vec<Row>,
}

/// One figure on both sides.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Row {
    /// Of which op; none for all of them together.
    pub op: Option<String>,
    /// Which figure.
    pub figure: Figure,
    /// The unit of both values: `per_s`, `ratio` or `ms`.
    pub unit: &'static str,
    /// The mean over the runs of the baseline; none where nothing was measured.
    pub baseline: Option<f64>,
    /// The mean over the runs in question.
    pub current: Option<f64>,
    /// Error rates: the difference. All others: current / baseline − 1. None where there is nothing to compare.
    pub change: Option<f64>,
    /// How likely a change as large as this one is where nothing has changed, corrected for the number of figures.
    pub p_value: Option<f64>,
    /// What it comes to.
    pub judgement: Change,
    /// Why it is not judged.
    pub note: Option<String>,
    /// One a run, those of the baseline first.
    #[serde(skip)]
    #[schemars(skip)]
    pub(crate) values: Vec<f64>,
}

impl Change {
    /// For people.
    pub fn label(self) -> &'static str {
        match self {
            Self::Worse => "worse",
            Self::Better => "better",
            Self::Same => "same",
            Self::NotJudged => "not judged",
        }
    }
}

impl Comparison {
    /// How many rows come to `change`.
    pub fn count(&self, change: Change) -> usize {
        self.rows().filter(|(_, row)| row.judgement == change).count()
    }

    /// Every row with its component.
    pub fn rows(&self) -> impl Iterator<Item = (&str, &Row)> {
        self.components
            .iter()
            .flat_map(|compared| compared.rows.iter().map(|row| (&*compared.component, row)))
    }
}

/// Compares the runs of both sides.
///
/// # Errors
/// A run of the baseline proves nothing, or the runs are not alike and `rules` do not allow it.
pub fn compare(baseline: &[Side<'_>], current: &[Side<'_>], rules: Rules) -> Result<Comparison, Unlike> {
    let met = alike::meet(baseline, current, rules.allow_different)?;
    let mut components: Vec<Compared> =
        met.components.iter().map(|name| evidence::component(name, baseline, current)).collect();
    judge::settle(&mut components, &rules, (baseline.len(), current.len()));
    let exit = judge::exit(&components, current);
    let names = |sides: &[Side<'_>]| sides.iter().map(Side::label).collect();
    Ok(Comparison {
        schema: COMPARE_SCHEMA.to_owned(),
        verdict: judge::verdict(&components),
        exit,
        baseline: names(baseline),
        current: names(current),
        rules,
        different: met.different,
        notes: met.notes,
        components,
    })
}

impl Side<'_> {
    fn label(&self) -> RunName {
        let run_id = self.runs.values().next().map(|run| run.header.run_id.clone());
        RunName { name: self.name.clone(), run_id: run_id.unwrap_or_default() }
    }
}
