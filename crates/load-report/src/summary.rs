//! What does `aggregate` leave behind? Several components with one verdict: `summary.json`.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Serialize, Serializer};

use crate::compare::Comparison;
use crate::exit::Exit;
use crate::model::{RunFile, ThresholdOutcome, ThresholdReport};
use crate::tally::Tally;
use crate::verdict::Verdict;

/// The schema of `summary.json`.
pub const SUMMARY_SCHEMA: &str = "quintet/summary/v1";

/// All components of a run, judged together: `summary.json`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Summary {
    /// [`SUMMARY_SCHEMA`].
    pub schema: String,
    /// The results folder's name.
    pub run_id: String,
    /// The judgement on the whole.
    pub verdict: Verdict,
    /// The exit code that goes with it.
    pub exit: Exit,
    /// By component, in the order of their names.
    pub components: Vec<Component>,
    /// Targets with what was observed, in the order of the targets file.
    pub targets: Vec<TargetReport>,
    /// Components that could not run.
    pub skipped: Vec<Skipped>,
    /// What a reader should know before quoting the figures.
    pub notes: Vec<String>,
    /// What has changed since the baseline, where one was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comparison: Option<Comparison>,
}

/// A run file without its counters and histograms: in JSON it has every key of the run file but `data`.
#[derive(Clone, Debug, PartialEq)]
pub struct Component(pub RunFile);

/// A target with what was observed.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct TargetReport {
    /// Its name in the targets file.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// The threshold it sets.
    #[serde(flatten)]
    pub report: ThresholdReport,
}

/// A component that could not run: `<component>.skipped.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Skipped {
    /// The component.
    pub component: String,
    /// Why it could not run.
    pub reason: String,
}

impl Summary {
    /// The summary of one judged run, without targets.
    pub fn of(run: RunFile) -> Self {
        Self {
            schema: SUMMARY_SCHEMA.to_owned(),
            run_id: run.header.run_id.clone(),
            verdict: run.verdict,
            exit: run.exit,
            components: vec![Component(run)],
            targets: Vec::new(),
            skipped: Vec::new(),
            notes: Vec::new(),
            comparison: None,
        }
    }

    /// The runs, in the order of their names.
    pub fn runs(&self) -> impl Iterator<Item = &RunFile> {
        self.components.iter().map(|component| &component.0)
    }

    /// Thresholds of all components and targets that are not as they should be, each with whose it is.
    pub fn missed(&self) -> impl Iterator<Item = (&str, &ThresholdReport)> {
        let thresholds = self.runs().flat_map(|run| {
            run.thresholds.iter().map(|threshold| (run.header.component.as_str(), threshold))
        });
        let targets = self.targets.iter().map(|target| (target.name.as_str(), &target.report));
        thresholds.chain(targets).filter(|(_, report)| report.outcome != ThresholdOutcome::Pass)
    }
}

impl Serialize for Component {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut slim = self.0.clone();
        slim.data = Tally::default();
        let mut value = serde_json::to_value(slim).map_err(serde::ser::Error::custom)?;
        if let Some(object) = value.as_object_mut() {
            object.shift_remove("data");
        }
        value.serialize(serializer)
    }
}

impl JsonSchema for Component {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Component".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = RunFile::json_schema(generator);
        if let Some(properties) = schema.get_mut("properties").and_then(|p| p.as_object_mut()) {
            properties.shift_remove("data");
        }
        if let Some(required) = schema.get_mut("required").and_then(|r| r.as_array_mut()) {
            required.retain(|name| name != "data");
        }
        schema
    }
}
