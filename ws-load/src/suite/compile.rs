//! How does a step of a suite become a call? What it sends compiled, with what is asked of the answer.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use load_core::compile::{Compiler, Made};
use load_core::error::UsageError;
use load_core::protocol::Script;
use load_net::http::{Body, Parts, Request};
use load_net::redact;
use load_net::url::{Schemes, Url};
use load_suite::fields::{At, Fields};
use load_suite::node::{Node, SuiteError, Value};
use load_suite::suite::{self, Suite as Written, Tests, compile, json, texts};
use load_suite::template::{Escape, Names, Template};

use super::connect::{self, Base};
use super::request::Place;
use super::rules::Rules;
use super::series::{self, Counters};
use super::step::{Act, Asked, Known, Like};
use super::{Class, Suite, pushes};
use crate::protocol::Step;
use crate::stamp;

/// What steps do, by the key that says it.
const VERBS: [&str; 7] = ["send", "send_base64", "ping", "receive", "connect", "close", "request"];
/// Codes that a client may give (RFC 6455, section 7.4).
const CODES: std::ops::RangeInclusive<u64> = 1000..=4999;
/// Codes that stand for something that is never sent.
const RESERVED: [u64; 4] = [1004, 1005, 1006, 1015];

/// Compiles `written`; messages say when they were sent in these `fields`, unless a class says otherwise.
///
/// # Errors
/// The first mistake, with its place.
pub fn compiled(
    written: &Written,
    mut base: Base<'_>,
    fields: &stamp::Fields,
) -> Result<(Script<Step>, Suite), UsageError> {
    let wrong = |error: SuiteError| UsageError::new(error.to_string());
    let mut calls = Calls { timeout: None, counters: Counters::new(), servers: Vec::new() };
    calls.defaults(written, &mut base).map_err(wrong)?;
    let mut plans = series::plans();
    let types = written.users.iter().map(|class| pushes::types(class.pushes.as_ref(), &mut plans.counters));
    let types = types.collect::<Result<Vec<_>, _>>().map_err(wrong)?;
    let compiler = Compiler::new(&written.measures, None, plans).holding();
    let mut classes = Vec::new();
    for (class, types) in written.users.iter().zip(types) {
        connect::check(class).map_err(wrong)?;
        let connect = base.class(class).map_err(wrong)?;
        let pushes = pushes::read(class.pushes.as_ref(), types, fields, &written.names, &compiler);
        classes.push(Class { connect, pushes: pushes.map_err(wrong)? });
    }
    let compiled = compiler.run(written, |compiler, step, names| calls.call(&base, compiler, step, names));
    let (script, from) = compiled.map_err(wrong)?;
    Ok((script, Suite { classes, from, servers: calls.servers, tls: None }))
}

struct Calls {
    timeout: Option<Duration>,
    counters: Counters,
    /// Who is asked over HTTP.
    servers: Vec<Url>,
}

impl Calls {
    fn defaults(&mut self, written: &Written, base: &mut Base<'_>) -> Result<(), SuiteError> {
        let Some(mut defaults) = written.defaults.clone() else { return Ok(()) };
        if let Some(mut table) = defaults.table("headers")? {
            base.suite_headers.extend(texts(&mut table)?);
        }
        self.timeout = defaults.duration("timeout")?.map(|at| at.value);
        defaults.finish("[defaults]")
    }

