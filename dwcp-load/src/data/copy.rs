//! How are the dirty pages copied once? Every stream has its own chunks, and goes through them while the VM runs.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use load_core::protocol::Probe;
use load_wire::dwcp::PAGE;
use load_wire::dwcp::frame::{HEADER, Kind};
use load_wire::dwcp::message::Mark;
use tokio::sync::Semaphore;

use super::encode::encode;
use super::fail::Fail;
use super::pace::{Pacer, Turn};
use super::settings::Settings;
use super::stream::{Dial, Stream};
use super::vm::{Vm, Work};

/// What was copied so far.
#[derive(Default)]
pub(super) struct Tally {
    /// Pages, those that are zero as well.
    pub(super) pages: Cell<u64>,
    /// Bytes on the wire, headers of frames as well.
    pub(super) wire: Cell<u64>,
    pub(super) frames: Cell<u64>,
    /// Pages that were sent again, because it was not known whether they had arrived.
    pub(super) again: Cell<u64>,
    /// Connections that were lost and opened again.
    pub(super) resumed: Cell<u64>,
}

fn add(cell: &Cell<u64>, n: u64) {
    cell.set(cell.get() + n);
}

impl Tally {
    pub(super) fn sent(&self, pages: u64, wire: usize) {
        add(&self.pages, pages);
        add(&self.wire, wire as u64);
        add(&self.frames, 1);
    }
}

/// What copying needs.
pub(super) struct Copy<'a> {
    pub(super) settings: &'a Settings,
    pub(super) dial: &'a Dial,
    pub(super) vm: &'a RefCell<Vm>,
    pub(super) probe: &'a Probe<'a>,
    pub(super) turn: &'a Turn,
    pub(super) pacer: &'a Pacer,
    pub(super) permits: &'a Semaphore,
    pub(super) tally: &'a Tally,
    /// Pages that may still be sent, where that is limited.
    pub(super) allowance: Cell<u64>,
}

/// The futures of all streams, until the first that fails.
pub(super) async fn all<F: Future<Output = Result<(), Fail>>>(
    streams: impl Iterator<Item = F>,
) -> Result<(), Fail> {
    let mut open: Vec<Pin<Box<F>>> = streams.map(Box::pin).collect();
    poll_fn(|context| {
        let mut failed = None;
        open.retain_mut(|stream| match stream.as_mut().poll(context) {
            Poll::Pending => true,
            Poll::Ready(Ok(())) => false,
            Poll::Ready(Err(fail)) => {
                failed.get_or_insert(fail);
                false
            }
        });
        match failed {
            Some(fail) => Poll::Ready(Err(fail)),
            None if open.is_empty() => Poll::Ready(Ok(())),
            None => Poll::Pending,
        }
    })
    .await
}

impl Copy<'_> {
    /// Copies what is dirty, each chunk once, until all of it has arrived.
    pub(super) async fn round(&self, streams: &mut [Stream], round: u16) -> Result<(), Fail> {
        let count = streams.len();
        all(streams.iter_mut().map(|stream| self.stream(stream, count, round))).await
    }

    /// The next chunk of stream number `stream` of `count` that has dirty pages, from `cursor` on.
    pub(super) fn take(&self, cursor: &mut usize, count: usize) -> Option<Work> {
        let mut vm = self.vm.borrow_mut();
        while *cursor < vm.chunks() && self.allowance.get() > 0 {
            let work = vm.take(*cursor);
            *cursor += count;
            if let Some(work) = work {
                self.allowance.set(self.allowance.get().saturating_sub(work.pages.count_ones().into()));
                return Some(work);
            }
        }
        None
    }

    /// The VM goes on, and others get their turn.
    pub(super) async fn turn(&self, bytes: usize) {
        self.vm.borrow_mut().run(self.probe.now());
        self.turn.spend(bytes).await;
    }

    async fn stream(&self, stream: &mut Stream, count: usize, round: u16) -> Result<(), Fail> {
        let alarm = self.pacer.alarm(self.probe);
        let mut cursor = usize::from(stream.number);
        while let Some(work) = self.take(&mut cursor, count) {
            self.turn(work.bytes.len()).await;
            let (chunk, pages) = (work.chunk, work.pages);
            let encoded = encode(work, round, self.settings, self.permits).await?;
            let body = encoded.body.as_ref();
            let length = HEADER + encoded.head.len() + body.len();
            self.pacer.wait(length, alarm.as_ref(), self.probe).await;
            match stream.send_pages(&encoded.head, body, chunk, pages).await {
                Ok(()) => self.tally.sent(pages.count_ones().into(), length),
                Err(fail @ Fail::Lost(_)) => {
                    self.vm.borrow_mut().give_back(chunk, pages);
                    self.come_back(stream, fail).await?;
                }
                Err(fail) => return Err(fail),
            }
        }
        loop {
            let mark = Mark { round, bytes: 0 };
            let marked = match stream.send(Kind::Mark, &mark.bytes(), &[]).await {
                Ok(seq) => stream.until_acked(seq).await,
                Err(fail) => Err(fail),
            };
            match marked {
                Err(fail @ Fail::Lost(_)) => self.come_back(stream, fail).await?,
                other => return other,
            }
        }
    }

    /// Opens a lost stream again; what was on its way is dirty then.
    pub(super) async fn come_back(&self, stream: &mut Stream, _lost: Fail) -> Result<(), Fail> {
        let unknown = stream.resume(self.dial).await?;
        add(&self.tally.resumed, 1);
        let mut vm = self.vm.borrow_mut();
        for (_, chunk, pages) in unknown {
            vm.give_back(chunk, pages);
            add(&self.tally.again, pages.count_ones().into());
        }
        Ok(())
    }

    /// Bytes of the pages copied so far.
    pub(super) fn raw_bytes(&self) -> u64 {
        self.tally.pages.get() * PAGE as u64
    }
}
