//! What do producers and consumers send, and what do they make of the replies?

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use load_core::clock::Nanos;
use load_core::protocol::{Fault, Outcome, Probe, Vu};
use load_report::fault::FaultKind;
use load_suite::template::push_decimal;

use super::Stream;
use super::audit::Audit;
use crate::redis::wire::{self, Failure, Reply, Shared, Slot, reply};
use crate::redis::{faults, series};
use crate::token;

/// Rounds of a consumer that empties the stream before it leaves.
const ROUNDS: u32 = 100_000;

/// What a user knows of its own messages and of those that it took.
#[derive(Default)]
pub struct Member {
    has_joined: Cell<bool>,
    /// The number of its last message.
    n: Cell<u64>,
    /// There may be something to take over.
    claims: Cell<bool>,
    /// The last message of each producer that this consumer was given for the first time.
    last: RefCell<HashMap<Box<[u8]>, u64>>,
}

/// Where a call stopped.
pub enum Stop {
    /// The connection is of no more use.
    Lost(Failure),
    /// It is.
    Failed(Fault),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Lost(failure)
    }
}

/// One call of a producer or consumer.
pub struct Performance<'a, 'p> {
    /// The stream.
    pub stream: &'a Stream,
    /// Its key.
    pub key: &'a str,
    /// What names of producers and consumers begin with.
    pub run: &'a str,
    /// Where commands are sent.
    pub over: &'a Shared,
    /// Where replies are put.
    pub slot: &'a Rc<Slot>,
    /// Bytes of a payload.
    pub payload: usize,
    /// Who it is.
    pub vu: &'a mut Vu,
    /// Where figures go.
    pub probe: &'a mut Probe<'p>,
    /// When the call began.
    pub begun: Nanos,
    /// What has passed.
    pub outcome: Outcome,
}

/// Messages of one reply.
#[derive(Default)]
struct Batch {
    ids: Vec<Vec<u8>>,
}

impl Performance<'_, '_> {
    /// Adds a message.
    ///
    /// # Errors
    /// It is not known to be there.
    pub async fn produce(&mut self) -> Result<(), Stop> {
        self.join();
        let name = self.name();
        let member = self.vu.keep.get::<Member>();
        let n = member.n.get() + 1;
        member.n.set(n);
        let (mut number, mut now, mut payload) = (Vec::new(), Vec::new(), Vec::new());
        push_decimal(n, &mut number);
        push_decimal(self.vu.scope.now_ns.unsigned_abs(), &mut now);
        token::value(n, self.payload, &mut payload);
        let most = self.stream.args.maxlen.map(|most| most.to_string());
        let mut words: Vec<&[u8]> = vec![b"XADD", self.key.as_bytes()];
        if let Some(most) = &most {
            words.extend([&b"MAXLEN"[..], b"~", most.as_bytes()]);
        }
        words.extend([&b"*"[..], b"p", name.as_bytes(), b"n", &number, b"t", &now, b"d", &payload]);
        self.ask(&words).await?;
        self.one(|reply| reply.text().map(drop))?;
        self.audit(|audit| audit.added(name.as_bytes(), n));
        self.probe.count(series::ADDED, 1);
        self.outcome.messages += 1;
        Ok(())
    }

    /// Takes messages, looks at them and acknowledges them.
    ///
    /// # Errors
    /// A refusal, or no reply.
    pub async fn consume(&mut self) -> Result<(), Stop> {
        self.join();
        let claims = self.stream.args.claim.is_some() && self.vu.keep.get::<Member>().claims.get();
        let came = if claims { self.claim().await? } else { self.read(true).await? };
        // What others have left is looked for when there is nothing else to do.
        self.vu.keep.get::<Member>().claims.set(!claims && came == 0);
        Ok(())
    }

    /// Leaves; the last one empties the stream and says what became of all messages.
    ///
    /// # Errors
    /// A refusal, or no reply.
    pub async fn leave(&mut self) -> Result<(), Stop> {
        if !self.vu.keep.get::<Member>().has_joined.get() {
            // Whoever was the last one has been that before, and may be at it still.
            return Ok(());
        }
        let is_last = self.stream.members.fetch_sub(1, Ordering::AcqRel) == 1;
        if !is_last || !self.stream.has_consumers {
            return Ok(());
        }
        for _ in 0..ROUNDS {
            if self.read(false).await? == 0 {
                break;
            }
        }
        let missing = self.stream.audit.lock().unwrap_or_else(PoisonError::into_inner).missing();
        self.probe.count(series::MISSING, missing);
        let (key, group) = (self.key.as_bytes(), self.stream.args.group.as_bytes());
        self.ask(&[b"XPENDING", key, group]).await?;
        let pending = self.one(|reply| reply.items()?.next()?.number())?;
        self.probe.count(series::LEFT_PENDING, pending.unsigned_abs());
        Ok(())
    }

    /// Counts the user among those whom the last one waits for.
    fn join(&mut self) {
        let member = self.vu.keep.get::<Member>();
        if !member.has_joined.replace(true) {
            self.stream.members.fetch_add(1, Ordering::AcqRel);
            member.claims.set(true);
        }
    }

    fn name(&self) -> String {
        format!("{}:{}", self.run, self.vu.scope.vu)
    }

