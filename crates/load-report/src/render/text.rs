//! The result in a terminal: the verdict first and in words, then what it rests on.

mod own;
mod paint;

use crate::hints;
use crate::model::{
    FaultReport, Figures, OpReport, Quantiles, RunFile, Severity, ThresholdOutcome, ThresholdReport,
};
use crate::summary::Summary;
use crate::tally::Ledger;

use super::escape::terminal;
use super::table::Table;
use super::units::{
    PERCENTILES, bytes, count, counted, number, observed, offered, percent, percentiles, rehearsal, seconds,
    verdict,
};

use own::{counters, extras, fanout, gauges, rates};
use paint::Paint;

/// Most rows of the table of failures.
const MAX_FAULTS: usize = 20;

/// What a tool prints at the end of a run; with ANSI colours when `colour`.
pub fn run(run: &RunFile, colour: bool) -> String {
    let paint = Paint(colour);
    let header = &run.header;
    let mut out = format!(
        "{}  {}  {}\n",
        paint.verdict(run.verdict),
        terminal(&header.component),
        terminal(&header.plan.target)
    );
    let exit = run.exit.code();
    put!(out, "  {}; exit code {exit}\n", verdict(run));
    if let Some(rehearsal) = rehearsal(&header.plan) {
        put!(out, "  {rehearsal}\n");
    }
    for reason in &run.invalid {
        put!(out, "  {} {}\n", paint.red("why invalid:"), terminal(&reason.why));
    }
    for warning in &run.warnings {
        put!(out, "  {} {}\n", paint.yellow("warning:"), terminal(warning));
    }
    let sections = [
        ("", load(run)),
        ("times, ms", times(run)),
        ("ledger", ledger(run)),
        ("failures", failures(run)),
        ("thresholds", thresholds(&run.thresholds, paint)),
        ("hints", hints(run)),
        ("ops", if run.ops.len() > 1 { ops(&run.ops) } else { String::new() }),
        ("phases", phases(run)),
        ("series of the protocol, ms", extras(run)),
        ("fan-out: age of a message with its receivers, ms", fanout(run)),
        ("counters of the protocol", counters(run)),
        ("shares of the protocol", rates(run)),
        ("gauges of the target", gauges(run)),
        ("generator", generator(run)),
        ("events", events(run)),
    ];
    for (title, body) in sections {
        push_section(&mut out, paint, title, &body);
    }
    let run_id = terminal(&header.run_id);
    put!(out, "\nrun {run_id}, {} {}\n", terminal(&header.component), terminal(&header.version));
    out
}

fn events(run: &RunFile) -> String {
    let mut out = String::new();
    for event in &run.events {
        put!(out, "  {}\n", terminal(&super::events::line(event)));
    }
    out
}

/// What `aggregate` prints: the verdict on all components, then what is not as it should be.
pub fn summary(summary: &Summary, colour: bool) -> String {
    let paint = Paint(colour);
    let (verdict, run_id, exit) = (summary.verdict, terminal(&summary.run_id), summary.exit.code());
    let mut out = format!("{}  run {run_id}; exit code {exit}\n", paint.verdict(verdict));
    for run in summary.runs() {
        for reason in &run.invalid {
            let (component, why) = (terminal(&run.header.component), terminal(&reason.why));
            put!(out, "  {} {component}: {why}\n", paint.red("why invalid:"));
        }
    }
    for note in &summary.notes {
        put!(out, "  {} {}\n", paint.yellow("note:"), terminal(note));
    }
    push_section(
        &mut out,
        paint,
        "components (response times of successful calls, ms)",
        &components(summary),
    );
    let missed: Vec<_> = summary.missed().collect();
    let mut body = String::new();
    for (whose, report) in missed {
        put!(body, "{}  [{}]\n", threshold(report, paint), terminal(whose));
    }
    push_section(&mut out, paint, "thresholds and targets that do not hold", &body);
    let advice: String = summary
        .runs()
        .flat_map(|run| hint_lines(run, &format!("{}: ", terminal(&run.header.component))))
        .collect();
    push_section(&mut out, paint, "hints", &advice);
    let mut targets = String::new();
    for target in &summary.targets {
        put!(targets, "  {} {}\n", mark(&target.report, paint), terminal(&target.name));
    }
    push_section(&mut out, paint, "targets", &targets);
    out
}

