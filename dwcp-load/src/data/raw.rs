//! How do pages go without frames? In the original's TCP formats, over connections of their own; a mark on stream 0 asks whether
//! they have arrived.

use std::cell::Cell;
use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use load_net::connection::{Connection, NoConnection, Tls};
use load_wire::dwcp::CHUNK;
use load_wire::dwcp::frame::Kind;
use load_wire::dwcp::message::{Framing, Mark};
use load_wire::dwcp::raw;
use tokio::io::AsyncWriteExt as _;

use super::copy::{Copy, all};
use super::fail::Fail;
use super::stream::Stream;

/// The raw streams of one migration.
pub(super) struct Raw {
    framing: Framing,
    streams: Vec<Connection>,
    /// Bytes of pages written so far.
    bytes: Cell<u64>,
    /// Names the requests of the SDK.
    request: String,
}

impl Raw {
    /// Opens `count` streams to `address`.
    pub(super) async fn open(
        framing: Framing,
        address: SocketAddr,
        tls: Option<&Tls>,
        count: u16,
        migration: &[u8; 16],
    ) -> Result<Self, Fail> {
        let mut streams = Vec::with_capacity(count.into());
        for _ in 0..count {
            let opened = Connection::open(address, tls).await;
            streams.push(opened.map_err(|no| match no {
                NoConnection::Tcp(error) | NoConnection::Tls(error) => {
                    Fail::NoConnection(format!("raw stream to {address}: {error}"))
                }
            })?);
        }
        let request = format!("{:032x}", u128::from_be_bytes(*migration));
        Ok(Self { framing, streams, bytes: Cell::new(0), request })
    }

    /// Copies each chunk with dirty pages once, as a whole, until all have arrived.
    pub(super) async fn round(
        &mut self,
        copy: &Copy<'_>,
        control: &mut Stream,
        round: u16,
    ) -> Result<(), Fail> {
        let Self { framing, streams, bytes, request } = self;
        let (count, total) = (streams.len(), copy.settings.memory);
        let (framing, bytes, request) = (*framing, &*bytes, request.as_str());
        let streams = streams.iter_mut().enumerate();
        let stream =
            |(number, connection)| one(copy, connection, number, count, (framing, total, request), bytes);
        all(streams.map(stream)).await?;
        let mark = Mark { round, bytes: bytes.get() };
        let seq = control.send(Kind::Mark, &mark.bytes(), &[]).await?;
        control.until_acked(seq).await
    }
}

/// Copies the chunks of one stream.
async fn one(
    copy: &Copy<'_>,
    connection: &mut Connection,
    number: usize,
    count: usize,
    (framing, total, request): (Framing, u64, &str),
    written: &Cell<u64>,
) -> Result<(), Fail> {
    let alarm = copy.pacer.alarm(copy.probe);
    let mut cursor = number;
    while let Some(work) = copy.take(&mut cursor, count) {
        copy.turn(work.bytes.len()).await;
        let offset = work.chunk as u64 * CHUNK as u64;
        let step = if framing == Framing::Adapter { raw::ADAPTER_CHUNK } else { CHUNK };
        let mut wire = 0;
        for (i, piece) in work.bytes.chunks(step).enumerate() {
            let (at, length) = (offset + (i * step) as u64, piece.len() as u32);
            let head = match framing {
                Framing::Adapter => {
                    raw::adapter((at / step as u64) as u32, at as u32, length, total as u32).to_vec()
                }
                Framing::Sdk => raw::sdk(request, now_ms(), at, length),
                _ => raw::amst(work.chunk as u32, length).to_vec(),
            };
            copy.pacer.wait(head.len() + piece.len(), alarm.as_ref(), copy.probe).await;
            connection.write_all(&head).await.map_err(Fail::Lost)?;
            connection.write_all(piece).await.map_err(Fail::Lost)?;
            wire += head.len() + piece.len();
        }
        written.set(written.get() + work.bytes.len() as u64);
        copy.tally.sent(work.pages.count_ones().into(), wire);
    }
    Ok(())
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}
