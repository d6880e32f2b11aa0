//! What is one operation? A request with values, and the answers that are good.

use serde_json::Value;

use crate::ImportError;
use crate::json::Json;
use crate::model::{Body, Content, Part, Status, Step, Task};
use crate::secret::Secrets;
use crate::text;

use super::document::Document;
use super::parameter::{Parameters, plain, shown};
use super::schema::Sampler;
use super::security;

/// An operation, and where it stands.
pub(super) struct Operation<'d> {
    pub(super) document: &'d Document,
    pub(super) path: &'d str,
    /// What is said of the path.
    pub(super) item: &'d Value,
    pub(super) method: &'d str,
    pub(super) said: &'d Value,
    pub(super) place: String,
}

impl Operation<'_> {
    /// A task of one step. Its name need not be unique yet.
    pub(super) fn task(&self, secrets: &mut Secrets) -> Result<Task, ImportError> {
        let sampler = Sampler::new(self.document, &self.place);
        let mut parameters = Parameters::read(self.document, self.item, self.said, &sampler, &self.place)?;
        let asking = security::of(self.document, self.said, secrets, &self.place)?;
        parameters.query.extend(asking.query);
        parameters.cookies.extend(asking.cookies);
        let mut notes = asking.notes;
        let target = self.target(&parameters, &mut notes);
        let method = self.method.to_ascii_uppercase();
        let mut step = Step::new(&method, &target);
        for (name, value) in asking.headers.iter().chain(&parameters.headers) {
            step.header(name, value);
        }
        if !parameters.cookies.is_empty() {
            step.header("Cookie", &parameters.cookies.join("; "));
        }
        self.add_body(&mut step, &sampler, &mut notes)?;
        step.expect.statuses = statuses(self.said);
        let patterns = sampler.patterns();
        notes.extend(patterns.iter().map(|pattern| format!("A text in here must match {pattern}.")));
        if let Some(server) = self.said.get("servers").or_else(|| self.item.get("servers")) {
            notes.push(format!("It is described at another server: {server}."));
        }
        step.notes = notes;
        let id = self.said.get("operationId").and_then(Value::as_str).map(clean).filter(|id| !id.is_empty());
        let name = id.unwrap_or_else(|| clean(&format!("{method} {}", self.path)));
        Ok(Task { name, tags: self.tags(), steps: vec![step], ..Task::default() })
    }

    fn tags(&self) -> Vec<String> {
        let mut tags = Vec::new();
        for tag in
            self.said.get("tags").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
        {
            let tag = clean(tag);
            if !tags.contains(&tag) {
                tags.push(tag);
            }
        }
        if self.said.get("deprecated").is_some_and(|deprecated| deprecated == true) {
            tags.push("deprecated".to_owned());
        }
        tags
    }

    /// Path and query with their values.
    fn target(&self, parameters: &Parameters, notes: &mut Vec<String>) -> String {
        let mut target = String::new();
        let mut rest = self.path;
        if !rest.starts_with('/') {
            target.push('/');
        }
        while let Some((before, name, after)) = split_braces(rest) {
            target += &text::target(before);
            if let Some((_, value)) = parameters.path.iter().find(|(known, _)| known == name) {
                target += value;
            } else {
                notes.push(format!("Nothing describes {{{name}}} of the path."));
                target += "{{int(1, 100)}}";
            }
            rest = after;
        }
        target += &text::target(rest);
        for (at, (name, value)) in parameters.query.iter().enumerate() {
            target.push(if at == 0 && !target.contains('?') { '?' } else { '&' });
            target.push_str(name);
            target.push('=');
            target.push_str(value);
        }
        target
    }

    fn add_body(
        &self,
        step: &mut Step,
        sampler: &Sampler<'_>,
        notes: &mut Vec<String>,
    ) -> Result<(), ImportError> {
        let Some(body) = self.said.get("requestBody") else { return Ok(()) };
        let body = self.document.resolve(body, &self.place)?;
        let Some(content) = body.get("content").and_then(Value::as_object) else { return Ok(()) };
        // What can be said best, first.
        let rank = |mime: &str| match mime {
            "application/json" => 0,
            mime if is_json(mime) => 1,
            "application/x-www-form-urlencoded" => 2,
            "multipart/form-data" => 3,
            mime if mime.starts_with("text/") => 4,
            _ => 5,
        };
        let Some((mime, said)) = content.iter().min_by_key(|(mime, _)| rank(mime)) else { return Ok(()) };
        let shown = shown(self.document, said, &self.place)?;
        let schema = said.get("schema");
        let value = match (shown, schema) {
            (Some(shown), _) => Json::literal(shown),
            (None, Some(schema)) => sampler.value(schema)?,
            (None, None) => Json::Null,
        };
        match (rank(mime), value) {
            (0, value) => step.body = Body::Json(value),
            (1, value) => {
                step.header("Content-Type", &text::literal(mime));
                step.body = Body::Json(value);
            }
            (2, Json::Table(fields)) => {
                step.body =
                    Body::Form(fields.iter().map(|(name, value)| (name.clone(), plain(value))).collect());
            }
            (3, Json::Table(fields)) => {
                notes.push("A part that is a file is written as NAME = \"@PATH\".".to_owned());
                let part = |(name, value): (String, Json)| Part {
                    name,
                    content: Content::Text(plain(&value)),
                    mime: None,
                };
                step.body = Body::Multipart(fields.into_iter().map(part).collect());
            }
            (_, value) => {
                step.header("Content-Type", &text::literal(mime));
                step.body = Body::Text(plain(&value));
            }
        }
        Ok(())
    }
}

/// The text before the next `{name}`, the name, and what follows.
fn split_braces(path: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = path.split_once('{')?;
    let (name, after) = rest.split_once('}')?;
    Some((before, name, after))
}

/// Whether it is JSON under another name: `application/problem+json`.
fn is_json(mime: &str) -> bool {
    let mime = mime.split(';').next().unwrap_or_default().trim();
    mime == "application/json" || mime.ends_with("+json")
}

/// The described statuses of good answers.
fn statuses(operation: &Value) -> Vec<Status> {
    let responses = operation.get("responses").and_then(Value::as_object);
    let read = |code: &String| match code.as_bytes() {
        [digit @ b'1'..=b'3', b'x' | b'X', b'x' | b'X'] => Some(Status::Class(u16::from(digit - b'0'))),
        _ => code.parse().ok().filter(|code| (200..400).contains(code)).map(Status::One),
    };
    let mut statuses: Vec<_> =
        responses.into_iter().flat_map(|responses| responses.keys()).filter_map(read).collect();
    statuses.sort_unstable();
    statuses.dedup();
    statuses
}

/// One line without spaces at its ends.
fn clean(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
