//! How do requests and answers pass over one connection that carries load? Nothing but bytes and buffers: no task, no
//! channel, and no memory of its own for a call.
//!
//! | question | module |
//! |---|---|
//! | How does a connection come about? | [`login`] |
//! | What does an answer say? | [`answer`] |
//! | Which rows are kept? | [`table`] |
//! | How is a request ended for which nobody waits? | [`cancel`] |

pub mod answer;
pub mod cancel;
pub mod login;
pub mod table;

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use load_net::connection::Connection as Stream;
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};

pub use answer::{Answer, Refusal};
pub use table::Table;

use login::Cancel;

/// What most answers fit into, and what is kept of the memory that a larger one took.
const ROOM: usize = 16 * 1024;

/// Why there is no whole answer.
#[derive(Debug)]
pub enum Failure {
    /// No connection, or it broke.
    Io(io::Error),
    /// The TLS handshake.
    Tls(io::Error),
    /// The server closed the connection.
    Closed,
    /// What came is not the protocol.
    Malformed(&'static str),
    /// The server ended the session.
    Refused(Box<Refusal>),
}

/// One session.
pub struct Connection {
    stream: Stream,
    /// What is to be sent.
    pub out: Vec<u8>,
    sent: usize,
    input: Vec<u8>,
    begin: usize,
    end: usize,
    /// Bytes of a message that nobody wants, still to come.
    skip: usize,
    /// A request is under way.
    busy: bool,
    /// What the server said of its transaction last: idle `I`, within one `T`, or within one that failed `E`.
    pub status: u8,
    cancel: Option<Cancel>,
}

impl Connection {
    fn over(stream: Stream) -> Self {
        Self {
            stream,
            out: Vec::with_capacity(1_024),
            sent: 0,
            input: vec![0; ROOM],
            begin: 0,
            end: 0,
            skip: 0,
            busy: false,
            status: b'I',
            cancel: None,
        }
    }

    /// Sends what is in [`Connection::out`] and reads until the server is ready for more; rows go to `table`.
    ///
    /// # Errors
    /// There is no whole answer. A refused statement is one, see [`Answer::refusal`].
    #[inline]
    pub async fn exchange(&mut self, mut table: Option<&mut Table>) -> Result<Answer, Failure> {
        let mut answer = Answer { sent: self.out.len() as u32, ..Answer::default() };
        self.busy = true;
        poll_fn(|context| self.poll_exchange(context, &mut answer, &mut table)).await?;
        self.busy = false;
        self.out.clear();
        self.sent = 0;
        Ok(answer)
    }

    /// Writes and reads at the same time: a server that waits for its answers to be read reads nothing itself.
    fn poll_exchange(
        &mut self,
        context: &mut Context<'_>,
        answer: &mut Answer,
        table: &mut Option<&mut Table>,
    ) -> Poll<Result<(), Failure>> {
        self.poll_write(context).map_err(Failure::Io)?;
        loop {
            while let Some((tag, body)) = self.message(table.is_some())? {
                // The buffer is borrowed by `body`; `status` and `answer` are not part of it.
                if answer.take(tag, body, table)? {
                    self.status = answer.status;
                    return Poll::Ready(Ok(()));
                }
            }
            answer.received += ready!(self.poll_read(context))? as u64;
        }
    }

    fn poll_write(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        while self.sent < self.out.len() {
            match Pin::new(&mut self.stream).poll_write(context, &self.out[self.sent..]) {
                Poll::Ready(written) => self.sent += written?,
                Poll::Pending => return Ok(()),
            }
        }
        match Pin::new(&mut self.stream).poll_flush(context) {
            Poll::Ready(flushed) => flushed,
            Poll::Pending => Ok(()),
        }
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<Result<usize, Failure>> {
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
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer)).map_err(Failure::Io)?;
        let n = buffer.filled().len();
        self.end += n;
        Poll::Ready(if n == 0 { Err(Failure::Closed) } else { Ok(n) })
    }

    /// The next whole message. A row that is not `wanted` is passed over without being kept.
    #[inline]
    fn message(&mut self, wanted: bool) -> Result<Option<(u8, &[u8])>, Failure> {
        loop {
            let there = self.end - self.begin;
            let skipped = self.skip.min(there);
            self.skip -= skipped;
            self.begin += skipped;
            let there = there - skipped;
            let Some(head) = self.input[self.begin..self.end].first_chunk::<5>() else { return Ok(None) };
            let (tag, length) = (head[0], u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize);
            if !(4..1 << 30).contains(&length) {
                return Err(Failure::Malformed("a message of an impossible length"));
            }
            let whole = length + 1;
            if there >= whole {
                let body = self.begin + 5..self.begin + whole;
                self.begin = body.end;
                return Ok(Some((tag, &self.input[body])));
            }
            if tag != b'D' || wanted {
                return Ok(None);
            }
            self.skip = whole;
        }
    }

    /// Returns when the server closes the connection, or says something that nobody asked for; may be dropped.
    pub async fn gone(&mut self) -> Failure {
        poll_fn(|context| {
            loop {
                match self.message(true) {
                    // Changed parameters and notices may come at any time.
                    Ok(Some((b'S' | b'N' | b'A', _))) => {}
                    Ok(Some((b'E', body))) => {
                        return Poll::Ready(Failure::Refused(Box::new(Refusal::of(body))));
                    }
                    Ok(Some(_)) => return Poll::Ready(Failure::Malformed("an answer without a request")),
                    Err(failure) => return Poll::Ready(failure),
                    Ok(None) => {
                        if let Err(failure) = ready!(self.poll_read(context)) {
                            return Poll::Ready(failure);
                        }
                    }
                }
            }
        })
        .await
    }

    /// Says goodbye.
    pub async fn close(mut self) {
        self.out.extend_from_slice(b"X\0\0\0\x04");
        self.sent = 0;
        // The connection is given up in any case.
        let _ = poll_fn(|context| Poll::Ready(self.poll_write(context))).await;
    }
}

/// A request that is given up must not keep the server busy.
impl Drop for Connection {
    fn drop(&mut self) {
        if self.busy
            && let Some(cancel) = self.cancel.take()
        {
            cancel.send();
        }
    }
}
