//! Is everything accounted for when a run is ended, and is nothing left behind?

use crate::support::{args, pass, server, signal, tool, url, whole};

#[test]
fn an_interrupted_run_says_goodbye_on_every_connection() {
    for name in ["INT", "TERM"] {
        let (server, tool) = (server("[ws]\npush_rate = 20\n"), tool());
        let child = tool.start(args(&url(&server, "/"), "-u 200 --think 50ms -d 60s"));
        let half = || (server.ws_truth().received.echo > 1_000).then_some(());
        (0..1_000)
            .find_map(|_| {
                half().or_else(|| {
                    pass(10);
                    None
                })
            })
            .unwrap();
        signal(child.id(), name);
        // The laws are checked where the result is read.
        let left = tool.wait(child);
        let (run, truth) = (left.run(), server.ws_truth());
        assert!(run.interrupted && left.code == 105, "{}", left.stderr);
        assert_eq!((truth.open, truth.closed), (0, [(1000, 201)].into()));
        assert_eq!(run.ledger.calls.ok, truth.received.echo);
        assert_eq!(whole(run, "messages_received"), truth.sent.echo + truth.sent.push);
    }
}

#[test]
fn a_server_that_does_not_answer_a_close_is_left() {
    // It stands still from half a second on: no echo, and no close either.
    let server = server("[[stall]]\nat = \"500ms\"\nfor = \"30s\"\n");
    let began = target_server::now_ns();
    let line = "-r 50 -c 5 -d 1s --graceful-stop 500ms --no-thresholds";
    let left = tool().run(args(&url(&server, "/"), line));
    assert!(left.run().ledger.calls.ok > 10, "{}", left.stdout);
    assert!(target_server::now_ns() - began < 8_000_000_000, "took too long");
}
