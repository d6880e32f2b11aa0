//! Are calls at the same time really made at the same time? By a server that answers only when all of them are there.

use load_report::fault::FaultKind;
use tool_tests::{Left, pass, signal};

use crate::{Shop, calls, run, tool, written};

const SHORT: &str = "--no-progress --no-thresholds";

/// A task of these steps.
fn task(steps: &str) -> String {
    format!("[[users]]\nname = \"u\"\n[[users.tasks]]\nname = \"t\"\n{steps}\n")
}

/// `n` requests for `path`, as texts.
fn list(path: &str, n: usize) -> String {
    vec![format!("\"GET {path}\""); n].join(", ")
}

fn page() -> Shop {
    Shop::serve("page.py")
}

fn stat(page: &Shop, name: &str) -> u64 {
    page.stats()[name].as_u64().unwrap()
}

fn all_went_well(left: &Left) {
    assert_eq!(left.run().ledger.calls.failed.total(), 0, "{:?}{}", left.run().faults, left.stderr);
    assert_eq!(left.code, 0, "{}{}", left.stdout, left.stderr);
}

#[test]
fn calls_meet_at_the_server_and_each_is_counted() {
    for (n, more) in [(6, ""), (20, "at_once = 20"), (6, "at_once = 9\nseries = \"page_load\"")] {
        let (page, tool) = (page(), tool());
        let suite = task(&format!("parallel = [{}]\n{more}", list(&format!("/meet/{n}"), n)));
        let left = run(&tool, &page, &suite, &format!("-u 1 -n 10 {SHORT}"));
        all_went_well(&left);
        let ledger = &left.run().ledger;
        assert_eq!((ledger.iterations.ok, ledger.calls.ok), (10, 10 * n as u64));
        assert_eq!(calls(&left, &format!("GET /meet/{n}")), page.seen(&format!("/meet/{n}")));
        // Connections are kept from one iteration to the next.
        assert_eq!((left.run().connections.opened, stat(&page, "connections")), (n as u64, n as u64));
        assert_eq!(stat(&page, "most"), n as u64);
        if more.contains("series") {
            let whole = left.run().extras.iter().find(|extra| extra.name == "page_load").unwrap();
            assert_eq!(whole.count, 10);
            assert!(whole.ms.unwrap().max >= left.run().totals.service_ms.unwrap().max * 0.9);
        }
    }
}

#[test]
fn no_more_calls_are_made_at_once_than_may_be() {
    // Six where nothing is said: as browsers do.
    for (at_once, most) in [("", 6), ("at_once = 1", 1), ("at_once = 3", 3)] {
        let (page, tool) = (page(), tool());
        let suite = task(&format!("parallel = [{}]\n{at_once}", list("/slow", 12)));
        let left = run(&tool, &page, &suite, &format!("-u 1 -n 3 {SHORT}"));
        all_went_well(&left);
        assert_eq!((stat(&page, "most"), left.run().connections.opened), (most, most));
        assert_eq!((page.seen("/slow"), left.run().ledger.calls.ok), (36, 36));
        // Of twelve calls of 20 ms the last begin late, and that is in the time in which they were due.
        let totals = &left.run().totals;
        let rounds = (12 / most) as f64;
        assert!(totals.response_ms.unwrap().max >= 20.0 * rounds, "{totals:?}");
    }
}

#[test]
fn a_user_has_one_jar_for_all_its_connections() {
    let (page, tool) = (page(), tool());
    let steps = "[[users.tasks.steps]]\nparallel = [\"GET /set/a\", \"GET /set/b\", \"GET /set/c\"]\n\
                 [[users.tasks.steps]]\nparallel = [\"GET /meet/3\", \"GET /meet/3\", \"GET /meet/3\"]\n";
    let left = run(&tool, &page, &task(steps), &format!("-u 1 -n 1 --cookies {SHORT}"));
    all_went_well(&left);
    let cookies = page.stats()["cookies"].as_object().unwrap().clone();
    let whole: Vec<_> = cookies.iter().filter(|(cookies, _)| cookies.matches("=1").count() == 3).collect();
    assert_eq!(whole.iter().map(|(_, times)| times.as_u64().unwrap()).sum::<u64>(), 3, "{cookies:?}");
    // Another user has another one.
    let (page, tool) = (self::page(), crate::tool());
    let suite = task("parallel = [\"GET /set/u{{vu}}\", \"GET /slow\", \"GET /slow\"]\n");
    let left = run(&tool, &page, &suite, &format!("-u 4 -n 40 --cookies {SHORT}"));
    all_went_well(&left);
    let cookies = page.stats()["cookies"].as_object().unwrap().clone();
    assert!(cookies.keys().all(|cookies| cookies.matches("=1").count() <= 1), "{cookies:?}");
    assert!(cookies.len() >= 5, "each of four users, and nobody: {cookies:?}");
}

