//! How do pages become a frame? Zero pages are found, the others gathered, subtracted and compressed, away from the worker where
//! that takes long.

use std::cell::RefCell;
use std::sync::Arc;

use load_wire::dwcp::PAGE;
use load_wire::dwcp::hde::{self, Algorithm, Header, Packer};
use load_wire::dwcp::message::Data;
use tokio::sync::Semaphore;

use super::fail::Fail;
use super::settings::Settings;
use super::vm::Work;

/// A payload.
pub(super) struct Encoded {
    /// What is said about the pages.
    pub(super) head: [u8; Data::LEN + Header::LEN],
    /// The pages.
    pub(super) body: Body,
}

/// Pages as they are sent.
pub(super) enum Body {
    /// A whole chunk as it is in the VM.
    Chunk(Arc<[u8]>),
    /// Anything else.
    Bytes(Vec<u8>),
}

impl AsRef<[u8]> for Body {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Chunk(chunk) => chunk,
            Self::Bytes(bytes) => bytes,
        }
    }
}

thread_local! {
    /// Compressors are large, and each thread needs one at a time.
    static PACKER: RefCell<Packer> = RefCell::default();
}

/// The pages of `work` as the payload of a frame of `round`. At most as many are compressed at the same time as there are permits.
pub(super) async fn encode(
    work: Work,
    round: u16,
    settings: &Settings,
    permits: &Semaphore,
) -> Result<Encoded, Fail> {
    let (mode, algorithm) = (settings.mode(), settings.algorithm);
    if algorithm == Algorithm::None {
        return Ok(plain(&work, round, mode));
    }
    // The permits are never closed; without one it would only be slower.
    let _permit = permits.acquire().await.ok();
    let done = tokio::task::spawn_blocking(move || {
        PACKER.with_borrow_mut(|packer| packed(&work, round, mode, algorithm, packer))
    });
    done.await.map_err(|error| Fail::Lost(std::io::Error::other(error)))
}

fn pages(mut bits: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let page = (bits != 0).then(|| bits.trailing_zeros() as usize)?;
        bits &= bits - 1;
        Some(page)
    })
}

fn page(bytes: &[u8], page: usize) -> &[u8] {
    &bytes[page * PAGE..(page + 1) * PAGE]
}

/// Which pages are all zeros. Most are not, and say so in their first bytes.
fn zeros(work: &Work) -> u64 {
    static ZEROS: [u8; PAGE] = [0; PAGE];
    let is_zero = |index: &usize| {
        let page = page(&work.bytes, *index);
        page[..64] == ZEROS[..64] && page == ZEROS
    };
    pages(work.pages).filter(is_zero).fold(0, |bits, page| bits | 1 << page)
}

fn head(data: Data, header: Header) -> [u8; Data::LEN + Header::LEN] {
    let mut head = [0; Data::LEN + Header::LEN];
    head[..Data::LEN].copy_from_slice(&data.bytes());
    head[Data::LEN..].copy_from_slice(&header.bytes());
    head
}

/// The pages that have bytes, or what has changed of them.
fn gathered(work: &Work, full: u64) -> Vec<u8> {
    let mut raw = Vec::with_capacity(full.count_ones() as usize * PAGE);
    pages(full).for_each(|index| raw.extend_from_slice(page(&work.bytes, index)));
    if let Some(before) = &work.before {
        for (new, index) in raw.chunks_mut(PAGE).zip(pages(full)) {
            hde::xor(new, page(before, index));
        }
    }
    raw
}

fn plain(work: &Work, round: u16, mode: u8) -> Encoded {
    let data = Data { chunk: work.chunk as u32, round, pages: work.pages, zeros: zeros(work) };
    let size = data.full().count_ones() * PAGE as u32;
    let delta = work.before.is_some();
    let header = Header { delta, algorithm: Algorithm::None, mode, original: size, size };
    let body = if size as usize == work.bytes.len() && !delta {
        Body::Chunk(Arc::clone(&work.bytes))
    } else {
        Body::Bytes(gathered(work, data.full()))
    };
    Encoded { head: head(data, header), body }
}

fn packed(work: &Work, round: u16, mode: u8, algorithm: Algorithm, packer: &mut Packer) -> Encoded {
    let data = Data { chunk: work.chunk as u32, round, pages: work.pages, zeros: zeros(work) };
    let raw = gathered(work, data.full());
    let mut body = Vec::new();
    let algorithm = packer.pack(algorithm, &raw, &mut body);
    let header = Header {
        delta: work.before.is_some(),
        algorithm,
        mode,
        original: raw.len() as u32,
        size: body.len() as u32,
    };
    Encoded { head: head(data, header), body: Body::Bytes(body) }
}
