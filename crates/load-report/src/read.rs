//! Is this file a run that can be trusted? Strict reading of run files: what does not add up is refused, with the
//! name of the file and the reason.

use serde::Deserialize;

use crate::collect::MAX_POINTS;
use crate::figures::Record;
use crate::gauge::Samples;
use crate::merge::{MAX_SEGMENTS, MAX_WEIGHT, weight};
use crate::model::{End, Header, Point, RunFile, SCHEMA, Timeseries};
use crate::tally::Tally;

/// No run file is larger, bytes: 50 ops in 5 phases take less than a tenth of it.
pub const MAX_BYTES: usize = 256 << 20;
/// Instants and durations lie within this of time zero, ns: 31 years.
const MAX_NS: i64 = 1_000_000_000_000_000_000;
/// Counts of one point of the time series are below this, so that no sum over segments overflows.
const MAX_POINT_COUNT: u64 = 1 << 46;
/// Most phases, ops and series of one plan.
const MAX_NAMES: usize = 10_000;

/// Why a file is refused. Every message names the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Larger than [`MAX_BYTES`].
    #[error("{name}: {bytes} bytes, expected at most {MAX_BYTES}")]
    TooLarge {
        /// The file.
        name: String,
        /// Its size.
        bytes: usize,
    },
    /// It ends in the middle.
    #[error(
        "{name}: truncated: it ends after {bytes} bytes in the middle of its JSON; copy it again, or use its journal"
    )]
    Truncated {
        /// The file.
        name: String,
        /// Where it ends.
        bytes: usize,
    },
    /// Not JSON.
    #[error("{name}: not JSON: byte {offset}: {reason}")]
    NotJson {
        /// The file.
        name: String,
        /// Where reading stopped, bytes from the beginning.
        offset: usize,
        /// What was wrong, with line and column.
        reason: String,
    },
    /// Not a run file.
    #[error("{name}: no `schema`; expected {SCHEMA:?}, is this a summary written by a tool of the suite?")]
    NoSchema {
        /// The file.
        name: String,
    },
    /// Written by another version.
    #[error(
        "{name}: {age} schema {found:?}; this build reads {SCHEMA:?}, use the version that wrote the file"
    )]
    Schema {
        /// The file.
        name: String,
        /// `an older`, `a newer` or `an unknown`.
        age: &'static str,
        /// What the file says.
        found: String,
    },
    /// JSON, but no run file: a key is missing or has a wrong value, or a histogram is damaged.
    #[error("{name}: not a valid run: {reason}")]
    Invalid {
        /// The file.
        name: String,
        /// What was wrong.
        reason: String,
    },
}

/// Only what tells whether the rest can be read.
#[derive(Deserialize)]
struct Probe {
    schema: Option<serde_json::Value>,
}

/// Reads the run file `bytes`; errors call it `name`.
///
/// # Errors
/// When the file is too large, truncated, not JSON, of another schema, or contradicts itself.
pub fn read_run(name: &str, bytes: &[u8]) -> Result<RunFile, ReadError> {
    let owned = || name.to_owned();
    if bytes.len() > MAX_BYTES {
        return Err(ReadError::TooLarge { name: owned(), bytes: bytes.len() });
    }
    let probe: Probe = serde_json::from_slice(bytes).map_err(|e| json_error(name, bytes, &e))?;
    check_schema(name, probe.schema)?;
    let run: RunFile = serde_json::from_slice(bytes).map_err(|e| json_error(name, bytes, &e))?;
    let checked = check(&run.header, run.end, &run.data, &run.timeseries)
        .and_then(|()| check_samples(&run.header, &run.samples));
    checked.map_err(|reason| ReadError::Invalid { name: owned(), reason })?;
    Ok(run)
}

fn json_error(name: &str, bytes: &[u8], error: &serde_json::Error) -> ReadError {
    use serde_json::error::Category;
    let (name, reason) = (name.to_owned(), error.to_string());
    match error.classify() {
        Category::Eof => ReadError::Truncated { name, bytes: bytes.len() },
        Category::Data => ReadError::Invalid { name, reason },
        Category::Syntax | Category::Io => {
            let before = bytes.split_inclusive(|&b| b == b'\n').take(error.line().saturating_sub(1));
            let offset = before.map(<[u8]>::len).sum::<usize>() + error.column().saturating_sub(1);
            ReadError::NotJson { name, offset, reason }
        }
    }
}

fn check_schema(name: &str, found: Option<serde_json::Value>) -> Result<(), ReadError> {
    let name = name.to_owned();
    let found = match found {
        None => return Err(ReadError::NoSchema { name }),
        Some(serde_json::Value::String(text)) if text == SCHEMA => return Ok(()),
        Some(serde_json::Value::String(text)) => text,
        Some(other) => other.to_string(),
    };
    let version = |text: &str| text.strip_prefix("quintet/run/v").and_then(|v| v.parse::<u32>().ok());
    let age = match (version(&found), version(SCHEMA)) {
        (Some(theirs), Some(ours)) if theirs < ours => "an older",
        (Some(theirs), Some(ours)) if theirs > ours => "a newer",
        _ => "an unknown",
    };
    Err(ReadError::Schema { name, age, found: found.chars().take(100).collect() })
}

