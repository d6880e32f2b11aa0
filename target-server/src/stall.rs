//! When did the script begin, and does the whole server stand still now?

use std::{
    fs, io,
    os::fd::OwnedFd,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use rustix::event::{PollFd, PollFlags, poll};

use crate::{
    clock::{now_ns, timespec},
    script::Script,
};

/// The script's start and its stalls. Every socket read and write passes through [`check`](Self::check).
pub(crate) struct Gate {
    script: Arc<Script>,
    /// 0 until the first request.
    start_ns: AtomicU64,
    stalled: AtomicBool,
    /// The file that holds the start for all processes of one server.
    shared: Option<PathBuf>,
    /// Readable when the server is to end, which ends a stall too.
    wake: Arc<OwnedFd>,
}

impl Gate {
    pub(crate) fn new(script: Arc<Script>, shared: Option<PathBuf>, wake: Arc<OwnedFd>) -> Self {
        Self { script, start_ns: AtomicU64::new(0), stalled: AtomicBool::new(false), shared, wake }
    }

    /// The instant the script's time began, if it has.
    pub(crate) fn start(&self) -> Option<u64> {
        Some(self.start_ns.load(Ordering::Relaxed)).filter(|start| *start > 0)
    }

    /// The instant the script's time began; it begins at `t_ns` if it has not yet.
    pub(crate) fn begin(&self, t_ns: u64) -> u64 {
        self.start().unwrap_or_else(|| {
            let start = self.shared.as_ref().map_or(t_ns, |file| agree(file, t_ns).unwrap_or(t_ns));
            self.start_ns.store(start, Ordering::Relaxed);
            start
        })
    }

    /// The script's time begins anew with the next request; of several processes, one must call
    /// [`forget_shared`](Self::forget_shared) first.
    pub(crate) fn reset(&self) {
        self.start_ns.store(0, Ordering::Relaxed);
    }

    /// Removes the start that all processes share.
    pub(crate) fn forget_shared(&self) {
        if let Some(file) = &self.shared {
            // It is missing when no request has come yet.
            let _ = fs::remove_file(file);
        }
    }

    /// Returns at once, or, in a stall, blocks this whole thread until its end.
    ///
    /// Blocking the only thread that touches sockets is what makes a stall exact: nothing can slip through.
    pub(crate) fn check(&self) {
        if self.script.stalls.is_empty() {
            return;
        }
        let Some(start) = self.start().or_else(|| self.learn()) else { return };
        let offset = now_ns().saturating_sub(start);
        if let Some(end) = self.script.stalled_until(offset) {
            self.stalled.store(true, Ordering::Release);
            self.block_until(start + end);
            self.stalled.store(false, Ordering::Release);
        }
    }

    /// The server's thread stands still.
    pub(crate) fn is_stalled(&self) -> bool {
        self.stalled.load(Ordering::Acquire)
    }

    /// Another process may have seen the first request.
    fn learn(&self) -> Option<u64> {
        let start = read_start(self.shared.as_ref()?).ok()?;
        self.start_ns.store(start, Ordering::Relaxed);
        Some(start)
    }

    fn block_until(&self, end_ns: u64) {
        loop {
            let left = end_ns.saturating_sub(now_ns());
            if left == 0 {
                return;
            }
            let mut fds = [PollFd::new(&self.wake, PollFlags::IN)];
            match poll(&mut fds, Some(&timespec(left))) {
                // Time is up, or a signal came: the clock decides.
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                // The server ends; its runtime notices as soon as this returns.
                Ok(_) | Err(_) => return,
            }
        }
    }
}

/// Offers `t_ns` as the start and returns the one that all processes agreed on: a link is made by one only.
fn agree(file: &PathBuf, t_ns: u64) -> io::Result<u64> {
    let offer = file.with_extension(std::process::id().to_string());
    fs::write(&offer, t_ns.to_string())?;
    let linked = fs::hard_link(&offer, file);
    fs::remove_file(&offer)?;
    match linked {
        Ok(()) => Ok(t_ns),
        Err(_) => read_start(file),
    }
}

fn read_start(file: &PathBuf) -> io::Result<u64> {
    fs::read_to_string(file)?.parse().map_err(io::Error::other)
}
