//! The validation of objectives, for people: in the frame that those know who come from Aragora's validator.

use crate::slo::{Check, SloReport};

use super::escape::terminal;
use super::table::Table;
use super::units::{count, number, percent};

/// The frame's width, characters.
const WIDTH: usize = 60;

/// The report as text.
pub fn text(report: &SloReport) -> String {
    let frame = "=".repeat(WIDTH);
    let mut out = format!("{frame}\nSLO VALIDATION REPORT\n{frame}\n");
    if let Some(demo) = &report.demo {
        put!(out, "DEMO: {}\n", terminal(demo));
    }
    put!(out, "Result: {}\n", if report.passed { "PASSED" } else { "FAILED" });
    checks(&mut out, "VIOLATIONS", &report.violations);
    checks(&mut out, "WARNINGS", &report.warnings);
    out.push_str("\nMETRICS SUMMARY:\n");
    for (name, value) in &report.metrics_summary {
        let value = value
            .as_f64()
            .filter(|_| value.is_f64())
            .map_or_else(|| value.to_string(), |v| format!("{v:.2}"));
        put!(out, "  {}: {value}\n", terminal(name));
    }
    if report.ops.len() > 1 {
        let mut table = Table::new(1, &["", "calls", "errors", "p50", "p95", "p99"]);
        let ms = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), number);
        for op in &report.ops {
            let times = [op.response_time_p50_ms, op.response_time_p95_ms, op.response_time_p99_ms].map(ms);
            let cells = [terminal(&op.name), count(op.total_requests), percent(op.error_rate)];
            table.row(cells.into_iter().chain(times));
        }
        put!(out, "\nMETRICS BY OP, ms:\n{}", table.render());
    }
    put!(out, "{frame}\n");
    out
}

fn checks(out: &mut String, title: &str, checks: &[Check]) {
    if checks.is_empty() {
        return;
    }
    put!(out, "\n{title}:\n");
    for check in checks {
        put!(
            out,
            "  [{}] {}: {}\n",
            check.severity.to_uppercase(),
            terminal(&check.component),
            terminal(&check.message)
        );
    }
}
