//! Was the answer right? Tests of an answer, compiled before the run.

use std::time::Duration;

use regex::bytes::Regex;
use serde_json::Value as Json;

use crate::fields::{At, Fields};
use crate::node::{Node, SuiteError, Value};
use crate::scope::Scope;
use crate::template::{Escape, Names, Template};

use super::path::{Path, plain_text};

/// An answer, as tests and captures see it.
pub struct Answer<'a> {
    /// The protocol's status.
    pub status: u32,
    /// Finds a header by its lower-case name.
    pub header: &'a dyn Fn(&str) -> Option<&'a [u8]>,
    /// The body.
    pub body: &'a [u8],
    /// The body as JSON, when it is.
    pub json: Option<&'a Json>,
}

/// What a good answer is, besides what only the protocol knows.
#[derive(Clone, Debug, Default)]
pub struct Tests {
    /// Texts that the body contains.
    pub texts: Vec<Template>,
    /// Texts that it does not contain.
    pub not_texts: Vec<Template>,
    /// Values at paths of a JSON body.
    pub json: Vec<(Path, Vec<Test>)>,
    /// Service time at most.
    pub time: Option<Duration>,
    /// Bytes of the body at most.
    pub size: Option<u64>,
}

/// One test of a value.
#[derive(Clone, Debug)]
pub enum Test {
    /// It is equal.
    Equals(Json),
    /// It is a text, or its JSON is, that equals what is rendered.
    Renders(Template),
    /// It is there, or it is not.
    Exists(bool),
    /// It is of this type.
    Is(&'static str),
    /// A number of at least.
    Min(f64),
    /// A number of at most.
    Max(f64),
    /// A text, list or table of at least so many.
    Length(u64),
    /// A text that matches.
    Matches(Regex),
    /// One of them is equal.
    OneOf(Vec<Json>),
}

impl Tests {
    /// Takes `text`, `not_text`, `json`, `time` and `size`.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub fn read(fields: &mut Fields, names: &Names) -> Result<Self, SuiteError> {
        let json = values(fields, names)?;
        let compiled = |texts: Vec<At<String>>| {
            texts.iter().map(|text| compile(text, names, Escape::Raw)).collect::<Result<Vec<_>, _>>()
        };
        Ok(Self {
            texts: compiled(fields.texts("text")?)?,
            not_texts: compiled(fields.texts("not_text")?)?,
            json,
            time: fields.duration("time")?.map(|at| at.value),
            size: fields.count("size", 0)?,
        })
    }

    /// Whether they look at the body.
    pub fn need_body(&self) -> bool {
        !self.texts.is_empty() || !self.not_texts.is_empty() || self.need_json()
    }

    /// Whether they need the body as JSON.
    pub fn need_json(&self) -> bool {
        !self.json.is_empty()
    }

    /// Whether the answer is right; `time` it took.
    ///
    /// # Errors
    /// The first thing that is not.
    pub fn judge(&self, answer: &Answer<'_>, time: Duration, scope: &Scope) -> Result<(), String> {
        if let Some(most) = self.time
            && time > most
        {
            return Err(format!("it took {:.1} ms, expected at most {most:?}", time.as_secs_f64() * 1e3));
        }
        if let Some(most) = self.size
            && answer.body.len() as u64 > most
        {
            return Err(format!("the body has {} bytes, expected at most {most}", answer.body.len()));
        }
        let mut wanted = Vec::new();
        for (texts, there) in [(&self.texts, true), (&self.not_texts, false)] {
            for text in texts {
                wanted.clear();
                text.render(scope, &mut wanted);
                if memchr::memmem::find(answer.body, &wanted).is_some() != there {
                    let lacks = if there { "lacks" } else { "has" };
                    return Err(format!("the body {lacks} {:?}", text.source()));
                }
            }
        }
        if self.json.is_empty() {
            return Ok(());
        }
        let json = answer.json.ok_or("the body is no JSON")?;
        for (path, tests) in &self.json {
            let found = path.find(json);
            for test in tests {
                test.judge(&found, scope).map_err(|why| format!("{}: {why}", path.source()))?;
            }
        }
        Ok(())
    }
}

/// `text` as a template.
///
/// # Errors
/// An unknown `{{...}}`.
pub fn compile(text: &At<String>, names: &Names, escape: Escape) -> Result<Template, SuiteError> {
    Template::compile(&text.value, names, escape)
        .map_err(|error| text.wrong(format!("{:?}: {error}", text.value)))
}

/// Takes `json`: what the values at paths have to be.
pub(super) fn values(fields: &mut Fields, names: &Names) -> Result<Vec<(Path, Vec<Test>)>, SuiteError> {
    let entries = fields.table("json")?.map_or_else(Vec::new, |mut table| table.entries());
    let value = |(path, node): (String, Node)| {
        let path = Path::compile(&At { place: node.place.clone(), value: path })?;
        Ok((path, tests(node, names)?))
    };
    entries.into_iter().map(value).collect()
}

