//! Do the figures say what the server did?

use load_report::model::RunFile;
use target_server::{Server, WsReport};

use crate::support::{alone, args, calls, observed, server, timed, tool, url, whole};

/// What must hold between a run without faults and the record of the server that it was alone with.
fn agrees(run: &RunFile, server: &Server) -> WsReport {
    let truth = server.ws_truth();
    let opened = run.connections.opened + run.ledger.control_calls;
    assert_eq!((truth.opened, truth.open), (opened, 0));
    assert_eq!(truth.closed, [(1000, opened)].into());
    assert_eq!(whole(run, "messages_received"), truth.sent.data());
    let kinds =
        ["answers", "pushed", "duplicate", "unexpected"].map(|kind| whole(run, &format!("messages_{kind}")));
    assert_eq!(kinds.iter().sum::<u64>(), truth.sent.data());
    assert_eq!(kinds[0], truth.sent.echo - truth.duplicated.echo - truth.wrong);
    let (pushed, doubled) = (truth.sent.push + truth.sent.broadcast, truth.duplicated.push);
    assert_eq!(
        (kinds[1], kinds[2], kinds[3]),
        (pushed - doubled, doubled + truth.duplicated.echo, truth.wrong)
    );
    assert_eq!(observed(run, "message_latency") + whole(run, "timestamps_ahead"), kinds[1]);
    truth
}

#[test]
fn every_message_is_in_the_servers_record_too() {
    let _alone = alone();
    for more in ["", " --processes 2"] {
        let (server, tool) = (server("[ws]\npush_every = \"100ms\"\n"), tool());
        let line = format!("-u 300 --think 100ms -d 2s --send echo=3,ping=1{more}");
        let left = tool.run(args(&url(&server, "/live"), &line));
        let run = left.run();
        let truth = agrees(run, &server);
        assert_eq!(run.connections.opened, 300);
        assert_eq!((calls(run, "echo"), calls(run, "ping")), (truth.received.echo, truth.received.ping));
        assert_eq!(run.ledger.calls.ok, truth.received.echo + truth.received.ping, "{}", left.stdout);
        assert!(truth.sent.push > 4_000 && whole(run, "messages_missing") == 0, "{truth:?}");
        let upgrade = run.extras.iter().find(|extra| extra.name == "upgrade").unwrap();
        assert_eq!((upgrade.count, truth.peak), (300, 300));
    }
}

#[test]
fn what_one_publishes_all_others_hear() {
    let _alone = alone();
    let (server, tool) = (server(""), tool());
    let left = tool.run(args(&url(&server, "/"), "-r 100 -c 20 -d 2s --send publish=1,echo=1"));
    let truth = agrees(left.run(), &server);
    assert_eq!(left.code, 0, "{}", left.stdout);
    assert_eq!(calls(left.run(), "publish"), truth.received.broadcast);
    // Of the last ones, those whose connection was closed before hear nothing.
    let (sent, most) = (truth.sent.broadcast, truth.received.broadcast * 19);
    assert!(sent <= most && sent + 3 * 19 >= most, "{truth:?}");
    assert_eq!(calls(left.run(), "publish") + calls(left.run(), "echo"), 200);
}

#[test]
fn users_that_send_nothing_listen() {
    let _alone = alone();
    let (server, tool) = (server("[ws]\npush_rate = 10\n"), tool());
    let left = tool.run(args(&url(&server, "/"), "-u 200 --spawn-rate 400 -d 2s --send none --think 200ms"));
    let truth = agrees(left.run(), &server);
    assert_eq!(left.code, 0, "{}", left.stdout);
    assert!(truth.sent.push > 2_000 && truth.received == target_server::WsMessages::default(), "{truth:?}");
    // What was pushed counts with the call that reads it or comes next; each user has a last call, and a little comes later.
    let ops: Vec<_> = left.run().data.phases.iter().flat_map(|phase| &phase.ops).collect();
    let messages = ops.iter().map(|op| op.messages).sum::<u64>();
    let bytes = ops.iter().map(|op| op.bytes_received).sum::<u64>();
    assert!(messages <= truth.sent.push && messages * 10 > truth.sent.push * 7, "{messages}, {truth:?}");
    assert!((20 * messages..1_000 * messages).contains(&bytes), "{bytes} bytes in {messages} messages");
    let shown = left.run().totals.messages_per_s;
    assert!(shown > 500.0, "{shown} messages/s");
}

