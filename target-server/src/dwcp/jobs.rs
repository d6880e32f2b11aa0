//! What state is a migration in? A pure function of its fate and of the time: no job has a timer or a thread.

use serde::Serialize;

use crate::script::{DwcpHow, Fate};

/// One migration.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) id: String,
    pub(super) vm_id: String,
    pub(super) created_ns: u64,
    fate: Fate,
}

/// Where a migration stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    Pending,
    InProgress,
    Completed,
    Failed,
}

impl Status {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }

    pub(super) fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed)
    }
}

/// A change of state that a stream tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) at_ns: u64,
    /// Its number among those of the job.
    pub(super) seq: u64,
    pub(super) status: Status,
    /// How often it is told.
    pub(super) times: u64,
}

impl Job {
    /// The state at `now_ns`.
    pub(super) fn status(&self, now_ns: u64) -> Status {
        self.changes()
            .iter()
            .rev()
            .find(|change| change.at_ns <= now_ns)
            .map_or(Status::Pending, |c| c.status)
    }

    /// All changes of state there will be, in order.
    pub(super) fn changes(&self) -> [Change; 3] {
        let Fate { pending_ns, work_ns, how, .. } = self.fate;
        let last = if how == Some(DwcpHow::Fail) { Status::Failed } else { Status::Completed };
        let begins = self.created_ns + pending_ns;
        let times = if how == Some(DwcpHow::RepeatEvent) { 2 } else { 1 };
        [
            Change { at_ns: self.created_ns, seq: 0, status: Status::Pending, times: 1 },
            Change { at_ns: begins, seq: 1, status: Status::InProgress, times: 1 },
            Change { at_ns: begins + work_ns, seq: 2, status: last, times },
        ]
    }

    /// How much of it is done at `now_ns`, in percent.
    pub(super) fn progress(&self, now_ns: u64) -> u64 {
        let Fate { pending_ns, work_ns, .. } = self.fate;
        let worked = now_ns.saturating_sub(self.created_ns + pending_ns);
        (worked * 100).checked_div(work_ns).unwrap_or(100).min(100)
    }

    pub(super) fn has_data_loss(&self) -> bool {
        self.fate.how == Some(DwcpHow::DataLoss)
    }
}

/// All migrations that anybody knows.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    all: Vec<Job>,
    /// Jobs that were accepted so far, those that nobody knows any more as well.
    accepted: u64,
}

impl Jobs {
    /// Makes what an order at `now_ns` asks for: the id that is answered, and the jobs that came to be.
    pub(super) fn order(&mut self, vm_id: &str, fate: Fate, now_ns: u64) -> (String, &[Job]) {
        let before = self.all.len();
        let mut next = || {
            self.accepted += 1;
            format!("mig-{}", self.accepted)
        };
        let id = next();
        let job = Job { id: id.clone(), vm_id: vm_id.to_owned(), created_ns: now_ns, fate };
        match fate.how {
            Some(DwcpHow::Lose) => {}
            Some(DwcpHow::Duplicate) => {
                let copy = Job { id: next(), ..job.clone() };
                self.all.extend([job, copy]);
            }
            _ => self.all.push(job),
        }
        (id, &self.all[before..])
    }

    pub(super) fn find(&self, id: &str) -> Option<&Job> {
        // Looks are for young jobs.
        self.all.iter().rev().find(|job| job.id == id)
    }

    pub(super) fn newest_first(&self) -> impl Iterator<Item = &Job> {
        self.all.iter().rev()
    }

    /// How many there are in a state, at `now_ns`.
    pub(super) fn count(&self, now_ns: u64, holds: impl Fn(Status, &Job) -> bool) -> u64 {
        self.all.iter().filter(|job| holds(job.status(now_ns), job)).count() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fate(how: Option<DwcpHow>) -> Fate {
        Fate { accept_ns: 0, pending_ns: 10, work_ns: 40, how }
    }

    #[test]
    fn a_job_goes_its_way_with_the_time() {
        let mut jobs = Jobs::default();
        let (id, made) = jobs.order("vm", fate(None), 100);
        assert_eq!(made.len(), 1);
        let job = jobs.find(&id).unwrap();
        let states = [100, 109, 110, 149, 150, 1_000].map(|now| job.status(now).name());
        assert_eq!(states, ["pending", "pending", "in_progress", "in_progress", "completed", "completed"]);
        assert_eq!([100, 130, 150].map(|now| job.progress(now)), [0, 50, 100]);
    }

    #[test]
    fn what_goes_wrong_is_as_scripted() {
        let mut jobs = Jobs::default();
        let (lost, made) = jobs.order("a", fate(Some(DwcpHow::Lose)), 0);
        assert!(made.is_empty());
        assert!(jobs.find(&lost).is_none());
        assert_eq!(jobs.order("b", fate(Some(DwcpHow::Duplicate)), 0).1.len(), 2);
        let (failed, _) = jobs.order("c", fate(Some(DwcpHow::Fail)), 0);
        assert_eq!(jobs.find(&failed).unwrap().status(50), Status::Failed);
        assert_eq!(jobs.count(50, |status, _| status == Status::Completed), 2);
    }
}
