//! What has been asked of a contract, and what was refused? Counts by route, method, message and event.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Contract;

/// Refusals that are told in full.
const MOST_WRONG: usize = 10;

/// What `/truth` tells of a contract.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContractReport {
    /// Its name.
    pub name: String,
    /// What it does not know is refused.
    pub strict: bool,
    /// It is that of the real service.
    pub actual: bool,
    /// Calls by route, in the order of the contract, those without calls too.
    pub routes: Vec<RouteReport>,
    /// Calls of gRPC, where the contract has any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grpc: Vec<MethodReport>,
    /// Requests and frames that no route, method or socket takes.
    pub unknown: u64,
    /// WebSockets by path.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sockets: Vec<SocketReport>,
    /// Messages of clients on WebSockets.
    pub messages: Vec<MessageReport>,
    /// Frames sent on WebSockets.
    pub events: Vec<EventReport>,
    /// The first ten things that were refused: what is wrong, where, what was expected.
    pub wrong: Vec<String>,
}

/// The calls of one route.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteReport {
    /// Its name.
    pub route: String,
    /// Calls, the refused ones included.
    pub calls: u64,
    /// Calls that did not look as agreed.
    pub refused: u64,
    /// Answers by status.
    pub statuses: BTreeMap<u16, u64>,
}

/// The calls of one method of gRPC.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MethodReport {
    /// Package, service and method.
    pub method: String,
    /// Calls, the refused ones included.
    pub calls: u64,
    /// Calls that did not look as agreed.
    pub refused: u64,
}

/// The connections of one WebSocket.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SocketReport {
    /// Its name.
    pub socket: String,
    /// Connections that were accepted.
    pub opened: u64,
    /// Connections that were not.
    pub refused: u64,
}

/// The messages of one kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageReport {
    /// The socket's name.
    pub socket: String,
    /// The message's name.
    pub message: String,
    /// How many came.
    pub received: u64,
}

/// The frames of one kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventReport {
    /// The socket's name.
    pub socket: String,
    /// The frame's name.
    pub event: String,
    /// How many were sent.
    pub sent: u64,
}

impl ContractReport {
    /// Nothing has happened yet.
    pub(super) fn new(contract: &Contract) -> Self {
        let route = |name: &String| RouteReport { route: name.clone(), ..RouteReport::default() };
        let method = |name: &String| MethodReport { method: name.clone(), ..MethodReport::default() };
        let mut report = Self {
            name: contract.name.to_string(),
            strict: contract.strict,
            actual: contract.actual,
            routes: contract.file.routes.iter().map(|one| route(&one.name)).collect(),
            grpc: contract.file.grpc.iter().map(|one| method(&one.method)).collect(),
            ..Self::default()
        };
        report.know(&contract.file.sockets);
        report
    }

    /// Counts an answer of a route.
    pub(super) fn answered(&mut self, route: usize, status: u16) {
        if let Some(route) = self.routes.get_mut(route) {
            route.calls += 1;
            *route.statuses.entry(status).or_default() += 1;
        }
    }

    /// Notes what was refused.
    pub(super) fn wrong(&mut self, what: String) {
        if self.wrong.len() < MOST_WRONG {
            self.wrong.push(what);
        }
    }
}
