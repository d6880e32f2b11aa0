//! What has been received, and what is its hash? An image in memory, by chunks that exist when something is in them.

use std::{cell::RefCell, rc::Rc};

use load_wire::dwcp::{
    Broken, CHUNK, CHUNK_PAGES, PAGE,
    hde::{Header, Unpacker},
    message::Data,
};
use xxhash_rust::xxh3::Xxh3;

/// A chunk that nothing was written to.
static ZEROS: [u8; CHUNK] = [0; CHUNK];

/// Chunks that nobody needs now. New memory costs a fault a page, which is more than what is received costs.
#[derive(Clone, Default)]
pub(super) struct Spare(Rc<RefCell<Vec<Box<[u8]>>>>);

/// Most spare chunks: 4 GiB, a thousand images of 4 MiB.
const MOST_SPARE: usize = 16_384;

impl Spare {
    /// A chunk of zeros, or of `bytes`.
    fn chunk(&self, length: usize, bytes: Option<&[u8]>) -> Box<[u8]> {
        // All spare ones are whole; the last one of an image may not be.
        let spare = if length == CHUNK { self.0.borrow_mut().pop() } else { None };
        match (spare, bytes) {
            (Some(mut chunk), Some(bytes)) => {
                chunk.copy_from_slice(bytes);
                chunk
            }
            (Some(mut chunk), None) => {
                chunk.fill(0);
                chunk
            }
            (None, Some(bytes)) => bytes.into(),
            (None, None) => vec![0; length].into_boxed_slice(),
        }
    }

    fn give_back(&self, chunks: impl Iterator<Item = Box<[u8]>>) {
        let mut spare = self.0.borrow_mut();
        let room = MOST_SPARE - spare.len();
        spare.extend(chunks.filter(|chunk| chunk.len() == CHUNK).take(room));
    }
}

/// An image; what was never written is zero.
pub(super) struct Image {
    bytes: u64,
    spare: Spare,
    chunks: Vec<Option<Box<[u8]>>>,
    unpacker: Unpacker,
    /// Where pages are decoded.
    scratch: Vec<u8>,
}

/// Pages of a bitmap, in order.
fn pages(mut bits: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let page = (bits != 0).then(|| bits.trailing_zeros() as usize)?;
        bits &= bits - 1;
        Some(page)
    })
}

impl Image {
    /// An image of so many bytes, in whole pages; only its table takes memory.
    pub(super) fn new(bytes: u64, spare: Spare) -> Self {
        let mut chunks = Vec::new();
        chunks.resize_with(bytes.div_ceil(CHUNK as u64) as usize, || None);
        Self { bytes, spare, chunks, unpacker: Unpacker::default(), scratch: Vec::new() }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    fn length(&self, chunk: usize) -> usize {
        (self.bytes - chunk as u64 * CHUNK as u64).min(CHUNK as u64) as usize
    }

    /// Puts the pages of a frame where they belong.
    pub(super) fn apply(&mut self, data: Data, header: Header, bytes: &[u8]) -> Result<(), Broken> {
        let index = data.chunk as usize;
        if index >= self.chunks.len() {
            return Err(Broken::Malformed("a chunk beyond the image"));
        }
        let length = self.length(index);
        let existing = u64::MAX >> (CHUNK_PAGES - length / PAGE);
        let full = data.full();
        if data.pages & !existing != 0 || header.original != full.count_ones() * PAGE as u32 {
            return Err(Broken::Malformed("pages beyond the image, or another number of them"));
        }
        if full == existing && !header.delta && header.size == header.original {
            // As it is, and all of it.
            match &mut self.chunks[index] {
                Some(chunk) => chunk.copy_from_slice(bytes),
                none => *none = Some(self.spare.chunk(length, Some(bytes))),
            }
            return Ok(());
        }
        self.scratch.resize(CHUNK, 0);
        let decoded = &mut self.scratch[..header.original as usize];
        self.unpacker.unpack(header.algorithm, bytes, decoded)?;
        let slot = &mut self.chunks[index];
        if slot.is_none() && full == 0 {
            return Ok(());
        }
        let chunk = slot.get_or_insert_with(|| self.spare.chunk(length, None));
        for page in pages(data.zeros) {
            chunk[page * PAGE..(page + 1) * PAGE].fill(0);
        }
        for (page, new) in pages(full).zip(decoded.chunks_exact(PAGE)) {
            let old = &mut chunk[page * PAGE..(page + 1) * PAGE];
            if header.delta {
                old.iter_mut().zip(new).for_each(|(old, new)| *old ^= new);
            } else {
                old.copy_from_slice(new);
            }
        }
        Ok(())
    }

    /// Where so many bytes at `offset` are, within one chunk and the image, as a reader of raw records has checked.
    pub(super) fn place(&mut self, offset: u64, length: usize) -> &mut [u8] {
        let (index, at) = ((offset / CHUNK as u64) as usize, (offset % CHUNK as u64) as usize);
        let whole = self.length(index);
        let chunk = self.chunks[index].get_or_insert_with(|| self.spare.chunk(whole, None));
        &mut chunk[at..at + length]
    }

    /// Makes the first bit another one.
    pub(super) fn corrupt(&mut self) {
        self.place(0, 1)[0] ^= 1;
    }

    pub(super) fn chunks(&self) -> usize {
        self.chunks.len()
    }

    /// Adds a chunk to a hash of the whole.
    pub(super) fn hash(&self, index: usize, hash: &mut Xxh3) {
        let length = self.length(index);
        hash.update(self.chunks[index].as_deref().unwrap_or(&ZEROS[..length]));
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        self.spare.give_back(self.chunks.drain(..).flatten());
    }
}

#[cfg(test)]
mod tests {
    use load_wire::dwcp::hde::Algorithm;

