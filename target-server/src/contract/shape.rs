//! Does a value look as agreed? Shapes of JSON in a compact notation, and where a value differs from one; pure.

use std::fmt;

use serde::{Deserialize, Deserializer, de};
use serde_json::{Map, Number, Value};

/// What a value shall look like.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Shape {
    /// Anything: `"any"`.
    Any,
    /// `"null"`.
    Null,
    /// `"boolean"`.
    Boolean,
    /// A whole number: `"integer"`, `"integer 1..10"`.
    Integer(Bounds),
    /// `"number"`, `"number 0..1"`.
    Number(Bounds),
    /// A text with a length in characters: `"string"`, `"string 1..64"`.
    Text(Bounds),
    /// One of these texts: `"low|medium|high"`.
    OneOf(Vec<String>),
    /// This value, of a number or a boolean: `3`, `true`.
    Constant(Value),
    /// Any object: `"object"`.
    Object,
    /// An object with these fields: `{ name = "string" }`.
    Fields(Fields),
    /// An array: `["string"]`, with a length `["string", "1..3"]`.
    Array(Box<Shape>, Bounds),
    /// One of several: `"null or string"`.
    Either(Vec<Shape>),
}

/// The fields of an object, or the parameters of a query.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Fields(pub(crate) Vec<Field>);

/// One field.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Field {
    /// Without the `?` of one that may be missing.
    pub(crate) name: String,
    /// It has to be there.
    pub(crate) required: bool,
    /// Its value.
    pub(crate) shape: Shape,
}

/// The least and the most, both included.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Bounds {
    least: f64,
    most: f64,
}

/// How a value differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// Where, as in `.tags[1]`; empty is the value itself.
    pub(crate) at: String,
    /// What was expected.
    pub(crate) expected: String,
    /// What there was.
    pub(crate) got: String,
}

impl Shape {
    /// Whether a value has this shape. `strict` forbids fields that the shape does not name.
    ///
    /// # Errors
    /// The first difference.
    pub(crate) fn check(&self, value: &Value, strict: bool) -> Result<(), Wrong> {
        let fits = match self {
            Self::Any => true,
            Self::Null => value.is_null(),
            Self::Boolean => value.is_boolean(),
            Self::Integer(bounds) => whole(value).is_some_and(|number| bounds.hold(number)),
            Self::Number(bounds) => value.as_f64().is_some_and(|number| bounds.hold(number)),
            Self::Text(bounds) => value.as_str().is_some_and(|text| bounds.hold(text.chars().count() as f64)),
            Self::OneOf(texts) => value.as_str().is_some_and(|text| texts.iter().any(|one| one == text)),
            Self::Constant(constant) => value == constant,
            Self::Object => value.is_object(),
            Self::Fields(fields) => match value {
                Value::Object(object) => {
                    return fields.check(object, strict);
                }
                _ => false,
            },
            Self::Array(shape, bounds) => match value {
                Value::Array(items) if bounds.hold(items.len() as f64) => {
                    for (i, item) in items.iter().enumerate() {
                        shape.check(item, strict).map_err(|wrong| wrong.within(&format!("[{i}]")))?;
                    }
                    true
                }
                _ => false,
            },
            Self::Either(shapes) => shapes.iter().any(|shape| shape.check(value, strict).is_ok()),
        };
        if fits { Ok(()) } else { Err(Wrong::new(self, short(value))) }
    }

    /// Reads a text, of a query or a header, as a value of this shape; numbers are written in digits there.
    ///
    /// # Errors
    /// It cannot be read so.
    pub(crate) fn read(&self, text: &str) -> Result<Value, Wrong> {
        let value = Value::from(text);
        self.check(&value, true).map(|()| value).or_else(|wrong| {
            let scalar = serde_json::from_str::<Value>(text).ok();
            let scalar = scalar.filter(|value| value.is_number() || value.is_boolean());
            scalar.filter(|value| self.check(value, true).is_ok()).ok_or(wrong)
        })
    }

    /// Takes a shape as it is written in a contract.
    ///
    /// # Errors
    /// Says what is not understood.
    pub(crate) fn from_value(value: &Value) -> Result<Self, String> {
        match value {
            Value::String(text) => Self::from_text(text),
            Value::Number(_) | Value::Bool(_) => Ok(Self::Constant(value.clone())),
            Value::Array(items) => match items.as_slice() {
                [item] => Ok(Self::Array(Box::new(Self::from_value(item)?), Bounds::ANY)),
                [item, Value::String(range)] => {
                    Ok(Self::Array(Box::new(Self::from_value(item)?), Bounds::parse(range)?))
                }
                _ => Err("expected one shape in [], or a shape and a length like \"1..3\"".to_owned()),
            },
            Value::Object(_) => Fields::from_value(value).map(Self::Fields),
            Value::Null => Err("expected a shape".to_owned()),
        }
    }

    fn from_text(text: &str) -> Result<Self, String> {
        if text.contains(" or ") {
            return Ok(Self::Either(text.split(" or ").map(Self::from_text).collect::<Result<_, _>>()?));
        }
        let (word, range) = text.split_once(' ').map_or((text, None), |(word, range)| (word, Some(range)));
        let bounds = || range.map_or(Ok(Bounds::ANY), Bounds::parse);
        match word {
            "integer" => Ok(Self::Integer(bounds()?)),
            "number" => Ok(Self::Number(bounds()?)),
            "string" => Ok(Self::Text(bounds()?)),
            "any" if range.is_none() => Ok(Self::Any),
            "null" if range.is_none() => Ok(Self::Null),
            "boolean" if range.is_none() => Ok(Self::Boolean),
            "object" if range.is_none() => Ok(Self::Object),
            "" => Err("expected a shape, not \"\"".to_owned()),
            _ => Ok(Self::OneOf(text.split('|').map(str::to_owned).collect())),
        }
    }
}

