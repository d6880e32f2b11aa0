//! How does one connection go, from its handshake to its goodbye? Each frame is judged, applied, and answered in its turn.

use std::{collections::VecDeque, io, net::IpAddr, pin::pin, rc::Rc};

use load_wire::dwcp::{
    frame::{Encoder, Kind},
    hde::{Algorithm, Header},
    message::{Ack, Data, Framing, Init, Mark, Phase, Reason, Step, Verified, code, feature},
};
use tokio::task::yield_now;
use xxhash_rust::xxh3::Xxh3;

use super::{
    DataContext,
    carrier::{Came, Carrier, End},
    greet::{No, abort, greet},
    raw,
    session::{Ended, Migration, Place},
};
use crate::{clock::now_ns, script::DwcpDataHow};

/// For how long bytes of raw streams are waited for, ns.
const RAW_PATIENCE_NS: u64 = 60_000_000_000;

/// One connection.
struct Connection<C> {
    data: Rc<DataContext>,
    carrier: C,
    encoder: Encoder,
    place: Place,
    /// What is to be sent, and when, and the credit that it grants.
    waiting: VecDeque<(u64, Vec<u8>, u64)>,
    /// Where raw streams can be accepted.
    address: Option<IpAddr>,
    stream: u16,
    /// Bytes of pages that came, up to which they may as far as the source has been told, and up to which they will.
    came: u64,
    granted: u64,
    credit: u64,
    /// After so many it is lost.
    lost_after: Option<u64>,
}

/// Serves a connection to its end.
pub(super) async fn serve<C: Carrier>(data: Rc<DataContext>, mut carrier: C, address: Option<IpAddr>) {
    data.context.record.gate.begin(now_ns());
    let lost_after = data.loses();
    let mut encoder = Encoder::new(0);
    match greet(&data, &mut carrier, &mut encoder).await {
        Ok(Some((place, stream))) => {
            count(&data, |count| {
                count.connections += 1;
                count.connections_open += 1;
            });
            let window = data.context.script.dwcp.data.window;
            let connection = Connection {
                data: Rc::clone(&data),
                carrier,
                encoder,
                place,
                waiting: VecDeque::new(),
                address,
                stream,
                came: 0,
                granted: window,
                credit: window,
                lost_after,
            };
            connection.run().await;
            count(&data, |count| count.connections_open -= 1);
        }
        Ok(None) => {}
        Err(no) => {
            count(&data, |count| count.refused += 1);
            let mut frame = Vec::new();
            encoder.put(no.kind, &Reason { code: no.code, text: &no.text }.bytes(), &mut frame);
            // Whoever has gone does not need it.
            let _ = carrier.send(frame).await;
        }
    }
}

fn count(data: &DataContext, change: impl FnOnce(&mut super::DwcpDataReport)) {
    change(&mut data.record().count());
}

impl<C: Carrier> Connection<C> {
    async fn run(mut self) {
        let end = loop {
            let due = self.waiting.front().map(|(due, ..)| *due);
            if due.is_some_and(|due| due <= now_ns()) {
                if self.send_next().await.is_err() {
                    break End::Gone;
                }
                continue;
            }
            let came = {
                let timer = self.data.context.timer.clone();
                let mut wait = pin!(timer.until(due.unwrap_or(u64::MAX)));
                tokio::select! {
                    biased;
                    () = &mut wait, if due.is_some() => continue,
                    came = self.carrier.next() => came,
                }
            };
            let came = match came {
                Ok(came) => came,
                Err(end) => break end,
            };
            if !self.place.is_ours() {
                break End::Goodbye;
            }
            if self.lost_after.is_some_and(|after| self.came >= after) {
                count(&self.data, |count| count.connections_lost += 1);
                self.carrier.lose();
                return;
            }
            match self.take(came).await {
                Ok(true) => {}
                Ok(false) => break End::Goodbye,
                Err(no) => {
                    count(&self.data, |count| count.broken += 1);
                    self.answer(no.kind, &Reason { code: no.code, text: &no.text }.bytes());
                    while !self.waiting.is_empty() && self.send_next().await.is_ok() {}
                    return;
                }
            }
        };
        match end {
            End::Goodbye => {}
            End::Gone => count(&self.data, |count| count.cut_off += 1),
            End::Broken(broken) => {
                count(&self.data, |count| count.broken += 1);
                self.answer(
                    Kind::Abort,
                    &Reason { code: code::MALFORMED, text: &broken.to_string() }.bytes(),
                );
                while !self.waiting.is_empty() && self.send_next().await.is_ok() {}
            }
        }
    }

