//! What became of the calls, by op? Also under the names that Nova-Torch's load test promised to its dashboards.

use super::Labels;
use super::exposition::{Exposition, Kind};
use crate::fault::ByKind;
use crate::hist::Histogram;
use crate::tally::{OpTally, Tally};

pub(super) fn write(out: &mut Exposition<'_>, labels: &Labels, data: &Tally) {
    let ops = Ops { labels, data };
    let mut calls = out.family("quintet_calls_total", Kind::Counter, "Calls by op and what became of them.");
    for (index, op) in ops.each() {
        for (outcome, count) in OUTCOMES {
            calls.series(&[("op", op), ("outcome", outcome)], ops.sum(index, count));
        }
    }
    let mut failures =
        out.family("quintet_call_failures_total", Kind::Counter, "Failed calls by op and kind.");
    for (index, op) in ops.each() {
        let mut kinds = ByKind::default();
        ops.of(index).for_each(|tally| kinds.merge(&tally.failed));
        kinds.iter().for_each(|(kind, n)| failures.series(&[("op", op), ("kind", kind.name())], n));
    }
    for (name, help, count) in AMOUNTS {
        let mut family = out.family(name, Kind::Counter, help);
        ops.each().for_each(|(index, op)| family.series(&[("op", op)], ops.sum(index, count)));
    }
    for (name, help, ok, failed) in TIMES {
        let mut family = out.family(name, Kind::Histogram, help);
        for (index, op) in ops.each() {
            for (outcome, series) in [("ok", ok), ("failed", failed)] {
                family.histogram(&[("op", op), ("outcome", outcome)], ops.of(index).map(series));
            }
        }
    }
    promised(out, &ops);
}

/// `load_test_*`: what Nova-Torch's dashboards know.
fn promised(out: &mut Exposition<'_>, ops: &Ops<'_>) {
    let help = "Calls that ended, under Nova-Torch's name.";
    let mut requests = out.family("load_test_requests_total", Kind::Counter, help);
    for (index, op) in ops.each() {
        requests.series(&[("name", op)], ops.sum(index, |tally| tally.ok + tally.failed.total()));
    }
    let help = "Calls that failed, under Nova-Torch's name.";
    let mut errors = out.family("load_test_errors_total", Kind::Counter, help);
    for (index, op) in ops.each() {
        errors.series(&[("name", op)], ops.sum(index, |tally| tally.failed.total()));
    }
    let help = "Response times of all calls, under Nova-Torch's name.";
    let mut times = out.family("load_test_response_time_seconds", Kind::Histogram, help);
    for (index, op) in ops.each() {
        let both = ops.of(index).flat_map(|tally| [&tally.response_ok, &tally.response_failed]);
        times.histogram(&[("name", op)], both);
    }
}

type Count = fn(&OpTally) -> u64;
type Times = fn(&OpTally) -> &Histogram;

const OUTCOMES: [(&str, Count); 3] =
    [("ok", |op| op.ok), ("failed", |op| op.failed.total()), ("abandoned", |op| op.abandoned)];

const AMOUNTS: [(&str, &str, Count); 3] = [
    ("quintet_bytes_sent_total", "Bytes of requests, without TLS.", |op| op.bytes_sent),
    ("quintet_bytes_received_total", "Bytes of answers, without TLS.", |op| op.bytes_received),
    ("quintet_messages_total", "Messages inside answers, where an answer has several.", |op| op.messages),
];

const TIMES: [(&str, &str, Times, Times); 2] = [
    (
        "quintet_response_time_seconds",
        "From when a call was due to its end.",
        |op| &op.response_ok,
        |op| &op.response_failed,
    ),
    (
        "quintet_service_time_seconds",
        "From the begin of a call to its end.",
        |op| &op.service_ok,
        |op| &op.service_failed,
    ),
];

/// The ops of a run over all its phases.
struct Ops<'a> {
    labels: &'a Labels,
    data: &'a Tally,
}

impl<'a> Ops<'a> {
    fn each(&self) -> impl Iterator<Item = (usize, &'a str)> {
        self.labels.ops.iter().map(String::as_str).enumerate()
    }

    fn of(&self, index: usize) -> impl Iterator<Item = &'a OpTally> {
        self.data.phases.iter().filter_map(move |phase| phase.ops.get(index))
    }

    fn sum(&self, index: usize, count: Count) -> u64 {
        self.of(index).map(count).sum()
    }
}
