//! Is a target that has become slower told from one that has not? Runs against a baseline, whose delays are scripted.

use std::collections::BTreeMap;
use std::path::Path;

use load_report::compare::{Change, Figure, Rules, Side, compare};
use load_report::model::RunFile;
use tool_tests::timed;

use crate::support::{Tool, server, url};

/// Twice as slow is more than this, whatever the machine adds; the same again is less.
const ROOM: f64 = 0.5;

/// A server that takes so long for each answer.
fn taking(ms: u32) -> target_server::Server {
    server(&format!("[[rule]]\npath = \"/\"\ndelay = \"{ms}ms\"\n"))
}

/// What has become of each figure of `now`.
fn compared(then: &RunFile, now: &RunFile) -> Vec<(Figure, Change)> {
    let side = |name: &str, run| Side { name: name.into(), runs: BTreeMap::from([("api".to_owned(), run)]) };
    let rules = Rules { noise: ROOM, ..Rules::default() };
    let comparison = compare(&[side("then", then)], &[side("now", now)], rules).unwrap();
    comparison.rows().map(|(_, row)| (row.figure, row.judgement)).collect()
}

#[test]
fn a_target_that_is_twice_as_slow_is_a_regression_and_the_same_again_is_none() {
    const LOAD: &str = "-r 50 -c 16 -d 12s";
    timed(|| {
        let (quick, slow) = (taking(40), taking(80));
        let then = Tool::new();
        let first = then.run(&url(&quick, "/"), LOAD);
        first.exits(0)?;
        let limit = "response_time:delta(p(50))<50%";
        let again = |server: &target_server::Server| {
            let tool = Tool::new();
            let baseline = then.results().display().to_string();
            tool.run(&url(server, "/"), &format!("{LOAD} --baseline {baseline} --threshold {limit}"))
        };
        let (same, slower) = (again(&quick), again(&slow));
        same.exits(0)?;
        slower.exits(112)?;
        let report = slower.run().thresholds.iter().find(|report| report.delta).unwrap();
        let observed = report.observed.unwrap();
        if !(0.8..1.2).contains(&observed) {
            return Err(format!("80 ms is twice 40 ms, {observed} was observed"));
        }
        let of_slower = compared(first.run(), slower.run());
        let worse = |figure| of_slower.contains(&(figure, Change::Worse));
        if !worse(Figure::ResponseP50) || !worse(Figure::ServiceP50) {
            return Err(format!("{of_slower:?}"));
        }
        let of_same = compared(first.run(), same.run());
        if of_same.iter().any(|(_, change)| *change == Change::Worse) {
            return Err(format!("{of_same:?}"));
        }
        Ok(())
    });
}

#[test]
fn a_baseline_is_checked_before_anything_is_sent() {
    const LOAD: &str = "-n 20 -u 2 --threshold response_time:delta(p(95))<99%";
    let server = taking(1);
    let then = Tool::new();
    let target = url(&server, "/");
    then.run(&target, "-n 20 -u 2");
    let seen = || server.truth().requests;
    let before = seen();
    let refused = |line: &str, code: i32, expected: &str| {
        let tool = Tool::new();
        let left = tool.run(&target, line);
        assert_eq!(left.code, code, "{line}: {}", left.stderr);
        assert!(left.stderr.contains(expected) && left.run.is_none(), "{line}: {}", left.stderr);
    };
    let folder = then.results().display().to_string();
    refused(LOAD, 104, "compares with an earlier run: name it with --baseline");
    refused(&format!("-n 20 -u 2 --baseline {folder}"), 104, "there is none");
    refused(
        &format!("{LOAD} --baseline nothing"),
        116,
        "no such results folder or run file, and no baseline",
    );
    refused(&format!("{LOAD} --segment 0/2 --baseline {folder}"), 104, "one segment is not");
    let other = LOAD.replace("-u 2", "-u 4");
    refused(&format!("{other} --baseline {folder}"), 116, "did not do the same: users 4 instead of 2");
    let broken = then.folder().join("broken_summary.json");
    std::fs::write(&broken, "{\"schema\": \"quintet/run/v1\",").unwrap();
    refused(&format!("{LOAD} --baseline {}", broken.display()), 116, "truncated");
    assert_eq!(seen(), before, "nothing was sent");
    assert!(Path::new(&folder).join("api_summary.json").exists());
}
