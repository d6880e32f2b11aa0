//! How long was this thread ready to run, and had no CPU? The scheduler's own account.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

/// The account of the thread that opened it. Where the kernel keeps none, nothing was ever waited for.
pub(crate) struct RunQueue(Option<File>);

impl RunQueue {
    /// Opens the account of the calling thread.
    pub(crate) fn open() -> Self {
        Self(File::open("/proc/thread-self/schedstat").ok())
    }

    /// All the time so far that the thread waited for a CPU, ns. One system call, of about 3 µs.
    pub(crate) fn waited_ns(&self) -> u64 {
        let read = || {
            let mut text = [0; 64];
            let length = self.0.as_ref()?.read_at(&mut text, 0).ok()?;
            let text = std::str::from_utf8(&text[..length]).ok()?;
            // Time on a CPU, time in a run queue, time slices: Documentation/scheduler/sched-stats of the kernel.
            text.split_ascii_whitespace().nth(1)?.parse().ok()
        };
        read().unwrap_or(0)
    }
}
