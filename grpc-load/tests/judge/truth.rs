//! Do the figures say what the server did?

use tool_tests::timed;

use crate::support::{args, load_calls, proto, run, server, tool, url};

#[test]
fn closed_users_are_counted_as_the_server_counts_them() {
    let server = server("");
    let left = run(&url(&server), "-u 64 -c 8 -n 20k");
    let (run, truth) = (left.run(), server.grpc_truth());
    assert_eq!((left.code, load_calls(&truth)), (0, 20_000), "{}", left.stdout);
    assert_eq!((run.ledger.calls.ok, truth.by_status["OK"]), (20_000, 20_001));
    assert_eq!(load_calls(&truth) + run.ledger.control_calls, truth.calls);
    // Eight of the load; one to see that the port is open, one to ask by reflection.
    assert_eq!((run.connections.opened, truth.connections.accepted), (8, 10));
    assert!((8..=64).contains(&truth.in_flight_peak), "{truth:?}");
    assert_eq!((truth.in_flight, truth.aborted.total()), (0, 0));
}

#[test]
fn an_open_load_over_processes_is_counted_too() {
    let (server, tool) = (server(""), tool());
    let line = format!("-r 1000 -d 2s -c 4 --processes 2 --proto {}", proto());
    let left = tool.run(args(&url(&server), &line));
    let (run, truth) = (left.run(), server.grpc_truth());
    assert_eq!((run.ledger.calls.ok, load_calls(&truth)), (2_000, 2_000), "{}", left.stdout);
    assert_eq!((run.ledger.control_calls, truth.calls), (0, 2_000), "--proto asks nobody");
}

#[test]
fn one_connection_is_one_connection() {
    let server = server("");
    let left = run(&url(&server), "-u 8 -c 1 -n 500");
    assert_eq!((left.run().connections.opened, server.grpc_truth().connections.accepted), (1, 3));
}

#[test]
fn a_delay_that_was_scripted_comes_back() {
    timed(|| {
        let server = server("[grpc]\ndelay = { bimodal = [\"10ms\", \"60ms\"], share = 0.1 }\n");
        let left = run(&url(&server), "-r 200 -d 3s -u 64 -c 4");
        let service = left.run().totals.service_ms.unwrap();
        let right = (10.0..15.0).contains(&service.p50) && (60.0..70.0).contains(&service.p99);
        if right { Ok(()) } else { Err(format!("{service:?}")) }
    });
}

#[test]
fn waiting_for_a_free_stream_is_a_series() {
    timed(|| {
        let server = server("[grpc]\nstreams = 2\ndelay = \"20ms\"\n");
        let left = run(&url(&server), "-u 8 -c 1 -n 80 --no-thresholds");
        let (run, truth) = (left.run(), server.grpc_truth());
        assert_eq!((run.ledger.calls.ok, load_calls(&truth), truth.in_flight_peak), (80, 80, 2));
        let wait = run.extras.iter().find(|extra| extra.name == "stream_wait").unwrap();
        // The first two of eight wait for nobody; all others for the three pairs before them, and none loses its turn.
        assert_eq!(wait.count, 78);
        let ms = wait.ms.unwrap();
        if (60.0..75.0).contains(&ms.p50) && ms.max < 90.0 { Ok(()) } else { Err(format!("{wait:?}")) }
    });
}

#[test]
fn a_megabyte_each_way_passes_the_windows() {
    let server = server("");
    let tool = tool();
    let file = tool.folder().join("big.json");
    std::fs::write(&file, format!("{{\"agent_id\": \"{}\"}}", "x".repeat(1 << 20))).unwrap();
    let line = format!("-u 8 -c 2 -n 64 --json-file {}", file.display());
    let left = tool.run(args(&url(&server), &line));
    let run = left.run();
    assert_eq!(
        (left.code, run.ledger.calls.ok, load_calls(&server.grpc_truth())),
        (0, 64, 64),
        "{}",
        left.stdout
    );
    assert!(run.totals.bytes_sent > 64 << 20 && run.totals.bytes_received > 64 << 20);
}

#[test]
fn the_server_is_asked_what_it_uses() {
    let server = server("");
    let page = format!("http://{}/truth/metrics", server.http_addr().unwrap());
    let left = run(&url(&server), &format!("-u 4 --think 50ms -d 1500ms --sample 300ms --sample-url {page}"));
    let run = left.run();
    assert!(run.samples.answered > 1 && run.samples.failed == 0, "{:?}", run.warnings);
    let memory = run.gauges.iter().find(|gauge| gauge.name == "process_memory").unwrap();
    assert!(memory.min.unwrap() > 1e6, "{memory:?}");
    // What asks is no load.
    assert_eq!((server.truth().requests, server.truth().connections.accepted), (0, 0));
}