impl Fields {
    /// Whether these values are the fields.
    ///
    /// # Errors
    /// The first difference.
    pub(crate) fn check(&self, values: &Map<String, Value>, strict: bool) -> Result<(), Wrong> {
        for (name, value) in values {
            match self.find(name) {
                Some(field) => {
                    field.shape.check(value, strict).map_err(|wrong| wrong.within(&format!(".{name}")))?;
                }
                None if strict => return Err(self.unknown(name)),
                None => {}
            }
        }
        let missing = |field: &&Field| field.required && !values.contains_key(&field.name);
        self.0.iter().find(missing).map_or(Ok(()), |field| Err(field.missing()))
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Field> {
        self.0.iter().find(|field| field.name == name)
    }

    /// Nothing of this name is expected.
    pub(crate) fn unknown(&self, name: &str) -> Wrong {
        let known: Vec<_> = self.0.iter().map(|field| field.name.as_str()).collect();
        let expected =
            if known.is_empty() { "nothing".to_owned() } else { format!("one of {}", known.join(", ")) };
        Wrong { at: format!(".{name}"), expected, got: "this name".to_owned() }
    }

    fn from_value(value: &Value) -> Result<Self, String> {
        let Value::Object(object) = value else { return Err("expected a table of shapes".to_owned()) };
        let field = |(written, shape): (&String, &Value)| {
            let (name, required) =
                written.strip_suffix('?').map_or((written.as_str(), true), |name| (name, false));
            let shape = Shape::from_value(shape).map_err(|error| format!("{name}: {error}"))?;
            Ok(Field { name: name.to_owned(), required, shape })
        };
        object.iter().map(field).collect::<Result<_, String>>().map(Self)
    }
}

impl Field {
    /// It has to be there and is not.
    pub(crate) fn missing(&self) -> Wrong {
        Wrong { at: format!(".{}", self.name), ..Wrong::new(&self.shape, "nothing".to_owned()) }
    }
}

impl Wrong {
    fn new(shape: &Shape, got: String) -> Self {
        Self { at: String::new(), expected: shape.to_string(), got }
    }

    /// The same, seen from further out.
    pub(crate) fn within(mut self, outer: &str) -> Self {
        self.at.insert_str(0, outer);
        self
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: expected {}, got {}", self.at, self.expected, self.got)
    }
}

impl Bounds {
    const ANY: Self = Self { least: f64::NEG_INFINITY, most: f64::INFINITY };

    fn hold(self, number: f64) -> bool {
        (self.least..=self.most).contains(&number)
    }

    /// Both bounds of a range like `1..10`, `1..` or `..10`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no range: expected one like \"1..10\"");
        let (least, most) = text.split_once("..").ok_or_else(wrong)?;
        let bound =
            |text: &str, open| if text.is_empty() { Ok(open) } else { text.parse().map_err(|_| wrong()) };
        let bounds = Self { least: bound(least, Self::ANY.least)?, most: bound(most, Self::ANY.most)? };
        if bounds.least <= bounds.most { Ok(bounds) } else { Err(wrong()) }
    }

    /// Both bounds, if there are both.
    pub(super) fn finite(self) -> Option<(f64, f64)> {
        (self.least.is_finite() && self.most.is_finite()).then_some((self.least, self.most))
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.least.is_finite(), self.most.is_finite()) {
            (false, false) => Ok(()),
            (true, false) => write!(f, " {}..", self.least),
            (false, true) => write!(f, " ..{}", self.most),
            (true, true) => write!(f, " {}..{}", self.least, self.most),
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any value"),
            Self::Null => f.write_str("null"),
            Self::Boolean => f.write_str("boolean"),
            Self::Integer(bounds) => write!(f, "integer{bounds}"),
            Self::Number(bounds) => write!(f, "number{bounds}"),
            Self::Text(bounds) => write!(f, "string{bounds}"),
            Self::OneOf(texts) => write!(f, "{}", texts.join("|")),
            Self::Constant(value) => write!(f, "{value}"),
            Self::Object | Self::Fields(_) => f.write_str("object"),
            Self::Array(shape, bounds) => write!(f, "array{bounds} of {shape}"),
            Self::Either(shapes) => {
                let shapes: Vec<_> = shapes.iter().map(ToString::to_string).collect();
                f.write_str(&shapes.join(" or "))
            }
        }
    }
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::from_value(&Value::deserialize(from)?).map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::from_value(&Value::deserialize(from)?).map_err(de::Error::custom)
    }
}

/// A number without a fraction; JSON knows no other difference, so that `4.0` is one as well.
fn whole(value: &Value) -> Option<f64> {
    value.as_number().and_then(Number::as_f64).filter(|number| number.fract() == 0.0)
}

/// A value as a message shows it.
fn short(value: &Value) -> String {
    const MOST: usize = 60;
    let text = value.to_string();
    match text.char_indices().nth(MOST) {
        Some((cut, _)) => format!("{}...", &text[..cut]),
        None => text,
    }
}
