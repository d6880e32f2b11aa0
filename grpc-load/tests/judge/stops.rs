//! Is everything accounted for, whenever a run is ended?

use tool_tests::{pass, signal};

use crate::support::{load_calls, server, start, tool, url};

#[test]
fn a_signal_at_any_moment_leaves_a_readable_balanced_result_and_nothing_on_the_server() {
    let server = server("[grpc]\ndelay = { uniform = [\"1ms\", \"200ms\"] }\n");
    let url = url(&server);
    for name in ["INT", "TERM"] {
        for moment in (0..20).map(|i| 30 + i * 53) {
            let tool = tool();
            let line = "-r 200 -d 900ms -u 8 -c 2 --graceful-stop 300ms --no-thresholds";
            let child = start(&tool, &url, line);
            pass(moment);
            signal(child.id(), name);
            // The laws are checked where the result is read.
            let left = tool.wait(child);
            match &left.run {
                Some(run) if run.interrupted => assert_eq!(left.code, 105, "{}", left.stderr),
                // The signal came after the end.
                Some(_) => assert!(matches!(left.code, 0 | 111), "{} {}", left.code, left.stderr),
                // It came before the run began, or before the tool listened to signals at all.
                None => assert!(matches!(left.code, 105 | -1), "{} {}", left.code, left.stderr),
            }
        }
    }
    let began = target_server::now_ns();
    loop {
        let truth = server.grpc_truth();
        if (truth.in_flight, truth.connections.open) == (0, 0) {
            assert!(load_calls(&truth) > 0);
            return;
        }
        assert!(target_server::now_ns() - began < 5_000_000_000, "left behind: {truth:?}");
        std::thread::yield_now();
    }
}
