//! What is a threshold in k6's grammar? `response_time{op:login}: p(95)<500ms` is `http_req_duration{name:login}: p(95)<500`.

/// A threshold that k6 knows.
#[derive(Debug, PartialEq)]
pub(super) struct Limit {
    /// k6's metric.
    pub(super) metric: &'static str,
    /// The name of a call, where it is about one kind of call.
    pub(super) op: Option<String>,
    /// `p(95)`, `avg`, `rate`.
    pub(super) stat: String,
    /// `<`, `<=`, `>`, `>=`, `==` or `!=`.
    pub(super) operator: &'static str,
    /// Milliseconds, a share, or a number (a second).
    pub(super) value: f64,
    /// Whether the run ends when it does not hold.
    pub(super) abort: bool,
}

const OPERATORS: [&str; 6] = ["<=", ">=", "==", "!=", "<", ">"];

impl Limit {
    /// None where k6 has no such thing: warnings, phases, gauges, sums.
    pub(super) fn of(text: &str) -> Option<Self> {
        // What k6 has not measured fails none of its thresholds.
        let text = text.strip_prefix("any ").unwrap_or(text);
        let (text, abort) = match text.split_once(" abortOnFail") {
            Some((text, _)) => (text, true),
            None => (text, false),
        };
        let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        let (metric, own) = match name {
            "response_time" | "service_time" | "http_req_duration" => ("http_req_duration", "avg"),
            "error_rate" | "http_req_failed" => ("http_req_failed", "rate"),
            "throughput" => ("http_reqs", "rate"),
            "requests" | "http_reqs" => ("http_reqs", "count"),
            "iterations" => ("iterations", "count"),
            "iteration_duration" => ("iteration_duration", "avg"),
            _ => return None,
        };
        let (op, rest) = match rest.strip_prefix('{') {
            Some(tags) => {
                let (tag, rest) = tags.rsplit_once('}')?;
                let op = tag.strip_prefix("op:").or_else(|| tag.strip_prefix("name:"))?;
                // k6 reads these as the end of a value.
                if op.contains([',', '{', '}', '"', '\'']) || op.contains(", phase:") {
                    return None;
                }
                (Some(op.trim().to_owned()), rest)
            }
            None => (None, rest),
        };
        let rest = rest.trim_start().trim_start_matches(':').trim();
        let (at, operator) = OPERATORS
            .iter()
            .filter_map(|operator| Some((rest.find(operator)?, *operator)))
            .min_by_key(|(at, operator)| (*at, std::cmp::Reverse(operator.len())))?;
        let stat = rest.get(..at)?.trim();
        let value = number(rest.get(at + operator.len()..)?.trim(), metric)?;
        let stat = if stat.is_empty() { own } else { stat };
        let known = ["avg", "med", "min", "max", "rate", "count"].contains(&stat) || stat.starts_with("p(");
        known.then(|| Self { metric, op, stat: stat.to_owned(), operator, value, abort })
    }

    /// The metric with the name of the call.
    pub(super) fn selector(&self) -> String {
        match &self.op {
            Some(op) => format!("{}{{name:{op}}}", self.metric),
            None => self.metric.to_owned(),
        }
    }

    /// What must hold of it.
    pub(super) fn condition(&self) -> String {
        format!("{}{}{}", self.stat, self.operator, self.value)
    }
}

/// A number with its unit, in k6's.
fn number(text: &str, metric: &str) -> Option<f64> {
    let units: &[(&str, f64)] = if metric.ends_with("_duration") {
        &[("ms", 1.0), ("us", 1e-3), ("s", 1e3), ("m", 6e4)]
    } else {
        &[("%", 0.01), ("/s", 1.0)]
    };
    let known = units.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor)));
    let (number, factor) = known.unwrap_or((text, 1.0));
    let value: f64 = number.trim().parse().ok()?;
    // 1 % is 0.01, not the nearest product.
    Some((value * factor * 1e9).round() / 1e9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_become_those_of_k6() {
        let cases = [
            ("response_time: p(95)<500", "http_req_duration", "p(95)<500"),
            ("response_time: max <= 1s", "http_req_duration", "max<=1000"),
            (
                "response_time{op:GET /a/:id (polling)}: p(99)<2000",
                "http_req_duration{name:GET /a/:id (polling)}",
                "p(99)<2000",
            ),
            ("error_rate<1%", "http_req_failed", "rate<0.01"),
            ("http_req_failed: rate<0.1%", "http_req_failed", "rate<0.001"),
            ("any response_time: p(95)<500", "http_req_duration", "p(95)<500"),
            ("throughput>=10/s", "http_reqs", "rate>=10"),
        ];
        for (text, selector, condition) in cases {
            let limit = Limit::of(text).unwrap();
            assert_eq!(
                (limit.selector().as_str(), limit.condition().as_str()),
                (selector, condition),
                "{text}"
            );
        }
        assert!(Limit::of("http_req_failed: rate<0.1 abortOnFail delayAbortEval=10s").unwrap().abort);
        for none in [
            "warn throughput>=10/s",
            "response_time{phase:peak}: p(95)<500",
            "response_time{op:a,phase:b}: p(95)<5",
            "vus_max>=5",
            "response_time: p(95) < response_time: p(99) + 5ms",
        ] {
            assert_eq!(Limit::of(none), None, "{none}");
        }
    }
}
