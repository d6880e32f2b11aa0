//! Do the flags contradict each other, or the load that they ask for?

use super::Load;
use super::args::{ArrivalKind, LoadArgs};
use super::build::{Context, refuse};
use crate::error::UsageError;

/// A request at least for every user.
pub(super) fn enough_to_do(args: &LoadArgs, load: &Load, vus: u64) -> Result<(), UsageError> {
    if let Some(n) = args.requests
        && matches!(load, Load::Closed { .. })
        && n < vus
    {
        return refuse(format!(
            "--requests {n} is fewer than the {vus} users, so some would have nothing to do; ask for at least {vus} requests or at most {n} users"
        ));
    }
    Ok(())
}

/// A row of data for every user, where users have rows of their own.
pub(super) fn enough_rows(args: &LoadArgs, users: u64) -> Result<(), UsageError> {
    match &args.rows {
        Some((name, rows)) if *rows < users => refuse(format!(
            "data {name} has {rows} rows for {users} users, each of which needs its own (order = \"unique\"): give it more rows, or the run fewer users"
        )),
        _ => Ok(()),
    }
}

/// Contradictions between flags.
pub(super) fn check(args: &LoadArgs) -> Result<(), UsageError> {
    if args.rate.is_some() && args.think.is_some() {
        return refuse(
            "--think belongs to users who wait (closed model); with --rate the schedule alone says when: drop one of the two",
        );
    }
    if args.rate.is_some() && args.spawn_rate.is_some() {
        return refuse(
            "--spawn-rate starts users (closed model); with --rate ramp the arrivals by --stage instead",
        );
    }
    if args.rate.is_none() && args.arrivals == Some(ArrivalKind::Poisson) {
        return refuse("--arrivals poisson needs --rate: without a rate, users wait for answers");
    }
    if args.rate.is_none() && args.max_vus.is_some() {
        return refuse(
            "--max-vus bounds the lanes of the open model and needs --rate; users are set by --vus",
        );
    }
    if !args.stages.is_empty() && args.duration.is_some() {
        return refuse("--stage and --duration both say how long the run takes: drop --duration");
    }
    if !args.stages.is_empty() && args.spawn_rate.is_some() {
        return refuse("--stage and --spawn-rate both say how users come: drop --spawn-rate");
    }
    for (flag, zero) in [
        ("--vus", args.vus == Some(0) && args.stages.is_empty()),
        ("--connections", args.connections == Some(0)),
        ("--rate", args.rate == Some(0.0) && args.stages.is_empty()),
        ("--requests", args.requests == Some(0)),
        ("--threads", args.threads == Some(0)),
        ("--spawn-rate", args.spawn_rate == Some(0.0)),
        ("--connect-rate", args.connect_rate == Some(0.0)),
        ("--timeout", args.timeout.is_some_and(|timeout| timeout.is_zero())),
        ("--duration", args.duration.is_some_and(|d| d.is_zero())),
    ] {
        if zero {
            return refuse(format!("{flag} 0 would send nothing; expected more than 0"));
        }
    }
    Ok(())
}

/// A protocol may know users alone.
pub(super) fn users_or_rate(args: &LoadArgs, context: &Context) -> Result<(), UsageError> {
    match context.users_only.filter(|_| args.rate.is_some()) {
        Some(why) => refuse(format!("--rate: {why}; give --vus")),
        None => Ok(()),
    }
}
