//! How is an expression read? A recursive descent over k6's grammar and its extensions.
//!
//! ```text
//! threshold   = ["warn" | "fail"] ["any"] sum operator sum {[","] option}
//! sum         = term {("+" | "-") term}
//! term        = number | [factor "*"] series
//! factor      = number ["%"]
//! series      = bare | quote bare quote
//! bare        = [component "::"] metric ["{" tag {"," tag} "}"] [":" aggregation]
//! tag         = key ":" value
//! aggregation = plain | "delta(" plain ")"
//! plain       = "count" | "rate" | "value" | "avg" | "min" | "max" | "med" | "p(" number ")"
//! operator    = "<" | "<=" | ">" | ">=" | "==" | "===" | "!="
//! option      = "abortOnFail" [(":" | "=") bool] | "delayAbortEval" (":" | "=") time
//! ```
//!
//! Quotes go around a key as in k6 (`'metric{tag:value}': p(95)<500`). A component may hold `-`, so a difference
//! of two series wants a space before its minus.

use std::ops::Range;

use super::dimension::{Dimension, UNITS_HELP, Unit};
use super::error::ThresholdError;
use super::metric::{Builtin, Catalog, Kind};
use super::options;
use super::rule::{Aggregation, Level, Metric, Operator, Rule, Selector, Series, Sign, Sum, Term};
use super::scan::Cursor;
use super::typing::is_delta;
use super::{tags, typing};

type Parsed<T> = Result<T, ThresholdError>;

/// A term with what the check of dimensions needs to know.
pub(super) struct Operand {
    pub(super) sign: Sign,
    pub(super) term: Term,
    /// None for a bare number and for a metric of unknown dimension: they take the other side's.
    pub(super) dimension: Option<Dimension>,
    /// Where it is written.
    pub(super) at: Range<usize>,
}

/// Reads a whole expression.
pub(super) fn parse(text: &str, catalog: &Catalog) -> Parsed<Rule> {
    let mut parser = Parser { cursor: Cursor::new(text), catalog };
    if text.trim().is_empty() {
        return Err(parser.cursor.expected("a threshold, such as response_time: p(95) < 500"));
    }
    let level = parser.level();
    let any = parser.before_term("any");
    let left = parser.sum()?;
    let operator = parser.operator()?;
    let right = parser.sum()?;
    let before_options = parser.cursor.spot();
    let abort = options::read(&mut parser.cursor)?;
    if abort.is_some() && left.iter().chain(&right).any(|operand| is_delta(&operand.term)) {
        let message = "delta compares whole runs, so it cannot stop one";
        return Err(parser.cursor.error(parser.cursor.since(before_options), message));
    }
    let dimension = typing::check(&parser.cursor, &left, &right)?;
    let sum = |operands: Vec<Operand>| Sum(operands.into_iter().map(|o| (o.sign, o.term)).collect());
    Ok(Rule { level, any, left: sum(left), operator, right: sum(right), dimension, abort })
}

struct Parser<'a> {
    cursor: Cursor<'a>,
    catalog: &'a Catalog,
}

