//! How do commands and replies pass over one connection? Nothing but bytes and buffers.
//!
//! | question | module |
//! |---|---|
//! | How does a connection come about? | [`login`] |
//! | What does a reply say? | [`reply`] |
//! | How do several lanes use one connection? | [`shared`] |

pub mod login;
pub mod reply;
pub mod shared;

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use load_net::connection::Connection as Stream;
use load_suite::template::push_decimal;
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};

pub use reply::{Items, Reply};
pub use shared::{Shared, Slot};

/// What most replies fit into, and what is kept of the memory that larger ones took.
const ROOM: usize = 16 * 1024;

/// Why there is no reply. It may be the fate of several calls.
#[derive(Clone, Debug)]
pub enum Failure {
    /// No connection, or it broke.
    Io(Rc<io::Error>),
    /// The TLS handshake.
    Tls(Rc<io::Error>),
    /// The server closed the connection.
    Closed,
    /// What came is not the protocol.
    Malformed(&'static str),
    /// The server refused what the session begins with.
    Refused(String),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(Rc::new(error))
    }
}

/// One session. Replies come in the order of commands, so that counting is all it takes to tell them apart.
pub struct Connection {
    stream: Stream,
    /// What is to be sent.
    pub out: Vec<u8>,
    sent: usize,
    input: Vec<u8>,
    begin: usize,
    end: usize,
    /// Commands whose replies are still to come.
    pub pending: usize,
}

impl Connection {
    /// A session that has just begun.
    pub fn over(stream: Stream) -> Self {
        Self {
            stream,
            out: Vec::with_capacity(1_024),
            sent: 0,
            input: vec![0; ROOM],
            begin: 0,
            end: 0,
            pending: 0,
        }
    }

    /// Sends what there is and hands every reply that has come to `each`. Ready as soon as there was one, or there are none
    /// to wait for; writes and reads at the same time, for a server whose replies nobody reads reads nothing itself.
    ///
    /// # Errors
    /// The connection is of no more use.
    #[inline]
    pub fn poll_replies(
        &mut self,
        context: &mut Context<'_>,
        mut each: impl FnMut(&[u8], Reply<'_>),
    ) -> Poll<Result<(), Failure>> {
        self.poll_write(context)?;
        while self.pending > 0 {
            let mut came = false;
            while let Some((reply, length)) =
                reply::read(&self.input[self.begin..self.end]).map_err(Failure::Malformed)?
            {
                // Pushes are nobody's reply.
                let is_reply = !matches!(reply, Reply::Push(_));
                if is_reply {
                    self.pending =
                        self.pending.checked_sub(1).ok_or(Failure::Malformed("a reply without a command"))?;
                    each(&self.input[self.begin..self.begin + length], reply);
                }
                came |= is_reply;
                self.begin += length;
            }
            if came {
                return Poll::Ready(Ok(()));
            }
            ready!(self.poll_read(context))?;
        }
        Poll::Ready(Ok(()))
    }

    /// Sends what there is and hands everything that has come to `each`, replies and what nobody asked for alike: for a
    /// session that has subscribed. Ready as soon as there was something.
    ///
    /// # Errors
    /// The connection is of no more use.
    pub fn poll_each(
        &mut self,
        context: &mut Context<'_>,
        mut each: impl FnMut(Reply<'_>),
    ) -> Poll<Result<(), Failure>> {
        self.poll_write(context)?;
        loop {
            let mut came = false;
            while let Some((reply, length)) =
                reply::read(&self.input[self.begin..self.end]).map_err(Failure::Malformed)?
            {
                each(reply);
                self.begin += length;
                came = true;
            }
            if came {
                return Poll::Ready(Ok(()));
            }
            ready!(self.poll_read(context))?;
        }
    }

    #[inline]
    fn poll_write(&mut self, context: &mut Context<'_>) -> Result<(), Failure> {
        if self.out.is_empty() {
            return Ok(());
        }
        while self.sent < self.out.len() {
            match Pin::new(&mut self.stream).poll_write(context, &self.out[self.sent..]) {
                Poll::Ready(written) => match written? {
                    0 => return Err(Failure::Closed),
                    n => self.sent += n,
                },
                Poll::Pending => return Ok(()),
            }
        }
        if let Poll::Ready(flushed) = Pin::new(&mut self.stream).poll_flush(context) {
            flushed?;
            self.out.clear();
            self.sent = 0;
        }
        Ok(())
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        if self.begin == self.end {
            (self.begin, self.end) = (0, 0);
            if self.input.len() > ROOM {
                self.input.truncate(ROOM);
                self.input.shrink_to_fit();
            }
        } else if self.end == self.input.len() {
            self.input.copy_within(self.begin..self.end, 0);
            (self.begin, self.end) = (0, self.end - self.begin);
            if self.end == self.input.len() {
                self.input.resize(self.end * 2, 0);
            }
        }
        let mut buffer = ReadBuf::new(&mut self.input[self.end..]);
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer))?;
        let n = buffer.filled().len();
        self.end += n;
        Poll::Ready(if n == 0 { Err(Failure::Closed) } else { Ok(()) })
    }

    /// Puts a command of these words to what is to be sent.
    pub fn push(&mut self, words: &[&[u8]]) {
        command(words, &mut self.out);
        self.pending += 1;
    }

    /// Sends what there is, and hands every reply to `each` until all have come.
    ///
    /// # Errors
    /// The connection is of no more use.
    pub async fn settle(&mut self, mut each: impl FnMut(Reply<'_>)) -> Result<(), Failure> {
        while self.pending > 0 {
            poll_fn(|context| self.poll_replies(context, |_, reply| each(reply))).await?;
        }
        Ok(())
    }

    /// Sends one command, behind everything else; `read` makes what is wanted out of its reply.
    ///
    /// # Errors
    /// The server refused it, or there is no reply.
    pub async fn ask<T>(
        &mut self,
        words: &[&[u8]],
        mut read: impl FnMut(Reply<'_>) -> Option<T>,
    ) -> Result<T, Failure> {
        self.push(words);
        let (mut last, mut refusal) = (None, None);
        self.settle(|reply| match reply {
            Reply::Error(error) => refusal = Some(String::from_utf8_lossy(error).into_owned()),
            reply => (last, refusal) = (read(reply), None),
        })
        .await?;
        match (refusal, last) {
            (Some(refusal), _) => Err(Failure::Refused(refusal)),
            (None, Some(answer)) => Ok(answer),
            (None, None) => Err(Failure::Malformed("a reply of another kind than the command has")),
        }
    }
}

/// Appends a command of these words.
pub fn command(words: &[&[u8]], out: &mut Vec<u8>) {
    out.push(b'*');
    push_decimal(words.len() as u64, out);
    out.extend_from_slice(b"\r\n");
    words.iter().for_each(|word| self::word(word, out));
}

/// Appends a word of a command.
#[inline]
pub fn word(word: &[u8], out: &mut Vec<u8>) {
    head(word.len(), out);
    out.extend_from_slice(word);
    out.extend_from_slice(b"\r\n");
}

/// Appends what stands before a word of so many bytes.
#[inline]
pub fn head(length: usize, out: &mut Vec<u8>) {
    out.push(b'$');
    push_decimal(length as u64, out);
    out.extend_from_slice(b"\r\n");
}
