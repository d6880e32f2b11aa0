//! Do NovaCron's migrations, which no suite but the flags of its component describe, run against NovaCron?

use tool_tests::{Left, Tool};

use crate::case::CASES;
use crate::program;
use crate::system::System;

/// The flags of the component `dwcp` in the profile `contract`, as the suite has them.
fn flags() -> Vec<String> {
    let suite =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../suites/novacron/suite.toml"));
    let suite: toml::Table = suite.unwrap().parse().unwrap();
    let component = &suite["components"]["dwcp"];
    let text = |value: &toml::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut flags: Vec<String> = component["flags"].as_array().unwrap().iter().map(text).collect();
    for (name, value) in component["profiles"]["contract"].as_table().unwrap() {
        let values = value.as_array().map_or_else(|| vec![text(value)], |all| all.iter().map(text).collect());
        let flag = if name == "thresholds" { "--threshold".to_owned() } else { format!("--{name}") };
        flags.extend(values.into_iter().flat_map(|value| [flag.clone(), value]));
    }
    flags
}

/// Runs the component against the job API, or against the contract.
fn run(by_contract: bool) -> Option<(Left, System)> {
    let server = System::start(CASES.iter().find(|case| case.system == "novacron" && !case.actual).unwrap())?;
    let tool = Tool::new(program("dwcp-load")?, "dwcp");
    let mut command = tool.command(flags());
    command.env("API_TOKEN", "test-token-123");
    if by_contract {
        command.envs(server.variables());
    } else {
        command.env("API_URL", server.dwcp());
    }
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    Some((tool.wait(command.spawn().unwrap()), server))
}

/// Against the job API that target-server has for it, with the events of each job.
#[test]
fn migrations_are_ordered_looked_at_and_told_of() {
    let Some((left, server)) = run(false) else { return };
    let truth = server.all();
    assert_eq!(left.code, 0, "{}{}\n{truth:#}", left.stdout, left.stderr);
    let count = |name: &str| truth["dwcp"][name].as_u64().unwrap();
    assert_eq!((count("posts"), count("accepted"), count("completed")), (1, 1, 1), "{truth:#}");
    // Pending, in progress, completed: the whole stream of the one job. Another one was opened to see whether it is there.
    assert_eq!((count("streams"), count("events"), count("others")), (2, 3, 0), "{truth:#}");
    assert!(
        count("looks") > 0 && count("lists") > 0 && count("stats") > 0 && count("versions") > 0,
        "{truth:#}"
    );
    assert_eq!((left.counter("jobs_lost"), left.counter("jobs_data_loss")), (0, 0));
}

/// Against the contract, strict, as `run_all.sh` does it.
#[test]
fn migrations_are_in_the_contract() {
    let Some((left, server)) = run(true) else { return };
    let truth = server.truth();
    assert_eq!(left.code, 0, "{}{}\n{truth:#}", left.stdout, left.stderr);
    assert_eq!(
        (&truth["unknown"], truth["wrong"].as_array().map(Vec::len)),
        (&0.into(), Some(0)),
        "{truth:#}"
    );
    let of = |part: &str, name: &str, value: &str, number: &str| {
        let lines = truth[part].as_array().unwrap().iter();
        lines.filter(|line| line[name] == value).map(|line| line[number].as_u64().unwrap()).sum::<u64>()
    };
    for route in ["version of DWCP", "order a migration", "look at a migration", "list migrations"] {
        assert!(of("routes", "route", route, "calls") > 0, "{route}: {truth:#}");
    }
    assert_eq!(of("sockets", "socket", "/dwcp/v3/stream", "opened"), 2, "{truth:#}");
    let messages =
        truth["messages"].as_array().unwrap().iter().filter(|line| line["socket"] == "/dwcp/v3/stream");
    assert_eq!(messages.map(|line| line["received"].as_u64().unwrap()).sum::<u64>(), 1, "{truth:#}");
    assert!(of("events", "event", "migration_status", "sent") == 2, "{truth:#}");
}
