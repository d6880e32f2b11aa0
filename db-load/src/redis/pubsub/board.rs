//! Which messages were sent to how many, and which came? The account of one worker's channel.
//!
//! What PUBLISH says of its receivers is held against the deliveries: receivers = deliveries - duplicates - unconfirmed
//! \+ lost, and subscribers x messages = receivers + missed.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};

use load_core::clock::Nanos;
use load_core::protocol::Probe;

use crate::redis::series::{self, pubsub};

/// What is not complete is forgotten after this; it is in the account, but not in the times to the last receiver.
const PATIENCE: Nanos = Nanos(10_000_000_000);
/// So many messages are looked through for that.
const MANY: usize = 100_000;

/// A publisher's number, and that of its message, from 1.
pub type Id = (u64, u64);

/// The account of one channel. Shared by the connections that come one after the other; used by one thread at a time.
pub struct Board {
    /// Connections that should get each message.
    pub subscribers: NonZeroU32,
    account: Mutex<Account>,
}

#[derive(Default)]
struct Account {
    under_way: HashMap<Id, Message>,
    sweep_at: usize,
    /// What each subscriber has seen of each publisher.
    seen: Vec<HashMap<u64, Seen>>,
    /// Publishers who have begun and not left.
    members: u64,
    /// Receivers by PUBLISH's replies.
    receivers: u64,
    /// Deliveries of them.
    confirmed: u64,
    /// Losses that are on record.
    lost: u64,
    /// What is not on record yet.
    news: News,
}

struct Message {
    sent: Nanos,
    /// What PUBLISH replied.
    receivers: Option<u64>,
    came: u64,
    last: Nanos,
    /// No reply will come.
    is_unanswered: bool,
}

#[derive(Default)]
struct News {
    deliveries: Vec<u64>,
    fan_outs: Vec<u64>,
    outages: Vec<u64>,
    duplicates: u64,
    out_of_order: u64,
    unconfirmed: u64,
}

/// The last number of a publisher, and which of the 64 before it were there.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    last: u64,
    before: u64,
}

/// How a message comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    InOrder,
    Late,
    Again,
}

impl Seen {
    fn meet(&mut self, n: u64) -> Turn {
        if n > self.last {
            let gap = n - self.last;
            // The bit of a number is its distance from the last one, less one.
            self.before = self.before.checked_shl(gap.min(64) as u32).unwrap_or(0);
            if self.last > 0 && gap <= 64 {
                self.before |= 1 << (gap - 1);
            }
            self.last = n;
            return Turn::InOrder;
        }
        let distance = self.last - n;
        if distance == 0 {
            return Turn::Again;
        }
        if distance > 64 {
            return Turn::Late;
        }
        let bit = 1 << (distance - 1);
        let was = self.before & bit != 0;
        self.before |= bit;
        if was { Turn::Again } else { Turn::Late }
    }
}

impl Board {
    /// For a channel that has so many subscribers.
    pub fn new(subscribers: NonZeroU32) -> Self {
        let seen = vec![HashMap::new(); subscribers.get() as usize];
        let account = Account { seen, sweep_at: MANY, ..Account::default() };
        Self { subscribers, account: Mutex::new(account) }
    }

    fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A publisher has begun.
    pub fn join(&self) {
        self.account().members += 1;
    }

    /// A publisher leaves; whether it was the last one.
    pub fn leave(&self) -> bool {
        let mut account = self.account();
        account.members = account.members.saturating_sub(1);
        account.members == 0
    }

    /// A message is about to be sent.
    pub fn sent(&self, id: Id, at: Nanos) {
        let mut account = self.account();
        if account.under_way.len() >= account.sweep_at {
            account.under_way.retain(|_, message| at - message.sent < PATIENCE);
            account.sweep_at = MANY.max(2 * account.under_way.len());
        }
        let message = Message { sent: at, receivers: None, came: 0, last: at, is_unanswered: false };
        account.under_way.insert(id, message);
    }

    /// PUBLISH said that `receivers` get it.
    pub fn answered(&self, id: Id, receivers: u64, probe: &Probe<'_>) {
        let mut account = self.account();
        account.receivers += receivers;
        if let Some(message) = account.under_way.get_mut(&id) {
            message.receivers = Some(receivers);
        }
        account.finish(id);
        drop(account);
        probe.count(pubsub::MESSAGES, 1);
        probe.count(pubsub::RECEIVERS, receivers);
        probe.count(pubsub::MISSED, u64::from(self.subscribers.get()).saturating_sub(receivers));
    }

    /// PUBLISH will not say any more who gets it.
    pub fn unanswered(&self, id: Id) {
        let mut account = self.account();
        let account = &mut *account;
        if let Some(message) = account.under_way.get_mut(&id) {
            message.is_unanswered = true;
            account.confirmed -= message.came;
            account.news.unconfirmed += message.came;
        }
    }

