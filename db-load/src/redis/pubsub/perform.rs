//! What do publishers send? Messages that say who sent them, as which one, and when.

use std::cell::Cell;
use std::rc::Rc;

use load_core::clock::{Nanos, monotonic};
use load_core::protocol::{Fault, Outcome, Probe, Vu};
use load_report::fault::FaultKind;
use load_suite::template::push_decimal;

use super::board::{Board, Id};
use super::receive::Group;
use crate::redis::stream::perform::Stop;
use crate::redis::wire::{Failure, Reply, Shared, Slot, head, reply, word};
use crate::redis::{faults, series};

/// What a publisher knows of itself.
#[derive(Default)]
pub struct Member {
    has_joined: Cell<bool>,
    /// The number of its last message.
    n: Cell<u64>,
}

/// Publishes a message of at least `size` bytes to the subscribers of `group`.
///
/// # Errors
/// A refusal, or no reply.
pub async fn publish(
    group: &Group,
    (over, slot): (&Shared, &Rc<Slot>),
    size: usize,
    vu: &mut Vu,
    probe: &mut Probe<'_>,
) -> Result<Outcome, Stop> {
    let member = vu.keep.get::<Member>();
    if !member.has_joined.replace(true) {
        group.board.join();
    }
    member.n.set(member.n.get() + 1);
    let id = (vu.scope.vu, member.n.get());
    let mut sending = Sending { board: &group.board, id, is_over: false };
    // What the engine's clock reads, too; those who receive have no probe to ask.
    let now = monotonic();
    group.board.sent(id, now);
    group.nudge(now);
    let sent = over.submit(slot, 1, |out| {
        out.extend_from_slice(b"*3\r\n");
        word(b"PUBLISH", out);
        word(group.channel.as_bytes(), out);
        message(id, now, size, out);
    });
    over.replies(slot, |_| {}).await?;
    probe.count(series::COMMANDS, 1);
    let bytes = slot.bytes.borrow();
    let fault = match reply::read(&bytes).map_err(Failure::Malformed)? {
        Some((Reply::Number(receivers), _)) => {
            sending.is_over = true;
            group.board.answered(id, receivers.unsigned_abs(), probe);
            group.board.record(probe);
            return Ok(Outcome {
                sent: sent.into(),
                received: bytes.len() as u64,
                messages: 1,
                ..Outcome::default()
            });
        }
        Some((Reply::Error(error), _)) => faults::refused(error, probe),
        _ => {
            probe.note("a reply of another kind than PUBLISH has");
            Fault::answered(FaultKind::Wrong, 0)
        }
    };
    probe.count(series::COMMANDS_FAILED, 1);
    Err(Stop::Failed(fault.after(sent, bytes.len() as u64)))
}

/// Leaves; the last publisher waits for what is still to come, and says what never did.
pub async fn leave(group: &Group, vu: &mut Vu, probe: &Probe<'_>) {
    let has_joined = vu.keep.get::<Member>().has_joined.replace(false);
    if has_joined && group.board.leave() {
        group.settle().await;
        group.board.settle(probe);
    }
}

/// Appends a message as a word: three numbers, and points up to its size.
fn message((vu, n): Id, now: Nanos, size: usize, out: &mut Vec<u8>) {
    let digits = |n: u64| n.checked_ilog10().unwrap_or(0) as usize + 1;
    let now = now.0.cast_unsigned();
    let least = digits(vu) + digits(n) + digits(now) + 3;
    head(size.max(least), out);
    for number in [vu, n, now] {
        push_decimal(number, out);
        out.push(b' ');
    }
    out.resize(out.len() + size.saturating_sub(least), b'.');
    out.extend_from_slice(b"\r\n");
}

/// A message without a reply so far; dropped when there will be none.
struct Sending<'a> {
    board: &'a Board,
    id: Id,
    is_over: bool,
}

impl Drop for Sending<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.board.unanswered(self.id);
        }
    }
}
