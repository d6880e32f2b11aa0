//! The result inside GitHub Actions: the step summary, and annotations as workflow commands
//! (<https://docs.github.com/actions/reference/workflow-commands-for-github-actions>).

use crate::model::ThresholdOutcome;
use crate::summary::Summary;
use crate::verdict::Verdict;

use super::escape::{command, property};
use super::units::{critical, observed};

/// GitHub refuses step summaries of more than 1 MiB; some room is left for those of other steps.
const MAX_SUMMARY_BYTES: usize = 900 << 10;
/// GitHub shows at most 10 annotations of a kind for one step.
const MAX_ANNOTATIONS: usize = 10;

/// What is appended to `$GITHUB_STEP_SUMMARY`.
pub fn step_summary(summary: &Summary) -> String {
    let mut page = super::markdown::summary(summary);
    if page.len() > MAX_SUMMARY_BYTES {
        let lines = page.split_inclusive('\n');
        let mut length = 0;
        let kept = lines.take_while(|line| {
            length += line.len();
            length <= MAX_SUMMARY_BYTES
        });
        page = kept.collect();
        page.push_str("\nCut here; the whole page is in SUMMARY.md.\n");
    }
    page
}

/// Workflow commands, one a line: an error for what fails the run, a warning for what does not.
pub fn annotations(summary: &Summary) -> String {
    let (mut errors, mut warnings) = (Vec::new(), Vec::new());
    for run in summary.runs() {
        let component = &run.header.component;
        let reasons =
            run.invalid.iter().map(|r| annotation("error", &format!("{component} is invalid"), &r.why));
        errors.extend(reasons);
        warnings.extend(run.warnings.iter().map(|warning| annotation("warning", component, warning)));
    }
    for (whose, report) in summary.missed() {
        let note = report.note.as_ref().map(|note| format!(" ({note})")).unwrap_or_default();
        let critical = critical(report);
        let text = format!("{critical}{}: observed {}{note}", report.expression, observed(report));
        match report.outcome {
            ThresholdOutcome::Fail | ThresholdOutcome::Invalid => {
                errors.push(annotation("error", whose, &text));
            }
            _ => warnings.push(annotation("warning", whose, &text)),
        }
    }
    let worse = summary.comparison.iter().flat_map(super::compare::worse);
    errors.extend(worse.map(|what| annotation("error", "worse than the baseline", &what)));
    for skipped in &summary.skipped {
        warnings.push(annotation("warning", &format!("{} was skipped", skipped.component), &skipped.reason));
    }
    let kind = match summary.verdict {
        Verdict::Pass => "notice",
        Verdict::Warn => "warning",
        Verdict::Fail | Verdict::Invalid | Verdict::NoData => "error",
    };
    let whole = format!("{}, exit code {}", summary.verdict.label(), summary.exit.code());
    let first = annotation(kind, &format!("run {}", summary.run_id), &whole);
    // The verdict is one of them.
    let shown = MAX_ANNOTATIONS - 1;
    [first]
        .into_iter()
        .chain(errors.into_iter().take(shown))
        .chain(warnings.into_iter().take(shown))
        .collect()
}

fn annotation(kind: &str, title: &str, text: &str) -> String {
    format!("::{kind} title={}::{}\n", property(title), command(text))
}
