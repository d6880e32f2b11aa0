//! Does a server that sends without end harm the tool, or its other connections?

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::raw::{PING, Raw, frame};
use crate::support::{args, timed, tool, whole};

#[test]
fn pings_of_a_server_that_does_not_read_fill_no_memory() {
    let written = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&written);
    let server = Raw::start(move |peer| {
        peer.upgrade();
        let pings = frame(0x89, &[b'!'; 125]).repeat(100);
        while peer.say(&pings) {
            count.fetch_add(100, Ordering::Relaxed);
        }
    });
    for line in ["--send none --think 100ms", "--send none", "--send ping --timeout 300ms"] {
        let left = tool().run(args(&server.url(), &format!("-u 1 -d 2s {line}")));
        let (run, written) = (left.run(), written.swap(0, Ordering::Relaxed));
        // What is under way is in the buffers of the kernel, on both sides.
        assert!(whole(run, "pings_received") > 100, "{line}: {}", left.stdout);
        assert!(run.generator.max_rss_bytes < 64 << 20, "{line}: {written} pings, {:?}", run.generator);
    }
}

#[test]
fn other_connections_do_not_wait_for_one_that_is_flooded() {
    timed(|| {
        let server = Raw::start(|peer| {
            peer.upgrade();
            if peer.number == 1 {
                // Whole frames of two bytes: as many as can be in a piece.
                let pings = frame(0x89, b"").repeat(500);
                let reading = std::thread::spawn(peer.emptier());
                while peer.say(&pings) {}
                reading.join().unwrap();
                return;
            }
            while let Some(heard) = peer.hear() {
                let answer = if heard.opcode() == PING { 0x8a } else { heard.first };
                peer.say(&frame(answer, &heard.payload));
            }
        });
        let line = "-u 2 -d 2s --threads 1 --think 5ms --timeout 2s --send ping";
        let left = tool().run(args(&server.url(), line));
        let run = left.run();
        let (pings, service) = (whole(run, "pings_received"), run.totals.service_ms.unwrap());
        // Those of the other one alone: what is flooded is not answered. The runtime looks for news every so many tasks.
        if pings > 10_000 && run.ledger.calls.ok > 20 && service.p99 < 150.0 {
            Ok(())
        } else {
            Err(format!("{pings} pings, {} ok, {service:?}", run.ledger.calls.ok))
        }
    });
}
