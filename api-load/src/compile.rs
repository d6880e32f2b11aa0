//! How does a step of a suite become a call? Its request compiled, with what the suite and the command line say of all.

use std::time::Duration;

use load_core::compile::{Compiler, FromSuite, Made, Plans, plan};
use load_core::error::UsageError;
use load_core::protocol::Script;
use load_net::http::{Body, Parts, Ways};
use load_net::redact;
use load_report::model::RatePlan;
use load_suite::fields::{At, Fields};
use load_suite::node::SuiteError;
use load_suite::suite::{self, Suite, Tests, compile, texts, verb};
use load_suite::template::{Escape, Names};

use crate::client::Version;
use crate::content::Content;
use crate::expect::{Expect, StatusRange, Statuses};
use crate::manner;
use crate::protocol::Step;
use crate::rules::{self, Good, Rules};

/// What all steps of a suite have in common.
pub struct Base<'a> {
    /// Which HTTP is spoken.
    pub version: Version,
    /// And whether over TLS.
    pub secure: bool,
    /// Path before that of every step.
    pub prefix: &'a str,
    /// The command line has a token, which wins over the environment's.
    pub has_token: bool,
    /// Headers of every step that has none of the same name.
    pub headers: &'a [(String, String)],
    /// Statuses of a good answer, unless a step says otherwise.
    pub statuses: &'a Statuses,
    /// How calls are made, unless a step says otherwise.
    pub ways: Ways,
}

/// Compiles `suite`.
///
/// # Errors
/// The first mistake, with its place.
pub fn compiled(suite: &Suite, base: &Base<'_>) -> Result<(Script<Step>, FromSuite<Step>), UsageError> {
    let plans = Plans {
        ops: Vec::new(),
        extras: rules::SERIES.map(plan).into(),
        counters: rules::COUNTERS.map(plan).into(),
        rates: vec![RatePlan { name: "checks".into(), cases: 1, all: 2 }],
    };
    let compiler = Compiler::new(&suite.measures, Some(base.version.at_once()), plans).answering();
    Calls::new(suite, base)
        .and_then(|calls| compiler.run(suite, |compiler, step, names| calls.call(compiler, step, names)))
        .map_err(|error| UsageError::new(error.to_string()))
}

struct Calls<'a> {
    base: &'a Base<'a>,
    /// Of the suite's environment and defaults: they win over those of the command line's defaults.
    headers: Vec<(String, At<String>)>,
    expect: Option<Fields>,
    timeout: Option<Duration>,
    ways: Ways,
}

impl<'a> Calls<'a> {
    fn new(suite: &Suite, base: &'a Base<'a>) -> Result<Self, SuiteError> {
        let environment = &suite.environment;
        let headers =
            if base.has_token { environment.headers_but_token() } else { environment.headers.clone() };
        let mut calls = Self { base, headers, expect: None, timeout: None, ways: base.ways };
        if let Some(mut defaults) = suite.defaults.clone() {
            if let Some(mut table) = defaults.table("headers")? {
                calls.headers.extend(texts(&mut table)?);
            }
            calls.expect = defaults.table("expect")?;
            calls.timeout = defaults.duration("timeout")?.map(|at| at.value);
            calls.ways = manner::ways(&mut defaults, base.ways)?;
            defaults.finish("[defaults]")?;
        }
        Ok(calls)
    }

