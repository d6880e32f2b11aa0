//! Which phase follows which? One migration, from INIT to the last word, or to its being undone.

use std::net::SocketAddr;

use load_core::clock::Nanos;
use load_wire::dwcp::PAGE;
use load_wire::dwcp::frame::Kind;
use load_wire::dwcp::message::{Framing, Init, Phase, Reason, Step, Verified, code};
use xxhash_rust::xxh3::Xxh3;

use super::copy::Copy;
use super::fail::Fail;
use super::raw::Raw;
use super::series::{Counter, Series};
use super::settings::Mode;
use super::stream::{Said, Stream};

/// Less than this share of dirty pages is worth no further round.
const CLEAN_ENOUGH: f64 = 0.01;

/// A stop is worth it when it is predicted to take this share of what is allowed: the VM goes on writing until it stands still, and
/// the rate of the last round is not that of the stop.
const MARGIN: f64 = 0.5;

/// One migration under way.
pub(super) struct Migration<'a> {
    copy: &'a Copy<'a>,
    streams: &'a mut [Stream],
    raw: Option<Raw>,
    id: [u8; 16],
    phase: Phase,
    /// When the phase began.
    began: Nanos,
    /// Frames of pages may be half written.
    copying: bool,
}

/// What is to be done after a round.
enum Verdict {
    Again,
    Stop,
    /// Stop, and copy what does not fit into the downtime after it; so many pages do.
    Postpone(u64),
    GiveUp(String),
}

impl<'a> Migration<'a> {
    pub(super) fn new(copy: &'a Copy<'a>, streams: &'a mut [Stream], id: [u8; 16]) -> Self {
        let began = copy.probe.now();
        Self { copy, streams, raw: None, id, phase: Phase::Initialization, began, copying: false }
    }

    /// Goes through all phases.
    pub(super) async fn run(&mut self, vm: &str) -> Result<(), Fail> {
        let start = self.began;
        self.initialize(vm).await?;
        self.enter(Phase::Prefetch, 0).await?;
        self.copy.vm.borrow_mut().begin(self.copy.probe.now());
        let (rounds, pages) = self.pre_copy().await?;
        self.enter(Phase::Convergence, rounds).await?;
        self.stop_and_copy(rounds + 1, pages).await?;
        if self.copy.settings.mode == Mode::Internet {
            self.enter(Phase::PostCopy, rounds + 2).await?;
            self.copy_all(rounds + 2).await?;
        }
        self.verify(rounds + 3).await?;
        self.raw = None;
        self.enter(Phase::Cleanup, rounds + 3).await?;
        self.enter(Phase::Complete, rounds + 3).await?;
        self.leave();
        self.copy.probe.observe(Series::Migration as usize, self.copy.probe.now().since(start));
        Ok(())
    }

    /// After a failure: has the target let go of everything, where it can still be asked. Whether it said that it has, and
    /// whether the streams can be used again.
    pub(super) async fn undo(&mut self, fail: &Fail) -> (bool, bool) {
        self.copy.vm.borrow_mut().stop();
        if !fail.can_be_undone() {
            return (false, false);
        }
        let control = &mut self.streams[0];
        control.forget();
        let reason = match fail {
            Fail::NotConverged(why) => Some((code::NOT_CONVERGED, why)),
            Fail::DataLoss(why) => Some((code::FAULT, why)),
            _ => None,
        };
        if let Some((code, text)) = reason
            && control.send(Kind::Abort, &Reason { code, text }.bytes(), &[]).await.is_err()
        {
            return (false, false);
        }
        if control.send(Kind::Rollback, &[], &[]).await.is_err() {
            return (false, false);
        }
        loop {
            match control.next().await {
                Ok(Said::RolledBack) => return (true, !self.copying),
                // An answer to what was asked before.
                Ok(_) => {}
                Err(_) => return (false, false),
            }
        }
    }

    /// The time of the phase that ends.
    fn leave(&mut self) {
        let now = self.copy.probe.now();
        let series = Series::Phase as usize + self.phase as usize - 1;
        self.copy.probe.observe(series, now.since(self.began));
        self.began = now;
    }

    /// Begins `phase`, and waits until the target has.
    async fn enter(&mut self, phase: Phase, round: u16) -> Result<(), Fail> {
        if phase != self.phase {
            self.leave();
            self.phase = phase;
        }
        let step = Step { phase, round };
        match self.ask(Kind::Phase, &step.bytes()).await? {
            Said::Done(done, _) if done == step => Ok(()),
            _ => Err(Fail::Turn("expected DONE of the phase that was begun")),
        }
    }

    /// The answer to a question on stream 0, which is asked again when the stream was lost.
    async fn ask(&mut self, kind: Kind, payload: &[u8]) -> Result<Said, Fail> {
        loop {
            let control = &mut self.streams[0];
            let said = match control.send(kind, payload, &[]).await {
                Ok(_) => control.next().await,
                Err(fail) => Err(fail),
            };
            match said {
                Err(fail @ Fail::Lost(_)) if kind != Kind::Init => self.copy.come_back(control, fail).await?,
                said => return said,
            }
        }
    }