    /// Messages that nobody was given yet.
    async fn read(&mut self, waits: bool) -> Result<usize, Stop> {
        let (name, args) = (self.name(), &self.stream.args);
        let (batch, block) = (args.batch.to_string(), args.block.as_millis().max(1).to_string());
        let mut words: Vec<&[u8]> = vec![b"XREADGROUP", b"GROUP", args.group.as_bytes(), name.as_bytes()];
        words.extend([&b"COUNT"[..], batch.as_bytes()]);
        if waits {
            words.extend([&b"BLOCK"[..], block.as_bytes()]);
        }
        words.extend([&b"STREAMS"[..], self.key.as_bytes(), b">"]);
        self.ask(&words).await?;
        // A list of a stream and its messages, or with RESP3 a map of them.
        self.take(false, |reply| {
            let mut items = reply.items()?;
            let first = items.next()?;
            match first.items() {
                Some(mut pair) => pair.nth(1),
                None => items.next(),
            }
        })
        .await
    }

    /// Messages that somebody else was given and has not acknowledged.
    async fn claim(&mut self) -> Result<usize, Stop> {
        let (name, args) = (self.name(), &self.stream.args);
        let idle = args.claim.unwrap_or_default().as_millis().to_string();
        let batch = args.batch.to_string();
        let words: [&[u8]; 8] = [
            b"XAUTOCLAIM",
            self.key.as_bytes(),
            args.group.as_bytes(),
            name.as_bytes(),
            idle.as_bytes(),
            b"0",
            b"COUNT",
            batch.as_bytes(),
        ];
        self.ask(&words).await?;
        self.take(true, |reply| reply.items()?.nth(1)).await
    }

    /// Looks at the messages in the reply, and acknowledges them.
    async fn take(
        &mut self,
        again: bool,
        entries: impl FnOnce(Reply<'_>) -> Option<Reply<'_>>,
    ) -> Result<usize, Stop> {
        let batch = {
            let slot = Rc::clone(self.slot);
            let bytes = slot.bytes.borrow();
            let reply =
                reply::read(&bytes).map_err(Failure::Malformed)?.map_or(Reply::Nil, |(reply, _)| reply);
            match reply {
                Reply::Nil => Batch::default(),
                Reply::Error(error) => return Err(Stop::Failed(faults::refused(error, self.probe))),
                reply => match entries(reply).and_then(Reply::items) {
                    Some(entries) => self.look(entries, again),
                    None => Batch::default(),
                },
            }
        };
        if batch.ids.is_empty() {
            return Ok(0);
        }
        let mut words: Vec<&[u8]> = vec![b"XACK", self.key.as_bytes(), self.stream.args.group.as_bytes()];
        words.extend(batch.ids.iter().map(Vec::as_slice));
        self.ask(&words).await?;
        let acknowledged = self.one(|reply| match reply {
            Reply::Number(n) => Some(n),
            _ => None,
        })?;
        self.probe.count(series::ACKNOWLEDGED, acknowledged.unsigned_abs());
        self.outcome.messages += batch.ids.len() as u32;
        Ok(batch.ids.len())
    }

    fn look<'a>(&mut self, entries: impl Iterator<Item = Reply<'a>>, again: bool) -> Batch {
        let passed = i64::try_from(self.probe.now().since(self.begun)).unwrap_or(i64::MAX);
        let arrived = self.vu.scope.now_ns.saturating_add(passed);
        let (mut batch, member) = (Batch::default(), self.vu.keep.get::<Member>());
        let mut audit = self.stream.audit.lock().unwrap_or_else(PoisonError::into_inner);
        for entry in entries {
            let Some(mut entry) = entry.items() else { continue };
            let Some(id) = entry.next().and_then(Reply::text) else { continue };
            batch.ids.push(id.to_vec());
            self.probe.count(if again { series::REDELIVERED } else { series::DELIVERED }, 1);
            let (mut producer, mut n, mut sent) = (None, None, None);
            let mut fields = entry.next().and_then(Reply::items).into_iter().flatten();
            while let (Some(name), Some(value)) = (fields.next(), fields.next()) {
                match name.text() {
                    Some(b"p") => producer = value.text(),
                    Some(b"n") => n = value.number(),
                    Some(b"t") => sent = value.number(),
                    _ => {}
                }
            }
            if let Some(sent) = sent {
                self.probe.observe(series::LAG, arrived.saturating_sub(sent).max(0).unsigned_abs());
            }
            let (Some(producer), Some(n)) = (producer, n) else { continue };
            let n = n.unsigned_abs();
            if !audit.came(producer, n) {
                self.probe.count(series::DUPLICATES, 1);
            }
            if !again {
                let mut last = member.last.borrow_mut();
                match last.get_mut(producer) {
                    Some(last) if *last >= n => self.probe.count(series::OUT_OF_ORDER, 1),
                    Some(last) => *last = n,
                    None => drop(last.insert(producer.into(), n)),
                }
            }
        }
        batch
    }

    /// Sends a command and waits for its reply.
    async fn ask(&mut self, words: &[&[u8]]) -> Result<(), Failure> {
        self.outcome.sent += u64::from(self.over.submit(self.slot, 1, |out| wire::command(words, out)));
        self.over.replies(self.slot, |_| {}).await?;
        self.outcome.received += self.slot.bytes.borrow().len() as u64;
        self.probe.count(series::COMMANDS, 1);
        Ok(())
    }

    /// What is wanted of the reply.
    fn one<T>(&mut self, read: impl FnOnce(Reply<'_>) -> Option<T>) -> Result<T, Stop> {
        let bytes = self.slot.bytes.borrow();
        let reply = reply::read(&bytes).map_err(Failure::Malformed)?.map_or(Reply::Nil, |(reply, _)| reply);
        if let Reply::Error(error) = reply {
            return Err(Stop::Failed(faults::refused(error, self.probe)));
        }
        read(reply).ok_or_else(|| {
            self.probe.note("a reply of another kind than the command has");
            Stop::Failed(Fault::answered(FaultKind::Wrong, 0))
        })
    }

    fn audit(&self, with: impl FnOnce(&mut Audit)) {
        with(&mut self.stream.audit.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
