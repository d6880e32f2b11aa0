//! The result as a page: `SUMMARY.md`, and the step summary of GitHub Actions.

use crate::hints;
use crate::model::{FaultReport, Figures, RunFile, Severity, ThresholdOutcome, ThresholdReport};
use crate::summary::Summary;
use crate::tally::Ledger;
use crate::verdict::Verdict;

use super::escape::markdown;
use super::text::fault;
use super::units::{
    PERCENTILES, bytes, count, gauge, number, observed, offered, percent, percentiles, rehearsal, seconds,
    verdict,
};

/// Most rows of a table of failures.
const MAX_FAULTS: usize = 50;

/// The page of one component.
pub fn run(run: &RunFile) -> String {
    let mut out = format!("# {}: {}\n", run.verdict.label(), markdown(&run.header.component));
    component(&mut out, run);
    let advice: Vec<String> = hints::of(run).iter().map(ToString::to_string).collect();
    if !advice.is_empty() {
        out.push_str("\n## Recommendations\n");
        bullets(&mut out, &advice);
    }
    out
}

/// The page of all components with their targets: `SUMMARY.md`.
pub fn summary(summary: &Summary) -> String {
    let mut out = format!("# {}: run {}\n\n", summary.verdict.label(), markdown(&summary.run_id));
    put!(out, "Exit code {}.\n", summary.exit.code());
    bullets(&mut out, &summary.notes);
    out.push_str("\n## Components\n\nResponse times (end − due) of successful calls, in ms.\n\n");
    let names = ["component", "verdict", "calls", "ok/s", "errors"];
    table_head(&mut out, &names.into_iter().chain(PERCENTILES).collect::<Vec<_>>(), 2);
    for run in summary.runs() {
        let totals = &run.totals;
        let cells = [
            markdown(&run.header.component),
            format!("**{}**", run.verdict.label()),
            count(totals.requests),
            number(totals.rate_per_s),
            percent(totals.error_rate),
        ];
        table_row(&mut out, cells.into_iter().chain(percentiles(totals.response_ms.as_ref())));
    }
    for skipped in &summary.skipped {
        let reason = format!("SKIPPED: {}", markdown(&skipped.reason));
        let empty = std::iter::repeat_n(String::new(), 3 + PERCENTILES.len());
        table_row(&mut out, [markdown(&skipped.component), reason].into_iter().chain(empty));
    }
    targets(&mut out, summary);
    if let Some(comparison) = &summary.comparison {
        put!(out, "\n{}", super::compare::page(comparison, 2));
    }
    recommendations(&mut out, summary);
    for run in summary.runs() {
        put!(out, "\n## {}: {}\n", markdown(&run.header.component), run.verdict.label());
        component(&mut out, run);
    }
    out
}

fn targets(out: &mut String, summary: &Summary) {
    if summary.targets.is_empty() {
        return;
    }
    out.push_str("\n## Targets\n\n");
    table_head(out, &["", "target", "expression", "observed", "note"], 5);
    for target in &summary.targets {
        let note = [target.description.as_deref(), target.report.note.as_deref()];
        let note: Vec<String> = note.into_iter().flatten().map(markdown).collect();
        let (mark, name) = (mark(&target.report), markdown(&target.name));
        let cells = [mark.to_owned(), name, markdown(&target.report.expression), observed(&target.report)];
        table_row(out, cells.into_iter().chain([note.join("; ")]));
    }
}

/// What to do about what was not as it should be, component by component.
fn recommendations(out: &mut String, summary: &Summary) {
    out.push_str("\n## Recommendations\n\n");
    let mut any = false;
    for run in summary.runs() {
        for hint in hints::of(run) {
            put!(out, "- {}: {}\n", markdown(&run.header.component), markdown(&hint.to_string()));
            any = true;
        }
    }
    if !any {
        out.push_str(match summary.verdict {
            Verdict::Pass => "None: all is as it should be.\n",
            _ => "None beyond what the tables and notes say.\n",
        });
    }
}

