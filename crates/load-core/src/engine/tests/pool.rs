//! What lanes share: a pool, and the seed.

use super::*;

#[test]
fn a_pool_outlives_a_timeout_and_is_opened_again_by_one_lane_when_it_is_gone() {
    let script = Scripted { service_ns: 700 * MS, sharing: Sharing::Pool, ..Scripted::quick() };
    let (run, protocol) = play("-u 8 -c 4 -d 2s --timeout 500ms", script, None);
    assert_eq!(run.ledger.calls.failed.get(FaultKind::Timeout), 8 * 4);
    assert_eq!(protocol.connects.load(Ordering::Relaxed), 1);
    assert_eq!(run.connections.opened, 4, "each connection of a pool is one");
    let users: Vec<_> = run.timeseries.points.iter().map(|point| point.vus).collect();
    assert_eq!(users[..2], [8, 8], "in the last second, too");

    let away = (3 * SECOND, 6 * SECOND);
    let script = Scripted { away, sharing: Sharing::Pool, ..Scripted::quick() };
    let (run, protocol) = play("-r 1000 -d 10s -u 20 -c 4", script, None);
    let by_second: Vec<_> = run.timeseries.points.iter().map(|p| p.failed).collect();
    assert!(by_second[3] >= 950 && by_second[4] == 1_000 && by_second[5] == 1_000, "{by_second:?}");
    assert_eq!((by_second[2], by_second[8]), (0, 0));
    assert!(protocol.connects.load(Ordering::Relaxed) < 20 * 10);
    assert_eq!(run.connections.peak, 4);

    let script = Scripted { away: (SECOND, 100 * SECOND), sharing: Sharing::Pool, ..Scripted::quick() };
    let (run, _) = play("-u 10 -c 4 -d 12s", script, None);
    let failed = run.timeseries.points[8].failed;
    assert!((5..=40).contains(&failed), "{failed}");
}

#[test]
fn what_an_iteration_draws_follows_from_its_number_alone() {
    let drawn = |line| {
        let (_, protocol) = play(line, Scripted::quick(), None);
        let mut drawn = protocol.drawn.lock().unwrap().clone();
        drawn.sort_unstable();
        drawn
    };
    let drawn_by_one = drawn("-u 1 -n 100 --seed 7");
    assert_eq!(drawn_by_one, drawn("-u 9 -n 100 --seed 7"));
    assert_ne!(drawn_by_one, drawn("-u 1 -n 100 --seed 8"));
    let different: std::collections::HashSet<_> = drawn_by_one.iter().map(|(_, drawn)| drawn).collect();
    assert_eq!(different.len(), 100);
}
