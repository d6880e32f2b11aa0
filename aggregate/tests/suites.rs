//! What does `aggregate` say of the suites? Lists, profiles in four forms (k6 and Locust run theirs), and components.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

mod support;

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;
use support::{Answer, run};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

fn aggregate(arguments: &[&str]) -> Answer {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aggregate"));
    run(command.args(arguments).current_dir(root()).env_remove("ARAGORA_LOAD_PROFILE"))
}

fn json(arguments: &[&str]) -> Value {
    let answer = aggregate(arguments);
    assert_eq!(answer.code, 0, "{}", answer.err);
    serde_json::from_str(&answer.out).unwrap()
}

#[test]
fn every_shipped_suite_is_listed_with_its_tools_and_says_what_it_is() {
    let all = json(&["suites", "--format", "json"]);
    let all = all.as_array().unwrap();
    assert!(all.len() >= 25, "{}", all.len());
    for suite in all {
        assert_ne!(suite["about"], "", "{suite}");
        assert!(!suite["profiles"].as_array().unwrap().is_empty(), "{suite}");
    }
    let of = |name: &str| all.iter().find(|suite| suite["name"] == name).unwrap();
    assert_eq!(of("novacron")["tools"], serde_json::json!(["api-load", "ws-load", "db-load postgres"]));
    assert_eq!(of("nova-torch")["tools"], serde_json::json!(["db-load redis", "grpc-load"]));
    assert_ne!(of("aragora-auth")["about"], of("aragora")["about"]);
    let text = aggregate(&["suites"]).out;
    assert!(text.starts_with("aragora\n  Aragora: agents who debate"), "{text}");
    let list = aggregate(&["profiles", "list", "aragora"]).out;
    assert!(
        list.lines().any(|line| line.starts_with("light ") && line.ends_with("api-load, ws-load")),
        "{list}"
    );
}

#[test]
fn a_profile_is_shown_for_people_and_programs() {
    let shown = json(&["profiles", "show", "aragora/light", "--format", "json", "--tool", "api"]);
    let light = &shown[0];
    assert_eq!((&light["profile"], &light["load"]["duration"]), (&"light".into(), &"5m".into()));
    assert!(light["thresholds"].as_array().unwrap().contains(&"error_rate<1%".into()), "{light}");
    assert!(light["users"].as_array().unwrap().len() >= 6, "{light}");
    let smaller = json(&[
        "profiles",
        "show",
        "aragora",
        "--profile",
        "heavy",
        "--format",
        "json",
        "--scale-time",
        "0.5",
    ]);
    // Of a hundred users five speak over WebSockets.
    assert_eq!(smaller[0]["load"]["stages"][3], "peak=2m30s:95");
    let text = aggregate(&["profiles", "show", "aragora/heavy"]).out;
    for stages in ["1m:19, 2m:48, 3m:95, peak=5m:95", "1m:1, 2m:2, 3m:5, peak=5m:5"] {
        assert!(text.contains(&format!("  stages        {stages}")), "{text}");
    }
}

#[test]
fn what_is_not_there_is_told_with_what_is() {
    for (arguments, expected) in [
        (&["profiles", "show", "aragora/lite"][..], "no profile lite in aragora; known are smoke,"),
        (&["profiles", "list", "aragorn"], "no suite aragorn; expected a folder"),
        (&["components", "aragora", "--profile", "hevy"], "did you mean heavy?"),
        (&["components", "aragora"], "--profile"),
        (&["components", "aragora", "--profile", "light", "-e", "vms"], "expected NAME=VALUE"),
        (&["suites", "nowhere"], "nowhere: No such file"),
    ] {
        let answer = aggregate(arguments);
        assert_eq!(answer.code, 104, "{arguments:?}");
        assert!(answer.err.contains(expected), "{}", answer.err);
    }
}

/// The lines of `components`, each as its words.
fn components(arguments: &[&str]) -> Vec<Vec<String>> {
    let answer = aggregate(&[&["components"], arguments].concat());
    assert_eq!(answer.code, 0, "{}", answer.err);
    answer.out.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}

#[test]
fn the_components_of_a_system_come_in_their_order_and_scaled() {
    let aragora = components(&["aragora", "--profile", "light", "--scale-time", "0.05"]);
    assert_eq!(aragora.len(), 13);
    assert_eq!(
        aragora[0].join(" "),
        "0 api api api-load --suite aragora --profile light --scale-time 0.05 --name api"
    );
    assert_eq!((aragora[1][0].as_str(), aragora[1][1].as_str()), ("0", "ws"));
    assert_eq!(
        aragora[2].join(" "),
        "1 auth api api-load --suite suites/aragora-auth --profile smoke --scale-time 0.05 --name auth"
    );
    let novacron =
        components(&["novacron", "--profile", "load", "--scale-time", "0.1", "--scale-users", "0.5"]);
    let names: Vec<_> = novacron.iter().map(|words| words[1].as_str()).collect();
    assert_eq!(names, ["api", "dwcp", "ws", "database", "db-postgres"]);
    // Migrations have no suite: the profile is said by flags, scaled all the same.
    let dwcp = novacron[1].join(" ");
    assert!(dwcp.starts_with("1 dwcp dwcp dwcp-load --stage 12s:25 --stage 30s:50 "), "{dwcp}");
    assert!(novacron[1].contains(&"error_rate<2%".to_owned()), "{dwcp}");
    // It is told that it is a rehearsal, as those with a suite know by themselves.
    assert!(dwcp.contains(" --rehearsal 0.1,0.5 "), "{dwcp}");
    let vars = components(&["novacron", "--profile", "load", "-e", "vms=50", "--var", "who=A B"]);
    assert!(vars[0].join("|").contains("|--var|vms=50|--var|who=A B|"), "{:?}", vars[0]);
    assert!(!vars[1].iter().any(|word| word == "--var" || word == "--rehearsal"), "{:?}", vars[1]);
    let torch = components(&["nova-torch", "--profile", "smoke", "--environment", "docker"]);
    assert_eq!(torch.iter().filter(|words| words[0] == "0").count(), 3);
    assert!(
        torch[0].join(" ").contains("db-load redis --suite nova-torch --profile smoke --environment docker")
    );
    // A suite that names no components has one for each tool.
    let auth = components(&["aragora-auth", "--profile", "stress"]);
    assert_eq!(auth[0].join(" "), "0 api api api-load --suite aragora-auth --profile stress --name api");
}

