//! What does the engine get? The protocol of the trait: flags in, one compiled request, faults told apart.

use std::sync::Arc;

use load_core::compile::FromSuite;
use load_core::error::{PrepareError, UsageError};
use load_core::outside;
use load_core::protocol::{Control, Fault, LinkId, Outcome, Probe, Protocol, Script, Sharing, Vu};
use load_core::sample::Exporter;
use load_net::args::{TlsArgs, wrong};
use load_net::connection::Tls;
use load_net::exporter::exporter;
use load_net::http::content::{Content, ContentArgs};
use load_net::http::{self, Agent, Exchanged, Manner, Parts, Sink};
use load_net::reach::{Dial, Target};
use load_net::redact::{self, Collector};
use load_net::stages;
use load_net::url::{Schemes, Url};
use load_report::fault::FaultKind;
use load_report::model::{ExtraPlan, RatePlan};
use load_suite::suite::Suite;
use load_suite::template::{Escape, Names, Template};

use crate::args::ApiArgs;
use crate::client::{self, Link, Request, Version};
use crate::expect::{Expect, Statuses};
use crate::manner;
use crate::rules::{self, Kept, Rules};
use crate::search::{Needle, Search};

const AGENT: &str = concat!("quintet-api-load/", env!("CARGO_PKG_VERSION"));

/// HTTP/1.1 or HTTP/2.
pub struct Api {
    pub(crate) url: Url,
    pub(crate) version: Version,
    method: String,
    /// All headers but `Content-Length`.
    pub(crate) headers: Vec<(String, String)>,
    content: Option<Content>,
    /// What it was made from.
    flags: ContentArgs,
    tls: Option<Tls>,
    pub(crate) manner: Arc<Manner>,
    /// The stages of calls are series.
    stages: bool,
    /// Whether certificates are verified, for the record.
    verified: Option<&'static str>,
    pub(crate) script: Script<Step>,
    /// What a suite adds.
    pub(crate) suite: Option<FromSuite<Step>>,
}

/// One call, compiled.
#[derive(Clone)]
pub struct Step {
    /// What is sent.
    pub request: Request,
    /// What must come back.
    pub expect: Expect,
    /// What a suite asks besides.
    pub rules: Option<Box<Rules>>,
}

/// One lane's connection, and what looks at the answers on it.
pub struct Session {
    http: client::Session,
    search: Search,
    kept: Kept,
}

impl Protocol for Api {
    const NAME: &'static str = "api";
    const RESUMES: bool = true;
    type Args = ApiArgs;
    type Target = Target;
    type Step = Step;
    type Link = Link;
    type Session = Session;

    fn new(args: ApiArgs) -> Result<Self, UsageError> {
        let tls = args.tls.clone();
        Self::unsettled(args)?.settled(&tls)
    }

    fn with_suite(args: ApiArgs, suite: Suite) -> Result<Self, UsageError> {
        crate::from_suite::api(args, &suite)
    }

    fn promised(&mut self, threshold: &str) {
        let is_named = stages::SERIES.iter().any(|(name, _)| threshold.contains(name));
        // Over HTTP/2 there are no stages, which is said of the metric then.
        self.stages |= is_named && self.version == Version::Http1;
    }

    fn label(&self) -> String {
        self.url.label()
    }

    fn describe(&self) -> serde_json::Value {
        let shown = |(name, value): &(String, String)| format!("{name}: {}", redact::header(name, value));
        let expect = self.script.calls().next().map(|call| &call.step.expect);
        serde_json::json!({
            "url": self.label(),
            "http": self.version.name(),
            "method": self.method,
            "headers": self.headers.iter().map(shown).collect::<Vec<_>>(),
            "body_bytes": self.content.as_ref().map(|content| content.bytes.len()),
            "expect_status": expect.map(|expect| expect.statuses.to_string()),
            "expect_text": expect.and_then(|expect| expect.text.as_ref()).map(Needle::text),
            "suite": self.suite.as_ref().map(FromSuite::describe),
            "tls": self.verified,
            "route": self.manner.route.describe(),
            "max_redirects": self.manner.ways.max_redirects,
            "cookies": self.manner.ways.cookies,
            "compressed": self.manner.ways.compressed,
            "max_body": self.manner.max_body,
        })
    }

    fn secrets(&self) -> Vec<String> {
        let mut all = Collector::default();
        for (name, value) in &self.headers {
            all.add_header(name, value);
        }
        all.add_url(&self.url);
        if let Some(content) = &self.content {
            all.add_body(&content.bytes);
        }
        self.flags.add_secrets(&mut all);
        if let Some(proxy) = self.manner.route.proxy() {
            proxy.add_secrets(&mut all);
        }
        let mut all = all.into_values();
        all.extend(self.suite.iter().flat_map(|suite| suite.secrets.iter().cloned()));
        all
    }

