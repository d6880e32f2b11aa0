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
    /// Those of them who were told of a stream and have not taken it yet. Who is told without need loses its turn.
    told: Cell<usize>,
    freed: Notify,
}

/// A stream of a connection, for as long as this is there.
pub(crate) struct Place<'a>(&'a Link);

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
        if self.gate.waiting.get() == 0 && self.gate.busy.get() < self.limit() {
            return self.take();
        }
        self.awaited(probe).await
    }

    #[cold]
    async fn awaited(&self, probe: &Probe<'_>) -> Place<'_> {
        let begin = probe.now();
        let waiting = Waiting::new(&self.gate);
        loop {
            tokio::select! {
                () = self.gate.freed.notified() => self.gate.told.set(self.gate.told.get() - 1),
                // The call hears of it from the connection.
                _ = self.http2.ended() => break,
            }
            if self.gate.busy.get() < self.limit() {
                break;
            }
        }
        drop(waiting);
        probe.observe(STREAM_WAIT, probe.now().since(begin));
        let place = self.take();
        self.tell();
        place
    }

    #[inline]
    fn take(&self) -> Place<'_> {
        self.gate.busy.set(self.gate.busy.get() + 1);
        Place(self)
    }

    /// Tells as many of those who wait as there are streams for them: one where a call has ended, more where the server
    /// allows more than before.
    fn tell(&self) {
        let Gate { busy, waiting, told, freed } = &*self.gate;
        while told.get() < waiting.get() && busy.get() + told.get() < self.limit() {
            told.set(told.get() + 1);
            freed.notify_one();
        }
    }

    /// A server that allows none is asked all the same; h2 waits for it to change its mind.
    #[inline]
    fn limit(&self) -> usize {
        self.http2.most_streams().max(1)
    }
}

impl Drop for Place<'_> {
    #[inline]
    fn drop(&mut self) {
        let gate = &self.0.gate;
        gate.busy.set(gate.busy.get() - 1);
        if gate.waiting.get() > 0 {
            self.0.tell();
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
