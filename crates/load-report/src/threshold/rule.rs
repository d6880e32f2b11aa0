//! What does a threshold say? Its syntax tree, and the one way to write each tree.

use std::fmt;
use std::time::Duration;

use super::dimension::Dimension;
use super::metric::{Builtin, Kind};
use super::recovery::Within;

/// What it means when a threshold does not hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    /// The run fails.
    #[default]
    Fail,
    /// The run passes with a warning.
    Warn,
}

impl Level {
    /// The word in expressions and results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Warn => "warn",
        }
    }
}

/// Stop the run as soon as the threshold does not hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AbortOnFail {
    /// Time from the start of the run to the first evaluation.
    pub delay: Duration,
}

/// A comparison, without the way in which it was typed.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rule {
    pub(super) level: Level,
    /// Whether it holds where nothing was measured.
    pub(super) any: bool,
    pub(super) left: Sum,
    pub(super) operator: Operator,
    pub(super) right: Sum,
    /// Of both sides; numbers are in its base unit.
    pub(super) dimension: Dimension,
    pub(super) abort: Option<AbortOnFail>,
}

/// Terms to be added and subtracted; at least one, the first of which is added.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sum(pub(super) Vec<(Sign, Term)>);

/// Whether a term is added or subtracted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    Plus,
    Minus,
}

/// One operand.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Term {
    /// In base units.
    Number(f64),
    /// To be observed, and multiplied by a factor above 0.
    Series(f64, Series),
}

/// One figure of a run.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Series {
    /// Whose; none for the run that is judged.
    pub(super) component: Option<String>,
    pub(super) metric: Metric,
    pub(super) selector: Selector,
    pub(super) aggregation: Aggregation,
    /// What has become of it since the baseline, instead of itself.
    pub(super) delta: bool,
}

/// Which metric.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Metric {
    /// One that every tool has.
    Builtin(Builtin),
    /// A protocol's own, as a rule a distribution of times.
    Extra(String),
    /// A protocol's own counter.
    Counter(String),
    /// A share of a protocol's own counters.
    Share(String),
    /// What the target says of itself.
    Gauge(String, Dimension),
}

/// Which part of a metric.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Selector {
    /// None: all counted phases.
    pub(super) phase: Option<String>,
    /// None: all ops.
    pub(super) op: Option<String>,
    /// None: as the metric is defined.
    pub(super) outcome: Option<OutcomeTag>,
    /// Of a recovery: the phase as which the target has to be again; none: calls have to succeed.
    pub(super) like: Option<String>,
    /// How much slower it may be.
    pub(super) within: Option<Within>,
    /// Tags that no tool records; accepted from k6 and never met.
    pub(super) other: Vec<(String, String)>,
}

/// Which calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OutcomeTag {
    /// Those that ended as expected.
    Ok,
    /// The failed ones.
    Failed,
    /// Both.
    All,
}

/// One number out of many.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Aggregation {
    Count,
    Rate,
    Value,
    Avg,
    Min,
    Max,
    Med,
    /// Growth a second.
    Slope,
    /// 0 to 100.
    Percentile(f64),
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
}

impl Rule {
    /// Every series of both sides.
    pub(super) fn series(&self) -> impl Iterator<Item = &Series> {
        self.left.series().chain(self.right.series())
    }
}

impl Sum {
    /// Its series.
    pub(super) fn series(&self) -> impl Iterator<Item = &Series> {
        self.0.iter().filter_map(|(_, term)| match term {
            Term::Series(_, series) => Some(series),
            Term::Number(_) => None,
        })
    }

    /// Its value, when nothing has to be observed.
    pub(super) fn constant(&self) -> Option<f64> {
        self.evaluate(|_| Err(())).ok()
    }

    /// Its value with series as `observe` sees them.
    pub(super) fn evaluate<E>(&self, mut observe: impl FnMut(&Series) -> Result<f64, E>) -> Result<f64, E> {
        self.0.iter().try_fold(0.0, |sum, (sign, term)| {
            let value = match term {
                Term::Number(number) => *number,
                Term::Series(factor, series) => factor * observe(series)?,
            };
            Ok(match sign {
                Sign::Plus => sum + value,
                Sign::Minus => sum - value,
            })
        })
    }
}

impl Metric {
    /// What thresholds call it.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Builtin(builtin) => builtin.name(),
            Self::Extra(name) | Self::Counter(name) | Self::Share(name) | Self::Gauge(name, _) => name,
        }
    }
}

