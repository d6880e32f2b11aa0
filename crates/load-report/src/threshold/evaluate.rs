//! Does a threshold hold, and if not, what does that prove?

use std::collections::BTreeMap;

use crate::model::{RunFile, ThresholdOutcome, ThresholdReport};

use super::dimension::Dimension;
use super::metric::Bias;
use super::nothing::Nothing;
use super::observe::{self, observe};
use super::rule::{Level, Metric, Operator, Rule, Series, Sign, Sum, Term};
use super::{Threshold, reach, severity};

/// The runs that a threshold may speak of, by component.
#[derive(Clone, Debug)]
pub struct Scope<'a> {
    runs: BTreeMap<&'a str, &'a RunFile>,
    default: Option<&'a str>,
    baseline: Option<BTreeMap<&'a str, &'a RunFile>>,
}

impl<'a> Scope<'a> {
    /// One run.
    pub fn of(run: &'a RunFile) -> Self {
        Self::new(BTreeMap::from([(run.header.component.as_str(), run)]))
    }

    /// Several runs. Metrics without a component are those of the first, in the order of names.
    pub fn new(runs: BTreeMap<&'a str, &'a RunFile>) -> Self {
        let default = runs.keys().next().copied();
        Self { runs, default, baseline: None }
    }

    /// Says whose the metrics without a component are. With a name that is not in the scope they are nobody's.
    #[must_use]
    pub fn with_default(mut self, component: &'a str) -> Self {
        self.default = Some(component);
        self
    }

    /// Says what earlier runs `delta(...)` means, by component.
    #[must_use]
    pub fn with_baseline(mut self, baseline: BTreeMap<&'a str, &'a RunFile>) -> Self {
        self.baseline = Some(baseline);
        self
    }

    /// The component that `series` is about.
    fn name<'s>(&'s self, series: &'s Series) -> Result<&'s str, Nothing> {
        let name = series.component.as_deref().or(self.default);
        name.ok_or_else(|| Nothing::Unknown("no results at all".to_owned()))
    }

    /// What has become of `series` since the baseline: a difference of shares, a relative change of all else.
    fn delta(&self, series: &Series) -> Result<f64, Nothing> {
        let Some(baseline) = &self.baseline else {
            return Err(Nothing::Unknown("no baseline: name one with --baseline".to_owned()));
        };
        let name = self.name(series)?;
        let missing = || Nothing::Unknown(format!("the baseline has no component `{name}`"));
        let then = baseline.get(name).copied().ok_or_else(missing)?;
        let (before, now) = (observe(series, then)?, observe(series, self.run(series)?)?);
        if observe::is_share(series, then) {
            return Ok(now - before);
        }
        if before > 0.0 {
            return Ok(now / before - 1.0);
        }
        Err(Nothing::Unknown(format!("the baseline is {before}: nothing can be said relative to that")))
    }

    /// The run that `series` is about.
    fn run(&self, series: &Series) -> Result<&'a RunFile, Nothing> {
        let name = self.name(series)?;
        self.runs.get(name).copied().ok_or_else(|| {
            let present: Vec<&str> = self.runs.keys().copied().collect();
            Nothing::Unknown(format!("no results of component `{name}`, only of: {}", present.join(", ")))
        })
    }

    /// What the rule compares. Where the expression alone does not tell, it was taken for times or counts, and the gauges of
    /// another component say it themselves.
    fn dimension(&self, rule: &Rule) -> Result<Dimension, String> {
        let mut found = None;
        for series in rule.series().filter(|series| !series.delta) {
            let Ok(run) = self.run(series) else { continue };
            let Some(dimension) = observe::dimension(series, run) else { continue };
            let guessed = [Dimension::Time, Dimension::Count].contains(&rule.dimension);
            if dimension != rule.dimension && (dimension == Dimension::Time || !guessed) {
                return Err(format!("{series} is {dimension}, compared with {}", rule.dimension));
            }
            found = Some(dimension);
        }
        Ok(found.unwrap_or(rule.dimension))
    }

    fn value(&self, sum: &Sum) -> Result<f64, Nothing> {
        sum.evaluate(
            |series| if series.delta { self.delta(series) } else { observe(series, self.run(series)?) },
        )
    }
}

/// Judges a run alone. A threshold that speaks of other components is skipped: only `aggregate` sees them.
pub fn evaluate_one(threshold: &Threshold, run: &RunFile) -> ThresholdReport {
    evaluate_against(threshold, run, None)
}

/// The same with an earlier run of the component as the baseline.
pub fn evaluate_against(threshold: &Threshold, run: &RunFile, baseline: Option<&RunFile>) -> ThresholdReport {
    let others: Vec<&str> =
        threshold.components().into_iter().filter(|name| *name != run.header.component).collect();
    if others.is_empty() {
        let scope = Scope::of(run);
        let own = run.header.component.as_str();
        return match baseline {
            Some(baseline) => evaluate(threshold, &scope.with_baseline(BTreeMap::from([(own, baseline)]))),
            None => evaluate(threshold, &scope),
        };
    }
    let note = format!("needs the results of {}: aggregate judges it", others.join(", "));
    ThresholdReport::unobserved(threshold, threshold.rule.dimension, ThresholdOutcome::Skipped, note)
}

