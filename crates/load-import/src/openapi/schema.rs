//! What may a value of a schema be? An example where there is one, a generator otherwise.

use std::cell::{Cell, RefCell};

use serde_json::{Map, Value};

use crate::ImportError;
use crate::json::Json;
use crate::text::{Text, literal};

use super::document::Document;

/// Schemas around a value, at most.
const DEPTH: usize = 24;
/// Schemas that are looked at for one operation: nested alternatives multiply.
const BUDGET: u32 = 2_000;
/// Numbers are at most so far apart when a schema says nothing of it.
const SPAN: i64 = 99;
/// Length of a text that may have any.
const LENGTH: u64 = 8;
/// Longer texts are of no use to anybody.
const LONGEST: u64 = 1_000;

type Table = Map<String, Value>;

/// Makes values for one operation.
pub(super) struct Sampler<'d> {
    document: &'d Document,
    place: &'d str,
    left: Cell<u32>,
    patterns: RefCell<Vec<String>>,
}

/// A schema with everything that it is made of: it must agree with all of them.
struct Layers<'d>(Vec<&'d Table>);

impl<'d> Layers<'d> {
    fn get(&self, key: &str) -> Option<&'d Value> {
        self.0.iter().find_map(|layer| layer.get(key))
    }

    fn text(&self, key: &str) -> Option<&'d str> {
        self.get(key).and_then(Value::as_str)
    }

    fn count(&self, key: &str) -> Option<u64> {
        self.get(key).and_then(Value::as_u64)
    }

    fn number(&self, key: &str) -> Option<f64> {
        self.get(key).and_then(Value::as_f64)
    }

    /// The type, as it is said or as its other words imply.
    fn kind(&self) -> &'d str {
        match self.get("type") {
            Some(Value::String(kind)) => kind,
            Some(Value::Array(kinds)) => {
                kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null").unwrap_or("null")
            }
            _ if self.get("properties").is_some() => "object",
            _ if self.get("items").is_some() => "array",
            _ => "string",
        }
    }

    /// A value that the description shows.
    fn shown(&self) -> Option<&'d Value> {
        let first = self.get("examples").and_then(Value::as_array).and_then(|list| list.first());
        self.get("example").or(first).or_else(|| self.get("const")).or_else(|| self.get("default"))
    }

    fn properties(&self) -> Vec<(&'d str, &'d Value)> {
        let mut all = Vec::<(&str, &Value)>::new();
        for (name, schema) in self.0.iter().filter_map(|layer| layer.get("properties")?.as_object()).flatten()
        {
            if !all.iter().any(|(known, _)| known == name) {
                all.push((name, schema));
            }
        }
        all
    }

    fn requires(&self, name: &str) -> bool {
        let lists = self.0.iter().filter_map(|layer| layer.get("required")?.as_array());
        lists.flatten().any(|required| required == name)
    }
}

impl<'d> Sampler<'d> {
    pub(super) fn new(document: &'d Document, place: &'d str) -> Self {
        Self { document, place, left: Cell::new(BUDGET), patterns: RefCell::default() }
    }

    /// A value of `schema`.
    pub(super) fn value(&self, schema: &'d Value) -> Result<Json, ImportError> {
        self.value_in(schema, &mut Vec::new())
    }

    /// Whether a description of `schema` shows a value.
    pub(super) fn is_shown(&self, schema: &'d Value) -> Result<bool, ImportError> {
        Ok(self.layers(schema)?.shown().is_some())
    }

    /// A value of `schema`, which stands in values of the schemas `around` it. Null where it would go on for ever.
    fn value_in(&self, schema: &'d Value, around: &mut Vec<&'d Table>) -> Result<Json, ImportError> {
        let layers = self.layers(schema)?;
        if let Some(shown) = layers.shown() {
            return Ok(Json::literal(shown));
        }
        if let Some(Value::Array(words)) = layers.get("enum") {
            return Ok(one_of(words));
        }
        let is_inside = |layer: &&Table| around.iter().any(|outer| std::ptr::eq(*outer, *layer));
        if around.len() >= DEPTH || self.left.get() == 0 || layers.0.iter().any(is_inside) {
            return Ok(Json::Null);
        }
        let length = around.len();
        let value = match layers.kind() {
            "object" => {
                around.extend(&layers.0);
                self.table(&layers, around)?
            }
            "array" => {
                around.extend(&layers.0);
                self.list(&layers, around)?
            }
            "integer" => integer(&layers),
            "number" => number(&layers),
            "boolean" => Json::Raw("{{pick('true', 'false')}}".to_owned()),
            "null" => Json::Null,
            _ => {
                self.patterns.borrow_mut().extend(layers.text("pattern").map(str::to_owned));
                Json::Text(string(&layers))
            }
        };
        around.truncate(length);
        Ok(value)
    }

    /// Patterns of texts that no generator can follow.
    pub(super) fn patterns(self) -> Vec<String> {
        self.patterns.into_inner()
    }

    /// What is required; all of it where nothing is.
    fn table(&self, layers: &Layers<'d>, around: &mut Vec<&'d Table>) -> Result<Json, ImportError> {
        let properties = layers.properties();
        let any_required = properties.iter().any(|(name, _)| layers.requires(name));
        let mut table = Vec::new();
        for (name, schema) in properties {
            let of = self.layers(schema)?;
            let is_read_only = of.get("readOnly").is_some_and(|value| value == true);
            if is_read_only || any_required && !layers.requires(name) {
                continue;
            }
            match self.value_in(schema, around)? {
                // What would go on for ever, and nobody asks for.
                Json::Null if !layers.requires(name) => {}
                value => table.push((literal(name), value)),
            }
        }
        Ok(Json::Table(table))
    }

