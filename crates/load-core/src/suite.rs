//! What does a suite say, and what does the command line leave of it?

use std::path::Path;

use load_report::model::Rehearsal;
use load_suite::fields::At;
use load_suite::suite::{Choice, Event, Suite, scaled_time, tree};

use crate::error::UsageError;
use crate::plan::args::{ArrivalKind, LoadArgs};

/// The suite that `args` name, for the tool `tool`; none when they name none.
///
/// # Errors
/// What is wrong in the suite, with file and line, or flags that mean nothing without one.
pub(crate) fn read(args: &LoadArgs, tool: &str) -> Result<Option<Suite>, UsageError> {
    let asked = &args.suite;
    let Some(given) = &asked.suite else {
        let lonely = [
            ("--profile", asked.profile.is_some()),
            ("--environment", asked.environment.is_some()),
            ("--var", !asked.vars.is_empty()),
            ("--tags", !asked.tags.is_empty()),
            ("--exclude-tags", !asked.exclude_tags.is_empty()),
            ("--only", !asked.only.is_empty()),
            ("--scale-time", asked.scale_time.is_some()),
            ("--scale-users", asked.scale_users.is_some()),
        ];
        return match lonely.into_iter().find(|(_, given)| *given) {
            Some((flag, _)) => {
                Err(UsageError::new(format!("{flag} is about a suite; give --suite NAME or --suite FILE")))
            }
            None => Ok(None),
        };
    };
    let choice = Choice {
        environment: asked.environment.clone(),
        profile: asked.profile.clone(),
        vars: asked.vars.clone(),
        tags: asked.tags.clone(),
        exclude_tags: asked.exclude_tags.clone(),
        only: asked.only.clone(),
        environment_variables: std::env::vars().collect(),
    };
    let open = |path: &Path| std::fs::read_to_string(path);
    let suite = tree(given, tool, &open).and_then(|(name, node)| Suite::read(&name, node, &choice, &open));
    suite.map(Some).map_err(|error| UsageError::new(error.to_string()))
}

/// What `args` leave open, the profile of `suite` says.
///
/// # Errors
/// The two together make no sense.
pub(crate) fn apply(args: &mut LoadArgs, suite: &Suite) -> Result<(), UsageError> {
    let (time, users) = (args.suite.scale_time.unwrap_or(1.0), args.suite.scale_users.unwrap_or(1.0));
    let mut profile = suite.profile.clone().scaled(time, users);
    let same = |factor: f64| factor.total_cmp(&1.0).is_eq();
    if !(profile.once || same(time) && same(users)) {
        args.rehearsal = Some(Rehearsal { time, users });
    }
    if profile.once {
        // It says itself who there is, and what each of them does.
        (args.vus, args.rate, args.spawn_rate, args.requests) = (None, None, None, None);
        args.stages.clear();
    }
    if args.rate.is_some() && profile.rate.is_none() {
        // Users become arrivals.
        (profile.vus, profile.spawn_rate) = (None, None);
        profile.stages.clear();
    }
    if args.vus.is_some() && profile.rate.is_some() && args.rate.is_none() {
        (profile.rate, profile.poisson, profile.max_vus) = (None, None, None);
        profile.stages.clear();
    }
    if !args.stages.is_empty() || args.requests.is_some() && args.duration.is_none() {
        profile.duration = None;
    }
    if args.duration.is_some() && !profile.stages.is_empty() && args.stages.is_empty() {
        if args.vus.is_none() && args.rate.is_none() {
            return Err(UsageError::new(format!(
                "--duration: the profile {} ramps by stages; say how many with --vus or --rate, or shorten all of it with --scale-time",
                profile.name
            )));
        }
        profile.stages.clear();
    }
    if args.stages.is_empty() {
        args.stages = profile.stages;
    } else {
        profile.spawn_rate = None;
    }
    args.vus = args.vus.or(profile.vus);
    args.spawn_rate = args.spawn_rate.or(profile.spawn_rate);
    args.rate = args.rate.or(profile.rate);
    let arrivals =
        profile.poisson.map(|poisson| if poisson { ArrivalKind::Poisson } else { ArrivalKind::Constant });
    args.arrivals = args.arrivals.or(arrivals);
    args.max_vus = args.max_vus.or(profile.max_vus);
    args.connections = args.connections.or(profile.connections);
    args.duration = args.duration.or(profile.duration);
    args.requests = args.requests.or(profile.requests);
    args.warmup = args.warmup.or(profile.warmup);
    args.think = args.think.or(profile.think);
    args.timeout = args.timeout.or(profile.timeout);
    args.graceful_stop = args.graceful_stop.or(profile.graceful_stop);
    let threshold = |text: &At<String>| (text.place.to_string(), text.value.clone());
    args.suite_thresholds = suite.thresholds.iter().map(threshold).collect();
    args.no_thresholds |= !suite.judge;
    args.rows.clone_from(&suite.rows);
    args.has_cleanup = !suite.cleanup.is_empty();
    args.events =
        suite.events.iter().map(|event| Event { at: scaled_time(event.at, time), ..event.clone() }).collect();
    Ok(())
}
