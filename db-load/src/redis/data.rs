//! What does a run make, and how is it removed? Keys under a prefix of its own.

use std::collections::BTreeMap;
use std::ops::Range;

use load_core::protocol::Control;

use super::batch::begin;
use super::command::{self, Shape};
use super::wire::{Connection, Failure, Reply, word};
use super::workload::{FIELDS, kinds};
use crate::names::Nonce;

/// Most keys, and bytes of values, of one command: a signal need not wait long, and no one else either.
pub const KEYS: u64 = 1_000;
const BYTES: u64 = 1 << 20;

/// Whether somebody answers who speaks Redis and lets us in.
///
/// # Errors
/// Why not.
pub async fn ping(over: &mut Connection) -> Result<(), Failure> {
    over.ask(&[b"PING"], |reply| reply.text().map(drop)).await
}

/// Makes the keys of one kind.
///
/// # Errors
/// Those of the server.
pub async fn make(
    over: &mut Connection,
    run: &Nonce,
    kind: &str,
    shape: &Shape,
    control: &mut Control,
) -> Result<(), Failure> {
    let (prefix, mut value) = (run.prefix(), Vec::new());
    let most = u64::from(shape.size.1).max(1) * if kind == kinds::HASH { u64::from(FIELDS) } else { 1 };
    for rows in chunks(shape.keys, KEYS.min(BYTES / most).max(1)) {
        if kind == kinds::HASH {
            for row in rows {
                shape.value(row, &mut value);
                hash(&prefix, row, &value, &mut over.out);
                over.pending += 1;
                control.calls += 1;
            }
        } else {
            // MSET, so that SET is what the calls send and nothing else.
            begin(1 + 2 * (rows.end - rows.start) as usize, b"MSET", &mut over.out);
            for row in rows {
                command::key(&prefix, kind, row, &mut over.out);
                shape.value(row, &mut value);
                word(&value, &mut over.out);
            }
            over.pending += 1;
            control.calls += 1;
        }
        settle(over).await?;
    }
    Ok(())
}

/// Writes the command that makes a hash with `value` in each of its fields.
pub(super) fn hash(prefix: &str, row: u64, value: &[u8], out: &mut Vec<u8>) {
    begin(2 + 2 * FIELDS as usize, b"HSET", out);
    command::key(prefix, kinds::HASH, row, out);
    for field in 0..FIELDS {
        word(format!("f{field}").as_bytes(), out);
        word(value, out);
    }
}

/// Removes the keys of one kind, as many of `keys` as there are.
///
/// # Errors
/// Those of the server.
pub async fn remove(
    over: &mut Connection,
    run: &Nonce,
    kind: &str,
    keys: u64,
    control: &mut Control,
) -> Result<(), Failure> {
    let prefix = run.prefix();
    for rows in chunks(keys, KEYS) {
        begin(1 + (rows.end - rows.start) as usize, b"UNLINK", &mut over.out);
        for row in rows {
            command::key(&prefix, kind, row, &mut over.out);
        }
        over.pending += 1;
        control.calls += 1;
        settle(over).await?;
    }
    Ok(())
}

/// Waits for all replies; the first refusal is the error.
async fn settle(over: &mut Connection) -> Result<(), Failure> {
    let mut refusal = None;
    over.settle(|reply| {
        if let Reply::Error(error) = reply {
            refusal.get_or_insert_with(|| String::from_utf8_lossy(error).into_owned());
        }
    })
    .await?;
    refusal.map_or(Ok(()), |refusal| Err(Failure::Refused(refusal)))
}

fn chunks(keys: u64, most: u64) -> impl Iterator<Item = Range<u64>> {
    (0..keys).step_by(most as usize).map(move |from| from..keys.min(from + most))
}

/// The runs that have left keys, and which.
///
/// # Errors
/// Those of the server.
pub async fn list(over: &mut Connection) -> Result<BTreeMap<Nonce, Vec<String>>, Failure> {
    let (mut left, mut cursor) = (BTreeMap::<_, Vec<_>>::new(), b"0".to_vec());
    loop {
        let count = KEYS.to_string();
        let words: [&[u8]; 6] = [b"SCAN", &cursor, b"MATCH", b"quintet:*", b"COUNT", count.as_bytes()];
        let page = over.ask(&words, |reply| {
            let mut items = reply.items()?;
            let next = items.next()?.text()?.to_vec();
            let text = |key: Reply<'_>| key.text().map(|key| String::from_utf8_lossy(key).into_owned());
            Some((next, items.next()?.items()?.filter_map(text).collect::<Vec<_>>()))
        });
        let (next, keys) = page.await?;
        for key in keys {
            if let Some(run) = Nonce::of_key(&key) {
                left.entry(run).or_default().push(key);
            }
        }
        if next == b"0" {
            return Ok(left);
        }
        cursor = next;
    }
}

/// Removes `keys`, so many with one command.
///
/// # Errors
/// Those of the server.
pub async fn unlink(over: &mut Connection, keys: &[String], at_once: usize) -> Result<(), Failure> {
    for chunk in keys.chunks(KEYS as usize) {
        for keys in chunk.chunks(at_once) {
            let words: Vec<_> =
                [&b"UNLINK"[..]].into_iter().chain(keys.iter().map(String::as_bytes)).collect();
            over.push(&words);
        }
        settle(over).await?;
    }
    Ok(())
}
