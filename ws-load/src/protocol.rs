//! What does the engine get? The protocol of the trait: flags in, held connections, echoes, pings and publishes.

use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};

use load_core::compile::FromSuite;
use load_core::error::{PrepareError, UsageError};
use load_core::outside;
use load_core::protocol::{Control, Fault, LinkId, Outcome, Probe, Protocol, Script, Vu};
use load_core::sample::Exporter;
use load_net::connection::{Connection, Tls};
use load_net::exporter::exporter;
use load_net::reach::{self, Dial, Target};
use load_net::redact::{self, Collector};
use load_net::route::Route;
use load_net::url::Url;
use load_report::model::{ExtraPlan, RatePlan, RunFile};
use load_suite::scope::Scope;
use serde::{Deserialize, Serialize};

use crate::args::{Share, WsArgs};
use crate::ask::LIMIT;
use crate::clock::Clock;
use crate::count;
use crate::heard::Rules;
use crate::session::{self as plain, Took, Upgraded};
use crate::suite::request::Http;
use crate::suite::session::Given;
use crate::suite::step::Asked;
use crate::suite::{self, Suite};
use crate::text::Text;
use crate::upgrade::Upgrade;

/// Largest message unless `--max-message` says otherwise.
pub(crate) const MAX_MESSAGE: u64 = 16 << 20;
pub(crate) const AGENT: &str = concat!("quintet-ws-load/", env!("CARGO_PKG_VERSION"));

/// WebSockets (RFC 6455).
pub struct Ws {
    pub(crate) url: Url,
    pub(crate) route: Route,
    pub(crate) args: WsArgs,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) tls: Option<Tls>,
    pub(crate) upgrade: Upgrade,
    pub(crate) rules: Rules,
    pub(crate) shares: Vec<Share>,
    pub(crate) script: Script<Step>,
    /// What a suite adds.
    pub(crate) suite: Option<Box<Suite>>,
    /// What is known of the server's clock, in the process that has asked.
    pub(crate) clock: OnceLock<Clock>,
}

/// What was found out before the run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Found {
    /// Where connections go.
    pub reach: Target,
    /// By how many ns the server's clock is taken to be ahead.
    pub ahead_ns: i64,
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
    /// What a suite says.
    Asked(Arc<Asked>),
}

/// A connection that is ready for its user.
#[expect(clippy::large_enum_variant, reason = "the large one is that of the runs that have most connections")]
pub enum Link {
    /// Of the command line alone.
    Plain(Upgraded),
    /// Of a suite.
    Suite(Box<suite::Session>),
}

/// One lane's connection.
#[expect(clippy::large_enum_variant, reason = "the large one is that of the runs that have most connections")]
pub enum Session {
    /// Of the command line alone.
    Plain(plain::Session),
    /// Of a suite. In a box, so that the others stay small.
    Suite(Box<suite::Session>),
}

impl Protocol for Ws {
    const NAME: &'static str = "ws";
    const VISITS: bool = true;
    type Args = WsArgs;
    type Target = Found;
    type Step = Step;
    type Link = Link;
    type Session = Session;

    fn new(args: WsArgs) -> Result<Self, UsageError> {
        Self::plain(args)
    }

    fn with_suite(args: WsArgs, suite: load_suite::suite::Suite) -> Result<Self, UsageError> {
        crate::from_suite::ws(args, &suite)
    }

    fn label(&self) -> String {
        self.url.label()
    }

