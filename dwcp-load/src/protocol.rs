//! What does the engine get? A migration as one iteration: order, looks until its end, statistics, list.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use load_core::error::{PrepareError, UsageError};
use load_core::protocol::{
    Control, Fault, LinkId, Outcome, Poll, Probe, Protocol, Script, Task, TaskStep, Vu,
};
use load_core::sample::Exporter;
use load_net::args::wrong;
use load_net::connection::{Connection, Tls};
use load_net::exporter::exporter;
use load_net::http::{self, Body, Parts, Request};
use load_net::reach;
use load_net::redact::Collector;
use load_net::url::{Schemes, Url};
use load_report::fault::FaultKind;
use load_report::model::ExtraPlan;
use load_suite::scope::Scope;
use load_suite::template::Names;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};

use crate::args::DwcpArgs;
use crate::events::{self, Events, wall_ns};
use crate::job::{Accepted, Job, List, Stats, Status};
use crate::session::{Answer, Migration, Session};
use crate::version::{Ear, Heard};

const API: &str = "/api/v1/dwcp";
const STREAM: &str = "/dwcp/v3/stream";
pub(crate) const AGENT: &str = concat!("quintet-dwcp-load/", env!("CARGO_PKG_VERSION"));
/// What is written as %XX in a path: all but the unreserved characters of RFC 3986.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// Largest body of an answer, in bytes.
const MAX_BODY: u64 = 16 << 20;

/// The protocol's own series.
#[derive(Clone, Copy)]
pub(crate) enum Series {
    MigrationTime,
    ProtocolLatency,
    EventLatency,
}

/// The protocol's own counters.
#[derive(Clone, Copy)]
pub(crate) enum Counter {
    Started,
    Completed,
    Failed,
    Lost,
    Duplicated,
    DataLoss,
    Events,
    EventsDuplicated,
}

/// What is wrong with a migration: the code of its fault.
mod code {
    pub(super) const FAILED: u32 = 1;
    pub(super) const LOST: u32 = 2;
    pub(super) const NOT_ENDED: u32 = 3;
    pub(super) const DATA_LOSS: u32 = 4;
    pub(super) const DUPLICATED: u32 = 5;
}

/// Migrations.
pub struct Dwcp {
    url: Url,
    stream: Option<Url>,
    headers: Vec<(String, String)>,
    tls: Option<Tls>,
    stream_tls: Option<Tls>,
    verified: Option<&'static str>,
    max_polls: u32,
    poll_s: f64,
    /// What names of VMs are made of: the iteration's number comes behind it.
    vm: String,
    script: Script<Step>,
}

/// One call, compiled.
pub enum Step {
    /// Orders a migration.
    Order(Request),
    /// Looks how it goes.
    Look,
    /// Asks for the statistics.
    Stats(Request),
    /// Asks for the jobs of the VM.
    List(Request),
}

/// Where connections go.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Target {
    api: reach::Target,
    stream: Option<reach::Target>,
}

/// A lane's two connections.
pub struct Link {
    http: Connection,
    events: Option<Events>,
}

/// What tells this run from another: time and process, and a number for tests in one process.
pub(crate) fn mark() -> u64 {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let mark = (wall_ns().unsigned_abs() / 1_000) ^ (u64::from(std::process::id()) << 40);
    mark.wrapping_add(COUNT.fetch_add(1, Ordering::Relaxed))
}

impl Protocol for Dwcp {
    const NAME: &'static str = "dwcp";
    const SUITES: bool = false;
    type Args = DwcpArgs;
    type Target = Target;
    type Step = Step;
    type Link = Link;
    type Session = Session;