    fn ops(&self) -> Vec<String> {
        match &self.suite {
            Some(suite) => suite.plans.ops.clone(),
            None => vec![format!("{} {}", self.method, redact::target(&self.url.target))],
        }
    }

    fn extras(&self) -> Vec<ExtraPlan> {
        let mut all = self.suite.as_ref().map_or_else(Vec::new, |suite| suite.plans.extras.clone());
        if self.stages {
            all.extend(stages::plans());
        }
        all
    }

    fn counters(&self) -> Vec<ExtraPlan> {
        self.suite.as_ref().map_or_else(Vec::new, |suite| suite.plans.counters.clone())
    }

    fn rates(&self) -> Vec<RatePlan> {
        self.suite.as_ref().map_or_else(Vec::new, |suite| suite.plans.rates.clone())
    }

    fn spreads(&self) -> bool {
        self.manner.route.spreads(&self.url.host)
    }

    fn exporter(args: &ApiArgs, url: &str, token: Option<&str>) -> Result<Arc<dyn Exporter>, UsageError> {
        exporter(url, token, &args.tls)
    }

    fn script(&self) -> &Script<Step> {
        &self.script
    }

    fn sharing(&self) -> Sharing {
        self.version.sharing()
    }

    fn cancels(&self) -> bool {
        // A stream is reset; in HTTP/1.1 a late answer would be taken for that of the next call.
        matches!(self.version, Version::Http2(_))
    }

    async fn prepare(&self, _control: &mut Control) -> Result<Target, PrepareError> {
        let target = Target::find_by(&self.manner.route, &self.url, self.tls.clone()).await?;
        self.version.check(&self.url, &target, &self.dial(None)).await?;
        if self.manner.route.proxy().is_some() {
            // It is the proxy that knows other hosts.
            return Ok(target);
        }
        target.with_others(self.manner.redirect_hosts.iter().map(|other| other.host.as_str())).await
    }

    async fn connect(&self, target: &Target, link: LinkId, probe: &mut Probe<'_>) -> Result<Link, Fault> {
        let stages = self.first_stage();
        let connection = target.connect_by(&self.dial(stages), link, probe).await?;
        let agent = |connection| Agent::new(connection, link, target, &self.manner, stages);
        self.version.begin(connection, probe, agent).await
    }

    fn share(&self, link: &Link) -> Option<Link> {
        link.share()
    }

    async fn open(&self, link: Link, _vu: &Vu) -> Result<Session, Fault> {
        let http = client::Session::new(link, &self.manner);
        Ok(Session { http, search: Search::default(), kept: Kept::default() })
    }

    #[inline]
    async fn call(
        &self,
        session: &mut Session,
        step: &Step,
        vu: &mut Vu,
        probe: &mut Probe<'_>,
    ) -> Result<Outcome, Fault> {
        let Session { http, search, kept } = session;
        if let Some(rules) = &step.rules {
            return rules::call(http, kept, (step, rules), vu, probe).await;
        }
        if probe.shows() {
            return rules::call(http, kept, (step, &Rules::default()), vu, probe).await;
        }
        search.begin();
        let look = Look { needle: step.expect.text.as_ref(), search };
        let exchanged = http.exchange(&step.request, vu, look, probe).await;
        judge(exchanged, search.found(), &step.expect, probe)
    }

    async fn idle(&self, session: &mut Session, probe: &mut Probe<'_>) -> Fault {
        session.http.unasked().await.fault(probe)
    }

    async fn close(&self, session: Session, _probe: &mut Probe<'_>) {
        session.http.close().await;
    }

    async fn setup(&self, target: &Target, control: &mut Control) -> Result<(), PrepareError> {
        let steps = self.suite.as_ref().map_or(&[][..], |suite| &suite.setup);
        outside::setup(self, target, steps, control).await
    }

    async fn cleanup(&self, target: Option<&Target>, control: &mut Control) -> Result<(), PrepareError> {
        let steps = self.suite.as_ref().map_or(&[][..], |suite| &suite.cleanup);
        let Some(target) = target.filter(|_| !steps.is_empty()) else { return Ok(()) };
        outside::cleanup(self, target, steps, control).await
    }
}

