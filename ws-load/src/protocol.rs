//! What does the engine get? The protocol of the trait: flags in, held connections, echoes, pings and publishes.

use std::num::NonZeroUsize;
use std::time::Duration;

use load_core::error::{PrepareError, UsageError};
use load_core::protocol::{Control, Fault, LinkId, Outcome, Probe, Protocol, Script, Task, TaskStep, Vu};
use load_net::args::wrong;
use load_net::connection::{Connection, NoConnection, Tls};
use load_net::reach::Target;
use load_net::redact::{self, Collector};
use load_net::tls;
use load_net::url::{Schemes, Url};
use load_report::model::ExtraPlan;
use load_suite::scope::Scope;
use memchr::memmem::Finder;

use crate::args::{Kind, Share, WsArgs};
use crate::count;
use crate::end::farewell;
use crate::session::{Rules, Session, Upgraded};
use crate::stamp::Fields;
use crate::text::{ECHO, PUBLISH, Text};
use crate::upgrade::Upgrade;

/// Largest message unless `--max-message` says otherwise.
const MAX_MESSAGE: u64 = 16 << 20;
/// For everything that is asked before the run; a command that cannot start says so within 5 s.
const LIMIT: Duration = Duration::from_millis(4_700);
const AGENT: &str = concat!("quintet-ws-load/", env!("CARGO_PKG_VERSION"));

/// WebSockets (RFC 6455).
pub struct Ws {
    url: Url,
    args: WsArgs,
    headers: Vec<(String, String)>,
    tls: Option<Tls>,
    upgrade: Upgrade,
    rules: Rules,
    shares: Vec<Share>,
    script: Script<Step>,
}

/// One call, compiled.
#[derive(Clone)]
pub enum Step {
    /// Send and wait for the answer.
    Echo(Text),
    /// Ping and wait for the pong.
    Ping,
    /// Send for others.
    Publish(Text),
    /// Send nothing.
    Hold,
}

impl Protocol for Ws {
    const NAME: &'static str = "ws";
    const SUITES: bool = false;
    type Args = WsArgs;
    type Target = Target;
    type Step = Step;
    type Link = Upgraded;
    type Session = Session;

