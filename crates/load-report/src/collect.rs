//! How do deltas become a record? The one place where frames are added up, live or from a journal.

use std::collections::BTreeMap;

use crate::figures::{Record, all_ops};
use crate::gauge::{Sample, Samples};
use crate::hist::Histogram;
use crate::journal::{Footer, Frame, Usage};
use crate::live::Present;
use crate::model::{End, Header, Health, Point, Timeseries};
use crate::tally::{Ledger, Tally};

/// Most points of a time series.
pub const MAX_POINTS: usize = 3_600;
/// Newest points that keep their histogram, to take the frames of workers that report late.
const OPEN_POINTS: usize = 4;
const SECOND_NS: i64 = 1_000_000_000;

/// Adds up the frames of all workers of a run.
#[derive(Clone, Debug)]
pub struct Collector {
    header: Header,
    data: Tally,
    series: Series,
    samples: Samples,
    usage: BTreeMap<u32, Usage>,
    workers: BTreeMap<(u32, u32), Worker>,
    health: Health,
}

/// What the last frame of a worker said.
#[derive(Clone, Debug, Default)]
struct Worker {
    reached_ns: i64,
    vus: u32,
    in_flight: u32,
    connections: u32,
    seconds: u32,
    busy_seconds: u32,
}

impl Collector {
    /// An empty record of the run that `header` describes.
    pub fn new(header: Header) -> Self {
        Self {
            header,
            data: Tally::default(),
            series: Series::default(),
            samples: Samples::default(),
            usage: BTreeMap::new(),
            workers: BTreeMap::new(),
            health: Health::default(),
        }
    }

    /// Adds what one worker counted in one interval.
    pub fn absorb(&mut self, frame: &Frame) {
        self.data.merge(&frame.tally);
        let worker = self.workers.entry((frame.process, frame.worker)).or_default();
        worker.reached_ns = worker.reached_ns.max(frame.to_ns);
        (worker.vus, worker.in_flight, worker.connections) = (frame.vus, frame.in_flight, frame.connections);
        // A frame that ends well before its second is the last one of a run and says nothing about idle time.
        let length_ns = frame.to_ns - frame.from_ns;
        if length_ns >= SECOND_NS / 2 {
            worker.seconds += 1;
            worker.busy_seconds += u32::from(frame.busy);
        }
        let missed = (length_ns + SECOND_NS / 2) / SECOND_NS - 1;
        self.health.missed_snapshots = self.health.missed_snapshots.max(u32::try_from(missed).unwrap_or(0));
        self.health.run_queue_ns += frame.run_queue_ns;
        let Present { vus, in_flight, connections, .. } = self.present();
        self.health.peak_vus = self.health.peak_vus.max(vus);
        self.health.peak_connections = self.health.peak_connections.max(connections);
        self.series.absorb(frame, vus, in_flight, connections);
    }

    /// Notes what one process has used so far.
    pub fn usage(&mut self, usage: Usage) {
        self.usage.insert(usage.process, usage);
    }

    /// Adds one look at the gauges.
    pub fn sample(&mut self, sample: &Sample) {
        self.samples.absorb(sample, &self.header.plan);
    }

    /// The sum so far.
    pub fn data(&self) -> &Tally {
        &self.data
    }

    /// What is recorded, and of which plan.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// What the target has said of itself so far.
    pub fn samples(&self) -> &Samples {
        &self.samples
    }

    /// What the workers said last of what they have, and what the processes have used so far.
    pub fn present(&self) -> Present {
        let sum = |of: fn(&Worker) -> u32| self.workers.values().map(|w| u64::from(of(w))).sum();
        Present {
            vus: sum(|w| w.vus),
            in_flight: sum(|w| w.in_flight),
            connections: sum(|w| w.connections),
            cpu_ns: self.usage.values().map(|usage| usage.cpu_ns).sum(),
            max_rss_bytes: self.usage.values().map(|usage| usage.max_rss_bytes).sum(),
        }
    }

    /// The last interval that all workers have reported on, with its percentiles.
    pub fn latest(&self) -> Option<Point> {
        let index = self.series.points.len().checked_sub(1)?;
        let mut point = self.series.points[index];
        if let Some(response) = self.series.open.get(&index) {
            describe(&mut point, response);
        }
        Some(point)
    }

    /// How far the slowest worker has reported.
    pub fn reached(&self) -> End {
        let reached = self.workers.values().map(|w| w.reached_ns).min().unwrap_or(0);
        let stop_ns = reached.min((self.header.plan.duration_s * 1e9) as i64);
        End { stop_ns, end_ns: reached }
    }

    /// The record as it stands, as if the run ended now: what is in flight stays out of both accounts.
    pub fn so_far(&self) -> Record {
        let mut copy = self.clone();
        for phase in &mut copy.data.phases {
            phase.iterations.scheduled = phase.iterations.accounted();
            phase.calls.scheduled = phase.calls.accounted();
        }
        let end = copy.reached();
        copy.finish(Footer { end, ..Footer::default() })
    }

