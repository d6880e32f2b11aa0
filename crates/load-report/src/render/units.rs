//! How are numbers written for people? Three digits that matter, thousands apart, the unit beside them.

use crate::gauge::GaugeUnit;
use crate::model::{Plan, Quantiles, Rehearsal, RunFile, Severity, ThresholdReport};

/// A count with its thousands apart: `12,345`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A count with the name of what is counted, for `one` or for `many`: `1 call`, `2,000 calls`.
pub fn counted(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { many })
}

/// A number with about three digits that matter: `0.123`, `4.56`, `78.9`, `1,234`.
pub fn number(value: f64) -> String {
    match value.abs() {
        v if !v.is_finite() => "–".to_owned(),
        v if v >= 999.5 => {
            let sign = if value < 0.0 { "-" } else { "" };
            format!("{sign}{}", count(v.round() as u64))
        }
        v if v >= 99.95 => format!("{value:.0}"),
        v if v >= 9.995 => format!("{value:.1}"),
        v if v >= 0.9995 || v == 0.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// Bytes: `512 B`, `1.50 KiB`, `12.3 MiB`.
pub fn bytes(n: u64) -> String {
    let mut value = n as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value < 1024.0 {
            return if unit == "B" { format!("{n} B") } else { format!("{} {unit}", number(value)) };
        }
        value /= 1024.0;
    }
    format!("{} TiB", number(value))
}

/// A share of one, in percent: `0.31 %`.
pub fn percent(share: f64) -> String {
    format!("{} %", number(share * 100.0))
}

/// Seconds: `0.250 s`, `30.0 s`, `2 h 05 min`.
pub fn seconds(s: f64) -> String {
    if s < 600.0 {
        return format!("{} s", number(s));
    }
    let minutes = (s / 60.0).round() as u64;
    if minutes < 60 {
        format!("{minutes} min")
    } else {
        format!("{} h {:02} min", minutes / 60, minutes % 60)
    }
}

/// The percentiles of the tables: p50 p90 p95 p99 p99.9 max, ms; dashes without any.
pub fn percentiles(of: Option<&Quantiles>) -> [String; 6] {
    match of {
        Some(q) => [q.p50, q.p90, q.p95, q.p99, q.p999, q.max].map(number),
        None => std::array::from_fn(|_| "–".to_owned()),
    }
}

/// The names of [`percentiles`].
pub const PERCENTILES: [&str; 6] = ["p50", "p90", "p95", "p99", "p99.9", "max"];

/// What was observed for a threshold, with its unit; `nothing` without any.
pub fn observed(report: &ThresholdReport) -> String {
    let Some(value) = report.observed else { return "nothing".to_owned() };
    with_unit(&report.unit, value)
}

/// `CRITICAL: ` in front of what is worse than a failure.
pub(super) fn critical(report: &ThresholdReport) -> &'static str {
    if report.severity == Some(Severity::Critical) { "CRITICAL: " } else { "" }
}

/// A value with its unit, by the unit's name in results.
pub fn with_unit(unit: &str, value: f64) -> String {
    match unit {
        "ms" => format!("{} ms", number(value)),
        "ratio" => percent(value),
        "per_s" => format!("{}/s", number(value)),
        "bytes" if value >= 0.0 => bytes(value as u64),
        "bytes_per_s" if value >= 0.0 => format!("{}/s", bytes(value as u64)),
        "count" if value >= 0.0 && value.fract() == 0.0 => count(value as u64),
        _ => number(value),
    }
}

/// A value of a gauge with its unit; a dash without any.
pub fn gauge(unit: GaugeUnit, value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| with_unit(unit.name(), value))
}

/// What the plan offers: `500/s constant` or `64 users`.
pub fn offered(run: &RunFile) -> String {
    let plan = &run.header.plan;
    match plan.rate_per_s {
        Some(rate) => {
            let kind = plan.arrivals.as_deref().unwrap_or("constant");
            let lanes = counted(plan.vus.into(), "lane", "lanes");
            format!("{}/s ({kind}), {lanes}, at most {}", number(rate), plan.max_vus)
        }
        None => counted(plan.vus.into(), "virtual user", "virtual users"),
    }
}

/// That the run is none of the profile itself, where it is so.
pub fn rehearsal(plan: &Plan) -> Option<String> {
    let Rehearsal { time, users } = plan.rehearsal?;
    Some(format!(
        "rehearsal: all times by {}, users, rates and limits a second by {}",
        number(time),
        number(users)
    ))
}

/// The verdict in words.
pub fn verdict(run: &RunFile) -> String {
    use crate::model::ThresholdOutcome::{Fail, Invalid, Pass, Skipped, Warn};
    let thresholds = &run.thresholds;
    let n = |outcome| thresholds.iter().filter(|t| t.outcome == outcome).count();
    let mut words = match thresholds.len() {
        0 => vec!["no thresholds".to_owned()],
        all => vec![format!("{} of {all} thresholds hold", n(Pass))],
    };
    for (outcome, what) in
        [(Fail, "failed"), (Warn, "warned"), (Invalid, "prove nothing"), (Skipped, "skipped")]
    {
        if n(outcome) > 0 {
            words.push(format!("{} {what}", n(outcome)));
        }
    }
    if !run.invalid.is_empty() {
        words.insert(0, "the figures prove nothing about the target".to_owned());
    }
    if run.totals.requests == 0 {
        words.insert(0, "nothing was measured".to_owned());
    }
    if run.interrupted {
        words.push("stopped by a signal".to_owned());
    }
    if run.recovered {
        words.push("recovered from the journal of a killed run".to_owned());
    }
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_three_digits() {
        let written =
            [0.0, 0.1234, 0.9996, 4.567, 9.996, 78.94, 99.96, 123.4, 999.6, 1_234_567.0].map(number);
        assert_eq!(
            written,
            ["0.00", "0.123", "1.00", "4.57", "10.0", "78.9", "100", "123", "1,000", "1,234,567"]
        );
        assert_eq!(number(f64::NAN), "–");
        assert_eq!([0, 1, 2_000].map(|n| counted(n, "call", "calls")), ["0 calls", "1 call", "2,000 calls"]);
    }

    #[test]
    fn sizes_and_times_have_units() {
        assert_eq!([0, 1023, 1536, 12_900_000].map(bytes), ["0 B", "1023 B", "1.50 KiB", "12.3 MiB"]);
        assert_eq!([0.25, 30.0, 700.0, 7_500.0].map(seconds), ["0.250 s", "30.0 s", "12 min", "2 h 05 min"]);
    }
}