#[test]
fn components_that_wait_for_each_other_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    for (second, expected) in [("a", "in a circle"), ("c", "no component \"c\"")] {
        let toml = format!(
            "[components.a]\ntool = \"api-load\"\nafter = \"b\"\n[components.b]\ntool = \"ws-load\"\nafter = \"{second}\"\n"
        );
        fs::write(folder.path().join("suite.toml"), toml).unwrap();
        let answer = aggregate(&["components", path, "--profile", "x"]);
        assert_eq!(answer.code, 104);
        assert!(answer.err.contains(expected), "{}", answer.err);
    }
}

/// A server that counts its requests and answers each well; it ends with the test.
fn server() -> (String, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let count = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&count);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let counted = Arc::clone(&counted);
            std::thread::spawn(move || {
                let mut reader = BufReader::new(stream);
                let mut line = String::new();
                while matches!(reader.read_line(&mut line), Ok(n) if n > 0) {
                    if line == "\r\n" {
                        counted.fetch_add(1, Ordering::Relaxed);
                        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
                        if reader.get_mut().write_all(answer).is_err() {
                            return;
                        }
                    }
                    line.clear();
                }
            });
        }
    });
    (url, count)
}

/// The first of `paths` under target/, or none where it is not installed.
fn installed(paths: &[&str]) -> Option<PathBuf> {
    let found = paths.iter().map(|path| root().join("target").join(path)).find(|path| path.exists());
    if found.is_none() {
        println!("skipped: no {} under target/; scripts/bench_peers.sh --install installs it", paths[0]);
    }
    found
}

const PROFILES: [(&str, &str); 4] = [
    ("aragora/smoke", "1"),
    ("platform/throughput", "0.05"),
    ("platform-visitor/spike", "0.05"),
    ("megaagent/contract", "1"),
];

#[test]
fn k6_runs_what_is_shown_for_k6() {
    let Some(k6) = installed(&["python-k6/bin/k6", "peers/venv/bin/k6"]) else { return };
    for (profile, users) in PROFILES {
        let (url, count) = server();
        let shown =
            ["profiles", "show", profile, "--format", "k6", "--scale-time", "0.03", "--scale-users", users];
        let answer = aggregate(&shown);
        assert_eq!(answer.code, 0, "{}", answer.err);
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("load.js");
        fs::write(&script, answer.out).unwrap();
        let summary = folder.path().join("summary.json");
        let mut k6 = Command::new(&k6);
        k6.args(["run", "--quiet", "--no-usage-report", "--summary-export"])
            .arg(&summary)
            .arg(&script)
            .env("API_URL", &url);
        let told = run(&mut k6);
        // 99: a threshold of the profile does not hold, for a throughput that was scaled.
        assert!(told.code == 0 || told.code == 99, "{profile}: {} {}", told.code, told.err);
        let summary: Value = serde_json::from_slice(&fs::read(summary).unwrap()).unwrap();
        let made = summary["metrics"]["http_reqs"]["count"].as_u64().unwrap();
        assert!(made > 0, "{profile}");
        assert_eq!(made, count.load(Ordering::Relaxed), "{profile}");
    }
}

#[test]
fn locust_runs_what_is_shown_for_locust() {
    let Some(locust) = installed(&["peers/venv/bin/locust"]) else { return };
    for (profile, users) in PROFILES {
        let (url, count) = server();
        let shown = [
            "profiles",
            "show",
            profile,
            "--format",
            "locust",
            "--scale-time",
            "0.03",
            "--scale-users",
            users,
        ];
        let answer = aggregate(&shown);
        assert_eq!(answer.code, 0, "{}", answer.err);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("locustfile.py");
        fs::write(&file, answer.out).unwrap();
        let mut locust = Command::new(&locust);
        locust
            .args(["--headless", "--only-summary", "--stop-timeout", "5", "--csv"])
            .arg(folder.path().join("of"));
        let told = run(locust.arg("-f").arg(&file).env("API_URL", &url).current_dir(folder.path()));
        assert!(
            told.code == 0 || told.out.contains("does not hold"),
            "{profile}: {} {}",
            told.code,
            told.err
        );
        // Locust itself may stumble over a user that ends while it is stopped.
        let ours = format!("File \"{}\"", file.display());
        assert!(!told.err.contains(&ours), "{profile}: {}", told.err);
        assert!(count.load(Ordering::Relaxed) > 0, "{profile}");
    }
}