    fn describe(&self) -> serde_json::Value {
        let shown = |(name, value): &(String, String)| format!("{name}: {}", redact::header(name, value));
        let send = self.shares.iter().map(Share::to_string).collect::<Vec<_>>().join(",");
        serde_json::json!({
            "url": self.label(),
            "headers": self.headers.iter().map(shown).collect::<Vec<_>>(),
            "subprotocols": self.args.subprotocol,
            "send": self.suite.is_none().then_some(send),
            "message_bytes": self.args.message.as_ref().map(String::len),
            "publish_message_bytes": self.args.publish_message.as_ref().map(String::len),
            "binary": self.args.binary,
            "fragment": self.args.fragment,
            "expect_text": self.args.expect_text,
            "fanout": self.args.fanout,
            "timestamp_field": self.rules.fields.timestamp,
            "seq_field": self.rules.fields.seq,
            "clock_offset": self.args.clock_offset.map(|offset| offset.to_string()),
            "tls": self.args.tls.describe(&self.url),
            "max_message": self.max_message(),
            "suite": self.suite.as_ref().map(|suite| suite.from.describe()),
            "local_ips": self.args.local.local_ips.iter().map(ToString::to_string).collect::<Vec<_>>(),
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
        let mut all = all.into_values();
        all.extend(self.suites().iter().flat_map(|suite| suite.secrets.iter().cloned()));
        all
    }

    fn ops(&self) -> Vec<String> {
        let plain = || self.shares.iter().map(|share| share.kind.op().into()).collect();
        self.suites().map_or_else(plain, |suite| suite.plans.ops.clone())
    }

    fn extras(&self) -> Vec<ExtraPlan> {
        self.suites().map_or_else(count::series, |suite| suite.plans.extras.clone())
    }

    fn counters(&self) -> Vec<ExtraPlan> {
        self.suites().map_or_else(count::counters, |suite| suite.plans.counters.clone())
    }

    fn rates(&self) -> Vec<RatePlan> {
        self.suites().map_or_else(Vec::new, |suite| suite.plans.rates.clone())
    }

    fn users_only(&self) -> Option<&'static str> {
        let several = self.suite.as_ref().is_some_and(|suite| suite.classes.len() > 1);
        several.then_some(
            "a connection is one user's for as long as it lasts, and the suite has several classes",
        )
    }

    fn spreads(&self) -> bool {
        self.route.spreads(&self.url.host)
    }

    fn exporter(args: &WsArgs, url: &str, token: Option<&str>) -> Result<Arc<dyn Exporter>, UsageError> {
        exporter(url, token, &args.tls)
    }

    fn script(&self) -> &Script<Step> {
        &self.script
    }

    async fn prepare(&self, control: &mut Control) -> Result<Found, PrepareError> {
        let deadline = tokio::time::Instant::now() + LIMIT;
        let mut reach = Target::find(&self.url, self.tls.clone()).await?;
        let mut ahead_ns = 0;
        for upgrade in self.upgrades() {
            let clock = self.ask(upgrade, &reach, deadline, control).await?;
            ahead_ns = clock.correction_ns();
            // All of them ask the same server.
            let _ = self.clock.set(clock);
        }
        for server in self.suite.iter().flat_map(|suite| &suite.servers) {
            let tls = self.suite.as_ref().and_then(|suite| suite.tls.as_ref()).filter(|_| server.secure);
            let tls = tls.and_then(|tls| Tls::named(&tls.config, &server.host).ok());
            let found = Target::find(server, tls).await?;
            // Those of its addresses that accept connections.
            let ips = found.addresses.iter().map(std::net::SocketAddr::ip).collect();
            reach.others.push((server.host.clone(), ips));
        }
        Ok(Found { reach, ahead_ns })
    }

    fn remarks(&self, run: &RunFile) -> Vec<String> {
        self.clock.get().and_then(|clock| clock.remark(run)).into_iter().collect()
    }

    async fn connect(&self, target: &Found, link: LinkId, probe: &mut Probe<'_>) -> Result<Link, Fault> {
        self.rules.fields.ahead_ns.store(target.ahead_ns, Ordering::Relaxed);
        let target = &target.reach;
        if let Some(suite) = &self.suite {
            // In a box, here and below, so that the futures of other runs stay small.
            return Box::pin(self.connect_user(suite, target, link, probe)).await.map(Link::Suite);
        }
        let (connection, took) = target.connect_timed(&self.dial(), link, probe).await?;
        upgraded(&self.upgrade, connection, took, link, probe).await.map(Link::Plain)
    }

    async fn open(&self, link: Link, _vu: &Vu) -> Result<Session, Fault> {
        Ok(match link {
            Link::Plain(link) => Session::Plain(plain::Session::new(link)),
            Link::Suite(session) => Session::Suite(session),
        })
    }

    #[inline]
    async fn call(
        &self,
        session: &mut Session,
        step: &Step,
        vu: &mut Vu,
        probe: &mut Probe<'_>,
    ) -> Result<Outcome, Fault> {
        let session = match session {
            Session::Plain(session) => session,
            Session::Suite(session) => return Box::pin(self.call_suite(session, step, vu, probe)).await,
        };
        session.tell_upgrade(probe);
        match step {
            Step::Echo(text) => session.echo(&self.rules, text, &vu.scope, probe).await,
            Step::Ping => session.ping(&self.rules, &vu.scope, probe).await,
            Step::Publish(text) => session.publish(&self.rules, text, &vu.scope, probe).await,
            Step::Hold | Step::Asked(_) => session.look(&self.rules, probe).await,
        }
    }

    async fn idle(&self, session: &mut Session, probe: &mut Probe<'_>) -> Fault {
        match (session, &self.suite) {
            (Session::Plain(session), _) => session.listen(&self.rules, probe).await,
            (Session::Suite(session), Some(suite)) => {
                Box::pin(session.idle(suite, &Scope::default(), probe)).await
            }
            (Session::Suite(_), None) => std::future::pending().await,
        }
    }

    async fn wait(
        &self,
        session: &mut Session,
        until: Option<&Step>,
        vu: &mut Vu,
        probe: &mut Probe<'_>,
    ) -> Result<(), Fault> {
        let until =
            until.and_then(|until| if let Step::Asked(asked) = until { Some(&**asked) } else { None });
        match (session, &self.suite) {
            (Session::Suite(session), Some(suite)) => session.wait(suite, until, &vu.scope, probe).await,
            (session, _) => Err(self.idle(session, probe).await),
        }
    }

    #[expect(
        clippy::manual_async_fn,
        reason = "an async fn has room for the session twice, and all may end at once"
    )]
    fn close(&self, mut session: Session, probe: &mut Probe<'_>) -> impl Future<Output = ()> {
        async move {
            match (&mut session, &self.suite) {
                (Session::Plain(session), _) => session.close(&self.rules, probe).await,
                (Session::Suite(session), Some(suite)) => Box::pin(session.close(suite, probe)).await,
                (Session::Suite(_), None) => {}
            }
        }
    }

    async fn setup(&self, target: &Found, control: &mut Control) -> Result<(), PrepareError> {
        let steps = self.suites().map_or(&[][..], |suite| &suite.setup);
        outside::setup(self, target, steps, control).await
    }

    async fn cleanup(&self, target: Option<&Found>, control: &mut Control) -> Result<(), PrepareError> {
        let steps = self.suites().map_or(&[][..], |suite| &suite.cleanup);
        let Some(target) = target.filter(|_| !steps.is_empty()) else { return Ok(()) };
        outside::cleanup(self, target, steps, control).await
    }
}

