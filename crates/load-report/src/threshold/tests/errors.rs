//! What the user reads when an expression is wrong, and where the carets point.

use insta::assert_snapshot;

use crate::threshold::{Catalog, Threshold};

fn refused(text: &str) -> String {
    Threshold::parse(text, &Catalog::standard()).unwrap_err().to_string()
}

#[test]
fn expressions_that_do_not_follow_the_grammar() {
    assert_snapshot!(refused(""), @r#"
    expected a threshold, such as response_time: p(95) < 500, found the end
    "#);
    assert_snapshot!(refused("response_time"), @r#"
    expected `:` and an aggregation of response_time (avg, min, max, med, p(N) or count), found the end
      response_time
                   ^
    "#);
    assert_snapshot!(refused("response_time: p(95) = 500"), @r#"
    expected one of < <= > >= == !=, found `=`
      response_time: p(95) = 500
                           ^
    equality is written ==
    "#);
    assert_snapshot!(refused("response_time: p(101) < 5"), @r#"
    expected a percentile from 0 to 100, found 101
      response_time: p(101) < 5
                       ^^^
    "#);
    assert_snapshot!(refused("response_time: p95 < 5"), @r#"
    expected an aggregation of response_time (avg, min, max, med, p(N) or count), found `p95`
      response_time: p95 < 5
                     ^^^
    percentiles are written p(95)
    "#);
    assert_snapshot!(refused("response_time < 5"), @r#"
    expected `:` and an aggregation of response_time (avg, min, max, med, p(N) or count), found `<`
      response_time < 5
                    ^
    "#);
    assert_snapshot!(refused("p(95) < 500"), @r#"
    expected a metric before `p(`
      p(95) < 500
      ^
    write metric: p(...), for example response_time: p(95) < 500
    "#);
    assert_snapshot!(refused("5 < 6ms"), @r#"
    nothing to observe: expected a metric on one side
      5 < 6ms
      ^^^^^^^
    "#);
    assert_snapshot!(refused("response_time{op:login: p(95)<5"), @r#"
    expected `,` or `}`, found the end
      response_time{op:login: p(95)<5
                                     ^
    "#);
    assert_snapshot!(refused("'response_time: p(95)<5"), @r#"
    expected the closing ', found `:`
      'response_time: p(95)<5
                    ^
    "#);
    assert_snapshot!(refused("100 < response_time:p(95) < 200"), @r#"
    expected the end, `abortOnFail` or `delayAbortEval=10s`, found `<`
      100 < response_time:p(95) < 200
                                ^
    a threshold is one comparison: write two thresholds
    "#);
}

#[test]
fn expressions_that_name_what_does_not_exist() {
    assert_snapshot!(refused("respons_time: p(95)<500"), @r#"
    unknown metric `respons_time`, did you mean `response_time`?
      respons_time: p(95)<500
      ^^^^^^^^^^^^
    known metrics: response_time, service_time, lag, wait, lateness, loop_turn, connect_time, reconnect_time, iteration_duration, http_req_duration, grpc_req_duration, error_rate, availability, http_req_failed, http_reqs, requests, failures, iterations, iteration_errors, dropped_iterations, abandoned, data_sent, data_received, messages, connections_opened, connections_failed, connections_lost, connect_errors, throughput, vus, vus_max, connections_peak, recovery_time, cpu_us_per_call, max_rss_bytes
    "#);
    assert_snapshot!(refused("error_rate: avg < 5"), @r#"
    error_rate has no `avg`, expected rate
      error_rate: avg < 5
                  ^^^
    "#);
    assert_snapshot!(refused("response_time: p(95) < 25sec"), @r#"
    unknown unit `sec`
      response_time: p(95) < 25sec
                               ^^^
    units are ns, us, ms, s, m, h, %, B, KB, MB, GB, TB, KiB, MiB, GiB, TiB, and /s, /m, /h behind counts and bytes
    "#);
    assert_snapshot!(refused("error_rate{within:10%} < 5%"), @r#"
    `within` is a tag of recovery_time, not of error_rate
      error_rate{within:10%} < 5%
                 ^^^^^^
    "#);
    assert_snapshot!(refused("recovery_time{phase:spike,within:10} < 5s"), @r#"
    expected how much slower, as 10% or 20ms, found `10`
      recovery_time{phase:spike,within:10} < 5s
                                       ^^
    "#);
    assert_snapshot!(refused("response_time{status:200}: p(95)<5"), @r#"
    no tool records the tag `status`
      response_time{status:200}: p(95)<5
                    ^^^^^^
    known tags: phase, op (k6: name), outcome
    "#);
    assert_snapshot!(refused("response_time{outcome:good}: p(95)<5"), @r#"
    expected ok, failed or all, found `good`
      response_time{outcome:good}: p(95)<5
                            ^^^^
    "#);
    assert_snapshot!(refused("lag{op:login}: p(95)<5"), @r#"
    lag is not recorded by op
      lag{op:login}: p(95)<5
          ^^
    "#);
    assert_snapshot!(refused("lag{phase:a,phase:b}: p(95)<5"), @r#"
    the tag `phase` is given twice
      lag{phase:a,phase:b}: p(95)<5
                  ^^^^^
    "#);
    assert_snapshot!(refused("delta(p(95)) < 5%"), @r#"
    expected a metric before `delta(`
      delta(p(95)) < 5%
      ^^^^^
    write metric: delta(...), for example response_time: delta(p(95)) < 5%
    "#);
    assert_snapshot!(refused("response_time: delta(p(95) < 5%"), @r#"
    expected `)`, found `<`
      response_time: delta(p(95) < 5%
                                 ^
    "#);
    assert_snapshot!(refused("response_time: delta(rate) < 5%"), @r#"
    response_time has no `rate`, expected avg, min, max, med, p(N) or count
      response_time: delta(rate) < 5%
                           ^^^^
    "#);
    assert_snapshot!(refused("response_time: delta(p(95)) < 5% abortOnFail"), @r#"
    delta compares whole runs, so it cannot stop one
      response_time: delta(p(95)) < 5% abortOnFail
                                       ^^^^^^^^^^^
    "#);
}

#[test]
fn expressions_that_compare_unlike_things() {
    assert_snapshot!(refused("response_time: delta(p(95)) < 25ms"), @r#"
    cannot compare: response_time: delta(p(95)) is a ratio, 25ms is a time
      response_time: delta(p(95)) < 25ms
                                    ^^^^
    "#);
    assert_snapshot!(refused("response_time: delta(p(95)) < 5"), @r#"
    a ratio lies between 0 and 1, found 5: percent are written 5%
      response_time: delta(p(95)) < 5
                                    ^
    "#);
    assert_snapshot!(refused("response_time: delta(p(95)) < error_rate"), @r#"
    a change is compared with a number, not with another metric
      response_time: delta(p(95)) < error_rate
      ^^^^^^^^^^^^^^^^^^^^^^^^^^^
    "#);
    assert_snapshot!(refused("response_time: p(95) < 25 MB"), @r#"
    cannot compare: response_time: p(95) is a time, 25 MB is an amount of bytes
      response_time: p(95) < 25 MB
                             ^^^^^
    "#);
    assert_snapshot!(refused("db::read_time:p(95) < http_reqs:count + 5"), @r#"
    cannot compare: db::read_time:p(95) is a time, http_reqs:count is a count
      db::read_time:p(95) < http_reqs:count + 5
                            ^^^^^^^^^^^^^^^
    "#);
    assert_snapshot!(refused("lag: max < 1m5"), @r#"
    expected a unit of time
      lag: max < 1m5
                   ^
    units are ns, us, ms, s, m, h, %, B, KB, MB, GB, TB, KiB, MiB, GiB, TiB, and /s, /m, /h behind counts and bytes
    "#);
    assert_snapshot!(refused("error_rate < 5"), @r#"
    a ratio lies between 0 and 1, found 5: percent are written 5%
      error_rate < 5
                   ^
    "#);
    assert_snapshot!(refused("cpu_us_per_call < 20"), @r#"
    bare times are milliseconds: write 20us for this metric
      cpu_us_per_call < 20
                        ^^
    "#);
    assert_snapshot!(refused("lag: max<1e999"), @r#"
    this number is too large
      lag: max<1e999
               ^^^^^
    "#);
    assert_snapshot!(refused("lag{phase:\u{1b}[31m}: max < 5%"), @r#"
    cannot compare: lag{phase: [31m}: max is a time, 5% is a ratio
      lag{phase: [31m}: max < 5%
                              ^^
    "#);
}

#[test]
fn factors_that_are_none() {
    assert_snapshot!(refused("lag: max < 0 * lag: avg"), @r#"
    expected a factor above 0 without a unit, or in percent
      lag: max < 0 * lag: avg
                 ^
    as in 0.05 * connections_opened: count
    "#);
    assert_snapshot!(refused("2ms * lag: max < 5"), @r#"
    expected a factor above 0 without a unit, or in percent
      2ms * lag: max < 5
      ^^^
    as in 0.05 * connections_opened: count
    "#);
    assert_snapshot!(refused("lag: max < 2 * 3"), @r#"
    expected a metric or a number, found `3`
      lag: max < 2 * 3
                     ^
    "#);
}

#[test]
fn options_that_say_nothing() {
    assert_snapshot!(refused("lag: max<25µs abortonfail"), @r#"
    expected the end, `abortOnFail` or `delayAbortEval=10s`, found `abortonfail`
      lag: max<25µs abortonfail
                    ^^^^^^^^^^^
    "#);
    assert_snapshot!(refused("lag: max<5 delayAbortEval=10s"), @r#"
    `delayAbortEval` says nothing without `abortOnFail`
      lag: max<5 delayAbortEval=10s
                 ^^^^^^^^^^^^^^
    "#);
    assert_snapshot!(refused("lag: max<5 abortOnFail delayAbortEval=10%"), @r#"
    expected a time, as in 10s
      lag: max<5 abortOnFail delayAbortEval=10%
                                            ^^^
    "#);
}
