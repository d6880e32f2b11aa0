//! The looks of whole runs in virtual time, at a target whose every answer is scripted.

use std::cell::RefCell;
use std::rc::Rc;

use load_report::gauge::{GaugeKind, GaugeUnit};

use super::*;
use crate::clock;

const MS: i64 = 1_000_000;
const SECOND: i64 = 1_000 * MS;

/// A target that takes a while to answer, is away once, and counts up by 10 a second.
struct Scripted {
    clock: Clock,
    takes_ns: i64,
    away: (i64, i64),
    /// It never answers from then on.
    silent_from: i64,
    looks: Rc<RefCell<Vec<i64>>>,
}

impl Sampler for Scripted {
    fn look(&mut self) -> Look<'_> {
        Box::pin(async {
            let begun = self.clock.now().0;
            self.looks.borrow_mut().push(begun / MS);
            if begun >= self.silent_from {
                std::future::pending::<()>().await;
            }
            self.clock.sleep_until(Nanos(begun + self.takes_ns)).await;
            if (self.away.0..self.away.1).contains(&begun) {
                return Err("connection refused".into());
            }
            Ok(vec![Reading::Value(self.clock.now().0 as f64 / 1e8)])
        })
    }

    fn remarks(&self) -> Vec<String> {
        vec!["one gauge is missing".into()]
    }
}

/// What comes of a run of so many ms: the looks, when they began, and the remarks.
fn sampled(length_ms: i64, script: impl FnOnce(&mut Scripted)) -> (Vec<Sample>, Vec<i64>, Vec<String>) {
    let clock = Clock::virtual_time();
    clock::in_virtual_time(&clock, async {
        let t0 = Nanos(SECOND);
        clock.sleep_until(Nanos(SECOND - 20 * MS)).await;
        let looks = Rc::default();
        let mut target = Scripted {
            clock: clock.clone(),
            takes_ns: MS,
            away: (0, 0),
            silent_from: i64::MAX,
            looks: Rc::clone(&looks),
        };
        script(&mut target);
        let gauge = GaugePlan {
            name: "tens".into(),
            help: String::new(),
            unit: GaugeUnit::PerS,
            kind: GaugeKind::Rate,
        };
        let mut sampling = Sampling::start(Some(Box::new(target)), &[gauge], Nanos(SECOND), &clock, t0);
        let end = t0 + Nanos(length_ms * MS);
        let mut samples = Vec::new();
        loop {
            tokio::select! {
                Some(sample) = sampling.next() => samples.push(sample),
                () = clock.sleep_until(end) => break,
            }
        }
        let (rest, remarks) = sampling.finish(false).await;
        samples.extend(rest);
        let looks = looks.borrow().iter().map(|at_ms| at_ms - 1_000).collect();
        assert!(clock.now() <= end + LAST_PATIENCE + Nanos(MS), "{:?}", clock.now());
        (samples, looks, remarks)
    })
}

fn rounded(samples: &[Sample]) -> Vec<(i64, Option<i64>)> {
    let value = |sample: &Sample| sample.values.first().copied().flatten().map(|value| value.round() as i64);
    samples.iter().map(|sample| (sample.at_ns / MS, value(sample))).collect()
}

#[test]
fn a_target_is_asked_before_time_zero_each_second_and_at_the_end() {
    let (samples, looks, remarks) = sampled(3_500, |_| {});
    assert_eq!(looks, [-20, 1_000, 2_000, 3_000, 3_500]);
    let rates = [(-19, None), (1_001, Some(10)), (2_001, Some(10)), (3_001, Some(10))];
    assert_eq!(rounded(&samples), [&rates[..], &[(3_501, Some(10))]].concat());
    assert_eq!(samples[2].from_ns, samples[1].at_ns);
    assert_eq!(remarks, ["one gauge is missing"]);
}

#[test]
fn a_target_that_is_away_leaves_a_gap_and_is_asked_less_often() {
    let away = |target: &mut Scripted| target.away = (1_500 * MS, 8_500 * MS);
    let (samples, looks, remarks) = sampled(10_500, away);
    // 1, 2 and 4 s after attempts that failed after 1 ms.
    assert_eq!(looks, [-20, 1_000, 2_001, 4_002, 8_003, 9_000, 10_000, 10_500]);
    let failed = samples.iter().filter(|sample| sample.values.is_empty()).count();
    assert_eq!(failed, 3, "{samples:?}");
    assert!(remarks[1].starts_with("3 of 8 "), "{remarks:?}");
    assert!(remarks[1].ends_with("the first after 1.0 s: connection refused"), "{remarks:?}");
    // The rate over the gap is that of the whole gap.
    let (at, value) =
        rounded(&samples).into_iter().find(|(at, value)| *at > 1_001 && value.is_some()).unwrap();
    assert_eq!((at, value), (8_004, Some(10)));
}

#[test]
fn a_target_that_is_silent_is_given_up_and_does_not_hold_the_run() {
    let (samples, looks, remarks) = sampled(9_500, |target| target.silent_from = 2_500 * MS);
    assert_eq!(looks, [-20, 1_000, 2_000, 8_000]);
    assert_eq!(
        remarks[1],
        "1 of 3 looks at the gauges failed, the first after 7.0 s: no answer within 5000 ms"
    );
    assert_eq!(samples.last().unwrap().values, []);
}

#[test]
fn a_slow_target_is_asked_at_full_seconds_all_the_same() {
    let (samples, looks, _) = sampled(5_000, |target| target.takes_ns = 1_300 * MS);
    assert_eq!(looks, [-20, 2_000, 4_000]);
    assert_eq!(rounded(&samples)[1], (3_300, Some(10)));
    // The third one was still under way at the end, and is not waited for.
    assert_eq!(samples.len(), 2);
}

#[test]
fn a_run_that_ends_at_once_does_not_ask_once_more() {
    let clock = Clock::virtual_time();
    clock::in_virtual_time(&clock, async {
        let looks = Rc::default();
        let target = Scripted {
            clock: clock.clone(),
            takes_ns: 100 * MS,
            away: (0, 0),
            silent_from: i64::MAX,
            looks: Rc::clone(&looks),
        };
        let mut sampling = Sampling::start(Some(Box::new(target)), &[], Nanos(SECOND), &clock, Nanos(0));
        clock.sleep_until(Nanos(50 * MS)).await;
        let before = clock.now();
        assert_eq!(sampling.finish(true).await, (Vec::new(), Vec::new()));
        assert_eq!((clock.now(), looks.borrow().len()), (before, 1));
    });
}