    /// Sends what waits longest, when its time has come.
    async fn send_next(&mut self) -> io::Result<()> {
        let Some((due, frame, granted)) = self.waiting.pop_front() else { return Ok(()) };
        self.data.context.timer.until(due).await;
        self.granted = granted;
        self.carrier.send(frame).await
    }

    fn answer(&mut self, kind: Kind, payload: &[u8]) {
        let mut frame = Vec::with_capacity(64);
        self.encoder.put(kind, payload, &mut frame);
        let due = now_ns() + 2 * self.data.context.script.dwcp.data.latency_ns;
        self.waiting.push_back((due, frame, self.credit));
    }

    /// Takes one frame; false after the last one.
    async fn take(&mut self, came: Came) -> Result<bool, No> {
        match came.kind {
            Kind::Data => self.pages(came.seq).await?,
            Kind::Mark => {
                let mark = Mark::read(self.carrier.payload())?;
                self.raw_bytes(mark.bytes).await?;
                self.acknowledge(came.seq);
            }
            Kind::Bye => return Ok(false),
            _ if self.stream != 0 => return Err(abort(code::TURN, "this belongs on stream 0")),
            Kind::Init => self.init().await?,
            Kind::Phase => self.phase()?,
            Kind::Verify => self.verify().await?,
            Kind::Abort => {
                Reason::read(self.carrier.payload())?;
            }
            Kind::Rollback => {
                if let Some(mut migration) = self.place.session.borrow_mut().migration.take() {
                    migration.end(Ended::RolledBack);
                }
                self.answer(Kind::RolledBack, &[]);
            }
            _ => return Err(abort(code::TURN, "this is for a target to say")),
        }
        Ok(true)
    }

    fn acknowledge(&mut self, seq: u32) {
        self.credit = self.came + self.data.context.script.dwcp.data.window;
        let ack = Ack { next: seq.wrapping_add(1), credit: self.credit };
        self.answer(Kind::Ack, &ack.bytes());
    }

    async fn pages(&mut self, seq: u32) -> Result<(), No> {
        let length = self.carrier.payload().len();
        self.came += length as u64;
        if self.came > self.granted {
            return Err(abort(code::TURN, "more than the credit"));
        }
        self.data.carry(length).await;
        let pages = {
            let (data, rest) = Data::read(self.carrier.payload())?;
            let (header, bytes) = Header::read(rest)?;
            let mut session = self.place.session.borrow_mut();
            let needed = match header.algorithm {
                Algorithm::None => 0,
                Algorithm::Lz4 => feature::LZ4,
                Algorithm::Zstd | Algorithm::ZstdMax => feature::ZSTD,
            } | if header.delta { feature::DELTA } else { 0 };
            if session.features & needed != needed {
                return Err(abort(code::FEATURES, "a feature that was not agreed upon"));
            }
            let migration = session.migration.as_mut().filter(|migration| migration.takes_pages());
            let migration = migration.ok_or_else(|| abort(code::TURN, "no pages are due"))?;
            if header.mode != migration.mode || data.round != migration.round || migration.raw.is_some() {
                return Err(abort(code::MALFORMED, "another mode, round or framing than was said"));
            }
            migration.image.apply(data, header, bytes)?;
            data.pages.count_ones()
        };
        count(&self.data, |count| {
            count.frames += 1;
            count.pages += u64::from(pages);
            count.bytes += length as u64;
        });
        // Often enough that a source need not wait, seldom enough that answers cost nothing.
        if self.credit - self.came <= self.data.context.script.dwcp.data.window * 3 / 4 {
            self.acknowledge(seq);
        }
        Ok(())
    }

    /// Waits until so many bytes have come over raw streams.
    async fn raw_bytes(&mut self, wanted: u64) -> Result<(), No> {
        let until = now_ns() + RAW_PATIENCE_NS;
        let timer = self.data.context.timer.clone();
        if wanted == 0 {
            return Ok(());
        }
        loop {
            let more = {
                let session = self.place.session.borrow();
                let raw = session.migration.as_ref().and_then(|migration| migration.raw.as_ref());
                let raw = raw.ok_or_else(|| abort(code::TURN, "no raw bytes are due"))?;
                if raw.bytes >= wanted {
                    return Ok(());
                }
                if raw.failed || now_ns() >= until {
                    return Err(abort(
                        code::MALFORMED,
                        format!("a raw stream of {:?} is wrong or short", raw.framing),
                    ));
                }
                Rc::clone(&raw.more)
            };
            tokio::select! {
                () = more.notified() => {}
                () = timer.until(until) => {}
            }
        }
    }

