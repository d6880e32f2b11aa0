//! What do thresholds with `delta(...)` compare with? An earlier run of the component, read and checked before the first call.

use load_report::baseline::of_component;
use load_report::compare::differences;
use load_report::model::{RunFile, Segment};

use super::RunPlan;
use super::args::LoadArgs;
use crate::error::{RunError, UsageError};

/// The baseline of `component`; none when nothing asks for one.
///
/// # Errors
/// A threshold needs one and none is named, or the other way round; it cannot be read; it did not do the same.
pub(crate) fn baseline(
    args: &LoadArgs,
    plan: &RunPlan,
    component: &str,
) -> Result<Option<RunFile>, RunError> {
    let needs = plan.thresholds.iter().find(|threshold| threshold.needs_baseline());
    let refuse = |message: String| Err(UsageError::new(message).into());
    let given = match (needs, &args.baseline) {
        (None, None) => return Ok(None),
        (Some(threshold), None) => {
            return refuse(format!("`{threshold}` compares with an earlier run: name it with --baseline"));
        }
        (None, Some(_)) => {
            return refuse(
                "--baseline is for thresholds like 'response_time: delta(p(95)) < 5%', and there is none; \
                 aggregate --baseline compares all figures"
                    .to_owned(),
            );
        }
        (Some(_), Some(given)) => given,
    };
    if plan.segment != Segment::WHOLE {
        return refuse(
            "--baseline is a whole run, which one segment is not: aggregate --baseline compares them together".to_owned(),
        );
    }
    let run = of_component(&args.results, given, component).map_err(RunError::Unreadable)?;
    let found = differences(&run.header.plan, &plan.record);
    if found.is_empty() {
        return Ok(Some(run));
    }
    Err(RunError::Unreadable(format!("--baseline {given} did not do the same: {}", found.join("; "))))
}
