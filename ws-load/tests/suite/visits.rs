//! Does a suite do what it says? Every count is compared with what the hub saw.

use load_report::fault::FaultKind;

use crate::{Hub, calls, observed, rate, run, whole};

const WATCH: &str = include_str!("watch.toml");

#[test]
fn every_call_and_every_push_is_counted_as_the_hub_counts_it() {
    for more in ["", " --processes 2"] {
        let Some(hub) = Hub::open() else { return };
        let left = run(&hub, WATCH, &format!("--graceful-stop 5s{more}"));
        assert_eq!(left.code, 0, "{}{}", left.stdout, left.stderr);
        let (run, seen) = (left.run(), hub.close());
        let told = &seen.0;
        // Every visit has a connection of its own, made as the class says, and a goodbye.
        let visits = run.ledger.iterations.ok;
        assert!((12..=30).contains(&visits), "{visits}");
        let (opened, asked) = (run.connections.opened, run.ledger.control_calls);
        assert_eq!((seen.of("opened"), seen.of("open"), asked), (opened + asked, 0, 1), "{told}");
        assert!(opened >= visits && opened <= visits + 6, "{opened}");
        assert_eq!((seen.of("origin here"), seen.of("protocol hub.v2")), (opened + 1, opened + 1));
        let tokens: Vec<_> = (0..6).map(|vu| format!("t-7-{vu}")).collect();
        assert_eq!(told["tokens"], serde_json::json!(tokens));
        let goodbyes: u64 =
            (0..6).map(|vu| told["codes"][format!("4000 enough of {vu}")].as_u64().unwrap()).sum();
        assert_eq!((calls(run, "close"), goodbyes), ((visits, 0), visits), "{told}");
        assert_eq!((calls(run, "send disconnect"), seen.of("disconnect")), ((visits, 0), visits));
        // First steps are made by every visit.
        assert_eq!((calls(run, "receive"), calls(run, "send subscribe")), ((visits, 0), (2 * visits, 0)));
        assert_eq!((seen.of("subscribe"), whole(run, "ids")), (2 * visits, visits));
        // Timers: one call in 60 ms, one in 110 ms, from 20 ms on, in 400 to 600 ms.
        let (pings, vm, metric) =
            (calls(run, "ask how it is").0, calls(run, "send vm_query").0, calls(run, "send metric_query").0);
        assert_eq!((pings, vm, metric), (seen.of("ping"), seen.of("vm_query"), seen.of("metric_query")));
        // The end of the run cuts a visit of each user short.
        let whole_visits = visits - 6;
        assert!(pings >= 5 * whole_visits && pings <= 10 * visits, "{pings} in {visits}");
        let queries = vm + metric;
        assert!(
            queries >= 3 * whole_visits && queries <= 6 * visits && vm > metric && metric > 0,
            "{vm} {metric}"
        );
        assert_eq!(whole(run, "queries"), queries);
        // Each visit has learnt an id of its own, and most have come to say so.
        let clients = seen.of("clients");
        assert!(clients <= visits && clients >= whole_visits, "{clients} in {visits}");
        assert_eq!(calls(run, "ping"), (visits, 0));
        // What the hub sent by itself, and nothing else, was pushed.
        let [status, alerts] = ["pushed vm_status", "pushed alerts"].map(|name| seen.of(name));
        assert_eq!((whole(run, "pushed_vm_status"), whole(run, "pushed_alerts")), (status, alerts), "{told}");
        // A connection that the run's end found idle got its hello, but made no first step.
        let unused = opened - visits;
        assert_eq!(
            (whole(run, "messages_pushed"), whole(run, "pushed_other")),
            (status + alerts + unused, unused)
        );
        assert_eq!(whole(run, "messages_answers"), pings + queries + visits);
        assert_eq!((whole(run, "messages_unexpected"), whole(run, "messages_own")), (0, 0));
        let received = whole(run, "messages_answers") + whole(run, "messages_pushed");
        assert_eq!(
            (whole(run, "messages_received"), whole(run, "pushes_judged")),
            (received, whole(run, "messages_pushed"))
        );
        assert_eq!(
            observed(run, "message_latency") + whole(run, "timestamps_ahead"),
            whole(run, "messages_pushed")
        );
        assert_eq!(observed(run, "ws_message_latency"), observed(run, "message_latency"));
        assert_eq!((rate(run, "push_errors").0, rate(run, "ws_errors").0), (0, 0));
        let checked = pings + vm + visits;
        assert_eq!((whole(run, "checks_made"), whole(run, "checks_passed")), (checked, checked));
    }
}

