//! Reading what others wrote: whatever the bytes are, a run that can be judged or one clear refusal.

#![expect(clippy::unwrap_used, reason = "a test may panic; helpers of tests are not recognised as such")]

mod common;

use load_report::figures::Record;
use load_report::merge::merge;
use load_report::model::{RunFile, Segment};
use load_report::read::{ReadError, read_run};
use load_report::render::json;
use proptest::prelude::*;

const NAME: &str = "api_summary.json";

fn refusal(text: &str) -> String {
    read_run(NAME, text.as_bytes()).unwrap_err().to_string()
}

/// The sample with one value replaced; `path` as in `jq`, without the first dot.
fn with(path: &str, value: serde_json::Value) -> String {
    let mut run = serde_json::to_value(common::run()).unwrap();
    let place = run.pointer_mut(&format!("/{}", path.replace('.', "/"))).unwrap_or_else(|| panic!("{path}"));
    *place = value;
    run.to_string()
}

#[test]
fn every_prefix_is_refused_and_named() {
    let text = serde_json::to_string(&common::run()).unwrap();
    for length in 0..text.len() {
        match read_run(NAME, &text.as_bytes()[..length]) {
            Err(ReadError::Truncated { name, bytes }) => assert_eq!((name.as_str(), bytes), (NAME, length)),
            // A cut inside a number or a character is seen as a bad number or character at the end.
            Err(ReadError::NotJson { offset, .. }) => assert_eq!(offset, length - 1),
            other => panic!("{length} bytes: {other:?}"),
        }
    }
}

#[test]
fn what_is_no_run_of_this_version_is_refused_with_a_reason() {
    let cases = [
        ("hello", "api_summary.json: not JSON: byte 0: expected value"),
        ("{\"schema\":\n,}", "not JSON: byte 11"),
        ("{}", "no `schema`"),
        ("[1]", "an unknown schema \"1\""),
        ("7", "not a valid run"),
        (
            "{\"schema\":\"quintet/run/v0\"}",
            "an older schema \"quintet/run/v0\"; this build reads \"quintet/run/v1\"",
        ),
        (
            "{\"schema\":\"quintet/run/v2\"}",
            "a newer schema \"quintet/run/v2\"; this build reads \"quintet/run/v1\"",
        ),
        ("{\"schema\":\"quintet/summary/v1\"}", "an unknown schema"),
        ("{\"schema\":1}", "an unknown schema \"1\""),
        ("{\"schema\":\"quintet/run/v1\"}", "missing field"),
    ];
    for (text, expected) in cases {
        assert!(refusal(text).contains(expected), "{text}: {}", refusal(text));
    }
}

#[test]
fn contradictions_are_refused() {
    let n = |n: i64| serde_json::json!(n);
    let hdr = "data.phases.0.ops.0.response_ok";
    let cases = [
        (with(&format!("{hdr}.count"), n(7)), "histogram holds 100 values, says 7"),
        (with(&format!("{hdr}.min_ns"), n(99_000_000_000)), "contradict the buckets"),
        (with(&format!("{hdr}.sum_ns"), "1".into()), "contradict the buckets"),
        (with(&format!("{hdr}.hdr"), "AAAA".into()), "not an HdrHistogram"),
        (with(&format!("{hdr}.hdr"), "?".into()), "not base64"),
        (
            with("plan.duration_s", serde_json::Value::Null),
            "not a valid run: invalid type: null, expected f64",
        ),
        (with("plan.duration_s", n(-1)), "plan.duration_s is -1"),
        (with("data.phases.0.calls.ok", n(-1)), "expected u64"),
        (with("data.phases.0.calls.ok", serde_json::json!(u64::MAX)), "add up to more than"),
        (with("segment", serde_json::json!({"index": 3, "of": 3})), "segment 3/3, expected i/n with i < n"),
        (with("plan.phases", serde_json::json!([])), "2 phases counted, 0 planned"),
        (with("plan.ops", serde_json::json!(["a"])), "2 ops counted, 1 planned"),
        (with("plan.phases.0.end_ns", serde_json::json!(i64::MAX)), "end_ns of a phase"),
        (with("timeseries.points.3.t_s", n(1_000_000)), "timeseries.points[3] is out of range"),
        (with("timeseries.interval_s", n(0)), "timeseries.interval_s is 0"),
    ];
    for (text, expected) in cases {
        assert!(refusal(&text).contains(expected), "expected {expected:?}: {}", refusal(&text));
    }
    assert!(refusal(&json::run(&common::run()).replace("12.0", "1e999")).contains("out of range"));
}

/// What is read must also survive what is done with it.
fn use_it(run: RunFile) {
    let record: Record = run.into_record();
    let merged = merge(vec![record.clone()]).unwrap();
    let judged = merged.judge(&[]);
    let page = load_report::render::text::run(&judged, false);
    assert!(!page.is_empty());
}

#[test]
fn segments_of_the_sample_merge_to_their_sum() {
    let parts = (0..3).map(|index| common::record("api", Segment { index, of: 3 })).collect();
    let merged = merge(parts).unwrap().judge(&[]);
    let one = common::run();
    assert_eq!(merged.totals.requests, 3 * one.totals.requests);
    assert_eq!(merged.totals.response_ms, one.totals.response_ms);
    assert!(merged.invalid.is_empty(), "{:?}", merged.invalid);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn flipped_bits_are_refused_or_harmless(flips in prop::collection::vec((any::<prop::sample::Index>(), 0_u8..8), 1..4)) {
        let mut bytes = serde_json::to_vec(&common::run()).unwrap();
        for (index, bit) in flips {
            let at = index.index(bytes.len());
            bytes[at] ^= 1 << bit;
        }
        match read_run(NAME, &bytes) {
            Ok(run) => use_it(run),
            Err(error) => prop_assert!(error.to_string().starts_with(NAME)),
        }
    }

    #[test]
    fn any_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(read_run(NAME, &bytes).is_err());
    }

    #[test]
    fn replaced_numbers_are_refused_or_harmless(index in any::<prop::sample::Index>(), value in prop::sample::select(
        vec!["0", "-1", "1e308", "18446744073709551615", "9223372036854775807", "-9223372036854775808", "null", "0.5"]
    )) {
        let text = serde_json::to_string(&common::run()).unwrap();
        let starts: Vec<usize> = text.match_indices("\":").map(|(at, _)| at + 2)
            .filter(|&at| text.as_bytes()[at].is_ascii_digit()).collect();
        let at = starts[index.index(starts.len())];
        let length = text[at..].find([',', '}', ']']).unwrap();
        let changed = format!("{}{value}{}", &text[..at], &text[at + length..]);
        if let Ok(run) = read_run(NAME, changed.as_bytes()) {
            use_it(run);
        }
    }
}
