//! What did the server really do? Counters, and a bounded ring of arrivals; pure.
//!
//! Nothing here comes from the load tools, so that a mistake of theirs cannot agree with itself.

use crate::{
    clock::now_ns,
    fault::Abort,
    report::{Aborted, Connections, Report, RingReport},
};

/// First line of the arrivals as CSV; the columns are those of [`Arrival`].
pub const CSV_HEADER: &str = "t_ns,connection,rule,k,status,delay_ns,done_ns,outcome\n";

/// One request, as it was seen at the socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// `CLOCK_MONOTONIC` in ns, read right after the socket read that completed the request's head.
    pub t_ns: u64,
    /// The connection; unique among all processes of one server.
    pub connection: u64,
    /// Index of the rule that applied, in the script's order.
    pub rule: u16,
    /// The query parameter `k`, if the request had one.
    pub k: Option<u64>,
    /// The status written; 0 if no whole answer was.
    pub status: u16,
    /// The delay that the script asked for, in ns.
    pub delay_ns: u64,
    /// `CLOCK_MONOTONIC` in ns, read after the last write of the answer returned, when the client may have held
    /// the answer for some microseconds; 0 if none was whole.
    pub done_ns: u64,
    /// How it ended.
    pub outcome: Outcome,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Not yet.
    Open,
    /// With a whole answer.
    Answered,
    /// Without.
    Aborted(Abort),
}

/// Names one request between its arrival and its end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ticket {
    /// The reset it came after; what came before the last one no longer counts.
    epoch: u64,
    /// Its place among the arrivals of this epoch.
    seq: u64,
    /// Its place among the requests of its rule, from 0.
    pub(crate) nth: u64,
}

/// The record of one process.
#[derive(Debug)]
pub(crate) struct Truth {
    rule_names: Vec<String>,
    ring_size: usize,
    ring: Vec<Arrival>,
    epoch: u64,
    counted: Counted,
    pub(crate) connections: Connections,
}

/// What begins at zero after a reset.
#[derive(Debug)]
struct Counted {
    /// Arrivals, recorded or not.
    requests: u64,
    /// Of these, those that ended in any way.
    finished: u64,
    /// By status.
    answered: Vec<u64>,
    aborted: Aborted,
    by_rule: Vec<u64>,
    bad_requests: u64,
    bytes_in: u64,
    bytes_out: u64,
}

impl Counted {
    fn zero(rules: usize) -> Self {
        Self {
            requests: 0,
            finished: 0,
            answered: vec![0; 600],
            aborted: Aborted::default(),
            by_rule: vec![0; rules],
            bad_requests: 0,
            bytes_in: 0,
            bytes_out: 0,
        }
    }
}

impl Truth {
    /// An empty record; `ring_size` 0 keeps counters only.
    pub(crate) fn new(rule_names: Vec<String>, ring_size: usize) -> Self {
        Self {
            counted: Counted::zero(rule_names.len()),
            rule_names,
            ring_size,
            ring: Vec::with_capacity(ring_size),
            epoch: 0,
            connections: Connections::default(),
        }
    }

    /// Zeroes counters and ring. What is still in flight is forgotten; open connections stay counted.
    pub(crate) fn reset(&mut self) {
        self.epoch += 1;
        self.ring.clear();
        self.counted = Counted::zero(self.rule_names.len());
        self.connections = Connections { open: self.connections.open, ..Connections::default() };
    }

    /// Counts a request of `bytes` and records it; its end comes later.
    pub(crate) fn arrive(&mut self, arrival: Arrival, bytes: u64) -> Ticket {
        let rule = usize::from(arrival.rule);
        let ticket =
            Ticket { epoch: self.epoch, seq: self.counted.requests, nth: self.counted.by_rule[rule] };
        self.counted.requests += 1;
        self.counted.by_rule[rule] += 1;
        self.counted.bytes_in += bytes;
        if self.ring.len() < self.ring_size {
            self.ring.push(arrival);
        } else if let Some(slot) = self.slot(ticket.seq) {
            self.ring[slot] = arrival;
        }
        ticket
    }

