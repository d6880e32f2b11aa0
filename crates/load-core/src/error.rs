//! What can keep a run from happening? Errors of the cold paths, each with the exit code it leads to.

use std::path::PathBuf;

use load_report::exit::Exit;

/// The command line or the plan is wrong.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(String);

impl UsageError {
    /// `message` says what is wrong, where, what was expected and what to do.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

/// The target cannot be reached or prepared.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct PrepareError(String);

impl PrepareError {
    /// `message` names the target, what was tried and what came back, in one line.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

/// A run ends before it has a result.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The command line or the plan is wrong.
    #[error(transparent)]
    Usage(#[from] UsageError),
    /// The target cannot be reached or prepared.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// An input is unreadable, or not what it has to be.
    #[error("{0}")]
    Unreadable(String),
    /// Results cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The machine refuses what every run needs: a thread, a timer, a pipe.
    #[error("{what}: {source}")]
    Machine {
        /// What was asked for.
        what: &'static str,
        /// Why it was refused.
        source: std::io::Error,
    },
    /// A bug of the tool.
    #[error("internal error: {0}")]
    Internal(String),
}

impl RunError {
    /// The code to leave with.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) => Exit::Usage,
            Self::Prepare(_) => Exit::Unreachable,
            Self::Unreadable(_) => Exit::Unreadable,
            Self::Write { .. } => Exit::NotWritten,
            Self::Machine { .. } | Self::Internal(_) => Exit::Internal,
        }
    }
}
