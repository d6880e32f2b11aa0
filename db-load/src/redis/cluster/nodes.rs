//! How do commands get to their nodes, and after them where they have moved? One connection a node, opened when it is
//! needed, and a map of the slots that follows what the nodes say.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use futures_util::future::join_all;
use load_core::clock::{Nanos, monotonic};
use load_core::protocol::Probe;

use super::slots::{self, Map, Redirect};
use crate::redis::batch::Batch;
use crate::redis::series;
use crate::redis::wire::login::Login;
use crate::redis::wire::{self, Failure, Reply, Shared, Slot, reply};

/// A command is sent on so often.
const HOPS: u32 = 16;
/// After a node is lost, others are asked so often who has its slots.
const PAUSE: Nanos = Nanos(100_000_000);

/// One caller's way into a cluster.
pub struct Nodes {
    login: Login,
    /// Several lanes use it.
    several: bool,
    /// The first of the counters of redirections.
    counters: usize,
    map: RefCell<Map>,
    connections: RefCell<HashMap<Rc<str>, Rc<Shared>>>,
    /// Nodes that were lost, and when.
    down: RefCell<HashMap<Rc<str>, Nanos>>,
    is_refreshing: Cell<bool>,
    refreshed: Cell<Nanos>,
}

/// The commands of a call that one node gets.
struct Part {
    address: Rc<str>,
    shared: Rc<Shared>,
    slot: Rc<Slot>,
    indices: Vec<usize>,
}

impl Nodes {
    /// Asks the node of `login`, or else the first of those that are `known`, who has which slot.
    ///
    /// # Errors
    /// No node answers, or the one that does is in no cluster.
    pub async fn open(
        login: &Login,
        known: &[String],
        several: bool,
        counters: usize,
    ) -> Result<Self, Failure> {
        let nodes = Self {
            login: login.clone(),
            several,
            counters,
            map: RefCell::default(),
            connections: RefCell::default(),
            down: RefCell::default(),
            is_refreshing: Cell::new(false),
            refreshed: Cell::new(Nanos::ZERO),
        };
        let first = address(&login.host, login.port);
        let mut tried = nodes.ask(&first.as_str().into()).await;
        for other in known.iter().filter(|other| **other != first) {
            if tried.is_ok() || matches!(tried, Err(Failure::Refused(_))) {
                break;
            }
            tried = nodes.ask(&other.as_str().into()).await;
        }
        tried?;
        Ok(nodes)
    }

    /// `HOST:PORT` of all masters.
    pub fn addresses(&self) -> Vec<String> {
        self.map.borrow().nodes().iter().map(|node| node.as_ref().to_owned()).collect()
    }

    /// How sessions with each of them begin.
    pub fn logins(&self) -> Vec<Login> {
        self.map.borrow().nodes().iter().filter_map(|node| self.login(node)).collect()
    }

    fn login(&self, address: &str) -> Option<Login> {
        let (host, port) = parts(address)?;
        Some(Login { host: host.to_owned(), port, ..self.login.clone() })
    }

    /// The connection to the node at `address`.
    async fn to(&self, address: &Rc<str>) -> Result<Rc<Shared>, Failure> {
        let there = self.connections.borrow().get(address).map(Rc::clone);
        if let Some(there) = there {
            return Ok(there);
        }
        let login = self.login(address).ok_or(Failure::Malformed("an address without a port"))?;
        let connection = Rc::new(Shared::new(login.open().await?, self.several));
        // Somebody else may have been faster; one connection is enough.
        let mut connections = self.connections.borrow_mut();
        Ok(Rc::clone(connections.entry(Rc::clone(address)).or_insert(connection)))
    }

    /// Asks the node at `address` who has which slot.
    async fn ask(&self, address: &Rc<str>) -> Result<(), Failure> {
        let shared = self.to(address).await?;
        let slot = Rc::default();
        shared.submit(&slot, 1, |out| wire::command(&[b"CLUSTER", b"SLOTS"], out));
        shared.replies(&slot, |_| {}).await?;
        let bytes = slot.bytes.borrow();
        let host = parts(address).map_or("", |(host, _)| host);
        let map = match reply::read(&bytes).map_err(Failure::Malformed)? {
            Some((Reply::Error(error), _)) => {
                return Err(Failure::Refused(String::from_utf8_lossy(error).into_owned()));
            }
            Some((reply, _)) => Map::read(reply, host),
            None => None,
        };
        let map = map.ok_or(Failure::Refused("the cluster has no slots".to_owned()))?;
        self.map.replace(map);
        Ok(())
    }