    /// The record of a run that ended as `footer` says. What no frame accounts for is lost.
    pub fn finish(mut self, footer: Footer) -> Record {
        if !footer.lost.is_empty() {
            for phase in &mut self.data.phases {
                lose_the_rest(&mut phase.iterations);
                lose_the_rest(&mut phase.calls);
            }
        }
        let health = &mut self.health;
        health.lost = footer.lost;
        health.busy_seconds = self.workers.values().map(|w| (w.seconds, w.busy_seconds)).collect();
        health.worker_seconds = self.workers.values().map(|w| u64::from(w.seconds)).sum();
        for usage in self.usage.values() {
            health.cpu_ns += usage.cpu_ns;
            health.max_rss_bytes += usage.max_rss_bytes;
            health.control_calls += usage.control_calls;
            health.clock_jump_ms = health.clock_jump_ms.max(usage.clock_jump_ns as f64 / 1e6);
        }
        Record {
            header: self.header,
            end: footer.end,
            interrupted: footer.interrupted,
            recovered: false,
            warnings: Vec::new(),
            events: Vec::new(),
            timeseries: self.series.finish(),
            samples: self.samples,
            health: self.health,
            data: self.data,
        }
    }
}

fn lose_the_rest(ledger: &mut Ledger) {
    ledger.lost += ledger.scheduled.saturating_sub(ledger.accounted());
}

/// The time series while it grows.
#[derive(Clone, Debug)]
struct Series {
    interval_s: u32,
    points: Vec<Point>,
    /// Response times of the newest points, by index of the point.
    open: BTreeMap<usize, Histogram>,
}

impl Default for Series {
    fn default() -> Self {
        Self { interval_s: 1, points: Vec::new(), open: BTreeMap::new() }
    }
}

impl Series {
    fn absorb(&mut self, frame: &Frame, vus: u64, in_flight: u64, connections: u64) {
        // Frames begin a little after the full second; the middle of the frame tells which second it is of.
        let middle = i64::midpoint(frame.from_ns, frame.to_ns).max(0);
        let mut index = (middle / (SECOND_NS * i64::from(self.interval_s))) as usize;
        // What is left of a run of so many seconds is no reason to halve it: it is of the last one.
        if index == MAX_POINTS && frame.to_ns - frame.from_ns < SECOND_NS / 2 {
            index -= 1;
        }
        while index >= MAX_POINTS {
            self.halve();
            index /= 2;
        }
        while self.points.len() <= index {
            let t_s = (self.points.len() as u32 * self.interval_s).into();
            self.points.push(Point { t_s, ..Point::default() });
        }
        let point = &mut self.points[index];
        (point.vus, point.in_flight, point.connections) = (vus, in_flight, connections);
        count(point, self.open.entry(index).or_default(), frame);
        self.close_before(index.saturating_sub(OPEN_POINTS));
    }

    /// Computes the percentiles of the points before `index` and drops their histograms.
    fn close_before(&mut self, index: usize) {
        let still_open = self.open.split_off(&index);
        for (index, response) in std::mem::replace(&mut self.open, still_open) {
            describe(&mut self.points[index], &response);
        }
    }

    /// Doubles the interval. Percentiles of two points cannot be joined and are dropped.
    fn halve(&mut self) {
        self.close_before(usize::MAX);
        self.points = self.points.chunks(2).map(|pair| pair[1..].iter().fold(pair[0], join)).collect();
        self.interval_s *= 2;
    }

    fn finish(mut self) -> Timeseries {
        self.close_before(usize::MAX);
        Timeseries { interval_s: self.interval_s, points: self.points }
    }
}

/// Adds what `frame` counted to `point`, and its response times to `response`.
pub(crate) fn count(point: &mut Point, response: &mut Histogram, frame: &Frame) {
    for phase in &frame.tally.phases {
        point.opened += phase.connects.opened;
        let all = all_ops(&phase.ops);
        point.ok += all.ok;
        point.failed += all.failed.total();
        point.bytes_sent += all.bytes_sent;
        point.bytes_received += all.bytes_received;
        response.merge(&all.response_ok);
    }
}

/// Puts the figures of `response` into `point`.
pub(crate) fn describe(point: &mut Point, response: &Histogram) {
    let at = |q| (!response.is_empty()).then(|| response.quantile_ns(q) as f64 / 1e6);
    (point.p50_ms, point.p95_ms, point.p99_ms) = (at(0.5), at(0.95), at(0.99));
    (point.mean_ms, point.max_ms) = (response.mean_ns() / 1e6, response.max_ns() as f64 / 1e6);
}

