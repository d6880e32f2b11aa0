//! Which bytes have been read and not yet understood? A buffer that grows to a bound.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// Size at first: small, because there may be a hundred thousand connections.
const FIRST_BYTES: usize = 2 << 10;
/// The most a request head may have.
const MOST_BYTES: usize = 64 << 10;

/// Bytes read from a socket.
pub(crate) struct Inbox {
    buffer: Vec<u8>,
    begin: usize,
    end: usize,
}

impl Inbox {
    pub(crate) fn new() -> Self {
        Self { buffer: vec![0; FIRST_BYTES], begin: 0, end: 0 }
    }

    /// What has been read and not consumed.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buffer[self.begin..self.end]
    }

    /// Drops the first `count` bytes.
    pub(crate) fn consume(&mut self, count: usize) {
        self.begin += count;
        if self.begin == self.end {
            (self.begin, self.end) = (0, 0);
        }
    }

    /// Nothing more can be read before something is consumed.
    pub(crate) fn is_full(&self) -> bool {
        self.bytes().len() >= MOST_BYTES
    }

    /// Reads more; 0 is the end of the stream. Not to be called when full.
    pub(crate) async fn fill(&mut self, socket: &mut (impl AsyncRead + Unpin)) -> io::Result<usize> {
        if self.end == self.buffer.len() {
            self.make_room();
        }
        let read = socket.read(&mut self.buffer[self.end..]).await?;
        self.end += read;
        Ok(read)
    }

    /// Throws away what there is and reads more.
    pub(crate) async fn refill(&mut self, socket: &mut (impl AsyncRead + Unpin)) -> io::Result<usize> {
        (self.begin, self.end) = (0, 0);
        self.fill(socket).await
    }

    fn make_room(&mut self) {
        if self.begin > 0 {
            self.buffer.copy_within(self.begin..self.end, 0);
            (self.begin, self.end) = (0, self.end - self.begin);
        } else {
            self.buffer.resize((self.buffer.len() * 2).min(MOST_BYTES), 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_to_its_bound_and_keeps_what_was_not_consumed() {
        let source: Vec<u8> = (0..200_000_u32).map(|i| (i % 251) as u8).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (mut inbox, mut socket, mut seen) = (Inbox::new(), source.as_slice(), Vec::new());
            while inbox.fill(&mut socket).await.unwrap() > 0 {
                if inbox.is_full() {
                    let part = inbox.bytes().len() - 7;
                    seen.extend_from_slice(&inbox.bytes()[..part]);
                    inbox.consume(part);
                }
                assert!(inbox.buffer.len() <= MOST_BYTES);
            }
            seen.extend_from_slice(inbox.bytes());
            assert_eq!(seen, source);
        });
    }
}
