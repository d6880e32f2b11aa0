//! What does an answer say? JSON with placeholders, filled from a request and what is known of it; pure.

use serde::{Deserialize, Deserializer, de};
use serde_json::{Map, Value};

use super::shape::Bounds;
use crate::script::mix;

/// JSON with placeholders. A text that is one placeholder becomes its value; others become text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Template {
    /// Nothing to fill in.
    Literal(Value),
    /// One placeholder: its value with its type.
    Whole(Place),
    /// A text with placeholders.
    Text(Vec<Part>),
    /// An array.
    Array(Vec<Template>),
    /// An object.
    Object(Vec<(String, Template)>),
}

/// A piece of a text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Part {
    /// As it is.
    Text(String),
    /// To be filled in.
    Place(Place),
}

/// A placeholder: `{body.name or "nobody"}`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Place {
    root: Root,
    /// Fields to go down.
    path: Vec<String>,
    /// What stands for a value that is not there; null without.
    or: Option<Value>,
}

/// What a placeholder begins with.
#[derive(Debug, Clone, PartialEq)]
enum Root {
    Id,
    N,
    Now,
    NowSeconds,
    NowMillis,
    Hex,
    Path,
    Query,
    Header,
    Body,
    Items,
    Count,
    Seq,
    Client,
    Item,
    Rate,
    /// `{integer 1..6}`: drawn anew each time.
    Integer(f64, f64),
    /// `{number 0..1}`: the same with a fraction of two digits.
    Number(f64, f64),
    /// `{pick a|b}`: one of them, drawn.
    Pick(Vec<String>),
}

/// What placeholders stand for. Those that a place has not are left out: `Scope { n: 1, ..Scope::default() }`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope<'a> {
    /// `{id}`.
    pub(crate) id: Option<Value>,
    /// `{n}`.
    pub(crate) n: u64,
    /// `{path.NAME}`.
    pub(crate) path: Option<&'a Map<String, Value>>,
    /// `{query.NAME}`.
    pub(crate) query: Option<&'a Map<String, Value>>,
    /// `{header.name}`, in small letters.
    pub(crate) header: Option<&'a Map<String, Value>>,
    /// `{body.NAME}`: of a request, or of a frame.
    pub(crate) body: Option<&'a Value>,
    /// `{item}` and `{item.NAME}`.
    pub(crate) item: Option<&'a Value>,
    /// `{items}`: those of the page.
    pub(crate) items: Option<&'a [Value]>,
    /// `{count}`: how many there are on all pages.
    pub(crate) count: Option<usize>,
    /// `{seq}`: the number of a frame on its connection, from 1.
    pub(crate) seq: u64,
    /// `{client}`: what tells a connection from others.
    pub(crate) client: Option<&'a str>,
    /// `{rate.limit}`, `{rate.remaining}`, `{rate.retry_after}`.
    pub(crate) rate: Option<&'a Value>,
}

/// Draws what looks random and repeats with its seed.
#[derive(Debug, Clone)]
pub(crate) struct Draws(u64);

impl Draws {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// Eight hexadecimal digits.
    pub(crate) fn hex(&mut self) -> String {
        format!("{:08x}", self.next() >> 32)
    }

    /// From 0 to 1, 1 excluded.
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

impl Template {
    /// Takes a template as it is written in a contract.
    ///
    /// # Errors
    /// Names a placeholder that there is not.
    pub(crate) fn from_value(value: &Value) -> Result<Self, String> {
        match value {
            Value::String(text) => Self::from_text(text),
            Value::Array(items) => {
                items.iter().map(Self::from_value).collect::<Result<_, _>>().map(Self::Array)
            }
            Value::Object(fields) => {
                let field = |(name, value): (&String, &Value)| {
                    Self::from_value(value).map(|value| (name.clone(), value))
                };
                fields.iter().map(field).collect::<Result<_, _>>().map(Self::Object)
            }
            _ => Ok(Self::Literal(value.clone())),
        }
    }

    fn from_text(text: &str) -> Result<Self, String> {
        let mut parts = parts(text)?;
        Ok(match parts.as_mut_slice() {
            [] => Self::Literal(Value::from("")),
            [Part::Text(text)] => Self::Literal(Value::from(std::mem::take(text))),
            [Part::Place(_)] => match parts.remove(0) {
                Part::Place(place) => Self::Whole(place),
                Part::Text(text) => Self::Literal(Value::from(text)),
            },
            _ => Self::Text(parts),
        })
    }

    /// Fills the placeholders.
    pub(crate) fn fill(&self, scope: &Scope<'_>, draws: &mut Draws) -> Value {
        match self {
            Self::Literal(value) => value.clone(),
            Self::Whole(place) => place.value(scope, draws),
            Self::Text(parts) => {
                let mut text = String::new();
                for part in parts {
                    match part {
                        Part::Text(literal) => text.push_str(literal),
                        Part::Place(place) => text.push_str(&plain(&place.value(scope, draws))),
                    }
                }
                Value::String(text)
            }
            Self::Array(items) => items.iter().map(|item| item.fill(scope, draws)).collect(),
            Self::Object(fields) => {
                fields.iter().map(|(name, value)| (name.clone(), value.fill(scope, draws))).collect()
            }
        }
    }

    /// The same as text: for headers, bodies that are not JSON, names of channels.
    pub(crate) fn text(&self, scope: &Scope<'_>, draws: &mut Draws) -> String {
        plain(&self.fill(scope, draws))
    }
}

impl Default for Template {
    /// An empty object.
    fn default() -> Self {
        Self::Object(Vec::new())
    }
}

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::from_value(&Value::deserialize(from)?).map_err(de::Error::custom)
    }
}

