//! How does a suite become calls? Its steps compiled as far as they can be before the types are known.

use std::num::NonZeroU32;
use std::time::Duration;

use http::HeaderName;
use load_core::compile::{Compiler, Made, Plans, plan};
use load_core::error::UsageError;
use load_report::model::RatePlan;
use load_suite::fields::{At, Fields};
use load_suite::node::SuiteError;
use load_suite::suite::{self, Suite, Tests, compile, json, texts, verb};
use load_suite::template::{Escape, Names, Template};

use crate::args::GrpcArgs;
use crate::asked::Asked;
use crate::descriptor::MethodName;
use crate::metadata;
use crate::protocol::{Grpc, SERIES, Step, asked};
use crate::rules::{COUNTERS, Good, Rules};
use crate::server::Server;
use crate::status::{Code, Codes};

/// Calls of one step at the same time, where a suite does not say how many.
const AT_ONCE: NonZeroU32 = NonZeroU32::new(6).expect("not zero");

/// The protocol that `suite` asks for; what `args` say wins over its environment.
///
/// # Errors
/// The first mistake in the suite, with its place, or flags that mean nothing with one.
pub(crate) fn grpc(mut args: GrpcArgs, suite: &Suite) -> Result<Grpc, UsageError> {
    let said = [
        ("--method", args.method.is_some()),
        ("--json", args.json.is_some()),
        ("--json-file", args.json_file.is_some()),
        ("--messages", args.messages.is_some()),
        ("--in-flight", args.in_flight.is_some()),
        ("--expect-text", args.expect_text.is_some()),
    ];
    if let Some((flag, _)) = said.into_iter().find(|(_, given)| *given) {
        let why = format!("{flag}: the steps of the suite say that; leave it out with --suite");
        return Err(UsageError::new(why));
    }
    if args.server.url.is_none() {
        args.server.url = suite.environment.url.as_ref().map(|url| url.value.clone());
    }
    if args.server.url.is_none() {
        let why = "no target: give --url http://HOST:PORT, or the suite an environment with a url";
        return Err(UsageError::new(why));
    }
    let mut grpc = Grpc::of(Server::new(&args.server)?, args.streams);
    let plans = Plans {
        ops: Vec::new(),
        extras: SERIES.map(plan).into(),
        counters: COUNTERS.map(plan).into(),
        rates: vec![RatePlan { name: "checks".into(), cases: 0, all: 1 }],
    };
    let compiler = Compiler::new(&suite.measures, Some(AT_ONCE), plans);
    let all = &mut grpc.asked;
    let compiled = Calls::new(suite, &args).and_then(|calls| {
        compiler.run(suite, |compiler, step, names| {
            let (asked, rules) = calls.call(compiler, step, names)?;
            let name = asked.method.to_string();
            all.push(asked);
            let step = Step { call: all.len() - 1, rules: Some(rules.into()) };
            Ok(Made { name, step, timeout: calls.timeout })
        })
    });
    let (script, mut from_suite) = compiled.map_err(|error| UsageError::new(error.to_string()))?;
    from_suite.token = args.server.token.told(suite.environment.has_token());
    grpc.script = script;
    grpc.suite = Some(from_suite);
    grpc.settled()
}

/// What all steps of a suite have in common.
struct Calls<'a> {
    args: &'a GrpcArgs,
    metadata: Vec<(String, At<String>)>,
    expect: Option<Fields>,
    timeout: Option<Duration>,
    deadline: Option<Duration>,
    gzip: bool,
}

impl<'a> Calls<'a> {
    fn new(suite: &Suite, args: &'a GrpcArgs) -> Result<Self, SuiteError> {
        let has_token = args.server.token.bearer().is_ok_and(|token| token.is_some());
        let environment = &suite.environment;
        let metadata = if has_token { environment.headers_but_token() } else { environment.headers.clone() };
        let (expect, timeout, deadline, gzip) = (None, None, args.deadline, args.gzip);
        let mut calls = Self { args, metadata, expect, timeout, deadline, gzip };
        if let Some(mut defaults) = suite.defaults.clone() {
            if let Some(mut table) = defaults.table("metadata")? {
                calls.metadata.extend(texts(&mut table)?);
            }
            calls.expect = defaults.table("expect")?;
            calls.timeout = defaults.duration("timeout")?.map(|at| at.value);
            calls.deadline = given_deadline(&mut defaults)?.or(calls.deadline);
            calls.gzip |= defaults.flag("gzip")?;
            defaults.finish("[defaults]")?;
        }
        Ok(calls)
    }

