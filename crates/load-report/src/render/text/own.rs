//! What has a protocol, a suite or a target counted besides calls?

use crate::model::RunFile;
use crate::render::escape::terminal;
use crate::render::table::Table;
use crate::render::units::{PERCENTILES, count, counted, gauge, number, percent, percentiles};

use super::with_percentiles;

pub(super) fn fanout(run: &RunFile) -> String {
    let Some(fanout) = &run.fanout else { return String::new() };
    let mut table = with_percentiles(&[""]);
    let rows = [
        ("first receiver", &fanout.first_ms),
        ("median receiver", &fanout.median_ms),
        ("last receiver", &fanout.last_ms),
    ];
    for (name, quantiles) in rows {
        let mean = quantiles.as_ref().map_or_else(|| "–".to_owned(), |q| number(q.mean));
        table.row([name.to_owned()].into_iter().chain(percentiles(quantiles.as_ref())).chain([mean]));
    }
    let (fewest, most) = fanout.receivers;
    let others = match fanout.others {
        0 => String::new(),
        others => format!("; {} receptions of further messages", count(others)),
    };
    format!(
        "{}  {} with {} to {} receivers, {} receptions{others}\n",
        table.render(),
        counted(fanout.messages, "message", "messages"),
        count(fewest),
        count(most),
        count(fanout.received),
    )
}

pub(super) fn extras(run: &RunFile) -> String {
    if run.extras.is_empty() {
        return String::new();
    }
    let mut table = Table::new(1, &[&["", "count"], &PERCENTILES[..]].concat());
    for extra in &run.extras {
        let cells = [terminal(&extra.name), count(extra.count)];
        table.row(cells.into_iter().chain(percentiles(extra.ms.as_ref())));
    }
    table.render()
}

pub(super) fn counters(run: &RunFile) -> String {
    let mut own = run.counters.iter().enumerate().filter(|(index, _)| !is_part(run, *index)).peekable();
    if own.peek().is_none() {
        return String::new();
    }
    let mut table = Table::new(1, &["", "count", "per s"]);
    for (_, counter) in own {
        table.row([terminal(&counter.name), count(counter.count), number(counter.rate_per_s)]);
    }
    table.render()
}

/// Whether a counter is shown as a part of a share already.
fn is_part(run: &RunFile, counter: usize) -> bool {
    run.header.plan.rates.iter().any(|rate| rate.cases == counter || rate.all == counter)
}

pub(super) fn rates(run: &RunFile) -> String {
    if run.rates.is_empty() {
        return String::new();
    }
    let mut table = Table::new(1, &["", "share", "cases", "of"]);
    for rate in &run.rates {
        let share = rate.share.map_or_else(|| "–".to_owned(), percent);
        table.row([terminal(&rate.name), share, count(rate.cases), count(rate.all)]);
    }
    table.render()
}

/// Those that the target has said anything about.
pub(super) fn gauges(run: &RunFile) -> String {
    let mut table = Table::new(1, &["", "min", "mean", "max", "last"]);
    let mut said = run.gauges.iter().filter(|gauge| gauge.count > 0).peekable();
    if said.peek().is_none() {
        return String::new();
    }
    for of in said {
        let figures = [of.min, of.mean, of.max, of.last].map(|value| gauge(of.unit, value));
        table.row([terminal(&of.name)].into_iter().chain(figures));
    }
    table.render()
}
