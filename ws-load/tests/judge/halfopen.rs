//! Is a peer found that is no more there, though nobody has said so?

use load_report::fault::FaultKind::Timeout;

use crate::raw::{PING, Raw, frame};
use crate::support::{args, calls, tool};

/// A server of which every connection answers this many pings, and then says and closes nothing more.
fn vanishes(after: usize) -> Raw {
    Raw::start(move |peer| {
        peer.upgrade();
        let mut pings = 0;
        while pings < after {
            let Some(heard) = peer.hear() else { return };
            if heard.opcode() == PING {
                pings += 1;
                peer.say(&frame(0x8a, &heard.payload));
            }
        }
        peer.hear_out(false);
    })
}

#[test]
fn a_peer_that_has_vanished_is_found_by_a_ping_and_replaced() {
    // A user that pings only, and one that listens and pings now and then.
    for line in ["--send ping", "--send none=2,ping=1"] {
        let server = vanishes(3);
        let left =
            tool().run(args(&server.url(), &format!("-u 10 -d 3s --think 50ms --timeout 200ms {line}")));
        let run = left.run();
        let (opened, found) = (run.connections.opened, run.ledger.calls.failed.get(Timeout));
        // Every connection ends like this, but for those that are there at the end.
        assert!(found <= opened && opened <= found + 10 && found >= 20, "{opened}, {found}");
        for fault in &run.faults {
            assert_eq!((fault.op.as_deref(), fault.kind), (Some("ping"), Timeout), "{fault:?}");
        }
        // Each of them has answered three.
        let answered = calls(run, "ping") - found;
        assert!(answered <= 3 * opened && answered >= 3 * found, "{answered}, {opened}, {found}");
        assert_eq!(server.heard().len() as u64, opened);
    }
}
