//! What does a run make and remove in a cluster? Key by key, for no command may reach over slots.

use std::rc::Rc;

use load_core::protocol::{Control, Probe};
use load_core::record::Unobserved;

use super::Nodes;
use crate::names::Nonce;
use crate::redis::batch::{self, Batch};
use crate::redis::command::{self, Shape};
use crate::redis::data;
use crate::redis::suite::rules::each;
use crate::redis::wire::{Failure, Reply, word};
use crate::redis::workload::kinds;

/// Commands at a time.
const CHUNK: u64 = 500;

/// Makes the keys of one kind.
///
/// # Errors
/// Those of the nodes.
pub async fn make(
    nodes: &Nodes,
    run: &Nonce,
    kind: &str,
    shape: &Shape,
    control: &mut Control,
) -> Result<(), Failure> {
    let (prefix, mut value) = (run.prefix(), Vec::new());
    keywise(nodes, shape.keys, control, |row, out| {
        shape.value(row, &mut value);
        if kind == kinds::HASH {
            data::hash(&prefix, row, &value, out);
        } else {
            batch::begin(3, b"SET", out);
            command::key(&prefix, kind, row, out);
            word(&value, out);
        }
    })
    .await
}

/// Removes the keys of one kind, as many of `keys` as there are.
///
/// # Errors
/// Those of the nodes.
pub async fn remove(
    nodes: &Nodes,
    run: &Nonce,
    kind: &str,
    keys: u64,
    control: &mut Control,
) -> Result<(), Failure> {
    let prefix = run.prefix();
    keywise(nodes, keys, control, |row, out| {
        batch::begin(2, b"UNLINK", out);
        command::key(&prefix, kind, row, out);
    })
    .await
}

async fn keywise(
    nodes: &Nodes,
    keys: u64,
    control: &mut Control,
    mut write: impl FnMut(u64, &mut Vec<u8>),
) -> Result<(), Failure> {
    let (mut batch, mut note) = (Batch::default(), String::new());
    for from in (0..keys).step_by(CHUNK as usize) {
        batch.clear();
        for row in from..keys.min(from + CHUNK) {
            batch.push(Some(1), |out| write(row, out));
            control.calls += 1;
        }
        let probe = Probe::unobserved(&Unobserved, &mut note);
        nodes.exchange(&mut batch, &Rc::default(), false, &probe).await?;
        for reply in each(&batch.replies) {
            if let Reply::Error(error) = reply {
                return Err(Failure::Refused(String::from_utf8_lossy(error).into_owned()));
            }
        }
    }
    Ok(())
}
