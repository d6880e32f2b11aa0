//! Is everything accounted for, whenever a run is ended?

use load_report::journal::recover;
use load_report::laws;

use crate::support::{Tool, pass, server, signal, url};

/// A hundred moments in the life of a run of about 700 ms, the same ones in every test.
fn moments() -> impl Iterator<Item = u64> {
    (0..100_u64).map(|i| 20 + i.wrapping_mul(7_919) % 700)
}

/// Tests so many runs at a time: they do little each.
const AT_ONCE: usize = 10;

fn each_moment(test: impl Fn(u64) + Sync) {
    let moments: Vec<u64> = moments().collect();
    for batch in moments.chunks(AT_ONCE) {
        std::thread::scope(|scope| {
            for &moment in batch {
                let test = &test;
                scope.spawn(move || test(moment));
            }
        });
    }
}

const LOAD: &str = "-r 200 -d 600ms -c 4 --threads 1 --graceful-stop 300ms --no-thresholds";
const SLOW: &str = "[[rule]]\npath = \"/\"\ndelay = { uniform = [\"1ms\", \"200ms\"] }\n";

#[test]
fn a_signal_at_any_moment_leaves_a_readable_balanced_result() {
    let server = server(SLOW);
    for name in ["INT", "TERM"] {
        each_moment(|moment| {
            let tool = Tool::new();
            let child = tool.start(&url(&server, "/"), LOAD);
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
        });
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let server = server("[[rule]]\npath = \"/\"\ndelay = \"20s\"\n");
    each_moment(|moment| {
        let tool = Tool::new();
        let child = tool.start(&url(&server, "/"), "-r 200 -d 60s -c 4 --threads 1 --no-thresholds");
        pass(moment);
        signal(child.id(), "INT");
        pass(30);
        let began = target_server::now_ns();
        signal(child.id(), "INT");
        let left = tool.wait(child);
        assert!(target_server::now_ns() - began < 3_000_000_000, "took too long");
        match &left.run {
            Some(run) => {
                assert_eq!(left.code, 105);
                assert_eq!(run.ledger.calls.ok, 0);
            }
            None => assert!(matches!(left.code, 105 | -1)),
        }
    });
}

#[test]
fn a_kill_at_any_moment_loses_at_most_the_last_second() {
    let server = server("");
    let seen = std::sync::atomic::AtomicUsize::new(0);
    each_moment(|moment| {
        let tool = Tool::new();
        let mut child =
            tool.start(&url(&server, "/?k={{seq}}"), "-r 200 -d 10s -c 4 --threads 1 --no-thresholds");
        pass(moment * 4);
        child.kill().unwrap();
        child.wait().unwrap();
        let Ok(bytes) = std::fs::read(tool.results().join("api.journal")) else { return };
        // Killed before the journal had its header: nothing had been sent.
        let Ok(record) = recover(&bytes) else { return };
        assert!(record.recovered);
        assert_eq!(laws::violations(&record.header.plan, &record.data, record.end), Vec::<String>::new());
        // 200 a second are due; the journal holds all but those of the second that was not over.
        let recovered: u64 = record.data.phases.iter().map(|phase| phase.calls.ok).sum();
        let whole_seconds = (record.end.end_ns / 1_000_000_000) as u64;
        assert!(recovered + 10 >= whole_seconds * 200, "{recovered} in {whole_seconds} s");
        let ran_ms = moment * 4;
        assert!(whole_seconds * 1_000 + 2_000 > ran_ms, "{whole_seconds} s recovered of {ran_ms} ms");
        seen.fetch_add(usize::from(whole_seconds > 0), std::sync::atomic::Ordering::Relaxed);
        let judged = record.judge(&[]);
        assert_eq!(judged.invalid.len(), 1, "{:?}", judged.invalid);
    });
    assert!(seen.into_inner() > 30, "too few runs lived for a second");
}
