//! What happened, call by call? `--out raw=FILE`: for tests and for those who doubt the histograms.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use super::CallTimes;
use crate::clock::Nanos;
use crate::protocol::OpId;

/// The columns of the file. Instants are in ns since time zero.
pub const COLUMNS: &str = "phase,op,seq,due_ns,start_ns,end_ns,outcome,code\n";
/// Lines are written in blocks of about this many bytes.
const BLOCK: usize = 1 << 16;

/// One worker's part of the file. All workers append whole lines to the same file.
pub struct Raw {
    file: File,
    lines: Vec<u8>,
    failed: bool,
}

impl Raw {
    /// Appends to `path`.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn open(path: &Path) -> std::io::Result<Self> {
        let file = File::options().append(true).open(path)?;
        Ok(Self { file, lines: Vec::with_capacity(BLOCK + 256), failed: false })
    }

    pub(super) fn call(
        &mut self,
        t0: Nanos,
        (phase, op): (usize, OpId),
        times: &CallTimes,
        (outcome, code): (&str, u32),
    ) {
        let since = |at: Nanos| (at - t0).0;
        let (seq, due, start, end) = (times.seq, since(times.due), since(times.start), since(times.end));
        let written = writeln!(self.lines, "{phase},{op},{seq},{due},{start},{end},{outcome},{code}");
        debug_assert!(written.is_ok(), "memory takes every line");
        if self.lines.len() >= BLOCK {
            self.flush();
        }
    }

    /// Writes what has gathered; warns once when that fails.
    pub(super) fn flush(&mut self) {
        if let Err(error) = self.file.write_all(&self.lines)
            && !std::mem::replace(&mut self.failed, true)
        {
            tracing::warn!("the raw output is incomplete: {error}");
        }
        self.lines.clear();
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        self.flush();
    }
}
