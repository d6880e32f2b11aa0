//! Every form of the grammar, with the plainest form of the same.

use std::time::Duration;

use crate::gauge::{GaugeKind, GaugePlan, GaugeUnit};
use crate::model::{ExtraPlan, RatePlan};
use crate::threshold::{AbortOnFail, Catalog, Level, Threshold, with_defaults};

fn read(text: &str) -> Threshold {
    let extras = [ExtraPlan { name: "message_latency".into(), help: "age of pushed messages".into() }];
    let counters = [ExtraPlan { name: "messages_lost".into(), help: "messages that never came".into() }];
    let catalog = Catalog::standard().with_extras(&extras).with_counters(&counters);
    let gauge =
        |name: &str, unit| GaugePlan { name: name.into(), help: String::new(), unit, kind: GaugeKind::Level };
    let gauges = [
        gauge("pg_cache_hit", GaugeUnit::Ratio),
        gauge("redis_memory", GaugeUnit::Bytes),
        gauge("pg_commits", GaugeUnit::PerS),
    ];
    let catalog =
        catalog.with_gauges(&gauges).with_rates(&[RatePlan { name: "checks".into(), cases: 0, all: 0 }]);
    Threshold::parse(text, &catalog).unwrap_or_else(|error| panic!("{error}"))
}

/// What is observed and what it is compared with, as typed and in the normal form.
const OPERANDS: &[(&str, &str)] = &[
    // Trends, and k6's way to write them.
    ("http_req_duration: p(95)<500", "http_req_duration:p(95) < 500ms"),
    ("http_req_duration:p(99.9) <= 2000", "http_req_duration:p(99.9) <= 2000ms"),
    ("  http_req_duration :  avg  <  200  ", "http_req_duration:avg < 200ms"),
    ("response_time: min>=.5", "response_time:min >= 0.5ms"),
    ("response_time: max<1e3", "response_time:max < 1000ms"),
    ("response_time: med != 150", "response_time:med != 150ms"),
    ("service_time: count > 100", "service_time:count > 100"),
    ("lag: p(0) < 1", "lag:p(0) < 1ms"),
    ("wait: p(100) < 1", "wait:p(100) < 1ms"),
    ("message_latency: p(95)<50ms", "message_latency:p(95) < 50ms"),
    // Rates.
    ("http_req_failed: rate<0.01", "http_req_failed:rate < 0.01"),
    ("http_req_failed: rate===0", "http_req_failed:rate == 0"),
    ("http_req_failed: rate==0", "http_req_failed:rate == 0"),
    ("error_rate: rate <= 5 %", "error_rate:rate <= 0.05"),
    ("error_rate < 1%", "error_rate:rate < 0.01"),
    ("error_rate<0.01", "error_rate:rate < 0.01"),
    ("error_rate < 7%", "error_rate:rate < 0.07"),
    ("error_rate<=1", "error_rate:rate <= 1"),
    // Counters.
    ("http_reqs: count>=500", "http_reqs:count >= 500"),
    ("messages_lost: count == 0", "messages_lost:count == 0"),
    ("messages_lost: rate < 60/m", "messages_lost:rate < 1/s"),
    ("checks: rate>0.95", "checks:rate > 0.95"),
    ("http_reqs: rate>100", "http_reqs:rate > 100/s"),
    ("http_reqs: rate > 6000/m", "http_reqs:rate > 100/s"),
    ("requests: rate > 36000/h", "requests:rate > 10/s"),
    ("dropped_iterations: count==0", "dropped_iterations:count == 0"),
    ("data_received: count < 1KB", "data_received:count < 1000B"),
    ("data_received: count < 1.5MiB", "data_received:count < 1572864B"),
    ("data_sent: count < 4000", "data_sent:count < 4000B"),
    ("data_sent: rate >= 10MB/s", "data_sent:rate >= 10000000B/s"),
    ("data_sent: rate >= 60KiB/m", "data_sent:rate >= 1024B/s"),
    // Gauges and figures.
    ("throughput: value>1000/s", "throughput:value > 1000/s"),
    ("throughput > 1000", "throughput:value > 1000/s"),
    ("vus: max <= 64", "vus:max <= 64"),
    ("vus < 10", "vus:value < 10"),
    ("max_rss_bytes < 64MiB", "max_rss_bytes:value < 67108864B"),
    ("cpu_us_per_call < 12us", "cpu_us_per_call:value < 0.012ms"),
    ("pg_cache_hit: min>0.99", "pg_cache_hit:min > 0.99"),
    ("pg_cache_hit{phase:sustain} >= 99%", "pg_cache_hit{phase:sustain}:value >= 0.99"),
    ("redis_memory: max - redis_memory: min < 1MiB", "redis_memory:max - redis_memory:min < 1048576B"),
    ("redis_memory: slope < 6MB/m", "redis_memory:slope < 100000B/s"),
    ("db::anything: slope < 60/m", "db::anything:slope < 1/s"),
    ("pg_commits: avg > 1000", "pg_commits:avg > 1000/s"),
    ("db::anything: avg < 5", "db::anything:avg < 5ms"),
    ("db::anything: max < 5MB", "db::anything:max < 5000000B"),
    // Units of time.
    ("lag: max < 500ns", "lag:max < 0.0005ms"),
    ("lag: max < 25us", "lag:max < 0.025ms"),
    ("lag: max < 25µs", "lag:max < 0.025ms"),
    ("lag: max < 25μs", "lag:max < 0.025ms"),
    ("lag: max < 1.5s", "lag:max < 1500ms"),
    ("lag: max < 2 m", "lag:max < 120000ms"),
    ("lag: max < 1h30m", "lag:max < 5400000ms"),
];

