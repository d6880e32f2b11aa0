//! How is a migration slowed down? For the bandwidth that it may use, and so that others on the same thread get their turn.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;

use load_core::clock::{Alarm, Nanos, give_way};
use load_core::protocol::Probe;

/// Bytes that are copied, hashed or encoded before others get their turn: some 50 µs.
const TURN_BYTES: usize = 256 << 10;
/// A migration that was held up makes up for this much, and no more.
const BURST: Nanos = Nanos(5_000_000);

/// How much of this turn is left.
#[derive(Default)]
pub(super) struct Turn(Cell<usize>);

impl Turn {
    /// Does `work`, a turn at a time.
    pub(super) async fn by_turns<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        poll_fn(|context| {
            self.0.set(TURN_BYTES);
            work.as_mut().poll(context)
        })
        .await
    }

    /// Waits until there is a turn for `bytes`.
    pub(super) async fn spend(&self, bytes: usize) {
        while self.0.get() == 0 {
            give_way().await;
        }
        self.0.set(self.0.get().saturating_sub(bytes));
    }
}

/// The bandwidth of one migration.
pub(super) struct Pacer {
    /// Bytes a second.
    rate: Option<u64>,
    /// When the wire is free again.
    free: Cell<Nanos>,
}

impl Pacer {
    pub(super) fn new(rate: Option<u64>) -> Self {
        Self { rate, free: Cell::new(Nanos::ZERO) }
    }

    /// An alarm to wait with, where there will be something to wait for.
    pub(super) fn alarm(&self, probe: &Probe<'_>) -> Option<Alarm> {
        self.rate.and_then(|_| probe.alarm())
    }

    /// Waits until `bytes` may go, and takes them off.
    pub(super) async fn wait(&self, bytes: usize, alarm: Option<&Alarm>, probe: &Probe<'_>) {
        let (Some(rate), Some(alarm)) = (self.rate, alarm) else { return };
        let now = probe.now();
        let begin = self.free.get().max(now - BURST);
        let took = (bytes as u128 * 1_000_000_000 / u128::from(rate)) as i64;
        self.free.set(begin + Nanos(took));
        if begin > now {
            alarm.set(begin);
            alarm.wait().await;
        }
    }
}
