//! What has to run for a profile of a system? A line a component, for scripts.

use load_suite::suite::{Asked, plan};

use super::{open, wrong};
use crate::Failure;
use crate::args::ComponentsArgs;

/// Turn, component, kind of target, tool and flags, each behind a tab: those of one turn run together.
pub(super) fn components(asked: &ComponentsArgs) -> Result<String, Failure> {
    let what = Asked {
        profile: asked.profile.clone(),
        environment: asked.environment.clone(),
        vars: asked.vars.clone(),
        scale_time: asked.scale_time,
        scale_users: asked.scale_users,
    };
    let jobs = plan(&asked.suite, &what, &open).map_err(wrong)?;
    let line = |job: &load_suite::suite::Job| {
        let turn = job.turn.to_string();
        let first = [turn.as_str(), &job.component, job.tool.kind];
        let tool = job.tool.command.split(' ');
        let words: Vec<&str> =
            first.into_iter().chain(tool).chain(job.flags.iter().map(String::as_str)).collect();
        words.join("\t") + "\n"
    };
    Ok(jobs.iter().map(line).collect())
}