    /// Asks who has which slot: `first`, or whoever answers. One lane alone does so at a time.
    async fn refresh(&self, first: Option<&Rc<str>>, probe: &Probe<'_>) {
        if self.is_refreshing.replace(true) {
            return;
        }
        let guard = Refreshing(&self.is_refreshing);
        self.refreshed.set(monotonic());
        let all: Vec<_> = first.into_iter().cloned().chain(self.map.borrow().nodes().to_vec()).collect();
        for address in all {
            if self.down.borrow().contains_key(&address) && first != Some(&address) {
                continue;
            }
            match self.ask(&address).await {
                Ok(()) => {
                    probe.count(self.counters + series::cluster::REFRESHES, 1);
                    break;
                }
                Err(_) => self.lose(&address),
            }
        }
        drop(guard);
        // What nobody has any more is not missing.
        let map = self.map.borrow();
        self.down.borrow_mut().retain(|address, since| {
            let is_there = map.nodes().contains(address);
            if !is_there {
                probe.observe(series::OUTAGE, monotonic().since(*since));
            }
            is_there
        });
    }

    /// The connection to a node is of no more use.
    #[cold]
    fn lose(&self, address: &Rc<str>) {
        self.connections.borrow_mut().remove(address);
        self.down.borrow_mut().entry(Rc::clone(address)).or_insert_with(monotonic);
    }

    /// Sends the commands of `batch`, each to its node, and puts the replies there. `slot` takes the reply of one that is
    /// alone; `times` says whether each reply is timed.
    ///
    /// # Errors
    /// A node could not be reached, or was lost before all replies had come; the others go on.
    pub async fn exchange(
        &self,
        batch: &mut Batch,
        slot: &Rc<Slot>,
        times: bool,
        probe: &Probe<'_>,
    ) -> Result<(), Failure> {
        if !self.down.borrow().is_empty() && monotonic() - self.refreshed.get() >= PAUSE {
            self.refresh(None, probe).await;
        }
        let parts = self.parts(batch, slot, probe).await?;
        for part in &parts {
            part.shared.submit(&part.slot, part.indices.len() as u32, |out| {
                part.indices.iter().for_each(|&index| out.extend_from_slice(batch.command(index)));
            });
        }
        let begun = probe.now();
        let came = |count| {
            if times {
                let time = probe.now().since(begun);
                (0..count).for_each(|_| probe.observe(series::COMMAND, time));
            }
        };
        if let [only] = parts.as_slice() {
            self.ended(only, only.shared.replies(&only.slot, came).await)?;
        } else {
            let all = join_all(parts.iter().map(|part| part.shared.replies(&part.slot, came))).await;
            let ended = parts.iter().zip(all).map(|(part, ended)| self.ended(part, ended));
            // All are looked at, for each may have lost its node.
            ended.fold(Ok(()), Result::and)?;
        }
        self.collect(batch, &parts, probe).await
    }

    fn ended(&self, part: &Part, ended: Result<(), Failure>) -> Result<(), Failure> {
        ended.inspect_err(|_| self.lose(&part.address))
    }

    /// Which node gets which commands, with a connection to each.
    async fn parts(&self, batch: &Batch, slot: &Rc<Slot>, probe: &Probe<'_>) -> Result<Vec<Part>, Failure> {
        let mut wanted: Vec<(Rc<str>, Vec<usize>)> = Vec::with_capacity(1);
        for (index, (_, slot)) in batch.commands.iter().enumerate() {
            let map = self.map.borrow();
            let address = map.node(*slot);
            match wanted.iter_mut().find(|(known, _)| known == address) {
                Some((_, indices)) => indices.push(index),
                None => wanted.push((Rc::clone(address), vec![index])),
            }
        }
        let mut parts = Vec::with_capacity(wanted.len());
        for (address, indices) in wanted {
            let shared = match self.to(&address).await {
                Ok(shared) => shared,
                Err(failure) => {
                    self.lose(&address);
                    return Err(failure);
                }
            };
            if !self.down.borrow().is_empty()
                && let Some(since) = self.down.borrow_mut().remove(&address)
            {
                probe.observe(series::OUTAGE, monotonic().since(since));
            }
            let slot = if parts.is_empty() { Rc::clone(slot) } else { Rc::default() };
            parts.push(Part { address, shared, slot, indices });
        }
        Ok(parts)
    }