    fn new(args: DwcpArgs) -> Result<Self, UsageError> {
        let text = args
            .url
            .as_deref()
            .ok_or_else(|| UsageError::new("no target: give --url http://HOST[:PORT], or set API_URL"))?;
        let url = Url::parse(text, Schemes::HTTP).map_err(|error| wrong("--url", error))?;
        let stream = match (&args.stream_url, args.no_stream) {
            (_, true) => None,
            (Some(text), false) => {
                Some(Url::parse(text, Schemes::WS).map_err(|error| wrong("--stream-url", error))?)
            }
            (None, false) => Some(Url {
                scheme: if url.secure { Schemes::WS.secure } else { Schemes::WS.plain },
                target: STREAM.to_owned(),
                ..url.clone()
            }),
        };
        for (flag, text) in [
            ("--vm-prefix", &args.vm_prefix),
            ("--source-zone", &args.source_zone),
            ("--target-zone", &args.target_zone),
        ] {
            if text.is_empty() || !text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)) {
                return Err(wrong(flag, format!("{text:?}; expected letters, digits, '.', '_' and '-'")));
            }
        }
        let mut headers = args.headers.headers(&url, AGENT)?;
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
            headers.push(("Content-Type".into(), "application/json".into()));
        }
        let vm = format!("{}-{:x}", args.vm_prefix, mark());
        let mut dwcp = Self {
            tls: args.tls.tls(&url, &[b"http/1.1"])?,
            stream_tls: stream.as_ref().map(|url| args.tls.tls(url, &[b"http/1.1"])).transpose()?.flatten(),
            verified: args.tls.describe(&url),
            max_polls: args.max_polls,
            poll_s: args.poll_interval.as_secs_f64(),
            url,
            stream,
            headers,
            vm,
            script: Script::of(Vec::new()),
        };
        dwcp.script = Script::of(vec![Task::new(1, dwcp.steps(&args)?)]);
        Ok(dwcp)
    }

    fn label(&self) -> String {
        self.url.label()
    }

    fn describe(&self) -> serde_json::Value {
        serde_json::json!({
            "url": self.url.label(),
            "stream": self.stream.as_ref().map(Url::label),
            "poll_interval_s": self.poll_s,
            "max_polls": self.max_polls,
            "tls": self.verified,
        })
    }

    fn secrets(&self) -> Vec<String> {
        let mut all = Collector::default();
        for (name, value) in &self.headers {
            all.add_header(name, value);
        }
        for url in [Some(&self.url), self.stream.as_ref()].into_iter().flatten() {
            all.add_url(url);
        }
        all.into_values()
    }

    fn ops(&self) -> Vec<String> {
        ["POST migrations", "GET migrations/{job_id}", "GET stats", "GET migrations"]
            .map(str::to_owned)
            .to_vec()
    }

    fn extras(&self) -> Vec<ExtraPlan> {
        let series = |name: &str, help: &str| ExtraPlan { name: name.into(), help: help.into() };
        vec![
            series("migration_time", "From the order to the first sight of the job's completion."),
            series("protocol_latency", "From the order to its acceptance."),
            series("event_latency", "From the timestamp of an event to its being read."),
        ]
    }

    fn counters(&self) -> Vec<ExtraPlan> {
        let counter = |(name, help): (&str, &str)| ExtraPlan { name: name.into(), help: help.into() };
        [
            ("jobs_started", "Orders that were accepted."),
            ("jobs_completed", "Jobs that were seen to complete without a loss of data."),
            ("jobs_failed", "Jobs that were seen to fail."),
            ("jobs_lost", "Jobs that were accepted and then unknown, or not ended at the last look."),
            ("jobs_duplicated", "Orders that made more than one job, and jobs that were named twice."),
            ("jobs_data_loss", "Jobs that completed and lost data, or did not say that they lost none."),
            ("events", "Events that came."),
            ("events_duplicated", "Events of the lane's job that came again."),
        ]
        .map(counter)
        .to_vec()
    }

    fn exporter(args: &DwcpArgs, url: &str, token: Option<&str>) -> Result<Arc<dyn Exporter>, UsageError> {
        exporter(url, token, &args.tls)
    }

    fn script(&self) -> &Script<Step> {
        &self.script
    }

    async fn prepare(&self, control: &mut Control) -> Result<Target, PrepareError> {
        let api = reach::Target::find(&self.url, self.tls.clone()).await?;
        let stream = match &self.stream {
            Some(url) => Some(reach::Target::find(url, self.stream_tls.clone()).await?),
            None => None,
        };
        self.look_at_version(&api, control).await?;
        if let (Some(url), Some(target)) = (&self.stream, &stream) {
            self.look_at_stream(url, target).await?;
            control.calls += 1;
        }
        Ok(Target { api, stream })
    }

    async fn connect(&self, target: &Target, link: LinkId, probe: &mut Probe<'_>) -> Result<Link, Fault> {
        let http = target.api.connect(link, self.tls.as_ref(), probe).await?;
        let events = match (&self.stream, &target.stream) {
            (Some(url), Some(target)) => {
                let connection = target.connect(link, self.stream_tls.as_ref(), probe).await?;
                let opened = Events::open(&stream_url(url), &self.headers, connection).await;
                Some(opened.map_err(|error| events::fault(&error, probe))?)
            }
            _ => None,
        };
        Ok(Link { http, events })
    }

    async fn open(&self, link: Link, _vu: &Vu) -> Result<Session, Fault> {
        Ok(Session::new(http::Session::new(link.http, MAX_BODY), link.events))
    }

    async fn call(
        &self,
        session: &mut Session,
        step: &Step,
        vu: &mut Vu,
        probe: &mut Probe<'_>,
    ) -> Result<Outcome, Fault> {
        let scope = &vu.scope;
        match step {
            Step::Order(request) => self.order(session, request, scope, probe).await,
            Step::Look => self.look(session, scope, probe).await,
            Step::Stats(request) => {
                let answer = session.exchange(request, scope, probe).await?;
                session.read::<Stats>(&answer, 200, probe)?;
                Ok(done(&answer))
            }
            Step::List(request) => self.list(session, request, scope, probe).await,
        }
    }

    async fn idle(&self, session: &mut Session, probe: &mut Probe<'_>) -> Fault {
        session.idle(probe).await
    }

    async fn close(&self, session: Session, _probe: &mut Probe<'_>) {
        if let Some(events) = session.events {
            events.close().await;
        }
        session.http.close().await;
    }
}

