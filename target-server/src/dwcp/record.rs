//! What did the server really do with migrations? Counters and the jobs themselves, behind one lock.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};

use super::jobs::{Jobs, Status};
use crate::clock::now_ns;

/// What `/truth` tells of migrations. `posts` = `accepted` + all of `rejected` + `bad_orders`, but for those that wait
/// for their answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DwcpReport {
    /// Orders that came.
    pub posts: u64,
    /// Orders that were accepted.
    pub accepted: u64,
    /// Orders that were rejected as scripted, by status.
    pub rejected: BTreeMap<u16, u64>,
    /// Orders that say no `vm_id`.
    pub bad_orders: u64,
    /// Looks at single jobs.
    pub looks: u64,
    /// Of `looks`, those at jobs that nobody knows.
    pub unknown: u64,
    /// Lists of jobs asked for.
    pub lists: u64,
    /// Statistics asked for.
    pub stats: u64,
    /// Versions asked for.
    pub versions: u64,
    /// Requests that are none of these.
    pub others: u64,
    /// Jobs that were accepted and forgotten.
    pub lost: u64,
    /// Orders that made two jobs.
    pub duplicated: u64,
    /// Jobs that are completed by now, copies as well.
    pub completed: u64,
    /// Of `completed`, those with a loss of data.
    pub data_loss: u64,
    /// Jobs that have failed by now.
    pub failed: u64,
    /// Jobs that are under way.
    pub active: u64,
    /// Event streams that were opened.
    pub streams: u64,
    /// Event streams now.
    pub streams_open: u64,
    /// Events that were sent, repeated ones as well.
    pub events: u64,
}

/// The record of all migrations.
#[derive(Default)]
pub(crate) struct DwcpRecord(Mutex<State>);

#[derive(Default)]
pub(super) struct State {
    pub(super) jobs: Jobs,
    /// Orders so far, for the script's draws; they go on over a reset.
    pub(super) orders: u64,
    pub(super) report: DwcpReport,
}

impl DwcpRecord {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn report(&self) -> DwcpReport {
        let (now, state) = (now_ns(), self.state());
        let count = |wanted| state.jobs.count(now, |status, _| status == wanted);
        DwcpReport {
            completed: count(Status::Completed),
            failed: count(Status::Failed),
            active: state.jobs.count(now, |status, _| !status.is_final()),
            data_loss: state
                .jobs
                .count(now, |status, job| status == Status::Completed && job.has_data_loss()),
            ..state.report.clone()
        }
    }

    /// Zeroes the counters and forgets the jobs; open streams stay counted.
    pub(crate) fn reset(&self) {
        let mut state = self.state();
        let streams_open = state.report.streams_open;
        state.jobs = Jobs::default();
        state.report = DwcpReport { streams_open, ..DwcpReport::default() };
    }
}
