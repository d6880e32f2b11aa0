//! What does the engine get? A migration of a real image as one call.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use load_core::error::{PrepareError, UsageError};
use load_core::protocol::{Control, Fault, LinkId, Outcome, Probe, Protocol, Script, Vu, Weight};
use load_core::sample::Exporter;
use load_net::args::wrong;
use load_net::connection::Tls;
use load_net::exporter::exporter;
use load_net::reach;
use load_net::redact::Collector;
use load_net::url::{Schemes, Url};
use load_report::model::{ExtraPlan, RatePlan, RunFile};
use load_wire::dwcp::message::Framing;
use tokio::sync::Semaphore;

use super::args::DataArgs;
use super::copy::{Copy, Tally};
use super::fail::Fail;
use super::migration::Migration;
use super::pace::{Pacer, Turn};
use super::series::{self, Counter};
use super::settings::{Settings, Transport};
use super::stream::{Dial, Stream};
use super::vm::Vm;
use crate::protocol::{AGENT, mark, within_limit};

/// Where images are, over WebSocket.
const PATH: &str = "/dwcp/v3";
/// Bare TCP.
const TCP: Schemes = Schemes { plain: "tcp", secure: "tcps" };

/// VMs of users who have no session now: a user keeps its VM, whatever becomes of a migration.
type Parked = Arc<Mutex<HashMap<u64, Vm>>>;

/// Migrations of real images.
pub struct Data {
    url: Url,
    tls: Option<Tls>,
    verified: Option<&'static str>,
    headers: Vec<(String, String)>,
    upgrade: bool,
    settings: Settings,
    vm_prefix: String,
    /// Tells this run's sessions and migrations from others'.
    mark: u64,
    parked: Parked,
    /// For compression, which is done by other threads: one a core.
    permits: Semaphore,
    script: Script<()>,
}

/// The streams of one session.
pub struct Link {
    dial: Dial,
    streams: Vec<Stream>,
}

/// A user's streams and VM.
pub struct Session {
    link: Option<Link>,
    vm: Option<RefCell<Vm>>,
    vu: u64,
    parked: Parked,
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(vm) = self.vm.take() {
            self.parked.lock().unwrap_or_else(PoisonError::into_inner).insert(self.vu, vm.into_inner());
        }
    }
}

impl Protocol for Data {
    const NAME: &'static str = "dwcp";
    const SUITES: bool = false;
    type Args = DataArgs;
    type Target = reach::Target;
    type Step = ();
    type Link = Link;
    type Session = Session;

    fn new(args: DataArgs) -> Result<Self, UsageError> {
        let text = args.url.as_deref().ok_or_else(|| {
            UsageError::new("no target: give --url tcp://HOST:PORT or ws://HOST:PORT, or set DWCP_DATA_URL")
        })?;
        let ws = ["ws:", "wss:"].iter().any(|scheme| text.to_ascii_lowercase().starts_with(scheme));
        let upgrade = match args.transport {
            None => ws,
            Some(transport) => transport == Transport::Ws,
        };
        let schemes = if upgrade { Schemes::WS } else { TCP };
        let mut url = Url::parse(text, schemes).map_err(|error| wrong("--url", error))?;
        if !upgrade {
            url.target.clear();
        } else if url.target == "/" {
            PATH.clone_into(&mut url.target);
        }
        let settings = Settings::new(&args)?;
        if settings.framing != Framing::V3 && (upgrade || url.secure) {
            return Err(wrong(
                "--framing",
                "the original's formats go over bare TCP: expected --url tcp://HOST:PORT",
            ));
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if args.vm_prefix.is_empty() || args.vm_prefix.len() > 64 || !args.vm_prefix.chars().all(plain) {
            return Err(wrong("--vm-prefix", "expected 1 to 64 letters, digits, '.', '_' and '-'"));
        }
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Ok(Self {
            tls: args.tls.tls(&url, if upgrade { &[b"http/1.1"] } else { &[] })?,
            verified: args.tls.describe(&url),
            headers: args.headers.headers(&url, AGENT)?,
            url,
            upgrade,
            settings,
            vm_prefix: args.vm_prefix,
            mark: mark(),
            parked: Parked::default(),
            permits: Semaphore::new(cores),
            script: Script::call(()),
        })
    }

    fn label(&self) -> String {
        self.url.label()
    }

    fn describe(&self) -> serde_json::Value {
        let mut described = self.settings.describe();
        described["url"] = self.url.label().into();
        described["tls"] = self.verified.into();
        described
    }

    fn secrets(&self) -> Vec<String> {
        let mut all = Collector::default();
        self.headers.iter().for_each(|(name, value)| all.add_header(name, value));
        all.add_url(&self.url);
        all.into_values()
    }

    fn ops(&self) -> Vec<String> {
        vec!["migration".to_owned()]
    }

    fn extras(&self) -> Vec<ExtraPlan> {
        series::extras()
    }

    fn counters(&self) -> Vec<ExtraPlan> {
        series::counters()
    }

    fn rates(&self) -> Vec<RatePlan> {
        series::rates()
    }

    fn exporter(args: &DataArgs, url: &str, token: Option<&str>) -> Result<Arc<dyn Exporter>, UsageError> {
        exporter(url, token, &args.tls)
    }

    fn script(&self) -> &Script<()> {
        &self.script
    }

    fn weight(&self) -> Weight {
        Weight { connections: self.settings.connections(), bytes: self.settings.bytes() }
    }

    async fn prepare(&self, control: &mut Control) -> Result<reach::Target, PrepareError> {
        let failed =
            |why: String| PrepareError::new(format!("no DWCP data plane at {}: {why}", self.url.label()));
        let target = reach::Target::find(&self.url, self.tls.clone()).await?;
        let dial = self.dial(&target, LinkId::FIRST, u64::MAX).ok_or_else(|| failed("no address".into()))?;
        let opened = within_limit(Stream::open(&dial, 0)).await;
        control.calls += 1;
        match opened {
            Some(Ok(stream)) => {
                stream.close().await;
                Ok(target)
            }
            Some(Err(fail)) => Err(failed(fail.fault(false).1)),
            None => Err(failed("no answer to HELLO; is it the right --url?".into())),
        }
    }

    async fn connect(
        &self,
        target: &reach::Target,
        link: LinkId,
        probe: &mut Probe<'_>,
    ) -> Result<Link, Fault> {
        let session = link.index << 24 | u64::from(link.generation);
        let told = |fail: &Fail, probe: &mut Probe<'_>| {
            let (fault, note) = fail.fault(false);
            probe.note(note);
            fault
        };
        let Some(dial) = self.dial(target, link, session) else {
            return Err(Fault::fatal(load_report::fault::FaultKind::Dns));
        };
        let mut streams = Vec::with_capacity(dial.streams.into());
        for number in 0..dial.streams {
            streams.push(Stream::open(&dial, number).await.map_err(|fail| told(&fail, probe))?);
        }
        Ok(Link { dial, streams })
    }