impl Aggregation {
    /// The aggregations that make sense for a kind of metric, for people.
    pub(super) fn choices(kind: Kind) -> &'static str {
        match kind {
            Kind::Trend => "avg, min, max, med, p(N) or count",
            Kind::Rate => "rate",
            Kind::Counter => "count or rate",
            Kind::Gauge => "value, min, max, avg or slope",
            Kind::Figure => "value",
        }
    }

    /// Whether it makes sense for a kind of metric.
    pub(super) fn suits(self, kind: Kind) -> bool {
        match self {
            Self::Count => matches!(kind, Kind::Trend | Kind::Counter),
            Self::Rate => matches!(kind, Kind::Rate | Kind::Counter),
            Self::Value => matches!(kind, Kind::Gauge | Kind::Figure),
            Self::Avg | Self::Min | Self::Max => matches!(kind, Kind::Trend | Kind::Gauge),
            Self::Med | Self::Percentile(_) => kind == Kind::Trend,
            Self::Slope => kind == Kind::Gauge,
        }
    }

    /// The aggregation that is written `word`, percentiles excepted.
    pub(super) fn read(word: &str) -> Option<Self> {
        Some(match word {
            "count" => Self::Count,
            "rate" => Self::Rate,
            "value" => Self::Value,
            "avg" => Self::Avg,
            "min" => Self::Min,
            "max" => Self::Max,
            "med" => Self::Med,
            "slope" => Self::Slope,
            _ => return None,
        })
    }
}

impl Operator {
    /// The operators, a longer one before its beginnings; `===` is k6's other way to write `==`.
    pub(super) const TOKENS: [(&'static str, Self); 7] = [
        ("===", Self::Equal),
        ("==", Self::Equal),
        ("!=", Self::NotEqual),
        ("<=", Self::LessOrEqual),
        (">=", Self::GreaterOrEqual),
        ("<", Self::Less),
        (">", Self::Greater),
    ];

    /// Whether the comparison holds; it never does when one of them is not a number.
    pub(super) fn holds(self, left: f64, right: f64) -> bool {
        left.partial_cmp(&right).is_some_and(|order| match self {
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
        })
    }

    /// The same comparison with its sides exchanged.
    pub(super) fn mirrored(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
            Self::Equal | Self::NotEqual => self,
        }
    }
}

impl Sign {
    /// The other sign.
    pub(super) fn flipped(self) -> Self {
        if self == Self::Plus { Self::Minus } else { Self::Plus }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.level == Level::Warn {
            f.write_str("warn ")?;
        }
        if self.any {
            f.write_str("any ")?;
        }
        self.left.print(f, self.dimension)?;
        write!(f, " {} ", self.operator)?;
        self.right.print(f, self.dimension)?;
        let Some(AbortOnFail { delay }) = self.abort else { return Ok(()) };
        f.write_str(" abortOnFail")?;
        if delay.is_zero() { Ok(()) } else { write!(f, " delayAbortEval={}ns", delay.as_nanos()) }
    }
}

impl Sum {
    fn print(&self, f: &mut fmt::Formatter<'_>, dimension: Dimension) -> fmt::Result {
        for (index, (sign, term)) in self.0.iter().enumerate() {
            match (index, sign) {
                (0, _) => {}
                (_, Sign::Plus) => f.write_str(" + ")?,
                (_, Sign::Minus) => f.write_str(" - ")?,
            }
            match term {
                Term::Number(number) => write!(f, "{number}{}", dimension.suffix())?,
                Term::Series(1.0, series) => write!(f, "{series}")?,
                Term::Series(factor, series) => write!(f, "{factor} * {series}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(component) = &self.component {
            write!(f, "{component}::")?;
        }
        let (name, selector, aggregation) = (self.metric.name(), &self.selector, self.aggregation);
        if self.delta {
            write!(f, "{name}{selector}:delta({aggregation})")
        } else {
            write!(f, "{name}{selector}:{aggregation}")
        }
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = self.outcome.map(|outcome| match outcome {
            OutcomeTag::Ok => "ok",
            OutcomeTag::Failed => "failed",
            OutcomeTag::All => "all",
        });
        let within = self.within.map(|within| within.to_string());
        let own = [
            ("phase", self.phase.as_deref()),
            ("op", self.op.as_deref()),
            ("outcome", outcome),
            ("like", self.like.as_deref()),
            ("within", within.as_deref()),
        ];
        let own = own.into_iter().filter_map(|(key, value)| Some((key, value?)));
        let mut before = '{';
        for (key, value) in own.chain(self.other.iter().map(|(key, value)| (key.as_str(), value.as_str()))) {
            // A value that needs a quote came in that quote, so it cannot hold both kinds.
            let quote = match (super::scan::is_plain(value), value.contains('"')) {
                (true, _) => "",
                (false, false) => "\"",
                (false, true) => "'",
            };
            write!(f, "{before}{key}:{quote}{value}{quote}")?;
            before = ',';
        }
        if before == ',' { f.write_str("}") } else { Ok(()) }
    }
}

impl fmt::Display for Aggregation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Count => "count",
            Self::Rate => "rate",
            Self::Value => "value",
            Self::Avg => "avg",
            Self::Min => "min",
            Self::Max => "max",
            Self::Med => "med",
            Self::Slope => "slope",
            Self::Percentile(rank) => return write!(f, "p({rank})"),
        })
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Equal => "==",
            Self::NotEqual => "!=",
        })
    }
}
