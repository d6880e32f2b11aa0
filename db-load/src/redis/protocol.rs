//! What does the engine get? The protocol of the trait.

use std::num::NonZeroU32;
use std::rc::Rc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::try_join_all;
use load_core::compile::Plans;
use load_core::error::{PrepareError, UsageError};
use load_core::outside::{self, Outside};
use load_core::protocol::{Control, Fault, LinkId, Outcome, Probe, Protocol, Script, Sharing, Vu};
use load_core::sample::{Exporter, Sampler};
use load_net::exporter::exporter;
use load_report::fault::FaultKind;
use load_report::gauge::GaugePlan;
use load_report::model::{ExtraPlan, RatePlan, RunFile};
use load_suite::suite::Suite;

use super::args::RedisArgs;
use super::batch::Batch;
use super::cluster::{self, Nodes};
use super::command::Scratch;
use super::numbered::{Numbered, Present};
use super::pubsub::PubSub;
use super::pubsub::receive::Group;
use super::server::Server;
use super::suite::Asked;
use super::wire::{Connection, Failure, Shared, Slot};
use super::workload::Work;
use super::{build, data, faults, pubsub, sampler, series};
use crate::names::Nonce;
use crate::pool;
use crate::target;

pub(super) type Pool = pool::Pool<Line>;

/// What a call borrows.
#[derive(Clone)]
pub enum Line {
    /// The connection to a server.
    One(Rc<Shared>),
    /// Connections to the nodes of a cluster.
    Many(Rc<Nodes>),
}

/// What one process knows of a cluster.
pub struct Cluster {
    /// The first of the counters.
    pub(super) counters: usize,
    /// Where its nodes were when they were asked last.
    pub(super) known: Mutex<Vec<String>>,
}

/// Redis.
pub struct Redis {
    pub(super) server: Server,
    pub(super) work: Work,
    pub(super) plans: Plans,
    pub(super) script: Script<Step>,
    /// What the steps of a suite send.
    pub(super) asked: Vec<Asked>,
    /// What is known of the messages that a suite numbers.
    pub(super) numbered: Option<Numbered>,
    /// What a suite sends after everything.
    pub(super) setup: Vec<Outside<Step>>,
    pub(super) cleanup: Vec<Outside<Step>>,
    pub(super) cluster: Option<Cluster>,
    pub(super) pipeline: u32,
    pub(super) multiplex: NonZeroU32,
    pub(super) record: serde_json::Value,
    /// When a connection was lost that has not been replaced, on the engine's clock; 0 for none.
    pub(super) lost_at: AtomicI64,
    /// The run that this process would prepare.
    pub(super) run: Nonce,
    /// The connection that has prepared the keys.
    pub(super) preparing: Mutex<Option<Connection>>,
}

/// What one call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The command of this index, as often as the pipeline is long.
    Command(usize),
    /// What the step of a suite of this index sends.
    Asked(usize),
    /// Adds a message to the stream.
    Produce,
    /// Takes messages from the stream.
    Consume,
    /// Publishes a message.
    Publish,
    /// Leaves the stream, or the channel.
    Leave,
}

/// A lane's view of its worker's pool, and what it writes and reads with.
pub struct Session {
    pub(super) pool: Rc<Pool>,
    pub(super) prefix: Rc<str>,
    pub(super) slot: Rc<Slot>,
    /// Those whom it publishes to.
    pub(super) group: Option<Rc<Group>>,
    /// The rows of the commands that are under way.
    pub(super) rows: Vec<u64>,
    pub(super) scratch: Scratch,
    /// Commands and replies, where they are not written straight to a connection.
    pub(super) batch: Batch,
    /// Counts it, where messages are numbered.
    pub(super) present: Option<Present>,
}

impl Session {
    fn new(pool: Rc<Pool>, prefix: Rc<str>, group: Option<Rc<Group>>) -> Self {
        let (slot, rows, scratch, batch) = Default::default();
        Self { pool, prefix, slot, group, rows, scratch, batch, present: None }
    }
}

impl Redis {
    pub(super) async fn dial(&self, probe: &mut Probe<'_>) -> Result<Line, Fault> {
        match self.line().await {
            Ok(line) => {
                let since = self.lost_at.swap(0, Ordering::Relaxed);
                if since != 0 {
                    probe.observe(series::OUTAGE, probe.now().0.abs_diff(since));
                }
                Ok(line)
            }
            Err(failure) => {
                self.lose(probe);
                Err(Fault { ends_session: true, ..faults::lost(&failure, probe) })
            }
        }
    }

    async fn line(&self) -> Result<Line, Failure> {
        let several = self.multiplex.get() > 1;
        let Some(cluster) = &self.cluster else {
            let connection = self.server.login.open().await?;
            return Ok(Line::One(Rc::new(Shared::new(connection, several))));
        };
        Ok(Line::Many(Rc::new(self.nodes(cluster, several).await?)))
    }

