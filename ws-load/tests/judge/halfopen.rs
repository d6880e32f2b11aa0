//! Is a peer found that is no more there, though nobody has said so?

use std::io::Write as _;
use std::process::{Command, Stdio};

use load_report::fault::FaultKind::{Connect, Timeout};

use crate::raw::{PING, Raw, frame};
use crate::support::{args, calls, tool};

/// Python's `websockets` and the tool in a network of their own, which swallows everything from the second second to the fourth.
const SWALLOWED: &str = r#"
server=$1 port=$2
shift 2
ip link set lo up
sleep 9 | /usr/bin/python3 "$server" '' > "$port" &
until [ -s "$port" ]; do sleep 0.05; done
WS_URL=ws://127.0.0.1:$(cat "$port")/ "$@" &
tool=$!
sleep 2
ip link set lo down
sleep 2
ip link set lo up
wait $tool
"#;

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

#[test]
fn a_network_that_swallows_everything_is_found_by_pings_and_left_behind() {
    let can = |program: &str, args: &[&str]| {
        let status = Command::new(program).args(args).stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    };
    if !can("unshare", &["-rn", "ip", "link", "set", "lo", "up"])
        || !can("/usr/bin/python3", &["-c", "import websockets"])
    {
        writeln!(std::io::stdout(), "skipped: no network of its own, or no python3-websockets").unwrap();
        return;
    }
    let tool = tool();
    let plain = tool.command(args("", "-u 20 -d 6s --think 100ms --send ping --timeout 500ms"));
    let server = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/judge/others/server.py");
    let mut command = Command::new("unshare");
    command.args(["-rn", "sh", "-c", SWALLOWED, "sh", server]).arg(tool.folder().join("port"));
    let output = command.arg(plain.get_program()).args(plain.get_args()).output().unwrap();
    let left = tool.left(&output);
    let run = left.run();
    let found = run.ledger.calls.failed.get(Timeout);
    // Every connection is found, each once, and every one comes back.
    assert!(found >= 20, "{found}: {}", left.stdout);
    assert_eq!(run.connections.opened, 20 + found);
    assert!(run.faults.iter().all(|fault| matches!(fault.kind, Timeout | Connect)), "{:?}", run.faults);
    let last = run.faults.iter().map(|fault| fault.last_s).fold(0.0, f64::max);
    assert!(
        last < 5.5 && run.ledger.calls.ok > 400,
        "nothing fails when the network is back: {}",
        left.stdout
    );
}
