//! What has to hold of the run? Thresholds of the command line and of the suite, as far as the plan knows what they name.

use load_report::model::Plan;
use load_report::threshold::{Catalog, Threshold, unknown, with_defaults};

use super::Context;
use super::args::{LoadArgs, SuiteArgs, TYPED};
use crate::error::UsageError;

/// All thresholds, the default one included.
///
/// # Errors
/// The first one that cannot be read, with its place.
pub(super) fn read(args: &LoadArgs, context: &Context) -> Result<Vec<Threshold>, UsageError> {
    if args.no_thresholds {
        return Ok(Vec::new());
    }
    let catalog = Catalog::standard()
        .with_extras(&context.extras)
        .with_counters(&context.counters)
        .with_rates(&context.rates)
        .with_gauges(&context.gauges)
        .with_gauges(&args.asked.absent);
    // What is typed beside a suite is meant as it is typed; without one all of it comes from a profile.
    let of_suite = args.suite.suite.is_some();
    let users = args.rehearsal.map_or(1.0, |rehearsal| rehearsal.users);
    let parse = |(place, text): (&str, &str)| {
        let threshold = Threshold::parse(text, &catalog);
        let threshold = threshold.map_err(|error| UsageError::new(format!("{place}: {error}")))?;
        let typed = place == TYPED && of_suite;
        Ok(if typed { threshold } else { threshold.rehearsed(users) })
    };
    let told = |(place, text)| Ok((place, parse((place, text))?));
    let all = args.all_thresholds().map(told).collect::<Result<Vec<_>, UsageError>>()?;
    Ok(with_defaults(args.asked.judged(all)?))
}

/// Those of `all` that `plan` can keep or break. Where the command line leaves out tasks, what holds where nothing was measured
/// may be about them.
///
/// # Errors
/// One is about an op or a phase that the plan does not have.
pub(super) fn of_plan(
    args: &LoadArgs,
    mut all: Vec<Threshold>,
    plan: &Plan,
) -> Result<Vec<Threshold>, UsageError> {
    let SuiteArgs { only, tags, exclude_tags, .. } = &args.suite;
    if [only, tags, exclude_tags].iter().any(|words| !words.is_empty()) {
        all.retain(|threshold| !threshold.holds_unmeasured() || unknown(threshold, plan).is_none());
    }
    match all.iter().find_map(|threshold| unknown(threshold, plan)) {
        Some(why) => Err(UsageError::new(why)),
        None => Ok(all),
    }
}