/// Types of JSON, as tests call them.
const TYPES: [&str; 6] = ["string", "number", "boolean", "array", "object", "null"];

fn tests(node: Node, names: &Names) -> Result<Vec<Test>, SuiteError> {
    match &node.value {
        Value::Text(written) if written.contains("{{") => {
            let written = At { place: node.place.clone(), value: written.clone() };
            Ok(vec![Test::Renders(compile(&written, names, Escape::Raw)?)])
        }
        Value::Table(_) => tests_of(Fields::of(node, "a test")?),
        _ => Ok(vec![Test::Equals(node.to_json())]),
    }
}

fn tests_of(mut fields: Fields) -> Result<Vec<Test>, SuiteError> {
    let mut tests = Vec::new();
    if fields.has("exists") {
        tests.push(Test::Exists(fields.flag("exists")?));
    }
    if let Some(kind) = fields.word("type", &TYPES.map(|name| (name, name)))? {
        tests.push(Test::Is(kind));
    }
    for (key, test) in [("min", Test::Min as fn(f64) -> Test), ("max", Test::Max)] {
        if let Some(number) = fields.text(key)? {
            let parsed =
                number.value.parse().map_err(|_| number.wrong(format!("{key}: expected a number")))?;
            tests.push(test(parsed));
        }
    }
    if let Some(length) = fields.count("length", 0)? {
        tests.push(Test::Length(length));
    }
    if let Some(pattern) = fields.text("matches")? {
        tests.push(Test::Matches(regex(&pattern)?));
    }
    if let Some(node) = fields.node("one_of") {
        let Value::List(list) = &node.value else {
            return Err(SuiteError::at(&node.place, "one_of: expected a list of values"));
        };
        tests.push(Test::OneOf(list.iter().map(Node::to_json).collect()));
    }
    if tests.is_empty() {
        return Err(fields
            .wrong("a test that tests nothing; expected exists, type, min, max, length, matches or one_of"));
    }
    fields.finish("a test")?;
    Ok(tests)
}

pub(super) fn regex(pattern: &At<String>) -> Result<Regex, SuiteError> {
    Regex::new(&pattern.value).map_err(|error| {
        let why = error.to_string();
        pattern.wrong(format!(
            "{:?} is no regular expression: {}",
            pattern.value,
            why.lines().last().unwrap_or_default()
        ))
    })
}

impl Test {
    /// Whether what was found at a path is right, for a test that inserts nothing.
    pub fn holds(&self, found: &[&Json]) -> bool {
        self.judge(found, &Scope::default()).is_ok()
    }

    fn judge(&self, found: &[&Json], scope: &Scope) -> Result<(), String> {
        if let Self::Exists(wanted) = self {
            return match (wanted, found.first()) {
                (true, None) => Err("is missing".to_owned()),
                (false, Some(value)) => Err(format!("is {}, expected nothing", shown(value))),
                _ => Ok(()),
            };
        }
        let value = found.first().ok_or("is missing")?;
        let is = |right: bool, expected: &dyn std::fmt::Display| {
            if right { Ok(()) } else { Err(format!("is {}, expected {expected}", shown(value))) }
        };
        match self {
            Self::Equals(wanted) => is(equal(value, wanted), wanted),
            Self::Renders(template) => {
                let mut wanted = Vec::new();
                template.render(scope, &mut wanted);
                is(plain_text(value).as_bytes() == wanted, &String::from_utf8_lossy(&wanted))
            }
            Self::Exists(_) => Ok(()),
            Self::Is(kind) => is(type_of(value) == *kind, kind),
            Self::Min(least) => {
                is(value.as_f64().is_some_and(|n| n >= *least), &format_args!("at least {least}"))
            }
            Self::Max(most) => {
                is(value.as_f64().is_some_and(|n| n <= *most), &format_args!("at most {most}"))
            }
            Self::Length(least) => {
                is(length(value).is_some_and(|n| n >= *least), &format_args!("a length of at least {least}"))
            }
            Self::Matches(regex) => is(regex.is_match(plain_text(value).as_bytes()), regex),
            Self::OneOf(values) => is(
                values.iter().any(|wanted| equal(value, wanted)),
                &format_args!("one of {}", Json::from(values.clone())),
            ),
        }
    }
}

/// Numbers are equal by value: 1 and 1.0 are.
fn equal(value: &Json, wanted: &Json) -> bool {
    match (value.as_f64(), wanted.as_f64()) {
        (Some(value), Some(wanted)) => value.total_cmp(&wanted).is_eq(),
        _ => value == wanted,
    }
}

fn type_of(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "boolean",
        Json::Number(_) => "number",
        Json::String(_) => "string",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
    }
}

fn length(value: &Json) -> Option<u64> {
    let length = match value {
        Json::String(text) => text.chars().count(),
        Json::Array(list) => list.len(),
        Json::Object(table) => table.len(),
        _ => return None,
    };
    Some(length as u64)
}

/// The beginning of a value, for people.
fn shown(value: &Json) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}