    async fn nodes(&self, cluster: &Cluster, several: bool) -> Result<Nodes, Failure> {
        let known = cluster.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let nodes = Nodes::open(&self.server.login, &known, several, cluster.counters).await?;
        *cluster.known.lock().unwrap_or_else(PoisonError::into_inner) = nodes.addresses();
        Ok(nodes)
    }

    /// A connection is no more.
    #[cold]
    pub(super) fn lose(&self, probe: &Probe<'_>) {
        let _ = self.lost_at.compare_exchange(0, probe.now().0, Ordering::Relaxed, Ordering::Relaxed);
    }

    fn failed(&self, failure: &Failure) -> PrepareError {
        target::failed(&self.server.label(), faults::explain(failure))
    }

    /// The subscribers of a worker.
    async fn subscribe(
        &self,
        pubsub: &PubSub,
        run: &Nonce,
        link: u64,
        probe: &mut Probe<'_>,
    ) -> Result<Rc<Group>, Fault> {
        let channel = pubsub::channel(&run.prefix(), link);
        let group = Group::open(pubsub.board(link), channel, &self.server.login).await;
        group.map(Rc::new).map_err(|failure| {
            self.lose(probe);
            Fault { ends_session: true, ..faults::lost(&failure, probe) }
        })
    }

    async fn make(&self, over: &mut Connection, control: &mut Control) -> Result<(), Failure> {
        if let Some(stream) = &self.work.stream {
            let (key, group) = (stream.key(&self.run.prefix()), &stream.args.group);
            control.calls += 1;
            let words: [&[u8]; 6] =
                [b"XGROUP", b"CREATE", key.as_bytes(), group.as_bytes(), b"0", b"MKSTREAM"];
            match over.ask(&words, |reply| reply.text().map(drop)).await {
                // Somebody else has made it.
                Err(Failure::Refused(why)) if why.starts_with("BUSYGROUP") => {}
                made => made?,
            }
        }
        let Some(cluster) = &self.cluster else {
            for kind in &self.work.filled {
                data::make(over, &self.run, kind, &self.work.shape, control).await?;
            }
            return Ok(());
        };
        let nodes = self.nodes(cluster, false).await?;
        for kind in &self.work.filled {
            cluster::data::make(&nodes, &self.run, kind, &self.work.shape, control).await?;
        }
        Ok(())
    }

    async fn remove(&self, over: &mut Connection, control: &mut Control) -> Result<(), Failure> {
        if let Some(stream) = self.work.stream.as_ref().filter(|stream| stream.args.stream.is_none()) {
            control.calls += 1;
            data::unlink(over, &[stream.key(&self.run.prefix())], 1).await?;
        }
        let keys = self.work.shape.keys;
        let Some(cluster) = &self.cluster else {
            for kind in &self.work.kinds {
                data::remove(over, &self.run, kind, keys, control).await?;
            }
            return Ok(());
        };
        let nodes = self.nodes(cluster, false).await?;
        for kind in &self.work.kinds {
            cluster::data::remove(&nodes, &self.run, kind, keys, control).await?;
        }
        Ok(())
    }
}

impl Protocol for Redis {
    const NAME: &'static str = "db-redis";
    const SUITE: &'static str = "db";
    type Args = RedisArgs;
    type Target = Nonce;
    type Step = Step;
    const RESUMES: bool = true;
    type Link = Session;
    type Session = Session;

    fn new(args: RedisArgs) -> Result<Self, UsageError> {
        build::from_flags(&args)
    }

    fn with_suite(args: RedisArgs, suite: Suite) -> Result<Self, UsageError> {
        build::from_suite(args, &suite)
    }

    fn label(&self) -> String {
        self.server.label()
    }

    fn describe(&self) -> serde_json::Value {
        self.record.clone()
    }

    fn secrets(&self) -> Vec<String> {
        self.server.secrets.clone()
    }

    fn ops(&self) -> Vec<String> {
        self.plans.ops.clone()
    }

    fn extras(&self) -> Vec<ExtraPlan> {
        self.plans.extras.clone()
    }

    fn counters(&self) -> Vec<ExtraPlan> {
        self.plans.counters.clone()
    }

    fn rates(&self) -> Vec<RatePlan> {
        self.plans.rates.clone()
    }

    fn gauges(&self) -> Vec<GaugePlan> {
        sampler::gauges()
    }

    fn sampler(self: &Arc<Self>, _run: &Nonce) -> Option<Box<dyn Sampler>> {
        Some(Box::new(sampler::Asker::new(self)))
    }

    fn exporter(args: &RedisArgs, url: &str, token: Option<&str>) -> Result<Arc<dyn Exporter>, UsageError> {
        exporter(url, token, &args.tls)
    }

    fn script(&self) -> &Script<Step> {
        &self.script
    }

    fn sharing(&self) -> Sharing {
        Sharing::Pool
    }