#[test]
fn what_is_captured_is_known_to_the_steps_that_follow() {
    let (page, tool) = (page(), tool());
    let steps = "[[users.tasks.steps]]\nparallel = [\n\
                 { request = \"GET /item/5\", capture = { five = \"$.id\" } },\n\
                 { request = \"GET /item/7\", capture = { seven = \"$.id\" }, expect = { json = { \"$.id\" = \"7\" } } },\n\
                 { request = \"GET /never\", if = \"five\" },\n]\n\
                 [[users.tasks.steps]]\nrequest = \"GET /got/{{five}}{{seven}}\"\n";
    let left = run(&tool, &page, &task(steps), &format!("-u 1 -n 1 {SHORT}"));
    all_went_well(&left);
    assert_eq!((page.seen("/got/57"), page.seen("/never")), (1, 0));
}

#[test]
fn one_that_fails_is_a_fault_and_ends_the_iteration_after_the_others() {
    let (page, tool) = (page(), tool());
    let steps = "[[users.tasks.steps]]\nparallel = [\"GET /bad\", \"GET /slow\", { request = \"GET /item/1\", expect = { text = \"nowhere\" } }]\n\
                 [[users.tasks.steps]]\nrequest = \"GET /never\"\n";
    let left = run(&tool, &page, &task(steps), &format!("-u 2 -n 20 {SHORT}"));
    let ledger = &left.run().ledger;
    assert_eq!(
        (ledger.calls.ok, ledger.calls.failed.total(), ledger.iterations.failed.total()),
        (20, 40, 20)
    );
    assert_eq!(ledger.calls.failed.get(FaultKind::Wrong), 20);
    assert_eq!((page.seen("/bad"), page.seen("/slow"), page.seen("/never")), (20, 20, 0));
    let checks = left.run().rates.iter().find(|rate| rate.name == "checks").unwrap();
    assert_eq!((checks.cases, checks.all), (0, 20));
}

#[test]
fn connections_that_are_not_kept_are_opened_for_each_call() {
    let (page, tool) = (page(), tool());
    let suite = task(&format!("parallel = [{}]", list("/meet/3", 3)));
    let left = run(&tool, &page, &suite, &format!("-u 1 -n 5 --disable-keepalive {SHORT}"));
    all_went_well(&left);
    let connections = left.run().connections.opened;
    assert!((15..=16).contains(&connections) && stat(&page, "connections") == 15, "{connections}");
}

#[test]
fn a_timeout_is_that_of_the_call_and_a_signal_lets_the_others_end() {
    let (page, tool) = (page(), tool());
    // So many never come.
    let suite = task(
        "parallel = [{ request = \"GET /meet/99\", timeout = \"300ms\" }, \"GET /item/1\", \"GET /slow\"]",
    );
    let left = run(&tool, &page, &suite, &format!("-u 1 -n 4 {SHORT}"));
    let ledger = &left.run().ledger;
    assert_eq!(
        (ledger.calls.ok, ledger.calls.failed.get(FaultKind::Timeout)),
        (8, 4),
        "{:?}",
        left.run().faults
    );

    let tool = crate::tool();
    let path = written(&tool, &task(&format!("parallel = [{}]", list("/slow", 6)))).display().to_string();
    let child = tool.start(["--suite", &path, "--url", &page.url, "-u", "3", "-d", "60s", "--no-progress"]);
    pass(1_000);
    signal(child.id(), "INT");
    let left = tool.wait(child);
    let ledger = &left.run().ledger;
    assert_eq!(
        (left.code, ledger.calls.abandoned, ledger.iterations.abandoned),
        (105, 0, 0),
        "{}",
        left.stderr
    );
    assert_eq!(ledger.calls.ok, 6 * ledger.iterations.ok);
}

#[test]
fn once_makes_them_one_after_the_other_and_check_knows_them() {
    let (page, tool) = (page(), tool());
    let steps = "[[users.tasks.steps]]\nat_once = 2\nparallel = [\"GET /item/5\", { request = \"GET /item/7\", capture = { it = \"$.id\" } }, { request = \"GET /x\", if = \"it\" }]\n\
                 [[users.tasks.steps]]\nrequest = \"GET /got/{{it}}\"\n";
    let path = written(&tool, &task(steps)).display().to_string();
    let said = |word: &str| {
        let args = [word, "--suite", &path, "--url", &page.url];
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_api-load")).args(args).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, text) = said("check");
    assert_eq!((code, text.as_str()), (Some(0), "nothing wrong: 1 user class, 4 steps; nothing was sent\n"));
    let (code, text) = said("once");
    assert_eq!(code, Some(0), "{text}");
    let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part} in {text}"));
    let order = [
        at("3 calls that a run makes at the same time, 2 of them:"),
        at("✓ GET /item/5"),
        at("✓ GET /item/7"),
        at("- GET /x: its condition does not hold"),
        at("> GET /got/7"),
    ];
    assert!(order.is_sorted(), "{text}");
}
