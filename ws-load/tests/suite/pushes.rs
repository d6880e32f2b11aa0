//! Is what comes by itself judged as the suite says?

use load_report::fault::FaultKind;

use crate::{Hub, calls, rate, run, whole};

/// Listeners to a channel on which only every third message is one, and that one is too old.
const BAD: &str = r#"
[metrics]
ws_errors = "rate"
[[users]]
name = "listener"
[users.connect]
path = "/quiet"
[users.pushes]
expect = { json = { "$.channel" = { exists = true } } }
max_age = "5s"
metrics = { ws_errors = "failed" }
fatal = false
[[users.start]]
send = { type = "subscribe", channel = "bad" }
[[users.tasks]]
name = "listen"
[[users.tasks.steps]]
hold = "700ms"
[[users.tasks.steps]]
send = { type = "disconnect" }
[[users.tasks.steps]]
close = true
"#;

#[test]
fn what_is_wrong_or_too_old_is_counted_and_a_rate() {
    let Some(hub) = Hub::open() else { return };
    let left = run(&hub, BAD, "-u 3 -n 3 --threshold push_errors:rate<0.5");
    // The rate is 1.
    assert_eq!(left.code, 99, "{}{}", left.stdout, left.stderr);
    let (run, seen) = (left.run(), hub.close());
    let (wrong, old) = (seen.of("pushed wrong"), seen.of("pushed old"));
    assert!(wrong >= 9 && old >= 6, "{}", seen.0);
    assert_eq!((whole(run, "pushes_wrong"), whole(run, "pushes_old")), (wrong, old));
    assert_eq!(
        (rate(run, "push_errors"), rate(run, "ws_errors")),
        ((wrong + old, wrong + old), (wrong + old, wrong + old))
    );
    assert_eq!((whole(run, "messages_unexpected"), whole(run, "messages_pushed")), (wrong, old));
    assert_eq!((run.ledger.calls.failed.total(), run.ledger.iterations.ok), (0, 3));
}

#[test]
fn where_the_suite_says_so_it_is_the_end_of_the_connection() {
    let Some(hub) = Hub::open() else { return };
    let left =
        run(&hub, &BAD.replace("fatal = false", "fatal = true"), "-u 3 -n 6 --threshold error_rate:rate<=1");
    assert_eq!(left.code, 0, "{}{}", left.stdout, left.stderr);
    let (run, seen) = (left.run(), hub.close());
    assert_eq!(run.ledger.iterations.failed.get(FaultKind::Wrong), 6);
    assert_eq!((whole(run, "pushes_failed"), calls(run, "send subscribe").0), (6, 6));
    assert!(left.stdout.contains("came by itself"), "{}", left.stdout);
    assert!(seen.of("opened") > 6 && seen.of("disconnect") == 0, "{}", seen.0);
}

/// Publishers who get what they publish, too.
const ROOM: &str = r#"
[[users]]
name = "publisher"
think = "20ms"
[users.connect]
path = "/quiet"
[[users.tasks]]
name = "publish"
send = { type = "publish", from = "{{vu}}", n = "{{iteration}}", timestamp = "{{now_ms | raw}}" }
"#;

#[test]
fn a_push_counts_only_if_the_server_or_another_connection_sent_it() {
    let Some(hub) = Hub::open() else { return };
    let left = run(&hub, ROOM, "-u 5 -n 15");
    assert_eq!(left.code, 0, "{}{}", left.stdout, left.stderr);
    let (run, seen) = (left.run(), hub.close());
    // No user sends more than are remembered.
    assert_eq!((calls(run, "send publish"), seen.of("publish")), ((15, 0), 15));
    let (own, pushed) = (whole(run, "messages_own"), whole(run, "messages_pushed"));
    // Those who have left get no more.
    assert!(own <= seen.of("own") && own + 5 >= seen.of("own") && own >= 10, "{own}, {}", seen.0);
    assert!(pushed <= seen.of("published") && pushed >= 30, "{pushed}, {}", seen.0);
    assert_eq!(whole(run, "messages_received"), own + pushed);
}
