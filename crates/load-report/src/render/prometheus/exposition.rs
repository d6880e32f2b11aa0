//! How is a metric written? The text format 0.0.4 of Prometheus
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>).

use crate::hist::Histogram;

/// Upper edges of the buckets, ns: from a cache's answer to the longest timeout that makes sense.
const EDGES_NS: [u64; 18] = [
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
    30_000_000_000,
    60_000_000_000,
];

/// What a metric is.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// Text while it grows.
pub(super) struct Exposition<'a> {
    out: String,
    /// The labels of every metric, as they are written.
    base: &'a str,
}

/// One metric, of which there may be several series.
pub(super) struct Family<'o, 'a> {
    exposition: &'o mut Exposition<'a>,
    name: &'o str,
}

/// A label: its name, and its value as [`escape`] leaves it.
pub(super) type Label<'a> = (&'a str, &'a str);

impl<'a> Exposition<'a> {
    pub(super) fn new(base: &'a str) -> Self {
        Self { out: String::with_capacity(1 << 14), base }
    }

    /// Begins a metric. A series of it may be written until the next one begins.
    pub(super) fn family<'o>(&'o mut self, name: &'o str, kind: Kind, help: &str) -> Family<'o, 'a> {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        put!(self.out, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
        Family { exposition: self, name }
    }

    /// A metric with one series and no labels of its own.
    pub(super) fn one(&mut self, name: &str, kind: Kind, help: &str, value: impl std::fmt::Display) {
        self.family(name, kind, help).series(&[], value);
    }

    pub(super) fn text(self) -> String {
        self.out
    }
}

impl Family<'_, '_> {
    /// One value. A float must be finite.
    pub(super) fn series(&mut self, labels: &[Label<'_>], value: impl std::fmt::Display) {
        self.line("", labels, None, value);
    }

    /// The values of several histograms together.
    pub(super) fn histogram<'h>(&mut self, labels: &[Label<'_>], parts: impl Iterator<Item = &'h Histogram>) {
        let (mut counts, mut count, mut sum_ns) = ([0_u64; EDGES_NS.len()], 0, 0);
        for part in parts {
            count += part.count();
            sum_ns += part.sum_ns();
            let mut at = 0;
            for (low, _, n) in part.iter() {
                // A bucket of ours that lies across an edge counts below it, so that a value of just that length does.
                while at < EDGES_NS.len() && EDGES_NS[at] < low {
                    at += 1;
                }
                match counts.get_mut(at) {
                    Some(slot) => *slot += n,
                    None => break,
                }
            }
        }
        let mut below = 0;
        for (edge, n) in EDGES_NS.iter().zip(counts) {
            below += n;
            self.line("_bucket", labels, Some(&seconds(u128::from(*edge))), below);
        }
        self.line("_bucket", labels, Some("+Inf"), count);
        self.line("_sum", labels, None, seconds(sum_ns));
        self.line("_count", labels, None, count);
    }

    fn line(
        &mut self,
        suffix: &str,
        labels: &[Label<'_>],
        edge: Option<&str>,
        value: impl std::fmt::Display,
    ) {
        let Exposition { out, base } = &mut *self.exposition;
        put!(out, "{}{suffix}{{{base}", self.name);
        for (name, value) in labels {
            put!(out, ",{name}=\"{value}\"");
        }
        if let Some(edge) = edge {
            put!(out, ",le=\"{edge}\"");
        }
        put!(out, "}} {value}\n");
    }
}

/// Nanoseconds as seconds.
pub(super) fn seconds(ns: u128) -> String {
    (ns as f64 / 1e9).to_string()
}

/// A value of a label, without the quotes around it. Control characters are legal there, and spoil every table.
pub(super) fn escape(value: &str) -> String {
    let plain = super::super::escape::terminal(value);
    plain.replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_at_an_edge_counts_below_it_and_all_count_below_infinity() {
        let mut histogram = Histogram::new();
        for ns in [1_000_000, 1_100_000, 100_000_000_000] {
            histogram.record(ns);
        }
        let mut out = Exposition::new("a=\"b\"");
        let parts = [&histogram, &histogram];
        out.family("x", Kind::Histogram, "Times.").histogram(&[("op", "GET /")], parts.into_iter());
        let text = out.text();
        let has = |line: &str| assert!(text.lines().any(|one| one == line), "{line} in\n{text}");
        has("x_bucket{a=\"b\",op=\"GET /\",le=\"0.0005\"} 0");
        has("x_bucket{a=\"b\",op=\"GET /\",le=\"0.001\"} 2");
        has("x_bucket{a=\"b\",op=\"GET /\",le=\"0.0025\"} 4");
        has("x_bucket{a=\"b\",op=\"GET /\",le=\"60\"} 4");
        has("x_bucket{a=\"b\",op=\"GET /\",le=\"+Inf\"} 6");
        has("x_sum{a=\"b\",op=\"GET /\"} 200.0042");
        has("x_count{a=\"b\",op=\"GET /\"} 6");
    }

    #[test]
    fn foreign_text_stays_within_its_quotes() {
        assert_eq!(escape("a\"} 1\nb{\\"), "a\\\"} 1 b{\\\\");
    }
}
