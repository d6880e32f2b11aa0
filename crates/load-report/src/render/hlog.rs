//! The histograms for other tools: HdrHistogram's interval log, version 1.3, as `HistogramLogProcessor` and
//! `HistogramLogAnalyzer` read it (<https://github.com/HdrHistogram/HdrHistogram>).
//!
//! One interval a phase and series, the series as the tag: `op.response`, `op.service` and their failed
//! counterparts, then the series of the phase. Buckets are in nanoseconds, `Interval_Max` in milliseconds.

use crate::hist::Histogram;
use crate::model::RunFile;
use crate::tally::PhaseTally;

use super::escape::{tag, terminal};

/// `<component>.hlog`.
pub fn run(run: &RunFile) -> String {
    let start: jiff::Timestamp = run.header.started_at.parse().unwrap_or_default();
    let phases = &run.header.plan.phases;
    // Time stamps count from here, because a phase before time zero would have a negative one.
    let zero_ns = phases.iter().map(|phase| phase.start_ns).min().unwrap_or(0).min(0);
    let start_s = start.as_nanosecond() as f64 / 1e9;
    let base_s = start_s + zero_ns as f64 / 1e9;
    let mut out = format!(
        "#[Logged with Quintet {} {}]\n#[Histogram log format version 1.3]\n\
         #[StartTime: {start_s:.3} (seconds since epoch), {start}]\n#[BaseTime: {base_s:.3} (seconds since epoch)]\n\
         \"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n",
        terminal(&run.header.component),
        terminal(&run.header.version),
    );
    for (phase, tally) in phases.iter().zip(&run.data.phases) {
        let begin_s = (phase.start_ns - zero_ns) as f64 / 1e9;
        let counted = if phase.counted { "counted" } else { "not counted" };
        put!(out, "#[Phase: {}, {counted}]\n", terminal(&phase.name));
        let length_s = (phase.end_ns.min(run.end.stop_ns) - phase.start_ns).max(0) as f64 / 1e9;
        for (name, histogram) in series(run, tally) {
            let (tag, max_ms) = (tag(&name), histogram.max_ns() as f64 / 1e6);
            let buckets = histogram.to_base64();
            put!(out, "Tag={tag},{begin_s:.3},{length_s:.3},{max_ms:.3},{buckets}\n");
        }
    }
    out
}

/// The series of one phase that have values.
fn series<'a>(run: &'a RunFile, tally: &'a PhaseTally) -> Vec<(String, &'a Histogram)> {
    let plan = &run.header.plan;
    let ops = plan.ops.iter().zip(&tally.ops).flat_map(|(name, op)| {
        [
            (format!("{name}.response"), &op.response_ok),
            (format!("{name}.service"), &op.service_ok),
            (format!("{name}.response.failed"), &op.response_failed),
            (format!("{name}.service.failed"), &op.service_failed),
        ]
    });
    let own = [
        ("iteration", &tally.iteration_ok),
        ("iteration.failed", &tally.iteration_failed),
        ("lag", &tally.lag),
        ("lag.wait", &tally.wait),
        ("lag.lateness", &tally.lateness),
        ("loop.turn", &tally.turn),
        ("abandoned.age", &tally.abandoned_age),
        ("connect", &tally.connects.time),
        ("reconnect", &tally.connects.outage),
    ];
    let own = own.into_iter().map(|(name, histogram)| (name.to_owned(), histogram));
    let extras =
        plan.extras.iter().zip(&tally.extras).map(|(extra, histogram)| (extra.name.clone(), histogram));
    ops.chain(own).chain(extras).filter(|(_, histogram)| !histogram.is_empty()).collect()
}
