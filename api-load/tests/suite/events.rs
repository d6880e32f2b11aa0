//! Does something happen to the system at its time, once, and is that told?

use std::time::Duration;

use tool_tests::{Left, Tool};

use crate::{Shop, run, tool};

/// A suite with these events, whose file FOLDER stands for the folder of the test.
fn suite(tool: &Tool, events: &str) -> String {
    let load = "[[users]]\nname = \"u\"\nthink = \"20ms\"\n[[users.tasks]]\nname = \"t\"\nrequest = \"GET /search\"\n";
    format!("{load}{}", events.replace("FOLDER", &tool.folder().display().to_string()))
}

fn event<'a>(left: &'a Left, name: &str) -> &'a load_report::model::EventReport {
    left.run().events.iter().find(|event| event.name == name).unwrap()
}

const EVENTS: &str = r#"
[[events]]
name = "note"
at = "10s"
run = ["sh", "-c", "echo \"$0\" >> FOLDER/noted; exit 3", "a  b"]
[[events]]
name = "long"
at = "2s"
run = ["sh", "-c", "sleep 600 & wait"]
[[events]]
name = "limited"
at = "2s"
timeout = "300ms"
run = ["sleep", "600"]
[[events]]
name = "missing"
at = "2s"
run = ["/no/such/program"]
[[events]]
at = "5s"
run = ["true"]
"#;

#[test]
fn commands_run_once_at_their_instants_and_end_with_the_run() {
    for more in ["", " --processes 2"] {
        let (shop, tool) = (Shop::open(), tool());
        let line = format!("-u 2 -d 2s --scale-time 0.1 --no-progress{more}");
        let left = run(&tool, &shop, &suite(&tool, EVENTS), &line);
        assert_eq!(left.code, 0, "{}{}", left.stdout, left.stderr);
        // Words are words: no shell has taken them apart, and nobody has run them twice.
        assert_eq!(std::fs::read_to_string(tool.folder().join("noted")).unwrap(), "a  b\n");
        let note = event(&left, "note");
        assert_eq!((note.at_s, note.exit_code), (1.0, Some(3)));
        assert!((1.0..1.5).contains(&note.began_s.unwrap()), "{note:?}");
        let long = event(&left, "long");
        assert_eq!((long.exit_code, long.note.as_deref()), (None, Some("killed at the end of the run")));
        // Users whose pause would not end before the run does leave at once, so that it is over a little earlier.
        assert!((1.8..3.0).contains(&long.ended_s.unwrap()), "{long:?}");
        let limited = event(&left, "limited");
        assert_eq!(limited.note.as_deref(), Some("killed when its timeout had passed"));
        assert!((0.5..1.2).contains(&limited.ended_s.unwrap()), "{limited:?}");
        assert!(event(&left, "missing").note.as_ref().unwrap().contains("/no/such/program: No such file"));
        assert_eq!(event(&left, "true").exit_code, Some(0));
        assert_eq!(left.run().warnings.iter().filter(|text| text.starts_with("the event ")).count(), 4);
        assert!(left.stdout.contains("note at 1.00 s: exit code 3"), "{}", left.stdout);
    }
}

#[test]
fn a_server_that_an_event_stops_is_seen_to_be_away() {
    let (shop, tool) = (Shop::open(), tool());
    let stop = format!(
        "[[events]]\nname = \"stop\"\nat = \"1s\"\nrun = [\"kill\", \"-STOP\", \"{}\"]\n",
        shop.process.id()
    );
    let go = format!(
        "[[events]]\nname = \"go\"\nat = \"2s\"\nrun = [\"kill\", \"-CONT\", \"{}\"]\n",
        shop.process.id()
    );
    let left = run(&tool, &shop, &suite(&tool, &(stop + &go)), "-r 50 -d 3s --no-progress");
    assert_eq!(left.run().events.iter().map(|event| event.exit_code).collect::<Vec<_>>(), [Some(0); 2]);
    // Who came when it had just stopped waited until it went on.
    let waited = Duration::from_secs_f64(left.run().totals.response_ms.unwrap().max / 1e3);
    assert!((800..1_500).contains(&waited.as_millis()), "{waited:?}");
}

#[test]
fn events_are_checked_listed_and_left_out_of_a_single_pass() {
    let (shop, tool) = (Shop::open(), tool());
    let text = suite(&tool, EVENTS);
    let left = run(&tool, &shop, &text, "-u 2 -d 2s --no-progress");
    left.is_refused(104, "the event note comes at 10s, when the run of 2s is over");
    let path = tool.folder().join("suite.toml").display().to_string();
    for (word, listed) in [("check", true), ("once", false)] {
        let args = [word, "--suite", &path, "--url", &shop.url, "-d", "20s"];
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_api-load")).args(args).output().unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert_eq!(output.status.code(), Some(0), "{said}");
        assert_eq!(
            said.contains("event at 500ms") || said.contains("event at 5s: true: true"),
            listed,
            "{said}"
        );
    }
    assert!(!tool.folder().join("noted").exists());
}