fn push_section(out: &mut String, paint: Paint, title: &str, body: &str) {
    if body.is_empty() {
        return;
    }
    out.push('\n');
    if !title.is_empty() {
        out.push_str(&paint.bold(title));
        out.push('\n');
    }
    out.push_str(body);
}

fn components(summary: &Summary) -> String {
    let mut table =
        Table::new(2, &["component", "verdict", "calls", "ok/s", "errors", "p50", "p95", "p99", "max"]);
    for run in summary.runs() {
        let totals = &run.totals;
        let [p50, _, p95, p99, _, max] = percentiles(totals.response_ms.as_ref());
        let name = terminal(&run.header.component);
        let verdict = run.verdict.label().to_owned();
        let errors = percent(totals.error_rate);
        table.row([
            name,
            verdict,
            count(totals.requests),
            number(totals.rate_per_s),
            errors,
            p50,
            p95,
            p99,
            max,
        ]);
    }
    for skipped in &summary.skipped {
        table.row([terminal(&skipped.component), format!("SKIPPED: {}", terminal(&skipped.reason))]);
    }
    table.render()
}

fn load(run: &RunFile) -> String {
    let (plan, totals) = (&run.header.plan, &run.totals);
    let counted: f64 = run.phases.iter().filter(|p| p.counted).map(|p| (p.end_s - p.start_s).max(0.0)).sum();
    let messages = if totals.messages_per_s > 0.0 {
        format!(", {} messages/s", number(totals.messages_per_s))
    } else {
        String::new()
    };
    let uncounted = if plan.warmup_s > 0.0 {
        format!(", the first {} not counted", seconds(plan.warmup_s))
    } else {
        String::new()
    };
    let lost = match run.connections.lost {
        0 => String::new(),
        lost => format!("{} lost, ", count(lost)),
    };
    format!(
        "  offered      {} for {}{uncounted}\n  achieved     {}/s successful over {}{messages}\n  \
         calls        {} begun, {} failed, {} abandoned, {} unsent: error rate {}\n  \
         transfer     {} sent, {} received\n  connections  {} opened, {} failed, {lost}at most {} at a time\n",
        offered(run),
        seconds(plan.duration_s),
        number(totals.rate_per_s),
        seconds(counted),
        count(totals.requests),
        count(totals.failures),
        count(totals.abandoned),
        count(totals.unsent),
        percent(totals.error_rate),
        bytes(totals.bytes_sent),
        bytes(totals.bytes_received),
        count(run.connections.opened),
        count(run.connections.failed),
        count(run.connections.peak),
    )
}

fn with_percentiles(text_columns: &[&str]) -> Table {
    let headings: Vec<&str> = text_columns.iter().copied().chain(PERCENTILES).chain(["mean"]).collect();
    Table::new(1, &headings)
}

fn times(run: &RunFile) -> String {
    let mut table = with_percentiles(&[""]);
    let rows = [
        ("response (end − due)", &run.totals.response_ms),
        ("service (end − start)", &run.totals.service_ms),
        ("lag (start − due)", &run.totals.lag_ms),
        ("connect", &run.connections.connect_ms),
        ("reconnect (after a loss)", &run.connections.reconnect_ms),
    ];
    for (name, quantiles) in rows {
        if quantiles.is_some() || !name.contains("connect") {
            let mean = quantiles.as_ref().map_or_else(|| "–".to_owned(), |q| number(q.mean));
            table.row([name.to_owned()].into_iter().chain(percentiles(quantiles.as_ref())).chain([mean]));
        }
    }
    table.render()
}

fn ledger(run: &RunFile) -> String {
    let mut table = Table::new(1, &["", "scheduled", "unsent", "ok", "failed", "abandoned", "lost"]);
    let mut row = |name: &str, l: &Ledger| {
        let counts = [l.scheduled, l.unsent, l.ok, l.failed.total(), l.abandoned, l.lost];
        table.row([name.to_owned()].into_iter().chain(counts.map(count)));
    };
    row("iterations", &run.ledger.iterations);
    row("calls", &run.ledger.calls);
    let control = counted(run.ledger.control_calls, "control call", "control calls");
    format!("{}  {control} outside the schedule\n", table.render())
}

/// What failed, in one line: `rejected 503`.
pub(super) fn fault(fault: &FaultReport) -> String {
    match fault.code {
        0 => fault.kind.name().to_owned(),
        code => format!("{} {code}", fault.kind.name()),
    }
}

