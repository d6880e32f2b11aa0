//! How long does each stage of a call take? k6's names, as series of a protocol's own.
//!
//! Reading the clock in between costs more than a call may lose, so it is done only where it is asked for.

use load_core::clock::Nanos;
use load_core::protocol::Probe;
use load_report::model::ExtraPlan;

/// The series, in the order of their indices.
pub const SERIES: [(&str, &str); 5] = [
    ("http_req_connecting", "time to connect, with the proxy's tunnel; once a connection"),
    ("http_req_tls_handshaking", "time of the TLS handshake; once a connection"),
    ("http_req_sending", "time from the beginning of a call to the last byte of its request"),
    ("http_req_waiting", "time from the last byte of the request to the first one of the answer"),
    ("http_req_receiving", "time from the first byte of the answer to its last one"),
];

/// Index of the time to connect.
pub const CONNECTING: usize = 0;
/// Index of the time of the TLS handshake.
pub const TLS_HANDSHAKING: usize = 1;
const SENDING: usize = 2;
const WAITING: usize = 3;
const RECEIVING: usize = 4;

/// The plan of the series.
pub fn plans() -> Vec<ExtraPlan> {
    SERIES.map(|(name, help)| ExtraPlan { name: name.into(), help: help.into() }).into()
}

/// Is told when an exchange comes to its next stage.
pub trait Watch {
    /// The request is sent.
    fn sent(&mut self);
    /// The first bytes of the answer are here; said once.
    fn first(&mut self);
}

/// Nobody watches.
impl Watch for () {
    #[inline]
    fn sent(&mut self) {}
    #[inline]
    fn first(&mut self) {}
}

/// The stages of one call, over all its exchanges, in ns.
#[derive(Clone, Copy, Debug, Default)]
pub struct Times {
    sending: u64,
    waiting: u64,
    receiving: u64,
}

impl Times {
    /// Gives the stages to the series, counted from `first`.
    pub fn observe(&self, first: usize, probe: &Probe<'_>) {
        probe.observe(first + SENDING, self.sending);
        probe.observe(first + WAITING, self.waiting);
        probe.observe(first + RECEIVING, self.receiving);
    }
}

/// Watches one exchange.
pub struct Stopwatch<'a, 'b> {
    probe: &'a Probe<'b>,
    times: &'a mut Times,
    /// When the present stage began.
    since: Nanos,
}

impl<'a, 'b> Stopwatch<'a, 'b> {
    /// Begins to watch; what passes is added to `times`.
    pub fn start(probe: &'a Probe<'b>, times: &'a mut Times) -> Self {
        Self { since: probe.now(), probe, times }
    }

    /// The answer is whole.
    pub fn end(mut self) {
        self.times.receiving += self.lap();
    }

    fn lap(&mut self) -> u64 {
        let now = self.probe.now();
        now.since(std::mem::replace(&mut self.since, now))
    }
}

impl Watch for Stopwatch<'_, '_> {
    fn sent(&mut self) {
        self.times.sending += self.lap();
    }

    fn first(&mut self) {
        self.times.waiting += self.lap();
    }
}