    fn call(
        &self,
        compiler: &Compiler,
        step: &suite::Step,
        names: &Names,
    ) -> Result<(Asked, Rules), SuiteError> {
        let mut fields = step.request.clone();
        let line = verb(&mut fields, "call", "a method like \"pkg.Service/Method\"")?;
        let method =
            MethodName::parse(line.value.trim()).map_err(|why| line.wrong(format!("call: {why}")))?;
        let body = match fields.node("json") {
            Some(node) => json(node, names)?,
            None => Template::text("{}".into()),
        };
        let own = match fields.table("metadata")? {
            Some(mut table) => texts(&mut table)?,
            None => Vec::new(),
        };
        let mut asked = asked(self.args, method, body);
        asked.step = Some(line.place.to_string());
        asked.json_by = "json";
        asked.metadata = self.metadata(&own, names)?;
        asked.messages = fields.count("messages", 1)?;
        asked.in_flight = fields.count("in_flight", 1)?.unwrap_or(u64::MAX);
        asked.deadline = given_deadline(&mut fields)?.or(self.deadline);
        asked.gzip = if fields.has("gzip") { fields.flag("gzip")? } else { self.gzip };
        fields.finish("a step")?;
        let (codes, good) = match step.expect.clone().or_else(|| self.expect.clone()) {
            Some(expect) => good(expect, names, "expect")?,
            None => (None, Good::default()),
        };
        if let Some(codes) = codes {
            asked.expect.codes = codes;
        }
        let until = step.poll.as_ref().map(|poll| good_until(&poll.until, names)).transpose()?;
        if let Some(capture) = step.captures.iter().find(|capture| capture.needs_headers()) {
            let why = format!(
                "capture: {}: metadata of answers is not kept; expected json, regex or from",
                capture.name
            );
            return Err(SuiteError::at(&step.place, why));
        }
        let varied = asked.metadata.iter().map(|(_, value)| value).chain([&asked.json]);
        let needed: Vec<_> = varied.flat_map(Template::slots).collect();
        let needs = names.variables().filter(|(_, slot)| needed.contains(slot));
        let rules = Rules {
            needs: needs.map(|(name, slot)| (slot, name.to_owned())).collect(),
            expects: step.expect.is_some() || self.expect.is_some(),
            good,
            until,
            captures: step.captures.clone(),
            feeds: compiler.feeds(step),
        };
        asked.looks = rules.needs_body();
        Ok((asked, rules))
    }

    /// The step's metadata on top of that of the suite; what the command line says goes with every call anyway.
    fn metadata(
        &self,
        own: &[(String, At<String>)],
        names: &Names,
    ) -> Result<Vec<(HeaderName, Template)>, SuiteError> {
        let mut all = Vec::<(HeaderName, Template)>::new();
        for (name, value) in self.metadata.iter().chain(own) {
            let named = metadata::name(name).map_err(|why| value.wrong(format!("metadata: {why}")))?;
            let compiled = compile(value, names, Escape::Raw)?;
            if compiled.as_static().is_some_and(|text| http::HeaderValue::from_str(text).is_err()) {
                return Err(value.wrong(format!("metadata: the value of {name} is not printable ASCII")));
            }
            match all.iter_mut().find(|(there, _)| *there == named) {
                Some((_, there)) => *there = compiled,
                None => all.push((named, compiled)),
            }
        }
        Ok(all)
    }
}

/// What the server is told of its time.
fn given_deadline(fields: &mut Fields) -> Result<Option<Duration>, SuiteError> {
    match fields.duration("deadline")? {
        Some(zero) if zero.value.is_zero() => Err(zero.wrong("deadline: expected a time above 0")),
        given => Ok(given.map(|at| at.value)),
    }
}

fn good_until(until: &Fields, names: &Names) -> Result<(Option<Codes>, Good), SuiteError> {
    good(until.clone(), names, "until")
}

/// What a good answer is; statuses only where some are given.
fn good(mut fields: Fields, names: &Names, what: &str) -> Result<(Option<Codes>, Good), SuiteError> {
    let code = |text: At<String>| {
        text.value.parse::<Code>().map_err(|why| text.wrong(format!("status: {:?}: {why}", text.value)))
    };
    let codes = fields.texts("status")?.into_iter().map(code).collect::<Result<Vec<_>, _>>()?;
    let messages = fields.count("messages", 0)?;
    let tests = Tests::read(&mut fields, names)?;
    fields.finish(what)?;
    Ok(((!codes.is_empty()).then(|| Codes::new(codes)), Good { messages, tests }))
}
