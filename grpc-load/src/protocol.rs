//! What does the engine get? The protocol of the trait: flags in, compiled calls, faults told apart.

use std::collections::BTreeSet;
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::{Arc, OnceLock};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use load_core::compile::{FromSuite, plan};
use load_core::error::{PrepareError, UsageError};
use load_core::outside;
use load_core::protocol::{Control, Fault, LinkId, Outcome, Probe, Protocol, Script, Sharing, Vu};
use load_core::sample::Exporter;
use load_net::args::{read, wrong};
use load_net::exporter::exporter;
use load_net::http2::greet::in_time;
use load_net::reach;
use load_net::redact::Collector;
use load_report::fault::FaultKind;
use load_report::model::{ExtraPlan, RatePlan};
use load_suite::scope::Scope;
use load_suite::suite::Suite;
use load_suite::template::Template;
use prost_reflect::DescriptorPool;
use serde::{Deserialize, Serialize};

use crate::args::GrpcArgs;
use crate::asked::{Asked, Expect};
use crate::call::Call;
use crate::descriptor::MethodName;
use crate::json::well_formed;
use crate::link::Link;
use crate::rules::{self, Rules};
use crate::server::Server;
use crate::session::Session;
use crate::status::Codes;

/// Largest message of an answer unless `--max-message` says otherwise.
const MAX_MESSAGE: u64 = 64 << 20;

/// Series of all runs, in the order of their indices.
pub(crate) const SERIES: [(&str, &str); 4] = [
    ("stream_wait", "until a connection has a stream free, for calls that had to wait"),
    ("first_message", "from the beginning of a call to the first message of its stream"),
    ("message_gap", "from one message of a stream to the next"),
    (
        "message_latency",
        "where both sides stream: from sending a message to the one that answers it, first to first",
    ),
];
pub(crate) const STREAM_WAIT: usize = 0;
pub(crate) const FIRST_MESSAGE: usize = 1;
pub(crate) const MESSAGE_GAP: usize = 2;
pub(crate) const MESSAGE_LATENCY: usize = 3;

/// gRPC.
pub struct Grpc {
    pub(crate) server: Server,
    /// What is called; steps are indices.
    pub(crate) asked: Vec<Asked>,
    streams: Option<NonZeroU32>,
    /// One for all workers of a process.
    calls: OnceLock<Result<Arc<[Call]>, String>>,
    pub(crate) script: Script<Step>,
    /// What a suite adds.
    pub(crate) suite: Option<FromSuite<Step>>,
}

/// One call of a script.
#[derive(Clone)]
pub struct Step {
    /// Its index.
    pub(crate) call: usize,
    /// What a suite asks besides.
    pub(crate) rules: Option<Box<Rules>>,
}

/// Where the target is, and what it serves.
#[derive(Clone, Serialize, Deserialize)]
pub struct Target {
    reach: reach::Target,
    /// A `FileDescriptorSet` in base64.
    descriptors: String,
}

impl Grpc {
    /// Compiles the calls that `pool` describes.
    fn compile(&self, pool: &DescriptorPool) -> Result<Arc<[Call]>, String> {
        let compiled = |asked: &Asked| {
            let head = self.server.head(&asked.method.path())?;
            let method = asked.method.find(pool).map_err(|why| match &asked.step {
                Some(_) => format!("{}: {why}", asked.place("call")),
                None => why,
            })?;
            Call::new(head, method, asked)
        };
        self.asked.iter().map(compiled).collect()
    }

    /// The calls, compiled once a process.
    fn calls(&self, target: &Target) -> Result<Arc<[Call]>, String> {
        let compile = || {
            let bytes = BASE64_STANDARD.decode(&target.descriptors).map_err(|error| error.to_string())?;
            let pool = DescriptorPool::decode(bytes.as_slice()).map_err(|error| error.to_string())?;
            self.compile(&pool)
        };
        self.calls.get_or_init(compile).clone()
    }

