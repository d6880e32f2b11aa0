//! Is the page what a strict reader takes, and does it say what was counted?

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::collect::Collector;
use crate::collect::tests::{frame, header};
use crate::fault::FaultKind;

fn page(collector: &Collector, labels: &Labels) -> String {
    let scene = Scene {
        header: collector.header(),
        elapsed_ns: 2_500_000_000,
        data: collector.data(),
        samples: collector.samples(),
        present: collector.present(),
        thresholds: &[],
    };
    text(labels, &scene)
}

/// Values by series; every series once, behind the type of its metric.
fn series(page: &str) -> BTreeMap<&str, &str> {
    let (mut all, mut declared) = (BTreeMap::new(), BTreeSet::new());
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            assert!(declared.insert(rest.split(' ').next().unwrap()), "declared twice: {line}");
        }
        if line.starts_with('#') {
            continue;
        }
        let (name, value) = line.rsplit_once(' ').unwrap();
        let metric = name.split('{').next().unwrap();
        let of = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| metric.strip_suffix(suffix));
        assert!(declared.contains(metric) || of.is_some_and(|of| declared.contains(of)), "{line}");
        assert!(value.parse::<f64>().unwrap().is_finite(), "{line}");
        assert!(all.insert(name, value).is_none(), "twice: {name}");
    }
    all
}

#[test]
fn the_page_says_what_was_counted_over_all_phases() {
    let mut collector = Collector::new(header(10));
    let mut first = frame(0, 0, 12, 10);
    first.in_flight = 1;
    first.tally.phases[0].calls.failed.add(FaultKind::Rejected, 1);
    first.tally.phases[0].ops[0].failed.add(FaultKind::Rejected, 1);
    first.tally.phases[0].ops[0].response_failed.record(7_000_000);
    collector.absorb(&first);
    let labels = Labels::new(collector.header(), str::to_owned);
    let text = page(&collector, &labels);
    let series = series(&text);
    let base = "component=\"api\"";
    let value = |name: String| -> u64 {
        series.get(&*name).unwrap_or_else(|| panic!("no {name} in\n{text}")).parse().unwrap()
    };
    let call =
        |outcome: &str| value(format!("quintet_calls_total{{{base},op=\"GET /\",outcome=\"{outcome}\"}}"));
    assert_eq!((call("ok"), call("failed"), call("abandoned")), (10, 1, 0));
    let settled = call("ok") + call("failed") + value(format!("quintet_calls_in_flight{{{base}}}"));
    assert_eq!(value(format!("quintet_calls_scheduled_total{{{base}}}")), settled);
    assert_eq!(value(format!("quintet_call_failures_total{{{base},op=\"GET /\",kind=\"rejected\"}}")), 1);
    assert_eq!(value(format!("load_test_requests_total{{{base},name=\"GET /\"}}")), 11);
    assert_eq!(value(format!("load_test_errors_total{{{base},name=\"GET /\"}}")), 1);
    assert_eq!(value(format!("load_test_response_time_seconds_count{{{base},name=\"GET /\"}}")), 11);
    assert_eq!(value(format!("quintet_phase{{{base},phase=\"sustain\"}}")), 1);
    assert_eq!(value(format!("quintet_connections_open{{{base}}}")), 5);
}

#[test]
fn names_of_strangers_are_labels_and_no_two_are_the_same() {
    let mut header = header(10);
    header.plan.target = "http://user:hunter2@host/".into();
    header.plan.ops = ["a\"b\\c\nd{} 7", "k-hunter2", "k-***"].map(String::from).to_vec();
    let collector = Collector::new(header);
    let labels = Labels::new(collector.header(), |text| text.replace("hunter2", "***"));
    let text = page(&collector, &labels);
    series(&text);
    assert!(!text.contains("hunter2"), "{text}");
    for op in ["a\\\"b\\\\c d{} 7", "k-***", "k-*** #2"] {
        assert!(
            text.contains(&format!("quintet_messages_total{{component=\"api\",op=\"{op}\"}} 0")),
            "{op} in\n{text}"
        );
    }
}
