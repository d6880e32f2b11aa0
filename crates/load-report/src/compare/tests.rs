//! Do comparisons find what has changed, and nothing else?

mod sides;
mod simulated;

use proptest::prelude::*;

use self::simulated::Simulated;
use super::*;

/// One run a side.
pub(super) fn of_two(baseline: &RunFile, current: &RunFile, rules: Rules) -> Result<Comparison, Unlike> {
    compare(&[side("then", baseline)], &[side("now", current)], rules)
}

pub(super) fn side<'a>(name: &str, run: &'a RunFile) -> Side<'a> {
    Side { name: name.into(), runs: BTreeMap::from([(run.header.component.clone(), run)]) }
}

fn find(comparison: &Comparison, op: Option<&str>, figure: Figure) -> Row {
    let mut rows = comparison.rows().map(|(_, row)| row.clone());
    rows.find(|row| row.op.as_deref() == op && row.figure == figure).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_run_is_as_good_as_itself(seed in any::<u64>(), seconds in 2_u32..40, slow in 0.5_f64..3.0) {
        let run = Simulated { seed, seconds, slow, ..Simulated::default() }.run();
        let comparison = of_two(&run, &run, Rules::default()).unwrap();
        for (_, row) in comparison.rows() {
            prop_assert_eq!(row.change, Some(0.0));
            prop_assert!(matches!(row.judgement, Change::Same | Change::NotJudged), "{:?}", row);
            prop_assert!(row.p_value.is_none_or(|p| p >= 1.0), "{:?}", row);
        }
        // With too few seconds nothing is said, and that is no pass.
        let expected = if seconds < 10 { (Change::NotJudged, Exit::NoData) } else { (Change::Same, Exit::Pass) };
        prop_assert_eq!((comparison.verdict, comparison.exit), expected);
    }

    #[test]
    fn what_is_worse_one_way_is_better_the_other_way(seed in any::<u64>(), slow in 0.4_f64..2.5) {
        let (one, other) = (Simulated { seed, ..Simulated::default() }, Simulated { seed: !seed, slow, ..Simulated::default() });
        let (one, other) = (one.run(), other.run());
        let there = of_two(&one, &other, Rules::default()).unwrap();
        let back = of_two(&other, &one, Rules::default()).unwrap();
        for ((_, row), (_, mirrored)) in there.rows().zip(back.rows()) {
            let (change, back) = (row.change.unwrap(), mirrored.change.unwrap());
            prop_assert!(change * back <= 0.0, "{change} {back}");
            if row.figure.quantile().is_some() {
                prop_assert!(((1.0 + change) * (1.0 + back) - 1.0).abs() < 1e-9);
                prop_assert!((row.p_value.unwrap_or(0.0) - mirrored.p_value.unwrap_or(0.0)).abs() < 1e-6);
            }
            prop_assert!(!(row.judgement == Change::Worse && mirrored.judgement == Change::Worse));
        }
    }

    #[test]
    fn times_that_are_k_times_longer_are_shown_as_that(seed in any::<u64>(), k in 1.0_f64..20.0) {
        let run = Simulated { seed, ..Simulated::default() };
        // The same calls, every one of which takes k times as long.
        let (one, other) = (run.run(), Simulated { slow: k, ..run }.run());
        let comparison = of_two(&one, &other, Rules::default()).unwrap();
        for (_, row) in comparison.rows().filter(|(_, row)| row.figure.quantile().is_some()) {
            // Each side is off by a bucket at most: a thousandth.
            prop_assert!((row.change.unwrap() + 1.0 - k).abs() <= k * 0.0021, "{k}: {row:?}");
        }
    }
}

/// How many of `pairs` comparisons find one of `changes` at the level alone, without a margin for noise; seconds hang
/// together by `phi`.
fn found(pairs: u64, phi: f64, seconds: u32, slow: f64, changes: &[Change]) -> usize {
    let run = |seed: u64, slow: f64| Simulated { seed, seconds, phi, slow, ..Simulated::default() }.run();
    let rules = Rules { noise: 0.0, error_noise: 0.0, ..Rules::default() };
    let comparisons = (0..pairs).map(|k| of_two(&run(2 * k, 1.0), &run(2 * k + 1, slow), rules).unwrap());
    comparisons.filter(|comparison| changes.iter().any(|&change| comparison.count(change) > 0)).count()
}

#[test]
fn equal_runs_are_told_apart_no_more_often_than_promised() {
    for (phi, seconds) in [(0.0, 30), (0.5, 30), (0.7, 60)] {
        let alarms = found(200, phi, seconds, 1.0, &[Change::Worse, Change::Better]);
        assert!(alarms <= 10, "{alarms} of 200 pairs of equal runs were told apart, phi {phi}, {seconds} s");
    }
}

#[test]
fn a_fifth_slower_is_found_in_most_runs() {
    for (phi, seconds, least) in [(0.0, 30, 80), (0.5, 60, 90)] {
        let hits = found(100, phi, seconds, 1.2, &[Change::Worse]);
        assert!(hits >= least, "{hits} of 100 were found, phi {phi}, {seconds} s");
    }
}

#[test]
fn one_slow_op_is_named() {
    let (one, other) = (Simulated::default(), Simulated { seed: 7, slow_op: 2.0, ..Simulated::default() });
    let comparison = of_two(&one.run(), &other.run(), Rules::default()).unwrap();
    assert_eq!((comparison.verdict, comparison.exit), (Change::Worse, Exit::Regression));
    assert_eq!(find(&comparison, Some("rare"), Figure::ResponseP50).judgement, Change::Worse);
    assert_eq!(find(&comparison, Some("often"), Figure::ResponseP50).judgement, Change::Same);
}

#[test]
fn errors_are_compared_by_points() {
    let (one, other) = (Simulated::default(), Simulated { seed: 7, failing: 0.05, ..Simulated::default() });
    let comparison = of_two(&one.run(), &other.run(), Rules::default()).unwrap();
    let row = find(&comparison, None, Figure::ErrorRate);
    assert!(row.judgement == Change::Worse && (row.change.unwrap() - 0.05).abs() < 0.02, "{row:?}");
    let forgiven = of_two(&one.run(), &other.run(), Rules { error_noise: 0.1, ..Rules::default() }).unwrap();
    assert_eq!(find(&forgiven, None, Figure::ErrorRate).judgement, Change::Same);
}

#[test]
fn a_change_within_the_noise_is_none_however_certain() {
    let (one, other) = (Simulated::default(), Simulated { slow: 1.03, ..Simulated::default() });
    let strict = Rules { noise: 0.01, ..Rules::default() };
    assert_eq!(of_two(&one.run(), &other.run(), strict).unwrap().verdict, Change::Worse);
    assert_eq!(of_two(&one.run(), &other.run(), Rules::default()).unwrap().verdict, Change::Same);
}