    /// Finds the target, makes sure that it speaks HTTP/2, and learns what the methods' types are.
    async fn discover(&self, control: &mut Control) -> Result<Target, String> {
        let (reach, link) = self.server.greet().await?;
        let services: BTreeSet<_> = self.asked.iter().map(|asked| asked.method.service.clone()).collect();
        let services: Vec<_> = services.into_iter().collect();
        let pool = self.server.pool(&link, &services, control).await?;
        let calls = self.compile(&pool)?;
        // The first to say so: nothing has been sent yet.
        let _ = self.calls.set(Ok(calls));
        Ok(Target { reach, descriptors: BASE64_STANDARD.encode(pool.encode_to_vec()) })
    }

    /// Ready to be prepared: what is wrong with the calls and needs no server to be known is told here.
    pub(crate) fn settled(self) -> Result<Self, UsageError> {
        if let Some(pool) = &self.server.pool {
            self.compile(pool).map_err(UsageError::new)?;
        }
        Ok(self)
    }

    /// Everything but what is called.
    pub(crate) fn of(server: Server, streams: Option<NonZeroU32>) -> Self {
        let script = Script::call(Step { call: 0, rules: None });
        Self { server, asked: Vec::new(), streams, calls: OnceLock::new(), script, suite: None }
    }
}

/// What is called, but for `method` and `json`, as `args` say it.
pub(crate) fn asked(args: &GrpcArgs, method: MethodName, json: Template) -> Asked {
    Asked {
        step: None,
        json_by: if args.json_file.is_some() { "json_file" } else { "json" },
        method,
        json,
        metadata: Vec::new(),
        expect: Expect {
            codes: Codes::new(args.expect_code.clone()),
            text: args.expect_text.clone().filter(|text| !text.is_empty()),
            max_message: args.max_message.unwrap_or(MAX_MESSAGE),
        },
        looks: false,
        gzip: args.gzip,
        messages: args.messages,
        in_flight: args.in_flight.map_or(u64::MAX, NonZeroU64::get),
        deadline: args.deadline,
    }
}

impl Protocol for Grpc {
    const NAME: &'static str = "grpc";
    type Args = GrpcArgs;
    type Target = Target;
    type Step = Step;
    type Link = Link;
    type Session = Session;

    fn new(args: GrpcArgs) -> Result<Self, UsageError> {
        let server = Server::new(&args.server)?;
        let method = args
            .method
            .as_deref()
            .ok_or_else(|| UsageError::new("no method: give --method pkg.Service/Method"))?;
        let method = MethodName::parse(method).map_err(|error| wrong("--method", error))?;
        let (flag, json) = json(&args)?;
        let json = Template::parse(&json).map_err(|error| wrong(flag, error))?;
        let mut first = Vec::new();
        json.render(&Scope::default(), &mut first);
        well_formed(&first).map_err(|error| wrong(flag, error))?;
        if args.deadline.is_some() && server.metadata.has("grpc-timeout") {
            return Err(UsageError::new(
                "--deadline and --metadata grpc-timeout say the same; leave one out",
            ));
        }
        let mut grpc = Self::of(server, args.streams);
        grpc.asked.push(asked(&args, method, json));
        grpc.settled()
    }

    fn with_suite(args: GrpcArgs, suite: Suite) -> Result<Self, UsageError> {
        crate::from_suite::grpc(args, &suite)
    }

    fn label(&self) -> String {
        match self.asked.as_slice() {
            [only] if self.suite.is_none() => format!("{}/{}", self.server.label(), only.method),
            _ => self.server.label(),
        }
    }

    fn describe(&self) -> serde_json::Value {
        let first = self.asked.first().filter(|_| self.suite.is_none());
        serde_json::json!({
            "url": self.server.label(),
            "method": first.map(|asked| asked.method.to_string()),
            "json_bytes": first.map(|asked| asked.json.source().len()),
            "metadata": self.server.metadata.describe(),
            "authority": self.server.authority,
            "types_from": self.server.types_from(),
            "messages": first.and_then(|asked| asked.messages),
            "in_flight": first.map(|asked| asked.in_flight).filter(|&n| n < u64::MAX),
            "deadline_ms": first.and_then(|asked| asked.deadline).map(|deadline| deadline.as_secs_f64() * 1e3),
            "gzip": first.map(|asked| asked.gzip),
            "expect_code": first.map(|asked| asked.expect.codes.to_string()),
            "expect_text": first.and_then(|asked| asked.expect.text.clone()),
            "max_message": first.map(|asked| asked.expect.max_message),
            "suite": self.suite.as_ref().map(FromSuite::describe),
            "tls": self.server.verified,
        })
    }

