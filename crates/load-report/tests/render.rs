//! What people see: every renderer against a stored output of the one sample.

#![expect(clippy::unwrap_used, reason = "a test may panic; helpers of tests are not recognised as such")]

mod common;

use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use load_report::compare::Rules;
use load_report::hist::Histogram;
use load_report::model::{RatePlan, Severity};
use load_report::render::{compare, csv, github, hlog, html, json, junit, k6, locust, markdown, text};
use load_report::summary::Summary;

fn utf8(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

#[test]
fn text_of_a_run() {
    insta::assert_snapshot!("text", text::run(&common::run(), false));
}

#[test]
fn text_of_an_invalid_run() {
    insta::assert_snapshot!("text_invalid", text::run(&common::invalid_run(), false));
}

#[test]
fn text_of_several_components() {
    insta::assert_snapshot!("text_summary", text::summary(&common::summary(), false));
}

#[test]
fn colour_changes_nothing_but_colour() {
    let coloured = text::run(&common::run(), true);
    let mut plain = coloured.clone();
    for code in ["\u{1b}[0m", "\u{1b}[1m", "\u{1b}[31m", "\u{1b}[32m", "\u{1b}[33m"] {
        plain = plain.replace(code, "");
    }
    assert_ne!(coloured, plain);
    assert_eq!(plain, text::run(&common::run(), false));
}

#[test]
fn what_is_critical_says_so_everywhere() {
    let mut run = common::run();
    run.thresholds[2].severity = Some(Severity::Critical);
    let summary = Summary::of(run.clone());
    let expression = "response_time{op:GET /orders}: p(99)<80ms";
    assert!(text::run(&run, false).contains(&format!("✗ CRITICAL {expression}: observed")));
    assert!(text::summary(&summary, false).contains(&format!("✗ CRITICAL {expression}")));
    assert!(markdown::run(&run).contains("| ❌ CRITICAL |"));
    assert!(junit::run(&run).contains(&format!("CRITICAL: {expression}").replace('<', "&lt;")));
    assert!(github::annotations(&summary).contains(&format!("CRITICAL: {expression}")));
    assert!(!text::run(&common::run(), false).contains("CRITICAL"));
}

#[test]
fn a_run_that_passes_gets_no_hints() {
    let mut run = common::run();
    let failed = text::run(&run, false);
    assert!(failed.contains("\nhints\n  10 × no answer in time"), "{failed}");
    assert!(markdown::run(&run).contains("\n## Recommendations\n\n- 10 × "));
    run.thresholds.truncate(1);
    run.settle();
    assert!(!text::run(&run, false).contains("hints") && !markdown::run(&run).contains("Recommendations"));
    assert!(markdown::summary(&Summary::of(run)).contains("None: all is as it should be."));
}

#[test]
fn counters_that_are_parts_of_shares_have_no_empty_table() {
    let mut run = common::run();
    assert!(text::run(&run, false).contains("\ncounters of the protocol\n"));
    let part = |n| RatePlan { name: "share".into(), cases: n, all: n };
    run.header.plan.rates = (0..run.counters.len()).map(part).collect();
    assert!(!text::run(&run, false).contains("counters of the protocol"));
}

#[test]
fn markdown_of_a_run() {
    insta::assert_snapshot!("markdown", markdown::run(&common::run()));
}

#[test]
fn markdown_of_several_components() {
    insta::assert_snapshot!("markdown_summary", markdown::summary(&common::summary()));
}

#[test]
fn csv_files() {
    let run = common::run();
    insta::assert_snapshot!("csv_stats", utf8(csv::stats([&run])));
    insta::assert_snapshot!("csv_failures", utf8(csv::failures(&run)));
    insta::assert_snapshot!("csv_exceptions", utf8(csv::exceptions(&run)));
    insta::assert_snapshot!("csv_timeseries", utf8(csv::timeseries(&run)));
}

#[test]
fn json_of_a_run_reads_back_as_the_same_run() {
    let run = common::run();
    let text = json::run(&run);
    assert_eq!(load_report::read::read_run("api_summary.json", text.as_bytes()).unwrap(), run);
    insta::assert_snapshot!("json", text);
}

#[test]
fn json_of_several_components_has_no_histograms() {
    let text = json::summary(&common::summary());
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["components"].as_array().unwrap().len(), 2);
    assert!(value["components"][0].get("data").is_none() && value["components"][0]["totals"].is_object());
    assert_eq!(value["targets"][0]["name"], "orders are fast");
    assert!(!text.contains("\"hdr\""));
}

