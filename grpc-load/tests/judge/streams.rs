//! Do all four kinds of calls work with grpcio, and is every message counted and timed?

use std::path::Path;
use std::process::Command;

use load_report::fault::FaultKind;
use load_report::model::{ExtraReport, RunFile};
use prost_reflect::DescriptorPool;
use rcgen::{CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use tool_tests::{Left, timed};

use crate::grpcio::Grpcio;
use crate::support::tool;

pub(crate) fn definition() -> String {
    format!("{}/tests/judge/streams.proto", env!("CARGO_MANIFEST_DIR"))
}

fn types() -> DescriptorPool {
    grpc_load::descriptor::compile(Path::new(&definition()), &[]).unwrap()
}

pub(crate) fn start(options: &[&str]) -> Option<Grpcio> {
    Grpcio::with("streams_server.py", &types().encode_to_vec(), options)
}

/// Calls `method` with `json`.
pub(crate) fn load(url: &str, method: &str, json: &str, line: &str) -> Left {
    let method = format!("judge.Streams/{method}");
    let mut args = vec!["--url", url, "--method", &method, "--json", json];
    args.extend(line.split(' '));
    tool().run(args)
}

#[track_caller]
fn extra<'a>(run: &'a RunFile, name: &str) -> &'a ExtraReport {
    run.extras.iter().find(|extra| extra.name == name).unwrap()
}