#[test]
fn pushes_that_are_lost_or_come_twice_are_told() {
    let _alone = alone();
    let script = "[ws]\npush_rate = 50\nfail = [{ every = 5, how = \"lose_push\" }, { every = 7, how = \"duplicate_push\" }]\n";
    let (server, tool) = (server(script), tool());
    let left = tool.run(args(&url(&server, "/"), "-u 50 --think 100ms -d 2s"));
    let truth = agrees(left.run(), &server);
    let missing = whole(left.run(), "messages_missing");
    // What was lost after the last push that came is not missed yet.
    assert!(missing <= truth.lost.push && missing + 51 >= truth.lost.push, "{missing}, {truth:?}");
    assert!(missing > 300 && truth.duplicated.push > 300, "{missing}, {truth:?}");
}

#[test]
fn an_echo_that_comes_twice_is_no_answer_to_the_next_call() {
    let _alone = alone();
    for send in ["", " --binary"] {
        let (server, tool) = (server("[ws]\nfail = { every = 3, how = \"duplicate\" }\n"), tool());
        let left = tool.run(args(&url(&server, "/"), &format!("-r 300 -c 20 -d 1s{send}")));
        let truth = agrees(left.run(), &server);
        assert_eq!((left.code, truth.received.echo), (0, 300), "{}", left.stdout);
        assert!(truth.duplicated.echo > 60);
    }
}

#[test]
fn latencies_that_were_scripted_come_back() {
    timed(|| {
        let script = "[ws]\npush_rate = 10\npush_age = \"250ms\"\ndelay = \"20ms\"\n";
        let (server, tool) = (server(script), tool());
        let left = tool.run(args(&url(&server, "/"), "-r 200 -c 50 -d 2s"));
        let run = left.run();
        agrees(run, &server);
        let latency = run.extras.iter().find(|extra| extra.name == "message_latency").unwrap().ms.unwrap();
        let (echo, turn) = (run.totals.service_ms.unwrap(), run.generator.turn_ms.unwrap().p99);
        let near = |ms: f64, expected: f64| ms >= expected * 0.999 && ms < expected * 1.001 + 2.0 + turn;
        if near(latency.p50, 250.0) && latency.min >= 249.7 && near(echo.p50, 20.0) && echo.min >= 19.9 {
            Ok(())
        } else {
            Err(format!("{latency:?}, {echo:?}, turn {turn}"))
        }
    });
}

#[test]
fn a_time_that_is_still_to_come_is_told() {
    let (server, tool) = (server(""), tool());
    // Spaces would part the words.
    let text = r#"{"type":"broadcast","when":"2100-01-01T00:00:00Z"}"#;
    let line = format!("-r 20 -c 5 -d 1s --send publish --publish-message {text} --timestamp-field when");
    let left = tool.run(args(&url(&server, "/"), &line));
    let sent = agrees(left.run(), &server).sent.broadcast;
    let told = (whole(left.run(), "timestamps_ahead"), observed(left.run(), "message_latency"));
    assert_eq!((told, sent > 60), ((sent, 0), true));
}

#[test]
fn the_servers_pings_are_answered() {
    let (server, tool) = (server("[ws]\nping_every = \"50ms\"\n"), tool());
    let left = tool.run(args(&url(&server, "/"), "-u 20 --think 30ms -d 1s"));
    let (truth, read) = (server.ws_truth(), whole(left.run(), "pings_received"));
    assert_eq!(left.code, 0, "{}", left.stdout);
    // Those on their way when the connection was closed are not.
    assert!(truth.sent.ping > 200, "{truth:?}");
    assert!(truth.received.pong + 21 >= truth.sent.ping && read + 21 >= truth.sent.ping, "{read} {truth:?}");
}

#[test]
fn the_server_is_asked_what_it_uses() {
    let server = server("");
    let page = format!("http://{}/truth/metrics", server.http_addr().unwrap());
    let line = format!("-u 5 --think 50ms -d 1500ms --sample 300ms --sample-url {page}");
    let left = tool().run(args(&url(&server, "/"), &line));
    let run = left.run();
    assert!(run.samples.answered > 1 && run.samples.failed == 0, "{:?}", run.warnings);
    let memory = run.gauges.iter().find(|gauge| gauge.name == "process_memory").unwrap();
    assert!(memory.min.unwrap() > 1e6, "{memory:?}");
    // What asks is no load.
    assert_eq!((server.truth().requests, server.truth().connections.accepted), (0, 0));
}
