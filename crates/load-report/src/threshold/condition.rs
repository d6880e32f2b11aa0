//! What does a threshold say of one metric? The two halves that k6 writes apart: `metric{tag:value}` and `p(95)<500`.

use super::Threshold;
use super::dimension::Dimension;
use super::metric::Kind;
use super::rule::{Aggregation, Metric, Series, Sum, Term};

/// A threshold on one metric with a constant limit.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// The metric without its tags.
    pub metric: String,
    /// The metric with its tags, as in `http_req_duration{op:login}`.
    pub selected: String,
    /// What is compared: `p(95)`, `rate`, `count`.
    pub aggregation: String,
    /// The comparison as k6 writes it: `p(95)<500`.
    pub text: String,
    /// What the metric is in k6: `trend`, `rate`, `counter` or `gauge`.
    pub kind: &'static str,
    /// What is compared is a time, in ms.
    pub is_time: bool,
}

impl Threshold {
    /// Its two halves; none for sums, factors, other components, and numbers on both sides.
    pub fn condition(&self) -> Option<Condition> {
        let rule = &self.rule;
        let (series, operator, limit) = match (alone(&rule.left), alone(&rule.right)) {
            (Some(series), None) => (series, rule.operator, rule.right.constant()?),
            (None, Some(series)) => (series, rule.operator.mirrored(), rule.left.constant()?),
            _ => return None,
        };
        let Series { component: None, metric, selector, aggregation, delta: false } = series else {
            return None;
        };
        let text = format!("{aggregation}{operator}{limit}");
        Some(Condition {
            metric: metric.name().to_owned(),
            selected: format!("{}{selector}", metric.name()),
            aggregation: aggregation.to_string(),
            text,
            kind: kind(metric, *aggregation),
            is_time: rule.dimension == Dimension::Time,
        })
    }
}

/// The one series of a side that has nothing else.
fn alone(sum: &Sum) -> Option<&Series> {
    match sum.0.as_slice() {
        [(_, Term::Series(1.0, series))] => Some(series),
        _ => None,
    }
}

fn kind(metric: &Metric, aggregation: Aggregation) -> &'static str {
    let kind = match metric {
        Metric::Builtin(builtin) => builtin.kind(),
        Metric::Counter(_) => Kind::Counter,
        Metric::Share(_) => Kind::Rate,
        Metric::Extra(_) if aggregation.suits(Kind::Trend) => Kind::Trend,
        Metric::Extra(_) if aggregation.suits(Kind::Rate) => Kind::Rate,
        Metric::Gauge(..) | Metric::Extra(_) => Kind::Gauge,
    };
    match kind {
        Kind::Trend => "trend",
        Kind::Rate => "rate",
        Kind::Counter => "counter",
        Kind::Gauge | Kind::Figure => "gauge",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn halves(text: &str) -> Option<(String, String)> {
        let threshold: Threshold = text.parse().unwrap_or_else(|error| panic!("{error}"));
        threshold.condition().map(|condition| (condition.selected, condition.text))
    }

    #[test]
    fn a_limit_of_one_metric_has_two_halves() {
        for (text, selected, condition) in [
            ("http_req_duration: p(95) < 0.5s", "http_req_duration", "p(95)<500"),
            ("1% > http_req_failed", "http_req_failed", "rate<0.01"),
            ("warn any lag{phase:peak}: avg <= 2ms", "lag{phase:peak}", "avg<=2"),
            ("throughput >= 900/s", "throughput", "value>=900"),
        ] {
            assert_eq!(halves(text), Some((selected.to_owned(), condition.to_owned())), "{text}");
        }
        for none in [
            "lag: delta(max) < 5%",
            "lag: max < lag: avg + 5",
            "2 * lag: max < 5",
            "ws::lag: max < 5",
            "lag: max - 1 < 5",
        ] {
            assert_eq!(halves(none), None, "{none}");
        }
    }
}
