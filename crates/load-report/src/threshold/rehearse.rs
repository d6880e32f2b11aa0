//! What does a promise mean for a rehearsal? With a tenth of the users there is a tenth of all that happens in a second.

use super::Threshold;
use super::dimension::Dimension;
use super::rule::Term;

/// Digits behind the point that are kept of a product: more are noise of binary fractions.
const KEPT: f64 = 1e9;

impl Threshold {
    /// The same for a run with `users` times the users: limits a second follow, all others stay as they are.
    #[must_use]
    pub fn rehearsed(mut self, users: f64) -> Self {
        let follows = matches!(self.rule.dimension, Dimension::PerSecond | Dimension::BytesPerSecond);
        if !follows || users.total_cmp(&1.0).is_eq() {
            return self;
        }
        for (_, term) in self.rule.left.0.iter_mut().chain(&mut self.rule.right.0) {
            if let Term::Number(limit) = term {
                *limit = (*limit * users * KEPT).round() / KEPT;
            }
        }
        self.text = self.rule.to_string();
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_a_second_follow_the_users_and_nothing_else_does() {
        for (text, expected) in [
            ("throughput>=10000/s", "throughput >= 1000/s"),
            ("warn throughput>3 abortOnFail", "warn throughput > 0.3/s abortOnFail"),
            ("http_reqs: rate>4286", "http_reqs: rate > 428.6/s"),
            ("data_received: rate > 10MB/s", "data_received: rate > 1MB/s"),
            ("http_req_failed: rate<0.01", "http_req_failed: rate<0.01"),
            ("response_time: p(95)<500", "response_time: p(95)<500"),
            ("http_reqs: count>1000", "http_reqs: count>1000"),
        ] {
            let threshold: Threshold = text.parse().unwrap();
            let expected: Threshold = expected.parse().unwrap();
            let rehearsed = threshold.clone().rehearsed(0.1);
            assert_eq!(rehearsed.normal_form(), expected.normal_form(), "{text}");
            // What it shows can be read again.
            assert_eq!(
                rehearsed.to_string().parse::<Threshold>().unwrap().normal_form(),
                expected.normal_form()
            );
            assert_eq!(threshold.clone().rehearsed(1.0).to_string(), text);
        }
    }
}
