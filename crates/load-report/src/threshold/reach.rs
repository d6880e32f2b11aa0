//! Can the plan offer what a threshold asks for? Arithmetic on plans, before any call is made.

use crate::model::{LoadModel, Plan, RunFile};

use super::Threshold;
use super::error::nearest;
use super::metric::Builtin;
use super::rule::{Aggregation, Metric, Operator, Rule, Series, Term};

/// Why no target, however fast, lets a run of `plan` reach the throughput that `threshold` asks for; none when
/// one might.
///
/// The plan offers its arrival rate, or users ÷ mean think time. How many calls an iteration makes is not known
/// before the run; each op is taken to be called once.
pub fn unreachable(threshold: &Threshold, plan: &Plan) -> Option<String> {
    shortfall(&threshold.rule, plan, 1.0, plan.ops.len().max(1) as f64)
}

/// What part of the run `threshold` asks for that `plan` does not have: an op or a phase by a name that nothing has. Thresholds
/// on other components are judged where these are known.
pub fn unknown(threshold: &Threshold, plan: &Plan) -> Option<String> {
    let (ops, phases) = (plan.ops.iter(), plan.phases.iter().map(|phase| &phase.name));
    let (ops, phases): (Vec<_>, Vec<_>) =
        (ops.map(String::as_str).collect(), phases.map(String::as_str).collect());
    let own = threshold.rule.series().filter(|series| series.component.is_none());
    own.flat_map(|series| {
        let selector = &series.selector;
        let asked = [
            ("op", &selector.op, &ops),
            ("phase", &selector.phase, &phases),
            ("phase", &selector.like, &phases),
        ];
        asked.map(|(tag, name, known)| Some((tag, name.as_deref()?, known)))
    })
    .flatten()
    .find(|(_, name, known)| !known.contains(name))
    .map(|(tag, name, known)| {
        let hint = nearest(name, known.iter().copied()).map_or_else(
            || format!("there are {}", known.join(", ")),
            |near| format!("did you mean {near}?"),
        );
        format!("`{}`: no {tag} of this run is called {name}; {hint}", threshold.normal_form())
    })
}

/// The same after the run, with the calls an iteration as they were, and for the segments that were run.
pub(super) fn beyond(rule: &Rule, run: &RunFile) -> Option<String> {
    let (iterations, calls) = (&run.ledger.iterations, &run.ledger.calls);
    let taken = iterations.scheduled.saturating_sub(iterations.unsent);
    let made = calls.scheduled.saturating_sub(calls.unsent);
    let share = 1.0 / f64::from(run.header.segment.of.max(1));
    let calls_per_iteration = if taken == 0 { 1.0 } else { made as f64 / taken as f64 };
    shortfall(rule, &run.header.plan, share, calls_per_iteration)
}

fn shortfall(rule: &Rule, plan: &Plan, share: f64, calls_per_iteration: f64) -> Option<String> {
    let (series, limit, strict) = floor(rule)?;
    let Metric::Builtin(metric) = series.metric else { return None };
    // How much more there is to be than before says nothing of how much there is.
    if series.delta {
        return None;
    }
    let per_iteration = match (metric, series.aggregation) {
        (Builtin::Throughput, Aggregation::Value)
        | (Builtin::HttpReqs | Builtin::Requests, Aggregation::Rate) => calls_per_iteration,
        (Builtin::Iterations, Aggregation::Rate) => 1.0,
        _ => return None,
    };
    let (iterations, why) = offered(plan)?;
    let most = iterations * share * per_iteration;
    let short = most < limit || (strict && most <= limit);
    short.then(|| {
        format!("unreachable: the plan offers at most {most:.1}/s ({why}), {limit:.1}/s are asked for")
    })
}

/// The series that has to be above a number, that number, and whether being equal is not enough.
fn floor(rule: &Rule) -> Option<(&Series, f64, bool)> {
    let (sum, limit, operator) = match (rule.left.constant(), rule.right.constant()) {
        (None, Some(limit)) => (&rule.left, limit, rule.operator),
        (Some(limit), None) => (&rule.right, limit, rule.operator.mirrored()),
        _ => return None,
    };
    let [(_, Term::Series(factor, series))] = sum.0.as_slice() else { return None };
    // Of twice the throughput, half the limit is asked for.
    let limit = limit / factor;
    match operator {
        Operator::Greater => Some((series, limit, true)),
        Operator::GreaterOrEqual | Operator::Equal => Some((series, limit, false)),
        _ => None,
    }
}

/// The most iterations a second over all segments, and how they come about; none when nothing limits them.
fn offered(plan: &Plan) -> Option<(f64, String)> {
    match plan.model {
        LoadModel::Open => plan.rate_per_s.map(|rate| (rate, format!("arrival rate {rate}/s"))),
        LoadModel::Closed => {
            let (from, to) = plan.think_s?;
            let think = f64::midpoint(from, to);
            let why = format!("{} users ÷ {think} s think time", plan.vus);
            (think > 0.0).then(|| (f64::from(plan.vus) / think, why))
        }
    }
}
