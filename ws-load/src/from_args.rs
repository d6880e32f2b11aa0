//! What does the command line make of the protocol?

use std::num::NonZeroUsize;
use std::sync::{Arc, OnceLock};

use load_core::error::UsageError;
use load_core::protocol::{Script, Task, TaskStep};
use load_net::args::wrong;
use load_net::route::RouteArgs;
use load_net::url::{Schemes, Url};
use memchr::memmem::Finder;

use crate::args::{Kind, Share, WsArgs};
use crate::clock;
use crate::heard::Rules;
use crate::protocol::{AGENT, MAX_MESSAGE, Step, Ws};
use crate::stamp::Fields;
use crate::text::{ECHO, PUBLISH, Text};
use crate::upgrade::Upgrade;

impl Ws {
    /// What the command line alone asks for.
    pub(crate) fn plain(args: WsArgs) -> Result<Self, UsageError> {
        let text = args
            .url
            .as_deref()
            .ok_or_else(|| UsageError::new("no target: give --url ws://HOST[:PORT]/PATH, or set WS_URL"))?;
        let url = Url::parse(text, Schemes::WS).map_err(|error| wrong("--url", hinted(text, error)))?;
        let headers = args.headers.headers(&url, AGENT)?;
        let max_message = args.max_message.unwrap_or(MAX_MESSAGE) as usize;
        let upgrade = Upgrade::new(&url, &headers, &args.subprotocol, max_message)?;
        let fields = Fields {
            timestamp: args.timestamp_field.clone().unwrap_or_else(|| "timestamp".into()),
            seq: args.seq_field.clone().unwrap_or_else(|| "seq".into()),
            fanout: args.fanout,
            ahead_ns: Arc::default(),
        };
        let expect = args.expect_text.as_deref().filter(|text| !text.is_empty());
        let expect = expect.map(|text| Finder::new(text).into_owned());
        let fragment = args.fragment.map(|bytes| NonZeroUsize::new(bytes as usize).ok_or(bytes));
        let fragment = fragment.transpose().map_err(|_| wrong("--fragment", "expected at least 1"))?;
        let rules = Rules { expect, fields, binary: args.binary, fragment };
        let tls = args.tls.tls(&url, &[b"http/1.1"])?;
        let shares = shares(&args)?;
        clock::check(args.clock_offset, &shares, rules.expect.is_some())?;
        let script = Script::of(tasks(&args, &shares)?);
        let route = RouteArgs { local: args.local.clone(), ..RouteArgs::default() }.route()?;
        Ok(Self {
            url,
            route,
            args,
            headers,
            tls,
            upgrade,
            rules,
            shares,
            script,
            suite: None,
            clock: OnceLock::new(),
        })
    }
}

/// The mistake in a URL, with what to do where that is plain.
fn hinted(text: &str, error: String) -> String {
    match text.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase()).as_deref() {
        Some("http") => format!("{error}; write ws:// instead of http://"),
        Some("https") => format!("{error}; write wss:// instead of https://"),
        _ => error,
    }
}

/// What users do, each kind once.
fn shares(args: &WsArgs) -> Result<Vec<Share>, UsageError> {
    if args.send.is_empty() {
        return Ok(vec![Share { kind: Kind::Echo, weight: 1 }]);
    }
    for (i, share) in args.send.iter().enumerate() {
        if args.send[..i].iter().any(|earlier| earlier.kind == share.kind) {
            return Err(wrong("--send", format!("{} twice; expected each once", share.kind.op())));
        }
    }
    let does = |kind| args.send.iter().any(|share| share.kind == kind);
    for (flag, given, kind) in [
        ("--message", args.message.is_some(), Kind::Echo),
        ("--expect-text", args.expect_text.is_some(), Kind::Echo),
        ("--publish-message", args.publish_message.is_some(), Kind::Publish),
    ] {
        if given && !does(kind) {
            return Err(wrong(flag, format!("nothing sends it; add {} to --send", kind.op())));
        }
    }
    Ok(args.send.clone())
}

fn tasks(args: &WsArgs, shares: &[Share]) -> Result<Vec<Task<Step>>, UsageError> {
    let text = |flag, given: &Option<String>, default| {
        Text::parse(given.as_deref().unwrap_or(default)).map_err(|error| wrong(flag, error))
    };
    let mut tasks = Vec::new();
    for (op, share) in (0..).zip(shares) {
        let step = match share.kind {
            Kind::Echo => Step::Echo(text("--message", &args.message, ECHO)?),
            Kind::Ping => Step::Ping,
            Kind::Publish => Step::Publish(text("--publish-message", &args.publish_message, PUBLISH)?),
            Kind::None => Step::Hold,
        };
        tasks.push(Task::new(share.weight, vec![TaskStep::new(op, step)]));
    }
    Ok(tasks)
}