    async fn prepare(&self, control: &mut Control) -> Result<Nonce, PrepareError> {
        let connection = self.server.open().await?;
        if let Some(cluster) = &self.cluster {
            // What is no cluster says so before anything is made.
            self.nodes(cluster, false).await.map_err(|failure| self.failed(&failure))?;
        }
        // Cleanup gets the connection, to speak after what was said last, should this be dropped half way.
        let mut kept = Kept { connection: Some(connection), to: &self.preparing };
        control.calls += 1;
        let Some(over) = &mut kept.connection else { return Err(PrepareError::new("no connection")) };
        let answered = target::soon(data::ping(over), &self.label(), "Redis", faults::explain_first).await;
        if let Err(error) = answered {
            kept.connection = None;
            return Err(error);
        }
        let made = self.make(over, control).await;
        made.map_err(|failure| self.failed(&failure))?;
        Ok(self.run.clone())
    }

    async fn connect(&self, run: &Nonce, link: LinkId, probe: &mut Probe<'_>) -> Result<Session, Fault> {
        // The first alone tells whether the server is there; the others at once.
        let start = probe.now();
        let first = self.dial(probe).await?;
        probe.connected(start);
        let seen = &*probe;
        let other = |_| pool::recorded(seen, self.line());
        let others = try_join_all((1..link.connections.get()).map(other)).await;
        let others = others.map_err(|failure| {
            self.lose(probe);
            Fault { ends_session: true, ..faults::lost(&failure, probe) }
        })?;
        let pool = Pool::new(std::iter::once(first).chain(others).collect(), self.multiplex);
        let group = match &self.work.pubsub {
            Some(pubsub) => Some(self.subscribe(pubsub, run, link.index, probe).await?),
            None => None,
        };
        Ok(Session::new(Rc::new(pool), run.prefix().into(), group))
    }

    fn share(&self, link: &Session) -> Option<Session> {
        Some(Session::new(Rc::clone(&link.pool), Rc::clone(&link.prefix), link.group.clone()))
    }

    async fn open(&self, link: Session, _vu: &Vu) -> Result<Session, Fault> {
        let present = self.numbered.as_ref().map(Numbered::enter);
        Ok(Session { present, ..link })
    }

    async fn close(&self, mut session: Session, probe: &mut Probe<'_>) {
        if let (Some(numbered), Some(present)) = (&self.numbered, session.present.take())
            && present.leave()
        {
            self.look_back(numbered, &mut session, probe).await;
        }
    }

    async fn call(
        &self,
        session: &mut Session,
        step: &Step,
        vu: &mut Vu,
        probe: &mut Probe<'_>,
    ) -> Result<Outcome, Fault> {
        match *step {
            Step::Command(index) => self.commands(index, session, vu, probe).await,
            Step::Asked(index) => self.ask(index, session, vu, probe).await,
            step => self.perform(step, session, vu, probe).await,
        }
    }

    async fn idle(&self, session: &mut Session, probe: &mut Probe<'_>) -> Fault {
        let Some(group) = &session.group else { return session.pool.gone().await };
        tokio::select! {
            fault = session.pool.gone() => fault,
            () = group.record(probe) => Fault::fatal(FaultKind::Local),
        }
    }

    async fn setup(&self, run: &Nonce, control: &mut Control) -> Result<(), PrepareError> {
        outside::setup(self, run, &self.setup, control).await
    }

    async fn cleanup(&self, run: Option<&Nonce>, control: &mut Control) -> Result<(), PrepareError> {
        let prepared = self.preparing.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Without it nothing was made.
        let Some(mut connection) = prepared else { return Ok(()) };
        if data::ping(&mut connection).await.is_err() {
            connection = self.server.open().await?;
        }
        control.calls += 1;
        let removed = self.remove(&mut connection, control).await;
        if let Some(run) = run.filter(|_| !self.cleanup.is_empty()) {
            outside::cleanup(self, run, &self.cleanup, control).await?;
        }
        removed.map_err(|failure| self.failed(&failure))
    }

    fn remarks(&self, run: &RunFile) -> Vec<String> {
        pool::remark(run).into_iter().chain(self.numbered.as_ref().and_then(Numbered::failed)).collect()
    }

    fn leaves(&self) -> Option<String> {
        let (run, prefix) = (&self.run, self.run.prefix());
        let is_own = self.work.stream.as_ref().is_some_and(|stream| stream.args.stream.is_none());
        (is_own || !self.work.kinds.is_empty())
            .then(|| format!("if keys {prefix}* are left: db-load cleanup --url ... {run}"))
    }
}

/// Keeps a connection when its owner is done with it, or dropped half way.
struct Kept<'a> {
    connection: Option<Connection>,
    to: &'a Mutex<Option<Connection>>,
}

impl Drop for Kept<'_> {
    fn drop(&mut self) {
        *self.to.lock().unwrap_or_else(PoisonError::into_inner) = self.connection.take();
    }
}
