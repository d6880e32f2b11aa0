//! What more is written? `--out KIND=WHERE`.

use std::path::{Path, PathBuf};

use super::args::LoadArgs;
use crate::error::UsageError;

/// The kinds, for people.
const KINDS: &str = "raw=FILE (CSV, a line a call), json=FILE (k6's JSON lines, a point a sample), html=FILE, \
                     k6-summary=FILE, locust=PREFIX";

/// What was asked for, each at most once.
#[derive(Clone, Debug, Default)]
pub struct Outs {
    /// A line for every call, as CSV.
    pub raw: Option<PathBuf>,
    /// A line for every sample, as k6 writes them.
    pub json: Option<PathBuf>,
    /// A page for a browser.
    pub html: Option<PathBuf>,
    /// What k6 hands to `handleSummary`.
    pub k6_summary: Option<PathBuf>,
    /// What the names of the files begin with that a runner of Locust leaves behind.
    pub locust: Option<PathBuf>,
}

impl Outs {
    /// What `args` ask for.
    ///
    /// # Errors
    /// An unknown kind, one that is given twice, or without a place.
    pub(super) fn of(args: &LoadArgs) -> Result<Self, UsageError> {
        let mut outs = Self::default();
        for (kind, place) in &args.outs {
            let refuse = |why: &str| Err(UsageError::new(format!("--out {kind}={place}: {why}")));
            let slot = match kind.as_str() {
                "raw" => &mut outs.raw,
                "json" => &mut outs.json,
                "html" => &mut outs.html,
                "k6-summary" => &mut outs.k6_summary,
                "locust" => &mut outs.locust,
                _ => return refuse(&format!("unknown kind {kind:?}; known are {KINDS}")),
            };
            if place.is_empty() || Path::new(place).file_name().is_none() {
                return refuse("expected the name of a file behind =");
            }
            if slot.replace(place.into()).is_some() {
                return refuse(&format!("{kind} is given twice"));
            }
        }
        Ok(outs)
    }

    /// The files that grow while the run lasts. They must not exist before it.
    pub fn growing(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        [("raw", &self.raw), ("json", &self.json)]
            .into_iter()
            .filter_map(|(kind, path)| Some((kind, path.as_deref()?)))
    }
}
