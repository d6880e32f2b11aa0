//! Is there a free stream? A connection carries as many calls at a time as its server allows (`MAX_CONCURRENT_STREAMS`).

use std::cell::Cell;
use std::rc::Rc;

use load_core::protocol::{Fault, Probe};
use load_net::connection::Connection;
use load_net::http2;
use tokio::sync::Notify;

use crate::protocol::STREAM_WAIT;

/// A connection that several lanes use; clones are handles to it.
#[derive(Clone)]
pub struct Link {
    /// The connection itself.
    pub http2: http2::Link,
    gate: Rc<Gate>,
}

/// Who has a stream. h2 would queue those that have none, and nobody would see how long.
#[derive(Default)]
struct Gate {
    busy: Cell<usize>,
    /// Those who wait come before those who come later.
    waiting: Cell<usize>,
    freed: Notify,
}

/// A stream of a connection, for as long as this is there.
pub(crate) struct Place<'a>(&'a Gate);

/// A place in the queue, for as long as this is there.
struct Waiting<'a>(&'a Gate);

impl Link {
    /// Begins HTTP/2 on `connection`, and waits until the server has said what it allows.
    ///
    /// # Errors
    /// As [`http2::Link::begin`]; or the connection broke in the meantime.
    pub async fn begin(connection: Connection, probe: &mut Probe<'_>) -> Result<Self, Fault> {
        let begun = async {
            let (http2, ping) = http2::Link::with_ping(connection).await?;
            if let Some(mut ping) = ping {
                // What is answered to it comes behind the server's settings.
                ping.ping(h2::Ping::opaque()).await.map_err(|error| http2.explain(&error))?;
            }
            Ok(Self { http2, gate: Rc::default() })
        };
        begun.await.map_err(|(fault, note): (Fault, String)| {
            probe.note(note);
            Fault { ends_session: true, ..fault }
        })
    }

    /// Waits for a free stream; a wait is a sample of its series.
    #[inline]
    pub(crate) async fn place(&self, probe: &Probe<'_>) -> Place<'_> {
        if self.gate.waiting.get() == 0 && !self.is_full() {
            return self.gate.take();
        }
        self.awaited(probe).await
    }

    #[cold]
    async fn awaited(&self, probe: &Probe<'_>) -> Place<'_> {
        let begin = probe.now();
        let waiting = Waiting::new(&self.gate);
        loop {
            tokio::select! {
                () = self.gate.freed.notified() => {}
                // The call hears of it from the connection.
                _ = self.http2.ended() => break,
            }
            if !self.is_full() {
                break;
            }
        }
        drop(waiting);
        probe.observe(STREAM_WAIT, probe.now().since(begin));
        let place = self.gate.take();
        if self.gate.waiting.get() > 0 && !self.is_full() {
            self.gate.freed.notify_one();
        }
        place
    }

    #[inline]
    fn is_full(&self) -> bool {
        // A server that allows none is asked all the same; h2 waits for it to change its mind.
        self.gate.busy.get() >= self.http2.most_streams().max(1)
    }
}

impl Gate {
    #[inline]
    fn take(&self) -> Place<'_> {
        self.busy.set(self.busy.get() + 1);
        Place(self)
    }
}

impl Drop for Place<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.busy.set(self.0.busy.get() - 1);
        if self.0.waiting.get() > 0 {
            self.0.freed.notify_one();
        }
    }
}

impl<'a> Waiting<'a> {
    fn new(gate: &'a Gate) -> Self {
        gate.waiting.set(gate.waiting.get() + 1);
        Self(gate)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.set(self.0.waiting.get() - 1);
    }
}
