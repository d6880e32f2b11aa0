//! Connections that are held: opened no faster than allowed, replaced when they are old, and after an outage.

use super::*;

#[test]
fn connections_are_opened_no_faster_than_the_plan_allows() {
    let (run, _) = play("-c 50 -r 10 -d 2s --connect-rate 100", Scripted::quick(), None);
    assert_eq!((run.connections.opened, run.ledger.calls.ok), (50, 20));
    // The pause before an attempt is no part of the time to connect.
    assert!(run.connections.connect_ms.unwrap().max < 1.0);
}

#[test]
fn a_connection_is_replaced_when_its_time_is_over_and_no_call_suffers() {
    for line in ["-c 10 -r 100 -d 20s --lifetime 2s..4s", "-u 10 --think 100ms -d 20s --lifetime 2s..4s"] {
        let (run, protocol) = play(line, Scripted::quick(), None);
        // Ten connections, each for 3 s in the mean.
        assert!((55..=80).contains(&run.connections.opened), "{line}: {}", run.connections.opened);
        assert_eq!(protocol.connects.load(Ordering::Relaxed), run.connections.opened);
        assert_eq!((run.totals.failures, run.connections.lost, run.totals.unsent), (0, 0, 0), "{line}");
        assert_eq!(run.connections.peak, 10);
    }
}

#[test]
fn old_connections_of_users_that_say_nothing_are_replaced_too() {
    let (run, _) = play("-u 4 --think 60s -d 30s --lifetime 5s", Scripted::quick(), None);
    assert_eq!(run.connections.opened, 4 * 6);
}

#[test]
fn after_an_outage_all_come_back_no_faster_than_the_plan_allows() {
    let away = (5 * SECOND, 8 * SECOND);
    let target = Scripted { away, ..Scripted::quick() };
    let (run, _) = play("-c 200 -r 400 -d 20s --connect-rate 100", target, None);
    assert_eq!(run.connections.lost, 200, "each met the outage with a call");
    let outage = run.connections.reconnect_ms.unwrap();
    // From the loss to the server's return at the earliest, and 200 connections take two seconds more.
    assert!(outage.min > 2_400.0 && outage.max < 3_000.0 + 2_000.0 + 1_000.0, "{outage:?}");
    assert_eq!(run.connections.opened, 400);
    let storm: Vec<_> = run.timeseries.points[5..].iter().map(|point| point.opened).collect();
    assert!(storm.iter().all(|opened| *opened <= 100), "{storm:?}");
    assert_eq!(storm.iter().sum::<u64>(), 200, "{storm:?}");
    let last = run.timeseries.points.last().unwrap();
    assert_eq!((last.connections, last.failed), (200, 0));
}

#[test]
fn connections_that_end_as_soon_as_they_are_there_are_not_opened_in_a_spin() {
    let target = Scripted { dies: true, ..Scripted::quick() };
    let (run, _) = play("-u 1 --think 60s -d 10s", target, None);
    // Pauses from 25 ms up to a second.
    assert!((10..=25).contains(&run.connections.opened), "{}", run.connections.opened);
    assert_eq!(run.connections.lost, run.connections.opened);
}

#[test]
fn a_lifetime_is_for_connections_that_nobody_shares() {
    let shared = Scripted { sharing: Sharing::Shared { lanes: None }, ..Scripted::quick() };
    let refused = |line: &str, protocol: &Scripted| {
        build(&args(line), Context::of(protocol)).err().map(|error| error.to_string()).unwrap_or_default()
    };
    assert!(refused("-c 2 -u 4 --lifetime 5s", &shared).contains("users share them"));
    assert!(refused("-u 4 --lifetime 0s", &Scripted::quick()).contains("expected a time above 0"));
}
