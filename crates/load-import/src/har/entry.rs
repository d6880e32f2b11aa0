//! What is one recorded call? Its request as it was sent, and what is needed of its answer.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use serde_json::Value;

use crate::host;
use crate::model::{Body, Content, Part, Status, Step};
use crate::recorded::{Words, is_volatile};
use crate::text;

/// Ends of paths of what a page is made of.
const ASSETS: [&str; 21] = [
    ".js", ".mjs", ".css", ".map", ".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp", ".avif", ".ico",
    ".woff", ".woff2", ".ttf", ".otf", ".eot", ".mp4", ".webm", ".mp3", ".wasm",
];

/// A call of a recording.
pub(super) struct Entry<'h> {
    /// ms since 1970.
    pub(super) began: Option<i64>,
    /// ms.
    pub(super) took: i64,
    pub(super) host: String,
    /// Path and query.
    pub(super) target: String,
    pub(super) method: String,
    pub(super) page: Option<&'h str>,
    pub(super) is_asset: bool,
    pub(super) status: u16,
    /// The answer, where it is JSON.
    pub(super) answer: Option<Value>,
    pub(super) headers: Vec<(&'h str, &'h str)>,
    pub(super) mime: &'h str,
    /// The body of the request.
    pub(super) body: &'h str,
    /// Its fields, where the recording has them apart.
    pub(super) fields: Vec<Field<'h>>,
}

/// A field of a form.
pub(super) struct Field<'h> {
    pub(super) name: &'h str,
    pub(super) value: &'h str,
    pub(super) file: Option<&'h str>,
    pub(super) mime: Option<&'h str>,
}

fn word<'h>(value: &'h Value, pointer: &str) -> &'h str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn list<'h>(value: &'h Value, pointer: &str) -> impl Iterator<Item = &'h Value> {
    value.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

impl<'h> Entry<'h> {
    /// A call that was answered; none for anything else, and for preflights, which a browser makes by itself.
    pub(super) fn read(entry: &'h Value) -> Option<Self> {
        let (host, target) = host::split(word(entry, "/request/url"))?;
        let method = word(entry, "/request/method").to_ascii_uppercase();
        let status = entry.pointer("/response/status").and_then(Value::as_u64)?;
        let status = u16::try_from(status).ok().filter(|status| (200..600).contains(status))?;
        let headers: Vec<_> = list(entry, "/request/headers")
            .map(|header| (word(header, "/name"), word(header, "/value")))
            .collect();
        let has = |wanted: &str| headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(wanted));
        let is_preflight =
            word(entry, "/_resourceType") == "preflight" || has("access-control-request-method");
        if method == "OPTIONS" && is_preflight {
            return None;
        }
        let field = |field: &'h Value| Field {
            name: word(field, "/name"),
            value: word(field, "/value"),
            file: field.get("fileName").and_then(Value::as_str),
            mime: field.get("contentType").and_then(Value::as_str),
        };
        let began = word(entry, "/startedDateTime").parse::<Timestamp>().ok().map(Timestamp::as_millisecond);
        let took = entry.get("time").and_then(Value::as_f64).unwrap_or(0.0).max(0.0) as i64;
        Some(Self {
            began,
            took,
            is_asset: is_asset(entry, &target),
            host,
            target,
            method,
            page: entry.get("pageref").and_then(Value::as_str),
            status,
            answer: answer(entry),
            headers,
            mime: word(entry, "/request/postData/mimeType"),
            body: word(entry, "/request/postData/text"),
            fields: list(entry, "/request/postData/params").map(field).collect(),
        })
    }

    /// The call as a step.
    pub(super) fn step(&self, words: &mut Words<'_>) -> Step {
        let mut step = Step::new(&self.method, &words.target(&self.target));
        for (name, value) in &self.headers {
            let is_body = name.eq_ignore_ascii_case("content-type");
            if !is_volatile(name) && !is_body && !value.is_empty() {
                let value = words.header(name, value);
                step.header(name, &value);
            }
        }
        if self.mime.starts_with("multipart/form-data") && !self.fields.is_empty() {
            step.body = Body::Multipart(self.fields.iter().map(|field| part(field, words)).collect());
        } else if self.body.is_empty() && !self.fields.is_empty() {
            let decoded = |field: &Field<'_>| (text::decoded(field.name), text::decoded(field.value));
            words.form(&mut step, self.fields.iter().map(decoded).collect());
        } else {
            words.body(&mut step, self.mime, self.body);
        }
        // What a cache had is sent to somebody who has none.
        let status = if self.status == 304 { 200 } else { self.status };
        step.expect.statuses = vec![Status::One(status)];
        step
    }
}

fn part(field: &Field<'_>, words: &mut Words<'_>) -> Part {
    let name = text::literal(field.name);
    let content = match field.file {
        Some(file) => Content::File(file.to_owned()),
        None => Content::Text(words.value(field.name, field.value)),
    };
    let mime = field.mime.filter(|_| field.file.is_some()).map(str::to_owned);
    Part { name, content, mime }
}

/// Whether it is something that a page is made of.
fn is_asset(entry: &Value, target: &str) -> bool {
    let kind = word(entry, "/_resourceType");
    if !kind.is_empty() {
        return matches!(
            kind,
            "image" | "stylesheet" | "script" | "font" | "media" | "manifest" | "texttrack"
        );
    }
    let mime = word(entry, "/response/content/mimeType").to_ascii_lowercase();
    let begins =
        ["image/", "font/", "audio/", "video/", "text/css", "text/javascript", "application/javascript"];
    let path = text::split_query(target).0.to_ascii_lowercase();
    begins.iter().any(|start| mime.starts_with(start)) || ASSETS.iter().any(|end| path.ends_with(end))
}

/// The body of the answer, where it is JSON.
fn answer(entry: &Value) -> Option<Value> {
    let content = entry.pointer("/response/content")?;
    if !word(content, "/mimeType").contains("json") {
        return None;
    }
    let text = word(content, "/text");
    if word(content, "/encoding") == "base64" {
        return serde_json::from_slice(&BASE64_STANDARD.decode(text).ok()?).ok();
    }
    serde_json::from_str(text).ok()
}