    fn list(&self, layers: &Layers<'d>, around: &mut Vec<&'d Table>) -> Result<Json, ImportError> {
        let Some(items) = layers.get("items") else { return Ok(Json::List(Vec::new())) };
        let number = layers.count("minItems").unwrap_or(1).clamp(1, 5);
        if layers.count("maxItems") == Some(0) {
            return Ok(Json::List(Vec::new()));
        }
        let list = (0..number).map(|_| self.value_in(items, around)).collect::<Result<Vec<_>, _>>()?;
        Ok(Json::List(list.into_iter().filter(|item| *item != Json::Null).collect()))
    }

    /// `schema` with what it refers to, all of its `allOf`, and the first of `oneOf` and `anyOf`.
    fn layers(&self, schema: &'d Value) -> Result<Layers<'d>, ImportError> {
        let mut layers = Layers(Vec::new());
        let mut open = vec![schema];
        while let Some(schema) = open.pop() {
            let Some(table) = schema.as_object() else { continue };
            if self.left.get() == 0 || layers.0.iter().any(|known| std::ptr::eq(*known, table)) {
                continue;
            }
            self.left.set(self.left.get() - 1);
            layers.0.push(table);
            for key in ["anyOf", "oneOf"] {
                let choices = table.get(key).and_then(Value::as_array).into_iter().flatten();
                open.extend(
                    choices.filter(|choice| choice.get("type") != Some(&Value::from("null"))).take(1),
                );
            }
            open.extend(table.get("allOf").and_then(Value::as_array).into_iter().flatten().rev());
            if let Some(reference) = table.get("$ref") {
                open.push(self.document.referred(reference, self.place)?);
            }
        }
        Ok(layers)
    }
}

/// One of some words, drawn anew each time where a placeholder can say them.
fn one_of(words: &[Value]) -> Json {
    let is_simple = |text: &str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-. :/".contains(&b))
    };
    let texts: Option<Vec<&str>> =
        words.iter().map(|word| word.as_str().filter(|text| is_simple(text))).collect();
    match texts.as_deref() {
        Some([_, _, ..]) => {
            let list: Vec<_> = texts.into_iter().flatten().map(|text| format!("'{text}'")).collect();
            Json::Text(format!("{{{{pick({})}}}}", list.join(", ")))
        }
        _ => words.first().map_or(Json::Null, Json::literal),
    }
}

/// The least and the greatest number, as far as a schema says so. What is exclusive is a flag beside the bound in
/// OpenAPI 3.0, and the bound itself in 3.1.
fn bounds(layers: &Layers<'_>, step: f64) -> (Option<f64>, Option<f64>) {
    let bound = |plain: &str, exclusive: &str, step: f64| match layers.get(exclusive) {
        Some(Value::Bool(true)) => layers.number(plain).map(|bound| bound + step),
        Some(Value::Number(bound)) => bound.as_f64().map(|bound| bound + step),
        _ => layers.number(plain),
    };
    (bound("minimum", "exclusiveMinimum", step), bound("maximum", "exclusiveMaximum", -step))
}

fn integer(layers: &Layers<'_>) -> Json {
    let (low, high) = bounds(layers, 1.0);
    let (low, high) = (low.map(|low| low.ceil() as i64), high.map(|high| high.floor() as i64));
    let (low, high) = match (low, high) {
        (Some(low), Some(high)) => (low, high.max(low)),
        (Some(low), None) => (low, low.saturating_add(SPAN)),
        (None, Some(high)) => (high.saturating_sub(SPAN).max(1).min(high), high),
        (None, None) => (1, 1 + SPAN),
    };
    match layers.number("multipleOf").map(|step| step as i64) {
        // The least multiple, which need not be the only one.
        Some(step) if step > 1 => {
            let multiple =
                low.checked_add(step - 1).map_or(low, |up| up.div_euclid(step).saturating_mul(step));
            Json::Number(multiple.into())
        }
        _ => Json::Raw(format!("{{{{int({low}, {high})}}}}")),
    }
}

fn number(layers: &Layers<'_>) -> Json {
    let (low, high) = bounds(layers, 0.01);
    let (low, high) = match (low, high) {
        (Some(low), Some(high)) => (low, high.max(low)),
        (Some(low), None) => (low, low + SPAN as f64),
        (None, Some(high)) => ((high - SPAN as f64).max(1.0).min(high), high),
        (None, None) => (1.0, 1.0 + SPAN as f64),
    };
    Json::Raw(format!("{{{{float({low}, {high})}}}}"))
}

/// A text of the format or length that is asked for.
fn string(layers: &Layers<'_>) -> String {
    let mut out = Text::default();
    match layers.text("format").unwrap_or_default() {
        "uuid" => out.insert("uuid"),
        "date-time" => out.insert("now"),
        "date" => out.literal("2026-01-15"),
        "time" => out.literal("12:00:00Z"),
        "duration" => out.literal("PT1M"),
        "email" | "idn-email" => {
            out.insert("hex(8)");
            out.literal("@example.com");
        }
        "uri" | "url" | "iri" => {
            out.literal("https://example.com/");
            out.insert("hex(8)");
        }
        "hostname" => out.literal("example.com"),
        "ipv4" => out.literal("192.0.2.1"),
        "ipv6" => out.literal("2001:db8::1"),
        "byte" => out.literal("UXVpbnRldA=="),
        "password" => out.insert("hex(16)"),
        _ => {
            let low = layers.count("minLength").unwrap_or(0).min(LONGEST);
            let high = layers.count("maxLength").unwrap_or(LONGEST).min(LONGEST).max(low);
            match LENGTH.clamp(low, high) {
                0 => {}
                length => out.insert(&format!("text({length})")),
            }
        }
    }
    out.done()
}
