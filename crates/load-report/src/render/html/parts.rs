//! What does the page tell of a component? Figures, charts and tables.

use crate::hints;
use crate::model::{Figures, Point, RunFile, Severity, ThresholdOutcome, ThresholdReport};
use crate::summary::Summary;

use super::super::text::fault;
use super::super::units::{
    PERCENTILES, bytes, count, number, observed, offered, percent, percentiles, seconds, verdict,
};
use super::chart::{Line, chart};
use super::safe;

/// Most rows of a table of failures.
const MAX_FAULTS: usize = 100;

/// A page in the making.
#[derive(Default)]
pub(super) struct Page {
    pub(super) out: String,
}

/// The targets of all components together.
pub(super) fn targets(page: &mut Page, summary: &Summary) {
    let rows =
        summary.targets.iter().map(|target| (target.name.as_str(), &target.report)).collect::<Vec<_>>();
    page.thresholds("targets", &rows);
}

impl Page {
    /// Everything about one component.
    pub(super) fn component(&mut self, run: &RunFile) {
        let (header, plan) = (&run.header, &run.header.plan);
        put!(
            self.out,
            "<p>{}; exit code {}. Target {}, started {}, run {}. Offered {} for {}.</p>\n",
            safe(&verdict(run)),
            run.exit.code(),
            safe(&plan.target),
            safe(&header.started_at),
            safe(&header.run_id),
            safe(&offered(run)),
            seconds(plan.duration_s)
        );
        let reasons = run.invalid.iter().map(|reason| reason.why.as_str());
        self.notes(reasons.chain(run.warnings.iter().map(String::as_str)));
        self.totals(run);
        self.charts(run);
        let thresholds: Vec<_> = run.thresholds.iter().map(|report| ("", report)).collect();
        self.thresholds("thresholds", &thresholds);
        self.hints(run);
        self.figures("ops", run.ops.iter().map(|op| (op.name.clone(), &op.figures)));
        let phases = run.phases.iter().map(|phase| {
            let counted = if phase.counted { "" } else { " (not counted)" };
            (format!("{}{counted}", phase.name), &phase.figures)
        });
        self.figures("phases", phases);
        self.failures(run);
    }