    fn call(
        &mut self,
        base: &Base<'_>,
        compiler: &Compiler,
        step: &suite::Step,
        names: &Names,
    ) -> Result<Made<Step>, SuiteError> {
        let mut fields = step.request.clone();
        let said: Vec<_> = VERBS.into_iter().filter(|verb| fields.has(verb)).collect();
        let verb = match said[..] {
            [verb] => verb,
            [one, other, ..] => return Err(fields.wrong(format!("{one} and {other} in one step"))),
            [] => {
                return Err(fields.wrong(format!(
                    "a step that does nothing; expected one of {}, or hold",
                    VERBS.join(", ")
                )));
            }
        };
        let (name, act) = self.act(verb, base, &mut fields, step, names)?;
        fields.finish(&format!("a step with {verb}"))?;
        let mut rules = Rules { counters: self.counters, feeds: compiler.feeds(step), ..Rules::default() };
        if let Some(mut expect) = step.expect.clone() {
            if let Act::Request(..) = act {
                rules.statuses = statuses(&mut expect)?;
            }
            rules.good = Like::read(expect, names, "expect")?;
            rules.expects = true;
        }
        rules.until =
            step.poll.as_ref().map(|poll| Like::read(poll.until.clone(), names, "until")).transpose()?;
        rules.captures.clone_from(&step.captures);
        fits(&act, verb, step, &rules)?;
        let needed: Vec<_> = slots(&act);
        let needs = names.variables().filter(|(_, slot)| needed.contains(slot));
        let needs = needs.map(|(name, slot)| (slot, name.to_owned())).collect();
        let asked = Asked { act, rules, needs };
        Ok(Made { name, step: Step::Asked(asked.into()), timeout: self.timeout })
    }

    fn act(
        &mut self,
        verb: &str,
        base: &Base<'_>,
        fields: &mut Fields,
        step: &suite::Step,
        names: &Names,
    ) -> Result<(String, Act), SuiteError> {
        let node = |fields: &mut Fields, key| fields.node(key).ok_or_else(|| fields.wrong("no step"));
        Ok(match verb {
            "send" => {
                let node = node(fields, "send")?;
                let name = kind(&node).map_or_else(|| "send".to_owned(), |kind| format!("send {kind}"));
                let content = content(node, names)?;
                let answer = answer(fields, step, names)?;
                (name, Act::Send { content, binary: fields.flag("binary")?, answer })
            }
            "send_base64" => {
                let text = fields.required("send_base64", "bytes in base64")?;
                let bytes = STANDARD.decode(text.value.trim()).map_err(|error| {
                    text.wrong(format!("send_base64: expected bytes in base64 (RFC 4648): {error}"))
                })?;
                let answer = answer(fields, step, names)?;
                ("send".into(), Act::Send { content: Template::bytes(bytes), binary: true, answer })
            }
            "ping" => {
                let node = node(fields, "ping")?;
                let payload = match &node.value {
                    Value::Boolean(true) => None,
                    Value::Text(text) => Some(compile(
                        &At { place: node.place.clone(), value: text.clone() },
                        names,
                        Escape::Raw,
                    )?),
                    _ => {
                        return Err(SuiteError::at(
                            &node.place,
                            "ping: expected true, or a text to send with it",
                        ));
                    }
                };
                if payload.as_ref().and_then(Template::as_fixed).is_some_and(|bytes| bytes.len() > 125) {
                    return Err(SuiteError::at(&node.place, "ping: expected a text of at most 125 bytes"));
                }
                ("ping".into(), Act::Ping(payload))
            }
            "receive" => {
                let like = fields.table("receive")?.map(|table| Like::read(table, names, "receive"));
                let like = like.transpose()?.unwrap_or_default();
                ("receive".into(), Act::Receive(if like.is_any() { Known::Any } else { Known::Like(like) }))
            }
            "connect" => {
                let path = fields.required("connect", "a path like \"/ws/{{id}}\"")?;
                let path =
                    path.clone().map(|text| if text == "true" { base.url.target.clone() } else { text });
                ("connect".into(), Act::Connect(base.at(&path, names)?))
            }
            "close" => ("close".into(), close(fields, names)?),
            _ => self.request(base, fields, names)?,
        })
    }