/// What stands around them.
const FORMS: &[(&str, &str)] = &[
    // Tags.
    ("response_time{phase:sustain}: p(95)<500", "response_time{phase:sustain}:p(95) < 500ms"),
    ("response_time{ op : login , phase:ramp-up }: avg<5", "response_time{phase:ramp-up,op:login}:avg < 5ms"),
    ("http_req_duration{name:GET /vms/{id}}: avg<5", "http_req_duration{op:GET /vms/{id}}:avg < 5ms"),
    ("http_req_duration{name:\"a, b}\"}: avg<5", "http_req_duration{op:\"a, b}\"}:avg < 5ms"),
    ("http_req_duration{name:'say \"a,b\"'}: avg<5", "http_req_duration{op:'say \"a,b\"'}:avg < 5ms"),
    ("service_time{outcome:failed}: max<1s", "service_time{outcome:failed}:max < 1000ms"),
    ("service_time{outcome:all}: max<1s", "service_time{outcome:all}:max < 1000ms"),
    ("http_req_duration{expected_response:true}: p(95)<500", "http_req_duration{outcome:ok}:p(95) < 500ms"),
    ("'http_req_duration{name:login}': p(95)<500", "http_req_duration{op:login}:p(95) < 500ms"),
    ("\"error_rate\" < 1%", "error_rate:rate < 0.01"),
    // Levels; a metric may have the name of one.
    ("warn response_time: p(99)<1s", "warn response_time:p(99) < 1000ms"),
    ("fail response_time: p(99)<1s", "response_time:p(99) < 1000ms"),
    ("warn 'error_rate' < 1%", "warn error_rate:rate < 0.01"),
    ("api::warn: avg<5", "api::warn:avg < 5ms"),
    // Components, sums and either side.
    ("ws::message_latency: p(99)<50ms", "ws::message_latency:p(99) < 50ms"),
    ("db-postgres::error_rate < 1%", "db-postgres::error_rate:rate < 0.01"),
    (
        "api::response_time:p(95) < db::read_time:p(95) + 50ms",
        "api::response_time:p(95) < db::read_time:p(95) + 50ms",
    ),
    ("api::lag:max-db::lag:max<5-1", "api::lag:max - db::lag:max < 5ms - 1ms"),
    ("500ms > response_time:p(95)", "500ms > response_time:p(95)"),
    ("lag:max - lag:min < -5 - -1s", "lag:max - lag:min < -5ms - -1000ms"),
    // Options.
    ("lag: max<5 abortOnFail", "lag:max < 5ms abortOnFail"),
    ("lag: max<5, abortOnFail:true", "lag:max < 5ms abortOnFail"),
    ("lag: max<5 abortOnFail=false delayAbortEval=10s", "lag:max < 5ms"),
    (
        "lag: max<5, abortOnFail: true, delayAbortEval: '10s'",
        "lag:max < 5ms abortOnFail delayAbortEval=10000000000ns",
    ),
];