    fn secrets(&self) -> Vec<String> {
        let mut all = Collector::default();
        self.server.metadata.collect(&mut all);
        for asked in &self.asked {
            all.add_body(asked.json.source().as_bytes());
        }
        let mut all = all.into_values();
        all.extend(self.suite.iter().flat_map(|suite| suite.secrets.iter().cloned()));
        all
    }

    fn ops(&self) -> Vec<String> {
        match &self.suite {
            Some(suite) => suite.plans.ops.clone(),
            None => self.asked.iter().map(|asked| asked.method.to_string()).collect(),
        }
    }

    fn extras(&self) -> Vec<ExtraPlan> {
        self.suite.as_ref().map_or_else(|| SERIES.map(plan).into(), |suite| suite.plans.extras.clone())
    }

    fn counters(&self) -> Vec<ExtraPlan> {
        self.suite.as_ref().map_or_else(Vec::new, |suite| suite.plans.counters.clone())
    }

    fn rates(&self) -> Vec<RatePlan> {
        self.suite.as_ref().map_or_else(Vec::new, |suite| suite.plans.rates.clone())
    }

    fn exporter(args: &GrpcArgs, url: &str, token: Option<&str>) -> Result<Arc<dyn Exporter>, UsageError> {
        exporter(url, token, &args.server.tls)
    }

    fn script(&self) -> &Script<Step> {
        &self.script
    }

    fn sharing(&self) -> Sharing {
        Sharing::Shared { lanes: self.streams }
    }

    fn cancels(&self) -> bool {
        true
    }

    async fn prepare(&self, control: &mut Control) -> Result<Target, PrepareError> {
        in_time(&self.server.url.authority, self.discover(control)).await.map_err(PrepareError::new)
    }

    async fn connect(&self, target: &Target, link: LinkId, probe: &mut Probe<'_>) -> Result<Link, Fault> {
        if let Err(why) = self.calls(target) {
            probe.note(why);
            return Err(Fault::fatal(FaultKind::Local));
        }
        let connection = target.reach.connect(link, self.server.tls.as_ref(), probe).await?;
        Link::begin(connection, probe).await
    }

    fn share(&self, link: &Link) -> Option<Link> {
        link.http2.is_open().then(|| link.clone())
    }

    async fn open(&self, link: Link, _vu: &Vu) -> Result<Session, Fault> {
        let calls = self.calls.get().and_then(|calls| calls.as_ref().ok());
        calls.map(|calls| Session::new(link, Arc::clone(calls))).ok_or_else(|| Fault::fatal(FaultKind::Local))
    }

    #[inline]
    async fn call(
        &self,
        session: &mut Session,
        step: &Step,
        vu: &mut Vu,
        probe: &mut Probe<'_>,
    ) -> Result<Outcome, Fault> {
        if let Some(rules) = &step.rules {
            return rules::call(session, (step.call, rules), vu, probe).await;
        }
        if probe.shows() {
            return rules::call(session, (step.call, &Rules::default()), vu, probe).await;
        }
        session.exchange(step.call, &vu.scope, probe).await
    }

    async fn idle(&self, session: &mut Session, probe: &mut Probe<'_>) -> Fault {
        session.ended(probe).await
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

/// The request as JSON, and the flag that it came by.
fn json(args: &GrpcArgs) -> Result<(&'static str, String), UsageError> {
    match (&args.json, &args.json_file) {
        (Some(text), _) => Ok(("--json", text.clone())),
        (None, Some(file)) => {
            let text = String::from_utf8(read("--json-file", file)?);
            text.map(|text| ("--json-file", text)).map_err(|_| wrong("--json-file", "expected JSON in UTF-8"))
        }
        (None, None) => Ok(("--json", "{}".into())),
    }
}