    async fn open(&self, link: Link, vu: &Vu) -> Result<Session, Fault> {
        let vu = vu.scope.vu;
        let kept = self.parked.lock().unwrap_or_else(PoisonError::into_inner).remove(&vu);
        let vm = match kept {
            Some(vm) => vm,
            None => Vm::make(&self.settings, vu).await,
        };
        Ok(Session { link: Some(link), vm: Some(RefCell::new(vm)), vu, parked: Arc::clone(&self.parked) })
    }

    async fn call(
        &self,
        session: &mut Session,
        _step: &(),
        vu: &mut Vu,
        probe: &mut Probe<'_>,
    ) -> Result<Outcome, Fault> {
        let (Some(Link { dial, streams }), Some(vm)) = (&mut session.link, &session.vm) else {
            return Err(Fault::fatal(load_report::fault::FaultKind::Local));
        };
        probe.count(Counter::Started as usize, 1);
        let (turn, tally) = (Turn::default(), Tally::default());
        let pacer = Pacer::new(self.settings.bandwidth);
        let ended = {
            let account = Account { probe, tally: &tally, how: Cell::new(Counter::Failed) };
            let copy = Copy {
                settings: &self.settings,
                dial,
                vm,
                probe,
                turn: &turn,
                pacer: &pacer,
                permits: &self.permits,
                tally: &tally,
                allowance: Cell::new(u64::MAX),
            };
            let name = format!("{}-{}", self.vm_prefix, vu.scope.vu);
            let mut migration = Migration::new(&copy, streams, id(self.mark, vu.scope.seq));
            turn.by_turns(async {
                let Err(fail) = migration.run(&name).await else {
                    account.how.set(Counter::Completed);
                    return Ok(());
                };
                let (undone, usable) = migration.undo(&fail).await;
                account.how.set(match &fail {
                    fail if fail.is_cancelled() => Counter::Cancelled,
                    _ if undone => Counter::RolledBack,
                    _ => Counter::Failed,
                });
                Err((fail, usable))
            })
            .await
        };
        let wire = tally.wire.get();
        let Err((fail, usable)) = ended else { return Ok(Outcome { sent: wire, ..Outcome::default() }) };
        match &fail {
            Fail::NotConverged(_) => probe.count(Counter::NotConverged as usize, 1),
            Fail::DataLoss(_) => probe.count(Counter::DataLoss as usize, 1),
            _ => {}
        }
        let (fault, note) = fail.fault(usable);
        probe.note(note);
        Err(fault.after(wire, 0))
    }

    async fn close(&self, mut session: Session, _probe: &mut Probe<'_>) {
        for stream in session.link.take().into_iter().flat_map(|link| link.streams) {
            stream.close().await;
        }
    }

    fn remarks(&self, run: &RunFile) -> Vec<String> {
        series::remarks(run)
    }
}

/// What is counted of a migration however it ends: one whose time is over is dropped where it stands.
struct Account<'a> {
    probe: &'a Probe<'a>,
    tally: &'a Tally,
    how: Cell<Counter>,
}

impl Drop for Account<'_> {
    fn drop(&mut self) {
        self.probe.count(self.how.get() as usize, 1);
        count(self.tally, self.probe);
    }
}

fn count(tally: &Tally, probe: &Probe<'_>) {
    for (counter, n) in [
        (Counter::Raw, tally.pages.get() * load_wire::dwcp::PAGE as u64),
        (Counter::Wire, tally.wire.get()),
        (Counter::Frames, tally.frames.get()),
        (Counter::Pages, tally.pages.get()),
        (Counter::Again, tally.again.get()),
        (Counter::Resumed, tally.resumed.get()),
    ] {
        if n > 0 {
            probe.count(counter as usize, n);
        }
    }
}

fn id(high: u64, low: u64) -> [u8; 16] {
    (u128::from(high) << 64 | u128::from(low)).to_be_bytes()
}

impl Data {
    fn dial(&self, target: &reach::Target, link: LinkId, session: u64) -> Option<Dial> {
        let addresses = &target.addresses;
        let address = *addresses.get(link.index as usize % addresses.len().max(1))?;
        let url = format!("{}://{}{}", self.url.scheme, self.url.authority, self.url.target);
        Some(Dial {
            address,
            tls: self.tls.clone(),
            upgrade: self.upgrade.then(|| (url, self.headers.clone())),
            session: id(self.mark, session),
            streams: self.settings.framed_streams(),
            features: self.settings.features(),
        })
    }
}