#[test]
fn expressions_and_their_normal_forms() {
    for (typed, normal) in OPERANDS.iter().chain(FORMS) {
        let threshold = read(typed);
        assert_eq!(threshold.normal_form(), *normal, "{typed}");
        assert_eq!(threshold.to_string(), typed.trim());
        assert_eq!(read(normal).normal_form(), *normal);
    }
}

/// The thresholds of k6's documentation, a line each: its own metrics, custom ones, tags that we do not record.
#[test]
fn k6s_documented_thresholds_are_read() {
    let documented = [
        ("http_req_failed", "rate<0.01"),
        ("http_req_duration", "p(95)<200"),
        ("Errors", "count<100"),
        ("ContentSize", "value<4000"),
        ("ContentOK", "rate>0.95"),
        ("RTT", "p(99)<300"),
        ("RTT", "p(70)<250"),
        ("RTT", "avg<200"),
        ("RTT", "med<150"),
        ("RTT", "min<100"),
        ("http_req_duration", "p(90) < 400"),
        ("http_req_duration", "p(95) < 800"),
        ("http_req_duration", "p(99.9) < 2000"),
        ("'group_duration{group:::individualRequests}'", "avg < 400"),
        ("'group_duration{group:::batchRequests}'", "avg < 200"),
        ("'http_req_duration{type:API}'", "p(95)<500"),
        ("'http_req_duration{type:staticContent}'", "p(95)<200"),
        ("'http_req_duration{status:200}'", "max>=0"),
        ("http_req_duration", "p(99) < 10, abortOnFail: true"),
        ("http_req_duration", "p(99) < 10, abortOnFail: true, delayAbortEval: '10s'"),
        ("checks", "rate>0.9"),
        ("'checks{myTag:hola}'", "rate>0.9"),
        ("iteration_duration", "max<4000"),
    ];
    for (metric, condition) in documented {
        let text = format!("{metric}: {condition}");
        let threshold: Threshold = text.parse().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(threshold.to_string(), text);
    }
}

#[test]
fn what_a_threshold_tells_about_itself() {
    let threshold = read("warn api::lag:max < db::lag:max + lag:max abortOnFail, delayAbortEval=1m30s");
    assert_eq!(threshold.level(), Level::Warn);
    assert_eq!(threshold.components().into_iter().collect::<Vec<_>>(), ["api", "db"]);
    assert_eq!(threshold.abort(), Some(AbortOnFail { delay: Duration::from_secs(90) }));
    assert_eq!(read("lag: max<5").abort(), None);
}

#[test]
fn errors_are_judged_by_default() {
    let all = |given: &[&str]| {
        let given = given.iter().map(|text| read(text)).collect();
        with_defaults(given).iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(all(&[]), ["error_rate < 1%"]);
    assert_eq!(all(&["lag: max<5"]), ["error_rate < 1%", "lag: max<5"]);
    assert_eq!(all(&["lag: max<5", "error_rate < 50%"]), ["lag: max<5", "error_rate < 50%"]);
    assert_eq!(all(&["http_req_failed: rate<0.1"]), ["http_req_failed: rate<0.1"]);
    assert_eq!(all(&["warn error_rate < 5%"]), ["warn error_rate < 5%"]);
    // These leave calls unguarded.
    for partial in ["error_rate{op:login} < 1%", "error_rate{phase:stress} < 50%", "ws::error_rate < 1%"] {
        assert_eq!(all(&[partial]), ["error_rate < 1%", partial]);
    }
}
