//! What happens when the target is gone, was never there, or is somebody else?

use std::path::Path;

use load_report::fault::FaultKind;
use target_server::{Config, Server, TlsFiles};

use crate::support::{Tool, pass, server, timed, url};

/// A server whose certificate nobody has vouched for.
fn stranger(dir: &Path) -> Server {
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["localhost".into()]).unwrap();
    let files = TlsFiles { cert: dir.join("cert.pem"), key: dir.join("key.pem") };
    std::fs::write(&files.cert, cert.pem()).unwrap();
    std::fs::write(&files.key, signing_key.serialize_pem()).unwrap();
    let https = Some((([127, 0, 0, 1], 0).into(), files));
    Server::start(Config { http: None, https, ..Config::default() }).unwrap()
}

#[test]
fn a_target_that_cannot_be_used_is_one_line_and_114_within_5_s() {
    let dir = tempfile::tempdir().unwrap();
    let stranger = stranger(dir.path());
    let untrusted = format!("https://localhost:{}/", stranger.https_addr().unwrap().port());
    for (target, expected) in [
        ("http://127.0.0.1:1/", "connection refused"),
        ("http://no-such-host.invalid/", "cannot resolve no-such-host.invalid"),
        (&untrusted, "certificate"),
    ] {
        let (tool, began) = (Tool::new(), target_server::now_ns());
        let left = tool.run(target, "-r 10 -d 1s --quiet");
        assert_eq!(left.code, 114, "{}", left.stderr);
        assert!(left.stderr.contains(expected) && left.stderr.trim().lines().count() == 1, "{}", left.stderr);
        assert!(target_server::now_ns() - began < 5_000_000_000);
        assert!(!tool.results().exists(), "nothing was measured, nothing is left behind");
    }
}

#[test]
fn a_server_killed_in_the_middle_fails_calls_at_the_schedules_pace_until_it_is_back() {
    timed(|| {
        let (tool, first) = (Tool::new(), server(""));
        let address = first.http_addr().unwrap();
        let child = tool.start(&url(&first, "/"), "-r 500 -d 9s -c 16");
        pass(3_000);
        drop(first);
        pass(3_000);
        let again = Server::start(Config { http: Some(address), ..Config::default() }).unwrap();
        let left = tool.wait(child);
        let run = left.run();
        assert_eq!(run.ledger.calls.scheduled, 4_500);
        assert!(run.ledger.calls.failed.get(FaultKind::Connect) > 1_000);
        assert!(again.truth().requests >= 900);
        left.exits(99)?;
        left.paced(500, &[4], &[1, 8])
    });
}

#[test]
fn answers_that_are_wrong_are_told_apart() {
    let script = r#"
[[rule]]
path = "/503"
status = 503
[[rule]]
path = "/429"
status = 429
[[rule]]
path = "/reset"
fail = { every = 1, how = "reset" }
[[rule]]
path = "/close"
fail = { every = 1, how = "close" }
[[rule]]
path = "/short"
fail = { every = 1, how = "short" }
[[rule]]
path = "/malformed"
fail = { every = 1, how = "malformed" }
[[rule]]
path = "/never"
fail = { every = 1, how = "never" }
"#;
    for (path, kind) in [
        ("/503", FaultKind::Rejected),
        ("/429", FaultKind::RateLimited),
        ("/reset", FaultKind::Reset),
        ("/close", FaultKind::Closed),
        ("/short", FaultKind::ShortBody),
        ("/malformed", FaultKind::Malformed),
        ("/never", FaultKind::Timeout),
        ("/text", FaultKind::Wrong),
    ] {
        let (server, tool) = (server(script), Tool::new());
        let expect = if path == "/text" { " --expect-text nowhere-in-it" } else { "" };
        let left = tool.run(&url(&server, path), &format!("-r 50 -d 1s -c 16 --timeout 200ms{expect}"));
        let failed = &left.run().ledger.calls.failed;
        assert_eq!((left.code, failed.get(kind)), (99, 50), "{path}: {failed:?}");
        assert!(
            left.run().totals.response_ms.is_none(),
            "no time of a failed call among the successful ones"
        );
    }
}
