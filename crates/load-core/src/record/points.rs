//! What happened, sample by sample? `--out json=FILE`: the lines of k6's JSON output
//! (<https://grafana.com/docs/k6/latest/results-output/real-time/json/>), one point a sample.
//!
//! A worker hands over blocks of plain numbers; a thread of its own makes text of them. Between the two there is room for a few
//! blocks, so memory is bounded: where the disk is slower than the target, the worker waits, and its loop turns show it.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use load_report::fault::FaultKind;
use load_report::model::Plan;
use load_report::threshold::{Condition, Threshold};
use serde_json::json;

use super::{CallTimes, Ended};
use crate::clock::Nanos;
use crate::protocol::OpId;

/// Samples that are handed over together.
const BLOCK: usize = 1_024;
/// Blocks between a worker and its writer.
const BLOCKS: usize = 8;
/// Lines are written in pieces of about this many bytes.
const PIECE: usize = 1 << 16;

/// The metrics of every run: name, type, and what they contain.
const METRICS: [(&str, &str, &str); 7] = [
    ("http_reqs", "counter", "default"),
    ("http_req_duration", "trend", "time"),
    ("http_req_failed", "rate", "default"),
    ("response_time", "trend", "time"),
    ("iterations", "counter", "default"),
    ("iteration_duration", "trend", "time"),
    ("connect_time", "trend", "time"),
];

/// One thing that was measured, and when.
#[derive(Clone, Copy)]
enum Sample {
    Call {
        at: Nanos,
        phase: u16,
        op: OpId,
        service_ns: u64,
        response_ns: u64,
        fault: Option<(FaultKind, u32)>,
    },
    Iteration {
        at: Nanos,
        phase: u16,
        ns: u64,
        ok: bool,
    },
    Connect {
        at: Nanos,
        phase: u16,
        ns: u64,
    },
    Series {
        at: Nanos,
        phase: u16,
        extra: u16,
        ns: u64,
    },
    Count {
        at: Nanos,
        phase: u16,
        counter: u16,
        n: u64,
    },
}

/// One worker's part of the file. All workers append whole lines to the same file.
pub(super) struct Points {
    block: Vec<Sample>,
    /// None once the writer is to end.
    blocks: Option<SyncSender<Vec<Sample>>>,
    writer: Option<JoinHandle<()>>,
}

/// The first lines of the file: what each metric is, with its thresholds.
pub fn head(plan: &Plan) -> String {
    let of = |text: &String| text.parse::<Threshold>().ok()?.condition();
    let conditions: Vec<Condition> = plan.thresholds.iter().filter_map(of).collect();
    let extras = plan.extras.iter().map(|extra| (extra.name.as_str(), "trend", "time"));
    let counters = plan.counters.iter().map(|counter| (counter.name.as_str(), "counter", "default"));
    let line = |(name, kind, contains): (&str, &str, &str)| {
        let own = conditions.iter().filter(|one| one.metric == name && one.selected == name);
        let thresholds: Vec<&str> = own.map(|one| one.text.as_str()).collect();
        let data = json!({
            "name": name, "type": kind, "contains": contains, "thresholds": thresholds, "submetrics": null,
        });
        json!({ "type": "Metric", "data": data, "metric": name }).to_string() + "\n"
    };
    METRICS.into_iter().chain(extras).chain(counters).map(line).collect()
}

impl Points {
    /// Appends to `path`. `now` is the present instant on the clock of the samples to come.
    ///
    /// # Errors
    /// The file cannot be opened, or there is no thread.
    pub(super) fn open(path: &Path, plan: &Plan, now: Nanos) -> std::io::Result<Self> {
        let file = File::options().append(true).open(path)?;
        let wall = jiff::Timestamp::now().as_nanosecond();
        let mut writer = Writer::new(file, plan, wall - i128::from(now.0));
        let (blocks, receiver) = sync_channel(BLOCKS);
        let run = move || writer.run(&receiver);
        let writer = std::thread::Builder::new().name("points".into()).spawn(run)?;
        Ok(Self { block: Vec::with_capacity(BLOCK), blocks: Some(blocks), writer: Some(writer) })
    }

    /// What is still in flight at the end is no sample.
    pub(super) fn call(&mut self, phase: usize, op: OpId, times: &CallTimes, ended: Ended) {
        let fault = match ended {
            Ended::Ok => None,
            Ended::Failed(kind, code) => Some((kind, code)),
            Ended::Abandoned => return,
        };
        let (service_ns, response_ns) = (times.end.since(times.start), times.end.since(times.due));
        self.add(Sample::Call { at: times.end, phase: phase as u16, op, service_ns, response_ns, fault });
    }

