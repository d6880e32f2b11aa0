//! Whether figures are those of the looks, however they are divided.

use super::*;
use crate::collect::tests::header;
use proptest::prelude::*;

const SECOND_NS: i64 = 1_000_000_000;

fn plan(seconds: i64) -> Plan {
    let gauge =
        |name: &str, kind| GaugePlan { name: name.into(), help: String::new(), unit: GaugeUnit::Count, kind };
    let gauges = vec![gauge("level", GaugeKind::Level), gauge("growth", GaugeKind::Growth)];
    Plan { gauges, ..header(seconds).plan }
}

fn sample(from_ms: i64, at_ms: i64, values: [Option<f64>; 2]) -> Sample {
    Sample { from_ns: from_ms * 1_000_000, at_ns: at_ms * 1_000_000, values: values.into() }
}

fn all(plan: &Plan, samples: &[Sample]) -> Samples {
    let mut sum = Samples::default();
    samples.iter().for_each(|sample| sum.absorb(sample, plan));
    sum
}

#[test]
fn figures_are_those_of_the_counted_phases_and_a_look_speaks_of_the_time_before_it() {
    let mut plan = plan(10);
    let phase = |name: &str, counted, from: i64, to: i64| PhasePlan {
        name: name.into(),
        counted,
        start_ns: from * SECOND_NS,
        end_ns: to * SECOND_NS,
    };
    plan.phases =
        vec![phase("connect", false, 0, 0), phase("warm-up", false, 0, 2), phase("sustain", true, 2, 4)];
    let samples = [
        sample(-10, -10, [Some(9.0), Some(0.0)]),
        sample(-10, 1_003, [Some(8.0), Some(1.0)]),
        sample(1_003, 2_002, [Some(7.0), Some(2.0)]),
        Sample::default(),
        sample(2_002, 3_004, [Some(1.0), None]),
        sample(3_004, 4_003, [Some(3.0), Some(4.0)]),
    ];
    let sum = all(&plan, &samples);
    assert_eq!((sum.answered, sum.failed, sum.points.len()), (5, 1, 5));
    let [level, growth] = <[_; 2]>::try_from(sum.reports(&plan)).unwrap();
    let figures = (level.count, level.min, level.mean, level.max, level.last);
    assert_eq!(figures, (2, Some(1.0), Some(2.0), Some(3.0), Some(3.0)));
    assert_eq!((growth.count, growth.min, growth.last), (1, Some(4.0), Some(4.0)));
    let warm_up = sum.tally(&plan, 0, |phase| phase.name == "warm-up");
    assert_eq!((warm_up.count, warm_up.max, warm_up.last), (2, 8.0, 7.0));
    // The one before time zero is of no phase.
    assert_eq!(sum.points[0].t_s.to_bits(), 0.0_f64.to_bits());
}

#[test]
fn a_long_run_keeps_every_figure_and_at_most_3600_points() {
    let plan = plan(10_000);
    let samples: Vec<_> =
        (0..10_000).map(|s| sample(s * 1_000, s * 1_000 + 1_000, [Some(s as f64), None])).collect();
    let sum = all(&plan, &samples);
    assert_eq!((sum.answered, sum.every_s, sum.points.len()), (10_000, 4, 2_501));
    let report = &sum.reports(&plan)[0];
    assert_eq!((report.count, report.min, report.max), (10_000, Some(0.0), Some(9_999.0)));
    assert_eq!(report.mean, Some(4_999.5));
}

/// Looks in any order of time, and with whole numbers, whose sums are exact.
fn looks() -> impl Strategy<Value = Vec<Sample>> {
    let value = || prop::option::of((-1_000..1_000_i32).prop_map(f64::from));
    let look = (0_i64..9_000, 0_i64..2_000, value(), value(), any::<bool>());
    let look =
        look.prop_map(
            |(at_ms, length_ms, a, b, answered)| {
                if answered { sample(at_ms - length_ms, at_ms, [a, b]) } else { Sample::default() }
            },
        );
    prop::collection::vec(look, 0..40).prop_map(|mut looks| {
        looks.sort_by_key(|look| look.at_ns);
        looks
    })
}

fn merged(parts: &[&Samples]) -> Samples {
    let mut sum = Samples::default();
    parts.iter().for_each(|part| sum.merge(part));
    sum
}

proptest! {
    #[test]
    fn parts_in_any_order_are_the_union_of_their_looks(a in looks(), b in looks(), c in looks()) {
        let plan = plan(9);
        let [x, y, z] = [&a, &b, &c].map(|looks| all(&plan, looks));
        let left = merged(&[&merged(&[&x, &y]), &z]);
        prop_assert_eq!(&left, &merged(&[&x, &merged(&[&y, &z])]));
        prop_assert_eq!(&left, &merged(&[&z, &y, &x]));
        let mut union = [a, b, c].concat();
        union.sort_by_key(|look| look.at_ns);
        let whole = all(&plan, &union);
        prop_assert_eq!((left.answered, left.failed), (whole.answered, whole.failed));
        prop_assert_eq!(left.points.len() as u64, whole.answered);
        let figures = |of: &Samples| -> Vec<_> {
            of.reports(&plan).iter().map(|r| (r.count, r.min, r.mean, r.max)).collect()
        };
        prop_assert_eq!(figures(&left), figures(&whole));
    }

    #[test]
    fn thinned_parts_are_what_the_thinned_whole_is(seed in 1_i64..1_000) {
        let plan = plan(9_000);
        let looks: Vec<_> = (0..9_000_i64)
            .map(|k| (k * 1_000 + k * seed % 997, k))
            .map(|(at_ms, k)| sample(at_ms - 1_000, at_ms, [Some(k as f64), None]))
            .collect();
        let part = |n: usize| all(&plan, &looks.iter().skip(n).step_by(3).cloned().collect::<Vec<_>>());
        let parts = [part(0), part(1), part(2)];
        let whole = all(&plan, &looks);
        prop_assert_eq!(&merged(&[&parts[1], &parts[2], &parts[0]]), &whole);
        prop_assert_eq!(&merged(&[&parts[2], &merged(&[&parts[0], &parts[1]])]), &whole);
    }
}

#[test]
fn a_slope_is_that_of_the_nearest_line_however_the_looks_are_divided() {
    let tally = |looks: &[(f64, f64)]| {
        let mut tally = GaugeTally::default();
        looks.iter().for_each(|(at_s, value)| tally.add(*value, *at_s));
        tally
    };
    assert_eq!(tally(&[]).slope(), None);
    assert_eq!(tally(&[(5.0, 1.0)]).slope(), None);
    assert_eq!(tally(&[(5.1, 1.0), (5.1, 2.0), (5.1, 4.0)]).slope(), None);
    // A saw: it ends where it began, and leaks 1,000 bytes a second nevertheless.
    let saw: Vec<_> =
        (0..600).map(|s| (f64::from(s), 1e9 + f64::from(s) * 1e3 + f64::from(s % 10) * 1e5)).collect();
    let slope = tally(&saw).slope().unwrap();
    assert!((slope - 1e3).abs() < 200.0, "{slope}");
    let mut parts = tally(&saw[300..]);
    parts.merge(&tally(&saw[..300]));
    assert!((parts.slope().unwrap() - slope).abs() < 1e-3);
    // Hours later, and of values that hardly differ from each other.
    let line: Vec<_> = (0..100).map(|s| (86_400.0 + f64::from(s), 4e10 + f64::from(s) * 5.0)).collect();
    assert!((tally(&line).slope().unwrap() - 5.0).abs() < 0.5, "{:?}", tally(&line).slope());
}