impl Ws {
    /// Bytes of a message.
    pub(crate) fn max_message(&self) -> usize {
        self.args.max_message.unwrap_or(MAX_MESSAGE) as usize
    }

    /// How connections are made.
    fn dial(&self) -> Dial<'_> {
        Dial { route: &self.route, host: "", port: 0, tls: self.tls.as_ref(), stages: None }
    }

    /// Opens a connection for a user of a suite, and upgrades it unless a step does.
    async fn connect_user(
        &self,
        suite: &Suite,
        target: &Target,
        link: LinkId,
        probe: &mut Probe<'_>,
    ) -> Result<Box<suite::Session>, Fault> {
        let (connection, took) = target.connect_timed(&self.dial(), link, probe).await?;
        let class = self.script.class_of(link.index);
        let http = (!suite.servers.is_empty()).then(|| Box::new(Http::new(target.clone(), link)));
        let connect = &suite.classes[class].connect;
        if connect.by_step {
            return Ok(Box::new(suite::Session::bare(class, (connection, took), http)));
        }
        let upgraded = upgraded(&connect.upgrade, connection, took, link, probe).await?;
        Ok(Box::new(suite::Session::open(class, upgraded, http)))
    }

    /// How connections are upgraded before any step.
    fn upgrades(&self) -> Vec<&Upgrade> {
        let Some(suite) = &self.suite else { return vec![&self.upgrade] };
        let connects = suite.classes.iter().map(|class| &class.connect).filter(|connect| !connect.by_step);
        connects.map(|connect| &connect.upgrade).collect()
    }

    fn suites(&self) -> Option<&FromSuite<Step>> {
        self.suite.as_ref().map(|suite| &suite.from)
    }

    /// Makes a call of a suite.
    async fn call_suite(
        &self,
        session: &mut suite::Session,
        step: &Step,
        vu: &mut Vu,
        probe: &mut Probe<'_>,
    ) -> Result<Outcome, Fault> {
        match (&self.suite, step) {
            (Some(suite), Step::Asked(asked)) => {
                let given = Given { suite, rules: &self.rules };
                session.call(&given, asked, vu, probe).await
            }
            // Sessions of suites meet steps of suites alone.
            _ => Ok(Outcome::default()),
        }
    }
}

/// Makes `connection`, for which it took so long, a WebSocket.
async fn upgraded(
    upgrade: &Upgrade,
    connection: Connection,
    took: reach::Took,
    link: LinkId,
    probe: &mut Probe<'_>,
) -> Result<Upgraded, Fault> {
    let scope = Scope::numbered(link.index, link.index, link.generation.into());
    let begun = probe.now();
    let ended = upgrade.run(connection, &scope).await;
    let (socket, _) = ended.map_err(|error| error.fault(probe))?;
    let at = probe.now();
    Ok(Upgraded { socket, took: Box::new(Took { connection: took, upgrade_ns: at.since(begun), at }) })
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

    #[test]
    fn suites_make_no_session_larger() {
        assert_eq!(size_of::<Session>(), size_of::<plain::Session>());
        assert_eq!(size_of::<Link>(), size_of::<Upgraded>());
    }
}
