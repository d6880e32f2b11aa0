//! Are the messages that a suite has numbered still there at the end? Those that the server has taken, beside its streams.
//!
//! A step with `numbered = true` adds two fields to its XADD: `p`, who sent the message, and `n`, its number among his own. When the
//! last session ends, the streams are read from the first of the messages on.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use load_core::protocol::Vu;
use load_suite::template::push_decimal;

use super::stream::audit::Audit;
use super::wire::{Reply, word};

/// Words that are added to a command.
pub const WORDS: usize = 4;
/// Entries that are read at a time.
pub const PAGE: usize = 1_000;

/// What one process knows of the numbered messages of its users.
#[derive(Debug, Default)]
pub struct Numbered {
    /// Sessions that there are.
    sessions: Arc<AtomicU64>,
    state: Mutex<State>,
}

/// Keeps a session counted.
#[derive(Debug)]
pub struct Present(Option<Arc<AtomicU64>>);

#[derive(Debug, Default)]
struct State {
    audit: Audit,
    /// Messages that the server has taken.
    added: u64,
    /// The first one of each stream.
    streams: HashMap<Box<[u8]>, Id>,
    /// What has been told so far, should all leave more than once.
    told: Found,
    /// Why the streams could not be read.
    failed: Option<String>,
}

/// The place of an entry in its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Id(u64, u64);

/// What came of a look at all streams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Messages that were looked for.
    pub checked: u64,
    /// Of these, messages that are not there.
    pub lost: u64,
}

/// What a user knows of its own messages.
#[derive(Default)]
struct Member {
    name: RefCell<Vec<u8>>,
    /// The number of its last message.
    n: Cell<u64>,
}

impl Id {
    /// That of `1700000000000-7`.
    pub fn read(text: &[u8]) -> Option<Self> {
        let (ms, n) = std::str::from_utf8(text).ok()?.split_once('-')?;
        Some(Self(ms.parse().ok()?, n.parse().ok()?))
    }

    /// The begin of a range: from here on, or from what comes behind it.
    pub fn from(self, is_behind: bool) -> String {
        format!("{}{}-{}", if is_behind { "(" } else { "" }, self.0, self.1)
    }
}