    /// A call over HTTP, to the target's host or to the one that it says.
    fn request(
        &mut self,
        base: &Base<'_>,
        fields: &mut Fields,
        names: &Names,
    ) -> Result<(String, Act), SuiteError> {
        let line = fields.required("request", "a request like \"POST /path\"")?;
        let wrong = |why: &str| line.wrong(format!("request: {:?}: {why}", line.value));
        let expected = "expected a method and a path or URL like \"POST /orders\"";
        let (method, target) = line.value.trim().split_once(' ').ok_or_else(|| wrong(expected))?;
        let target = with_constant(target.trim(), names);
        let secure = base.url.secure;
        let whole = if target.starts_with('/') {
            format!("{}://{}{target}", if secure { "https" } else { "http" }, base.url.authority)
        } else {
            target
        };
        let url = Url::parse(&whole, Schemes::HTTP).map_err(|why| wrong(&why))?;
        if method == "CONNECT" || http::Method::from_bytes(method.as_bytes()).is_err() {
            return Err(wrong(expected));
        }
        let body = match fields.node("json") {
            Some(node) => Some(json(node, names)?),
            None => fields.text("body")?.map(|text| compile(&text, names, Escape::Raw)).transpose()?,
        };
        let mut headers = vec![("Host".to_owned(), url.authority.clone())];
        let own =
            fields.table("headers")?.map(|mut table| texts(&mut table)).transpose()?.unwrap_or_default();
        let suites =
            base.suite_headers.iter().chain(&own).map(|(name, value)| (name.clone(), value.value.clone()));
        for (name, value) in base.headers.iter().cloned().chain(suites) {
            if name.eq_ignore_ascii_case("host") {
                continue;
            }
            headers.retain(|(there, _)| !there.eq_ignore_ascii_case(&name));
            headers.push((name, value));
        }
        if body.is_some() && !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
            headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
        }
        let body = body.as_ref().map(Body::Text);
        let parts = Parts { method, target: &url.target, headers: &headers, body };
        let request = Request::new(&parts, names).map_err(|why| wrong(&why))?;
        let same = |server: &&Url| server.authority == url.authority && server.secure == url.secure;
        if self.servers.iter().find(same).is_none() {
            self.servers.push(url.clone());
        }
        let name = format!("{method} {}", redact::target(&url.target));
        let place = Place { host: url.host, port: url.port, secure: url.secure };
        Ok((name, Act::Request(Box::new(request), place)))
    }
}

/// Refuses what makes no sense together.
fn fits(act: &Act, verb: &str, step: &suite::Step, rules: &Rules) -> Result<(), SuiteError> {
    let wrong = |why: String| Err(SuiteError::at(&step.place, why));
    let answers = matches!(act, Act::Send { answer: Some(_), .. } | Act::Receive(_) | Act::Request(..));
    for (key, given) in
        [("expect", rules.expects), ("capture", !rules.captures.is_empty()), ("poll", rules.until.is_some())]
    {
        if given && !answers {
            let hint = if verb.starts_with("send") {
                "say by what its answer is known: answer = { json = { \"$.type\" = \"pong\" } }"
            } else {
                "leave it out"
            };
            return wrong(format!("{key}: of a {verb} without an answer; {hint}"));
        }
    }
    if let Some(capture) = rules.captures.iter().find(|capture| capture.needs_headers()) {
        let why = "headers of answers are not kept; expected json, regex or from";
        return wrong(format!("capture: {}: {why}", capture.name));
    }
    Ok(())
}

impl Like {
    /// Takes what `fields` say of a message; `what` they are, for people.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub fn read(mut fields: Fields, names: &Names, what: &str) -> Result<Self, SuiteError> {
        let binary = fields.word("type", &[("text", false), ("binary", true)])?;
        let equals = fields.text("equals")?.map(|text| compile(&text, names, Escape::Raw)).transpose()?;
        let tests = Tests::read(&mut fields, names)?;
        fields.finish(what)?;
        Ok(Self { binary, equals, tests })
    }

    fn is_any(&self) -> bool {
        let Tests { texts, not_texts, json, time, size } = &self.tests;
        let none = texts.is_empty() && not_texts.is_empty() && json.is_empty();
        none && time.is_none() && size.is_none() && self.binary.is_none() && self.equals.is_none()
    }
}

/// A table or list is JSON, and so is a text that looks like it; every other text goes as it is.
fn content(node: Node, names: &Names) -> Result<Template, SuiteError> {
    match node.value {
        Value::Text(text)
            if !text.trim_start().starts_with(['{', '[']) || text.trim_start().starts_with("{{") =>
        {
            compile(&At { place: node.place, value: text }, names, Escape::Raw)
        }
        _ => json(node, names),
    }
}