fn component(out: &mut String, run: &RunFile) {
    let plan = &run.header.plan;
    put!(out, "\n{} (exit code {}).\n", capital(&verdict(run)), run.exit.code());
    bullets(out, &rehearsal(plan).into_iter().collect::<Vec<_>>());
    let reasons: Vec<String> =
        run.invalid.iter().map(|reason| format!("why invalid: {}", reason.why)).collect();
    bullets(out, &reasons);
    let warnings: Vec<String> = run.warnings.iter().map(|warning| format!("warning: {warning}")).collect();
    bullets(out, &warnings);
    let events: Vec<String> =
        run.events.iter().map(|event| format!("event: {}", super::events::line(event))).collect();
    bullets(out, &events);
    let totals = &run.totals;
    put!(
        out,
        "\nTarget {}, started {}. Offered {} for {}; achieved {}/s successful. {} calls: {} failed, {} abandoned, \
         {} unsent. {} sent, {} received.\n",
        markdown(&plan.target),
        markdown(&run.header.started_at),
        markdown(&offered(run)),
        seconds(plan.duration_s),
        number(totals.rate_per_s),
        count(totals.requests),
        count(totals.failures),
        count(totals.abandoned),
        count(totals.unsent),
        bytes(totals.bytes_sent),
        bytes(totals.bytes_received)
    );
    thresholds(out, &run.thresholds);
    times(out, run);
    counters(out, run);
    rates(out, run);
    gauges(out, run);
    ledger(out, run);
    failures(out, &run.faults);
    details(out, run);
    generator(out, run);
}

fn thresholds(out: &mut String, reports: &[ThresholdReport]) {
    if reports.is_empty() {
        return;
    }
    out.push('\n');
    table_head(out, &["", "threshold", "observed", "note"], 4);
    for report in reports {
        let note = report.note.as_deref().map(markdown).unwrap_or_default();
        table_row(out, [mark(report).to_owned(), markdown(&report.expression), observed(report), note]);
    }
}

fn times(out: &mut String, run: &RunFile) {
    out.push('\n');
    table_head(out, &[&["ms"], &PERCENTILES[..], &["mean"]].concat(), 1);
    let totals = &run.totals;
    let rows = [("response", &totals.response_ms), ("service", &totals.service_ms), ("lag", &totals.lag_ms)];
    let connections =
        [("connect", &run.connections.connect_ms), ("reconnect", &run.connections.reconnect_ms)];
    let connections = connections.into_iter().filter(|(_, quantiles)| quantiles.is_some());
    let extras = run.extras.iter().map(|extra| (extra.name.as_str(), &extra.ms));
    for (name, quantiles) in rows.into_iter().chain(connections).chain(extras) {
        let mean = quantiles.as_ref().map_or_else(|| "–".to_owned(), |q| number(q.mean));
        let values = percentiles(quantiles.as_ref());
        table_row(out, [markdown(name)].into_iter().chain(values).chain([mean]));
    }
}

fn counters(out: &mut String, run: &RunFile) {
    if run.counters.is_empty() {
        return;
    }
    out.push('\n');
    table_head(out, &["counter", "count", "per s"], 1);
    for counter in &run.counters {
        table_row(out, [markdown(&counter.name), count(counter.count), number(counter.rate_per_s)]);
    }
}

fn rates(out: &mut String, run: &RunFile) {
    if run.rates.is_empty() {
        return;
    }
    out.push('\n');
    table_head(out, &["share", "", "cases", "of"], 1);
    for rate in &run.rates {
        let share = rate.share.map_or_else(|| "–".to_owned(), percent);
        table_row(out, [markdown(&rate.name), share, count(rate.cases), count(rate.all)]);
    }
}

fn gauges(out: &mut String, run: &RunFile) {
    let mut said = run.gauges.iter().filter(|gauge| gauge.count > 0).peekable();
    if said.peek().is_none() {
        return;
    }
    out.push('\n');
    table_head(out, &["gauge", "min", "mean", "max", "last"], 1);
    for of in said {
        let figures = [of.min, of.mean, of.max, of.last].map(|value| gauge(of.unit, value));
        table_row(out, [markdown(&of.name)].into_iter().chain(figures));
    }
}

fn ledger(out: &mut String, run: &RunFile) {
    out.push('\n');
    table_head(out, &["ledger", "scheduled", "unsent", "ok", "failed", "abandoned", "lost"], 1);
    let mut row = |name: &str, l: &Ledger| {
        let counts = [l.scheduled, l.unsent, l.ok, l.failed.total(), l.abandoned, l.lost];
        table_row(out, [name.to_owned()].into_iter().chain(counts.map(count)));
    };
    row("iterations", &run.ledger.iterations);
    row("calls", &run.ledger.calls);
}

