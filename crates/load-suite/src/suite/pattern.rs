//! Was the answer right, and what is to be kept of it? Tests and captures, compiled before the run.

use std::borrow::Cow;
use std::time::Duration;

use regex::bytes::Regex;
use serde_json::Value as Json;
use serde_json_path::JsonPath;

use crate::fields::{At, Fields, text};
use crate::node::{Node, SuiteError, Value};
use crate::scope::Scope;
use crate::template::{Escape, Names, Template};

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

/// A path into JSON (RFC 9535). A plain one is followed without the machinery of a general one.
#[derive(Clone, Debug)]
pub struct Path {
    source: String,
    form: Form,
}

#[derive(Clone, Debug)]
enum Form {
    Plain(Vec<Piece>),
    General(JsonPath),
}

#[derive(Clone, Debug)]
enum Piece {
    Key(String),
    Index(usize),
}

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

impl Path {
    /// Compiles a path.
    ///
    /// # Errors
    /// It is none.
    pub fn compile(source: &At<String>) -> Result<Self, SuiteError> {
        let form = match plain(&source.value) {
            Some(pieces) => Form::Plain(pieces),
            None => Form::General(JsonPath::parse(&source.value).map_err(|error| {
                source.wrong(format!("{:?} is no JSONPath like $.items[0].id: {error}", source.value))
            })?),
        };
        Ok(Self { source: source.value.clone(), form })
    }

    /// As written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Every value that it finds.
    pub fn find<'v>(&self, json: &'v Json) -> Vec<&'v Json> {
        match &self.form {
            Form::Plain(pieces) => {
                let step = |at: &'v Json, piece: &Piece| match piece {
                    Piece::Key(key) => at.get(key),
                    Piece::Index(index) => at.get(index),
                };
                pieces.iter().try_fold(json, step).into_iter().collect()
            }
            Form::General(path) => path.query(json).all(),
        }
    }
}

/// The pieces of a path like `$.a.b[0]`; none when it is more than that.
fn plain(source: &str) -> Option<Vec<Piece>> {
    let (mut pieces, mut rest) = (Vec::new(), source.strip_prefix('$')?);
    while !rest.is_empty() {
        if let Some(name) = rest.strip_prefix('.') {
            let end = name.find(['.', '[']).unwrap_or(name.len());
            let key = &name[..end];
            let is_plain = key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            pieces.push(Piece::Key(is_plain.then(|| key.to_owned())?));
            rest = &name[end..];
        } else {
            let (index, after) = rest.strip_prefix('[')?.split_once(']')?;
            let is_plain = !index.is_empty() && index.bytes().all(|b| b.is_ascii_digit());
            pieces.push(Piece::Index(is_plain.then(|| index.parse().ok())??));
            rest = after;
        }
    }
    Some(pieces)
}

impl Tests {
    /// Takes `text`, `not_text`, `json`, `time` and `size`.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub fn read(fields: &mut Fields, names: &Names) -> Result<Self, SuiteError> {
        let mut json = Vec::new();
        if let Some(mut table) = fields.table("json")? {
            for (path, node) in table.entries() {
                let path = Path::compile(&At { place: node.place.clone(), value: path })?;
                json.push((path, tests(node, names)?));
            }
        }
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
                test.judge(&found, scope).map_err(|why| format!("{}: {why}", path.source))?;
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

fn regex(pattern: &At<String>) -> Result<Regex, SuiteError> {
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

/// A text without its quotes, everything else as JSON.
fn plain_text(value: &Json) -> Cow<'_, str> {
    match value {
        Json::String(text) => Cow::Borrowed(text),
        other => Cow::Owned(other.to_string()),
    }
}

/// The beginning of a value, for people.
fn shown(value: &Json) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
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
            return Ok(Self { name, slot, sources, pick: Pick::First, optional: false });
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
        let optional = fields.flag("optional")?;
        if sources.is_empty() {
            return Err(fields.wrong("a capture from nowhere; expected json, header, regex or from"));
        }
        fields.finish("a capture")?;
        Ok(Self { name, slot, sources, pick, optional })
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
        if self.optional {
            scope.vars.set(self.slot, b"");
            return Ok(());
        }
        Err(format!("nothing to capture as {}: no {}", self.name, self.wanted()))
    }

    fn wanted(&self) -> String {
        let shown = |source: &Source| match source {
            Source::Json(path) => path.source.clone(),
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