    pub(super) fn iteration(&mut self, phase: usize, at: Nanos, ns: u64, ok: bool) {
        self.add(Sample::Iteration { at, phase: phase as u16, ns, ok });
    }

    pub(super) fn connected(&mut self, phase: usize, at: Nanos, ns: u64) {
        self.add(Sample::Connect { at, phase: phase as u16, ns });
    }

    pub(super) fn observed(&mut self, phase: usize, at: Nanos, extra: usize, ns: u64) {
        self.add(Sample::Series { at, phase: phase as u16, extra: extra as u16, ns });
    }

    pub(super) fn counted(&mut self, phase: usize, at: Nanos, counter: usize, n: u64) {
        self.add(Sample::Count { at, phase: phase as u16, counter: counter as u16, n });
    }

    fn add(&mut self, sample: Sample) {
        self.block.push(sample);
        if self.block.len() == BLOCK {
            self.flush();
        }
    }

    /// Hands over what has gathered.
    pub(super) fn flush(&mut self) {
        if let Some(blocks) = &self.blocks
            && !self.block.is_empty()
        {
            let full = std::mem::replace(&mut self.block, Vec::with_capacity(BLOCK));
            // A writer that is gone has panicked, and said so.
            let _ = blocks.send(full);
        }
    }
}

impl Drop for Points {
    fn drop(&mut self) {
        self.flush();
        self.blocks = None;
        if let Some(writer) = self.writer.take() {
            // A panic has been told.
            let _ = writer.join();
        }
    }
}

/// Makes text of samples.
struct Writer {
    file: File,
    failed: bool,
    lines: Vec<u8>,
    /// From the clock of the samples to nanoseconds since 1970.
    shift_ns: i128,
    /// As JSON strings.
    phases: Vec<String>,
    ops: Vec<String>,
    extras: Vec<String>,
    counters: Vec<String>,
}

impl Writer {
    fn new(file: File, plan: &Plan, shift_ns: i128) -> Self {
        let quoted = |text: &str| json!(text).to_string();
        Self {
            file,
            failed: false,
            lines: Vec::with_capacity(PIECE + 4_096),
            shift_ns,
            phases: plan.phases.iter().map(|phase| quoted(&phase.name)).collect(),
            ops: plan.ops.iter().map(|op| quoted(op)).collect(),
            extras: plan.extras.iter().map(|extra| quoted(&extra.name)).collect(),
            counters: plan.counters.iter().map(|counter| quoted(&counter.name)).collect(),
        }
    }

    fn run(&mut self, blocks: &Receiver<Vec<Sample>>) {
        for block in blocks {
            block.iter().for_each(|sample| self.sample(sample));
            self.write();
        }
    }

    fn sample(&mut self, sample: &Sample) {
        let ms = |ns: u64| ns as f64 / 1e6;
        match *sample {
            Sample::Call { at, phase, op, service_ns, response_ns, fault } => {
                let mut tags = self.tags(phase);
                tags.push_str(",\"name\":");
                tags.push_str(self.ops.get(usize::from(op)).map_or("\"\"", String::as_str));
                match fault {
                    None => tags.push_str(",\"expected_response\":\"true\""),
                    Some((kind, code)) => {
                        let status =
                            if code == 0 { String::new() } else { format!(",\"status\":\"{code}\"") };
                        tags.push_str(",\"expected_response\":\"false\",\"error\":\"");
                        tags.push_str(kind.name());
                        tags.push('"');
                        tags.push_str(&status);
                    }
                }
                // A wrong answer is a failed check in k6, and no failed request.
                let failed = fault.is_some_and(|(kind, _)| kind != FaultKind::Wrong);
                let time = self.time(at);
                self.point("\"http_reqs\"", &time, 1.0, &tags);
                self.point("\"http_req_duration\"", &time, ms(service_ns), &tags);
                self.point("\"http_req_failed\"", &time, f64::from(u8::from(failed)), &tags);
                self.point("\"response_time\"", &time, ms(response_ns), &tags);
            }
            Sample::Iteration { at, phase, ns, ok } => {
                let tags = format!("{},\"expected_response\":\"{ok}\"", self.tags(phase));
                let time = self.time(at);
                self.point("\"iterations\"", &time, 1.0, &tags);
                self.point("\"iteration_duration\"", &time, ms(ns), &tags);
            }
            Sample::Connect { at, phase, ns } => {
                let (time, tags) = (self.time(at), self.tags(phase));
                self.point("\"connect_time\"", &time, ms(ns), &tags);
            }
            Sample::Series { at, phase, extra, ns } => {
                let (time, tags) = (self.time(at), self.tags(phase));
                let name = self.extras.get(usize::from(extra)).cloned().unwrap_or_default();
                self.point(&name, &time, ms(ns), &tags);
            }
            Sample::Count { at, phase, counter, n } => {
                let (time, tags) = (self.time(at), self.tags(phase));
                let name = self.counters.get(usize::from(counter)).cloned().unwrap_or_default();
                self.point(&name, &time, n as f64, &tags);
            }
        }
        if self.lines.len() >= PIECE {
            self.write();
        }
    }

