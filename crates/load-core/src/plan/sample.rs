//! How often is the target asked about itself?

use std::time::Duration;

use load_report::threshold::Threshold;

use super::Context;
use super::args::{LoadArgs, Sampled};
use crate::error::UsageError;

/// When nothing says so.
const SAMPLED: Duration = Duration::from_secs(1);

/// None when it is not asked.
///
/// # Errors
/// When it cannot be asked, or has to be.
pub(super) fn sample(
    args: &LoadArgs,
    context: &Context,
    thresholds: &[Threshold],
) -> Result<Option<Duration>, UsageError> {
    let refuse = |message: String| Err(UsageError::new(message));
    match args.sample {
        Some(Sampled::Every(_)) if context.gauges.is_empty() => {
            refuse("--sample: this target is not asked about itself; leave it out".to_owned())
        }
        Some(Sampled::Off) => match thresholds.iter().find_map(|one| Some((one, one.gauge()?))) {
            Some((threshold, gauge)) => refuse(format!(
                "--sample off: nobody would look at {gauge}, which a threshold is about: {threshold}"
            )),
            None => Ok(None),
        },
        _ if context.gauges.is_empty() => Ok(None),
        Some(Sampled::Every(every)) => Ok(Some(every)),
        None => Ok(Some(SAMPLED)),
    }
}
