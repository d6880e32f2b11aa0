//! Is the whole the sum of its parts? Histograms rebuilt from every single call equal the merged ones.

use load_report::figures::all_ops;
use load_report::hist::Histogram;
use load_report::merge::merge;
use load_report::model::RunFile;
use load_report::tally::OpTally;

use crate::support::{Tool, server, url};

/// The series of the successful and failed calls, rebuilt from the lines of a raw file.
fn rebuild(raws: &[String]) -> [Histogram; 4] {
    let mut series = [const { Histogram::new() }; 4];
    for line in raws.iter().flat_map(|raw| raw.lines().skip(1)) {
        let field = |i: usize| line.split(',').nth(i).unwrap();
        let ns = |i: usize| field(i).parse::<i64>().unwrap();
        let failed = usize::from(field(6) != "ok");
        series[failed * 2].record((ns(5) - ns(3)).unsigned_abs());
        series[failed * 2 + 1].record((ns(5) - ns(4)).unsigned_abs());
    }
    series
}

fn series(run: &RunFile) -> [Histogram; 4] {
    let mut all = OpTally::default();
    run.data.phases.iter().for_each(|phase| all.merge(&all_ops(&phase.ops)));
    [all.response_ok, all.service_ok, all.response_failed, all.service_failed]
}

const FAILING: &str = "[[rule]]\npath = \"/\"\nfail = { every = 7, how = \"status:503\" }\n";

#[test]
fn three_processes_are_one_run() {
    let (server, tool) = (server(FAILING), Tool::new());
    let raw = tool.folder().join("raw.csv");
    let args = format!("-r 3000 -d 2s -c 30 --processes 3 --no-thresholds --out raw={}", raw.display());
    let left = tool.run(&url(&server, "/?k={{seq}}"), &args);
    let run = left.run();
    assert_eq!(series(run), rebuild(&[std::fs::read_to_string(raw).unwrap()]));
    assert_eq!(run.ledger.calls.scheduled, server.truth().requests);
    let mut keys: Vec<u64> = server.arrivals().iter().filter_map(|a| a.k).collect();
    keys.sort_unstable();
    assert_eq!(keys, (0..6_000).collect::<Vec<_>>(), "every tick once, whoever owns it");
}

#[test]
fn three_segments_are_one_run() {
    let server = server(FAILING);
    let (mut records, mut raws, mut keys) = (Vec::new(), Vec::new(), 0);
    for index in 0..3 {
        let tool = Tool::new();
        let raw = tool.folder().join("raw.csv");
        let args =
            format!("-r 1500 -d 2s -c 30 --segment {index}/3 --no-thresholds --out raw={}", raw.display());
        tool.run(&url(&server, "/?k={{seq}}"), &args);
        let path = tool.results().join(format!("api.{index}of3_summary.json"));
        let run = load_report::read::read_run("segment", &std::fs::read(path).unwrap()).unwrap();
        keys += run.ledger.calls.scheduled;
        records.push(run.into_record());
        raws.push(std::fs::read_to_string(raw).unwrap());
    }
    let merged = merge(records).unwrap().judge(&[]);
    assert_eq!(series(&merged), rebuild(&raws));
    assert_eq!((merged.ledger.calls.scheduled, keys, server.truth().requests), (3_000, 3_000, 3_000));
    let mut keys: Vec<u64> = server.arrivals().iter().filter_map(|a| a.k).collect();
    keys.sort_unstable();
    assert_eq!(keys, (0..3_000).collect::<Vec<_>>());
}
