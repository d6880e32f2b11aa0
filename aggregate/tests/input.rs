//! What the tool makes of parts, journals and bad input.

#![expect(clippy::unwrap_used, reason = "a test may panic; helpers of tests are not recognised as such")]

mod support;

use std::fs;
use std::process::Command;

use load_report::journal::{Entry, Footer, Frame, MAGIC, encode};
use load_report::model::{End, LoadModel, Segment};
use load_report::render::json;
use load_report::tally::{PhaseTally, Tally};

use support::{Folder, common, run, whole};

/// A journal of 3 s with 10 calls a second; without an end when `killed`.
fn journal(killed: bool) -> Vec<u8> {
    let mut header = common::header("api", Segment::WHOLE);
    header.plan.model = LoadModel::Closed;
    let mut bytes = MAGIC.to_vec();
    bytes.extend(encode(&Entry::Header(serde_json::to_string(&header).unwrap())));
    for second in 0..3 {
        let mut phase = PhaseTally::new(2, 1, 0);
        (phase.calls.scheduled, phase.calls.ok, phase.ops[0].ok) = (10, 10, 10);
        (phase.iterations.scheduled, phase.iterations.ok) = (10, 10);
        phase.ops[0].response_ok.record_n(2_000_000, 10);
        phase.ops[0].service_ok.record_n(2_000_000, 10);
        phase.iteration_ok.record_n(2_000_000, 10);
        let mut tally = Tally::default();
        *tally.phase_mut(1) = phase;
        let (from_ns, to_ns) = (second * 1_000_000_000, (second + 1) * 1_000_000_000);
        bytes.extend(encode(&Entry::Frame(Box::new(Frame { from_ns, to_ns, tally, ..Frame::default() }))));
    }
    if !killed {
        let end = End { stop_ns: 12_000_000_000, end_ns: 12_000_000_000 };
        bytes.extend(encode(&Entry::Footer(Footer { end, ..Footer::default() })));
    }
    bytes
}

#[test]
fn nothing_to_read_is_113_or_116() {
    let folder = Folder::new();
    let answer = folder.file("notes.txt", "x").aggregate(&[]);
    assert!(answer.code == 113 && answer.err.contains("expected files named <component>_summary.json"));
    assert_eq!(answer.err.lines().count(), 1);
    for name in ["notes.txt", "missing"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_aggregate"));
        let answer = run(command.arg(folder.path(name)));
        assert!(answer.code == 116 && answer.err.contains("expected a results folder"), "{}", answer.err);
    }
}

#[test]
fn a_truncated_file_is_116_and_the_others_are_reported_on_request() {
    let folder = Folder::new();
    let text = json::run(&whole("ws", &[]).judge(&[]));
    folder.run(whole("api", &[])).file("ws_summary.json", &text[..text.len() / 2]);
    let answer = folder.aggregate(&[]);
    assert!(answer.code == 116 && answer.err.contains("ws_summary.json: truncated"), "{}", answer.err);
    assert!(!folder.path("summary.json").exists());

    let answer = folder.aggregate(&["--keep-going"]);
    assert_eq!(answer.code, 116);
    assert!(answer.out.contains("note: unreadable: ws_summary.json: truncated"), "{}", answer.out);
    assert_eq!(
        (&folder.summary()["verdict"], &folder.summary()["components"][0]["component"]),
        (&"invalid".into(), &"api".into())
    );
}

#[test]
fn segments_are_merged_to_the_whole() {
    let folder = Folder::new();
    for index in 0..12 {
        folder.run(common::record("api", Segment { index, of: 12 }));
    }
    let answer = folder.aggregate(&[]);
    assert_eq!(answer.code, 0, "{}{}", answer.out, answer.err);
    let component = &folder.summary()["components"][0];
    assert_eq!(component["totals"]["requests"], 12 * 1001);
    assert_eq!(component["segment"]["of"], 1);
}

#[test]
fn a_missing_segment_is_invalid() {
    let folder = Folder::new();
    folder
        .run(common::record("api", Segment { index: 0, of: 3 }))
        .run(common::record("api", Segment { index: 1, of: 3 }));
    let answer = folder.aggregate(&[]);
    assert_eq!(answer.code, 111);
    assert!(answer.out.contains("lost: segment 2/3"), "{}", answer.out);
}

