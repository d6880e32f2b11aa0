//! The result as a runner of Locust leaves it: one JSON file a test, with the rows of the CSV files and what was checked.

use serde_json::{Map, Value, json};

use crate::model::{RunFile, ThresholdOutcome, ThresholdReport};
use crate::verdict::Verdict;

use super::csv as sheets;
use super::units::observed;

/// `<test id>_summary.json`. `log` is all that was printed.
pub fn summary(run: &RunFile, test_id: &str, log: &str) -> String {
    let totals = &run.totals;
    let failures = totals.failures + totals.abandoned;
    let rate = if totals.requests == 0 { 0.0 } else { failures as f64 / totals.requests as f64 };
    let times = totals.response_ms.unwrap_or_default();
    let counted: f64 = run.phases.iter().filter(|p| p.counted).map(|p| (p.end_s - p.start_s).max(0.0)).sum();
    let told = |outcomes: &[ThresholdOutcome]| -> Vec<String> {
        run.thresholds.iter().filter(|report| outcomes.contains(&report.outcome)).map(line).collect()
    };
    let mut failed = told(&[ThresholdOutcome::Fail, ThresholdOutcome::Invalid]);
    failed.extend(run.invalid.iter().map(|reason| reason.why.clone()));
    let mut warnings = told(&[ThresholdOutcome::Warn, ThresholdOutcome::Skipped]);
    warnings.extend(run.warnings.iter().cloned());
    let good = matches!(run.verdict, Verdict::Pass | Verdict::Warn);
    super::json::pretty(&json!({
        "test_id": test_id,
        "profile": run.header.plan.args["suite"]["profile"],
        "timestamp": run.header.started_at,
        "execution_time": run.end.end_ns.max(0) as f64 / 1e9,
        "exit_code": run.exit.code(),
        "success": good,
        "stats": {
            "total_requests": totals.requests,
            "failure_count": failures,
            "failure_rate": rate,
            "avg_response_time": times.mean,
            "min_response_time": times.min,
            "max_response_time": times.max,
            "p95_response_time": times.p95,
            "rps": if counted > 0.0 { totals.requests as f64 / counted } else { 0.0 },
            "raw_stats": rows(&sheets::stats([run])),
        },
        "failures": rows(&sheets::failures(run)),
        "stdout": log,
        "stderr": "",
        "validation": { "passed": good, "failed_checks": failed, "warnings": warnings },
    }))
}

fn line(report: &ThresholdReport) -> String {
    format!("{}: observed {}", report.expression, observed(report))
}

/// The rows of a sheet by the names of its columns, as text.
fn rows(sheet: &[u8]) -> Vec<Value> {
    let mut reader = csv::Reader::from_reader(sheet);
    let head = reader.headers().cloned().unwrap_or_default();
    let row = |record: csv::StringRecord| {
        let cells = head.iter().zip(record.iter());
        Value::Object(cells.map(|(name, cell)| (name.to_owned(), json!(cell))).collect::<Map<_, _>>())
    };
    reader.records().filter_map(Result::ok).map(row).collect()
}