#[test]
fn junit_of_a_run() {
    insta::assert_snapshot!("junit", junit::run(&common::run()));
}

#[test]
fn junit_of_several_components() {
    insta::assert_snapshot!("junit_summary", junit::summary(&common::summary()));
}

#[test]
fn junit_is_never_empty() {
    let text = junit::run(&common::invalid_run());
    assert!(text.contains("name=\"run is valid\"") && text.contains("type=\"lost\""), "{text}");
}

#[test]
fn github_output() {
    insta::assert_snapshot!("github_annotations", github::annotations(&common::summary()));
    assert_eq!(github::step_summary(&common::summary()), markdown::summary(&common::summary()));
}

#[test]
fn a_step_summary_stays_below_the_limit() {
    let mut summary = common::summary();
    summary.notes = (0..20_000).map(|n| format!("note {n} {}", "x".repeat(80))).collect();
    let page = github::step_summary(&summary);
    assert!(page.len() < 1 << 20 && page.ends_with("SUMMARY.md.\n"));
}

#[test]
fn an_hlog_gives_the_histograms_back_by_tag() {
    let run = common::run();
    let log = hlog::run(&run);
    insta::assert_snapshot!("hlog", log);
    let entries = IntervalLogIterator::new(log.as_bytes()).map(Result::unwrap);
    let intervals: Vec<_> =
        entries.filter_map(|e| if let LogEntry::Interval(i) = e { Some(i) } else { None }).collect();
    let of = |tag: &str| {
        intervals.iter().filter(|i| i.tag().is_some_and(|t| t.as_str() == tag)).collect::<Vec<_>>()
    };
    let response = of("GET_/orders.response");
    let times: Vec<_> =
        response.iter().map(|i| (i.start_timestamp().as_secs(), i.duration().as_secs())).collect();
    assert_eq!(times, [(0, 2), (2, 10)]);
    let expected = &run.data.phases[1].ops[0].response_ok;
    let read = Histogram::from_base64(response[1].encoded_histogram()).unwrap();
    assert!(read.iter().eq(expected.iter()));
    assert!((response[1].max() - expected.max_ns() as f64 / 1e6).abs() < 0.001);
}

#[test]
fn nothing_from_a_server_reaches_a_medium_as_a_command() {
    let (run, summary) = (common::run(), common::summary());
    for page in [markdown::run(&run), markdown::summary(&summary), junit::run(&run)] {
        assert!(!page.contains("<script>") && !page.contains("<b>"), "{page}");
    }
    for out in [text::run(&run, false), markdown::run(&run), utf8(csv::failures(&run))] {
        assert!(!out.contains('\u{202e}'), "{out}");
    }
    assert!(utf8(csv::exceptions(&run)).contains("\n1,'=too many open files,"));
}

#[test]
fn html_pages() {
    insta::assert_snapshot!("html", html::run(&common::run()));
    let page = html::summary(&common::summary());
    for part in ["orders are fast", "<h2>db: SKIPPED</h2>", "no server at &lt;127.0.0.1&gt;", "<h2>ws: "] {
        assert!(page.contains(part), "{part}: {page}");
    }
    for page in [html::run(&common::run()), page] {
        assert!(!page.contains("<script") && !page.contains("<b>") && !page.contains('\u{202e}'), "{page}");
    }
}

#[test]
fn k6_summary() {
    let mut run = common::run();
    run.thresholds[0].expression = "http_req_failed: rate<0.1".into();
    insta::assert_snapshot!("k6_summary", k6::summary(&run));
}

#[test]
fn locust_summary() {
    insta::assert_snapshot!(
        "locust_summary",
        locust::summary(&common::run(), "smoke_local_1", "all that was said\n")
    );
}

#[test]
fn comparisons() {
    let comparison = common::comparison(Rules::default());
    insta::assert_snapshot!("compare_text", compare::text(&comparison));
    insta::assert_snapshot!("compare_markdown", compare::page(&comparison, 2));
    insta::assert_snapshot!("compare_json", json::comparison(&comparison));
}