impl Dwcp {
    fn request(&self, method: &str, path: &str, body: Option<&[u8]>) -> Result<Request, String> {
        let target = format!("{}{API}{path}", self.url.target.trim_end_matches('/'));
        let parts = Parts { method, target: &target, headers: &self.headers, body: body.map(Body::Bytes) };
        Request::new(&parts, &Names::none())
    }

    fn steps(&self, args: &DwcpArgs) -> Result<Vec<TaskStep<Step>>, UsageError> {
        let compiled = |request: Result<Request, String>| request.map_err(|error| wrong("request", error));
        let body = serde_json::json!({
            "vm_id": format!("{}-{{{{seq}}}}", self.vm),
            "source_zone": args.source_zone,
            "target_zone": args.target_zone,
            "protocol": "dwcp-v3",
            "live_migration": true,
            "bandwidth_limit_mbps": 1000,
            "compression": true,
            "encryption": true,
        })
        .to_string();
        let order = compiled(self.request("POST", "/migrations", Some(body.as_bytes())))?;
        let poll = Poll { every: args.poll_interval.into(), at_most: args.max_polls, series: None };
        let mut steps = vec![TaskStep::new(0, Step::Order(order)), TaskStep::polled(1, Step::Look, poll)];
        if !args.no_list {
            let list = format!("/migrations?vm_id={}-{{{{seq}}}}&limit=100", self.vm);
            steps.push(TaskStep::new(2, Step::Stats(compiled(self.request("GET", "/stats", None))?)));
            steps.push(TaskStep::new(3, Step::List(compiled(self.request("GET", &list, None))?)));
        }
        Ok(steps)
    }

    /// Whether what answers is the API: a call outside the schedule.
    async fn look_at_version(
        &self,
        target: &reach::Target,
        control: &mut Control,
    ) -> Result<(), PrepareError> {
        let failed = |why: String| PrepareError::new(format!("no DWCP API at {}: {why}", self.url.label()));
        let address = target.addresses.first().ok_or_else(|| failed("no address".into()))?;
        let connection = Connection::open(*address, self.tls.as_ref()).await;
        let connection = connection.map_err(|_| failed("the connection failed".into()))?;
        let request = self.request("GET", "/version", None).map_err(failed)?;
        let mut session = http::Session::new(connection, MAX_BODY);
        let (mut heard, scope) = (Heard::default(), Scope::default());
        let exchange = session.exchange(&request, &scope, Ear(&mut heard));
        let status = match within_limit(exchange).await {
            Some(exchanged) => {
                exchanged.result.map(|answer| answer.status).map_err(|failure| match failure {
                    http::Failure::Io(error) => failed(error.to_string()),
                    http::Failure::Broken(why, sample) => failed(format!("{} {sample}", why.what)),
                    http::Failure::Answered(why) => failed(why.what.to_owned()),
                    http::Failure::Told(_, why) => failed(why),
                })?
            }
            None => return Err(failed(format!("no answer to GET {API}/version in {LIMIT:?}"))),
        };
        control.calls += 1;
        session.close().await;
        heard.judge(status).map_err(|why| failed(format!("GET {API}/version: {why}")))
    }

    async fn look_at_stream(&self, url: &Url, target: &reach::Target) -> Result<(), PrepareError> {
        let failed = |why: String| {
            PrepareError::new(format!("no event stream at {}: {why}; --no-stream does without", url.label()))
        };
        let address = target.addresses.first().ok_or_else(|| failed("no address".into()))?;
        let connection = Connection::open(*address, self.stream_tls.as_ref()).await;
        let connection = connection.map_err(|_| failed("the connection failed".into()))?;
        match within_limit(Events::open(&stream_url(url), &self.headers, connection)).await {
            Some(Ok(events)) => {
                events.close().await;
                Ok(())
            }
            Some(Err(error)) => Err(failed(error.to_string())),
            None => Err(failed(format!("no answer in {LIMIT:?}"))),
        }
    }

