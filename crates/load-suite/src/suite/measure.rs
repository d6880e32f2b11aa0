//! Which metrics does a suite have of its own, and what feeds them?

use crate::fields::{At, Fields, text};
use crate::nearest::nearest;
use crate::node::{Node, SuiteError, Value};
use crate::template::Names;

use super::expect::{Test, values};
use super::path::Path;

/// A metric of the suite's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measure {
    /// What thresholds call it.
    pub name: String,
    /// What it gathers.
    pub kind: MeasureKind,
}

/// What a metric gathers: k6's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MeasureKind {
    /// A sum.
    Counter,
    /// A share of cases.
    Rate,
    /// A distribution of times.
    Trend,
}

/// What a step gives to a metric.
#[derive(Clone, Debug)]
pub struct Feed {
    /// Index in the suite's measures.
    pub measure: usize,
    /// What it gives.
    pub gives: Gives,
}

/// A value for a metric.
#[derive(Clone, Debug)]
pub enum Gives {
    /// The service time.
    Time,
    /// Whether the call ended well.
    Ok,
    /// Whether it failed.
    Failed,
    /// A number, when the call ended well.
    Number(u64),
    /// A number in the answer; milliseconds for a trend.
    Json(Path),
    /// Whether the answer is JSON that has all of this, whatever the step expects.
    Like(Vec<(Path, Vec<Test>)>),
    /// Whether the answer has one of these statuses, from the first to the last each, whatever the step expects.
    Status(Vec<(u32, u32)>),
    /// Whether the answer has this header, by its lower-case name.
    Header(String),
}

impl Gives {
    /// Whether it is about what only answers of HTTP have.
    pub fn is_of_answer(&self) -> bool {
        matches!(self, Self::Status(_) | Self::Header(_))
    }

    /// Whether it needs the answer as JSON.
    pub fn needs_json(&self) -> bool {
        matches!(self, Self::Json(_) | Self::Like(_))
    }
}

/// Whether thresholds can name it.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

impl Measure {
    pub(super) fn read_all(suite: &mut Fields) -> Result<Vec<Self>, SuiteError> {
        let Some(mut table) = suite.table("metrics")? else { return Ok(Vec::new()) };
        table.entries().into_iter().map(|(name, node)| Self::read(name, node)).collect()
    }

    fn read(name: String, node: Node) -> Result<Self, SuiteError> {
        let kind = text(node, &name)?;
        if !is_name(&name) {
            return Err(kind.wrong(format!("metrics: {name:?} is no name like orders_placed")));
        }
        let kind = match kind.value.as_str() {
            "counter" => MeasureKind::Counter,
            "rate" => MeasureKind::Rate,
            "trend" => MeasureKind::Trend,
            other => {
                return Err(
                    kind.wrong(format!("metrics: {other:?} is none of \"counter\", \"rate\", \"trend\""))
                );
            }
        };
        Ok(Self { name, kind })
    }
}

impl Feed {
    pub(super) fn read_all(step: &mut Fields, measures: &[Measure]) -> Result<Vec<Self>, SuiteError> {
        let Some(mut table) = step.table("metrics")? else { return Ok(Vec::new()) };
        table.entries().into_iter().map(|(name, node)| Self::read(&name, node, measures)).collect()
    }

    fn read(name: &str, node: Node, measures: &[Measure]) -> Result<Self, SuiteError> {
        let names = || measures.iter().map(|measure| measure.name.as_str());
        let measure = names().position(|known| known == name).ok_or_else(|| {
            let hint = nearest(name, names())
                .map_or_else(|| "declare it in [metrics]".to_owned(), |near| format!("did you mean {near}?"));
            SuiteError::at(&node.place, format!("metrics: unknown {name}; {hint}"))
        })?;
        let kind = measures[measure].kind;
        if matches!(node.value, Value::Table(_)) {
            let gives = of_answer(Fields::of(node.clone(), "metrics")?)?;
            return match kind {
                MeasureKind::Counter | MeasureKind::Rate => Ok(Self { measure, gives }),
                MeasureKind::Trend => Err(SuiteError::at(
                    &node.place,
                    format!(
                        "metrics: {name} is a trend; status, header and json are for a counter or a rate"
                    ),
                )),
            };
        }
        let number = if let Value::Integer(n) = node.value { u64::try_from(n).ok() } else { None };
        let written = text(node, name)?;
        let gives = match (written.value.as_str(), number) {
            (_, Some(number)) => Gives::Number(number),
            ("time", _) => Gives::Time,
            ("ok", _) => Gives::Ok,
            ("failed", _) => Gives::Failed,
            (path, _) if path.starts_with('$') => Gives::Json(Path::compile(&written)?),
            _ => return Err(wrong(&written, name)),
        };
        let fits = match gives {
            Gives::Time => kind == MeasureKind::Trend,
            Gives::Ok | Gives::Failed | Gives::Status(_) | Gives::Header(_) | Gives::Like(_) => {
                kind != MeasureKind::Trend
            }
            Gives::Number(_) => kind == MeasureKind::Counter,
            Gives::Json(_) => kind != MeasureKind::Rate,
        };
        if fits { Ok(Self { measure, gives }) } else { Err(wrong(&written, name)) }
    }
}

/// `{ status = 429 }`, `{ header = "Retry-After" }` or `{ json = { "$.status" = "done" } }`.
fn of_answer(mut fields: Fields) -> Result<Gives, SuiteError> {
    let statuses = fields.texts("status")?;
    let header = fields.text("header")?;
    let like = values(&mut fields, &Names::none())?;
    let varies = |tests: &[Test]| tests.iter().any(|test| matches!(test, Test::Renders(_)));
    if like.iter().any(|(_, tests)| varies(tests)) {
        return Err(
            fields.wrong("metrics: a value with {{...}} varies; expected what is known before the run")
        );
    }
    let gives = match (statuses.as_slice(), header, like.as_slice()) {
        ([], Some(header), []) => Gives::Header(header.value.to_ascii_lowercase()),
        ([], None, [_, ..]) => Gives::Like(like),
        ([_, ..], None, []) => Gives::Status(statuses.iter().map(statuses_of).collect::<Result<_, _>>()?),
        _ => return Err(fields.wrong("metrics: expected one of status, header and json in the table")),
    };
    fields.finish("metrics")?;
    Ok(gives)
}

/// `429`, `500-503` or `4xx`.
fn statuses_of(text: &At<String>) -> Result<(u32, u32), SuiteError> {
    let number = |text: &str| text.trim().parse().ok().filter(|status| (100..=599).contains(status));
    let written = text.value.as_str();
    let range = match (written.split_once('-'), written.strip_suffix("xx")) {
        (Some((first, last)), _) => number(first).zip(number(last)),
        (None, Some(class)) => number(&format!("{class}00")).map(|first| (first, first + 99)),
        (None, None) => number(written).map(|status| (status, status)),
    };
    range.filter(|(first, last)| first <= last).ok_or_else(|| {
        text.wrong(format!(
            "status: {written:?}; expected a status like 429, a range like 500-503, or a class like 4xx"
        ))
    })
}

fn wrong(written: &At<String>, name: &str) -> SuiteError {
    written.wrong(format!(
        "metrics: {name} = {:?}; a trend takes \"time\" or a path, a rate \"ok\" or \"failed\", a counter these, a number or a path",
        written.value
    ))
}
