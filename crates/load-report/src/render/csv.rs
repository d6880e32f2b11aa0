//! The result for spreadsheets and scripts, in the columns of Locust's `--csv` files
//! (<https://docs.locust.io/en/stable/retrieving-stats.html>).
//!
//! Differences that follow from what Quintet measures: `Type` is the component, times are response times of
//! successful calls in ms with three decimals, failures include abandoned calls.

use crate::fault::FaultKind;
use crate::figures::{Counted, all_ops};
use crate::hist::Histogram;
use crate::model::RunFile;
use crate::tally::OpTally;

use super::escape::csv as safe;

/// The percentiles of Locust's files.
const PERCENTILES: [(&str, f64); 11] = [
    ("50%", 0.5),
    ("66%", 0.66),
    ("75%", 0.75),
    ("80%", 0.8),
    ("90%", 0.9),
    ("95%", 0.95),
    ("98%", 0.98),
    ("99%", 0.99),
    ("99.9%", 0.999),
    ("99.99%", 0.9999),
    ("100%", 1.0),
];
/// A look that was due at the end of an interval comes by then, s.
const LATE_S: f64 = 0.25;
/// What stands where there is nothing to compute a percentile from.
const NONE: &str = "N/A";
/// The name of the row over all ops.
const AGGREGATED: &str = "Aggregated";

/// `<component>_stats.csv`: one row an op, and one over all, for each of `runs`.
pub fn stats<'a>(runs: impl IntoIterator<Item = &'a RunFile>) -> Vec<u8> {
    let mut head = vec![
        "Type",
        "Name",
        "Request Count",
        "Failure Count",
        "Median Response Time",
        "Average Response Time",
        "Min Response Time",
        "Max Response Time",
        "Average Content Size",
        "Requests/s",
        "Failures/s",
    ];
    head.extend(PERCENTILES.map(|(name, _)| name));
    let mut sheet = Sheet::new(&head);
    for run in runs {
        let counted = Counted::of(&run.header.plan, &run.data, run.end);
        let component = safe(&run.header.component);
        for (name, op) in run.header.plan.ops.iter().zip(&counted.tally.ops) {
            sheet.row(stats_row(&component, &safe(name), op, counted.seconds));
        }
        sheet.row(stats_row(&component, AGGREGATED, &all_ops(&counted.tally.ops), counted.seconds));
    }
    sheet.finish()
}

fn stats_row(component: &str, name: &str, op: &OpTally, seconds: f64) -> Vec<String> {
    let failures = op.failed.total() + op.abandoned;
    let requests = op.ok + failures;
    let per_s = |n: u64| if seconds > 0.0 { n as f64 / seconds } else { 0.0 };
    let size = if requests == 0 { 0.0 } else { op.bytes_received as f64 / requests as f64 };
    let times = &op.response_ok;
    let figures = [
        times.quantile_ns(0.5) as f64 / 1e6,
        times.mean_ns() / 1e6,
        times.min_ns() as f64 / 1e6,
        times.max_ns() as f64 / 1e6,
        size,
        per_s(requests),
        per_s(failures),
    ];
    let mut row = vec![component.to_owned(), name.to_owned(), requests.to_string(), failures.to_string()];
    row.extend(figures.map(decimal));
    row.extend(PERCENTILES.map(|(_, quantile)| percentile(times, quantile)));
    row
}

fn percentile(times: &Histogram, quantile: f64) -> String {
    if times.is_empty() { NONE.to_owned() } else { decimal(times.quantile_ns(quantile) as f64 / 1e6) }
}

fn decimal(value: f64) -> String {
    format!("{value:.3}")
}

/// `<component>_failures.csv`: one row an op, kind and code.
pub fn failures(run: &RunFile) -> Vec<u8> {
    let mut sheet = Sheet::new(&["Method", "Name", "Error", "Occurrences"]);
    let component = safe(&run.header.component);
    for fault in &run.faults {
        let error = safe(&format!("{}: {}", super::text::fault(fault), fault.sample));
        let name = safe(fault.op.as_deref().unwrap_or_default());
        sheet.row([component.clone(), name, error, fault.count.to_string()]);
    }
    sheet.finish()
}

/// `<component>_exceptions.csv`: what went wrong in the generator itself, not in the target.
pub fn exceptions(run: &RunFile) -> Vec<u8> {
    let mut sheet = Sheet::new(&["Count", "Message", "Traceback", "Nodes"]);
    let node = safe(&format!("{} {}", run.header.component, run.header.segment));
    let mut row = |count: u64, message: &str| {
        sheet.row([count.to_string(), safe(message), String::new(), node.clone()]);
    };
    run.invalid.iter().for_each(|reason| row(1, &reason.why));
    let local = run.faults.iter().filter(|fault| fault.kind == FaultKind::Local);
    local.for_each(|fault| row(fault.count, &fault.sample));
    sheet.finish()
}

