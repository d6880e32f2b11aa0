//! Are the suites in suites/ right, in every profile and environment, as far as no protocol is needed to know?

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use load_suite::node::{Node, Value};
use load_suite::suite::{Choice, Suite, tree};

fn suites() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../suites").canonicalize().unwrap()
}

/// The keys of a table of the suite.
fn names(node: &Node, key: &str) -> Vec<Option<String>> {
    match node.get(key).map(|node| &node.value) {
        Some(Value::Table(entries)) => entries.iter().map(|(name, _)| Some(name.clone())).collect(),
        _ => vec![None],
    }
}

/// Reads one in all its profiles and environments, and says how many there were.
fn read(folder: &Path, tool: &str) -> usize {
    let open = |path: &Path| fs::read_to_string(path);
    let (name, node) = tree(folder.to_str().unwrap(), tool, &open).unwrap();
    let mut count = 0;
    for profile in names(&node, "profiles") {
        for environment in names(&node, "environments") {
            let choice =
                Choice { profile: profile.clone(), environment: environment.clone(), ..Choice::default() };
            let suite = Suite::read(&name, node.clone(), &choice, &open)
                .unwrap_or_else(|error| panic!("{name} ({tool}) {profile:?} {environment:?}: {error}"));
            assert!(suite.environment.url.is_some(), "{name} ({tool}): {environment:?} has no url");
            let load = &suite.profile;
            assert!(
                load.vus.is_some() || load.rate.is_some() || !load.stages.is_empty(),
                "{name} ({tool}): {profile:?} says nothing of users or a rate"
            );
            count += 1;
        }
    }
    count
}

#[test]
fn every_shipped_suite_is_right_in_every_profile_and_environment() {
    let mut seen = 0;
    for entry in fs::read_dir(suites()).unwrap() {
        let folder = entry.unwrap().path();
        for tool in ["api", "ws", "grpc", "db"] {
            if folder.join(format!("{tool}.toml")).exists() {
                seen += read(&folder, tool);
            }
        }
    }
    assert!(seen > 150, "{seen}");
}

/// What every system has, whatever its own documents call the rest.
#[test]
fn every_system_has_a_contract_and_a_smoke_test() {
    let open = |path: &Path| fs::read_to_string(path);
    for (system, tool, profiles) in [
        ("novacron", "api", "load spike stress soak throughput"),
        ("novacron", "ws", "load thousand"),
        ("novacron", "db", "load throughput"),
        ("novacron-database", "api", "load throughput"),
        ("nova-torch", "db", "development staging production stress soak spike failover production-rate"),
        ("nova-torch", "grpc", "development staging production stress soak spike failover production-rate"),
        ("aragora", "api", "light medium heavy spike soak"),
        ("aragora", "ws", "light medium heavy spike soak"),
        ("platform", "api", "load stress spike endurance throughput"),
        ("platform-visitor", "api", "load stress spike throughput"),
        ("megaagent", "api", "normal stress spike endurance throughput"),
    ] {
        let (_, node) = tree(suites().join(system).to_str().unwrap(), tool, &open).unwrap();
        let there: BTreeSet<_> = names(&node, "profiles").into_iter().flatten().collect();
        for wanted in profiles.split(' ').chain(["contract", "smoke"]) {
            assert!(there.contains(wanted), "{system} ({tool}) has no profile {wanted}: {there:?}");
        }
        assert_eq!(names(&node, "environments")[0].as_deref(), Some("local"), "{system}: the default");
    }
}

/// How many users a profile has, at the end of each of its stages.
fn users(node: &Node, profile: &str) -> Vec<i64> {
    let profile = node.get("profiles").and_then(|profiles| profiles.get(profile)).unwrap();
    match profile.get("stages").map(|stages| &stages.value) {
        Some(Value::List(stages)) => {
            let target = |stage: &Node| {
                let Value::Text(stage) = &stage.value else { panic!("{stage:?}") };
                stage.rsplit(':').next().unwrap().parse().unwrap()
            };
            stages.iter().map(target).collect()
        }
        _ => match profile.get("vus").unwrap().value {
            Value::Integer(vus) => vec![vus],
            ref other => panic!("{other:?}"),
        },
    }
}

/// One in 19 of Aragora's users has a WebSocket; the others have none, and nobody comes on top.
#[test]
fn both_tools_of_aragora_have_its_users_together() {
    let open = |path: &Path| fs::read_to_string(path);
    let part = |tool| tree(suites().join("aragora").to_str().unwrap(), tool, &open).unwrap().1;
    // What neither of them says is what the suite says of both.
    let (all, api, ws) = (part("nobody"), part("api"), part("ws"));
    for profile in ["smoke", "light", "medium", "heavy", "spike", "soak"] {
        let (all, api, ws) = (users(&all, profile), users(&api, profile), users(&ws, profile));
        let sum: Vec<_> = api.iter().zip(&ws).map(|(api, ws)| api + ws).collect();
        assert_eq!(sum, all, "{profile}");
        let shares = all.iter().map(|all| if *all == 0 { 0 } else { (all / 19).max(1) });
        assert_eq!(shares.collect::<Vec<_>>(), ws, "{profile}");
    }
}

/// Nova-Torch's documents say staging where its program says k8s-staging.
#[test]
fn staging_is_another_name() {
    let open = |path: &Path| fs::read_to_string(path);
    let (name, node) = tree(suites().join("nova-torch").to_str().unwrap(), "grpc", &open).unwrap();
    let choice = Choice { environment: Some("staging".into()), ..Choice::default() };
    let suite = Suite::read(&name, node, &choice, &open).unwrap();
    assert_eq!(suite.environment.name, "k8s-staging");
    assert_eq!(suite.environment.url.unwrap().value, "https://api.staging.nova-torch.example.com:443");
}
