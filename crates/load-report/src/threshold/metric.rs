//! What can be observed? The metrics that every tool has, and the names a threshold may use.

use crate::gauge::GaugePlan;
use crate::model::{ExtraPlan, RatePlan};

use super::dimension::Dimension;
use super::error::nearest;

/// How the values of a metric are gathered. It decides which aggregations make sense: k6's four types, and figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A distribution.
    Trend,
    /// A share of cases.
    Rate,
    /// A sum.
    Counter,
    /// A value that goes up and down.
    Gauge,
    /// One number for the whole.
    Figure,
}

/// Into what a metric can be divided. Each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Detail {
    /// Only the run as a whole.
    Run,
    /// Phases.
    Phase,
    /// Ops.
    Op,
    /// Calls that ended as expected, and failed ones.
    Outcome,
}

/// What a generator at its limit does to a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bias {
    /// Times come out longer than the target's.
    Longer,
    /// Less work is done than the target could do.
    Less,
    /// Nothing.
    None,
}

/// A metric of every tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Builtin {
    /// End − due of calls.
    ResponseTime,
    /// End − start of calls.
    ServiceTime,
    /// Start − due of first calls.
    Lag,
    /// The part of the lag before a lane was free.
    Wait,
    /// The part of the lag with a lane free.
    Lateness,
    /// Turns of the event loops.
    LoopTurn,
    /// Time to establish a connection, over the whole run.
    ConnectTime,
    /// Time without a connection, from the loss of one until there was another one in its place.
    ReconnectTime,
    /// End − due of iterations, failed ones too.
    IterationDuration,
    /// k6: service time of all calls.
    HttpReqDuration,
    /// k6: service time of all calls.
    GrpcReqDuration,
    /// (failed + abandoned + unsent) / scheduled; of an op (failed + abandoned) / begun.
    ErrorRate,
    /// What is left of 1 without the error rate.
    Availability,
    /// k6: failed / completed calls; an answer that came in time and is wrong is not failed.
    HttpReqFailed,
    /// k6: completed calls.
    HttpReqs,
    /// Calls begun.
    Requests,
    /// Failed calls.
    Failures,
    /// Completed iterations.
    Iterations,
    /// Of iterations: (failed + abandoned + unsent) / scheduled.
    IterationErrors,
    /// Ticks never taken up.
    DroppedIterations,
    /// Calls in flight when the graceful stop ran out.
    Abandoned,
    /// Bytes sent.
    DataSent,
    /// Bytes received.
    DataReceived,
    /// Messages received inside answers.
    Messages,
    /// Connections established over the whole run.
    ConnectionsOpened,
    /// Failed attempts to connect over the whole run.
    ConnectionsFailed,
    /// Connections that ended before their time, by a fault.
    ConnectionsLost,
    /// Failed attempts to connect / all of them, over the whole run.
    ConnectErrors,
    /// Successful calls a second.
    Throughput,
    /// Lanes in use.
    Vus,
    /// Most lanes that the plan allows.
    VusMax,
    /// Most connections open at one time.
    ConnectionsPeak,
    /// From the end of a phase until calls are well again.
    RecoveryTime,
    /// CPU time of the generator a call begun.
    CpuPerCall,
    /// Largest resident sets, added over processes.
    MaxRssBytes,
}

