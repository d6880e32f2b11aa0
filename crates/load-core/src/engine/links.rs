//! Which connection does a lane use? The worker's table of shared links: one reconnect at a time, the rest wait.

use std::cell::RefCell;
use std::rc::Rc;

use tokio::sync::Notify;

use crate::protocol::{Fault, Protocol};

/// The links of one worker that several lanes share.
pub(super) struct Links<P: Protocol> {
    entries: Vec<RefCell<Entry<P>>>,
}

struct Entry<P: Protocol> {
    link: Option<P::Link>,
    /// Counts the times that the link was opened.
    generation: u32,
    state: State,
    changed: Rc<Notify>,
}

#[derive(Clone, Copy)]
enum State {
    Free,
    Opening,
    /// The last attempt failed.
    Failed(Fault),
}

/// What a lane finds.
pub(super) enum Found<L> {
    /// A handle, and the generation it is of.
    Link(L, u32),
    /// Nobody is at it: the lane is to open generation so-and-so.
    Open(u32),
    /// Another lane is opening it: wait for the change and look again.
    Wait(Rc<Notify>),
}

impl<P: Protocol> Links<P> {
    pub(super) fn new(count: usize) -> Self {
        let entry = || Entry { link: None, generation: 0, state: State::Free, changed: Rc::default() };
        Self { entries: (0..count).map(|_| RefCell::new(entry())).collect() }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// What there is of link `index`, for a lane that `waited` for another one's attempt.
    pub(super) fn find(&self, protocol: &P, index: usize, waited: bool) -> Result<Found<P::Link>, Fault> {
        let mut entry = self.entries[index].borrow_mut();
        if let Some(link) = entry.link.as_ref().and_then(|link| protocol.share(link)) {
            return Ok(Found::Link(link, entry.generation));
        }
        match entry.state {
            State::Opening => Ok(Found::Wait(Rc::clone(&entry.changed))),
            State::Failed(fault) if waited => Err(fault),
            _ => {
                entry.state = State::Opening;
                entry.generation += 1;
                Ok(Found::Open(entry.generation))
            }
        }
    }

    /// The attempt that [`Found::Open`] asked for has ended.
    pub(super) fn opened(&self, index: usize, result: Result<P::Link, Fault>) {
        let mut entry = self.entries[index].borrow_mut();
        match result {
            Ok(link) => (entry.link, entry.state) = (Some(link), State::Free),
            Err(fault) => entry.state = State::Failed(fault),
        }
        entry.changed.notify_waiters();
    }

    /// A session on generation `generation` of link `index` found it broken. True for the first one to say so.
    pub(super) fn broken(&self, index: usize, generation: u32) -> bool {
        let mut entry = self.entries[index].borrow_mut();
        if entry.generation != generation || entry.link.is_none() {
            return false;
        }
        entry.link = None;
        true
    }
}
