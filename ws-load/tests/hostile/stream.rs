//! A connection in memory: what the server sends is known before, what the client sends is kept. The fuzz targets use it too.

use std::collections::VecDeque;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use load_core::protocol::{Fault, Probe};
use load_core::record::Unobserved;
use load_net::url::{Schemes, Url};
use load_suite::scope::Scope;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use ws_load::answer::NoUpgrade;
use ws_load::heard::Rules;
use ws_load::session::{Session, Upgraded};
use ws_load::stamp::Fields;
use ws_load::upgrade::Upgrade;

/// Largest message.
pub(crate) const MOST: usize = 300;

/// What the server sends, piece by piece, and then the end.
pub(crate) struct Fed {
    pieces: VecDeque<Vec<u8>>,
    /// The first piece comes right behind the answer to the upgrade.
    upgrades: bool,
    waits: bool,
    sent: Arc<Mutex<Vec<u8>>>,
}

impl Fed {
    /// `bytes` in two pieces, cut at `cut`.
    pub(crate) fn new(bytes: &[u8], cut: usize, upgrades: bool) -> Self {
        let (first, second) = bytes.split_at(cut.min(bytes.len()));
        Self {
            pieces: [first.to_vec(), second.to_vec()].into(),
            upgrades,
            waits: false,
            sent: Arc::default(),
        }
    }

    fn answer(&self) -> Option<Vec<u8>> {
        let mut sent = self.sent.lock().ok()?;
        let request = String::from_utf8(std::mem::take(&mut *sent)).ok()?;
        let key = request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "))?;
        let accept = derive_accept_key(key.as_bytes());
        Some(
            format!(
                "HTTP/1.1 101 \r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
            )
            .into_bytes(),
        )
    }
}

impl AsyncRead for Fed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if std::mem::take(&mut self.upgrades) {
            let mut answer = self.answer().ok_or(io::ErrorKind::InvalidInput)?;
            answer.extend(self.pieces.pop_front().unwrap_or_default());
            self.pieces.push_front(answer);
        }
        if std::mem::take(&mut self.waits) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let Some(piece) = self.pieces.front_mut() else { return Poll::Ready(Ok(())) };
        let n = piece.len().min(buffer.remaining());
        buffer.put_slice(&piece[..n]);
        piece.drain(..n);
        if piece.is_empty() {
            self.pieces.pop_front();
            self.waits = true;
            if n == 0 {
                return self.poll_read(context, buffer);
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Fed {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.sent.lock().map_err(|_| io::ErrorKind::Other)?.extend(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// What came of a connection.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct End {
    /// Why it ended.
    pub(crate) fault: Fault,
    /// What was said of it.
    pub(crate) note: String,
    /// What the client sent after the upgrade.
    pub(crate) sent: Vec<u8>,
}

/// Runs `future`, which must come to its end by what is fed to it.
fn ends<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    for _ in 0..10 {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return output;
        }
    }
    panic!("waits for more than there is")
}

/// Asks for an upgrade and listens until the end. The counts are those of `observer`.
///
/// # Errors
/// What came instead of an upgrade.
pub(crate) fn listen(stream: Fed, observer: &dyn load_core::record::Observer) -> Result<End, NoUpgrade> {
    let sent = Arc::clone(&stream.sent);
    let url = Url::parse("ws://host/", Schemes::WS).unwrap_or_else(|error| panic!("{error}"));
    let headers = [("Host".to_owned(), "host".to_owned())];
    let upgrade = Upgrade::new(&url, &headers, &[], MOST).unwrap_or_else(|error| panic!("{error}"));
    let fields =
        Fields { timestamp: "timestamp".into(), seq: "seq".into(), fanout: false, ahead_ns: Arc::default() };
    let rules = Rules { expect: None, fields, binary: false, fragment: None };
    let (socket, _) = ends(upgrade.run(stream, &Scope::default()))?;
    let mut note = String::new();
    let mut session = Session::new(Upgraded { socket, took: Box::default() });
    let fault = ends(session.listen(&rules, &mut Probe::unobserved(observer, &mut note)));
    let sent = sent.lock().map(|sent| sent.clone()).unwrap_or_default();
    Ok(End { fault, note, sent })
}

/// Whatever a server sends instead of an upgrade comes to an end, and it can be said what it was.
pub(crate) fn refuse(bytes: &[u8], cut: usize) {
    if let Err(error) = listen(Fed::new(bytes, cut, false), &Unobserved) {
        let mut note = String::new();
        let fault = error.fault(&mut Probe::unobserved(&Unobserved, &mut note));
        assert!(fault.ends_session && !note.is_empty() && note.len() < 2_000, "{note}");
    }
}