/// Checks a record that comes from elsewhere, a journal, in the same way as a run file.
///
/// # Errors
/// Says which parts contradict one another, or which number is out of range.
pub fn check_record(record: &Record) -> Result<(), String> {
    check(&record.header, record.end, &record.data, &record.timeseries)?;
    check_samples(&record.header, &record.samples)
}

/// What serde cannot see: whether the parts of the file agree, and whether sums of its numbers can overflow.
fn check(header: &Header, end: End, data: &Tally, series: &Timeseries) -> Result<(), String> {
    check_header(header)?;
    check_instant("end.stop_ns", end.stop_ns)?;
    check_instant("end.end_ns", end.end_ns)?;
    check_data(header, data)?;
    check_series(series)
}

fn check_instant(what: &str, ns: i64) -> Result<(), String> {
    if (-MAX_NS..=MAX_NS).contains(&ns) {
        return Ok(());
    }
    Err(format!("{what} is {ns}, expected at most {MAX_NS} ns from time zero"))
}

fn check_header(header: &Header) -> Result<(), String> {
    let (segment, plan) = (header.segment, &header.plan);
    if segment.of == 0 || segment.of > MAX_SEGMENTS || segment.index >= segment.of {
        return Err(format!("segment {segment}, expected i/n with i < n and n in 1..={MAX_SEGMENTS}"));
    }
    for (what, n) in [
        ("phases", plan.phases.len()),
        ("ops", plan.ops.len()),
        ("extras", plan.extras.len()),
        ("counters", plan.counters.len()),
        ("gauges", plan.gauges.len()),
    ] {
        if n > MAX_NAMES {
            return Err(format!("plan.{what} has {n} entries, expected at most {MAX_NAMES}"));
        }
    }
    for phase in &plan.phases {
        check_instant("start_ns of a phase", phase.start_ns)?;
        check_instant("end_ns of a phase", phase.end_ns)?;
        if phase.start_ns > phase.end_ns {
            return Err(format!("phase {:?} ends before it begins", phase.name));
        }
    }
    let seconds = [
        ("duration_s", plan.duration_s),
        ("warmup_s", plan.warmup_s),
        ("timeout_s", plan.timeout_s),
        ("graceful_stop_s", plan.graceful_stop_s),
    ];
    match seconds.into_iter().find(|(_, s)| !(0.0..=MAX_NS as f64 / 1e9).contains(s)) {
        Some((what, s)) => Err(format!("plan.{what} is {s}, expected seconds from 0 to 1e9")),
        None => Ok(()),
    }
}

fn check_data(header: &Header, data: &Tally) -> Result<(), String> {
    let plan = &header.plan;
    let at_most = |what: &str, found: usize, planned: usize| {
        if found > planned { Err(format!("{found} {what} counted, {planned} planned")) } else { Ok(()) }
    };
    at_most("phases", data.phases.len(), plan.phases.len())?;
    for phase in &data.phases {
        at_most("ops", phase.ops.len(), plan.ops.len())?;
        at_most("extra series", phase.extras.len(), plan.extras.len())?;
        at_most("counters", phase.counters.len(), plan.counters.len())?;
    }
    let faults = data.faults.entries();
    if !faults.is_sorted_by(|a, b| (a.op, a.kind, a.code) < (b.op, b.kind, b.code)) {
        return Err("data.faults is not in the order of op, kind and code, or has one twice".into());
    }
    for fault in faults {
        check_instant("first_ns of a fault", fault.first_ns)?;
        check_instant("last_ns of a fault", fault.last_ns)?;
        at_most("ops (in a fault)", fault.op.map_or(0, |op| usize::from(op) + 1), plan.ops.len())?;
    }
    if weight(data) > MAX_WEIGHT {
        return Err(format!("the counters add up to more than {MAX_WEIGHT}"));
    }
    Ok(())
}

fn check_series(series: &Timeseries) -> Result<(), String> {
    let (n, interval_s) = (series.points.len(), series.interval_s);
    if n > MAX_POINTS {
        return Err(format!("timeseries has {n} points, expected at most {MAX_POINTS}"));
    }
    if n > 0 && interval_s == 0 {
        return Err("timeseries.interval_s is 0".into());
    }
    let end_s = MAX_POINTS as f64 * f64::from(interval_s);
    let fits = |point: &Point| {
        let counts = [point.ok, point.failed, point.bytes_sent, point.bytes_received];
        (0.0..end_s).contains(&point.t_s) && counts.iter().all(|&n| n < MAX_POINT_COUNT)
    };
    match series.points.iter().position(|point| !fits(point)) {
        Some(index) => Err(format!("timeseries.points[{index}] is out of range")),
        None => Ok(()),
    }
}

fn check_samples(header: &Header, samples: &Samples) -> Result<(), String> {
    let plan = &header.plan;
    let n = samples.points.len();
    if n > MAX_POINTS {
        return Err(format!("samples has {n} points, expected at most {MAX_POINTS}"));
    }
    let widest = samples.points.iter().map(|point| point.values.len());
    let widest = widest.chain(samples.phases.iter().map(Vec::len)).max().unwrap_or(0);
    if widest > plan.gauges.len() || samples.phases.len() > plan.phases.len() {
        return Err("samples have more gauges or phases than the plan".into());
    }
    let end_s = MAX_NS as f64 / 1e9;
    match samples.points.iter().position(|point| !(0.0..end_s).contains(&point.t_s)) {
        Some(index) => Err(format!("samples.points[{index}] is out of range")),
        None => Ok(()),
    }
}