fn failures(out: &mut String, faults: &[FaultReport]) {
    if faults.is_empty() {
        return;
    }
    out.push('\n');
    table_head(out, &["failures", "op", "fault", "first seen", "last seen", "sample"], 6);
    let mut faults: Vec<&FaultReport> = faults.iter().collect();
    faults.sort_by_key(|fault| std::cmp::Reverse(fault.count));
    for entry in faults.iter().take(MAX_FAULTS) {
        let op = markdown(entry.op.as_deref().unwrap_or("–"));
        let (first, last) = (seconds(entry.first_s), seconds(entry.last_s));
        table_row(out, [count(entry.count), op, fault(entry), first, last, markdown(&entry.sample)]);
    }
    if faults.len() > MAX_FAULTS {
        put!(out, "\n{} more kinds of failures are in the run file.\n", faults.len() - MAX_FAULTS);
    }
}

/// Ops and phases, folded away because they may be many.
fn details(out: &mut String, run: &RunFile) {
    let phases = run.phases.iter().map(|phase| {
        let counted = if phase.counted { "" } else { " (not counted)" };
        (format!("{}{counted}", phase.name), &phase.figures)
    });
    let ops = run.ops.iter().map(|op| (op.name.clone(), &op.figures));
    let parts = [("ops", ops.collect::<Vec<_>>()), ("phases", phases.collect())];
    for (title, rows) in parts.into_iter().filter(|(_, rows)| rows.len() > 1) {
        put!(out, "\n<details><summary>{} {title}</summary>\n\n", rows.len());
        let names = [title, "calls", "ok/s", "not ok"].into_iter().chain(PERCENTILES).chain(["service p99"]);
        table_head(out, &names.collect::<Vec<_>>(), 1);
        for (name, figures) in rows {
            figures_row(out, &name, figures);
        }
        out.push_str("\n</details>\n");
    }
}

fn figures_row(out: &mut String, name: &str, figures: &Figures) {
    let bad = count(figures.failures + figures.abandoned);
    let service = figures.service_ms.as_ref().map_or_else(|| "–".to_owned(), |q| number(q.p99));
    let cells = [markdown(name), count(figures.requests), number(figures.rate_per_s), bad];
    table_row(out, cells.into_iter().chain(percentiles(figures.response_ms.as_ref())).chain([service]));
}

fn generator(out: &mut String, run: &RunFile) {
    let generator = &run.generator;
    let lateness = generator.lateness_ms.as_ref().map_or_else(|| "–".to_owned(), |q| number(q.p99));
    put!(
        out,
        "\nGenerator: CPU {} ({} µs a call), memory {}, lateness p99 {lateness} ms, version {}.\n",
        seconds(generator.cpu_s),
        number(generator.cpu_us_per_call),
        bytes(generator.max_rss_bytes),
        markdown(&run.header.version)
    );
}

fn mark(report: &ThresholdReport) -> &'static str {
    match report.outcome {
        ThresholdOutcome::Pass => "✅",
        ThresholdOutcome::Warn => "⚠️",
        ThresholdOutcome::Fail if report.severity == Some(Severity::Critical) => "❌ CRITICAL",
        ThresholdOutcome::Fail => "❌",
        ThresholdOutcome::Invalid => "❔ proves nothing",
        ThresholdOutcome::Skipped => "⏭️ skipped",
    }
}

fn bullets(out: &mut String, lines: &[String]) {
    if !lines.is_empty() {
        out.push('\n');
        for line in lines {
            put!(out, "- {}\n", markdown(line));
        }
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

fn table_head(out: &mut String, names: &[&str], text_columns: usize) {
    table_row(out, names.iter().map(|&name| name.to_owned()));
    let rule = |column| if column < text_columns { "---" } else { "---:" };
    table_row(out, (0..names.len()).map(|column| rule(column).to_owned()));
}

fn table_row(out: &mut String, cells: impl IntoIterator<Item = String>) {
    let cells: Vec<String> = cells.into_iter().collect();
    put!(out, "| {} |\n", cells.join(" | "));
}