/// Debates that are made over HTTP and watched until they end.
const DEBATES: &str = r#"
[vars]
api = "HTTP_URL/"
[[users]]
name = "audience"
[[users.start]]
name = "new debate"
request = "POST {{api}}/api/debates"
json = { question = "why {{vu}}?" }
expect = { status = [200, 201], json = { "$.debate_id" = { type = "string" } } }
capture = { debate = ["$.debate_id", "$.id"] }
[[users.start]]
connect = "/ws/debates/{{debate}}"
[[users.start]]
send = { type = "subscribe", debate_id = "{{debate}}" }
[[users.tasks]]
name = "watch"
[[users.tasks.steps]]
hold = "60s"
until = { json = { "$.type" = { one_of = ["debate_end", "complete"] } } }
series = "debate"
[[users.tasks.steps]]
close = true
"#;

#[test]
fn a_connection_goes_where_an_answer_over_http_has_said() {
    let Some(hub) = Hub::open() else { return };
    let left = run(&hub, DEBATES, "-u 4 -n 12 --graceful-stop 5s");
    assert_eq!(left.code, 0, "{}{}", left.stdout, left.stderr);
    let (run, seen) = (left.run(), hub.close());
    for op in ["new debate", "connect", "send subscribe", "close"] {
        assert_eq!(calls(run, op), (12, 0), "{op}");
    }
    assert_eq!((seen.of("posted"), seen.of("debates"), seen.of("path ws")), (12, 12, 12), "{}", seen.0);
    assert_eq!(
        (seen.of("debate_end"), seen.of("agent_message"), seen.0["codes"]["1000 "].as_u64()),
        (12, 36, Some(12))
    );
    // Three messages in at least 90 ms and the last one: a debate is as long as it is, not 60 s.
    assert_eq!((whole(run, "messages_pushed"), observed(run, "message_latency")), (12 * 5, 12 * 5));
    let debate = run.extras.iter().find(|extra| extra.name == "debate").unwrap();
    assert_eq!(debate.count, 12);
    assert!(debate.ms.unwrap().min >= 80.0, "{:?}", debate.ms);
    assert_eq!(
        (observed(run, "upgrade"), observed(run, "tcp"), observed(run, "first_message")),
        (12, 12, 12)
    );
    assert_eq!((run.connections.opened, run.ledger.control_calls), (12, 0));
}

#[test]
fn that_answer_may_come_over_tls_and_its_server_must_be_there() {
    let folder = tempfile::tempdir().unwrap();
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["127.0.0.1".into()]).unwrap();
    let files = ["cert.pem", "key.pem"].map(|name| folder.path().join(name));
    std::fs::write(&files[0], cert.pem()).unwrap();
    std::fs::write(&files[1], signing_key.serialize_pem()).unwrap();
    let [cert, key] = files.each_ref().map(|file| file.to_str().unwrap());
    let Some(hub) = Hub::secure([cert, key]) else { return };
    let left = run(&hub, DEBATES, &format!("-u 2 -n 2 --cacert {cert}"));
    assert_eq!(left.code, 0, "{}{}", left.stdout, left.stderr);
    assert_eq!((calls(left.run(), "new debate"), calls(left.run(), "connect")), ((2, 0), (2, 0)));
    let left = run(&hub, DEBATES, "-u 2 -n 2");
    assert!(left.code == 114 && left.stderr.contains("certificate"), "{}{}", left.stdout, left.stderr);
    let left = run(&hub, &DEBATES.replace("HTTP_URL", "http://127.0.0.1:1"), "-u 2 -n 2");
    assert!(left.code == 114 && left.stderr.contains("refused"), "{}{}", left.stdout, left.stderr);
    assert_eq!(hub.close().of("posted"), 2);
}

