//! A run as it might have been: seconds that hang together, calls of two ops, and a seed for all of it.

use crate::fault::FaultKind;
use crate::figures::Record;
use crate::gauge::Samples;
use crate::model::{
    End, Header, Health, LoadModel, PhasePlan, Plan, Point, RunFile, SCHEMA, Segment, Timeseries,
};
use crate::tally::{PhaseTally, Tally};

/// Calls a second.
const RATE: u32 = 50;
const SECOND_NS: i64 = 1_000_000_000;

/// What a run is like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Simulated {
    pub(super) seed: u64,
    pub(super) seconds: u32,
    /// How much a second is like the one before it.
    pub(super) phi: f64,
    /// By what all times are multiplied.
    pub(super) slow: f64,
    /// By what those of the rare op are.
    pub(super) slow_op: f64,
    /// Share of failed calls.
    pub(super) failing: f64,
}

impl Default for Simulated {
    fn default() -> Self {
        Self { seed: 1, seconds: 30, phi: 0.3, slow: 1.0, slow_op: 1.0, failing: 0.0 }
    }
}

/// `SplitMix64` (Steele, Lea, Flood, 2014).
struct Chance(u64);

impl Chance {
    fn even(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Of the normal distribution (Box and Muller, 1958).
    fn normal(&mut self) -> f64 {
        (-2.0 * (1.0 - self.even()).ln()).sqrt() * (std::f64::consts::TAU * self.even()).cos()
    }
}

impl Simulated {
    pub(super) fn run(self) -> RunFile {
        let mut chance = Chance(self.seed.wrapping_mul(0x2545_f491_4f6c_dd1d));
        let mut phase = PhaseTally::new(2, 0, 0);
        let mut mood = chance.normal();
        let points = (0..self.seconds).map(|t| {
            mood = self.phi * mood + (1.0 - self.phi * self.phi).sqrt() * chance.normal();
            self.second(t, mood, &mut chance, &mut phase)
        });
        let points = points.collect();
        phase.calls.scheduled = u64::from(RATE * self.seconds);
        phase.iterations = phase.calls.clone();
        Record {
            header: header(self.seconds),
            end: End {
                stop_ns: i64::from(self.seconds) * SECOND_NS,
                end_ns: i64::from(self.seconds) * SECOND_NS,
            },
            interrupted: false,
            recovered: false,
            warnings: Vec::new(),
            events: Vec::new(),
            timeseries: Timeseries { interval_s: 1, points },
            samples: Samples::default(),
            health: Health::default(),
            data: Tally { phases: vec![phase], ..Tally::default() },
        }
        .judge(&[])
    }

    fn second(self, t: u32, mood: f64, chance: &mut Chance, phase: &mut PhaseTally) -> Point {
        let mut times = Vec::new();
        let mut failed = 0;
        for k in 0..RATE {
            let rare = k % 5 == 0;
            let service = 10.0
                * self.slow
                * if rare { self.slow_op } else { 1.0 }
                * (0.1 * mood + 0.3 * chance.normal()).exp();
            let ns = (service * 1e6) as u64;
            let op = &mut phase.ops[usize::from(rare)];
            for histogram in [&mut phase.lag, &mut phase.wait, &mut phase.lateness] {
                histogram.record(0);
            }
            if chance.even() < self.failing {
                failed += 1;
                op.failed.add(FaultKind::Rejected, 1);
                op.response_failed.record(ns);
                op.service_failed.record(ns);
                phase.calls.failed.add(FaultKind::Rejected, 1);
                phase.iteration_failed.record(ns);
            } else {
                op.ok += 1;
                op.response_ok.record(ns);
                op.service_ok.record(ns);
                phase.calls.ok += 1;
                phase.iteration_ok.record(ns);
                times.push(service);
            }
        }
        times.sort_by(f64::total_cmp);
        let at = |q: f64| times.get(((times.len() as f64 * q).ceil() as usize).saturating_sub(1)).copied();
        Point {
            t_s: f64::from(t),
            ok: times.len() as u64,
            failed,
            p50_ms: at(0.5),
            p95_ms: at(0.95),
            p99_ms: at(0.99),
            ..Point::default()
        }
    }
}

fn header(seconds: u32) -> Header {
    let end_ns = i64::from(seconds) * SECOND_NS;
    Header {
        schema: SCHEMA.into(),
        component: "api".into(),
        run_id: "20261122T000000Z".into(),
        version: "1".into(),
        segment: Segment::WHOLE,
        started_at: "2026-11-22T00:00:00Z".into(),
        t0_monotonic_ns: 0,
        plan: Plan {
            target: "http://127.0.0.1:1".into(),
            model: LoadModel::Open,
            rate_per_s: Some(f64::from(RATE)),
            duration_s: f64::from(seconds),
            phases: vec![PhasePlan { name: "sustain".into(), counted: true, start_ns: 0, end_ns }],
            ops: vec!["often".into(), "rare".into()],
            args: serde_json::json!({ "url": "http://127.0.0.1:1", "method": "GET" }),
            ..Plan::default()
        },
    }
}
