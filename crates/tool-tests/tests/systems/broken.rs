//! Does a system that is broken in one thing fail the threshold that is about it, and no other? The sound system passes the
//! same run.

use std::collections::BTreeSet;
use std::process::Stdio;

use load_report::fault::FaultKind;
use tool_tests::{Left, Tool, pass, timed};

use crate::case::{Case, api, case};
use crate::program;
use crate::redis::Redis;
use crate::system::System;

/// A system with something broken.
struct Broken {
    case: Case,
    /// The run: few users with short pauses, so that seconds are enough.
    line: &'static str,
    /// What target-server does besides its contract.
    script: &'static str,
    /// The thresholds that fail; every other one holds.
    fails: &'static [&'static str],
    /// How calls fail: in one of these ways.
    kinds: &'static [FaultKind],
}

/// The thresholds that the run fails, warnings aside.
fn failed(left: &Left) -> BTreeSet<&str> {
    let failed =
        left.run().thresholds.iter().filter(|threshold| threshold.level == "fail" && !threshold.passed);
    failed.map(|threshold| threshold.expression.as_str()).collect()
}

/// Asserts that the run failed, for these reasons alone.
fn fails(what: &str, left: &Left, thresholds: &[&str], kinds: &[FaultKind]) -> Result<(), String> {
    left.exits(99)?;
    assert_eq!(failed(left), thresholds.iter().copied().collect(), "{what}: {}", left.stdout);
    let faults = &left.run().faults;
    assert_eq!(faults.is_empty(), kinds.is_empty(), "{what}");
    assert!(faults.iter().all(|fault| kinds.contains(&fault.kind)), "{what}: {faults:?}");
    Ok(())
}

/// Asserts that the run passed.
fn passes(what: &str, left: &Left) -> Result<(), String> {
    left.exits(0)?;
    assert_eq!(failed(left), BTreeSet::new(), "{what}: {}", left.stdout);
    Ok(())
}

