//! The result as k6's `handleSummary` gets it: `metrics` by name, each with its `type`, `contains`, `values` and `thresholds`
//! (<https://grafana.com/docs/k6/latest/results-output/end-of-test/custom-summary/>).
//!
//! k6's own metrics have k6's names and mean what they mean there; ours are beside them. Times are in ms.

use serde_json::{Map, Value, json};

use crate::figures::{Counted, all_ops};
use crate::gauge::GaugeUnit;
use crate::hist::Histogram;
use crate::model::RunFile;
use crate::threshold::Threshold;

/// The statistics of a trend in k6's end-of-test summary.
const TREND: [&str; 7] = ["avg", "min", "med", "max", "p(90)", "p(95)", "p(99)"];

/// `--out k6-summary=FILE`.
pub fn summary(run: &RunFile) -> String {
    let mut metrics = Metrics::default();
    metrics.calls(run);
    metrics.own(run);
    metrics.thresholds(run);
    let ran_ms = run.end.stop_ns.max(0) as f64 / 1e6;
    let whole = json!({
        "root_group": { "name": "", "path": "", "id": "d41d8cd98f00b204e9800998ecf8427e", "groups": [], "checks": [] },
        "options": { "summaryTrendStats": TREND, "summaryTimeUnit": "", "noColor": false },
        "state": { "isStdOutTTY": false, "isStdErrTTY": false, "testRunDurationMs": ran_ms },
        "metrics": metrics.0,
    });
    super::json::pretty(&whole)
}

#[derive(Default)]
struct Metrics(Map<String, Value>);

impl Metrics {
    fn add(&mut self, name: &str, kind: &str, contains: &str, values: &Value) {
        self.0.insert(name.to_owned(), json!({ "type": kind, "contains": contains, "values": values }));
    }

    fn trend(&mut self, name: &str, times: &Histogram) {
        let ms = |ns: f64| ns / 1e6;
        let at = |quantile| ms(times.quantile_ns(quantile) as f64);
        let values = [
            ms(times.mean_ns()),
            ms(times.min_ns() as f64),
            at(0.5),
            ms(times.max_ns() as f64),
            at(0.9),
            at(0.95),
            at(0.99),
        ];
        let values: Map<String, Value> =
            TREND.iter().zip(values).map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        self.add(name, "trend", "time", &Value::Object(values));
    }

    fn counter(&mut self, name: &str, contains: &str, count: u64, seconds: f64) {
        let rate = if seconds > 0.0 { count as f64 / seconds } else { 0.0 };
        self.add(name, "counter", contains, &json!({ "count": count, "rate": rate }));
    }

    /// k6 calls the cases in question `passes`, whatever they are.
    fn rate(&mut self, name: &str, cases: u64, all: u64) {
        let rate = if all == 0 { 0.0 } else { cases as f64 / all as f64 };
        self.add(
            name,
            "rate",
            "default",
            &json!({ "rate": rate, "passes": cases, "fails": all - cases.min(all) }),
        );
    }

    /// What k6 has too.
    fn calls(&mut self, run: &RunFile) {
        use crate::fault::FaultKind::Wrong;
        let Counted { tally, seconds } = Counted::of(&run.header.plan, &run.data, run.end);
        let all = all_ops(&tally.ops);
        let mut service = all.service_ok.clone();
        service.merge(&all.service_failed);
        let (completed, failed) = (all.ok + all.failed.total(), all.failed.total() - all.failed.get(Wrong));
        self.counter("http_reqs", "default", completed, seconds);
        self.trend("http_req_duration", &service);
        self.trend("http_req_duration{expected_response:true}", &all.service_ok);
        self.rate("http_req_failed", failed, completed);
        self.trend("response_time", &all.response_ok);
        let mut iteration = tally.iteration_ok.clone();
        iteration.merge(&tally.iteration_failed);
        let iterations = &tally.iterations;
        self.counter("iterations", "default", iterations.ok + iterations.failed.total(), seconds);
        self.trend("iteration_duration", &iteration);
        if iterations.unsent > 0 {
            self.counter("dropped_iterations", "default", iterations.unsent, seconds);
        }
        self.counter("data_sent", "data", all.bytes_sent, seconds);
        self.counter("data_received", "data", all.bytes_received, seconds);
        let users = || run.timeseries.points.iter().map(|point| point.vus);
        let (value, least) = (users().next_back().unwrap_or(0), users().min().unwrap_or(0));
        let most = users().max().unwrap_or(0);
        self.add("vus", "gauge", "default", &json!({ "value": value, "min": least, "max": most }));
        let max = run.header.plan.max_vus;
        self.add("vus_max", "gauge", "default", &json!({ "value": max, "min": max, "max": max }));
        let rate = run.totals.error_rate;
        let ledger = &tally.calls;
        let errors = ledger.failed.total() + ledger.abandoned + ledger.unsent;
        self.add(
            "error_rate",
            "rate",
            "default",
            &json!({ "rate": rate, "passes": errors, "fails": ledger.scheduled.saturating_sub(errors) }),
        );
    }

    /// What the protocol, the suite and the target say of themselves.
    fn own(&mut self, run: &RunFile) {
        let (plan, counted) = (&run.header.plan, Counted::of(&run.header.plan, &run.data, run.end));
        for (extra, times) in plan.extras.iter().zip(&counted.tally.extras) {
            self.trend(&extra.name, times);
        }
        for (counter, count) in plan.counters.iter().zip(&counted.tally.counters) {
            self.counter(&counter.name, "default", *count, counted.seconds);
        }
        for rate in &run.rates {
            self.rate(&rate.name, rate.cases, rate.all);
        }
        for gauge in run.gauges.iter().filter(|gauge| gauge.count > 0) {
            let contains = match gauge.unit {
                GaugeUnit::Bytes => "data",
                GaugeUnit::Ms => "time",
                _ => "default",
            };
            let values = json!({ "value": gauge.last, "min": gauge.min, "max": gauge.max });
            self.add(&gauge.name, "gauge", contains, &values);
        }
    }

    /// Under the metric that each is about; one of a part of a metric is an entry of its own.
    fn thresholds(&mut self, run: &RunFile) {
        for report in &run.thresholds {
            let Some(condition) = report.expression.parse::<Threshold>().ok().and_then(|one| one.condition())
            else {
                continue;
            };
            let metric = self.0.entry(condition.selected).or_insert_with(|| {
                let contains = if condition.is_time { "time" } else { "default" };
                json!({ "type": condition.kind, "contains": contains, "values": {} })
            });
            if let (Some(values), Some(observed)) = (metric["values"].as_object_mut(), report.observed) {
                values.entry(condition.aggregation).or_insert_with(|| json!(observed));
            }
            metric["thresholds"][condition.text] = json!({ "ok": report.passed });
        }
    }
}
