//! What holds for every expression.

use std::time::Duration;

use proptest::prelude::*;

use crate::threshold::dimension::Dimension;
use crate::threshold::metric::{Builtin, Catalog, Detail};
use crate::threshold::rule::{
    AbortOnFail, Aggregation, Level, Metric, Operator, OutcomeTag, Rule, Selector, Series, Sign, Sum, Term,
};
use crate::threshold::{Threshold, typing};

fn aggregations() -> impl Strategy<Value = Aggregation> {
    use Aggregation::{Avg, Count, Max, Med, Min, Percentile, Rate, Value};
    prop_oneof![
        prop::sample::select(vec![Count, Rate, Value, Avg, Min, Max, Med]),
        (0.0..=100.0).prop_map(Percentile),
    ]
}

/// Values of tags that some quote can hold.
fn tag_values() -> impl Strategy<Value = String> {
    let any_quote = prop_oneof!["[ -~]{1,12}", "[a-zµ{}/,:' ]{1,12}"];
    any_quote
        .prop_filter("needs a quote and holds both", |value| !value.contains('"') || !value.contains('\''))
}

fn series() -> impl Strategy<Value = Series> {
    let component = prop::option::of("[a-z][a-z0-9_.-]{0,8}");
    let metric = prop_oneof![
        prop::sample::select(Builtin::names().collect::<Vec<_>>())
            .prop_map(|name| Metric::Builtin(Builtin::named(name).unwrap())),
        "x_[a-z0-9_]{0,8}".prop_map(Metric::Extra),
    ];
    let outcome = prop::sample::select(vec![OutcomeTag::Ok, OutcomeTag::Failed, OutcomeTag::All]);
    let tags = (prop::option::of(tag_values()), prop::option::of(tag_values()), prop::option::of(outcome));
    (component, metric, tags, aggregations(), any::<bool>()).prop_filter_map(
        "the metric is not so aggregated",
        |(component, metric, (phase, op, outcome), aggregation, delta)| {
            let (detail, suits) = match &metric {
                Metric::Builtin(builtin) => (builtin.detail(), aggregation.suits(builtin.kind())),
                Metric::Extra(_) | Metric::Counter(_) | Metric::Share(_) | Metric::Gauge(..) => {
                    (Detail::Phase, true)
                }
            };
            let selector = Selector {
                phase: phase.filter(|_| detail >= Detail::Phase),
                op: op.filter(|_| detail >= Detail::Op),
                outcome: outcome.filter(|_| detail >= Detail::Outcome),
                like: None,
                within: None,
                other: Vec::new(),
            };
            suits.then_some(Series { component, metric, selector, aggregation, delta })
        },
    )
}

fn signs() -> impl Strategy<Value = Sign> {
    prop::sample::select(vec![Sign::Plus, Sign::Minus])
}

/// A series and numbers of its dimension, on either side.
fn rules() -> impl Strategy<Value = Rule> {
    let numbers = || prop::collection::vec((signs(), -1e6..1e9_f64), 1..4);
    let operators = prop::sample::select(Operator::TOKENS.map(|(_, operator)| operator).to_vec());
    let abort = prop::option::of((0_u64..100_000_000_000_000).prop_map(Duration::from_nanos));
    let level = (prop::sample::select(vec![Level::Fail, Level::Warn]), any::<bool>());
    let factors = prop_oneof![Just(1.0), 1e-6..1e6_f64];
    ((factors, series()), numbers(), numbers(), operators, abort, level, any::<bool>()).prop_map(
        |((factor, series), mut beside, mut limit, operator, delay, (level, any), left)| {
            // Only metrics that say their dimension let numbers beside them keep theirs.
            let own = typing::of(&series.metric, series.aggregation).unwrap_or(
                if series.aggregation == Aggregation::Rate { Dimension::Ratio } else { Dimension::Count },
            );
            let dimension = if series.delta { Dimension::Ratio } else { own };
            let delay = delay.filter(|_| !series.delta);
            let scale = if dimension == Dimension::Ratio { 1e-9 } else { 1.0 };
            let sum = |numbers: &mut Vec<(Sign, f64)>| {
                numbers[0].0 = Sign::Plus;
                numbers.iter().map(|(sign, n)| (*sign, Term::Number(n * scale))).collect::<Vec<_>>()
            };
            let (limit, mut beside) = (Sum(sum(&mut limit)), sum(&mut beside));
            beside[0].1 = Term::Series(factor, series);
            let (left, right) = if left { (Sum(beside), limit) } else { (limit, Sum(beside)) };
            let abort = delay.map(|delay| AbortOnFail { delay });
            Rule { level, any, left, operator, right, dimension, abort }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn what_is_printed_reads_back_as_the_same_rule(rule in rules()) {
        let text = rule.to_string();
        let read = Threshold::parse(&text, &Catalog::lenient());
        prop_assert!(read.is_ok(), "{}", read.unwrap_err());
        prop_assert_eq!(read.unwrap().rule, rule);
    }

    #[test]
    fn any_text_is_read_or_refused_with_a_place(
        text in prop_oneof![".*", "[a-z_:{}()<>=+%0-9.'\" µ-]{0,40}", "(warn )?lag: ?(p\\(|max|avg).{0,12}"]
    ) {
        if let Err(error) = Threshold::parse(&text, &Catalog::standard()) {
            prop_assert!(error.column() <= text.trim().chars().count() + 1);
            prop_assert!(text.trim().is_empty() || error.to_string().lines().count() >= 3);
        }
    }
}
