//! What happens when the target is gone, was never there, or is somebody else?

use load_report::fault::FaultKind;
use target_server::{Config, Server};
use tool_tests::{args, pass, signal, timed};

use crate::{run, server, tool, url};

#[test]
fn a_target_that_cannot_be_used_is_one_line_and_114() {
    let plain = Server::start(Config::default()).unwrap();
    let elsewhere = format!("http://{}", plain.http_addr().unwrap());
    for (target, line, expected) in [
        ("http://127.0.0.1:1", "", "connection refused"),
        ("http://no-such-host.invalid", "", "cannot resolve no-such-host.invalid"),
        (elsewhere.as_str(), "", "the target does not speak DWCP's API: it answered with status 200, "),
    ] {
        run(target, &format!("-u 1 -n 1 --quiet {line}")).is_refused(114, expected);
    }
    let server = server("");
    let no_stream = format!("-u 1 -n 1 --quiet --stream-url ws://{}/x", server.dwcp_addr().unwrap());
    run(&url(&server), &no_stream).is_refused(114, "no event stream");
}

#[test]
fn mistakes_on_the_command_line_are_104() {
    for (target, line, expected) in [
        ("", "", "--url"),
        ("ws://127.0.0.1", "", "expected http or https"),
        ("http://127.0.0.1", "--stream-url http://x", "expected ws or wss"),
        ("http://127.0.0.1", "--vm-prefix a/b", "--vm-prefix"),
    ] {
        run(target, &format!("-u 1 -n 1 {line}")).is_refused(104, expected);
    }
}

#[test]
fn a_server_killed_in_the_middle_fails_at_the_schedules_pace() {
    timed(|| {
        let (server, tool) = (server("work = \"5ms\""), tool());
        let line = "-r 50 -d 5s --vus 20 --poll-interval 20ms --graceful-stop 2s";
        let child = tool.start(args(&url(&server), line));
        pass(2_000);
        drop(server);
        let left = tool.wait(child);
        assert_eq!(left.code, 99, "{}", left.stderr);
        assert_eq!(left.run().ledger.iterations.scheduled, 250);
        let kinds: Vec<_> = left.run().faults.iter().map(|fault| fault.kind).collect();
        assert!(!kinds.contains(&FaultKind::Malformed), "{kinds:?}");
        left.paced(50, &[4], &[])
    });
}

#[test]
fn a_signal_ends_it_in_good_order() {
    let (server, tool) = (server("work = \"5ms\""), tool());
    let child = tool.start(args(&url(&server), "-u 5 -d 60s --poll-interval 20ms"));
    pass(1_500);
    signal(child.id(), "INT");
    let left = tool.wait(child);
    assert_eq!(left.code, 105, "{}", left.stderr);
    assert!(left.run().interrupted && left.counter("jobs_completed") > 10);
    let truth = server.dwcp_truth();
    assert_eq!((left.counter("jobs_started"), truth.streams_open), (truth.accepted, 0));
}

#[test]
fn secrets_stay_secret() {
    let (server, tool) = (server("work = \"5ms\""), tool());
    let target = format!("http://bob:s3cr3t-url@{}", server.dwcp_addr().unwrap());
    let line = "-u 2 -n 4 --poll-interval 20ms -H Cookie:session=s3cr3t-cookie";
    let mut command = tool.command(args(&target, line));
    command.env("API_TOKEN", "s3cr3t-token");
    let left = tool.left(&command.output().unwrap());
    assert_eq!(left.code, 0, "{}", left.stderr);
    tool.keeps(&["s3cr3t"], &left);
}
