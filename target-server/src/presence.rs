//! Which connections are counted? Those of the load, for as long as they are open.

use std::sync::Arc;

use crate::record::Record;

/// Keeps a connection counted as open.
pub(crate) struct Presence {
    record: Arc<Record>,
    counted: bool,
}

impl Presence {
    /// Counts a connection that was just accepted.
    pub(crate) fn new(record: Arc<Record>) -> Self {
        {
            let mut truth = record.truth();
            truth.connections.accepted += 1;
            truth.connections.open += 1;
        }
        Self { record, counted: true }
    }

    /// The connection turned out to carry no load.
    pub(crate) fn uncount(&mut self) {
        if std::mem::take(&mut self.counted) {
            let mut truth = self.record.truth();
            truth.connections.open -= 1;
            // A reset may have come in between.
            truth.connections.accepted = truth.connections.accepted.saturating_sub(1);
        }
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        if self.counted {
            self.record.truth().connections.open -= 1;
        }
    }
}
