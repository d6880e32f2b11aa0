//! What did the server really do over WebSockets? Counters, and the guard that keeps them true.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

use crate::record::Record;

/// A close without a close frame (RFC 6455, section 7.1.5).
pub(super) const NO_CLOSE_FRAME: u16 = 1006;

/// Broadcasts that are kept, and bytes of one.
const MAX_BROADCASTS: usize = 1_000;
const MAX_TEXT: usize = 512;

/// The time, ns since 1970.
pub(super) fn wall_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// What `/truth` tells of WebSockets. `opened` + those open at the last reset = `open` + all of `closed`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WsReport {
    /// Upgrades that were accepted.
    pub opened: u64,
    /// Upgrades that were refused, by status.
    pub refused: BTreeMap<u16, u64>,
    /// Requests that were no upgrade.
    pub bad_upgrades: u64,
    /// Connections now.
    pub open: u64,
    /// The most at one time.
    pub peak: u64,
    /// Ends, by the code of the close frame that came first: 1005 is one without a code, 1006 none at all.
    pub closed: BTreeMap<u16, u64>,
    /// Messages that came. `echo` is any that asks for an echo.
    pub received: WsMessages,
    /// Messages that were written.
    pub sent: WsMessages,
    /// Echoes and pushes that the script kept back.
    pub lost: WsMessages,
    /// Of `sent`, those that the script sent a second time.
    pub duplicated: WsMessages,
    /// Of `sent`, answers with another text.
    pub wrong: u64,
    /// Bytes of the contents of `received`.
    pub bytes_in: u64,
    /// Bytes of the contents of `sent`.
    pub bytes_out: u64,
    /// What was broadcast, by its text: the first 1,000 of them, and only texts of at most 512 bytes.
    pub broadcasts: BTreeMap<String, WsBroadcast>,
}

/// One message to all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WsBroadcast {
    /// Connections to which it was written.
    pub receivers: u64,
    /// When the first write began, ns since 1970.
    pub first_ns: i64,
    /// When the last write began, ns since 1970.
    pub last_ns: i64,
}

impl WsReport {
    /// Adds what another process of the same server tells. The peaks need not have been at the same time.
    pub(crate) fn add(&mut self, other: &Self) {
        self.opened += other.opened;
        add_each(&mut self.refused, &other.refused);
        self.bad_upgrades += other.bad_upgrades;
        self.open += other.open;
        self.peak += other.peak;
        add_each(&mut self.closed, &other.closed);
        self.received.add(&other.received);
        self.sent.add(&other.sent);
        self.lost.add(&other.lost);
        self.duplicated.add(&other.duplicated);
        self.wrong += other.wrong;
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
        for (text, theirs) in &other.broadcasts {
            let mine = self.broadcasts.entry(text.clone()).or_default();
            let none_yet = mine.receivers == 0;
            mine.first_ns = if none_yet { theirs.first_ns } else { mine.first_ns.min(theirs.first_ns) };
            mine.last_ns = mine.last_ns.max(theirs.last_ns);
            mine.receivers += theirs.receivers;
        }
    }
}

fn add_each(mine: &mut BTreeMap<u16, u64>, theirs: &BTreeMap<u16, u64>) {
    for (code, count) in theirs {
        *mine.entry(*code).or_default() += count;
    }
}

/// Messages by kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WsMessages {
    /// Texts and binary messages that are sent back.
    pub echo: u64,
    /// Pings.
    pub ping: u64,
    /// Pongs.
    pub pong: u64,
    /// What the server sends by itself.
    pub push: u64,
    /// What one connection sends to all others.
    pub broadcast: u64,
}

impl WsMessages {
    /// Texts and binary messages of all kinds, without pings and pongs.
    pub fn data(&self) -> u64 {
        self.echo + self.push + self.broadcast
    }

    fn add(&mut self, other: &Self) {
        self.echo += other.echo;
        self.ping += other.ping;
        self.pong += other.pong;
        self.push += other.push;
        self.broadcast += other.broadcast;
    }

    fn of(&mut self, kind: Kind) -> &mut u64 {
        match kind {
            Kind::Echo => &mut self.echo,
            Kind::Ping => &mut self.ping,
            Kind::Pong => &mut self.pong,
            Kind::Push => &mut self.push,
            Kind::Broadcast => &mut self.broadcast,
        }
    }
}

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Echo,
    Ping,
    Pong,
    Push,
    Broadcast,
}

/// The record of all WebSockets.
#[derive(Default)]
pub(crate) struct WsRecord(Mutex<Counted>);

#[derive(Default)]
struct Counted {
    /// Upgrades asked for, for the script's draws and the connections' numbers.
    upgrades: u64,
    report: WsReport,
}

impl WsRecord {
    fn counted(&self) -> MutexGuard<'_, Counted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn report(&self) -> WsReport {
        self.counted().report.clone()
    }

    /// Zeroes everything; open connections stay counted.
    pub(crate) fn reset(&self) {
        let mut counted = self.counted();
        let open = counted.report.open;
        // The numbers of connections go on: two of them must not have the same.
        counted.report = WsReport { open, peak: open, ..WsReport::default() };
    }

    /// The number of the next upgrade, from 0.
    pub(super) fn next_upgrade(&self) -> u64 {
        let mut counted = self.counted();
        counted.upgrades += 1;
        counted.upgrades - 1
    }

    pub(super) fn refused(&self, status: u16) {
        *self.counted().report.refused.entry(status).or_default() += 1;
    }

    pub(super) fn bad_upgrade(&self) {
        self.counted().report.bad_upgrades += 1;
    }

    pub(super) fn received(&self, kind: Kind, bytes: usize) {
        let report = &mut self.counted().report;
        *report.received.of(kind) += 1;
        report.bytes_in += bytes as u64;
    }

    pub(super) fn sent(&self, kind: Kind, bytes: usize) {
        let report = &mut self.counted().report;
        *report.sent.of(kind) += 1;
        report.bytes_out += bytes as u64;
    }

    /// A broadcast was written to one more connection; the write began at `at_ns`.
    pub(super) fn delivered(&self, text: &str, at_ns: i64) {
        let broadcasts = &mut self.counted().report.broadcasts;
        if let Some(broadcast) = broadcasts.get_mut(text) {
            broadcast.receivers += 1;
            broadcast.last_ns = broadcast.last_ns.max(at_ns);
        } else if broadcasts.len() < MAX_BROADCASTS && text.len() <= MAX_TEXT {
            broadcasts.insert(text.to_owned(), WsBroadcast { receivers: 1, first_ns: at_ns, last_ns: at_ns });
        }
    }

    pub(super) fn lost(&self, kind: Kind) {
        *self.counted().report.lost.of(kind) += 1;
    }

    pub(super) fn duplicated(&self, kind: Kind) {
        *self.counted().report.duplicated.of(kind) += 1;
    }

    pub(super) fn wrong(&self) {
        self.counted().report.wrong += 1;
    }
}

/// Keeps a connection counted as open.
pub(super) struct Presence {
    record: Arc<Record>,
    code: u16,
}

impl Presence {
    pub(super) fn new(record: Arc<Record>) -> Self {
        {
            let report = &mut record.ws.counted().report;
            report.opened += 1;
            report.open += 1;
            report.peak = report.peak.max(report.open);
        }
        Self { record, code: NO_CLOSE_FRAME }
    }

    /// Counts the connection's end.
    pub(super) fn end(mut self, code: u16) {
        self.code = code;
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        let report = &mut self.record.ws.counted().report;
        report.open -= 1;
        *report.closed.entry(self.code).or_default() += 1;
    }
}
