//! What does the user keep of an answer? Captures, compiled before the run.

use std::borrow::Cow;

use regex::bytes::Regex;
use serde_json::Value as Json;

use crate::fields::{Fields, text};
use crate::node::{Node, SuiteError, Value};
use crate::scope::Scope;
use crate::template::Names;

use super::expect::{Answer, regex};
use super::path::{Path, plain_text};

/// A value of the answer that the user keeps.
#[derive(Clone, Debug)]
pub struct Capture {
    /// What `{{name}}` calls it.
    pub name: String,
    /// Where the user keeps it.
    pub slot: usize,
    /// Where it is looked for, in this order.
    pub sources: Vec<Source>,
    /// Which one of several.
    pub pick: Pick,
    /// It may be missing.
    pub optional: bool,
    /// Where it is missing, what was captured before stays.
    pub keep: bool,
}

/// Where a value is found.
#[derive(Clone, Debug)]
pub enum Source {
    /// At a path of a JSON body.
    Json(Path),
    /// A header, by its lower-case name.
    Header(String),
    /// The first group, or the whole, of a match in the body.
    Regex(Regex),
    /// The status of the answer.
    Status,
    /// The whole body.
    Body,
}

/// Which one of several values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pick {
    /// The first.
    #[default]
    First,
    /// The last.
    Last,
    /// Any.
    Random,
}

impl Capture {
    /// Takes `capture`; its names get slots.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub(super) fn read_all(fields: &mut Fields, names: &mut Names) -> Result<Vec<Self>, SuiteError> {
        let Some(mut table) = fields.table("capture")? else { return Ok(Vec::new()) };
        table.entries().into_iter().map(|(name, node)| Self::read(name, node, names)).collect()
    }

    fn read(name: String, node: Node, names: &mut Names) -> Result<Self, SuiteError> {
        if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return Err(SuiteError::at(&node.place, format!("capture: {name:?} is no name like order_id")));
        }
        let slot = names.slot(&name);
        if !matches!(node.value, Value::Table(_)) {
            let sources = paths(node)?;
            return Ok(Self { name, slot, sources, pick: Pick::First, optional: false, keep: false });
        }
        let mut fields = Fields::of(node, "a capture")?;
        let mut sources = match fields.node("json") {
            Some(node) => paths(node)?,
            None => Vec::new(),
        };
        sources.extend(
            fields.texts("header")?.into_iter().map(|name| Source::Header(name.value.to_ascii_lowercase())),
        );
        for pattern in fields.texts("regex")? {
            sources.push(Source::Regex(regex(&pattern)?));
        }
        if let Some(is_status) = fields.word("from", &[("status", true), ("body", false)])? {
            sources.push(if is_status { Source::Status } else { Source::Body });
        }
        let picks = [("first", Pick::First), ("last", Pick::Last), ("random", Pick::Random)];
        let pick = fields.word("pick", &picks)?.unwrap_or_default();
        let keep = fields.flag("keep")?;
        let optional = fields.flag("optional")? || keep;
        if sources.is_empty() {
            return Err(fields.wrong("a capture from nowhere; expected json, header, regex or from"));
        }
        fields.finish("a capture")?;
        Ok(Self { name, slot, sources, pick, optional, keep })
    }

    /// Whether it needs the body as JSON.
    pub fn needs_json(&self) -> bool {
        self.sources.iter().any(|source| matches!(source, Source::Json(_)))
    }

    /// Whether it looks at the body.
    pub fn needs_body(&self) -> bool {
        self.sources.iter().any(|source| matches!(source, Source::Json(_) | Source::Regex(_) | Source::Body))
    }

    /// Whether it looks at the headers.
    pub fn needs_headers(&self) -> bool {
        self.sources.iter().any(|source| matches!(source, Source::Header(_)))
    }

    /// Keeps the value in `scope`.
    ///
    /// # Errors
    /// It is missing and must not be.
    pub fn keep(&self, answer: &Answer<'_>, scope: &mut Scope) -> Result<(), String> {
        for source in &self.sources {
            if let Some(value) = self.value(source, answer, scope) {
                scope.vars.set(self.slot, &value);
                return Ok(());
            }
        }
        if self.keep {
            return Ok(());
        }
        if self.optional {
            scope.vars.set(self.slot, b"");
            return Ok(());
        }
        Err(format!("nothing to capture as {}: no {}", self.name, self.wanted()))
    }

    fn wanted(&self) -> String {
        let shown = |source: &Source| match source {
            Source::Json(path) => path.source().to_owned(),
            Source::Header(name) => format!("header {name}"),
            Source::Regex(regex) => format!("match of {regex}"),
            Source::Status => "status".to_owned(),
            Source::Body => "body".to_owned(),
        };
        self.sources.iter().map(shown).collect::<Vec<_>>().join(", ")
    }

    fn value<'a>(&self, source: &Source, answer: &Answer<'a>, scope: &Scope) -> Option<Cow<'a, [u8]>> {
        match source {
            Source::Json(path) => {
                let found = path.find(answer.json?);
                let text = |value: &'a Json| match plain_text(value) {
                    Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
                    Cow::Owned(text) => Cow::Owned(text.into_bytes()),
                };
                self.pick.one(&found, scope).filter(|value| !value.is_null()).map(|value| text(value))
            }
            Source::Header(name) => (answer.header)(name).map(Cow::Borrowed),
            Source::Regex(regex) => {
                let matches: Vec<_> = match self.pick {
                    Pick::First => regex.captures(answer.body).into_iter().collect(),
                    _ => regex.captures_iter(answer.body).collect(),
                };
                let captures = self.pick.one(&matches, scope)?;
                let group = captures.get(1).or_else(|| captures.get(0))?;
                Some(Cow::Borrowed(group.as_bytes()))
            }
            Source::Status => Some(Cow::Owned(answer.status.to_string().into_bytes())),
            Source::Body => Some(Cow::Borrowed(answer.body)),
        }
    }
}

impl Pick {
    fn one<'a, T>(self, found: &'a [T], scope: &Scope) -> Option<&'a T> {
        match self {
            Self::First => found.first(),
            Self::Last => found.last(),
            Self::Random => found.get(scope.below(found.len() as u64) as usize),
        }
    }
}

/// A path, or several of which the first that finds something counts.
fn paths(node: Node) -> Result<Vec<Source>, SuiteError> {
    let texts = match node.value {
        Value::List(list) => {
            list.into_iter().map(|node| text(node, "capture")).collect::<Result<Vec<_>, _>>()?
        }
        _ => vec![text(node, "capture")?],
    };
    texts.iter().map(|text| Path::compile(text).map(Source::Json)).collect()
}
