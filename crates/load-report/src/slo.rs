//! Were the objectives met? All thresholds and targets of a run as a validation report, for people and for programs.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::fault::FaultKind;
use crate::model::{Figures, RunFile, Severity, ThresholdOutcome, ThresholdReport};
use crate::render::units::{observed, with_unit};
use crate::summary::Summary;
use crate::threshold::Threshold;
use crate::verdict::Verdict;

/// The report.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct SloReport {
    /// No objective of level `fail` was missed, and the figures prove something.
    pub passed: bool,
    /// Where the figures come from, when they are not the reader's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub demo: Option<String>,
    /// Errors and critical ones, the worst first.
    pub violations: Vec<Check>,
    /// What was missed and fails nothing.
    pub warnings: Vec<Check>,
    /// Every objective, in the order of the runs.
    pub checks: Vec<Check>,
    /// Figures over all ops, with the component in front of their names when there are several.
    pub metrics_summary: Map<String, Value>,
    /// Figures of each op.
    pub ops: Vec<OpFigures>,
    /// How many violations are critical.
    pub critical_count: usize,
    /// How many violations are not.
    pub error_count: usize,
    /// How many warnings there are.
    pub warning_count: usize,
}

/// One objective.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Check {
    /// `latency`, `error_rate`, `throughput` or `other`.
    pub category: &'static str,
    /// Of which component.
    pub component: String,
    /// What was to hold of what, as in `response_time{op:login} p(95)`.
    pub metric_name: String,
    /// The limit, in ms, as a ratio or a number; none when nothing was observed.
    pub threshold: Option<f64>,
    /// What was observed.
    pub actual_value: Option<f64>,
    /// `ok`, `warning`, `error` or `critical`.
    pub severity: &'static str,
    /// In a sentence.
    pub message: String,
}

/// What one op was like.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct OpFigures {
    /// Of which component.
    pub component: String,
    /// Its name.
    pub name: String,
    /// Calls begun.
    pub total_requests: u64,
    /// Failed and abandoned ones.
    pub failed_requests: u64,
    /// The one by the other.
    pub error_rate: f64,
    /// Median response time of successful calls, ms.
    pub response_time_p50_ms: Option<f64>,
    /// Its 95th percentile.
    pub response_time_p95_ms: Option<f64>,
    /// Its 99th percentile.
    pub response_time_p99_ms: Option<f64>,
}

impl SloReport {
    /// What `summary` says about objectives.
    pub fn of(summary: &Summary) -> Self {
        let thresholds = summary
            .runs()
            .flat_map(|run| run.thresholds.iter().map(|report| check(&run.header.component, report)));
        let targets = summary.targets.iter().map(|target| check(&target.name, &target.report));
        let checks: Vec<Check> = thresholds.chain(targets).collect();
        let with = |severities: &[&str]| -> Vec<Check> {
            checks.iter().filter(|check| severities.contains(&check.severity)).cloned().collect()
        };
        let mut violations = with(&[name(Some(Severity::Critical)), name(Some(Severity::Error))]);
        violations.sort_by_key(|check| check.severity != name(Some(Severity::Critical)));
        let warnings = with(&[name(Some(Severity::Warning))]);
        let critical_count = with(&[name(Some(Severity::Critical))]).len();
        let several = summary.components.len() > 1;
        Self {
            passed: matches!(summary.verdict, Verdict::Pass | Verdict::Warn),
            demo: None,
            critical_count,
            error_count: violations.len() - critical_count,
            warning_count: warnings.len(),
            violations,
            warnings,
            checks,
            metrics_summary: summary.runs().flat_map(|run| figures(run, several)).collect(),
            ops: summary.runs().flat_map(ops).collect(),
        }
    }
}

fn name(severity: Option<Severity>) -> &'static str {
    match severity {
        None => "ok",
        Some(Severity::Warning) => "warning",
        Some(Severity::Error) => "error",
        Some(Severity::Critical) => "critical",
    }
}

fn check(component: &str, report: &ThresholdReport) -> Check {
    // What proves nothing has not been met either.
    let invalid = report.outcome == ThresholdOutcome::Invalid;
    let severity = if invalid { Some(Severity::Error) } else { report.severity };
    let category = match report.unit.as_str() {
        "ms" => "latency",
        "ratio" => "error_rate",
        "per_s" | "bytes_per_s" => "throughput",
        _ => "other",
    };
    let condition = report.expression.parse::<Threshold>().ok().and_then(|one| one.condition());
    let metric_name = condition.map_or_else(
        || report.expression.clone(),
        |condition| format!("{} {}", condition.selected, condition.aggregation),
    );
    let seen = observed(report);
    let message = match (severity, report.limit.map(|limit| with_unit(&report.unit, limit))) {
        (None, Some(limit)) => format!("{metric_name} {seen} keeps {limit}"),
        (Some(_), Some(limit)) => {
            let above = report.observed.zip(report.limit).is_some_and(|(observed, limit)| observed >= limit);
            let how = if above { "exceeds" } else { "is below" };
            format!("{metric_name} {seen} {how} expected {limit}")
        }
        (_, None) => format!("{}: nothing was measured", report.expression),
    };
    let message = match &report.note {
        Some(note) if severity.is_some() => format!("{message} ({note})"),
        _ => message,
    };
    Check {
        category,
        component: component.to_owned(),
        metric_name,
        threshold: report.limit,
        actual_value: report.observed,
        severity: name(severity),
        message,
    }
}

/// The figures of a run by the names that validators of objectives give them.
fn figures(run: &RunFile, several: bool) -> Vec<(String, Value)> {
    let (totals, times) = (&run.totals, run.totals.response_ms.unwrap_or_default());
    let counted: f64 = run.phases.iter().filter(|p| p.counted).map(|p| (p.end_s - p.start_s).max(0.0)).sum();
    let timeouts: u64 = run.faults.iter().filter(|f| f.kind == FaultKind::Timeout).map(|f| f.count).sum();
    let share = |n: u64| if totals.requests == 0 { 0.0 } else { n as f64 / totals.requests as f64 };
    let all = [
        ("response_time_p50_ms", json!(times.p50)),
        ("response_time_p95_ms", json!(times.p95)),
        ("response_time_p99_ms", json!(times.p99)),
        ("response_time_avg_ms", json!(times.mean)),
        ("error_rate", json!(totals.error_rate)),
        ("timeout_rate", json!(share(timeouts))),
        ("total_requests", json!(totals.requests)),
        ("failed_requests", json!(totals.failures + totals.abandoned)),
        ("throughput_rps", json!(totals.rate_per_s)),
        ("duration_seconds", json!(counted)),
    ];
    let whose = if several { format!("{}.", run.header.component) } else { String::new() };
    all.into_iter().map(|(name, value)| (format!("{whose}{name}"), value)).collect()
}

fn ops(run: &RunFile) -> Vec<OpFigures> {
    let row = |name: &str, figures: &Figures| {
        let failed = figures.failures + figures.abandoned;
        OpFigures {
            component: run.header.component.clone(),
            name: name.to_owned(),
            total_requests: figures.requests,
            failed_requests: failed,
            error_rate: if figures.requests == 0 { 0.0 } else { failed as f64 / figures.requests as f64 },
            response_time_p50_ms: figures.response_ms.map(|ms| ms.p50),
            response_time_p95_ms: figures.response_ms.map(|ms| ms.p95),
            response_time_p99_ms: figures.response_ms.map(|ms| ms.p99),
        }
    };
    run.ops.iter().map(|op| row(&op.name, &op.figures)).collect()
}