    fn new(args: WsArgs) -> Result<Self, UsageError> {
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
        };
        let expect = args.expect_text.as_deref().filter(|text| !text.is_empty());
        let expect = expect.map(|text| Finder::new(text).into_owned());
        let fragment = args.fragment.map(|bytes| NonZeroUsize::new(bytes as usize).ok_or(bytes));
        let fragment = fragment.transpose().map_err(|_| wrong("--fragment", "expected at least 1"))?;
        let rules = Rules { expect, fields, binary: args.binary, fragment };
        let tls = args.tls.tls(&url, &[b"http/1.1"])?;
        let shares = shares(&args)?;
        let script = Script::of(tasks(&args, &shares)?);
        Ok(Self { url, args, headers, tls, upgrade, rules, shares, script })
    }

    fn label(&self) -> String {
        self.url.label()
    }

    fn describe(&self) -> serde_json::Value {
        let shown = |(name, value): &(String, String)| format!("{name}: {}", redact::header(name, value));
        let send: Vec<_> = self.shares.iter().map(Share::to_string).collect();
        serde_json::json!({
            "url": self.label(),
            "headers": self.headers.iter().map(shown).collect::<Vec<_>>(),
            "subprotocols": self.args.subprotocol,
            "send": send.join(","),
            "message_bytes": self.args.message.as_ref().map(String::len),
            "publish_message_bytes": self.args.publish_message.as_ref().map(String::len),
            "binary": self.args.binary,
            "fragment": self.args.fragment,
            "expect_text": self.args.expect_text,
            "timestamp_field": self.rules.fields.timestamp,
            "seq_field": self.rules.fields.seq,
            "tls": self.args.tls.describe(&self.url),
            "max_message": self.args.max_message.unwrap_or(MAX_MESSAGE),
        })
    }

    fn secrets(&self) -> Vec<String> {
        let mut all = Collector::default();
        for (name, value) in &self.headers {
            all.add_header(name, value);
        }
        all.add_url(&self.url);
        for message in [&self.args.message, &self.args.publish_message].into_iter().flatten() {
            all.add_body(message.as_bytes());
        }
        all.into_values()
    }

    fn ops(&self) -> Vec<String> {
        self.shares.iter().map(|share| share.kind.op().into()).collect()
    }

    fn extras(&self) -> Vec<ExtraPlan> {
        count::series()
    }

    fn counters(&self) -> Vec<ExtraPlan> {
        count::counters()
    }

    fn script(&self) -> &Script<Step> {
        &self.script
    }

    async fn prepare(&self, control: &mut Control) -> Result<Target, PrepareError> {
        let deadline = tokio::time::Instant::now() + LIMIT;
        let target = Target::find(&self.url, self.tls.clone()).await?;
        control.calls += 1;
        self.ask(&target, deadline).await?;
        Ok(target)
    }

    async fn connect(&self, target: &Target, link: LinkId, probe: &mut Probe<'_>) -> Result<Upgraded, Fault> {
        let connection = target.connect(link, self.tls.as_ref(), probe).await?;
        let scope = Scope::numbered(link.index, link.index, link.generation.into());
        let begun = probe.now();
        let upgraded = self.upgrade.run(connection, &scope).await;
        let (socket, _) = upgraded.map_err(|error| error.fault(probe))?;
        Ok(Upgraded { socket, took_ns: probe.now().since(begun) })
    }

    async fn open(&self, link: Upgraded, _vu: &Vu) -> Result<Session, Fault> {
        Ok(Session::new(link))
    }

    #[inline]
    async fn call(
        &self,
        session: &mut Session,
        step: &Step,
        vu: &mut Vu,
        probe: &mut Probe<'_>,
    ) -> Result<Outcome, Fault> {
        session.tell_upgrade(probe);
        match step {
            Step::Echo(text) => session.echo(&self.rules, text, &vu.scope, probe).await,
            Step::Ping => session.ping(&self.rules, &vu.scope, probe).await,
            Step::Publish(text) => session.publish(&self.rules, text, &vu.scope, probe).await,
            Step::Hold => session.look(&self.rules, probe).await,
        }
    }

    async fn idle(&self, session: &mut Session, probe: &mut Probe<'_>) -> Fault {
        session.listen(&self.rules, probe).await
    }

    #[expect(
        clippy::manual_async_fn,
        reason = "an async fn has room for the session twice, and all may end at once"
    )]
    fn close(&self, mut session: Session, probe: &mut Probe<'_>) -> impl Future<Output = ()> {
        async move { session.close(&self.rules, probe).await }
    }
}

impl Ws {
    /// Upgrades one connection and closes it, to be told what is wrong before thousands are.
    async fn ask(&self, target: &Target, deadline: tokio::time::Instant) -> Result<(), PrepareError> {
        let [address, ..] = target.addresses[..] else { return Err(self.unable("no address")) };
        let connection = Connection::open(address, self.tls.as_ref()).await.map_err(|error| match error {
            NoConnection::Tcp(error) => self.unable(&error.to_string()),
            NoConnection::Tls(error) => self.unable(&tls::explain(&error)),
        })?;
        let scope = Scope::default();
        match tokio::time::timeout_at(deadline, self.upgrade.run(connection, &scope)).await {
            Ok(Ok((mut socket, _))) => {
                farewell(&mut socket, |_| {}).await;
                Ok(())
            }
            Ok(Err(error)) => Err(self.unable(&format!("{error}; {}", error.hint()))),
            Err(_) => Err(self.unable("no answer to the upgrade within 5 s; is it the right port?")),
        }
    }

    fn unable(&self, why: &str) -> PrepareError {
        PrepareError::new(format!("{}: {why}", self.label()))
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A million connections are a million lanes: what one of them needs is held here.
    #[test]
    fn a_lane_is_small() {
        let bytes = load_core::engine::lane_bytes::<Ws>();
        assert!(bytes <= 2_200, "{bytes}");
    }
}