/// Judges a threshold on the runs of `scope`. Without samples it does not hold, whatever it says, unless `any` stands in
/// front of it.
pub fn evaluate(threshold: &Threshold, scope: &Scope<'_>) -> ThresholdReport {
    let rule = &threshold.rule;
    let unobserved =
        |dimension, outcome, note| ThresholdReport::unobserved(threshold, dimension, outcome, note);
    let dimension = match scope.dimension(rule) {
        Ok(dimension) => dimension,
        Err(note) => return unobserved(rule.dimension, broken(rule.level), note),
    };
    let (left, right) = match (scope.value(&rule.left), scope.value(&rule.right)) {
        (Ok(left), Ok(right)) => (left, right),
        (Err(Nothing::Unknown(why)), _) | (_, Err(Nothing::Unknown(why))) => {
            return unobserved(dimension, broken(rule.level), why);
        }
        (Err(Nothing::Unmeasured(why)), _) | (_, Err(Nothing::Unmeasured(why))) => {
            let outcome = if rule.any { ThresholdOutcome::Pass } else { broken(rule.level) };
            return unobserved(dimension, outcome, why);
        }
    };
    if !left.is_finite() || !right.is_finite() {
        return unobserved(dimension, broken(rule.level), "not a number".to_owned());
    }
    // What is observed is the side that is not a constant; of two such sides the right one is the limit.
    let (observed, operator, limit) = match rule.left.constant() {
        Some(_) => (right, rule.operator.mirrored(), left),
        None => (left, rule.operator, right),
    };
    let compared = rule.left.constant().or(rule.right.constant()).is_none();
    let limits = compared.then(|| format!("compared with {}", dimension.show(limit)));
    let (outcome, why) =
        if operator.holds(observed, limit) { (ThresholdOutcome::Pass, None) } else { failed(rule, scope) };
    let note: Vec<String> = limits.into_iter().chain(why).collect();
    ThresholdReport {
        observed: Some(observed),
        limit: Some(limit),
        // How often a change is its limit says nothing of how bad it is.
        severity: if threshold.needs_baseline() {
            outcome.severity()
        } else {
            severity::of(outcome, (observed, operator, limit), dimension)
        },
        ..ThresholdReport::unobserved(threshold, dimension, outcome, note.join("; "))
    }
}

fn broken(level: Level) -> ThresholdOutcome {
    match level {
        Level::Fail => ThresholdOutcome::Fail,
        Level::Warn => ThresholdOutcome::Warn,
    }
}

/// What it proves that `rule` does not hold.
fn failed(rule: &Rule, scope: &Scope<'_>) -> (ThresholdOutcome, Option<String>) {
    let beyond = rule.series().find_map(|series| reach::beyond(rule, scope.run(series).ok()?));
    if beyond.is_some() {
        return (ThresholdOutcome::Warn, beyond);
    }
    let bound = |series: &Series| {
        let run = scope.run(series).ok().filter(|run| run.generator.generator_bound);
        run.is_some_and(|run| !observe::is_gauge(series, run))
    };
    if !excusable(rule).any(bound) {
        return (broken(rule.level), None);
    }
    let note = "the generator had no idle time left, so this proves nothing about the target".to_owned();
    match rule.level {
        Level::Fail => (ThresholdOutcome::Invalid, Some(note)),
        Level::Warn => (ThresholdOutcome::Warn, Some(note)),
    }
}

/// The series that a generator at its limit moves towards failure: times come out too long and work too little,
/// so a failed ceiling of times or floor of work may be its doing, the opposite cannot.
fn excusable(rule: &Rule) -> impl Iterator<Item = &Series> {
    let left = rule.left.0.iter().map(|(sign, term)| (*sign, term));
    let right = rule.right.0.iter().map(|(sign, term)| (sign.flipped(), term));
    let operator = rule.operator;
    left.chain(right).filter_map(move |(sign, term)| {
        let Term::Series(_, series) = term else { return None };
        let bias = match &series.metric {
            Metric::Builtin(builtin) => builtin.bias(),
            Metric::Extra(_) => Bias::Longer,
            Metric::Counter(_) => Bias::Less,
            Metric::Share(_) | Metric::Gauge(..) => Bias::None,
        };
        let upward_fails = match operator {
            Operator::Less | Operator::LessOrEqual => Some(sign == Sign::Plus),
            Operator::Greater | Operator::GreaterOrEqual => Some(sign == Sign::Minus),
            Operator::Equal | Operator::NotEqual => None,
        };
        let moved = match bias {
            Bias::Longer => upward_fails != Some(false),
            Bias::Less => upward_fails != Some(true),
            Bias::None => false,
        };
        moved.then_some(series)
    })
}

impl ThresholdReport {
    /// A report without a value; `note` says why, or is empty.
    fn unobserved(
        threshold: &Threshold,
        dimension: Dimension,
        outcome: ThresholdOutcome,
        note: String,
    ) -> Self {
        Self {
            expression: threshold.text.clone(),
            level: threshold.rule.level.name().to_owned(),
            observed: None,
            limit: None,
            unit: dimension.unit().to_owned(),
            passed: outcome == ThresholdOutcome::Pass,
            outcome,
            severity: outcome.severity(),
            note: (!note.is_empty()).then_some(note),
            delta: threshold.needs_baseline(),
        }
    }
}