impl Place {
    fn parse(text: &str) -> Result<Self, String> {
        let (name, or) = text.split_once(" or ").map_or((text, None), |(name, or)| (name, Some(or)));
        let or = or.map(|or| serde_json::from_str(or).unwrap_or_else(|_| Value::from(or)));
        if let Some((kind, of)) = name.split_once(' ') {
            return Ok(Self { root: Root::drawn(kind, of)?, path: Vec::new(), or });
        }
        let mut steps = name.split('.').map(str::to_owned);
        let first = steps.next().unwrap_or_default();
        let path: Vec<_> = steps.collect();
        let (root, most) = match first.as_str() {
            "id" => (Root::Id, 0),
            "n" => (Root::N, 0),
            "now" => (Root::Now, 0),
            "now_s" => (Root::NowSeconds, 0),
            "now_ms" => (Root::NowMillis, 0),
            "hex" => (Root::Hex, 0),
            "items" => (Root::Items, 0),
            "count" => (Root::Count, 0),
            "seq" => (Root::Seq, 0),
            "client" => (Root::Client, 0),
            "path" => (Root::Path, 1),
            "query" => (Root::Query, 1),
            "header" => (Root::Header, 1),
            "rate" => (Root::Rate, 1),
            "body" => (Root::Body, usize::MAX),
            "item" => (Root::Item, usize::MAX),
            _ => return Err(unknown(text)),
        };
        if path.len() > most || path.iter().any(String::is_empty) {
            return Err(unknown(text));
        }
        Ok(Self { root, path, or })
    }

    fn value(&self, scope: &Scope<'_>, draws: &mut Draws) -> Value {
        self.find(scope, draws).or_else(|| self.or.clone()).unwrap_or(Value::Null)
    }

    fn find(&self, scope: &Scope<'_>, draws: &mut Draws) -> Option<Value> {
        let down = |from| descend(from, &self.path).cloned();
        let named = |map: Option<&Map<String, Value>>| match self.path.first() {
            Some(name) => map?.get(name).cloned(),
            None => map.cloned().map(Value::Object),
        };
        match &self.root {
            Root::Id => scope.id.clone(),
            Root::N => Some(scope.n.into()),
            Root::Now => Some(format!("{:.3}", jiff::Timestamp::now()).into()),
            Root::NowSeconds => Some((jiff::Timestamp::now().as_millisecond() as f64 / 1e3).into()),
            Root::NowMillis => Some(jiff::Timestamp::now().as_millisecond().into()),
            Root::Hex => Some(format!("{:08x}", draws.next() >> 32).into()),
            Root::Path => named(scope.path),
            Root::Query => named(scope.query),
            Root::Header => named(scope.header),
            Root::Body => scope.body.and_then(down),
            Root::Item => scope.item.and_then(down),
            Root::Rate => scope.rate.and_then(down),
            Root::Items => scope.items.map(|items| Value::from(items.to_vec())),
            Root::Count => scope.count.map(Value::from),
            Root::Seq => Some(scope.seq.into()),
            Root::Client => scope.client.map(Value::from),
            Root::Integer(least, most) => {
                Some(((least + draws.unit() * (most - least + 1.0)).floor() as i64).into())
            }
            Root::Number(least, most) => {
                Some((((least + draws.unit() * (most - least)) * 100.0).round() / 100.0).into())
            }
            Root::Pick(texts) => {
                let chosen = (draws.unit() * texts.len() as f64) as usize;
                texts.get(chosen).cloned().map(Value::from)
            }
        }
    }
}

impl Root {
    fn drawn(kind: &str, of: &str) -> Result<Self, String> {
        let bounds =
            || Bounds::parse(of)?.finite().ok_or_else(|| format!("{of:?}: expected a range with both ends"));
        match kind {
            "integer" => bounds().map(|(least, most)| Self::Integer(least, most)),
            "number" => bounds().map(|(least, most)| Self::Number(least, most)),
            "pick" => Ok(Self::Pick(of.split('|').map(str::to_owned).collect())),
            _ => Err(unknown(kind)),
        }
    }
}

/// The value behind these names, which may be numbers of an array's items.
pub(super) fn descend<'a>(from: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(from, |at, name| match at {
        Value::Array(items) => items.get(name.parse::<usize>().ok()?),
        _ => at.get(name),
    })
}

/// Cuts a text at its placeholders; `{{` is a brace.
fn parts(text: &str) -> Result<Vec<Part>, String> {
    let (mut parts, mut literal, mut rest) = (Vec::new(), String::new(), text);
    while let Some(open) = rest.find('{') {
        literal.push_str(&rest[..open]);
        rest = &rest[open + 1..];
        if let Some(after) = rest.strip_prefix('{') {
            literal.push('{');
            rest = after;
            continue;
        }
        let close =
            rest.find('}').ok_or_else(|| format!("{text:?}: expected \"}}\" behind a placeholder"))?;
        let place = Place::parse(&rest[..close])?;
        if !literal.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut literal)));
        }
        parts.push(Part::Place(place));
        rest = &rest[close + 1..];
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        parts.push(Part::Text(literal));
    }
    Ok(parts)
}

/// A value within a text: a text without its quotes, nothing for null.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn unknown(name: &str) -> String {
    format!(
        "{{{name}}} is no placeholder: expected one of {{id}}, {{n}}, {{now}}, {{now_s}}, {{now_ms}}, {{hex}}, {{path.NAME}}, \
         {{query.NAME}}, {{header.NAME}}, {{body.NAME}}, {{item.NAME}}, {{items}}, {{count}}, {{rate.NAME}}, {{seq}}, {{client}}, \
         {{integer A..B}}, {{number A..B}}, {{pick A|B}}, and {{{{ for a brace"
    )
}
