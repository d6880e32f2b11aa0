//! Who may look at the record, and when? The server's thread writes it, any thread reads it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::{
    contract::Service,
    dwcp::{DataRecord, DwcpRecord},
    grpc::GrpcRecord,
    report::Report,
    stall::Gate,
    truth::{Arrival, Truth},
    ws::WsRecord,
};

/// Arrivals copied under one lock, so that a reader never holds up the server for long.
const SLICE: usize = 8192;

/// The record of one process and the script's time.
pub(crate) struct Record {
    truth: Mutex<Truth>,
    pub(crate) gate: Gate,
    pub(crate) grpc: GrpcRecord,
    /// There is a gRPC listener.
    has_grpc: bool,
    pub(crate) ws: WsRecord,
    /// There is a WebSocket listener.
    has_ws: bool,
    pub(crate) dwcp: DwcpRecord,
    /// There is a DWCP listener.
    has_dwcp: bool,
    pub(crate) dwcp_data: DataRecord,
    /// What is answered in the name of a contract, if there is one.
    contract: Option<Mutex<Service>>,
}

/// Which listeners there are besides those for HTTP.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Listeners {
    pub(crate) grpc: bool,
    pub(crate) ws: bool,
    pub(crate) dwcp: bool,
}

impl Record {
    pub(crate) fn new(truth: Truth, gate: Gate, has: Listeners, contract: Option<Service>) -> Self {
        Self {
            truth: Mutex::new(truth),
            gate,
            grpc: GrpcRecord::default(),
            has_grpc: has.grpc,
            ws: WsRecord::default(),
            has_ws: has.ws,
            dwcp: DwcpRecord::default(),
            has_dwcp: has.dwcp,
            dwcp_data: DataRecord::default(),
            contract: contract.map(Mutex::new),
        }
    }

    /// The lock costs some 10 ns while nobody reads. Every change leaves the record whole, so that one
    /// interrupted by a panic may be read on.
    pub(crate) fn truth(&self) -> MutexGuard<'_, Truth> {
        self.truth.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// There is a contract.
    pub(crate) fn has_contract(&self) -> bool {
        self.contract.is_some()
    }

    /// What is answered in the name of the contract, if there is one.
    pub(crate) fn contract(&self) -> Option<MutexGuard<'_, Service>> {
        self.contract.as_ref().map(|service| service.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn report(&self) -> Report {
        let start = self.gate.start();
        let grpc = self.has_grpc.then(|| self.grpc.report());
        let ws = self.has_ws.then(|| self.ws.report());
        let dwcp = self.has_dwcp.then(|| self.dwcp.report());
        let dwcp_data = self.has_dwcp.then(|| self.dwcp_data.report());
        let contract = self.contract().map(|service| service.report.clone());
        Report { grpc, ws, dwcp, dwcp_data, contract, ..self.truth().report(start) }
    }

    /// The recorded arrivals by the time they came. Arrivals of this moment may be missing.
    pub(crate) fn arrivals(&self) -> Vec<Arrival> {
        let mut all: Vec<Arrival> = Vec::with_capacity(self.report().ring.held as usize);
        loop {
            let before = all.len();
            all.extend(self.truth().arrivals(before, SLICE));
            if all.len() == before {
                break;
            }
        }
        // A pipelined request is recorded when its turn comes and stamped when it was read.
        all.sort_by_key(|arrival| arrival.t_ns);
        all
    }

    /// The same as lines of CSV, without the header.
    pub(crate) fn csv(&self) -> String {
        let arrivals = self.arrivals();
        let names = self.truth().rule_names().to_vec();
        let mut csv = String::with_capacity(arrivals.len() * 64);
        for arrival in &arrivals {
            Truth::write_csv(&names, arrival, &mut csv);
        }
        csv
    }

    /// Zeroes the record and restarts the script's time, in this process.
    pub(crate) fn reset(&self) {
        self.truth().reset();
        self.grpc.reset();
        self.ws.reset();
        self.dwcp.reset();
        self.dwcp_data.reset();
        if let Some(mut service) = self.contract() {
            service.reset();
        }
        self.gate.reset();
    }
}