    /// A message has come to `subscriber`, which was sent and arrived at these instants.
    pub fn came(&self, subscriber: usize, id: Id, (sent, now): (Nanos, Nanos)) {
        let mut account = self.account();
        let account = &mut *account;
        account.news.deliveries.push(now.since(sent));
        match account.seen[subscriber].entry(id.0).or_default().meet(id.1) {
            Turn::InOrder => {}
            Turn::Late => account.news.out_of_order += 1,
            Turn::Again => {
                account.news.duplicates += 1;
                return;
            }
        }
        match account.under_way.get_mut(&id) {
            Some(message) if message.is_unanswered => account.news.unconfirmed += 1,
            Some(message) => {
                account.confirmed += 1;
                message.came += 1;
                message.last = now;
                account.finish(id);
            }
            None => account.confirmed += 1,
        }
    }

    /// A subscriber has a connection again, after so long.
    pub fn back(&self, after: u64) {
        self.account().news.outages.push(after);
    }

    /// Puts on record what has happened since.
    pub fn record(&self, probe: &Probe<'_>) {
        let mut account = self.account();
        let news = &mut account.news;
        probe.count(pubsub::DELIVERIES, news.deliveries.len() as u64);
        for (series, times) in [
            (pubsub::DELIVERY, &mut news.deliveries),
            (pubsub::FAN_OUT, &mut news.fan_outs),
            (series::OUTAGE, &mut news.outages),
        ] {
            times.drain(..).for_each(|time| probe.observe(series, time));
        }
        for (counter, count) in [
            (pubsub::DUPLICATES, &mut news.duplicates),
            (pubsub::OUT_OF_ORDER, &mut news.out_of_order),
            (pubsub::UNCONFIRMED, &mut news.unconfirmed),
        ] {
            probe.count(counter, std::mem::take(count));
        }
    }

    /// Nothing of what was sent is still to come: what has not come is lost.
    pub fn settle(&self, probe: &Probe<'_>) {
        self.record(probe);
        let mut account = self.account();
        let lost = account.receivers.saturating_sub(account.confirmed + account.lost);
        account.lost += lost;
        probe.count(pubsub::LOST, lost);
    }
}

impl Account {
    /// Forgets a message that has come to all.
    fn finish(&mut self, id: Id) {
        let Some(message) = self.under_way.get(&id) else { return };
        if message.receivers.is_some_and(|receivers| message.came >= receivers) {
            if message.came > 0 {
                self.news.fan_outs.push(message.last.since(message.sent));
            }
            self.under_way.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use load_core::record::Observer;

    use super::*;

    #[derive(Default)]
    struct Record {
        counts: RefCell<HashMap<usize, u64>>,
        times: RefCell<HashMap<usize, Vec<u64>>>,
    }

    impl Observer for Record {
        fn now(&self) -> Nanos {
            Nanos::ZERO
        }
        fn observe(&self, series: usize, ns: u64) {
            self.times.borrow_mut().entry(series).or_default().push(ns);
        }
        fn count(&self, counter: usize, n: u64) {
            *self.counts.borrow_mut().entry(counter).or_default() += n;
        }
    }

    #[test]
    fn what_comes_again_or_late_is_known_within_a_window() {
        let mut seen = Seen::default();
        let turns: Vec<_> = [1, 2, 5, 5, 3, 3, 4, 70, 5, 6, 6, 1].map(|n| seen.meet(n)).into();
        let (order, late, again) = (Turn::InOrder, Turn::Late, Turn::Again);
        // 1 is too long ago to know whether it had come.
        assert_eq!(turns, [order, order, order, again, late, again, late, order, late, late, again, late]);
        let mut seen = Seen::default();
        assert!((1..1_000).all(|n| seen.meet(n) == order));
        assert!((950..1_000).all(|n| seen.meet(n) == again));
    }

    #[test]
    fn the_account_adds_up() {
        let (record, mut note) = (Record::default(), String::new());
        let probe = Probe::unobserved(&record, &mut note);
        let board = Board::new(NonZeroU32::new(3).unwrap());
        let at = |ms: i64| Nanos(ms * 1_000_000);
        // Comes to all, the reply being the last to come; to two of three; to one of two, twice.
        for (n, receivers, came) in [(1, 3, &[0, 1, 2][..]), (2, 2, &[0, 1]), (3, 2, &[2, 2])] {
            board.sent((7, n), at(0));
            came.iter().for_each(|&subscriber| board.came(subscriber, (7, n), (at(0), at(5))));
            board.answered((7, n), receivers, &probe);
        }
        // One that has no reply comes to two.
        board.sent((7, 4), at(0));
        board.came(0, (7, 4), (at(0), at(1)));
        board.unanswered((7, 4));
        board.came(1, (7, 4), (at(0), at(1)));
        board.settle(&probe);
        board.settle(&probe);
        let count = |counter| record.counts.borrow().get(&counter).copied().unwrap_or(0);
        assert_eq!((count(pubsub::MESSAGES), count(pubsub::RECEIVERS), count(pubsub::MISSED)), (3, 7, 2));
        assert_eq!((count(pubsub::DELIVERIES), count(pubsub::DUPLICATES)), (9, 1));
        assert_eq!((count(pubsub::UNCONFIRMED), count(pubsub::LOST)), (2, 1));
        assert_eq!(record.times.borrow()[&pubsub::FAN_OUT], [5_000_000; 2]);
    }
}