/// `<component>_timeseries.csv`: one row an interval, in the columns of Locust's `_stats_history.csv`.
/// Percentiles that a point does not have are `N/A`, and so are the cumulative median and minimum. Behind those columns are
/// the most connections open at a time in the interval, those opened in it, and one column for each gauge, with the last look before the end of the interval, or just after it.
pub fn timeseries(run: &RunFile) -> Vec<u8> {
    let mut head = vec!["Timestamp", "User Count", "Type", "Name", "Requests/s", "Failures/s"];
    head.extend(PERCENTILES.map(|(name, _)| name));
    head.extend([
        "Total Request Count",
        "Total Failure Count",
        "Total Median Response Time",
        "Total Average Response Time",
        "Total Min Response Time",
        "Total Max Response Time",
        "Total Average Content Size",
        "Open Connections",
        "Opened Connections",
    ]);
    let gauges: Vec<String> = run.header.plan.gauges.iter().map(|gauge| safe(&gauge.name)).collect();
    head.extend(gauges.iter().map(String::as_str));
    let mut looks = run.samples.points.iter().peekable();
    let mut sheet = Sheet::new(&head);
    let start_s = run.header.started_at.parse::<jiff::Timestamp>().map_or(0, jiff::Timestamp::as_second);
    let interval_s = f64::from(run.timeseries.interval_s.max(1));
    let (component, mut total) = (safe(&run.header.component), Cumulated::default());
    for point in &run.timeseries.points {
        let requests = point.ok + point.failed;
        total.ok += point.ok;
        total.failed += point.failed;
        total.ms += point.mean_ms * point.ok as f64;
        total.max_ms = total.max_ms.max(point.max_ms);
        total.bytes += point.bytes_received;
        let stored = |name: &str| match name {
            "50%" => point.p50_ms,
            "95%" => point.p95_ms,
            "99%" => point.p99_ms,
            "100%" => (point.ok > 0).then_some(point.max_ms),
            _ => None,
        };
        let mut row = vec![
            (start_s + point.t_s as i64).to_string(),
            point.vus.to_string(),
            component.clone(),
            AGGREGATED.to_owned(),
            decimal(requests as f64 / interval_s),
            decimal(point.failed as f64 / interval_s),
        ];
        row.extend(PERCENTILES.map(|(name, _)| stored(name).map_or_else(|| NONE.to_owned(), decimal)));
        row.extend(total.row());
        row.extend([point.connections, point.opened].map(|n| n.to_string()));
        let mut look = None;
        while let Some(within) = looks.next_if(|look| look.t_s < point.t_s + interval_s + LATE_S) {
            look = Some(within);
        }
        let value = |gauge: usize| *look?.values.get(gauge)?;
        row.extend(
            (0..gauges.len())
                .map(|gauge| value(gauge).map_or_else(|| NONE.to_owned(), |value| value.to_string())),
        );
        sheet.row(row);
    }
    sheet.finish()
}

/// What Locust sums up from the beginning to each point.
#[derive(Default)]
struct Cumulated {
    ok: u64,
    failed: u64,
    ms: f64,
    max_ms: f64,
    bytes: u64,
}

impl Cumulated {
    fn row(&self) -> [String; 7] {
        let each = |sum: f64, n: u64| if n == 0 { 0.0 } else { sum / n as f64 };
        let requests = self.ok + self.failed;
        [
            requests.to_string(),
            self.failed.to_string(),
            NONE.to_owned(),
            decimal(each(self.ms, self.ok)),
            NONE.to_owned(),
            decimal(self.max_ms),
            decimal(each(self.bytes as f64, requests)),
        ]
    }
}

/// A CSV file in memory.
struct Sheet(csv::Writer<Vec<u8>>);

impl Sheet {
    fn new(head: &[&str]) -> Self {
        let mut sheet = Self(csv::Writer::from_writer(Vec::new()));
        sheet.row(head.iter().map(|&name| name.to_owned()));
        sheet
    }

    fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        // Writing to memory fails only for rows of different lengths, and every sheet has one length.
        let _ = self.0.write_record(cells);
    }

    fn finish(self) -> Vec<u8> {
        self.0.into_inner().unwrap_or_default()
    }
}