impl Parser<'_> {
    fn level(&mut self) -> Level {
        if self.before_term("warn") {
            return Level::Warn;
        }
        self.before_term("fail");
        Level::default()
    }

    /// Reads `word` where a term comes behind it: metrics may have such names.
    fn before_term(&mut self, word: &str) -> bool {
        let start = self.cursor.spot();
        let found = self.cursor.word() == word
            && self.cursor.rest().starts_with(char::is_whitespace)
            && self.cursor.peek().is_some_and(|c| c.is_ascii_alphanumeric() || "_'\".-".contains(c));
        if !found {
            self.cursor.back_to(start);
        }
        found
    }

    fn sum(&mut self) -> Parsed<Vec<Operand>> {
        let mut operands = vec![self.operand(Sign::Plus)?];
        loop {
            if self.cursor.eat("+") {
                operands.push(self.operand(Sign::Plus)?);
            } else if self.cursor.eat("-") {
                operands.push(self.operand(Sign::Minus)?);
            } else {
                return Ok(operands);
            }
        }
    }

    fn operand(&mut self, sign: Sign) -> Parsed<Operand> {
        let start = self.cursor.spot();
        let (term, dimension) = if let Some(first) = self.cursor.number() {
            let (value, dimension) = quantity(&mut self.cursor, start, first)?;
            let at = self.cursor.since(start);
            if self.cursor.eat("*") {
                let factor = self.factor(value, dimension, at)?;
                let (series, dimension) = self.series()?;
                (Term::Series(factor, series), dimension)
            } else {
                (Term::Number(value), dimension)
            }
        } else {
            let (series, dimension) = self.series()?;
            (Term::Series(1.0, series), dimension)
        };
        Ok(Operand { sign, term, dimension, at: self.cursor.since(start) })
    }

    /// What a series is multiplied by: a number or a percentage above 0, so that no comparison is turned around.
    fn factor(&self, value: f64, dimension: Option<Dimension>, at: Range<usize>) -> Parsed<f64> {
        if value > 0.0 && dimension.is_none_or(|dimension| dimension == Dimension::Ratio) {
            return Ok(value);
        }
        let message = "expected a factor above 0 without a unit, or in percent";
        Err(self.cursor.error(at, message).help("as in 0.05 * connections_opened: count"))
    }

    fn series(&mut self) -> Parsed<(Series, Option<Dimension>)> {
        let quote = self.cursor.quote();
        let component = self.component();
        let start = self.cursor.spot();
        let name = self.cursor.word();
        let at = self.cursor.since(start);
        if name.is_empty() {
            return Err(self.cursor.expected(if component.is_some() {
                "a metric"
            } else {
                "a metric or a number"
            }));
        }
        if self.cursor.rest().starts_with('(') {
            return Err(self.call_without_metric(name, at));
        }
        let (metric, kind) = self.metric(name, at, component.is_some())?;
        let selector = self.selector(&metric)?;
        if let Some(quote) = quote
            && !self.cursor.eat(quote)
        {
            return Err(self.cursor.expected(&format!("the closing {quote}")));
        }
        let before = self.cursor.spot();
        let (aggregation, delta) = self.aggregation(name, kind)?;
        if aggregation == Aggregation::Slope && !typing::grows(&metric) {
            let message =
                format!("{name} has no `slope`: gauges of the target have one, of things and of bytes");
            return Err(self.cursor.error(self.cursor.since(before), message));
        }
        let dimension = match kind {
            _ if delta => Some(Dimension::Ratio),
            // Times or a gauge: what it is compared with says which.
            None if aggregation.suits(Kind::Gauge) => None,
            _ => typing::of(&metric, aggregation),
        };
        Ok((Series { component, metric, selector, aggregation, delta }, dimension))
    }

    fn component(&mut self) -> Option<String> {
        let start = self.cursor.spot();
        if self.cursor.peek().is_some_and(|c| c.is_ascii_alphabetic() || c == '_') {
            let name = self.cursor.take(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
            if self.cursor.rest().starts_with("::") {
                self.cursor.eat("::");
                return Some(name.to_owned());
            }
        }
        self.cursor.back_to(start);
        None
    }

    fn call_without_metric(&self, name: &str, at: Range<usize>) -> ThresholdError {
        if name == "delta" {
            let help = "write metric: delta(...), for example response_time: delta(p(95)) < 5%";
            return self.cursor.error(at, "expected a metric before `delta(`").help(help);
        }
        let help = format!("write metric: {name}(...), for example response_time: p(95) < 500");
        self.cursor.error(at, format!("expected a metric before `{name}(`")).help(help)
    }

    /// The metric and its kind; no kind where it is known at run time only.
    fn metric(&self, name: &str, at: Range<usize>, qualified: bool) -> Parsed<(Metric, Option<Kind>)> {
        if let Some(builtin) = Builtin::named(name) {
            return Ok((Metric::Builtin(builtin), Some(builtin.kind())));
        }
        let extra = || Metric::Extra(name.to_owned());
        if self.catalog.has_extra(name) {
            return Ok((extra(), Some(Kind::Trend)));
        }
        if self.catalog.has_counter(name) {
            return Ok((Metric::Counter(name.to_owned()), Some(Kind::Counter)));
        }
        if self.catalog.has_rate(name) {
            return Ok((Metric::Share(name.to_owned()), Some(Kind::Rate)));
        }
        if let Some(dimension) = self.catalog.gauge(name) {
            return Ok((Metric::Gauge(name.to_owned(), dimension), Some(Kind::Gauge)));
        }
        // What other components record is not known here.
        if self.catalog.is_lenient() || qualified {
            return Ok((extra(), None));
        }
        let nearest = self.catalog.nearest(name).map(|near| format!(", did you mean `{near}`?"));
        let message = format!("unknown metric `{name}`{}", nearest.unwrap_or_default());
        let known: Vec<&str> = self.catalog.names().collect();
        Err(self.cursor.error(at, message).help(format!("known metrics: {}", known.join(", "))))
    }

    fn selector(&mut self, metric: &Metric) -> Parsed<Selector> {
        let mut selector = Selector::default();
        if !self.cursor.eat("{") {
            return Ok(selector);
        }
        loop {
            tags::read(&mut self.cursor, metric, self.catalog.is_lenient(), &mut selector)?;
            if self.cursor.eat("}") {
                return Ok(selector);
            }
            if !self.cursor.eat(",") {
                return Err(self.cursor.expected("`,` or `}`"));
            }
        }
    }

    /// How it is aggregated, and whether what has become of that is meant.
    fn aggregation(&mut self, name: &str, kind: Option<Kind>) -> Parsed<(Aggregation, bool)> {
        let choices =
            kind.map_or("count, rate, value, avg, min, max, med, slope or p(N)", Aggregation::choices);
        if !self.cursor.eat(":") {
            return match kind {
                Some(Kind::Rate) => Ok((Aggregation::Rate, false)),
                Some(Kind::Gauge | Kind::Figure) => Ok((Aggregation::Value, false)),
                _ => Err(self.cursor.expected(&format!("`:` and an aggregation of {name} ({choices})"))),
            };
        }
        let start = self.cursor.spot();
        if self.cursor.word() == "delta" && self.cursor.eat("(") {
            let aggregation = self.plain(name, kind, choices)?;
            return if self.cursor.eat(")") {
                Ok((aggregation, true))
            } else {
                Err(self.cursor.expected("`)`"))
            };
        }
        self.cursor.back_to(start);
        Ok((self.plain(name, kind, choices)?, false))
    }

    fn plain(&mut self, name: &str, kind: Option<Kind>, choices: &str) -> Parsed<Aggregation> {
        let start = self.cursor.spot();
        let word = self.cursor.word();
        let aggregation = if word == "p" { Some(self.percentile()?) } else { Aggregation::read(word) };
        let Some(aggregation) = aggregation else {
            self.cursor.back_to(start);
            let error = self.cursor.expected(&format!("an aggregation of {name} ({choices})"));
            let rank = word.strip_prefix('p').filter(|rank| rank.parse::<u32>().is_ok());
            return Err(match rank {
                Some(rank) => error.help(format!("percentiles are written p({rank})")),
                None => error,
            });
        };
        if kind.is_some_and(|kind| !aggregation.suits(kind)) {
            let message = format!("{name} has no `{aggregation}`, expected {choices}");
            return Err(self.cursor.error(self.cursor.since(start), message));
        }
        Ok(aggregation)
    }

    fn percentile(&mut self) -> Parsed<Aggregation> {
        if !self.cursor.eat("(") {
            return Err(self.cursor.expected("`(` and a percentile, as in p(95)"));
        }
        let start = self.cursor.spot();
        let Some(rank) = self.cursor.number() else {
            return Err(self.cursor.expected("a percentile from 0 to 100"));
        };
        if !(0.0..=100.0).contains(&rank) {
            let message = format!("expected a percentile from 0 to 100, found {rank}");
            return Err(self.cursor.error(self.cursor.since(start), message));
        }
        if self.cursor.eat(")") {
            Ok(Aggregation::Percentile(rank))
        } else {
            Err(self.cursor.expected("`)`"))
        }
    }

    fn operator(&mut self) -> Parsed<Operator> {
        let found = Operator::TOKENS.into_iter().find(|(token, _)| self.cursor.eat(token));
        found.map(|(_, operator)| operator).ok_or_else(|| {
            let error = self.cursor.expected("one of < <= > >= == !=");
            if error.message().ends_with("`=`") { error.help("equality is written ==") } else { error }
        })
    }
}