    use super::*;

    fn whole(image: &Image) -> Vec<u8> {
        let length = |i| image.length(i);
        let chunk = |i: usize| image.chunks[i].as_deref().map_or(vec![0; length(i)], <[u8]>::to_vec);
        (0..image.chunks()).flat_map(chunk).collect()
    }

    fn header(delta: bool, bytes: &[u8]) -> Header {
        let size = bytes.len() as u32;
        Header { delta, algorithm: Algorithm::None, mode: 0, original: size, size }
    }

    #[test]
    fn pages_come_to_their_places() {
        // What was in a spare chunk before is seen nowhere.
        let spare = Spare::default();
        spare.give_back(std::iter::repeat_n(vec![9; CHUNK].into_boxed_slice(), 3));
        let mut image = Image::new((CHUNK + 2 * PAGE) as u64, spare.clone());
        let mut expected = vec![0; CHUNK + 2 * PAGE];
        let mut put = |data: Data, delta: bool, bytes: &[u8]| image.apply(data, header(delta, bytes), bytes);
        let new = [vec![1; PAGE], vec![2; PAGE]].concat();
        put(Data { chunk: 0, round: 1, pages: 0b1_0110, zeros: 0b0100 }, false, &new).unwrap();
        expected[PAGE..2 * PAGE].fill(1);
        expected[4 * PAGE..5 * PAGE].fill(2);
        put(Data { chunk: 1, round: 1, pages: 0b11, zeros: 0 }, false, &new).unwrap();
        expected[CHUNK..].copy_from_slice(&new);
        put(Data { chunk: 1, round: 2, pages: 0b10, zeros: 0 }, true, &[3; PAGE]).unwrap();
        expected[CHUNK + PAGE..].fill(1);
        put(Data { chunk: 0, round: 2, pages: 0b10, zeros: 0b10 }, false, &[]).unwrap();
        expected[PAGE..2 * PAGE].fill(0);
        for (data, bytes) in [
            (Data { chunk: 2, round: 1, pages: 1, zeros: 0 }, &new[..PAGE]),
            (Data { chunk: 1, round: 1, pages: 0b100, zeros: 0 }, &new[..PAGE]),
            (Data { chunk: 1, round: 1, pages: 0b11, zeros: 0 }, &new[..PAGE]),
        ] {
            assert!(put(data, false, bytes).is_err(), "{data:?}");
        }
        assert_eq!(whole(&image), expected);
        let mut hash = Xxh3::new();
        (0..image.chunks()).for_each(|i| image.hash(i, &mut hash));
        assert_eq!(hash.digest128(), xxhash_rust::xxh3::xxh3_128(&expected));
    }
}
