//! Does the tool count what the server did, and measure what was scripted?

use load_report::fault::FaultKind;
use tool_tests::timed;

use crate::{calls, run, server, url};

#[test]
fn every_call_is_counted_as_the_server_counts_it() {
    let server = server("pending = \"5ms\"\nwork = \"20ms\"");
    let left = run(&url(&server), "-u 10 -n 100 --poll-interval 10ms --max-polls 100");
    assert_eq!(left.code, 0, "{}{}", left.stdout, left.stderr);
    let truth = server.dwcp_truth();
    assert_eq!(calls(&left, "POST migrations"), truth.posts);
    assert_eq!(calls(&left, "GET migrations/{job_id}"), truth.looks);
    assert_eq!(calls(&left, "GET stats"), truth.stats);
    assert_eq!(calls(&left, "GET migrations"), truth.lists);
    assert_eq!((truth.posts, truth.completed, truth.versions, truth.others), (100, 100, 1, 0));
    assert_eq!((left.counter("jobs_started"), left.counter("jobs_completed")), (100, 100));
    for nothing in ["jobs_failed", "jobs_lost", "jobs_duplicated", "jobs_data_loss", "events_duplicated"] {
        assert_eq!(left.counter(nothing), 0, "{nothing}");
    }
    // One stream a user, and the one that asked whether there is one.
    assert_eq!(truth.streams, 11);
    // The first event of a job may come with the one after it, the last at the latest before the list.
    assert!(
        left.counter("events") <= truth.events && left.counter("events") >= 290,
        "{}",
        left.counter("events")
    );
}

#[test]
fn scripted_times_come_back() {
    timed(|| {
        let server = server("accept = \"20ms\"\npending = \"30ms\"\nwork = \"100ms\"");
        let left = run(&url(&server), "-u 4 -n 20 --poll-interval 500ms");
        assert_eq!(left.code, 0, "{}", left.stderr);
        let extras = &left.run().extras;
        let series = |name: &str| extras.iter().find(|extra| extra.name == name).unwrap().ms.unwrap();
        // States count from the order's arrival.
        let (migration, protocol, event) =
            (series("migration_time"), series("protocol_latency"), series("event_latency"));
        assert!(migration.min >= 129.0 && protocol.min >= 20.0, "{migration:?}, {protocol:?}");
        // Looks are 500 ms apart: only an event can tell so early.
        let early = migration.p50 < 200.0 && event.p50 < 50.0;
        if early { Ok(()) } else { Err(format!("{migration:?}, {event:?}")) }
    });
}

#[test]
fn without_events_the_next_look_sees_the_end() {
    let server = server("pending = \"0s\"\nwork = \"60ms\"");
    let left = run(&url(&server), "-u 1 -n 3 --poll-interval 100ms --no-stream --no-list");
    assert_eq!(left.code, 0, "{}", left.stderr);
    let time = left.run().extras[0].ms.unwrap();
    assert!(time.min >= 100.0, "{time:?}");
    assert_eq!((server.dwcp_truth().streams, server.dwcp_truth().lists), (0, 0));
}

#[test]
fn what_goes_wrong_with_jobs_is_reported_each_as_what_it_is() {
    let fails = [("lose", 7), ("fail", 5), ("duplicate", 4), ("data_loss", 3), ("repeat_event", 2)];
    let fails: Vec<_> = fails.iter().map(|(how, n)| format!("{{ every = {n}, how = \"{how}\" }}")).collect();
    let server = server(&format!("pending = \"1ms\"\nwork = \"5ms\"\nfail = [{}]", fails.join(", ")));
    let left = run(&url(&server), "-u 5 -n 210 --poll-interval 20ms --max-polls 50");
    // error_rate counts them all.
    assert_eq!(left.code, 99, "{}", left.stderr);
    let truth = server.dwcp_truth();
    assert_eq!(left.counter("jobs_started"), truth.accepted);
    assert_eq!(left.counter("jobs_lost"), truth.lost);
    assert_eq!(left.counter("jobs_failed"), truth.failed);
    assert_eq!(left.counter("jobs_duplicated"), truth.duplicated);
    assert_eq!(left.counter("jobs_data_loss"), truth.data_loss);
    assert!(left.counter("events_duplicated") > 20);
    let wrong = truth.lost + truth.failed + truth.duplicated + truth.data_loss;
    assert_eq!(left.run().ledger.calls.failed.get(FaultKind::Wrong), wrong);
}

#[test]
fn a_rejected_order_is_no_job() {
    let server = server("work = \"1ms\"\nfail = { every = 3, how = \"reject:503\" }");
    let left = run(&url(&server), "-u 2 -n 30 --poll-interval 10ms");
    assert_eq!((left.code, left.counter("jobs_started")), (99, 20));
    assert_eq!(left.run().ledger.calls.failed.get(FaultKind::Rejected), server.dwcp_truth().rejected[&503]);
}

#[test]
fn a_job_that_does_not_end_is_lost_at_the_last_look() {
    let server = server("work = \"1h\"");
    let left = run(&url(&server), "-u 3 -n 3 --poll-interval 5ms --max-polls 4");
    assert_eq!((left.code, left.counter("jobs_lost"), server.dwcp_truth().looks), (99, 3, 12));
    assert_eq!(left.run().ledger.calls.failed.get(FaultKind::Wrong), 3);
}

#[test]
fn the_server_is_asked_what_it_uses() {
    let server = server("");
    let page = format!("http://{}/truth/metrics", server.http_addr().unwrap());
    let left = run(&url(&server), &format!("-u 2 --think 50ms -d 1500ms --sample 300ms --sample-url {page}"));
    let run = left.run();
    assert!(run.samples.answered > 1 && run.samples.failed == 0, "{:?}", run.warnings);
    let memory = run.gauges.iter().find(|gauge| gauge.name == "process_memory").unwrap();
    assert!(memory.min.unwrap() > 1e6, "{memory:?}");
    // What asks is no load.
    assert_eq!((server.truth().requests, server.truth().connections.accepted), (0, 0));
}
