//! Who watches while it runs? `--live ADDR`: metrics and events over HTTP, from a thread that no worker waits for.
//!
//! The conductor hands over a finished page once a second and events as they come; [`serve`] tells whoever asks. Readers cost a run
//! nothing but what the thread needs to write to them, and a slow one loses events.

mod feed;
mod serve;
mod show;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;

use bytes::Bytes;
use load_report::exit::Exit;
use load_report::model::RunFile;
use serde_json::json;
use tokio::sync::{oneshot, watch};

pub(crate) use feed::Feed;
pub(crate) use show::Show;

use crate::error::{RunError, UsageError};
use crate::output::Console;
use crate::secret::Secrets;

/// What is handed out at any time.
#[derive(Clone, Debug, Default)]
struct Shown {
    /// The page for Prometheus.
    metrics: Bytes,
    /// The first event of everybody who begins to listen.
    hello: Bytes,
}

/// The listener of a run. It closes when this is dropped.
pub(crate) struct Live {
    shown: watch::Sender<Shown>,
    secrets: Arc<Secrets>,
    feed: Feed,
    /// Closes the listener by being dropped.
    over: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Live {
    /// Listens at `address`, and says where.
    ///
    /// # Errors
    /// The address cannot be had.
    pub(crate) fn open(
        address: SocketAddr,
        secrets: Arc<Secrets>,
        console: &Console,
    ) -> Result<Self, RunError> {
        let refused = |error: std::io::Error| {
            UsageError::new(format!(
                "--live {address}: cannot listen there: {error}; choose another port, or 0 for any that is free"
            ))
        };
        let machine = |what| move |source| RunError::Machine { what, source };
        let listener = TcpListener::bind(address).map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        listener.set_nonblocking(true).map_err(machine("cannot listen"))?;
        let (over, is_over) = oneshot::channel();
        let (shown, is_shown) = watch::channel(Shown::default());
        let (feed, events) = Feed::open(Arc::clone(&secrets));
        let site = serve::Site::new(is_shown, events);
        let serve = move || serve::run(listener, site, is_over);
        let thread = std::thread::Builder::new().name("live".into()).spawn(serve);
        let thread = thread.map_err(machine("cannot start a thread"))?;
        let open = if address.ip().is_loopback() { "" } else { ", for everybody who reaches this machine" };
        console.say(&format!("live: http://{address}/ with /metrics and /events{open}"));
        Ok(Self { shown, secrets, feed, over: Some(over), thread: Some(thread) })
    }

    /// Where events are told.
    pub(crate) fn feed(&self) -> Feed {
        self.feed.clone()
    }

    /// Tells how the run ended, then closes.
    pub(crate) fn end(self, run: &RunFile, exit: Exit) {
        let RunFile { verdict, interrupted, invalid, warnings, totals, connections, thresholds, .. } = run;
        self.feed.tell(
            "end",
            &json!({
                "verdict": verdict, "exit_code": exit.code(), "interrupted": interrupted, "invalid": invalid,
                "warnings": warnings, "totals": totals, "connections": connections, "thresholds": thresholds,
            }),
        );
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        // Streams end when nobody is left who could tell more.
        self.feed = Feed::default();
        self.over = None;
        if let Some(thread) = self.thread.take() {
            // A panic has been told; the figures are not affected.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests;
