//! What do those who watch get to see? Once a second the page of metrics and the figures of the interval.

use load_report::collect::Collector;
use load_report::gauge::Samples;
use load_report::journal::Frame;
use load_report::live::{Interval, Present, phase_at};
use load_report::model::{Header, Point};
use load_report::render::prometheus::{self, Labels, Scene};
use load_report::tally::Tally;
use load_report::threshold::{Threshold, evaluate_one};
use serde::Serialize;
use serde_json::json;

use super::Live;
use super::feed::message;
use crate::clock::{Alarm, Clock, Nanos};

const SECOND: Nanos = Nanos(1_000_000_000);
/// Behind each full second, so that all workers have reported on it.
const BEHIND: Nanos = Nanos(300_000_000);

/// The conductor's side of a [`Live`].
pub(crate) struct Show<'a> {
    live: &'a Live,
    labels: Labels,
    thresholds: &'a [Threshold],
    interval: Interval,
    /// Where it begins, seconds since time zero.
    from_s: f64,
    phases_told: usize,
    clock: Clock,
    t0: Nanos,
    alarm: Alarm,
}

/// An interval as it is told.
#[derive(Serialize)]
struct Told<'a> {
    phase: Option<&'a str>,
    #[serde(flatten)]
    point: Point,
}

impl<'a> Show<'a> {
    /// The run that `header` describes begins at `t0`.
    pub(crate) fn start(
        live: &'a Live,
        header: &Header,
        thresholds: &'a [Threshold],
        clock: &Clock,
        t0: Nanos,
    ) -> Self {
        let plan = &header.plan;
        let run = json!({
            "component": header.component, "run_id": header.run_id, "version": header.version,
            "segment": header.segment.to_string(), "started_at": header.started_at, "target": plan.target,
            "model": plan.model, "duration_s": plan.duration_s, "phases": plan.phases, "ops": plan.ops,
            "thresholds": plan.thresholds,
        });
        let labels = Labels::new(header, |text| live.secrets.strike(text));
        let scene = Scene {
            header,
            elapsed_ns: (clock.now() - t0).0,
            data: &Tally::default(),
            samples: &Samples::default(),
            present: Present::default(),
            thresholds: &[],
        };
        let metrics = prometheus::text(&labels, &scene).into();
        // Who begins to listen in between gets it twice, which is better than never.
        live.shown.send_modify(|shown| {
            (shown.metrics, shown.hello) = (metrics, message("run", &run, &live.secrets));
        });
        live.feed.tell("run", &run);
        let alarm = clock.alarm();
        alarm.set(t0 + SECOND + BEHIND);
        Self {
            live,
            labels,
            thresholds,
            interval: Interval::default(),
            from_s: 0.0,
            phases_told: 0,
            clock: clock.clone(),
            t0,
            alarm,
        }
    }

    /// Waits until it is time for the next look.
    pub(crate) async fn due(&self) {
        self.alarm.wait().await;
    }

    /// A worker has counted.
    pub(crate) fn absorb(&mut self, frame: &Frame) {
        self.interval.absorb(frame);
    }

    /// Shows how it goes.
    pub(crate) fn look(&mut self, collector: &Collector) {
        let elapsed = self.clock.now() - self.t0;
        let seconds = elapsed.0.div_euclid(SECOND.0);
        self.alarm.set(self.t0 + Nanos((seconds + 1) * SECOND.0) + BEHIND);
        let (header, present) = (collector.header(), collector.present());
        let reports = if self.thresholds.is_empty() {
            Vec::new()
        } else {
            let run = collector.so_far().into_figures();
            self.thresholds.iter().map(|threshold| evaluate_one(threshold, &run)).collect()
        };
        let scene = Scene {
            header,
            elapsed_ns: elapsed.0,
            data: collector.data(),
            samples: collector.samples(),
            present,
            thresholds: &reports,
        };
        let metrics = prometheus::text(&self.labels, &scene).into();
        self.live.shown.send_modify(|shown| shown.metrics = metrics);
        let phases = &header.plan.phases;
        let phase = phase_at(phases, elapsed.0);
        let told = phase.map(|index| &phases[index]);
        // Short ones may have passed since the last look.
        let begun = self.phases_told..phase.map_or(0, |index| index + 1);
        self.phases_told = self.phases_told.max(begun.end);
        begun.for_each(|index| self.live.feed.tell("phase", &phases[index]));
        let point = self.interval.take(self.from_s, &present);
        self.from_s = seconds as f64;
        self.live.feed.tell("interval", &Told { phase: told.map(|phase| phase.name.as_str()), point });
    }

    /// A part of the generator is gone.
    pub(crate) fn lost(&self, what: &str) {
        self.live.feed.tell("lost", &json!({ "what": what }));
    }

    /// Nothing new begins any more, before its time.
    pub(crate) fn stopping(&self, why: &str) {
        self.live.feed.tell("stopping", &json!({ "why": why }));
    }
}
