//! What can an import say? The part of a suite that the four kinds need.

use std::collections::BTreeSet;

use crate::json::Json;
use crate::text;

/// A suite with one class of users.
#[derive(Debug, Default)]
pub(crate) struct Suite {
    /// What it was made of, in words.
    pub(crate) origin: String,
    /// What a reader should know: comments at the top.
    pub(crate) notes: Vec<String>,
    /// Environment variables that the suite may use, with what they hold.
    pub(crate) secrets: Vec<(String, String)>,
    /// Values for `{{name}}`.
    pub(crate) vars: Vec<(String, String)>,
    /// Names and URLs, the default first.
    pub(crate) environments: Vec<(String, String)>,
    /// Headers of every call.
    pub(crate) headers: Vec<(String, String)>,
    /// Pause after each iteration.
    pub(crate) think: Option<&'static str>,
    /// An iteration is all tasks in their order.
    pub(crate) in_order: bool,
    /// What a user does.
    pub(crate) tasks: Vec<Task>,
}

/// A thing that a user does.
#[derive(Debug, Default)]
pub(crate) struct Task {
    /// Unique.
    pub(crate) name: String,
    /// For `--tags`.
    pub(crate) tags: Vec<String>,
    /// It is done only where this holds.
    pub(crate) condition: Option<&'static str>,
    /// At least one.
    pub(crate) steps: Vec<Step>,
}

/// One call. All texts are templates.
#[derive(Debug, Default)]
pub(crate) struct Step {
    /// What a reader should know: comments above it.
    pub(crate) notes: Vec<String>,
    /// Method and target.
    pub(crate) request: String,
    /// In their order; a name is there once, whatever its case.
    pub(crate) headers: Vec<(String, String)>,
    /// What is sent.
    pub(crate) body: Body,
    /// What a good answer is.
    pub(crate) expect: Expect,
    /// Names, and paths of values in the answer.
    pub(crate) captures: Vec<(String, String)>,
    /// Pause after it.
    pub(crate) think: Option<String>,
    /// Longest time.
    pub(crate) timeout: Option<String>,
}

/// What is sent.
#[derive(Debug, Default)]
pub(crate) enum Body {
    /// Nothing.
    #[default]
    None,
    /// A text.
    Text(String),
    /// The content of a file.
    File(String),
    /// A value.
    Json(Json),
    /// Fields of a form.
    Form(Vec<(String, String)>),
    /// Parts.
    Multipart(Vec<Part>),
}

/// A part of a body.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) content: Content,
    pub(crate) mime: Option<String>,
}

/// Where a part comes from.
#[derive(Debug)]
pub(crate) enum Content {
    Text(String),
    File(String),
}

/// What a good answer is; nothing said is nothing asked.
#[derive(Debug, Default)]
pub(crate) struct Expect {
    /// Any of these.
    pub(crate) statuses: Vec<Status>,
    /// Texts in the body.
    pub(crate) texts: Vec<String>,
    /// Headers with their values; an empty one is there.
    pub(crate) headers: Vec<(String, String)>,
    /// Paths and what is there.
    pub(crate) json: Vec<(String, Json)>,
    /// Service time at most.
    pub(crate) time: Option<String>,
}

/// Statuses of a good answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Status {
    One(u16),
    /// All with this first digit.
    Class(u16),
}

impl Step {
    /// A call of `method` on `target`, which are checked and encoded.
    pub(crate) fn new(method: &str, target: &str) -> Self {
        Self { request: format!("{method} {target}"), ..Self::default() }
    }

    /// Adds a header, or replaces the one of that name. What cannot be a header is left out.
    pub(crate) fn header(&mut self, name: &str, value: &str) {
        let name = name.trim();
        if !is_token(name) {
            return;
        }
        let value: String = value.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        match self.headers.iter_mut().find(|(other, _)| other.eq_ignore_ascii_case(name)) {
            Some(found) => found.1 = value,
            None => self.headers.push((name.to_owned(), value)),
        }
    }

    /// Sets a header that is not there yet.
    pub(crate) fn default_header(&mut self, name: &str, value: &str) {
        if !self.headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(name)) {
            self.header(name, value);
        }
    }

    /// Sends a form. A table holds a name once; with one that repeats it is sent as its text.
    pub(crate) fn set_form(&mut self, fields: Vec<(String, String)>) {
        let names: BTreeSet<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
        if names.len() == fields.len() {
            self.body = Body::Form(fields);
            return;
        }
        let encode = |template: &str| text::encoded(template, text::component);
        let pairs: Vec<_> =
            fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
        self.body = Body::Text(pairs.join("&"));
        self.header("Content-Type", "application/x-www-form-urlencoded");
    }

    /// Takes a header away.
    pub(crate) fn take_header(&mut self, name: &str) -> Option<String> {
        let at = self.headers.iter().position(|(other, _)| other.eq_ignore_ascii_case(name))?;
        Some(self.headers.remove(at).1)
    }
}

impl Suite {
    /// Makes headers that every step has with the same value those of the suite.
    pub(crate) fn gather_headers(&mut self) {
        let mut steps = self.tasks.iter().flat_map(|task| &task.steps);
        let Some(first) = steps.next() else { return };
        let mut common = first.headers.clone();
        let mut others = 0;
        for step in steps {
            others += 1;
            common.retain(|header| step.headers.contains(header));
        }
        // One step has nothing in common with others, and a body's type is its own.
        common.retain(|(name, _)| others > 0 && !name.eq_ignore_ascii_case("content-type"));
        let taken: BTreeSet<&str> = common.iter().map(|(name, _)| name.as_str()).collect();
        for step in self.tasks.iter_mut().flat_map(|task| &mut task.steps) {
            step.headers.retain(|(name, _)| !taken.contains(name.as_str()));
        }
        self.headers = common;
    }
}

/// Whether `name` can be a method or the name of a header (RFC 9110, section 5.6.2).
pub(crate) fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}