    async fn init(&mut self) -> Result<(), No> {
        let framing = {
            let init = Init::read(self.carrier.payload())?;
            let mut session = self.place.session.borrow_mut();
            if session.migration.is_some() {
                return Err(abort(code::TURN, "a migration is under way"));
            }
            if session.features & init.framing.feature() != init.framing.feature() {
                return Err(abort(code::FEATURES, "a framing that was not agreed upon"));
            }
            let migration = Migration::begin(&self.data, &init)
                .ok_or_else(|| abort(code::TOO_LARGE, format!("no memory for {} bytes", init.bytes)))?;
            session.migration = Some(migration);
            init.framing
        };
        let mut port = 0;
        if framing != Framing::V3 {
            let address = self.address.ok_or_else(|| abort(code::FEATURES, "raw framings go over TCP"))?;
            let listening = raw::listen(&self.data, &self.place.session, framing, address).await;
            let (at, raw) = listening.map_err(|error| abort(code::FAULT, error.to_string()))?;
            port = at;
            if let Some(migration) = self.place.session.borrow_mut().migration.as_mut() {
                migration.raw = Some(raw);
            }
        }
        let step = Step { phase: Phase::Initialization, round: 0 };
        self.answer(Kind::Done, &step.done(port.into()));
        Ok(())
    }

    fn phase(&mut self) -> Result<(), No> {
        let step = Step::read(self.carrier.payload())?;
        let over = {
            let mut session = self.place.session.borrow_mut();
            let migration =
                session.migration.as_mut().ok_or_else(|| abort(code::TURN, "no migration is under way"))?;
            // The next round, or what was asked when the stream was lost.
            let again = step.phase == migration.phase
                && (step.round == migration.round
                    || step.phase == Phase::PreCopy && step.round > migration.round);
            if step.phase <= migration.phase && !again {
                return Err(abort(code::TURN, "a phase that is over"));
            }
            let given_up = match migration.how {
                Some(DwcpDataHow::Cancel) => Some((code::CANCELLED, "cancelled as scripted")),
                Some(DwcpDataHow::Fail) => Some((code::FAULT, "failed as scripted")),
                _ => None,
            };
            // After the first round, so that there is something to undo.
            if let Some((code, text)) =
                given_up.filter(|_| step.phase >= Phase::PreCopy && migration.round >= 1)
            {
                migration.how = None;
                count(&self.data, |count| {
                    *(if code == code::CANCELLED { &mut count.cancelled } else { &mut count.failed }) += 1;
                });
                Some((Kind::Abort, Reason { code, text }.bytes()))
            } else {
                (migration.phase, migration.round) = (step.phase, step.round);
                match step.phase {
                    Phase::Cleanup => {
                        migration.raw = None;
                        None
                    }
                    Phase::Complete => {
                        if let Some(mut migration) = session.migration.take() {
                            migration.end(Ended::Completed);
                        }
                        None
                    }
                    _ => None,
                }
            }
        };
        match over {
            Some((kind, payload)) => self.answer(kind, &payload),
            None => self.answer(Kind::Done, &step.done(0)),
        }
        Ok(())
    }

    /// Hashes the whole image as it is now, a chunk at a time.
    async fn verify(&mut self) -> Result<(), No> {
        let mut hash = Xxh3::new();
        let mut index = 0;
        let bytes = loop {
            {
                let mut session = self.place.session.borrow_mut();
                let migration = session.migration.as_mut().filter(|it| it.phase == Phase::Verification);
                let migration = migration.ok_or_else(|| abort(code::TURN, "no hash is due"))?;
                if migration.how.take_if(|how| *how == DwcpDataHow::Corrupt).is_some() {
                    migration.image.corrupt();
                }
                if index == migration.image.chunks() {
                    break migration.image.bytes();
                }
                migration.image.hash(index, &mut hash);
            }
            index += 1;
            yield_now().await;
        };
        self.answer(Kind::Verified, &Verified { bytes, hash: hash.digest128() }.bytes());
        Ok(())
    }
}
