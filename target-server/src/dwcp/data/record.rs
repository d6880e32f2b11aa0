//! What really happened to images? Counters, behind a lock.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

/// What `/truth` tells of the data plane. `migrations` = `completed` + `rolled_back` + `gone` + `active`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DwcpDataReport {
    /// Connections that said hello.
    pub connections: u64,
    /// Connections now.
    pub connections_open: u64,
    /// Connections that were lost as scripted.
    pub connections_lost: u64,
    /// Connections that took the place of another one.
    pub resumed: u64,
    /// Connections that ended without their last frame.
    pub cut_off: u64,
    /// Connections or migrations that were refused.
    pub refused: u64,
    /// Migrations that began.
    pub migrations: u64,
    /// Migrations that went through all phases.
    pub completed: u64,
    /// Migrations that were rolled back, those that were given up here as well.
    pub rolled_back: u64,
    /// Migrations whose source went away.
    pub gone: u64,
    /// Migrations under way.
    pub active: u64,
    /// Of `migrations`, those that were given up here as scripted.
    pub cancelled: u64,
    /// The same, as failed.
    pub failed: u64,
    /// Frames of pages, or records of raw framings.
    pub frames: u64,
    /// Pages that were put into images, zero pages as well.
    pub pages: u64,
    /// Bytes of payloads of frames of pages, or of records.
    pub bytes: u64,
    /// Frames that were wrong.
    pub broken: u64,
    /// Bytes of images that are promised to migrations now.
    pub memory: u64,
}

/// The record of the data plane.
#[derive(Default)]
pub(crate) struct DataRecord(Mutex<DwcpDataReport>);

impl DataRecord {
    pub(super) fn count(&self) -> MutexGuard<'_, DwcpDataReport> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn report(&self) -> DwcpDataReport {
        *self.count()
    }

    /// Zeroes the counters; what there is now stays counted.
    pub(crate) fn reset(&self) {
        let mut report = self.count();
        let DwcpDataReport { connections_open, active, memory, .. } = *report;
        *report = DwcpDataReport {
            connections_open,
            active,
            memory,
            migrations: active,
            ..DwcpDataReport::default()
        };
    }
}
