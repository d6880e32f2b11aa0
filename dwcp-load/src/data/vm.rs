//! What is in a VM's memory, and what of it is dirty? An image that goes on changing while it is copied.
//!
//! A chunk that is being sent or compressed is shared with whoever does that; when the VM writes to it meanwhile, it writes
//! to a copy. So what is sent is what was there at one instant, and nobody waits.

use std::sync::Arc;

use load_core::clock::{Nanos, give_way};
use load_wire::dwcp::{CHUNK, CHUNK_PAGES, PAGE};
use rand::{Rng, RngExt as _, SeedableRng as _};
use rand_xoshiro::Xoshiro256PlusPlus;
use xxhash_rust::xxh3::Xxh3;

use super::settings::Settings;

/// Pages that duplicates are copies of.
const PATTERNS: usize = 8;
/// Bytes that a write to a page changes.
const WRITE: usize = 64;
/// What writing to a page costs in one turn, and what copying a chunk for it costs, in units of which a turn has so many.
const TURN: usize = 2048;
const COPY: usize = 256;

/// One VM.
pub(super) struct Vm {
    chunks: Vec<Arc<[u8]>>,
    /// Dirty pages, a bit each.
    dirty: Vec<u64>,
    /// What the target has of each chunk, where that is known and asked for.
    sent: Option<Vec<Option<Arc<[u8]>>>>,
    pages: u64,
    rng: Xoshiro256PlusPlus,
    /// Pages dirtied in a second.
    rate: f64,
    /// When it was last seen running; it stands still without.
    since: Option<Nanos>,
    /// Pages that are due to be dirtied, with the fraction of the next one.
    due: f64,
}

/// Pages of a chunk to be sent.
pub(super) struct Work {
    pub(super) chunk: usize,
    pub(super) pages: u64,
    pub(super) bytes: Arc<[u8]>,
    /// What the target has.
    pub(super) before: Option<Arc<[u8]>>,
}

fn noise(rng: &mut Xoshiro256PlusPlus, out: &mut [u8]) {
    for piece in out.chunks_mut(8) {
        let random = rng.next_u64().to_le_bytes();
        piece.copy_from_slice(&random[..piece.len()]);
    }
}

/// A page of noise and, to the share `compressible`, text.
fn fill(rng: &mut Xoshiro256PlusPlus, compressible: f64, page: &mut [u8]) {
    let (text, rest) = page.split_at_mut((compressible * PAGE as f64) as usize);
    for piece in text.chunks_mut(32) {
        piece.copy_from_slice(&b"the quick brown fox jumps over, "[..piece.len()]);
    }
    noise(rng, rest);
}

impl Vm {
    /// The VM of user number `vu`, a chunk a turn.
    pub(super) async fn make(settings: &Settings, vu: u64) -> Self {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(0x0064_7763_7020_766d ^ vu);
        let patterns: Vec<Vec<u8>> = (0..PATTERNS)
            .map(|_| {
                let mut page = vec![0; PAGE];
                fill(&mut rng, settings.compressible, &mut page);
                page
            })
            .collect();
        let mut chunks = Vec::new();
        let mut left = settings.memory as usize;
        while left > 0 {
            let mut chunk = vec![0; left.min(CHUNK)];
            for page in chunk.chunks_mut(PAGE) {
                let kind: f64 = rng.random();
                if kind < settings.zeros {
                } else if kind < settings.zeros + settings.duplicates {
                    page.copy_from_slice(&patterns[rng.random_range(0..PATTERNS)]);
                } else {
                    fill(&mut rng, settings.compressible, page);
                }
            }
            left -= chunk.len();
            chunks.push(chunk.into());
            give_way().await;
        }
        Self {
            dirty: vec![0; chunks.len()],
            sent: settings.delta.then(|| vec![None; chunks.len()]),
            chunks,
            pages: settings.memory / PAGE as u64,
            rng,
            rate: settings.dirty_rate,
            since: None,
            due: 0.0,
        }
    }

    pub(super) fn pages(&self) -> u64 {
        self.pages
    }

    pub(super) fn chunks(&self) -> usize {
        self.chunks.len()
    }

    /// It runs from `now` on, all of it is to be sent, and nothing is known of the target.
    pub(super) fn begin(&mut self, now: Nanos) {
        for (dirty, chunk) in self.dirty.iter_mut().zip(&self.chunks) {
            *dirty = u64::MAX >> (CHUNK_PAGES - chunk.len() / PAGE);
        }
        self.sent.iter_mut().flatten().for_each(|sent| *sent = None);
        (self.since, self.due) = (Some(now), 0.0);
    }

    /// Pages that are dirty.
    pub(super) fn dirty(&self) -> u64 {
        self.dirty.iter().map(|pages| u64::from(pages.count_ones())).sum()
    }

    /// Has it dirty what it would have by `now`, as much as fits into a turn. False when more is due.
    pub(super) fn run(&mut self, now: Nanos) -> bool {
        let Some(since) = self.since else { return true };
        self.due += now.since(since) as f64 / 1e9 * self.rate;
        self.since = Some(now.max(since));
        let mut left = TURN;
        while self.due >= 1.0 {
            let page = self.rng.random_range(0..self.pages) as usize;
            let (chunk, page) = (page / CHUNK_PAGES, page % CHUNK_PAGES);
            let cost = if Arc::get_mut(&mut self.chunks[chunk]).is_some() { 1 } else { COPY };
            left = left.saturating_sub(cost);
            let bytes = Arc::make_mut(&mut self.chunks[chunk]);
            let at = page * PAGE + self.rng.random_range(0..PAGE / WRITE) * WRITE;
            noise(&mut self.rng, &mut bytes[at..at + WRITE]);
            self.dirty[chunk] |= 1 << page;
            self.due -= 1.0;
            if left == 0 {
                return self.due < 1.0;
            }
        }
        true
    }

    /// It stands still.
    pub(super) fn stop(&mut self) {
        self.since = None;
    }

    /// The dirty pages of a chunk; they are clean now.
    pub(super) fn take(&mut self, chunk: usize) -> Option<Work> {
        let pages = std::mem::take(&mut self.dirty[chunk]);
        if pages == 0 {
            return None;
        }
        let bytes = Arc::clone(&self.chunks[chunk]);
        let before = self.sent.as_mut().and_then(|sent| sent[chunk].replace(Arc::clone(&bytes)));
        Some(Work { chunk, pages, bytes, before })
    }

    /// These pages may not have arrived.
    pub(super) fn give_back(&mut self, chunk: usize, pages: u64) {
        self.dirty[chunk] |= pages;
        if let Some(sent) = &mut self.sent {
            sent[chunk] = None;
        }
    }

    /// Adds a chunk, as it is now, to a hash of the whole.
    pub(super) fn hash(&self, chunk: usize, hash: &mut Xxh3) {
        hash.update(&self.chunks[chunk]);
    }
}