fn failures(run: &RunFile) -> String {
    if run.faults.is_empty() {
        return String::new();
    }
    let mut faults: Vec<&FaultReport> = run.faults.iter().collect();
    faults.sort_by_key(|fault| std::cmp::Reverse(fault.count));
    let mut table = Table::new(6, &["count", "op", "fault", "first", "last", "sample"]);
    for entry in faults.iter().take(MAX_FAULTS) {
        let op = terminal(entry.op.as_deref().unwrap_or("–"));
        let (first, last) = (seconds(entry.first_s), seconds(entry.last_s));
        table.row([count(entry.count), op, fault(entry), first, last, terminal(&entry.sample)]);
    }
    let mut out = table.render();
    if faults.len() > MAX_FAULTS {
        put!(out, "  … and {} more kinds, all in the run file\n", faults.len() - MAX_FAULTS);
    }
    out
}

fn thresholds(reports: &[ThresholdReport], paint: Paint) -> String {
    reports.iter().map(|report| threshold(report, paint) + "\n").collect()
}

fn hints(run: &RunFile) -> String {
    hint_lines(run, "").into_iter().collect()
}

fn hint_lines(run: &RunFile, whose: &str) -> Vec<String> {
    hints::of(run).iter().map(|hint| format!("  {whose}{hint}\n")).collect()
}

fn threshold(report: &ThresholdReport, paint: Paint) -> String {
    let note = report.note.as_ref().map(|note| format!(" ({})", terminal(note))).unwrap_or_default();
    let (mark, expression) = (mark(report, paint), terminal(&report.expression));
    format!("  {mark} {expression}: observed {}{note}", observed(report))
}

fn mark(report: &ThresholdReport, paint: Paint) -> String {
    match report.outcome {
        ThresholdOutcome::Pass => paint.green("✓"),
        ThresholdOutcome::Warn => paint.yellow("⚠"),
        ThresholdOutcome::Fail if report.severity == Some(Severity::Critical) => paint.red("✗ CRITICAL"),
        ThresholdOutcome::Fail => paint.red("✗"),
        ThresholdOutcome::Invalid => paint.red("? proves nothing"),
        ThresholdOutcome::Skipped => paint.yellow("– skipped"),
    }
}

fn figures_row(name: &str, figures: &Figures) -> Vec<String> {
    let times = percentiles(figures.response_ms.as_ref());
    let service = figures.service_ms.as_ref().map_or_else(|| "–".to_owned(), |q: &Quantiles| number(q.p99));
    let bad = figures.failures + figures.abandoned;
    let mut row = vec![terminal(name), count(figures.requests), number(figures.rate_per_s), count(bad)];
    row.extend(times);
    row.push(service);
    row
}

fn figures_table() -> Table {
    let headings = ["", "calls", "ok/s", "not ok"].into_iter().chain(PERCENTILES).chain(["service p99"]);
    Table::new(1, &headings.collect::<Vec<_>>())
}

fn ops(ops: &[OpReport]) -> String {
    let mut table = figures_table();
    for op in ops {
        table.row(figures_row(&op.name, &op.figures));
    }
    table.render()
}

fn phases(run: &RunFile) -> String {
    if run.phases.len() < 2 {
        return String::new();
    }
    let mut table = figures_table();
    for phase in &run.phases {
        let counted = if phase.counted { "" } else { " (not counted)" };
        table.row(figures_row(&format!("{}{counted}", phase.name), &phase.figures));
    }
    table.render()
}

fn generator(run: &RunFile) -> String {
    let generator = &run.generator;
    let p99 = |q: &Option<Quantiles>| {
        q.as_ref().map_or_else(|| "–".to_owned(), |q| format!("{} ms", number(q.p99)))
    };
    let a_connection = generator
        .rss_bytes_per_connection
        .map_or_else(String::new, |each| format!(" ({} a connection)", bytes(each as u64)));
    let mut out = format!(
        "  CPU {} ({} µs a call), memory {}{a_connection}, lateness p99 {}, loop turn p99 {}\n",
        seconds(generator.cpu_s),
        number(generator.cpu_us_per_call),
        bytes(generator.max_rss_bytes),
        p99(&generator.lateness_ms),
        p99(&generator.turn_ms)
    );
    if !run.health.causes.is_empty() {
        put!(out, "  possible causes: {}\n", terminal(&run.health.causes.join(", ")));
    }
    out
}
