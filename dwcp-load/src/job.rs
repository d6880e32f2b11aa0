//! What does an answer say of a job? The fields of the API that matter, strict where a mistake would be believed.

use serde::Deserialize;

/// What an order is answered with.
#[derive(Debug, Deserialize, PartialEq, Eq)]
pub struct Accepted {
    /// The job's name from now on.
    pub job_id: String,
}

/// Where a job stands.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It waits.
    #[serde(alias = "queued", alias = "accepted")]
    Pending,
    /// It runs.
    #[serde(alias = "running")]
    InProgress,
    /// It ended well.
    Completed,
    /// It ended otherwise.
    #[serde(alias = "cancelled")]
    Failed,
}

/// One job, as a look or a list shows it.
#[derive(Debug, Deserialize, PartialEq, Eq)]
pub struct Job {
    /// Its name.
    #[serde(default)]
    pub job_id: String,
    /// What it migrates; empty where the API does not say.
    #[serde(default)]
    pub vm_id: String,
    /// Where it stands.
    pub status: Status,
    /// Whether data were lost; none before its end.
    pub data_loss: Option<bool>,
}

/// A list of jobs.
#[derive(Debug, Deserialize, PartialEq, Eq)]
pub struct List {
    /// The jobs.
    pub migrations: Vec<Job>,
}

/// The statistics.
#[derive(Debug, Deserialize, PartialEq, Eq)]
pub struct Stats {
    /// Jobs under way.
    pub active_migrations: u64,
}

/// The API's version.
#[derive(Debug, Deserialize, PartialEq, Eq)]
pub struct Version {
    /// As it writes it.
    pub version: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_matters_is_read_and_the_rest_is_not() {
        let job: Job = serde_json::from_str(r#"{"job_id":"a","status":"in_progress","progress":3}"#).unwrap();
        assert_eq!((job.status, job.data_loss), (Status::InProgress, None));
        let job: Job = serde_json::from_str(r#"{"status":"completed","data_loss":false}"#).unwrap();
        assert_eq!((job.status, job.data_loss), (Status::Completed, Some(false)));
        for wrong in
            [r#"{"status":"done"}"#, r#"{"job_id":"a"}"#, r#"{"status":"completed","data_loss":"no"}"#]
        {
            assert!(serde_json::from_str::<Job>(wrong).is_err(), "{wrong}");
        }
    }
}