/// Messages of every kind, and calls that fail.
const KINDS: &str = r#"
[[users]]
name = "all"
[users.connect]
path = "/quiet"
[[users.tasks]]
name = "kinds"
[[users.tasks.steps]]
name = "echo"
send = "echo {{vu}} {{iteration}}"
answer = "echo"
expect = { type = "text", equals = "echo {{vu}} {{iteration}}" }
[[users.tasks.steps]]
name = "bytes"
send_base64 = "AAEC/w=="
expect = { type = "binary", size = 4 }
[[users.tasks.steps]]
name = "as bytes"
send = "{\"a\":1}"
binary = true
answer = "next"
expect = { type = "binary", json = { "$.a" = 1 } }
[[users.tasks.steps]]
name = "ping"
ping = "are you there?"
[[users.tasks.steps]]
name = "wrong"
send = { type = "vm_query", vm_id = "vm-bad" }
answer = { json = { "$.type" = "reply" } }
expect = { json = { "$.status" = "running" } }
[[users.tasks.steps]]
name = "never made"
send = "x"
"#;

#[test]
fn kinds_of_messages_are_told_apart_and_a_wrong_answer_ends_the_iteration_alone() {
    let Some(hub) = Hub::open() else { return };
    let left = run(&hub, KINDS, "-u 3 -n 30 --threshold error_rate:rate<1");
    assert_eq!(left.code, 0, "{}{}", left.stdout, left.stderr);
    let (run, seen) = (left.run(), hub.close());
    for op in ["echo", "bytes", "as bytes", "ping"] {
        assert_eq!(calls(run, op), (30, 0), "{op}");
    }
    assert_eq!((calls(run, "wrong"), calls(run, "never made")), ((0, 30), (0, 0)));
    assert_eq!((seen.of("binary"), seen.of("vm_query"), seen.of("text echo 0 0")), (60, 30, 1));
    assert_eq!(run.ledger.iterations.failed.get(FaultKind::Wrong), 30);
    assert_eq!((run.connections.opened, seen.of("opened")), (3, 4), "a wrong answer costs no connection");
    assert!(left.stdout.contains("$.status: is \"wrong\", expected"), "{}", left.stdout);
    assert_eq!(whole(run, "checks_made") - whole(run, "checks_passed"), 30);
}

/// Users who stay connected, and say so when they leave.
const STAY: &str = r#"
[[users]]
name = "stays"
think = "50ms"
[users.connect]
path = "/quiet"
[[users.start]]
send = { type = "subscribe", channel = "alerts" }
[[users.tasks]]
name = "ask"
send = { type = "metric_query" }
answer = { json = { "$.type" = "reply" } }
[[users.stop]]
send = { type = "disconnect" }
[[users.stop]]
close = 1000
reason = "bye"
"#;

#[test]
fn users_who_stay_have_one_connection_and_last_steps() {
    let Some(hub) = Hub::open() else { return };
    let left = run(&hub, STAY, "-u 4 -d 1s");
    assert_eq!(left.code, 0, "{}{}", left.stdout, left.stderr);
    let (run, seen) = (left.run(), hub.close());
    let asked = calls(run, "send metric_query");
    assert!(asked.0 > 40 && asked == (seen.of("metric_query"), 0), "{asked:?}");
    assert_eq!(
        (calls(run, "send subscribe"), calls(run, "send disconnect"), calls(run, "close")),
        ((4, 0), (4, 0), (4, 0))
    );
    assert_eq!((run.connections.opened, seen.0["codes"]["1000 bye"].as_u64()), (4, Some(4)), "{}", seen.0);
    assert_eq!(whole(run, "messages_pushed"), seen.of("pushed alerts"));
}

