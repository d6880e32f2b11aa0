//! How does a request that was sent become a step? What was captured or is secret is not written as it was.

use std::collections::HashMap;

use serde_json::Value;

use crate::json::Json;
use crate::model::{Body, Step};
use crate::secret::{Secrets, is_secret};
use crate::text;

/// Headers of the client, its connection and its caches; and those that a step says in other words.
const VOLATILE: [&str; 28] = [
    "host",
    "connection",
    "content-length",
    "transfer-encoding",
    "te",
    "keep-alive",
    "upgrade",
    "expect",
    "accept-encoding",
    "cookie",
    "cookie2",
    "referer",
    "origin",
    "priority",
    "dnt",
    "pragma",
    "cache-control",
    "upgrade-insecure-requests",
    "if-none-match",
    "if-modified-since",
    "traceparent",
    "tracestate",
    "x-request-id",
    "x-correlation-id",
    "x-amzn-trace-id",
    "save-data",
    "proxy-connection",
    "newrelic",
];

/// Whether a recorded header says nothing about the API.
pub(crate) fn is_volatile(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let begins = [":", "sec-", "x-b3-", "x-datadog-", "if-"].iter().any(|start| name.starts_with(start));
    begins || VOLATILE.contains(&name.as_str())
}

/// How recorded values are written.
pub(crate) struct Words<'s> {
    /// What must not be written; it grows with what is found.
    pub(crate) secrets: &'s mut Secrets,
    /// Values of answers.
    pub(crate) captured: &'s Captured,
    /// The place of the call among the others: what was answered before it is known.
    pub(crate) at: usize,
}

/// Values of answers, with the place of the call that was answered and the variable that holds the value.
pub(crate) type Captured = HashMap<String, (usize, String)>;

impl Words<'_> {
    fn captured(&self, value: &str) -> Option<&str> {
        self.captured.get(value).filter(|(from, _)| *from < self.at).map(|(_, name)| name.as_str())
    }

    /// A value of that name as a template; none when it can be written as it is.
    fn hidden(&mut self, name: &str, value: &str) -> Option<String> {
        if let Some(captured) = self.captured(value) {
            return Some(format!("{{{{{captured}}}}}"));
        }
        let is_hidden = !value.is_empty() && is_secret(name);
        is_hidden
            .then(|| format!("{{{{env.{}}}}}", self.secrets.hide(value, name, &format!("value of {name}"))))
    }

    /// A value of that name as a template.
    pub(crate) fn value(&mut self, name: &str, value: &str) -> String {
        self.hidden(name, value).unwrap_or_else(|| self.secrets.literal(value))
    }

    /// A header's value as a template.
    pub(crate) fn header(&mut self, name: &str, value: &str) -> String {
        if let Some((scheme, token)) = value.split_once(' ')
            && let Some(captured) = self.captured(token)
        {
            return format!("{} {{{{{captured}}}}}", text::literal(scheme));
        }
        match self.captured(value) {
            Some(captured) => format!("{{{{{captured}}}}}"),
            None if is_secret(name) => self.secrets.header(name, value),
            None => self.secrets.literal(value),
        }
    }

    /// A path with its query as a template.
    pub(crate) fn target(&mut self, target: &str) -> String {
        let (path, query) = text::split_query(target);
        let segments: Vec<_> = path.split('/').map(|segment| self.piece("", segment)).collect();
        let mut out = segments.join("/");
        let pairs = query.map(|query| {
            query.split('&').map(|pair| match pair.split_once('=') {
                Some((name, value)) => format!("{}={}", text::target(name), self.piece(name, value)),
                None => self.piece("", pair),
            })
        });
        if let Some(pairs) = pairs {
            out.push('?');
            out += &pairs.collect::<Vec<_>>().join("&");
        }
        out
    }

    /// A piece of a path or query.
    fn piece(&mut self, name: &str, encoded: &str) -> String {
        let decoded = text::decoded(encoded);
        match self.hidden(name, &decoded) {
            Some(hidden) => hidden,
            None => self.secrets.literal(&text::target(encoded)),
        }
    }

    /// A value in a body.
    pub(crate) fn json(&mut self, name: &str, value: &Value) -> Json {
        match value {
            Value::String(text) => Json::Text(self.value(name, text)),
            Value::Number(number) => match self.captured(&number.to_string()) {
                Some(captured) => Json::Raw(format!("{{{{{captured}}}}}")),
                None => Json::literal(value),
            },
            Value::Array(list) => Json::List(list.iter().map(|item| self.json(name, item)).collect()),
            Value::Object(map) => Json::Table(
                map.iter().map(|(key, value)| (text::literal(key), self.json(key, value))).collect(),
            ),
            Value::Null | Value::Bool(_) => Json::literal(value),
        }
    }

    /// Gives `step` a body of the type `mime`, and the header that says so where the body itself does not.
    pub(crate) fn body(&mut self, step: &mut Step, mime: &str, body: &str) {
        if body.is_empty() {
            return;
        }
        let essence = mime.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let is_json = essence == "application/json" || essence.ends_with("+json");
        if is_json && let Ok(value) = serde_json::from_str::<Value>(body) {
            step.body = Body::Json(self.json("", &value));
            step.take_header("content-type");
            if essence != "application/json" {
                step.header("Content-Type", &text::literal(mime));
            }
            return;
        }
        if essence == "application/x-www-form-urlencoded" && body.split('&').all(|pair| pair.contains('=')) {
            step.take_header("content-type");
            return self.form(step, text::pairs(body));
        }
        step.body = Body::Text(self.secrets.literal(body));
        if !mime.is_empty() {
            step.header("Content-Type", &text::literal(mime));
        }
    }

    /// Gives `step` a form.
    pub(crate) fn form(&mut self, step: &mut Step, fields: Vec<(String, String)>) {
        let fields = fields.into_iter().map(|(name, value)| {
            let value = self.value(&name, &value);
            (text::literal(&name), value)
        });
        step.set_form(fields.collect());
    }
}