    fn time(&self, at: Nanos) -> String {
        let time = jiff::Timestamp::from_nanosecond(i128::from(at.0) + self.shift_ns);
        time.map_or_else(|_| String::new(), |time| time.to_string())
    }

    fn tags(&self, phase: u16) -> String {
        let phase = self.phases.get(usize::from(phase)).map_or("\"\"", String::as_str);
        format!("\"group\":\"\",\"scenario\":\"default\",\"phase\":{phase}")
    }

    /// One line; `metric` is a JSON string already.
    fn point(&mut self, metric: &str, time: &str, value: f64, tags: &str) {
        let written = writeln!(
            self.lines,
            "{{\"metric\":{metric},\"type\":\"Point\",\"data\":{{\"time\":\"{time}\",\"value\":{value},\"tags\":{{{tags}}}}}}}"
        );
        debug_assert!(written.is_ok(), "memory takes every line");
    }

    /// Writes what has gathered; warns once when that fails.
    fn write(&mut self) {
        if let Err(error) = self.file.write_all(&self.lines)
            && !std::mem::replace(&mut self.failed, true)
        {
            tracing::warn!("the output of points is incomplete: {error}");
        }
        self.lines.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use load_report::model::{ExtraPlan, PhasePlan};

    #[test]
    fn each_sample_is_a_line_that_k6_could_have_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("points.json");
        let phase = PhasePlan { name: "the \"peak\"".into(), counted: true, start_ns: 0, end_ns: 9 };
        let extra = ExtraPlan { name: "age".into(), help: String::new() };
        let plan = Plan {
            phases: vec![phase],
            ops: vec!["GET /a".into()],
            extras: vec![extra],
            thresholds: vec!["http_req_duration: p(95) < 0.5s".into(), "lag{phase:x}: max<5".into()],
            ..Plan::default()
        };
        std::fs::write(&path, head(&plan)).unwrap();
        let mut points = Points::open(&path, &plan, Nanos(0)).unwrap();
        for k in 0..2_000_i64 {
            let (due, start, end) = (Nanos(k), Nanos(k + 1_000_000), Nanos(k + 3_000_000));
            let times = CallTimes { seq: 0, due, start, end };
            let ended = match k % 4 {
                0 => Ended::Failed(FaultKind::Rejected, 503),
                1 => Ended::Failed(FaultKind::Wrong, 0),
                _ => Ended::Ok,
            };
            points.call(0, 0, &times, ended);
        }
        points.call(
            0,
            0,
            &CallTimes { seq: 0, due: Nanos(0), start: Nanos(0), end: Nanos(1) },
            Ended::Abandoned,
        );
        points.observed(0, Nanos(5), 0, 7_000_000);
        drop(points);
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let of = |metric: &str| {
            let points = lines.iter().filter(|line| line["type"] == "Point" && line["metric"] == metric);
            points.map(|line| line["data"]["value"].as_f64().unwrap()).collect::<Vec<_>>()
        };
        assert_eq!((of("http_reqs").len(), of("age")), (2_000, vec![7.0]));
        assert!(of("http_req_duration").iter().all(|ms| (*ms - 2.0).abs() < 1e-9));
        assert!(of("response_time").iter().all(|ms| (*ms - 3.0).abs() < 1e-9));
        let failed: f64 = of("http_req_failed").iter().sum();
        assert!((failed - 500.0).abs() < 1e-9, "{failed}");
        let metric = lines.iter().find(|line| line["metric"] == "http_req_duration").unwrap();
        assert_eq!(
            (&metric["type"], &metric["data"]["thresholds"][0]),
            (&json!("Metric"), &json!("p(95)<500"))
        );
        let first = lines.iter().find(|line| line["type"] == "Point").unwrap();
        let tags = json!({ "group": "", "scenario": "default", "phase": "the \"peak\"", "name": "GET /a",
            "expected_response": "false", "error": "rejected", "status": "503" });
        assert_eq!(first["data"]["tags"], tags);
        let time: jiff::Timestamp = first["data"]["time"].as_str().unwrap().parse().unwrap();
        assert!(jiff::Timestamp::now().duration_since(time).as_secs() < 60);
    }
}