    async fn order(
        &self,
        session: &mut Session,
        request: &Request,
        scope: &Scope,
        probe: &mut Probe<'_>,
    ) -> Result<Outcome, Fault> {
        let before = session.migration.take();
        let ordered = probe.now();
        let answer = session.exchange(request, scope, probe).await?;
        let accepted: Accepted = session.read(&answer, 202, probe)?;
        probe.observe(Series::ProtocolLatency as usize, probe.now().since(ordered));
        probe.count(Counter::Started as usize, 1);
        let named_twice = before.is_some_and(|before| before.job_id == accepted.job_id);
        // Whatever a server calls its jobs, it stays one segment of a path.
        let path = format!("/migrations/{}", utf8_percent_encode(&accepted.job_id, ESCAPED));
        let look = self.request("GET", &path, None).ok().filter(|_| !accepted.job_id.is_empty());
        let Some(look) = look else {
            probe.note("the order was accepted without a job_id");
            return Err(answer.fault(FaultKind::Wrong, 0));
        };
        if named_twice {
            probe.count(Counter::Duplicated as usize, 1);
            probe.note(format_args!("two orders have one job, {}", accepted.job_id));
            return Err(answer.fault(FaultKind::Wrong, code::DUPLICATED));
        }
        if let Some(events) = &mut session.events {
            events.subscribe(&accepted.job_id).await.map_err(|error| events::fault(&error, probe))?;
        }
        session.migration = Some(Migration::new(accepted.job_id, look, ordered));
        Ok(done(&answer))
    }

    async fn look(
        &self,
        session: &mut Session,
        scope: &Scope,
        probe: &mut Probe<'_>,
    ) -> Result<Outcome, Fault> {
        // Taken out, so that the request can be read while the session is written.
        let Some(look) = session.migration.as_ref().map(|migration| migration.look.clone()) else {
            return Err(Fault::answered(FaultKind::Local, 0));
        };
        let answer = session.exchange(&look, scope, probe).await?;
        let (job_id, looks) = match &mut session.migration {
            Some(migration) => {
                migration.looks += 1;
                (migration.job_id.clone(), migration.looks)
            }
            None => return Err(Fault::answered(FaultKind::Local, 0)),
        };
        if answer.status == 404 {
            probe.count(Counter::Lost as usize, 1);
            probe.note(format_args!("migration {job_id} was accepted and is unknown now"));
            return Err(answer.fault(FaultKind::Wrong, code::LOST));
        }
        let job: Job = session.read(&answer, 200, probe)?;
        let mut ended = |counter: Counter, code: u32, what: &str| {
            probe.count(counter as usize, 1);
            probe.note(format_args!("migration {job_id} {what}"));
            Err(answer.fault(FaultKind::Wrong, code))
        };
        match job.status {
            Status::Failed => ended(Counter::Failed, code::FAILED, "failed"),
            Status::Completed if job.data_loss != Some(false) => {
                ended(Counter::DataLoss, code::DATA_LOSS, "completed with a loss of data")
            }
            Status::Completed => {
                probe.count(Counter::Completed as usize, 1);
                if let Some(migration) = &mut session.migration {
                    migration.end(Status::Completed, probe);
                }
                Ok(done(&answer))
            }
            // The last look is the call that fails: a lost job must not be seen by nobody.
            _ if looks >= self.max_polls => {
                ended(Counter::Lost, code::NOT_ENDED, &format!("has not ended after {looks} looks"))
            }
            _ => Ok(Outcome { pending: true, ..done(&answer) }),
        }
    }

    async fn list(
        &self,
        session: &mut Session,
        request: &Request,
        scope: &Scope,
        probe: &mut Probe<'_>,
    ) -> Result<Outcome, Fault> {
        let answer = session.exchange(request, scope, probe).await?;
        let list: List = session.read(&answer, 200, probe)?;
        // A server may not know the filter and list others too.
        let vm = format!("{}-{}", self.vm, scope.seq);
        let jobs = list.migrations.iter().filter(|job| job.vm_id == vm).count();
        if jobs > 1 {
            probe.count(Counter::Duplicated as usize, 1);
            probe.note(format_args!("{jobs} jobs migrate {vm}"));
            return Err(answer.fault(FaultKind::Wrong, code::DUPLICATED));
        }
        Ok(done(&answer))
    }
}

fn done(answer: &Answer) -> Outcome {
    let Answer { sent, received, keep_alive, .. } = *answer;
    Outcome { sent: sent.into(), received, ends_session: !keep_alive, ..Outcome::default() }
}

fn stream_url(url: &Url) -> String {
    format!("{}://{}{}", url.scheme, url.authority, url.target)
}

/// For one answer before the run; a command that cannot start says so within 5 s.
const LIMIT: std::time::Duration = std::time::Duration::from_secs(2);

#[expect(clippy::disallowed_methods, reason = "before time zero; nothing is measured")]
pub(crate) async fn within_limit<T>(work: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(LIMIT, work).await.ok()
}