#[test]
fn the_same_part_twice_and_mixed_divisions_are_refused() {
    let folder = Folder::new();
    let text = json::run(&whole("api", &[]).judge(&[]));
    let answer = folder.run(whole("api", &[])).file("api.0of1_summary.json", &text).aggregate(&[]);
    assert!(answer.code == 116 && answer.err.contains("the same segment 0/1"), "{}", answer.err);

    let folder = Folder::new();
    let answer = folder.run(whole("api", &[])).file("web_summary.json", &text).aggregate(&[]);
    assert!(answer.code == 116 && answer.err.contains("give it back its own name"), "{}", answer.err);

    let folder = Folder::new();
    folder
        .run(common::record("api", Segment { index: 0, of: 2 }))
        .run(common::record("api", Segment { index: 1, of: 3 }));
    let answer = folder.aggregate(&[]);
    assert!(answer.code == 116 && answer.err.contains("divide the run differently"), "{}", answer.err);
}

#[test]
fn parts_of_different_plans_or_runs_are_refused() {
    let folder = Folder::new();
    let mut other = common::record("api", Segment { index: 1, of: 2 });
    other.header.plan.seed = 8;
    let answer = folder.run(common::record("api", Segment { index: 0, of: 2 })).run(other).aggregate(&[]);
    assert!(answer.code == 116 && answer.err.contains("its plan.seed differs"), "{}", answer.err);

    let folder = Folder::new();
    let mut other = whole("ws", &[]);
    other.header.run_id = "yesterday".into();
    let answer = folder.run(whole("api", &[])).run(other).aggregate(&[]);
    assert!(answer.code == 116 && answer.err.contains("one folder holds one run"), "{}", answer.err);
}

#[test]
fn a_killed_run_is_recovered_from_its_journal_and_labelled() {
    let folder = Folder::new();
    let mut bytes = journal(true);
    bytes.extend([1, 2, 3]);
    let answer = folder.file("api.journal", &bytes).aggregate(&[]);
    assert!(answer.code == 105, "{} {}{}", answer.code, answer.out, answer.err);
    assert!(answer.out.contains("api is read from api.journal: it was killed"), "{}", answer.out);
    let component = &folder.summary()["components"][0];
    assert_eq!((&component["recovered"], &component["totals"]["requests"]), (&true.into(), &30.into()));
    assert_eq!(folder.summary()["verdict"], "invalid");
    assert!(fs::read_to_string(folder.path("SUMMARY.md")).unwrap().contains("recovered from the journal"));
}

#[test]
fn a_journal_with_an_end_is_as_good_as_a_summary_and_yields_to_one() {
    let folder = Folder::new();
    let answer = folder.file("api.journal", journal(false)).aggregate(&[]);
    assert!(answer.code == 0 && answer.out.contains("there is no summary"), "{}{}", answer.out, answer.err);
    let answer = folder.run(whole("api", &[])).aggregate(&[]);
    assert!(answer.code == 0 && !answer.out.contains("journal"), "{}", answer.out);
    assert_eq!(folder.summary()["components"][0]["totals"]["requests"], 1001);
    let answer = folder.file("ws.journal", "no journal").aggregate(&[]);
    assert!(answer.code == 116 && answer.err.contains("ws.journal: not a journal"), "{}", answer.err);
}

#[test]
fn links_and_strange_names_are_refused() {
    let folder = Folder::new();
    let elsewhere = Folder::new();
    elsewhere.run(whole("api", &[]));
    std::os::unix::fs::symlink(elsewhere.path("api_summary.json"), folder.path("api_summary.json")).unwrap();
    let answer = folder.aggregate(&[]);
    assert!(answer.code == 116 && answer.err.contains("is a symbolic link"), "{}", answer.err);

    let folder = Folder::new();
    let answer = folder.file("a b_summary.json", "{}").aggregate(&[]);
    assert!(answer.code == 116 && answer.err.contains("not the name of a component"), "{}", answer.err);

    let folder = Folder::new();
    fs::create_dir(folder.path("api_summary.json")).unwrap();
    let answer = folder.aggregate(&[]);
    assert!(answer.code == 116 && answer.err.contains("expected a regular file"), "{}", answer.err);
}

#[test]
fn the_folder_itself_may_be_a_link() {
    let (folder, links) = (Folder::new(), Folder::new());
    folder.run(whole("api", &[]));
    let latest = links.path("latest");
    std::os::unix::fs::symlink(folder.0.path(), &latest).unwrap();
    let answer = run(Command::new(env!("CARGO_BIN_EXE_aggregate")).arg(&latest));
    assert_eq!(answer.code, 0, "{}", answer.err);
}