    /// Puts the replies in the order of their commands, and sends on what was sent elsewhere.
    async fn collect(&self, batch: &mut Batch, parts: &[Part], probe: &Probe<'_>) -> Result<(), Failure> {
        let (mut replies, mut elsewhere) = (Vec::new(), Vec::new());
        let count = batch.len();
        let room = |replies: &mut Vec<Vec<u8>>| replies.resize_with(count, Vec::new);
        if parts.len() > 1 {
            room(&mut replies);
        }
        for part in parts {
            let bytes = part.slot.bytes.borrow();
            let host = self::parts(&part.address).map_or("", |(host, _)| host);
            let mut rest = &bytes[..];
            for &index in &part.indices {
                let Some((reply, length)) = reply::read(rest).map_err(Failure::Malformed)? else { break };
                if let Reply::Error(error) = reply
                    && let Some(redirect) = slots::redirect(error, host)
                {
                    room(&mut replies);
                    elsewhere.push((index, redirect));
                } else if replies.is_empty() {
                    // One node, and all in order so far.
                    batch.replies.extend_from_slice(&rest[..length]);
                } else {
                    replies[index].extend_from_slice(&rest[..length]);
                }
                rest = &rest[length..];
            }
        }
        for (index, redirect) in elsewhere {
            replies[index] = self.follow(batch.command(index), redirect, probe).await?;
        }
        replies.iter().for_each(|reply| batch.replies.extend_from_slice(reply));
        Ok(())
    }

    /// Sends a command where it was sent to, and on from there.
    async fn follow(
        &self,
        command: &[u8],
        mut redirect: Redirect,
        probe: &Probe<'_>,
    ) -> Result<Vec<u8>, Failure> {
        for _ in 0..HOPS {
            let to: Rc<str> = redirect.address.as_str().into();
            let counter = if redirect.asks { series::cluster::ASKED } else { series::cluster::MOVED };
            probe.count(self.counters + counter, 1);
            if !redirect.asks {
                self.map.borrow_mut().moved(redirect.slot, &to);
                // What moves is seldom alone, but the next one may be there before the others know.
                if monotonic() - self.refreshed.get() >= PAUSE {
                    self.refresh(Some(&to), probe).await;
                }
            }
            let (shared, slot) = (self.to(&to).await.inspect_err(|_| self.lose(&to))?, Rc::default());
            shared.submit(&slot, 1 + u32::from(redirect.asks), |out| {
                if redirect.asks {
                    wire::command(&[b"ASKING"], out);
                }
                out.extend_from_slice(command);
            });
            shared.replies(&slot, |_| {}).await.inspect_err(|_| self.lose(&to))?;
            let mut bytes = slot.bytes.take();
            if redirect.asks
                && let Some((_, length)) = reply::read(&bytes).map_err(Failure::Malformed)?
            {
                bytes.drain(..length);
            }
            let host = parts(&to).map_or("", |(host, _)| host);
            let again = match reply::read(&bytes) {
                Ok(Some((Reply::Error(error), _))) => slots::redirect(error, host),
                _ => None,
            };
            match again {
                Some(again) => redirect = again,
                None => return Ok(bytes),
            }
        }
        Err(Failure::Refused(format!("sent on {HOPS} times without an end")))
    }
}

struct Refreshing<'a>(&'a Cell<bool>);

impl Drop for Refreshing<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

fn address(host: &str, port: u16) -> String {
    format!("{host}:{port}")
}

/// Host and port.
fn parts(address: &str) -> Option<(&str, u16)> {
    let (host, port) = address.rsplit_once(':')?;
    Some((host, port.parse().ok()?))
}