impl Api {
    /// Everything but what follows from the steps: see [`Api::settled`].
    pub(crate) fn unsettled(args: ApiArgs) -> Result<Self, UsageError> {
        let text = args.url.as_deref().ok_or_else(|| {
            UsageError::new("no target: give --url http://HOST[:PORT]/PATH, or set API_URL")
        })?;
        Template::parse(text).map_err(|error| wrong("--url", error))?;
        let url = Url::parse(text, Schemes::HTTP).map_err(|error| wrong("--url", error))?;
        let content = args.content.content()?;
        let method = method(&args, content.is_some())?;
        let mut headers = args.headers.headers(&url, AGENT)?;
        let alpn: &[u8] = if args.http2 { b"h2" } else { b"http/1.1" };
        let tls = args.tls.tls(&url, &[alpn])?;
        let manner = manner::manner(&args, &url, tls.as_ref())?;
        let version = Version::asked(&args, &manner)?;
        manner::announce(&args, &manner, content.as_ref(), &mut headers)?;
        let target = format!("{}{}", manner.ahead(), url.target);
        let body = content.as_ref().map(|content| content.template(&Names::none(), Escape::Raw)).transpose();
        let body = body.map_err(|error| wrong("request", format!("body: {error}")))?;
        let parts = Parts {
            method: &method,
            target: &target,
            headers: &headers,
            body: body.as_ref().map(http::Body::Text),
        };
        let request = version.request((url.secure, manner.ways), &parts, &Names::none());
        let request = request.map_err(|error| wrong("request", error))?;
        let text = args.expect_text.as_deref().and_then(Needle::new);
        if request.text.head_only && text.is_some() {
            return Err(UsageError::new("--expect-text: the answer to HEAD has no body; use --method GET"));
        }
        let expect = Expect { statuses: Statuses::new(args.expect_status.clone()), text };
        let script = Script::call(Step { request, expect, rules: None });
        let verified = args.tls.describe(&url);
        let (manner, flags) = (Arc::new(manner), args.content);
        let (stages, suite) = (args.stages, None);
        Ok(Self {
            url,
            version,
            method,
            headers,
            content,
            flags,
            tls,
            manner,
            stages,
            verified,
            script,
            suite,
        })
    }

    /// Ready for the calls of its script.
    pub(crate) fn settled(mut self, tls: &TlsArgs) -> Result<Self, UsageError> {
        let outside = self.suite.iter().flat_map(|suite| suite.setup.iter().chain(&suite.cleanup));
        let all = self.script.calls().map(|call| &call.step).chain(outside.map(|one| &one.step));
        let ways: Vec<_> = all.map(|step| step.request.text.ways).collect();
        if let Some(manner) = Arc::get_mut(&mut self.manner) {
            manner::settle(manner, &ways, tls)?;
        }
        Ok(self)
    }

    /// How connections are made.
    fn dial(&self, stages: Option<usize>) -> Dial<'_> {
        let (route, tls) = (&self.manner.route, self.tls.as_ref());
        Dial { route, host: &self.url.host, port: self.url.port, tls, stages }
    }

    /// The index of the first series of the stages, which come behind all others; none where they are not measured.
    fn first_stage(&self) -> Option<usize> {
        self.stages.then(|| self.extras().len() - stages::SERIES.len())
    }
}

/// Searches bodies where something is to be found.
struct Look<'a> {
    needle: Option<&'a Needle>,
    search: &'a mut Search,
}

impl Sink for Look<'_> {
    #[inline]
    fn body(&mut self, piece: &[u8]) {
        if let Some(needle) = self.needle {
            self.search.feed(piece, needle);
        }
    }

    fn wants_body(&self) -> bool {
        self.needle.is_some()
    }
}

/// Was the answer what it had to be?
#[inline]
fn judge(
    exchanged: Exchanged,
    found: bool,
    expect: &Expect,
    probe: &mut Probe<'_>,
) -> Result<Outcome, Fault> {
    let Exchanged { result, sent, received } = exchanged;
    let answer = match result {
        Ok(answer) => answer,
        Err(failure) => return Err(failure.fault(probe).after(sent, received)),
    };
    let ends_session = !answer.keep_alive;
    let unexpected = !expect.statuses.contains(answer.status);
    if !unexpected && (found || expect.text.is_none()) {
        return Ok(Outcome { sent: sent.into(), received, ends_session, ..Outcome::default() });
    }
    let fault = if unexpected {
        http::refused(answer.status, &expect.statuses, probe)
    } else {
        lacking(expect, probe)
    };
    Err(Fault { ends_session, ..fault }.after(sent, received))
}

#[cold]
fn lacking(expect: &Expect, probe: &mut Probe<'_>) -> Fault {
    probe.note(format_args!(
        "the body lacks {:?}",
        expect.text.as_ref().map(Needle::text).unwrap_or_default()
    ));
    Fault::answered(FaultKind::Wrong, 0)
}

fn method(args: &ApiArgs, has_body: bool) -> Result<String, UsageError> {
    let method = args.method.as_deref().unwrap_or(if has_body { "POST" } else { "GET" });
    if method == "CONNECT" || ::http::Method::from_bytes(method.as_bytes()).is_err() {
        return Err(wrong("--method", format!("{method:?}; expected a method like GET or POST")));
    }
    Ok(method.to_owned())
}