    async fn initialize(&mut self, vm: &str) -> Result<(), Fail> {
        let settings = self.copy.settings;
        let init = Init {
            migration: self.id,
            bytes: settings.memory,
            mode: settings.mode(),
            framing: settings.framing,
            vm,
        };
        let said = self.ask(Kind::Init, &init.bytes()).await?;
        let Said::Done(Step { phase: Phase::Initialization, .. }, port) = said else {
            return Err(Fail::Turn("expected DONE of the initialization"));
        };
        if settings.framing != Framing::V3 {
            let port = u16::try_from(port).map_err(|_| Fail::Turn("no port for raw streams"))?;
            let address = SocketAddr::new(self.copy.dial.address.ip(), port);
            let raw = Raw::open(settings.framing, address, None, settings.streams, &self.id).await?;
            self.raw = Some(raw);
        }
        Ok(())
    }

    async fn round(&mut self, round: u16) -> Result<(), Fail> {
        self.copying = true;
        match &mut self.raw {
            None => self.copy.round(self.streams, round).await?,
            Some(raw) => raw.round(self.copy, &mut self.streams[0], round).await?,
        }
        self.copying = false;
        Ok(())
    }

    /// Copies until nothing is dirty; the VM must stand still. Only a lost connection makes a second time necessary.
    async fn copy_all(&mut self, round: u16) -> Result<(), Fail> {
        loop {
            self.round(round).await?;
            if self.copy.vm.borrow().dirty() == 0 || self.copy.allowance.get() == 0 {
                return Ok(());
            }
        }
    }

    /// Copies in rounds until a stop is worth it. How many there were, and how many pages are to be copied in the stop.
    async fn pre_copy(&mut self) -> Result<(u16, u64), Fail> {
        let probe = self.copy.probe;
        for round in 1.. {
            self.enter(Phase::PreCopy, round).await?;
            let (start, before) = (probe.now(), self.copy.raw_bytes());
            self.round(round).await?;
            probe.count(Counter::Rounds as usize, 1);
            self.catch_up().await;
            let rate = (self.copy.raw_bytes() - before) as f64 * 1e9 / probe.now().since(start).max(1) as f64;
            match self.judge(round, rate) {
                Verdict::Again => {}
                Verdict::Stop => return Ok((round, u64::MAX)),
                Verdict::Postpone(pages) => return Ok((round, pages)),
                Verdict::GiveUp(why) => return Err(Fail::NotConverged(why)),
            }
        }
        Err(Fail::NotConverged("no rounds are left".into()))
    }

    /// What follows `round`, in which `rate` bytes a second were copied.
    fn judge(&self, round: u16, rate: f64) -> Verdict {
        let settings = self.copy.settings;
        let (dirty, pages) = {
            let vm = self.copy.vm.borrow();
            (vm.dirty(), vm.pages())
        };
        let predicted = (dirty * PAGE as u64) as f64 / rate.max(1.0);
        let limit = settings.max_downtime.as_secs_f64();
        let is_last = round >= settings.max_rounds;
        let enough = if is_last { limit } else { MARGIN * limit };
        if (dirty as f64) < CLEAN_ENOUGH * pages as f64 || predicted <= enough {
            return Verdict::Stop;
        }
        if !is_last {
            return Verdict::Again;
        }
        if settings.mode == Mode::Internet {
            return Verdict::Postpone((rate * limit / PAGE as f64) as u64);
        }
        Verdict::GiveUp(format!(
            "not converged: after {round} rounds {dirty} of {pages} pages are dirty, a downtime of {predicted:.3} s at {:.1} MB/s, \
             where {limit} s are allowed",
            rate / 1e6
        ))
    }

    /// The VM dirties what it would have by now.
    async fn catch_up(&self) {
        let now = self.copy.probe.now();
        while !self.copy.vm.borrow_mut().run(now) {
            self.copy.turn.spend(usize::MAX).await;
        }
    }

    async fn stop_and_copy(&mut self, round: u16, pages: u64) -> Result<(), Fail> {
        let probe = self.copy.probe;
        self.catch_up().await;
        self.copy.vm.borrow_mut().stop();
        let stopped = probe.now();
        self.copy.allowance.set(pages);
        self.enter(Phase::StopAndCopy, round).await?;
        self.copy_all(round).await?;
        self.copy.allowance.set(u64::MAX);
        probe.observe(Series::Downtime as usize, probe.now().since(stopped));
        Ok(())
    }

    /// Both sides hash the whole image as it is now.
    async fn verify(&mut self, round: u16) -> Result<(), Fail> {
        self.enter(Phase::Verification, round).await?;
        let asked = self.streams[0].send(Kind::Verify, &[], &[]).await;
        let mut hash = Xxh3::new();
        let chunks = self.copy.vm.borrow().chunks();
        for chunk in 0..chunks {
            self.copy.turn.spend(load_wire::dwcp::CHUNK).await;
            self.copy.vm.borrow().hash(chunk, &mut hash);
        }
        let ours = Verified { bytes: self.copy.settings.memory, hash: hash.digest128() };
        let said = match asked {
            Ok(_) => self.streams[0].next().await,
            Err(fail) => Err(fail),
        };
        let said = match said {
            Err(fail @ Fail::Lost(_)) => {
                self.copy.come_back(&mut self.streams[0], fail).await?;
                self.ask(Kind::Verify, &[]).await?
            }
            said => said?,
        };
        let Said::Verified(theirs) = said else { return Err(Fail::Turn("expected VERIFIED")) };
        if theirs == ours {
            return Ok(());
        }
        Err(Fail::DataLoss(format!(
            "the image differs: {} bytes with hash {:032x} here, {} with {:032x} at the target",
            ours.bytes, ours.hash, theirs.bytes, theirs.hash
        )))
    }
}
