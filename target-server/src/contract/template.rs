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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn fill(written: &Value, scope: &Scope<'_>) -> Value {
        Template::from_value(written).unwrap().fill(scope, &mut Draws::new(1))
    }

    #[test]
    fn placeholders_keep_their_type_alone_and_become_text_within_a_text() {
        let body = json!({ "name": "Ann", "age": 5, "tags": ["a", "b"], "deep": { "x": null } });
        let (path, query) = (json!({ "id": "7" }), json!({ "limit": 3 }));
        let item = json!({ "id": 7 });
        let items = [json!(1), json!(2)];
        let scope = Scope {
            id: Some(json!(9)),
            n: 4,
            path: path.as_object(),
            query: query.as_object(),
            body: Some(&body),
            item: Some(&item),
            items: Some(&items),
            count: Some(12),
            ..Scope::default()
        };
        for (written, filled) in [
            (json!("{body.age}"), json!(5)),
            (json!("{body.age} years"), json!("5 years")),
            (json!("{body.tags.1}-{path.id}-{n}"), json!("b-7-4")),
            (json!("{body.tags}"), json!(["a", "b"])),
            (json!("{body}"), body.clone()),
            (json!("{body.deep.x}"), json!(null)),
            (json!("{body.nothing}"), json!(null)),
            (json!("<{body.nothing}>"), json!("<>")),
            (json!("{query.limit or 10}"), json!(3)),
            (json!("{query.offset or 10}"), json!(10)),
            (json!("{query.sort or name}"), json!("name")),
            (json!("{id}"), json!(9)),
            (json!("{item}"), item.clone()),
            (json!({ "a": ["{items}", "{count}"] }), json!({ "a": [[1, 2], 12] })),
            (json!("{{id} and {id}"), json!("{id} and 9")),
            (json!([1, true, null]), json!([1, true, null])),
        ] {
            assert_eq!(fill(&written, &scope), filled, "{written}");
        }
    }

    #[test]
    fn times_are_of_now() {
        let before = jiff::Timestamp::now().as_millisecond();
        let filled = fill(&json!(["{now}", "{now_s}", "{now_ms}"]), &Scope::default());
        let after = jiff::Timestamp::now().as_millisecond();
        let stamp: jiff::Timestamp = filled[0].as_str().unwrap().parse().unwrap();
        assert!(filled[0].as_str().unwrap().ends_with('Z'), "{filled}");
        for ms in [
            stamp.as_millisecond(),
            (filled[1].as_f64().unwrap() * 1e3).round() as i64,
            filled[2].as_i64().unwrap(),
        ] {
            assert!((before..=after).contains(&ms), "{filled}");
        }
    }

    #[test]
    fn what_is_no_placeholder_is_refused() {
        for written in
            ["{name}", "{id", "{id.x}", "{path}.{path.a.b}", "{integer 1..}", "{dice 1..6}", "{}", "{body.}"]
        {
            assert!(Template::from_value(&json!(written)).is_err(), "{written}");
        }
    }

    proptest! {
        #[test]
        fn a_text_without_braces_is_itself(text in "[^{]{0,40}") {
            prop_assert_eq!(fill(&json!(text.clone()), &Scope::default()), json!(text));
        }

        #[test]
        fn draws_are_within_and_repeat_with_their_seed(seed: u64, least in -50_i64..50, length in 0_i64..50) {
            let template = Template::from_value(&json!([format!("{{integer {least}..{}}}", least + length), "{pick a|b}", "{hex}"])).unwrap();
            let draw = |seed| template.fill(&Scope::default(), &mut Draws::new(seed));
            let drawn = draw(seed);
            prop_assert!((least..=least + length).contains(&drawn[0].as_i64().unwrap()));
            prop_assert!(drawn[1] == "a" || drawn[1] == "b");
            prop_assert_eq!(drawn[2].as_str().unwrap().len(), 8);
            prop_assert_eq!(&draw(seed), &drawn);
        }
    }
}