impl Present {
    /// The session ends in good order; whether it was the last one.
    pub fn leave(mut self) -> bool {
        self.0.take().is_some_and(|sessions| sessions.fetch_sub(1, Ordering::AcqRel) == 1)
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        if let Some(sessions) = self.0.take() {
            sessions.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

impl Numbered {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A session begins.
    pub fn enter(&self) -> Present {
        self.sessions.fetch_add(1, Ordering::AcqRel);
        Present(Some(Arc::clone(&self.sessions)))
    }

    /// Appends the words that number the next message of `vu`, whose keys begin with `prefix`; its number.
    pub fn write(vu: &mut Vu, prefix: &str, out: &mut Vec<u8>) -> u64 {
        let id = vu.scope.vu;
        let member = vu.keep.get::<Member>();
        let n = member.n.get() + 1;
        if n == 1 {
            let mut name = member.name.borrow_mut();
            name.extend_from_slice(prefix.as_bytes());
            push_decimal(id, &mut name);
        }
        member.n.set(n);
        let mut number = Vec::with_capacity(20);
        push_decimal(n, &mut number);
        for part in [b"p", member.name.borrow().as_slice(), b"n", &number] {
            word(part, out);
        }
        n
    }

    /// The server has put message `n` of `vu` into the stream `key`, as `reply` says.
    pub fn added(&self, vu: &mut Vu, n: u64, key: &[u8], reply: &Reply<'_>) {
        let Some(id) = reply.clone().text().and_then(Id::read) else { return };
        let member = vu.keep.get::<Member>();
        let mut state = self.state();
        state.audit.added(&member.name.borrow(), n);
        state.added += 1;
        match state.streams.get_mut(key) {
            Some(first) => *first = id.min(*first),
            None => drop(state.streams.insert(key.into(), id)),
        }
    }

    /// The streams that are to be read, and from where.
    pub fn streams(&self) -> Vec<(Box<[u8]>, Id)> {
        let mut state = self.state();
        state.audit.look_again();
        state.failed = None;
        state.streams.iter().map(|(key, first)| (key.clone(), *first)).collect()
    }

    /// The streams could not be read.
    pub fn fail(&self, why: String) {
        self.state().failed = Some(why);
    }

    /// Why it is not known how many messages were lost, for people.
    pub fn failed(&self) -> Option<String> {
        let why = self.state().failed.clone()?;
        Some(format!("the numbered messages could not be looked for at the end: {why}"))
    }

    /// Notes the messages among the entries of `page`; the place of the last entry, and how many there are.
    pub fn look(&self, page: Reply<'_>) -> Option<(Option<Id>, usize)> {
        let (mut state, mut last, mut count) = (self.state(), None, 0);
        for entry in page.items()? {
            let mut entry = entry.items()?;
            last = entry.next().and_then(Reply::text).and_then(Id::read);
            count += 1;
            let (mut producer, mut n) = (None, None);
            let mut fields = entry.next().and_then(Reply::items).into_iter().flatten();
            while let (Some(name), Some(value)) = (fields.next(), fields.next()) {
                match name.text() {
                    Some(b"p") => producer = value.text(),
                    Some(b"n") => n = value.number(),
                    _ => {}
                }
            }
            if let (Some(producer), Some(n)) = (producer, n) {
                state.audit.came(producer, n.unsigned_abs());
            }
        }
        Some((last, count))
    }

    /// What is new since this was asked before: all streams have been read.
    pub fn found(&self) -> Found {
        let mut state = self.state();
        let all = Found { checked: state.added, lost: state.audit.lost() };
        let told = std::mem::replace(&mut state.told, all);
        Found { checked: all.checked.saturating_sub(told.checked), lost: all.lost.saturating_sub(told.lost) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redis::wire::reply;

    /// A page of entries with the numbers `all` of the producer `p:1`.
    fn page(all: &[u64]) -> Vec<u8> {
        let mut out = format!("*{}\r\n", all.len()).into_bytes();
        for n in all {
            out.extend(
                format!("*2\r\n$5\r\n100-{n}\r\n*4\r\n$1\r\np\r\n$3\r\np:1\r\n$1\r\nn\r\n$1\r\n{n}\r\n")
                    .bytes(),
            );
        }
        out
    }

    fn look(numbered: &Numbered, all: &[u64]) -> (Option<Id>, usize) {
        let bytes = page(all);
        let (page, _) = reply::read(&bytes).unwrap().unwrap();
        numbered.look(page).unwrap()
    }

    #[test]
    fn what_was_taken_and_is_not_there_is_lost() {
        let (numbered, mut vu, mut out) = (Numbered::default(), Vu::new(1), Vec::new());
        for n in 1..=5 {
            out.clear();
            assert_eq!(Numbered::write(&mut vu, "p:", &mut out), n);
            // The third one was not confirmed.
            if n != 3 {
                numbered.added(&mut vu, n, b"s", &Reply::Text(format!("100-{n}").as_bytes()));
            }
        }
        assert_eq!(out, b"$1\r\np\r\n$3\r\np:1\r\n$1\r\nn\r\n$1\r\n5\r\n");
        assert_eq!(numbered.streams(), [(b"s"[..].into(), Id(100, 1))]);
        assert_eq!(look(&numbered, &[1, 2, 3, 5]), (Some(Id(100, 5)), 4));
        assert_eq!(numbered.found(), Found { checked: 4, lost: 1 });
        // Nothing is told twice.
        Numbered::write(&mut vu, "p:", &mut out);
        numbered.added(&mut vu, 6, b"s", &Reply::Text(b"100-6"));
        numbered.streams();
        look(&numbered, &[1, 2, 3, 5, 6]);
        assert_eq!(numbered.found(), Found { checked: 1, lost: 0 });
    }

    #[test]
    fn the_last_one_who_leaves_knows_it() {
        let numbered = Numbered::default();
        let [first, second, third] = [(); 3].map(|()| numbered.enter());
        assert!(!first.leave());
        drop(second);
        assert!(third.leave());
    }

    #[test]
    fn ids_are_read_and_written() {
        let id = Id::read(b"1700000000000-7").unwrap();
        assert_eq!((id.from(false), id.from(true)), ("1700000000000-7".into(), "(1700000000000-7".into()));
        assert_eq!((Id::read(b"1700"), Id::read(b"x-1")), (None, None));
    }
}