#[test]
fn a_connection_whose_lifetime_is_over_is_a_visit_that_ends() {
    let Some(hub) = Hub::open() else { return };
    let left = run(
        &hub,
        &STAY.replace("[[users.stop]]\nclose = 1000\nreason = \"bye\"\n", ""),
        "-u 4 -d 1s --lifetime 200ms",
    );
    assert_eq!(left.code, 0, "{}{}", left.stdout, left.stderr);
    let (run, seen) = (left.run(), hub.close());
    let opened = run.connections.opened;
    assert!((12..=24).contains(&opened), "{opened}");
    // Every visit but one that the end of the run found without an iteration has first and last steps.
    let (subscribed, left_well) = (calls(run, "send subscribe"), calls(run, "send disconnect"));
    assert!(
        subscribed == left_well && subscribed.0 <= opened && subscribed.0 + 4 >= opened,
        "{subscribed:?} {opened}"
    );
    assert_eq!((subscribed.0, left_well.0), (seen.of("subscribe"), seen.of("disconnect")));
    assert_eq!((run.ledger.calls.failed.total(), observed(run, "upgrade")), (0, subscribed.0));
}

/// A server that ends the connection.
const DIE: &str = r#"
[[users]]
name = "victim"
[[users.start]]
send = { type = "subscribe", channel = "alerts" }
[[users.tasks]]
name = "t"
[[users.tasks.steps]]
hold = "100ms"
[[users.tasks.steps]]
send = { type = "die" }
answer = { json = { "$.type" = "last words" } }
"#;

#[test]
fn a_connection_that_the_server_ends_is_followed_by_a_new_visit() {
    let Some(hub) = Hub::open() else { return };
    let left = run(&hub, DIE, "-u 2 -n 10 --threshold error_rate:rate<=1");
    assert_eq!(left.code, 0, "{}{}", left.stdout, left.stderr);
    let (run, seen) = (left.run(), hub.close());
    assert_eq!((calls(run, "send die"), seen.of("die")), ((0, 10), 10));
    // The last ones are followed by connections that have nothing to do.
    assert_eq!((calls(run, "send subscribe"), seen.of("subscribe")), ((10, 0), 10));
    assert!(run.connections.opened >= 10, "{}", run.connections.opened);
    assert_eq!(run.ledger.iterations.failed.get(FaultKind::Closed), 10);
    assert!(left.stdout.contains("code 4001"), "{}", left.stdout);
}

#[test]
fn arrivals_take_connections_that_wait_and_several_classes_need_users() {
    let Some(hub) = Hub::open() else { return };
    let ask = "[[users]]\nname = \"a\"\n[users.connect]\npath = \"/quiet\"\n[[users.tasks]]\nname = \"ask\"\nsend = { type = \"vm_query\" }\nanswer = { json = { \"$.type\" = \"reply\" } }\n";
    let left = run(&hub, ask, "-r 100 -c 20 -d 1s");
    assert_eq!(left.code, 0, "{}{}", left.stdout, left.stderr);
    assert_eq!((calls(left.run(), "send vm_query"), left.run().connections.opened), ((100, 0), 20));
    let two = format!("{ask}{}", ask.replace("\"a\"", "\"b\""));
    let left = run(&hub, &two, "-r 100 -c 20 -d 1s");
    assert_eq!(left.code, 104, "{}", left.stdout);
    assert!(
        left.stderr.contains("--rate: a connection is one user's") && left.stderr.contains("give --vus"),
        "{}",
        left.stderr
    );
    assert_eq!(hub.close().of("vm_query"), 100);
}
