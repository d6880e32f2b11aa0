//! How do events reach those who listen? As server-sent events, over a channel that keeps the last minute and waits for nobody.

use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use tokio::sync::broadcast;

use crate::secret::Secrets;

/// Events that a reader may be behind before it loses some.
const KEPT: usize = 64;

/// Tells events to whoever listens; by default nobody does, and telling costs nothing.
#[derive(Clone, Default)]
pub(crate) struct Feed(Option<Wire>);

#[derive(Clone)]
struct Wire {
    events: broadcast::Sender<Bytes>,
    secrets: Arc<Secrets>,
}

impl Feed {
    /// A feed, and its other end.
    pub(super) fn open(secrets: Arc<Secrets>) -> (Self, broadcast::Receiver<Bytes>) {
        let (events, receiver) = broadcast::channel(KEPT);
        (Self(Some(Wire { events, secrets })), receiver)
    }

    /// Tells `what` happened.
    pub(crate) fn tell(&self, kind: &str, what: &impl Serialize) {
        if let Some(wire) = &self.0 {
            // Without listeners there is nobody to tell.
            let _ = wire.events.send(message(kind, what, &wire.secrets));
        }
    }
}

/// An event as it is sent (<https://html.spec.whatwg.org/multipage/server-sent-events.html>): one line of JSON, for JSON has no
/// line breaks of its own.
pub(super) fn message(kind: &str, what: &impl Serialize, secrets: &Secrets) -> Bytes {
    let mut data = serde_json::to_value(what).unwrap_or_default();
    secrets.strike_json(&mut data);
    format!("event: {kind}\ndata: {data}\n\n").into()
}