/// What there is to know about a built-in metric.
struct Entry(Builtin, &'static str, Kind, Dimension, Detail, Bias);

/// All of them, in the order of the enum.
const TABLE: [Entry; 35] = {
    use Builtin as B;
    use Dimension::{Bytes, Count, PerSecond, Ratio, Time};
    use Kind::{Counter, Figure, Gauge, Rate, Trend};
    [
        Entry(B::ResponseTime, "response_time", Trend, Time, Detail::Outcome, Bias::Longer),
        Entry(B::ServiceTime, "service_time", Trend, Time, Detail::Outcome, Bias::Longer),
        Entry(B::Lag, "lag", Trend, Time, Detail::Phase, Bias::Longer),
        Entry(B::Wait, "wait", Trend, Time, Detail::Phase, Bias::Longer),
        Entry(B::Lateness, "lateness", Trend, Time, Detail::Phase, Bias::Longer),
        Entry(B::LoopTurn, "loop_turn", Trend, Time, Detail::Phase, Bias::Longer),
        Entry(B::ConnectTime, "connect_time", Trend, Time, Detail::Phase, Bias::Longer),
        Entry(B::ReconnectTime, "reconnect_time", Trend, Time, Detail::Phase, Bias::Longer),
        Entry(B::IterationDuration, "iteration_duration", Trend, Time, Detail::Phase, Bias::Longer),
        Entry(B::HttpReqDuration, "http_req_duration", Trend, Time, Detail::Outcome, Bias::Longer),
        Entry(B::GrpcReqDuration, "grpc_req_duration", Trend, Time, Detail::Outcome, Bias::Longer),
        Entry(B::ErrorRate, "error_rate", Rate, Ratio, Detail::Op, Bias::None),
        Entry(B::Availability, "availability", Rate, Ratio, Detail::Op, Bias::None),
        Entry(B::HttpReqFailed, "http_req_failed", Rate, Ratio, Detail::Op, Bias::None),
        Entry(B::HttpReqs, "http_reqs", Counter, Count, Detail::Outcome, Bias::Less),
        Entry(B::Requests, "requests", Counter, Count, Detail::Op, Bias::Less),
        Entry(B::Failures, "failures", Counter, Count, Detail::Op, Bias::None),
        Entry(B::Iterations, "iterations", Counter, Count, Detail::Phase, Bias::Less),
        Entry(B::IterationErrors, "iteration_errors", Rate, Ratio, Detail::Phase, Bias::None),
        Entry(B::DroppedIterations, "dropped_iterations", Counter, Count, Detail::Phase, Bias::None),
        Entry(B::Abandoned, "abandoned", Counter, Count, Detail::Op, Bias::None),
        Entry(B::DataSent, "data_sent", Counter, Bytes, Detail::Op, Bias::Less),
        Entry(B::DataReceived, "data_received", Counter, Bytes, Detail::Op, Bias::Less),
        Entry(B::Messages, "messages", Counter, Count, Detail::Op, Bias::Less),
        Entry(B::ConnectionsOpened, "connections_opened", Counter, Count, Detail::Phase, Bias::None),
        Entry(B::ConnectionsFailed, "connections_failed", Counter, Count, Detail::Phase, Bias::None),
        Entry(B::ConnectionsLost, "connections_lost", Counter, Count, Detail::Phase, Bias::None),
        Entry(B::ConnectErrors, "connect_errors", Rate, Ratio, Detail::Phase, Bias::None),
        Entry(B::Throughput, "throughput", Figure, PerSecond, Detail::Op, Bias::Less),
        Entry(B::Vus, "vus", Gauge, Count, Detail::Phase, Bias::None),
        Entry(B::VusMax, "vus_max", Figure, Count, Detail::Run, Bias::None),
        Entry(B::ConnectionsPeak, "connections_peak", Figure, Count, Detail::Run, Bias::None),
        Entry(B::RecoveryTime, "recovery_time", Figure, Time, Detail::Phase, Bias::Longer),
        Entry(B::CpuPerCall, "cpu_us_per_call", Figure, Time, Detail::Run, Bias::None),
        Entry(B::MaxRssBytes, "max_rss_bytes", Figure, Bytes, Detail::Run, Bias::None),
    ]
};

impl Builtin {
    /// The metric that thresholds call `name`.
    pub(super) fn named(name: &str) -> Option<Self> {
        TABLE.iter().find(|entry| entry.1 == name).map(|entry| entry.0)
    }

    /// What thresholds call them all.
    pub(super) fn names<'a>() -> impl Iterator<Item = &'a str> {
        TABLE.iter().map(|entry| entry.1)
    }

    fn entry(self) -> &'static Entry {
        &TABLE[self as usize]
    }

    /// What thresholds call it.
    pub(super) fn name(self) -> &'static str {
        self.entry().1
    }

    /// How its values are gathered.
    pub(super) fn kind(self) -> Kind {
        self.entry().2
    }

    /// The dimension of its values.
    pub(super) fn dimension(self) -> Dimension {
        self.entry().3
    }

    /// Into what it can be divided.
    pub(super) fn detail(self) -> Detail {
        self.entry().4
    }

    /// Whether phases that are not counted belong to it: connections are mostly opened before anything counts.
    pub(super) fn counts_everywhere(self) -> bool {
        matches!(
            self,
            Self::ConnectTime
                | Self::ConnectionsOpened
                | Self::ConnectionsFailed
                | Self::ConnectionsLost
                | Self::ConnectErrors
        )
    }

    /// What a generator at its limit does to it.
    pub(super) fn bias(self) -> Bias {
        self.entry().5
    }
}

