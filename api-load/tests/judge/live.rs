//! Is what can be read while a run goes on what its target sees, and does it come to what the result says?
#![expect(clippy::float_cmp, reason = "Prometheus' numbers are floats, and counts are exact in them")]

mod deploy;

use tool_tests::live::{Page, Watched};

use crate::support::{Tool, server, signal, url};

/// Of the calls some stay in flight until somebody loses patience.
const HANGS: &str = "[[rule]]\npath = \"/\"\ndelay = { bimodal = [\"1ms\", \"120s\"], share = 0.02 }\n\
    fail = { every = 10, how = \"status:503\" }\n";

#[test]
fn the_last_page_is_what_the_server_counted_and_no_counter_ever_went_down() {
    for more in ["", " --processes 2"] {
        let (server, tool) = (server(HANGS), Tool::new());
        let line = format!("-r 200 -d 2s -c 60 --graceful-stop 100s --token hunter2-live --live 0{more}");
        let watched = Watched::new(tool.start(&url(&server, "/"), &line));
        let (mut before, mut still_since) = (Page::default(), 0.0);
        // All calls have begun, and those that are in flight for so long will be so for longer.
        let last = watched.until(|page| {
            page.follows(&before);
            let counts =
                |page: &Page| [page.calls("ok"), page.calls("failed"), page.sum("quintet_calls_in_flight")];
            let settled = counts(page).iter().sum::<f64>() + page.sum("quintet_calls_unsent_total");
            assert_eq!(page.sum("quintet_calls_scheduled_total"), settled);
            let elapsed = page.value("quintet_elapsed_seconds").unwrap_or_default();
            if counts(page) != counts(&before) {
                still_since = elapsed;
            }
            before = page.clone();
            still_since > 0.0 && elapsed > still_since + 2.5
        });
        assert!(!last.text.contains("hunter2"), "{}", last.text);
        let seen = server.truth().requests;
        // The first signal waits for what is in flight, the second one does not.
        signal(watched.pid(), "TERM");
        while !watched.said("stopping: calls in flight may end") {}
        signal(watched.pid(), "TERM");
        let left = tool.wait(watched.child());
        let (run, calls) = (left.run(), &left.run().ledger.calls);
        assert_eq!((left.code, run.interrupted), (105, true), "{}", left.stdout);
        assert_eq!(last.sum("quintet_calls_scheduled_total"), 400.0);
        assert_eq!(last.sum("quintet_calls_scheduled_total"), (seen - run.ledger.control_calls) as f64);
        let failed = calls.failed.total();
        assert_eq!((last.calls("ok"), last.calls("failed")), (calls.ok as f64, failed as f64));
        assert!(failed > 20 && calls.abandoned > 0, "{calls:?}");
        assert_eq!(last.sum("quintet_calls_in_flight"), calls.abandoned as f64);
        assert_eq!(last.sum("quintet_call_failures_total"), failed as f64);
        assert_eq!(last.sum("quintet_response_time_seconds_count"), (calls.ok + failed) as f64);
        assert_eq!(last.sum("quintet_bytes_received_total"), run.totals.bytes_received as f64);
        assert_eq!(last.sum("load_test_requests_total"), (calls.ok + failed) as f64);
        assert_eq!(last.sum("load_test_errors_total"), failed as f64);
        assert_eq!(last.sum("load_test_response_time_seconds_count"), (calls.ok + failed) as f64);
    }
}

#[test]
fn events_are_told_once_a_second_and_come_to_the_result() {
    let (server, tool) =
        (server("[[rule]]\npath = \"/\"\nfail = { every = 10, how = \"status:503\" }\n"), Tool::new());
    let stages = "-r 50 --stage calm=2s:50,busy=2s:100 -c 20 --threshold error_rate<50% --live :0";
    let watched = Watched::new(tool.start(&url(&server, "/"), stages));
    let events = watched.events();
    let left = tool.wait(watched.child());
    let (run, of) = (left.run(), |kind: &str| {
        events.iter().filter(|(name, _)| name == kind).map(|(_, data)| data).collect::<Vec<_>>()
    });
    assert_eq!(left.code, 0, "{}", left.stdout);
    let begins = of("run");
    assert_eq!((&begins[0]["component"], &begins[0]["duration_s"]), (&"api".into(), &4.0.into()));
    let names: Vec<_> = of("phase").iter().map(|phase| phase["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(names, ["connect", "calm", "busy"]);
    let intervals = of("interval");
    let sum = |key: &str| intervals.iter().map(|one| one[key].as_u64().unwrap()).sum::<u64>();
    let (ok, failed) = (run.ledger.calls.ok, run.ledger.calls.failed.total());
    assert_eq!((sum("ok"), sum("failed"), sum("bytes_received")), (ok, failed, run.totals.bytes_received));
    assert!(
        intervals.len() >= 4 && intervals.iter().all(|one| one["vus"].is_u64() && one["phase"].is_string())
    );
    assert!(of("dropped").is_empty());
    let (kind, end) = events.last().unwrap();
    assert_eq!((kind.as_str(), &end["verdict"], &end["exit_code"]), ("end", &"pass".into(), &0.into()));
    assert_eq!(end["totals"]["requests"].as_u64(), Some(run.totals.requests));
    assert_eq!(end["thresholds"][0]["passed"], true);
}

#[test]
fn an_address_that_cannot_be_had_is_refused_before_anything_is_sent() {
    let (server, tool) = (server(""), Tool::new());
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let left = tool.run(&url(&server, "/"), &format!("-d 1s --quiet --live {address}"));
    left.is_refused(104, &format!("--live {address}: cannot listen there: Address already in use"));
    assert_eq!(server.truth().requests, 0);
    let left = tool.run(&url(&server, "/"), "-d 1s --live everywhere");
    assert_eq!(left.code, 104);
    assert!(left.stderr.contains("expected a port like 9470"), "{}", left.stderr);
}