    /// Notes what the script asked for.
    pub(crate) fn scripted(&mut self, ticket: Ticket, delay_ns: u64) {
        if let Some(arrival) = self.recorded(ticket) {
            arrival.delay_ns = delay_ns;
        }
    }

    /// Notes a whole answer of `bytes`.
    pub(crate) fn answered(&mut self, ticket: Ticket, status: u16, done_ns: u64, bytes: u64) {
        if ticket.epoch != self.epoch {
            return;
        }
        self.counted.finished += 1;
        self.counted.answered[usize::from(status)] += 1;
        self.counted.bytes_out += bytes;
        if let Some(arrival) = self.recorded(ticket) {
            (arrival.status, arrival.done_ns, arrival.outcome) = (status, done_ns, Outcome::Answered);
        }
    }

    /// Notes the end of a request without a whole answer, of which `bytes` were written.
    pub(crate) fn aborted(&mut self, ticket: Ticket, abort: Abort, bytes: u64) {
        if ticket.epoch != self.epoch {
            return;
        }
        self.counted.finished += 1;
        self.counted.bytes_out += bytes;
        *match abort {
            Abort::Reset => &mut self.counted.aborted.reset,
            Abort::Close => &mut self.counted.aborted.close,
            Abort::Short => &mut self.counted.aborted.short,
            Abort::Malformed => &mut self.counted.aborted.malformed,
            Abort::Never => &mut self.counted.aborted.never,
            Abort::Endless => &mut self.counted.aborted.endless,
            Abort::Gone => &mut self.counted.aborted.gone,
        } += 1;
        if let Some(arrival) = self.recorded(ticket) {
            arrival.outcome = Outcome::Aborted(abort);
        }
    }

    /// Counts the body of a request.
    pub(crate) fn body(&mut self, bytes: u64) {
        self.counted.bytes_in += bytes;
    }

    /// Notes a head that was none.
    pub(crate) fn bad_request(&mut self) {
        self.counted.bad_requests += 1;
    }

    /// The arrivals that the ring holds, oldest first, from the `from`th on and at most `most`.
    pub(crate) fn arrivals(&self, from: usize, most: usize) -> impl Iterator<Item = &Arrival> {
        let oldest = if self.dropped() == 0 { 0 } else { self.slot(self.counted.requests).unwrap_or(0) };
        let (new, old) = self.ring.split_at(oldest);
        old.iter().chain(new).skip(from).take(most)
    }

    /// What `/truth` tells of this process.
    pub(crate) fn report(&self, start_ns: Option<u64>) -> Report {
        let answered = self.counted.answered.iter().enumerate().filter(|(_, count)| **count > 0);
        Report {
            tool: concat!("target-server ", env!("CARGO_PKG_VERSION")).to_owned(),
            processes: 1,
            now_ns: now_ns(),
            start_ns,
            requests: self.counted.requests,
            in_flight: self.counted.requests - self.counted.finished,
            answered: answered.map(|(status, count)| (status as u16, *count)).collect(),
            aborted: self.counted.aborted.clone(),
            by_rule: self.rule_names.iter().cloned().zip(self.counted.by_rule.iter().copied()).collect(),
            bad_requests: self.counted.bad_requests,
            bytes_in: self.counted.bytes_in,
            bytes_out: self.counted.bytes_out,
            connections: self.connections.clone(),
            ring: RingReport {
                size: self.ring_size as u64,
                held: self.ring.len() as u64,
                dropped: self.dropped(),
            },
            grpc: None,
            ws: None,
            dwcp: None,
            dwcp_data: None,
            contract: None,
        }
    }

    /// Appends a line of CSV.
    pub(crate) fn write_csv(names: &[String], arrival: &Arrival, out: &mut String) {
        use std::fmt::Write as _;
        let rule = &names[usize::from(arrival.rule)];
        let _ = write!(out, "{},{},{rule},", arrival.t_ns, arrival.connection);
        if let Some(k) = arrival.k {
            let _ = write!(out, "{k}");
        }
        let outcome = match arrival.outcome {
            Outcome::Open => "open",
            Outcome::Answered => "answered",
            Outcome::Aborted(abort) => abort.name(),
        };
        let _ = writeln!(out, ",{},{},{},{outcome}", arrival.status, arrival.delay_ns, arrival.done_ns);
    }

