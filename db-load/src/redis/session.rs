//! How does a connection come about, and a call go over it?

use std::num::NonZeroU32;

use futures_util::future::try_join_all;
use load_core::protocol::{Fault, Probe};
use load_report::fault::FaultKind;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, ErrorKind, RedisError, RedisResult, Value};

use crate::token;

/// A connection that keeps no time of its own: all deadlines are the engine's.
///
/// # Errors
/// Why there is none.
pub async fn dial(client: &Client, depth: NonZeroU32) -> RedisResult<MultiplexedConnection> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(None)
        .set_response_timeout(None)
        .set_pipeline_buffer_size(depth.get() as usize);
    client.get_multiplexed_async_connection_with_config(&config).await
}

/// So many of them, all at a time.
///
/// # Errors
/// Why one of them could not be opened.
pub async fn dial_all(n: u32, client: &Client, depth: NonZeroU32) -> RedisResult<Vec<MultiplexedConnection>> {
    try_join_all((0..n).map(|_| dial(client, depth))).await
}

/// One lane's buffers.
pub struct Session {
    prefix: String,
    value_bytes: usize,
    key: String,
    value: Vec<u8>,
}

/// Bytes of a request and its answer.
pub type Traffic = (u32, u64);

impl Session {
    /// For keys that begin with `prefix`.
    pub fn new(prefix: String, value_bytes: usize) -> Self {
        Self { prefix, value_bytes, key: String::new(), value: Vec::new() }
    }

    fn expect(&mut self, row: u64) {
        use std::fmt::Write as _;
        self.key.clear();
        // Writing to a text cannot fail.
        let _ = write!(self.key, "{}{row}", self.prefix);
        token::value(row, self.value_bytes, &mut self.value);
    }

    /// GET of key `row`. What is wrong with the answer, if something is.
    ///
    /// # Errors
    /// When there is no answer, or the server refused.
    pub async fn read(
        &mut self,
        over: &mut MultiplexedConnection,
        row: u64,
    ) -> RedisResult<(Traffic, Option<&'static str>)> {
        self.expect(row);
        let command = Cmd::get(&self.key);
        let sent = size(&command);
        Ok(match over.send_packed_command(&command).await?.extract_error()? {
            Value::BulkString(value) if value == self.value => ((sent, value.len() as u64), None),
            Value::BulkString(value) => {
                let wrong = "the key holds another value than the run has put there";
                ((sent, value.len() as u64), Some(wrong))
            }
            Value::Nil => ((sent, 0), Some("the key is not there")),
            _ => ((sent, 0), Some("the answer to GET is no text")),
        })
    }

    /// SET of key `row`. What is wrong with the answer, if something is.
    ///
    /// # Errors
    /// When there is no answer, or the server refused.
    pub async fn write(
        &mut self,
        over: &mut MultiplexedConnection,
        row: u64,
    ) -> RedisResult<(Traffic, Option<&'static str>)> {
        self.expect(row);
        let command = Cmd::set(&self.key, &self.value);
        let sent = size(&command);
        let answer = over.send_packed_command(&command).await?.extract_error()?;
        Ok(((sent, 0), (answer != Value::Okay).then_some("the answer to SET is not OK")))
    }
}

/// Bytes of a command on the wire, but for the few that frame its words.
fn size(command: &Cmd) -> u32 {
    let words = command.args_iter().map(|word| match word {
        redis::Arg::Simple(word) => word.len(),
        _ => 0,
    });
    u32::try_from(words.sum::<usize>()).unwrap_or(u32::MAX)
}

/// The fault, after which the session goes on: the pool repairs itself.
#[cold]
pub fn fault(error: &RedisError, probe: &mut Probe<'_>) -> Fault {
    probe.note(error);
    Fault::answered(kind(error), 0)
}

fn kind(error: &RedisError) -> FaultKind {
    match error.kind() {
        ErrorKind::Io if error.is_connection_dropped() && !error.is_connection_refusal() => FaultKind::Closed,
        ErrorKind::Io => FaultKind::Connect,
        ErrorKind::Server(_) | ErrorKind::Extension | ErrorKind::AuthenticationFailed => FaultKind::Rejected,
        _ => FaultKind::Malformed,
    }
}

/// Whether the connection is good for another call: the server has refused a command and nothing else.
pub fn is_usable_after(error: &RedisError) -> bool {
    kind(error) == FaultKind::Rejected
}

/// What was wrong with a server that has never answered: it may be something else.
pub fn explain_first(error: &RedisError) -> String {
    let strange = matches!(kind(error), FaultKind::Closed | FaultKind::Malformed);
    format!("{error}{}", if strange { "; is it a Redis server?" } else { "" })
}