/// What a message says of its kind, for a name.
fn kind(node: &Node) -> Option<String> {
    let json = match &node.value {
        Value::Table(_) => node.to_json(),
        Value::Text(text) => serde_json::from_str(text).ok()?,
        _ => return None,
    };
    let said = ["type", "action", "event", "method"].into_iter().find_map(|key| json.get(key)?.as_str());
    said.filter(|said| !said.contains("{{")).map(str::to_owned)
}

/// By what the answer to a message is known: by itself, or by what it is expected to be.
fn answer(fields: &mut Fields, step: &suite::Step, names: &Names) -> Result<Option<Known>, SuiteError> {
    let Some(node) = fields.node("answer") else {
        return Ok(step.expect.is_some().then_some(Known::Expected));
    };
    match &node.value {
        Value::Text(text) if text == "echo" => return Ok(Some(Known::Echo)),
        Value::Text(text) if text == "next" => return Ok(Some(Known::Any)),
        Value::Table(_) => {}
        _ => {
            let why =
                "answer: expected \"echo\", \"next\" or a table like { json = { \"$.type\" = \"pong\" } }";
            return Err(SuiteError::at(&node.place, why));
        }
    }
    let place = node.place.clone();
    let like = Like::read(Fields::of(node, "answer")?, names, "answer")?;
    if like.is_any() {
        return Err(SuiteError::at(
            &place,
            "answer: every message is like this; expected a test, or \"next\"",
        ));
    }
    Ok(Some(Known::Like(like)))
}

fn close(fields: &mut Fields, names: &Names) -> Result<Act, SuiteError> {
    let expected = "close: expected true, or a code from 1000 to 4999";
    let code = match fields.node("close") {
        Some(Node { value: Value::Boolean(true), .. }) | None => 1000,
        Some(Node { value: Value::Integer(code), place }) => u64::try_from(code)
            .ok()
            .filter(|code| CODES.contains(code) && !RESERVED.contains(code))
            .ok_or_else(|| SuiteError::at(&place, format!("{expected}, but for {RESERVED:?}")))?,
        Some(node) => return Err(SuiteError::at(&node.place, expected)),
    };
    let reason = match fields.text("reason")? {
        Some(reason) if reason.value.len() > 123 => {
            return Err(reason.wrong("reason: expected at most 123 bytes"));
        }
        Some(reason) => compile(&reason, names, Escape::Raw)?,
        None => Template::text(String::new()),
    };
    Ok(Act::Close { code: code as u16, reason })
}

/// Statuses of a good answer over HTTP.
fn statuses(expect: &mut Fields) -> Result<Vec<u16>, SuiteError> {
    let status = |text: At<String>| {
        let status = text.value.parse().ok().filter(|status| (100..=599).contains(status));
        status.ok_or_else(|| text.wrong(format!("status: {:?}; expected a status like 200", text.value)))
    };
    expect.texts("status")?.into_iter().map(status).collect()
}

/// `text` with the constant at its begin, which may be where another server is.
fn with_constant(text: &str, names: &Names) -> String {
    let inner = text.strip_prefix("{{").and_then(|rest| rest.split_once("}}"));
    let constant = inner.and_then(|(name, rest)| Some((names.constant(name.trim())?, rest)));
    constant.map_or_else(|| text.to_owned(), |(value, rest)| format!("{}{rest}", value.trim_end_matches('/')))
}

/// The variables that `act` inserts.
fn slots(act: &Act) -> Vec<usize> {
    match act {
        Act::Send { content, .. } => content.slots().collect(),
        Act::Ping(payload) => payload.iter().flat_map(Template::slots).collect(),
        Act::Connect(uri) => uri.slots().collect(),
        Act::Close { reason, .. } => reason.slots().collect(),
        Act::Request(request, _) => request.slots(),
        Act::Receive(_) => Vec::new(),
    }
}