#[test]
fn a_server_that_streams_is_read_message_by_message() {
    let Some(server) = start(&[]) else { return };
    let left =
        load(&server.url(), "Many", r#"{"name":"n","number":{{seq}},"replies":20}"#, "-u 8 -c 2 -n 200");
    let run = left.run();
    assert_eq!((left.code, run.ledger.calls.ok), (0, 200), "{}", left.stdout);
    assert_eq!((extra(run, "first_message").count, extra(run, "message_gap").count), (200, 200 * 19));
    assert_eq!(extra(run, "message_latency").count, 0);
    let counts = server.counts();
    assert_eq!((&counts["calls"], &counts["number"]), (&200.into(), &(199 * 200 / 2).into()));
}

#[test]
fn a_client_that_streams_sends_what_it_is_told() {
    let Some(server) = start(&[]) else { return };
    let json = r#"[{"number":1},{"number":{{vu}}},{"number":3}]"#;
    let line = "-u 1 -c 1 -n 50 --messages 100 --expect-text";
    // 34 times 1, 33 times 0 and 33 times 3.
    let left = load(&server.url(), "Sum", json, &format!("{line} \"number\":\"133\""));
    assert_eq!((left.code, left.run().ledger.calls.ok), (0, 50), "{}", left.stdout);
    let left = load(&server.url(), "Sum", json, &format!("{line} \"number\":\"134\""));
    assert_eq!(left.run().ledger.calls.failed.get(FaultKind::Wrong), 50);
    let left = load(&server.url(), "Sum", json, "-u 2 -c 1 -n 50");
    assert_eq!((left.code, left.run().ledger.calls.ok), (0, 50), "{}", left.stdout);
    assert_eq!(server.counts()["messages"], 100 * 100 + 50 * 3);
}

#[test]
fn both_sides_stream_and_each_message_has_its_latency() {
    let Some(server) = start(&[]) else { return };
    for (line, name) in [("--messages 50 --in-flight 1", "in turn"), ("--messages 50", "as they come")] {
        let left = load(&server.url(), "Echo", r#"{"number":{{seq}}}"#, &format!("-u 4 -c 2 -n 40 {line}"));
        let run = left.run();
        assert_eq!((left.code, run.ledger.calls.ok), (0, 40), "{name}: {}", left.stdout);
        assert_eq!(extra(run, "message_latency").count, 40 * 50, "{name}");
        assert_eq!(extra(run, "first_message").count, 40, "{name}");
    }
    let counts = server.counts();
    assert_eq!((&counts["calls"], &counts["messages"]), (&80.into(), &(2 * 40 * 50).into()));
}

#[test]
fn the_time_of_a_message_is_what_the_server_took_for_it() {
    timed(|| {
        let Some(server) = start(&["gap_ms=20"]) else { return Ok(()) };
        let left = load(&server.url(), "Echo", "{}", "-u 1 -c 1 -n 3 --messages 20 --in-flight 1");
        let latency = extra(left.run(), "message_latency").ms.unwrap();
        let left = load(&server.url(), "Many", r#"{"replies":20}"#, "-u 1 -c 1 -n 3");
        let gap = extra(left.run(), "message_gap").ms.unwrap();
        let right = |p50: f64| (20.0..24.0).contains(&p50);
        if right(latency.p50) && right(gap.p50) { Ok(()) } else { Err(format!("{latency:?} {gap:?}")) }
    });
}

#[test]
fn a_megabyte_in_a_stream_passes_the_windows() {
    let Some(server) = start(&[]) else { return };
    let json = format!(r#"{{"name":"{}"}}"#, "x".repeat(1 << 20));
    let tool = tool();
    let file = tool.folder().join("big.json");
    std::fs::write(&file, json).unwrap();
    let url = server.url();
    let mut args =
        vec!["--url", &url, "--method", "judge.Streams/Echo", "--json-file", file.to_str().unwrap()];
    args.extend("-u 2 -c 1 -n 4 --messages 5".split(' '));
    let left = tool.run(args);
    assert_eq!((left.code, left.run().ledger.calls.ok), (0, 4), "{}", left.stdout);
    assert_eq!(server.counts()["messages"], 20);
}

#[test]
fn gzip_goes_both_ways() {
    let Some(server) = start(&["gzip=1"]) else { return };
    let json = format!(r#"{{"name":"{}","number":7,"replies":3}}"#, "x".repeat(5_000));
    for method in ["One", "Many", "Sum", "Echo"] {
        let left = load(&server.url(), method, &json, "-u 2 -c 1 -n 10 --gzip");
        let run = left.run();
        assert_eq!((left.code, run.ledger.calls.ok), (0, 10), "{method}: {}", left.stdout);
        assert!(run.totals.bytes_sent < 10 * 500, "{method}: {}", run.totals.bytes_sent);
        assert!(run.totals.bytes_received < 10 * 500, "{method}: {}", run.totals.bytes_received);
    }
    assert_eq!(server.counts()["number"], 4 * 10 * 7);
}

#[test]
fn the_servers_deadline_is_told_from_the_clients() {
    let Some(server) = start(&["wait_ms=600"]) else { return };
    let left = load(&server.url(), "One", "{}", "-u 2 -c 1 -n 4 --deadline 100ms --no-thresholds");
    let run = left.run();
    assert_eq!(run.ledger.calls.failed.get(FaultKind::Timeout), 4, "{:?}", run.faults);
    let [fault] = run.faults.as_slice() else { panic!("{:?}", run.faults) };
    assert_eq!(fault.code, 4, "the server said so: {fault:?}");
    let left = load(&server.url(), "One", "{}", "-u 2 -c 1 -n 4 --timeout 100ms --no-thresholds");
    let [fault] = left.run().faults.as_slice() else { panic!("{:?}", left.run().faults) };
    assert_eq!((fault.kind, fault.code, fault.count), (FaultKind::Timeout, 0, 4));
    assert_eq!(server.counts()["deadlines"], 4, "grpc-timeout is sent where it is asked for");
}

#[test]
fn streams_times_connections_are_users() {
    let Some(server) = start(&[]) else { return };
    let left = load(&server.url(), "One", "{}", "-c 3 --streams 5 -n 300");
    let run = left.run();
    assert_eq!((left.code, run.connections.opened, run.ledger.calls.ok), (0, 3, 300), "{}", left.stdout);
}

#[test]
fn a_set_of_descriptors_does_without_reflection() {
    let Some(server) = start(&[]) else { return };
    let set = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(set.path(), types().encode_to_vec()).unwrap();
    let left =
        load(&server.url(), "Many", "{}", &format!("-u 1 -n 5 --descriptor-set {}", set.path().display()));
    assert_eq!((left.code, left.run().ledger.calls.ok, left.run().ledger.control_calls), (0, 5, 0));
    assert_eq!(server.counts()["calls"], 5);
}

#[test]
fn what_a_server_offers_is_listed_and_described() {
    let Some(server) = start(&[]) else { return };
    let url = server.url();
    let said = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_grpc-load")).args(args).output().unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.code().unwrap(), text)
    };
    let (code, list) = said(&["list", "--url", &url]);
    assert_eq!(code, 0, "{list}");
    for line in
        ["judge.Streams/One   unary", "judge.Streams/Many  server streams", "judge.Streams/Echo  both stream"]
    {
        assert!(list.contains(line), "{list}");
    }
    let (code, service) = said(&["describe", "--url", &url, "judge.Streams"]);
    assert!(code == 0 && service.contains("rpc Many(judge.Ask) returns (stream judge.Told);"), "{service}");
    let (_, method) = said(&["describe", "--url", &url, "judge.Streams/Sum"]);
    assert!(method.contains(r#"--json '[{"name": "", "number": 0, "replies": 0}]'"#), "{method}");
    assert!(method.contains("uint32 replies = 3;"), "{method}");
    // What it says can be sent as it is.
    let left = load(&url, "Sum", r#"[{"name": "", "number": 0, "replies": 0}]"#, "-u 1 -n 2");
    assert_eq!(left.run().ledger.calls.ok, 2);
    let (code, wrong) = said(&["describe", "--url", &url, "judge.Stream"]);
    assert!(code == 104 && wrong.contains("this name; there is judge.Streams"), "{code} {wrong}");
    let (code, nobody) = said(&["list", "--url", "http://127.0.0.1:1"]);
    assert!(code == 114 && nobody.lines().count() == 1, "{nobody}");
}

#[test]
fn a_server_that_asks_who_is_there_gets_a_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, "an authority");
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let signed = |purpose| {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["localhost".into()]).unwrap();
        params.extended_key_usages = vec![purpose];
        (params.signed_by(&key, &ca).unwrap().pem(), key.serialize_pem())
    };
    let (cert, key) = signed(ExtendedKeyUsagePurpose::ServerAuth);
    let (own, own_key) = signed(ExtendedKeyUsagePurpose::ClientAuth);
    let ca = file("ca", ca.pem());
    let options =
        [format!("cert={}", file("cert", cert)), format!("key={}", file("key", key)), format!("ca={ca}")];
    let Some(server) = start(&options.each_ref().map(String::as_str)) else { return };
    let url = format!("https://localhost:{}", server.port);
    let (own, own_key) = (file("own", own), file("own-key", own_key));
    let line = format!("-u 2 -c 1 -n 20 --cacert {ca}");
    let left = load(&url, "Echo", "{}", &format!("{line} --cert {own} --key {own_key}"));
    assert_eq!((left.code, left.run().ledger.calls.ok), (0, 20), "{}", left.stdout);
    let left = load(&url, "Echo", "{}", &format!("{line} --quiet"));
    assert_eq!((left.code, left.stderr.lines().count()), (114, 1), "{}", left.stderr);
    assert_eq!(server.counts()["calls"], 20);
}
