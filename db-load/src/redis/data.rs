//! What does a run make, and how is it removed? Keys under a prefix of its own.

use std::collections::BTreeMap;
use std::ops::Range;

use load_core::protocol::Control;
use redis::aio::MultiplexedConnection;
use redis::{Cmd, RedisResult};

use crate::names::Nonce;
use crate::token;

/// Most keys, and bytes of values, of one command: a signal need not wait long, and no one else either.
const KEYS: u64 = 1_000;
const BYTES: u64 = 1 << 20;

/// Whether somebody answers who speaks Redis and lets us in.
///
/// # Errors
/// Why not.
pub async fn ping(over: &mut MultiplexedConnection) -> RedisResult<()> {
    Cmd::ping().exec_async(over).await
}

/// Makes `keys` keys of `run`. The commands are MSET, so that SET is what the calls send and nothing else.
///
/// # Errors
/// Those of the server.
pub async fn make(
    over: &mut MultiplexedConnection,
    run: &Nonce,
    keys: u64,
    value_bytes: usize,
    control: &mut Control,
) -> RedisResult<()> {
    let prefix = run.prefix();
    let mut value = Vec::new();
    for chunk in chunks(keys, KEYS.min(BYTES / (value_bytes as u64).max(1)).max(1)) {
        let mut command = redis::cmd("MSET");
        for row in chunk {
            token::value(row, value_bytes, &mut value);
            command.arg(format!("{prefix}{row}")).arg(&value);
        }
        control.calls += 1;
        command.exec_async(over).await?;
    }
    Ok(())
}

/// Removes the keys of `run`, as many of `keys` as there are.
///
/// # Errors
/// Those of the server.
pub async fn remove(
    over: &mut MultiplexedConnection,
    run: &Nonce,
    keys: u64,
    control: &mut Control,
) -> RedisResult<()> {
    let prefix = run.prefix();
    for chunk in chunks(keys, KEYS) {
        let mut command = redis::cmd("UNLINK");
        for row in chunk {
            command.arg(format!("{prefix}{row}"));
        }
        control.calls += 1;
        command.exec_async(over).await?;
    }
    Ok(())
}

fn chunks(keys: u64, most: u64) -> impl Iterator<Item = Range<u64>> {
    (0..keys).step_by(most as usize).map(move |from| from..keys.min(from + most))
}

/// The runs that have left keys, and which.
///
/// # Errors
/// Those of the server.
pub async fn list(over: &mut MultiplexedConnection) -> RedisResult<BTreeMap<Nonce, Vec<String>>> {
    let (mut left, mut cursor) = (BTreeMap::<_, Vec<_>>::new(), 0_u64);
    loop {
        let mut scan = redis::cmd("SCAN");
        scan.arg(cursor).arg("MATCH").arg("quintet:*").arg("COUNT").arg(KEYS);
        let (next, keys): (u64, Vec<String>) = scan.query_async(over).await?;
        for key in keys {
            if let Some(run) = Nonce::of_key(&key) {
                left.entry(run).or_default().push(key);
            }
        }
        if next == 0 {
            return Ok(left);
        }
        cursor = next;
    }
}

/// Removes `keys`.
///
/// # Errors
/// Those of the server.
pub async fn unlink(over: &mut MultiplexedConnection, keys: &[String]) -> RedisResult<()> {
    for chunk in keys.chunks(KEYS as usize) {
        redis::cmd("UNLINK").arg(chunk).exec_async(over).await?;
    }
    Ok(())
}