/// The names that a threshold may use.
#[derive(Clone, Debug)]
pub struct Catalog {
    extras: Vec<String>,
    counters: Vec<String>,
    rates: Vec<String>,
    gauges: Vec<(String, Dimension)>,
    lenient: bool,
}

impl Catalog {
    /// The metrics that every tool has.
    pub fn standard() -> Self {
        Self {
            extras: Vec::new(),
            counters: Vec::new(),
            rates: Vec::new(),
            gauges: Vec::new(),
            lenient: false,
        }
    }

    /// Any name: one that is not built in is taken for a series of times or a gauge, and its absence shows at the
    /// evaluation. For files of tools whose series are not known yet.
    pub fn lenient() -> Self {
        Self { lenient: true, ..Self::standard() }
    }

    /// Adds a protocol's own series: distributions of times.
    #[must_use]
    pub fn with_extras(mut self, extras: &[ExtraPlan]) -> Self {
        self.extras.extend(extras.iter().map(|extra| extra.name.clone()));
        self
    }

    /// Adds a protocol's own counters.
    #[must_use]
    pub fn with_counters(mut self, counters: &[ExtraPlan]) -> Self {
        self.counters.extend(counters.iter().map(|counter| counter.name.clone()));
        self
    }

    /// Adds a protocol's own shares.
    #[must_use]
    pub fn with_rates(mut self, rates: &[RatePlan]) -> Self {
        self.rates.extend(rates.iter().map(|rate| rate.name.clone()));
        self
    }

    /// Adds what a protocol's target says of itself.
    #[must_use]
    pub fn with_gauges(mut self, gauges: &[GaugePlan]) -> Self {
        self.gauges.extend(gauges.iter().map(|gauge| (gauge.name.clone(), Dimension::of(gauge.unit))));
        self
    }

    /// Every name listed, built-in ones first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        Builtin::names()
            .chain(self.extras.iter().chain(&self.counters).chain(&self.rates).map(String::as_str))
            .chain(self.gauges.iter().map(|(name, _)| name.as_str()))
    }

    pub(super) fn is_lenient(&self) -> bool {
        self.lenient
    }

    pub(super) fn has_extra(&self, name: &str) -> bool {
        self.extras.iter().any(|extra| extra == name)
    }

    pub(super) fn has_counter(&self, name: &str) -> bool {
        self.counters.iter().any(|counter| counter == name)
    }

    pub(super) fn has_rate(&self, name: &str) -> bool {
        self.rates.iter().any(|rate| rate == name)
    }

    pub(super) fn gauge(&self, name: &str) -> Option<Dimension> {
        self.gauges.iter().find(|(gauge, _)| gauge == name).map(|(_, dimension)| *dimension)
    }

    /// The name that `name` most likely stands for.
    pub(super) fn nearest(&self, name: &str) -> Option<&str> {
        nearest(name, self.names())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_enum_and_names_are_unique() {
        for (index, Entry(metric, name, ..)) in TABLE.iter().enumerate() {
            assert_eq!(*metric as usize, index, "{metric:?}");
            assert_eq!(Builtin::named(name), Some(*metric));
        }
    }
}
