//! The result for programs: pretty JSON with a final newline.

use serde::Serialize;

use crate::compare::Comparison;
use crate::model::RunFile;
use crate::slo::SloReport;
use crate::summary::Summary;

/// `<component>_summary.json`.
pub fn run(run: &RunFile) -> String {
    pretty(run)
}

/// `summary.json` of `aggregate`.
pub fn summary(summary: &Summary) -> String {
    pretty(summary)
}

/// The report of objectives.
pub fn slo(report: &SloReport) -> String {
    pretty(report)
}

/// A comparison with a baseline.
pub fn comparison(comparison: &Comparison) -> String {
    pretty(comparison)
}

pub(super) fn pretty(value: &impl Serialize) -> String {
    #[expect(clippy::expect_used, reason = "the keys are strings and writing to memory cannot fail")]
    let mut text = serde_json::to_string_pretty(value).expect("a result is serialisable");
    text.push('\n');
    text
}
