//! What does `/truth` tell? Totals, of one process or of several.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    contract::ContractReport,
    dwcp::{DwcpDataReport, DwcpReport},
    grpc::GrpcReport,
    ws::WsReport,
};

/// How many requests ended without a whole answer, by kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aborted {
    /// Connection reset.
    pub reset: u64,
    /// Connection closed before the end of the answer.
    pub close: u64,
    /// Body cut.
    pub short: u64,
    /// Something sent that is no answer.
    pub malformed: u64,
    /// Left without the end of an answer, connection open.
    pub never: u64,
    /// An answer without end.
    pub endless: u64,
    /// The client left first.
    pub gone: u64,
}

/// What `/truth` tells. `requests` = all of `answered` + all of `aborted` + `in_flight`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Name and version of this server.
    pub tool: String,
    /// Processes this report covers.
    pub processes: u32,
    /// `CLOCK_MONOTONIC` in ns.
    pub now_ns: u64,
    /// When the script's time began: at the first request after the start or the reset.
    pub start_ns: Option<u64>,
    /// Requests whose head arrived.
    pub requests: u64,
    /// Requests neither answered nor aborted yet.
    pub in_flight: u64,
    /// Whole answers written, by status.
    pub answered: BTreeMap<u16, u64>,
    /// Requests without a whole answer.
    pub aborted: Aborted,
    /// Requests by the name of the rule that applied.
    pub by_rule: BTreeMap<String, u64>,
    /// Heads that were no HTTP request; they are not in `requests`.
    pub bad_requests: u64,
    /// Bytes of requests, heads and bodies, above TLS.
    pub bytes_in: u64,
    /// Bytes of answers, above TLS.
    pub bytes_out: u64,
    /// The connections that carried load.
    pub connections: Connections,
    /// The ring of arrivals.
    pub ring: RingReport,
    /// What came over gRPC; none without a listener for it. Only a server of one process has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grpc: Option<GrpcReport>,
    /// What came over WebSockets; none without a listener for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ws: Option<WsReport>,
    /// What became of migrations; none without a listener for them. Only a server of one process has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dwcp: Option<DwcpReport>,
    /// What became of memory images; none without a listener for migrations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dwcp_data: Option<DwcpDataReport>,
    /// What was asked of the contract; none without one. Only a server of one process has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract: Option<ContractReport>,
}

/// Connections, without those whose first request went to a control path.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connections {
    /// Since the start or the reset.
    pub accepted: u64,
    /// Now.
    pub open: u64,
    /// TLS handshakes that failed.
    pub tls_failed: u64,
    /// Accepts that failed, for want of descriptors as a rule.
    pub accept_failed: u64,
}

/// How full the ring of arrivals is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RingReport {
    /// The most arrivals it holds; 0 when recording is off.
    pub size: u64,
    /// The arrivals it holds.
    pub held: u64,
    /// Arrivals that newer ones have overwritten.
    pub dropped: u64,
}

impl Report {
    /// Adds what another process of the same server tells.
    pub(crate) fn add(&mut self, other: &Self) {
        self.processes += other.processes;
        self.now_ns = self.now_ns.max(other.now_ns);
        self.start_ns = [self.start_ns, other.start_ns].into_iter().flatten().min();
        self.requests += other.requests;
        self.in_flight += other.in_flight;
        for (status, count) in &other.answered {
            *self.answered.entry(*status).or_default() += count;
        }
        for (rule, count) in &other.by_rule {
            *self.by_rule.entry(rule.clone()).or_default() += count;
        }
        self.aborted.add(&other.aborted);
        self.bad_requests += other.bad_requests;
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
        self.connections.accepted += other.connections.accepted;
        self.connections.open += other.connections.open;
        self.connections.tls_failed += other.connections.tls_failed;
        self.connections.accept_failed += other.connections.accept_failed;
        self.ring.size += other.ring.size;
        self.ring.held += other.ring.held;
        self.ring.dropped += other.ring.dropped;
        if let (Some(mine), Some(theirs)) = (&mut self.ws, &other.ws) {
            mine.add(theirs);
        }
    }
}

impl Aborted {
    /// All kinds together.
    pub fn total(&self) -> u64 {
        self.reset + self.close + self.short + self.malformed + self.never + self.endless + self.gone
    }

    fn add(&mut self, other: &Self) {
        self.reset += other.reset;
        self.close += other.close;
        self.short += other.short;
        self.malformed += other.malformed;
        self.never += other.never;
        self.endless += other.endless;
        self.gone += other.gone;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_add_up() {
        let one = |start_ns| Report {
            tool: "t".to_owned(),
            processes: 1,
            now_ns: 100,
            start_ns,
            requests: 7,
            in_flight: 1,
            answered: [(200, 4)].into(),
            aborted: Aborted { reset: 2, ..Aborted::default() },
            by_rule: [("/a".to_owned(), 7)].into(),
            bad_requests: 0,
            bytes_in: 70,
            bytes_out: 40,
            connections: Connections { accepted: 3, open: 1, ..Connections::default() },
            ring: RingReport { size: 8, held: 7, dropped: 0 },
            grpc: None,
            ws: None,
            dwcp: None,
            dwcp_data: None,
            contract: None,
        };
        let mut all = one(None);
        all.add(&Report { answered: [(200, 3), (503, 1)].into(), ..one(Some(40)) });
        all.add(&one(Some(50)));
        assert_eq!((all.processes, all.requests, all.start_ns), (3, 21, Some(40)));
        assert_eq!(all.answered, [(200, 11), (503, 1)].into());
        assert_eq!((all.by_rule["/a"], all.aborted.total(), all.connections.accepted), (21, 6, 9));
        assert_eq!((all.ring.size, all.ring.held), (24, 21));
    }
}
