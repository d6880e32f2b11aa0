//! What is compared? The figures of a component and of its ops, and which way is worse.

use schemars::JsonSchema;
use serde::Serialize;

use crate::model::{Figures, RunFile};

/// A figure that both sides have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Figure {
    /// Successful calls a second.
    Throughput,
    /// Messages received a second.
    MessagesPerS,
    /// (failed + abandoned + unsent) / scheduled.
    ErrorRate,
    /// Median of end − due.
    ResponseP50,
    /// 95th percentile of end − due.
    ResponseP95,
    /// 99th percentile of end − due.
    ResponseP99,
    /// Median of end − start.
    ServiceP50,
    /// 95th percentile of end − start.
    ServiceP95,
    /// 99th percentile of end − start.
    ServiceP99,
}

/// Which times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Times {
    Response,
    Service,
}

impl Figure {
    /// All of them, in the order of tables.
    pub const ALL: [Self; 9] = [
        Self::Throughput,
        Self::MessagesPerS,
        Self::ErrorRate,
        Self::ResponseP50,
        Self::ResponseP95,
        Self::ResponseP99,
        Self::ServiceP50,
        Self::ServiceP95,
        Self::ServiceP99,
    ];

    /// For people.
    pub fn label(self) -> &'static str {
        match self {
            Self::Throughput => "throughput",
            Self::MessagesPerS => "messages/s",
            Self::ErrorRate => "error rate",
            Self::ResponseP50 => "response p50",
            Self::ResponseP95 => "response p95",
            Self::ResponseP99 => "response p99",
            Self::ServiceP50 => "service p50",
            Self::ServiceP95 => "service p95",
            Self::ServiceP99 => "service p99",
        }
    }

    /// The unit's name in results.
    pub(super) fn unit(self) -> &'static str {
        match self {
            Self::Throughput | Self::MessagesPerS => "per_s",
            Self::ErrorRate => "ratio",
            _ => "ms",
        }
    }

    /// Whether less of it is worse.
    pub(super) fn less_is_worse(self) -> bool {
        matches!(self, Self::Throughput | Self::MessagesPerS)
    }

    /// Which quantile of which times it is; none for the others.
    pub(super) fn quantile(self) -> Option<(Times, f64)> {
        Some(match self {
            Self::ResponseP50 => (Times::Response, 0.5),
            Self::ResponseP95 => (Times::Response, 0.95),
            Self::ResponseP99 => (Times::Response, 0.99),
            Self::ServiceP50 => (Times::Service, 0.5),
            Self::ServiceP95 => (Times::Service, 0.95),
            Self::ServiceP99 => (Times::Service, 0.99),
            _ => return None,
        })
    }

    /// Its value; none where nothing was measured.
    fn of(self, figures: &Figures) -> Option<f64> {
        let scheduled = figures.requests + figures.unsent > 0;
        let (response, service) = (figures.response_ms.as_ref(), figures.service_ms.as_ref());
        match self {
            Self::Throughput => scheduled.then_some(figures.rate_per_s),
            Self::MessagesPerS => (figures.messages_per_s > 0.0).then_some(figures.messages_per_s),
            Self::ErrorRate => scheduled.then_some(figures.error_rate),
            Self::ResponseP50 => response.map(|times| times.p50),
            Self::ResponseP95 => response.map(|times| times.p95),
            Self::ResponseP99 => response.map(|times| times.p99),
            Self::ServiceP50 => service.map(|times| times.p50),
            Self::ServiceP95 => service.map(|times| times.p95),
            Self::ServiceP99 => service.map(|times| times.p99),
        }
    }

    /// Its value on `run`, of one op or of all.
    pub(super) fn on(self, run: &RunFile, op: Option<&str>) -> Option<f64> {
        match op {
            None => self.of(&run.totals),
            Some(name) => self.of(&run.ops.iter().find(|report| report.name == name)?.figures),
        }
    }

    /// What has become of it: a difference of error rates, a relative change of all others.
    pub(super) fn change(self, baseline: f64, current: f64) -> Option<f64> {
        match self {
            Self::ErrorRate => Some(current - baseline),
            _ => (baseline > 0.0).then(|| current / baseline - 1.0),
        }
    }
}