/// The rest of a number whose digits, `first`, have been read: its unit, and for times more of the kind (`1m30s`).
///
/// Gives the value in base units, and no dimension for a bare number.
pub(super) fn quantity(
    cursor: &mut Cursor<'_>,
    start: usize,
    first: f64,
) -> Parsed<(f64, Option<Dimension>)> {
    let (mut sum, dimension) = with_unit(cursor, first)?;
    while dimension == Some(Dimension::Time) && cursor.rest().starts_with(|c: char| c.is_ascii_digit()) {
        let from = cursor.spot();
        let (part, further) = match cursor.number() {
            Some(number) => with_unit(cursor, number)?,
            None => break,
        };
        if further != dimension {
            return Err(cursor.error(cursor.since(from), "expected a unit of time").help(UNITS_HELP));
        }
        sum += part;
    }
    if sum.is_finite() {
        return Ok((sum, dimension));
    }
    Err(cursor.error(cursor.since(start), "this number is too large"))
}

fn with_unit(cursor: &mut Cursor<'_>, value: f64) -> Parsed<(f64, Option<Dimension>)> {
    let adjacent = !cursor.rest().starts_with(char::is_whitespace);
    let end = cursor.since(0).end;
    let start = cursor.spot();
    let text = cursor.take(|c| c.is_alphabetic() || "%/".contains(c));
    if let Some(unit) = Unit::read(text) {
        return Ok((unit.to_base(value), Some(unit.dimension)));
    }
    if adjacent && !text.is_empty() {
        return Err(cursor.error(cursor.since(start), format!("unknown unit `{text}`")).help(UNITS_HELP));
    }
    // A word after a space is no unit: it belongs to what follows.
    cursor.back_to(end);
    Ok((value, None))
}
