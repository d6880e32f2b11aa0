//! Which connections belong together, and to which migration? One source's streams, and the image they fill.

use std::{cell::RefCell, rc::Rc};

use load_wire::dwcp::message::{Framing, Init, Phase};
use tokio::{sync::Notify, task::AbortHandle};

use super::{DataContext, image::Image};
use crate::script::DwcpDataHow;

/// Most streams of a session.
const MOST_STREAMS: u16 = 1024;
/// Most sessions.
const MOST_SESSIONS: usize = 100_000;
/// How long a session without a connection is kept for its source to come back, ns.
const KEPT_NS: u64 = 5_000_000_000;

/// One source's streams.
pub(super) struct Session {
    id: [u8; 16],
    pub(super) features: u32,
    /// For each stream, how often a connection has taken its place.
    epochs: Vec<u64>,
    open: usize,
    /// How often connections have come, so that waiting for one can see that it has.
    came: u64,
    pub(super) migration: Option<Migration>,
}

/// One migration, from INIT to its end.
pub(super) struct Migration {
    pub(super) image: Image,
    pub(super) mode: u8,
    pub(super) phase: Phase,
    pub(super) round: u16,
    pub(super) how: Option<DwcpDataHow>,
    pub(super) raw: Option<Raw>,
    ended: Option<Ended>,
    data: Rc<DataContext>,
}

/// How a migration ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Completed,
    RolledBack,
}

/// The raw streams of a migration.
pub(super) struct Raw {
    pub(super) framing: Framing,
    /// Bytes of pages that are in the image.
    pub(super) bytes: u64,
    /// What came over them was wrong.
    pub(super) failed: bool,
    /// Tells of more bytes.
    pub(super) more: Rc<Notify>,
    /// Accepts connections.
    pub(super) listener: AbortHandle,
}

impl Drop for Raw {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

impl Migration {
    /// Begins one, when there is memory for it.
    pub(super) fn begin(data: &Rc<DataContext>, init: &Init<'_>) -> Option<Self> {
        let promised = data.promised.get().checked_add(init.bytes)?;
        if promised > data.context.script.dwcp.data.memory {
            data.record().count().refused += 1;
            return None;
        }
        data.promised.set(promised);
        let n = data.migrations.replace(data.migrations.get() + 1);
        let mut count = data.record().count();
        count.migrations += 1;
        count.active += 1;
        count.memory = promised;
        Some(Self {
            image: Image::new(init.bytes, data.spare.clone()),
            mode: init.mode,
            phase: Phase::Initialization,
            round: 0,
            how: data.context.script.dwcp.data.fate(data.context.script.seed, n),
            raw: None,
            ended: None,
            data: Rc::clone(data),
        })
    }

    /// Notes how it ended; nothing but the memory of it is left then.
    pub(super) fn end(&mut self, how: Ended) {
        self.ended = Some(how);
    }

    /// Whether pages may come now.
    pub(super) fn takes_pages(&self) -> bool {
        matches!(self.phase, Phase::PreCopy | Phase::StopAndCopy | Phase::PostCopy)
    }
}

impl Drop for Migration {
    fn drop(&mut self) {
        let promised = self.data.promised.get() - self.image.bytes();
        self.data.promised.set(promised);
        let mut count = self.data.record().count();
        count.active -= 1;
        count.memory = promised;
        match self.ended {
            Some(Ended::Completed) => count.completed += 1,
            Some(Ended::RolledBack) => count.rolled_back += 1,
            None => count.gone += 1,
        }
    }
}

/// One connection's place in its session; dropping it gives the place up.
pub(super) struct Place {
    data: Rc<DataContext>,
    pub(super) session: Rc<RefCell<Session>>,
    stream: u16,
    epoch: u64,
}

impl Place {
    /// A place for stream number `stream` of `streams` in the session `id`, which is made when it is new.
    pub(super) fn take(
        data: &Rc<DataContext>,
        id: [u8; 16],
        stream: u16,
        streams: u16,
        features: u32,
    ) -> Option<Self> {
        let mut sessions = data.sessions.borrow_mut();
        if streams > MOST_STREAMS || sessions.len() >= MOST_SESSIONS {
            return None;
        }
        let new = || {
            let epochs = vec![0; usize::from(streams)];
            Rc::new(RefCell::new(Session { id, features, epochs, open: 0, came: 0, migration: None }))
        };
        let session = Rc::clone(sessions.entry(id).or_insert_with(new));
        let epoch = {
            let held = &mut *session.borrow_mut();
            if held.epochs.len() != usize::from(streams) || held.features != features {
                return None;
            }
            held.open += 1;
            held.came += 1;
            let epoch = &mut held.epochs[usize::from(stream)];
            *epoch += 1;
            if *epoch > 1 {
                data.record().count().resumed += 1;
            }
            *epoch
        };
        Some(Self { data: Rc::clone(data), session, stream, epoch })
    }

    /// Whether no other connection has taken it.
    pub(super) fn is_ours(&self) -> bool {
        self.session.borrow().epochs[usize::from(self.stream)] == self.epoch
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let (id, came) = {
            let mut session = self.session.borrow_mut();
            session.open -= 1;
            if session.open > 0 {
                return;
            }
            (session.id, session.came)
        };
        let (data, session) = (Rc::clone(&self.data), Rc::clone(&self.session));
        let forget = move |data: &DataContext| data.sessions.borrow_mut().remove(&id);
        // With a migration under way, its source may come back.
        if session.borrow().migration.is_none() {
            forget(&data);
            return;
        }
        tokio::task::spawn_local(async move {
            data.context.timer.pause(KEPT_NS).await;
            if session.borrow().came == came {
                // The migration goes with it, after the borrow has ended.
                let migration = session.borrow_mut().migration.take();
                forget(&data);
                drop(migration);
            }
        });
    }
}
