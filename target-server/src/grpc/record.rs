//! What did the server really do over gRPC? Counters, and the guards that keep them true.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};
use tonic::Code;

use crate::{record::Record, script::code_name};

/// Methods that are counted by name; whatever else is called counts as [`OTHER`], so that the table stays small.
const SERVED: [&str; 3] = ["/nova_torch.NovaOrchestrator/", "/grpc.health.v1.Health/", "/grpc.reflection.v1"];
const OTHER: &str = "other";

/// What `/truth` tells of gRPC. A call is a stream. `calls` = all of `by_status` + all of `aborted` + `in_flight`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrpcReport {
    /// Calls whose head arrived.
    pub calls: u64,
    /// Calls by their path; what is not served is `other`.
    pub by_method: BTreeMap<String, u64>,
    /// Whole answers, by the name of their status.
    pub by_status: BTreeMap<String, u64>,
    /// Calls without a whole answer.
    pub aborted: GrpcAborted,
    /// Calls neither answered nor aborted yet.
    pub in_flight: u64,
    /// The most calls at one time, of all connections together.
    pub in_flight_peak: u64,
    /// Connections of any kind.
    pub connections: GrpcConnections,
}

/// How many calls ended without a whole answer, by kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrpcAborted {
    /// Stream reset by the server.
    pub reset: u64,
    /// Connection closed by the server because of this call.
    pub close: u64,
    /// Never answered.
    pub never: u64,
    /// Something sent that is no answer.
    pub malformed: u64,
    /// The client gave the call up, or the connection ended under it.
    pub gone: u64,
}

/// Connections to the gRPC listener.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrpcConnections {
    /// Since the start or the reset.
    pub accepted: u64,
    /// Now.
    pub open: u64,
}

impl GrpcAborted {
    /// All kinds together.
    pub fn total(&self) -> u64 {
        self.reset + self.close + self.never + self.malformed + self.gone
    }
}

/// How a call ended.
#[derive(Debug, Clone, Copy)]
pub(super) enum End {
    Status(Code),
    Reset,
    Close,
    Never,
    Malformed,
    Gone,
}

/// The record of all gRPC connections.
#[derive(Default)]
pub(crate) struct GrpcRecord(Mutex<Counted>);

#[derive(Default)]
struct Counted {
    /// Calls of an earlier epoch no longer count.
    epoch: u64,
    /// Calls that the script applies to, for its draws.
    scripted: u64,
    report: GrpcReport,
}

impl GrpcRecord {
    fn counted(&self) -> MutexGuard<'_, Counted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn report(&self) -> GrpcReport {
        self.counted().report.clone()
    }

    /// Zeroes everything. What is in flight is forgotten; open connections stay counted.
    pub(crate) fn reset(&self) {
        let mut counted = self.counted();
        let open = counted.report.connections.open;
        let report =
            GrpcReport { connections: GrpcConnections { open, accepted: 0 }, ..GrpcReport::default() };
        *counted = Counted { epoch: counted.epoch + 1, scripted: 0, report };
    }

    /// The number of the next call that the script applies to, from 0.
    pub(super) fn next_scripted(&self) -> u64 {
        let mut counted = self.counted();
        counted.scripted += 1;
        counted.scripted - 1
    }
}

/// A call between its arrival and its end.
pub(super) struct Call {
    record: Arc<Record>,
    epoch: u64,
    ended: bool,
}

impl Call {
    /// Counts a call that has just arrived.
    pub(super) fn begin(record: Arc<Record>, path: &str) -> Self {
        let epoch = {
            let mut counted = record.grpc.counted();
            let name = if SERVED.iter().any(|served| path.starts_with(served)) { path } else { OTHER };
            let report = &mut counted.report;
            report.calls += 1;
            *report.by_method.entry(name.to_owned()).or_default() += 1;
            report.in_flight += 1;
            report.in_flight_peak = report.in_flight_peak.max(report.in_flight);
            counted.epoch
        };
        Self { record, epoch, ended: false }
    }

    /// Counts its end, once.
    pub(super) fn end(&mut self, end: End) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let mut counted = self.record.grpc.counted();
        if counted.epoch != self.epoch {
            return;
        }
        let report = &mut counted.report;
        report.in_flight -= 1;
        match end {
            End::Status(code) => *report.by_status.entry(code_name(code).to_owned()).or_default() += 1,
            End::Reset => report.aborted.reset += 1,
            End::Close => report.aborted.close += 1,
            End::Never => report.aborted.never += 1,
            End::Malformed => report.aborted.malformed += 1,
            End::Gone => report.aborted.gone += 1,
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.end(End::Gone);
    }
}

/// Keeps a connection counted as open.
pub(super) struct Presence(Arc<Record>);

impl Presence {
    pub(super) fn new(record: Arc<Record>) -> Self {
        {
            let connections = &mut record.grpc.counted().report.connections;
            connections.accepted += 1;
            connections.open += 1;
        }
        Self(record)
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.0.grpc.counted().report.connections.open -= 1;
    }
}
