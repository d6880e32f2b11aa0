//! Is a smaller run of a profile a rehearsal of it? The same shape, limits that follow, and a mark on what comes of it.

use load_report::model::Rehearsal;

use crate::{Shop, run, tool};

const RATE: &str = r#"
[profiles.steady]
rate = 100
vus = 10
stages = ["4s:100", "0s:200", "4s:200"]
thresholds = ["throughput>=120/s", "http_reqs{phase:sustain-2}: rate>=180/s", "http_reqs: count>=20"]

[[users]]
name = "visitor"
[[users.tasks]]
name = "search"
request = "GET /search?q=x"
"#;

#[test]
fn limits_a_second_follow_the_users_and_the_result_says_that_it_is_a_rehearsal() {
    let (shop, tool) = (Shop::open(), tool());
    let line = "--no-progress --scale-time 0.25 --scale-users 0.3 --threshold throughput>=20/s";
    let left = run(&tool, &shop, RATE, line);
    assert_eq!(left.code, 0, "{}{}", left.stdout, left.stderr);
    let plan = &left.run().header.plan;
    assert_eq!(plan.rehearsal, Some(Rehearsal { time: 0.25, users: 0.3 }));
    // A second of 30/s, then a second of 60/s.
    let stages: Vec<_> = plan.stages.iter().map(|stage| (stage.duration_s, stage.target)).collect();
    assert_eq!(stages, [(1.0, 30.0), (0.0, 60.0), (1.0, 60.0)]);
    assert_eq!((shop.seen("GET /search"), left.run().ledger.iterations.scheduled), (90, 90));
    // What is typed is meant as it is typed.
    let limits: Vec<_> = plan.thresholds.iter().map(|text| text.replace(' ', "")).collect();
    for limit in [
        "throughput>=20/s",
        "throughput:value>=36/s",
        "http_reqs{phase:sustain-2}:rate>=54/s",
        "http_reqs:count>=20",
    ] {
        assert!(limits.iter().any(|there| there == limit), "{limit} in {limits:?}");
    }
    assert!(left.stdout.contains("rehearsal: all times by 0.250, users"), "{}", left.stdout);
}

const ONCE: &str = r#"
defaults = { headers = { Authorization = "Bearer t-x" } }

[profiles.contract]
once = true

[[users]]
name = "a"
[[users.tasks]]
name = "a"
request = "GET /a"
[[users]]
name = "b"
[[users.tasks]]
name = "b"
request = "POST /b"
[[users]]
name = "c"
[[users.tasks]]
name = "c"
request = "DELETE /c"
"#;

#[test]
fn what_is_made_once_is_made_once_whatever_the_factors() {
    for more in ["--scale-users 0.1 --scale-time 0.01", "-u 1", "-u 50 -n 1000", "-r 5", "-c 2", "-c 8 -u 1"]
    {
        let (shop, tool) = (Shop::open(), tool());
        let left = run(&tool, &shop, ONCE, &format!("--no-progress {more}"));
        assert_eq!(left.code, 0, "{more}: {}{}", left.stdout, left.stderr);
        let seen = ["GET /a", "POST /b", "DELETE /c"].map(|what| shop.seen(what));
        let run = left.run();
        assert_eq!((seen, run.ledger.iterations.scheduled), ([1, 1, 1], 3), "{more}: {}", left.stdout);
        assert_eq!(run.header.plan.rehearsal, None);
        // Figures a second are over the time that it took.
        assert!(run.end.stop_ns < 20_000_000_000 && run.totals.rate_per_s > 0.1, "{more}: {:?}", run.totals);
    }
}

#[test]
fn a_suite_may_say_that_nothing_is_judged() {
    let shop = Shop::open();
    let judged =
        |value: &str| format!("judge = '{{{{env.QUINTET_NO_SUCH_VARIABLE or \"{value}\"}}}}'\n{ONCE}");
    for (value, code) in [("1", 99), ("true", 99), ("0", 0), ("No", 0)] {
        let tool = tool();
        let left = run(&tool, &shop, &judged(value), "--no-progress --threshold response_time:max<0.0001");
        assert_eq!(
            (left.code, left.run().thresholds.is_empty()),
            (code, code == 0),
            "{value}: {}",
            left.stdout
        );
    }
    run(&tool(), &shop, &judged("maybe"), "--quiet").is_refused(104, "judge: \"maybe\"; expected true");
}
