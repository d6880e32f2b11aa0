//! What is told to all connections? Messages that one of them broadcasts, in this process and the others.

use tokio::sync::broadcast::{self, Receiver, Sender};
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// Messages that a connection may be behind; it loses the oldest when there are more.
const KEPT: usize = 1024;

/// A message for all.
#[derive(Clone)]
pub(super) struct Post {
    /// The connection of this process that need not be told.
    pub(super) from: Option<u64>,
    pub(super) text: Utf8Bytes,
}

/// One list for all connections: a queue for each would need more memory than the rest of a connection.
pub(super) struct Bulletin(Sender<Post>);

impl Bulletin {
    pub(super) fn new() -> Self {
        Self(broadcast::channel(KEPT).0)
    }

    /// What is posted from now on.
    pub(super) fn subscribe(&self) -> Receiver<Post> {
        self.0.subscribe()
    }

    pub(super) fn post(&self, from: Option<u64>, text: Utf8Bytes) {
        // Nobody may be there.
        let _ = self.0.send(Post { from, text });
    }
}