    fn call(&self, compiler: &Compiler, step: &suite::Step, names: &Names) -> Result<Made<Step>, SuiteError> {
        let mut fields = step.request.clone();
        let line = verb(&mut fields, "request", "a request like \"GET /path\"")?;
        let (method, path) = request_line(&line)?;
        let content = Content::read(&mut fields, names, &|path| std::fs::read(path))?;
        let mut own = match fields.table("headers")? {
            Some(mut table) => texts(&mut table)?,
            None => Vec::new(),
        };
        let ways = manner::ways(&mut fields, self.ways)?;
        fields.finish("a step")?;
        let media_type = content.as_ref().and_then(|content| content.media_type.clone());
        if let Some(media_type) = media_type
            && !self.headers.iter().chain(&own).any(|(name, _)| name.eq_ignore_ascii_case("content-type"))
        {
            own.push(("Content-Type".into(), line.clone().map(|_| media_type)));
        }
        let headers = self.headers(&own, ways)?;
        let target = format!("{}{path}", self.base.prefix);
        let body = content.as_ref().map(|content| Body::Text(&content.body));
        let parts = Parts { method, target: &target, headers: &headers, body };
        let request = self
            .base
            .version
            .request((self.base.secure, ways), &parts, names)
            .map_err(|why| line.wrong(why))?;
        let mut others = Vec::new();
        for expect in &step.or_expect {
            let (statuses, good) = good(expect.clone(), names, "expect")?;
            others.push((statuses.unwrap_or_else(|| self.base.statuses.clone()), good));
        }
        let (statuses, mut tests) = match step.expect.clone().or_else(|| self.expect.clone()) {
            Some(expect) => good(expect, names, "expect")?,
            None => (None, Good::default()),
        };
        let until = match &step.poll {
            Some(poll) => Some(good(poll.until.clone(), names, "until")?),
            None => None,
        };
        let mut statuses = statuses.unwrap_or_else(|| self.base.statuses.clone());
        let mut ways = Vec::new();
        if !others.is_empty() {
            ways = std::iter::once((statuses, std::mem::take(&mut tests))).chain(others).collect();
            statuses = Statuses::all(ways.iter().map(|(statuses, _)| statuses));
        }
        let needed = request.text.slots();
        let needs = names.variables().filter(|(_, slot)| needed.contains(slot));
        let rules = Rules {
            needs: needs.map(|(name, slot)| (slot, name.to_owned())).collect(),
            expects: step.expect.is_some() || self.expect.is_some(),
            good: tests,
            ways,
            until,
            captures: step.captures.clone(),
            feeds: compiler.feeds(step),
            by_answer: step.feeds.iter().any(|feed| feed.gives.is_of_answer()),
        };
        let expect = Expect { statuses, text: None };
        Ok(Made {
            name: format!("{method} {}", redact::target(path)),
            step: Step { request, expect, rules: Some(Box::new(rules)) },
            timeout: self.timeout,
        })
    }

    /// The step's headers on top of those of the suite on top of those of the command line.
    fn headers(&self, own: &[(String, At<String>)], ways: Ways) -> Result<Vec<(String, String)>, SuiteError> {
        let mut all = self.base.headers.to_vec();
        manner::accept_encoding(ways, &mut all);
        for (name, value) in self.headers.iter().chain(own) {
            let is_name = ::http::HeaderName::from_bytes(name.as_bytes()).is_ok();
            if !is_name || ::http::HeaderValue::from_bytes(value.value.as_bytes()).is_err() {
                return Err(value.wrong(format!(
                    "headers: {name:?} with this value is no header like Accept = \"text/html\""
                )));
            }
            if ["content-length", "transfer-encoding"].iter().any(|ours| name.eq_ignore_ascii_case(ours)) {
                return Err(value.wrong(format!("headers: {name} follows from the body; leave it out")));
            }
            match all.iter_mut().find(|(there, _)| there.eq_ignore_ascii_case(name)) {
                Some((_, there)) => there.clone_from(&value.value),
                None => all.push((name.clone(), value.value.clone())),
            }
        }
        Ok(all)
    }
}

/// Method and path of `GET /path`.
fn request_line(line: &At<String>) -> Result<(&str, &str), SuiteError> {
    let wrong = || {
        line.wrong(format!(
            "request: {:?}; expected a method and a path like \"GET /orders?page=2\"",
            line.value
        ))
    };
    let (method, path) = line.value.trim().split_once(' ').ok_or_else(wrong)?;
    let path = path.trim();
    if path.contains("://") {
        return Err(line.wrong(
            "request: a path without a host is expected; the host is the environment's url, or --url",
        ));
    }
    let is_path = path.starts_with('/') && !outside(path).contains(|c: char| c.is_whitespace() || c == '#');
    if method == "CONNECT" || ::http::Method::from_bytes(method.as_bytes()).is_err() || !is_path {
        return Err(wrong());
    }
    Ok((method, path))
}

/// What of `path` is outside of `{{...}}`.
fn outside(path: &str) -> String {
    path.split("{{")
        .enumerate()
        .map(|(i, piece)| if i == 0 { piece } else { piece.split_once("}}").map_or("", |(_, rest)| rest) })
        .collect()
}

/// What a good answer is; statuses only where some are given.
fn good(mut fields: Fields, names: &Names, what: &str) -> Result<(Option<Statuses>, Good), SuiteError> {
    let statuses = fields.texts("status")?;
    let range = |text: &At<String>| {
        text.value
            .parse::<StatusRange>()
            .map_err(|why| text.wrong(format!("status: {:?}: {why}", text.value)))
    };
    let statuses = statuses.iter().map(range).collect::<Result<Vec<_>, _>>()?;
    let mut headers = Vec::new();
    if let Some(mut table) = fields.table("header")? {
        for (name, value) in texts(&mut table)? {
            headers.push((name.to_ascii_lowercase(), compile(&value, names, Escape::Raw)?));
        }
    }
    let tests = Tests::read(&mut fields, names)?;
    fields.finish(what)?;
    Ok(((!statuses.is_empty()).then(|| Statuses::new(statuses)), Good { headers, tests }))
}