/// Runs the suite of a case as `line` says against its system, with delays and faults of a script.
pub(crate) fn run(case: &Case, line: &str, script: &str) -> Option<Left> {
    let program = program(case.tool)?;
    let system = System::scripted(case, script)?;
    let tool = Tool::new(program, case.component);
    let suite = format!("{}{}", crate::SUITES, case.suite);
    let words = ["--suite", &suite, "--profile", case.profile, "--headless"];
    let mut command = tool.command(words.into_iter().chain(line.split_whitespace()));
    command.envs(system.variables()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Some(tool.wait(command.spawn().unwrap()))
}

impl Broken {
    /// Runs the sound system and the broken one.
    fn judge(&self) {
        timed(|| {
            let what = format!("{} of {}", self.case.suite, self.case.tool);
            let (Some(sound), Some(broken)) =
                (run(&self.case, self.line, ""), run(&self.case, self.line, self.script))
            else {
                return Ok(());
            };
            passes(&what, &sound)?;
            fails(&what, &broken, self.fails, self.kinds)
        });
    }
}

const fn smoke(case: Case) -> Case {
    Case { profile: "smoke", ..case }
}

/// NovaCron takes an order for a machine with another status than 201. The status is good by itself, so only the suite's own
/// share of errors sees it.
#[test]
fn a_wrong_status() {
    let broken = Broken {
        case: smoke(api("novacron", "novacron")),
        line: "-u 10 -d 3s",
        script: r#"
            [[rule]]
            path = "/api/v1/vms"
            method = "POST"
            status = 200
            body = '{"id": "vm-1"}'
        "#,
        fails: &["errors: rate<5%"],
        kinds: &[FaultKind::Wrong],
    };
    broken.judge();
}

/// The platform's workspaces are slow, and all that is in them; nothing fails.
#[test]
fn a_slow_endpoint() {
    let broken = Broken {
        case: smoke(api("platform", "platform")),
        line: "--only PlatformUser -u 10 --spawn-rate 100 --think 50ms..150ms -d 3s",
        script: r#"
            [[rule]]
            path = "/api/workspaces"
            method = "GET"
            delay = "700ms"
        "#,
        fails: &["response_time: p(95)<500"],
        kinds: &[],
    };
    broken.judge();
}

/// MegaAgent Pro says 429 to everybody for a second. Answers that are none have no response time.
#[test]
fn a_storm_of_429() {
    let broken = Broken {
        case: smoke(api("megaagent", "megaagent")),
        line: "-u 10 --spawn-rate 100 --think 50ms..150ms -d 3s",
        script: r#"
            [[rule]]
            path = "/api/v1/"
            from = "1s"
            until = "2s"
            status = 429
            headers = { Retry-After = "1" }
            body = '{"detail": "Rate limit exceeded"}'
        "#,
        fails: &["error_rate<0.1%"],
        kinds: &[FaultKind::RateLimited],
    };
    broken.judge();
}

/// Aragora makes debates and does not say which. Its status is good, so k6's share of failed requests holds.
#[test]
fn a_missing_field() {
    let broken = Broken {
        case: smoke(api("aragora", "aragora-baseline")),
        line: "-u 10 -d 3s",
        script: r#"
            [[rule]]
            path = "/api/debates"
            method = "POST"
            status = 201
            body = '{"status": "created"}'
        "#,
        fails: &["debate_creation_errors: rate<2%", "error_rate<2%"],
        kinds: &[FaultKind::Wrong],
    };
    broken.judge();
}

/// Aragora lets everybody look on and says nothing. No call fails; but no debate ends, and no message is a good one.
#[test]
fn a_stalled_stream() {
    let broken = Broken {
        case: Case { profile: "streaming", ..case("aragora", "aragora-streaming", "ws-load", "ws") },
        line: "--scale-time 0.015 --scale-users 0.1",
        script: "[ws]\nfail = [{ how = \"never\" }, { how = \"lose_push\" }]\n",
        fails: &["debate_time: count>0", "ws_errors: rate<5%"],
        kinds: &[],
    };
    broken.judge();
}

/// Aragora stands still for two seconds: who asks whether somebody is there gets no answer in time, or no connection.
#[test]
fn a_server_that_stands_still() {
    let broken = Broken {
        case: smoke(case("aragora", "aragora", "ws-load", "ws")),
        line: "-u 10 --think 50ms..150ms --timeout 500ms -d 3s",
        script: "[[stall]]\nat = \"1s\"\nfor = \"2s\"\n",
        fails: &["error_rate<5%"],
        kinds: &[FaultKind::Connect, FaultKind::Timeout],
    };
    broken.judge();
}

/// Aragora answers on its WebSockets, and tells nothing of the debates: no call fails, and no debate ends.
#[test]
fn a_stream_that_says_nothing_more() {
    let broken = Broken {
        case: smoke(case("aragora", "aragora-streaming", "ws-load", "ws")),
        line: "-u 5 -d 4s",
        script: "[ws]\nfail = { how = \"lose_push\" }\n",
        fails: &["debate_time: count>0"],
        kinds: &[],
    };
    broken.judge();
}

/// Nova-Torch's orchestrator refuses every fifth registration.
#[test]
fn a_wrong_code() {
    let broken = Broken {
        case: smoke(case("nova-torch", "nova-torch", "grpc-load", "grpc")),
        line: "-u 10 --think 10ms..30ms -d 3s",
        script: "[grpc]\nfail = { every = 5, code = \"unavailable\" }\n",
        fails: &["error_rate<1%"],
        kinds: &[FaultKind::Rejected],
    };
    broken.judge();
}

/// Nova-Torch's streams stand still for a second and a half: Redis answers nobody.
#[test]
fn a_stalled_redis() {
    timed(|| {
        let (Some(program), Some(mut redis)) = (program("db-load"), Redis::start()) else { return Ok(()) };
        let suite = format!("{}nova-torch", crate::SUITES);
        let with = |redis: &mut Redis, stall: bool| {
            let tool = Tool::new(&program, "db-redis");
            let words = ["redis", "--suite", &suite, "--profile", "smoke", "--headless", "--url", &redis.url];
            let line = "-u 20 --spawn-rate 100 --think 50ms..150ms --timeout 1200ms -d 6s";
            let child = tool.start(words.into_iter().chain(line.split_whitespace()));
            if stall {
                pass(2_000);
                assert_eq!(redis.ask("CLIENT PAUSE 3000 ALL"), "+OK");
            }
            tool.wait(child)
        };
        passes("a sound Redis", &with(&mut redis, false))?;
        fails("a stalled Redis", &with(&mut redis, true), &["error_rate<1%"], &[FaultKind::Timeout])
    });
}