    pub(crate) fn rule_names(&self) -> &[String] {
        &self.rule_names
    }

    fn dropped(&self) -> u64 {
        if self.ring_size == 0 { 0 } else { self.counted.requests - self.ring.len() as u64 }
    }

    /// Where the arrival `seq` of this epoch is kept, if any is.
    fn slot(&self, seq: u64) -> Option<usize> {
        (seq as usize).checked_rem(self.ring_size)
    }

    fn recorded(&mut self, ticket: Ticket) -> Option<&mut Arrival> {
        let overwritten =
            self.counted.requests - ticket.seq.min(self.counted.requests) > self.ring_size as u64;
        if ticket.epoch != self.epoch || overwritten {
            return None;
        }
        let slot = self.slot(ticket.seq)?;
        self.ring.get_mut(slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn truth(ring: usize) -> Truth {
        Truth::new(vec!["/a".to_owned(), "default".to_owned()], ring)
    }

    fn arrival(t_ns: u64) -> Arrival {
        Arrival {
            t_ns,
            connection: 1,
            rule: 0,
            k: Some(t_ns),
            status: 0,
            delay_ns: 0,
            done_ns: 0,
            outcome: Outcome::Open,
        }
    }

    #[test]
    fn the_ring_keeps_the_newest_and_counts_the_rest() {
        for total in 0..20 {
            let mut truth = truth(4);
            for t in 0..total {
                truth.arrive(arrival(t), 10);
            }
            let kept: Vec<_> = truth.arrivals(0, 100).map(|a| a.t_ns).collect();
            assert_eq!(kept, (total.saturating_sub(4)..total).collect::<Vec<_>>());
            let report = truth.report(None);
            assert_eq!(report.ring.held + report.ring.dropped, total);
            assert_eq!((report.requests, report.bytes_in), (total, 10 * total));
        }
    }

    #[test]
    fn a_late_end_never_marks_another_request() {
        let mut truth = truth(2);
        let first = truth.arrive(arrival(1), 0);
        truth.arrive(arrival(2), 0);
        truth.arrive(arrival(3), 0);
        truth.answered(first, 200, 9, 5);
        assert!(truth.arrivals(0, 9).all(|a| a.status == 0));
        assert_eq!(truth.report(None).answered[&200], 1);
    }

    #[test]
    fn every_request_is_answered_aborted_or_in_flight() {
        let mut truth = truth(8);
        let tickets: Vec<_> = (0..5).map(|t| truth.arrive(arrival(t), 0)).collect();
        assert_eq!(tickets.iter().map(|t| t.nth).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
        truth.scripted(tickets[0], 77);
        truth.answered(tickets[0], 503, 90, 1);
        truth.aborted(tickets[1], Abort::Reset, 0);
        let report = truth.report(None);
        assert_eq!((report.requests, report.in_flight, report.aborted.total()), (5, 3, 1));
        let mut csv = String::new();
        for arrival in truth.arrivals(0, 2) {
            Truth::write_csv(truth.rule_names(), arrival, &mut csv);
        }
        assert_eq!(csv, "0,1,/a,0,503,77,90,answered\n1,1,/a,1,0,0,0,reset\n");
    }

    #[test]
    fn a_reset_forgets_what_was_in_flight() {
        let mut truth = truth(8);
        let before = truth.arrive(arrival(1), 0);
        truth.connections = Connections { accepted: 3, open: 2, ..Connections::default() };
        truth.reset();
        let after = truth.arrive(arrival(2), 0);
        truth.answered(before, 200, 3, 3);
        let report = truth.report(None);
        assert_eq!((after.nth, report.requests, report.in_flight), (0, 1, 1));
        assert_eq!((report.connections.accepted, report.connections.open), (0, 2));
    }

    #[test]
    fn without_a_ring_the_counters_still_count() {
        let mut truth = truth(0);
        let ticket = truth.arrive(arrival(1), 0);
        truth.answered(ticket, 200, 2, 2);
        let report = truth.report(None);
        assert_eq!((report.requests, report.in_flight, report.ring.dropped), (1, 0, 0));
        assert_eq!(truth.arrivals(0, 9).count(), 0);
    }
}
