//! Do the figures say what the server did?

use load_report::figures::all_ops;
use load_report::hist::Histogram;

use crate::support::{Tool, alone, server, timed, url};

const STALL: &str = "[[stall]]\nat = \"4s\"\nfor = \"1s\"\n";

#[test]
fn a_stall_of_a_second_is_in_the_response_times_and_in_64_service_times() {
    timed(|| {
        let (server, tool) = (server(STALL), Tool::new());
        let left = tool.run(&url(&server, "/?k={{seq}}"), "-r 1000 -d 10s -c 64 --max-vus 64");
        let (run, truth) = (left.run(), server.truth());
        assert_eq!(run.ledger.calls.scheduled + run.ledger.control_calls, truth.requests);
        assert_eq!(run.ledger.calls.ok, 10_000, "{}", left.stdout);
        let all = all_ops(&run.data.phases[1].ops);
        let (stalled, p99) = (all.service_ok.count_above(500_000_000), run.totals.service_ms.unwrap().p99);
        // 1,000 ticks fall into the stall and are answered 1 ms to 1 s late: the 100th largest of 10,000 is 900 ms.
        let response = run.totals.response_ms.unwrap().p99;
        let right = stalled == 64 && p99 < 10.0 && (response - 900.0).abs() < 18.0;
        if right {
            Ok(())
        } else {
            Err(format!("{stalled} stalled, service p99 {p99}, response p99 {response}"))
        }
    });
}

#[test]
fn known_distributions_come_back() {
    for (name, delay) in [
        ("constant", "\"20ms\""),
        ("uniform", "{ uniform = [\"5ms\", \"40ms\"] }"),
        ("bimodal", "{ bimodal = [\"5ms\", \"60ms\"], share = 0.1 }"),
        ("heavy tail", "{ pareto = { scale = \"5ms\", shape = 1.5, max = \"2s\" } }"),
    ] {
        timed(|| {
            let script = format!("[[rule]]\npath = \"/\"\ndelay = {delay}\n");
            let (server, tool) = (server(&script), Tool::new());
            let left = tool.run(&url(&server, "/?k={{seq}}"), "-r 300 -d 4s -c 400");
            assert_eq!(left.run().ledger.calls.ok, 1_200, "{}", left.stdout);
            let mut truth = Histogram::new();
            for arrival in server.arrivals() {
                truth.record(arrival.done_ns.saturating_sub(arrival.t_ns));
            }
            let measured = all_ops(&left.run().data.phases[1].ops).service_ok;
            // What the loop and the network add is measured by the run itself: its turns and lateness, both ways.
            let overhead = left.run().generator.turn_ms.unwrap().p99 + 0.3;
            for q in [0.5, 0.85, 0.99] {
                let (ours, theirs) = (ms(&measured, q), ms(&truth, q));
                let bucket = theirs / 1_000.0;
                if ours < theirs - bucket - 0.3 || ours > theirs + bucket + overhead {
                    return Err(format!("{name}: p{} {ours} ms, the server's own {theirs} ms", q * 100.0));
                }
            }
            Ok(())
        });
    }
}

fn ms(histogram: &Histogram, q: f64) -> f64 {
    histogram.quantile_ns(q) as f64 / 1e6
}

#[test]
fn no_call_is_sent_before_it_is_due() {
    let _alone = alone();
    let (server, tool) = (server(""), Tool::new());
    let left = tool.run(&url(&server, "/?k={{seq}}"), "-r 2000 -d 3s -c 64");
    let t0 = left.run().header.t0_monotonic_ns;
    let arrivals = server.arrivals();
    assert_eq!(arrivals.len(), 6_000);
    let mut seen: Vec<u64> = arrivals.iter().filter_map(|a| a.k).collect();
    seen.sort_unstable();
    assert_eq!(seen, (0..6_000).collect::<Vec<_>>());
    for arrival in &arrivals {
        let due = t0 + arrival.k.unwrap() as i64 * 500_000;
        assert!(
            arrival.t_ns as i64 >= due,
            "call {:?} came {} ns early",
            arrival.k,
            due - arrival.t_ns as i64
        );
    }
}

#[test]
fn closed_users_are_counted_as_the_server_counts_them() {
    let (server, tool) = (server(""), Tool::new());
    let left = tool.run(&url(&server, "/"), "-c 16 -n 20k");
    assert_eq!((left.code, server.truth().requests), (0, 20_000));
    let run = left.run();
    assert_eq!((run.ledger.calls.ok, run.ledger.iterations.ok), (20_000, 20_000));
    assert_eq!(run.totals.bytes_sent, server.truth().bytes_in);
    assert_eq!(run.totals.bytes_received, server.truth().bytes_out);
}