    /// A list of remarks.
    pub(super) fn notes<'a>(&mut self, notes: impl Iterator<Item = &'a str>) {
        self.list(&notes.map(safe).collect::<Vec<_>>());
    }

    fn list(&mut self, items: &[String]) {
        if !items.is_empty() {
            put!(self.out, "<ul>\n<li>{}</li>\n</ul>\n", items.join("</li>\n<li>"));
        }
    }

    fn hints(&mut self, run: &RunFile) {
        let hints: Vec<String> = hints::of(run).iter().map(|hint| safe(&hint.to_string())).collect();
        if !hints.is_empty() {
            self.out.push_str("<h3>Recommendations</h3>\n");
            self.list(&hints);
        }
    }

    /// The figures over all, each with its exact value.
    fn totals(&mut self, run: &RunFile) {
        let (whose, totals) = (&run.header.component, &run.totals);
        let mut rows = vec![
            ("requests", "calls", totals.requests as f64, count(totals.requests)),
            ("failures", "failed", totals.failures as f64, count(totals.failures)),
            ("abandoned", "abandoned", totals.abandoned as f64, count(totals.abandoned)),
            ("unsent", "unsent", totals.unsent as f64, count(totals.unsent)),
            ("error_rate", "error rate", totals.error_rate, percent(totals.error_rate)),
            ("rate_per_s", "successful a second", totals.rate_per_s, number(totals.rate_per_s)),
            ("bytes_sent", "sent", totals.bytes_sent as f64, bytes(totals.bytes_sent)),
            ("bytes_received", "received", totals.bytes_received as f64, bytes(totals.bytes_received)),
        ];
        if let Some(ms) = totals.response_ms {
            let times = [
                ("min", "response, min", ms.min),
                ("mean", "response, mean", ms.mean),
                ("p50", "response, p50", ms.p50),
                ("p90", "response, p90", ms.p90),
                ("p95", "response, p95", ms.p95),
                ("p99", "response, p99", ms.p99),
                ("max", "response, max", ms.max),
            ];
            rows.extend(times.map(|(key, name, value)| (key, name, value, format!("{} ms", number(value)))));
        }
        self.out.push_str("<table>\n<caption>in all</caption>\n");
        for (key, name, value, shown) in rows {
            let key = safe(&format!("{whose}.{key}"));
            put!(
                self.out,
                "<tr><td class=\"text\">{name}</td><td data-figure=\"{key}\" data-value=\"{value}\">{shown}</td></tr>\n"
            );
        }
        self.out.push_str("</table>\n");
    }

    fn charts(&mut self, run: &RunFile) {
        let interval_s = f64::from(run.timeseries.interval_s.max(1));
        let line = |name, colour, value: &dyn Fn(&Point) -> Option<f64>| {
            let points = run.timeseries.points.iter().map(|point| (point.t_s, value(point))).collect();
            Line { name, colour, points }
        };
        let a_second = |n: u64| Some(n as f64 / interval_s);
        let calls = [
            line("successful", "#2a7d3f", &|point| a_second(point.ok)),
            line("failed", "#b3261e", &|point| a_second(point.failed)),
        ];
        let some = |point: &Point| point.ok > 0;
        let times = [
            line("mean", "#4a6fa5", &|point| some(point).then_some(point.mean_ms)),
            line("p95", "#b8860b", &|point| point.p95_ms),
            line("p99", "#b3261e", &|point| point.p99_ms),
        ];
        let users = [
            line("users", "#4a6fa5", &|point| Some(point.vus as f64)),
            line("connections", "#7a4fa0", &|point| Some(point.connections as f64)),
        ];
        self.out.push_str(&chart("calls", "1/s", &calls));
        self.out.push_str(&chart("response times of successful calls", "ms", &times));
        self.out.push_str(&chart("users and connections", "at a time", &users));
    }

    fn thresholds(&mut self, title: &str, reports: &[(&str, &ThresholdReport)]) {
        if reports.is_empty() {
            return;
        }
        self.head(title, &["", title, "observed", "note"], 4);
        for (name, report) in reports {
            let (class, word) = outcome(report);
            let name = if name.is_empty() { String::new() } else { format!("{}: ", safe(name)) };
            let note = report.note.as_deref().map(safe).unwrap_or_default();
            put!(
                self.out,
                "<tr><td class=\"text {class}\">{word}</td><td class=\"text\">{name}{}</td><td class=\"text\">{}</td>\
                 <td class=\"text\">{note}</td></tr>\n",
                safe(&report.expression),
                observed(report)
            );
        }
        self.out.push_str("</table>\n");
    }

    fn figures<'a>(&mut self, title: &str, rows: impl Iterator<Item = (String, &'a Figures)>) {
        let rows: Vec<_> = rows.collect();
        if rows.len() < 2 {
            return;
        }
        let names = [title, "calls", "ok/s", "not ok"].into_iter().chain(PERCENTILES);
        self.head(title, &names.collect::<Vec<_>>(), 1);
        for (name, figures) in rows {
            let cells = [
                count(figures.requests),
                number(figures.rate_per_s),
                count(figures.failures + figures.abandoned),
            ];
            put!(self.out, "<tr><td class=\"text\">{}</td>", safe(&name));
            for cell in cells.into_iter().chain(percentiles(figures.response_ms.as_ref())) {
                put!(self.out, "<td>{cell}</td>");
            }
            self.out.push_str("</tr>\n");
        }
        self.out.push_str("</table>\n");
    }

    fn failures(&mut self, run: &RunFile) {
        if run.faults.is_empty() {
            return;
        }
        let mut faults: Vec<_> = run.faults.iter().collect();
        faults.sort_by_key(|fault| std::cmp::Reverse(fault.count));
        self.head("failures", &["op", "fault", "sample", "count", "first", "last"], 3);
        for entry in faults.into_iter().take(MAX_FAULTS) {
            put!(
                self.out,
                "<tr><td class=\"text\">{}</td><td class=\"text\">{}</td><td class=\"text\">{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
                safe(entry.op.as_deref().unwrap_or("–")),
                fault(entry),
                safe(&entry.sample),
                count(entry.count),
                seconds(entry.first_s),
                seconds(entry.last_s)
            );
        }
        self.out.push_str("</table>\n");
    }

    fn head(&mut self, caption: &str, names: &[&str], text_columns: usize) {
        put!(self.out, "<table>\n<caption>{caption}</caption>\n<tr>");
        for (index, name) in names.iter().enumerate() {
            let class = if index < text_columns { " class=\"text\"" } else { "" };
            put!(self.out, "<th{class}>{name}</th>");
        }
        self.out.push_str("</tr>\n");
    }
}

/// The class and the word of an outcome.
fn outcome(report: &ThresholdReport) -> (&'static str, &'static str) {
    match (report.outcome, report.severity) {
        (ThresholdOutcome::Pass, _) => ("pass", "ok"),
        (ThresholdOutcome::Warn, _) => ("warn", "WARNING"),
        (ThresholdOutcome::Fail, Some(Severity::Critical)) => ("fail", "CRITICAL"),
        (ThresholdOutcome::Fail, _) => ("fail", "FAIL"),
        (ThresholdOutcome::Invalid, _) => ("fail", "proves nothing"),
        (ThresholdOutcome::Skipped, _) => ("warn", "skipped"),
    }
}
