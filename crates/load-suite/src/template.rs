//! What does `{{...}}` insert? Texts with placeholders, compiled before the run and rendered without allocation.

mod parse;
mod render;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::data::{Column, Data};

pub use parse::TemplateError;
pub(crate) use parse::value;
pub use render::push_decimal;

/// A text with placeholders.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    parts: Vec<Part>,
    source: String,
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    /// As it is; no text, perhaps.
    Text(Vec<u8>),
    Insert(Value, Escape),
}

/// What stands for itself in a placeholder or a condition.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Seq,
    Vu,
    Iteration,
    Var(usize),
    Row(Column),
    Constant(String),
    Uuid,
    Int(i64, i64),
    Float(f64, f64),
    Pick(Vec<String>),
    /// From so many to so many of these, each of which is JSON, as a JSON list.
    Sample(usize, usize, Vec<String>),
    /// What a variable holds, or something else while it holds nothing.
    Or(usize, Box<Value>),
    /// One behind the other.
    Joined(Vec<Value>),
    Hex(usize),
    Text(usize),
    NowMs,
    NowS,
    Now,
}

/// How an inserted value is written where it stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Escape {
    /// As it is.
    #[default]
    Raw,
    /// Inside the quotes of a JSON text.
    Json,
    /// Inside a path or query: percent-encoded but for unreserved characters (RFC 3986).
    Url,
    /// In one line: line breaks become spaces.
    Line,
}

/// The names that a placeholder may use besides those of generators.
#[derive(Clone, Debug, Default)]
pub struct Names {
    constants: BTreeMap<String, String>,
    slots: BTreeMap<String, usize>,
    first_slot: usize,
    data: BTreeMap<String, Arc<Data>>,
}

impl Names {
    /// Nothing but generators.
    pub fn none() -> Self {
        Self::default()
    }

    /// The same constants and data, and no variables; those to come get slots from `first_slot` on.
    #[must_use]
    pub fn scope(&self, first_slot: usize) -> Self {
        Self { slots: BTreeMap::new(), first_slot, ..self.clone() }
    }

    /// A name that always means `value`, unless a variable has it.
    pub fn set(&mut self, name: &str, value: &str) {
        self.constants.insert(name.to_owned(), value.to_owned());
    }

    /// A table.
    pub fn add_data(&mut self, data: Data) {
        self.data.insert(data.name.clone(), Arc::new(data));
    }

    /// The slot of a variable, which is made when there is none.
    pub fn slot(&mut self, name: &str) -> usize {
        let next = self.first_slot + self.slots.len();
        *self.slots.entry(name.to_owned()).or_insert(next)
    }

    /// The slot after the last one.
    pub fn end(&self) -> usize {
        self.first_slot + self.slots.len()
    }

    /// The variables with their slots.
    pub fn variables(&self) -> impl Iterator<Item = (&str, usize)> {
        self.slots.iter().map(|(name, slot)| (name.as_str(), *slot))
    }

    /// The constants and what they mean.
    pub fn constants(&self) -> impl Iterator<Item = (&str, &str)> {
        self.constants.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// What a constant means.
    pub fn constant(&self, name: &str) -> Option<&str> {
        self.constants.get(name).map(String::as_str)
    }

    /// What `name` stands for.
    fn value(&self, name: &str) -> Option<Value> {
        if let Some(slot) = self.slots.get(name) {
            return Some(Value::Var(*slot));
        }
        if let Some(value) = self.constants.get(name) {
            return Some(Value::Constant(value.clone()));
        }
        let (data, column) = name.split_once('.')?;
        Column::of(self.data.get(data)?, column).map(Value::Row)
    }

    /// Every name.
    fn all(&self) -> impl Iterator<Item = String> {
        let columns = |data: &Arc<Data>| {
            data.columns.iter().map(|column| format!("{}.{column}", data.name)).collect::<Vec<_>>()
        };
        let known = self.slots.keys().chain(self.constants.keys()).cloned();
        known.chain(self.data.values().flat_map(columns))
    }
}

impl Template {
    /// `text` as it is.
    pub fn text(text: String) -> Self {
        Self { parts: vec![Part::Text(text.clone().into_bytes())], source: text }
    }

    /// `bytes` as they are; they need not be a text.
    pub fn bytes(bytes: Vec<u8>) -> Self {
        let source = format!("({} bytes)", bytes.len());
        Self { parts: vec![Part::Text(bytes)], source }
    }

    /// Compiles `source`, in which only generators may stand.
    ///
    /// # Errors
    /// An unclosed or unknown `{{...}}`, with its column.
    pub fn parse(source: &str) -> Result<Self, TemplateError> {
        Self::compile(source, &Names::none(), Escape::Raw)
    }

    /// Compiles `source`, whose inserted values are written by `escape` unless a filter says otherwise.
    ///
    /// # Errors
    /// An unclosed or unknown `{{...}}`, with its column.
    pub fn compile(source: &str, names: &Names, escape: Escape) -> Result<Self, TemplateError> {
        Ok(Self { parts: parse::parts(source, names, escape)?, source: source.to_owned() })
    }

    /// The bytes, when nothing in them varies.
    pub fn as_fixed(&self) -> Option<&[u8]> {
        match self.parts.as_slice() {
            [] => Some(b""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The text, when it is one and nothing in it varies.
    pub fn as_static(&self) -> Option<&str> {
        self.as_fixed().and_then(|bytes| std::str::from_utf8(bytes).ok())
    }

    /// As written: series are named by it, never by what it renders to.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The slots of the variables that it inserts.
    pub fn slots(&self) -> impl Iterator<Item = usize> {
        self.parts.iter().filter_map(|part| match part {
            Part::Insert(Value::Var(slot), _) => Some(*slot),
            _ => None,
        })
    }

    /// This template with `other` behind it.
    #[must_use]
    pub fn then(mut self, other: Self) -> Self {
        self.source += &other.source;
        for part in other.parts {
            match (self.parts.last_mut(), part) {
                (Some(Part::Text(text)), Part::Text(more)) => text.extend(more),
                (_, part) => self.parts.push(part),
            }
        }
        self
    }
}

#[cfg(test)]
mod tests;