/// Two points that follow one another as one. A percentile of both lies between the two of theirs.
pub fn join(a: Point, b: &Point) -> Point {
    let p95_between_ms = match (a.p95_between(), b.p95_between()) {
        (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
        (Some(known), None) if b.ok == 0 => Some(known),
        (None, Some(known)) if a.ok == 0 => Some(known),
        _ => None,
    };
    let ok = a.ok + b.ok;
    let mean_ms = if ok == 0 { 0.0 } else { (a.mean_ms * a.ok as f64 + b.mean_ms * b.ok as f64) / ok as f64 };
    Point {
        t_s: a.t_s,
        ok,
        failed: a.failed + b.failed,
        bytes_sent: a.bytes_sent + b.bytes_sent,
        bytes_received: a.bytes_received + b.bytes_received,
        vus: b.vus,
        in_flight: b.in_flight,
        connections: b.connections,
        opened: a.opened + b.opened,
        mean_ms,
        p50_ms: None,
        p95_ms: None,
        p99_ms: None,
        max_ms: a.max_ms.max(b.max_ms),
        p95_between_ms,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::model::{LoadModel, PhasePlan, Plan, SCHEMA, Segment};
    use crate::tally::PhaseTally;

    /// The header of an open run of `seconds` with one phase and one op.
    pub(crate) fn header(seconds: i64) -> Header {
        let phase =
            PhasePlan { name: "sustain".into(), counted: true, start_ns: 0, end_ns: seconds * SECOND_NS };
        let plan = Plan {
            target: "http://127.0.0.1:1/".into(),
            model: LoadModel::Open,
            vus: 1,
            max_vus: 1,
            connections: 1,
            rate_per_s: Some(100.0),
            arrivals: Some("constant".into()),
            duration_s: seconds as f64,
            warmup_s: 0.0,
            requests: None,
            stages: Vec::new(),
            phases: vec![phase],
            think_s: None,
            timeout_s: 30.0,
            graceful_stop_s: 30.0,
            threads: 1,
            processes: 1,
            seed: 1,
            ops: vec!["GET /".into()],
            extras: Vec::new(),
            counters: Vec::new(),
            rates: Vec::new(),
            gauges: Vec::new(),
            sample_s: None,
            thresholds: Vec::new(),
            rehearsal: None,
            tags: BTreeMap::new(),
            args: serde_json::Value::Null,
        };
        Header {
            schema: SCHEMA.into(),
            component: "api".into(),
            run_id: "test".into(),
            version: "0.0.0".into(),
            segment: Segment::WHOLE,
            started_at: "2026-01-01T00:00:00Z".into(),
            t0_monotonic_ns: 0,
            plan,
        }
    }

    /// Second `second` of `worker`: of `scheduled` calls, `ok` have ended after 1 ms each.
    pub(crate) fn frame(worker: u32, second: u32, scheduled: u64, ok: u64) -> Frame {
        let mut phase = PhaseTally::new(1, 0, 0);
        for ledger in [&mut phase.iterations, &mut phase.calls] {
            (ledger.scheduled, ledger.ok) = (scheduled, ok);
        }
        phase.ops[0].ok = ok;
        phase.ops[0].response_ok.record_n(1_000_000, ok);
        phase.ops[0].service_ok.record_n(1_000_000, ok);
        phase.iteration_ok.record_n(1_000_000, ok);
        let from_ns = i64::from(second) * SECOND_NS;
        let tally = Tally { phases: vec![phase], ..Tally::default() };
        Frame { worker, from_ns, to_ns: from_ns + SECOND_NS, connections: 5, tally, ..Frame::default() }
    }

    #[test]
    fn frames_of_two_workers_share_a_point() {
        let mut collector = Collector::new(header(10));
        for second in 0..3 {
            collector.absorb(&frame(0, second, 10, 10));
            collector.absorb(&frame(1, second, 20, 20));
        }
        let record = collector.finish(Footer::default());
        assert_eq!(record.timeseries.points.iter().map(|p| p.ok).collect::<Vec<_>>(), [30, 30, 30]);
        assert_eq!(record.health.peak_connections, 10);
        assert!((record.timeseries.points[1].p99_ms.unwrap() - 1.0).abs() < 0.001);
    }

    #[test]
    fn a_long_run_keeps_at_most_3600_points_and_every_call() {
        let mut collector = Collector::new(header(10_000));
        (0..10_000).for_each(|second| collector.absorb(&frame(0, second, 1, 1)));
        let series = collector.finish(Footer::default()).timeseries;
        assert_eq!((series.interval_s, series.points.len()), (4, 2_500));
        assert_eq!(series.points.iter().map(|p| p.ok).sum::<u64>(), 10_000);
    }

    #[test]
    fn a_long_frame_means_missed_snapshots() {
        let mut collector = Collector::new(header(10));
        let mut late = frame(0, 0, 1, 1);
        late.to_ns = 4 * SECOND_NS + 1_000_000;
        collector.absorb(&late);
        assert_eq!(collector.finish(Footer::default()).health.missed_snapshots, 3);
    }
}
