//! What does the user read? Everything printed goes through here: struck of secrets, and kept for the log file.

use std::io::IsTerminal as _;
use std::sync::{Arc, Mutex, PoisonError};

use crate::secret::Secrets;

/// Lines of one kind that may come again and again are kept up to this many bytes.
const LOG_BYTES: usize = 100_000;

/// Prints, strikes out secrets, keeps a copy.
#[derive(Clone)]
pub(crate) struct Console {
    secrets: Arc<Secrets>,
    quiet: bool,
    log: Arc<Mutex<String>>,
}

impl Console {
    pub(crate) fn new(secrets: Arc<Secrets>, quiet: bool) -> Self {
        Self { secrets, quiet, log: Arc::default() }
    }

    /// Whether results may be coloured.
    pub(crate) fn coloured() -> bool {
        std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none()
    }

    /// A result, to stdout. Returns whether it could be written.
    pub(crate) fn result(&self, text: &str) -> bool {
        let text = self.keep(text);
        self.quiet || write_all(std::io::stdout(), &text)
    }

    /// Something on the way, to stderr.
    pub(crate) fn say(&self, text: &str) {
        let text = self.keep(&format!("{text}\n"));
        if !self.quiet {
            write_all(std::io::stderr(), &text);
        }
    }

    /// A mistake or a failure, to stderr, even when all else is quiet.
    pub(crate) fn complain(&self, text: &str) {
        write_all(std::io::stderr(), &self.keep(&format!("{text}\n")));
    }

    fn keep(&self, text: &str) -> String {
        let text = self.secrets.strike(text);
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        if log.len() < LOG_BYTES {
            log.push_str(&text);
        }
        text
    }

    /// All that was printed so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn write_all(mut to: impl std::io::Write, text: &str) -> bool {
    to.write_all(text.as_bytes()).and_then(|()| to.flush()).is_ok()
}
