//! Is each suite of the five systems what its system takes it for? Every suite's profile `contract` against target-server as that
//! system, strict: all goes well, nothing is refused, and the server has counted what the tool says it sent. And systems that
//! are broken in one thing fail the threshold that is about it.
#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

mod broken;
mod case;
mod counts;
mod failover;
mod migrations;
mod redis;
mod rehearsal;
mod system;

use case::{CASES, Case};
use system::System;
use tool_tests::Tool;

/// Where the suites are.
const SUITES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../suites/");

/// The program `name` beside those of this package; none where nobody has built it.
fn program(name: &str) -> Option<std::path::PathBuf> {
    let path = std::path::Path::new(env!("CARGO_BIN_EXE_witness")).with_file_name(name);
    if !path.exists() {
        eprintln!("{name} is not built (cargo build --bins): skipped");
        return None;
    }
    Some(path)
}

/// Runs those cases that belong to one system, and all of them against servers of their own.
fn all_of(system: &str, actual: bool) {
    let cases: Vec<_> = CASES.iter().filter(|case| (case.system, case.actual) == (system, actual)).collect();
    assert!(!cases.is_empty(), "{system}");
    std::thread::scope(|scope| {
        for case in cases {
            scope.spawn(move || passes(case));
        }
    });
}

fn passes(case: &Case) {
    let Some(tool) = case.tool.split(' ').next().and_then(program) else { return };
    let Some(server) = System::start(case) else { return };
    let tool = Tool::new(tool, case.component);
    let suite = concat!(env!("CARGO_MANIFEST_DIR"), "/../../suites/");
    let suite = format!("{suite}{}", case.suite);
    let mut args: Vec<&str> = case.tool.split(' ').skip(1).collect();
    args.extend(["--suite", &suite, "--profile", case.profile, "--headless"]);
    args.extend(case.flags);
    let mut command = tool.command(args);
    command.envs(server.variables());
    let child =
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let left = tool.wait(child);
    let truth = server.truth();
    let said = format!("{} of {}: {}{}", case.suite, case.tool, left.stdout, left.stderr);
    assert_eq!(left.code, 0, "{said}\n{truth:#}");
    assert_eq!(truth["unknown"], 0, "{said}\n{truth:#}");
    assert_eq!(truth["wrong"].as_array().map(Vec::len), Some(0), "{said}\n{truth:#}");
    counts::agree(case, left.run(), &truth);
}

#[test]
fn novacron() {
    all_of("novacron", false);
}

#[test]
fn novacron_as_it_is() {
    all_of("novacron", true);
}

#[test]
fn nova_torch() {
    all_of("nova-torch", false);
}

#[test]
fn aragora() {
    all_of("aragora", false);
}

#[test]
fn aragora_as_it_is() {
    all_of("aragora", true);
}

#[test]
fn the_platform() {
    all_of("platform", false);
}

#[test]
fn the_platform_as_it_is() {
    all_of("platform", true);
}

#[test]
fn megaagent() {
    all_of("megaagent", false);
}

#[test]
fn megaagent_as_it_is() {
    all_of("megaagent", true);
}

/// Every suite of the folder is in the table, but for those of databases and the reference.
#[test]
fn no_suite_is_left_out() {
    let suites = concat!(env!("CARGO_MANIFEST_DIR"), "/../../suites");
    for folder in std::fs::read_dir(suites).unwrap() {
        let folder = folder.unwrap().path();
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        for (file, tool) in [
            ("api.toml", "api-load"),
            ("ws.toml", "ws-load"),
            ("grpc.toml", "grpc-load"),
            ("db.toml", "db-load redis"),
        ] {
            let has = folder.join(file).exists();
            let tested = CASES.iter().any(|case| case.suite == name && case.tool == tool)
                || redis::SUITES.iter().any(|(suite, ..)| *suite == name && tool == "db-load redis")
                || case::ELSEWHERE.contains(&(name.as_str(), file));
            assert!(!has || tested, "{name}/{file} is in no case");
        }
    }
}
