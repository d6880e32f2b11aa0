//! A comparison with a baseline, for people: a page for a terminal, and one in Markdown.

use crate::compare::{Change, Compared, Comparison, Row, RunName};

use super::escape::{markdown, terminal};
use super::table::Table;
use super::units::{number, percent, with_unit};

const HEADINGS: [&str; 7] = ["", "figure", "baseline", "current", "change", "chance", ""];

/// For a terminal.
pub fn text(comparison: &Comparison) -> String {
    let mut out = format!("{}\n", terminal(&headline(comparison)));
    for line in remarks(comparison) {
        put!(out, "  {}\n", terminal(&line));
    }
    for compared in &comparison.components {
        put!(out, "\n{}: {}\n", terminal(&compared.component), terminal(&compared.basis));
        let mut table = Table::new(2, &HEADINGS);
        shown(compared).for_each(|row| table.row(cells(row).map(|cell| terminal(&cell))));
        out.push_str(&table.render());
        if let Some(rest) = rest(compared) {
            put!(out, "  {rest}\n");
        }
    }
    out
}

/// In Markdown: for a comment on a change, and for `SUMMARY.md`. `level` is that of its heading.
pub fn page(comparison: &Comparison, level: usize) -> String {
    let mut out = format!("{} {}\n\n", "#".repeat(level), markdown(&headline(comparison)));
    for line in remarks(comparison) {
        put!(out, "- {}\n", markdown(&line));
    }
    for compared in &comparison.components {
        put!(out, "\n**{}**: {}\n\n", markdown(&compared.component), markdown(&compared.basis));
        put!(out, "| {} |\n|---|---|--:|--:|--:|--:|---|\n", HEADINGS.join(" | "));
        for row in shown(compared) {
            let mark = match row.judgement {
                Change::Worse => "❌ ",
                Change::Better => "✅ ",
                Change::Same | Change::NotJudged => "",
            };
            let mut cells = cells(row).map(|cell| markdown(&cell));
            cells[6] = format!("{mark}{}", cells[6]);
            put!(out, "| {} |\n", cells.join(" | "));
        }
        if let Some(rest) = rest(compared) {
            put!(out, "\n{rest}\n");
        }
    }
    out
}

/// Every figure that is worse, in a line: for annotations and notes.
pub fn worse(comparison: &Comparison) -> Vec<String> {
    let worse = comparison.rows().filter(|(_, row)| row.judgement == Change::Worse);
    worse
        .map(|(component, row)| {
            let [op, figure, baseline, current, change, ..] = cells(row);
            let op = if op.is_empty() { op } else { format!("{op} ") };
            format!("{component}: {op}{figure} {baseline} → {current} ({change})")
        })
        .collect()
}

fn headline(comparison: &Comparison) -> String {
    let word = match comparison.verdict {
        _ if comparison.exit == crate::exit::Exit::Invalid => "INVALID",
        Change::Worse => "REGRESSION",
        Change::Better => "BETTER",
        Change::Same => "NO CHANGE",
        Change::NotJudged => "NOT JUDGED",
    };
    let (current, baseline) = (names(&comparison.current), names(&comparison.baseline));
    format!("{word}: {current} against the baseline {baseline}; exit code {}", comparison.exit.code())
}

fn names(runs: &[RunName]) -> String {
    let name = |run: &RunName| {
        if run.name.ends_with(&run.run_id) {
            run.name.clone()
        } else {
            format!("{} (run {})", run.name, run.run_id)
        }
    };
    runs.iter().map(name).collect::<Vec<_>>().join(", ")
}

fn remarks(comparison: &Comparison) -> Vec<String> {
    let n = |change| comparison.count(change);
    let rules = &comparison.rules;
    let counts = format!(
        "{} figures are worse, {} better, {} the same, {} not judged; changes up to {} (error rates: {} of all calls) are noise, \
         and chance at {} too",
        n(Change::Worse),
        n(Change::Better),
        n(Change::Same),
        n(Change::NotJudged),
        percent(rules.noise),
        percent(rules.error_noise),
        percent(rules.level),
    );
    let different = comparison.different.iter().map(|what| format!("WARNING: not alike: {what}"));
    let mut lines = vec![counts];
    lines.extend(different);
    lines.extend(comparison.notes.iter().map(|note| format!("note: {note}")));
    if comparison.exit == crate::exit::Exit::Invalid {
        lines.push("WARNING: a run is INVALID: its figures prove nothing".to_owned());
    }
    lines
}

/// The figures of the component, and those of its ops that have changed.
fn shown(compared: &Compared) -> impl Iterator<Item = &Row> {
    compared.rows.iter().filter(|row| row.op.is_none() || is_changed(row))
}

fn is_changed(row: &Row) -> bool {
    matches!(row.judgement, Change::Worse | Change::Better)
}

/// How many figures of ops are not shown.
fn rest(compared: &Compared) -> Option<String> {
    let hidden = || compared.rows.iter().filter(|row| row.op.is_some() && !is_changed(row));
    let untold = hidden().filter(|row| row.judgement == Change::NotJudged).count();
    (hidden().count() > 0).then(|| {
        format!("of ops besides: {} figures the same, {untold} not judged", hidden().count() - untold)
    })
}

fn cells(row: &Row) -> [String; 7] {
    let value = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| with_unit(row.unit, value));
    let change = row.change.map_or_else(
        || "–".to_owned(),
        |change| {
            let unit = if row.unit == "ratio" { "points" } else { "%" };
            let sign = if change > 0.0 { "+" } else { "" };
            format!("{sign}{} {unit}", number(change * 100.0))
        },
    );
    let chance = row
        .p_value
        .map_or_else(|| "–".to_owned(), |p| if p < 0.001 { "< 0.1 %".to_owned() } else { percent(p) });
    let label = row.judgement.label();
    let judged = row.note.as_ref().map_or_else(|| label.to_owned(), |note| format!("{label}: {note}"));
    let op = row.op.clone().unwrap_or_default();
    [op, row.figure.label().to_owned(), value(row.baseline), value(row.current), change, chance, judged]
}
