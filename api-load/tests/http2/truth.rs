//! Are the counts those of the server?

use std::collections::BTreeMap;

use crate::nginx::{Line, Nginx, certificate};
use crate::node::Node;
use crate::{run, tool};

/// How many requests each connection had.
fn by_connection(log: &[Line]) -> BTreeMap<u64, usize> {
    assert!(log.iter().all(|line| line.protocol == "HTTP/2.0"), "{:?}", log.first());
    log.iter().fold(BTreeMap::new(), |mut counts, line| {
        *counts.entry(line.connection).or_default() += 1;
        counts
    })
}

#[test]
fn nginx_counts_what_we_count() {
    let nginx = Nginx::start("http2", "keepalive_requests 100000;");
    let left = run(&nginx.url("http"), "-c 4 --streams 8 -n 3000 --expect-text hello");
    assert_eq!((left.code, left.run().ledger.calls.ok), (0, 3_000), "{}\n{}", left.stdout, left.stderr);
    assert_eq!((left.run().header.plan.vus, left.run().connections.opened), (32, 4));
    let counts = by_connection(&nginx.log());
    assert_eq!((counts.len(), counts.values().sum::<usize>()), (4, 3_000));
}

#[test]
fn nginx_agrees_on_http2_by_alpn() {
    let nginx = Nginx::start("ssl http2", "keepalive_requests 100000;");
    let line = format!("-c 2 --streams 4 -n 1000 --body {{{{seq}}}} --cacert {}", nginx.cacert());
    let left = run(&nginx.url("https"), &line);
    assert_eq!((left.code, left.run().ledger.calls.ok), (0, 1_000), "{}\n{}", left.stdout, left.stderr);
    let counts = by_connection(&nginx.log());
    assert_eq!((counts.len(), counts.values().sum::<usize>()), (2, 1_000));
}

#[test]
fn node_counts_what_we_count() {
    let server = Node::start();
    let line = "-u 32 -c 4 -n 2000 --body n={{seq}} -H x-number:{{seq}} --expect-text hello";
    let left = run(&server.url("/p?q={{seq}}"), line);
    assert_eq!((left.code, left.run().ledger.calls.ok), (0, 2_000), "{}\n{}", left.stdout, left.stderr);
    let counts = server.counts();
    assert_eq!((&counts["requests"], &counts["ok"]), (&2_000.into(), &2_000.into()));
    assert_eq!(counts["paths"], 1_999 * 2_000 / 2, "every header was as it was meant, once");
    let digits: u64 = (0..2_000).map(|n: u64| n.to_string().len() as u64 + 2).sum();
    assert_eq!((&counts["bodies"], &counts["length"]), (&digits.into(), &digits.into()));
    assert_eq!((&counts["connections"], &counts["streams"]), (&4.into(), &8.into()));
    let sent: u64 = left.run().header.plan.ops.len() as u64;
    assert_eq!(sent, 1);
}

#[test]
fn node_agrees_on_http2_by_alpn() {
    let dir = tempfile::tempdir().unwrap();
    certificate(dir.path());
    let server = Node::at(0, Some(dir.path()));
    let url = format!("https://localhost:{}/", server.port);
    let line = format!("-r 500 -d 1s -c 2 --streams 4 --cacert {}", dir.path().join("cert.pem").display());
    let left = run(&url, &line);
    assert_eq!(left.run().ledger.calls.ok, 500, "{}\n{}", left.stdout, left.stderr);
    assert_eq!(server.counts()["requests"], 500);
}

#[test]
fn processes_share_connections_without_a_loss() {
    let server = Node::start();
    let left = run(&server.url("/"), "-c 4 --streams 4 -n 1000 --processes 2");
    assert_eq!((left.code, left.run().ledger.calls.ok), (0, 1_000), "{}\n{}", left.stdout, left.stderr);
    let counts = server.counts();
    assert_eq!((&counts["requests"], &counts["connections"]), (&1_000.into(), &4.into()));
}

#[test]
fn calls_at_the_same_time_are_streams_of_the_users_own_connection() {
    let (server, tool) = (Node::start(), tool());
    let suite = tool.folder().join("suite.toml");
    let calls = vec!["\"GET /x\""; 20].join(", ");
    let text = format!("[[users]]\nname = \"u\"\n[[users.tasks]]\nname = \"t\"\nparallel = [{calls}]\n");
    std::fs::write(&suite, text).unwrap();
    let left = run(&server.url(""), &format!("-u 1 -n 10 --suite {}", suite.display()));
    assert_eq!((left.code, left.run().ledger.calls.ok), (0, 200), "{}\n{}", left.stdout, left.stderr);
    assert_eq!(left.run().connections.opened, 1);
    let counts = server.counts();
    assert_eq!((&counts["ok"], &counts["connections"]), (&200.into(), &1.into()));
    // The server answers each as soon as it has read it, so it need not see all of them at once.
    assert!(counts["streams"].as_u64().unwrap() > 6, "more than over HTTP/1.1: {counts}");
}
