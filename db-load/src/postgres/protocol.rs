//! What does the engine get? The protocol of the trait.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use futures_util::future::try_join_all;
use load_core::compile::Plans;
use load_core::error::{PrepareError, UsageError};
use load_core::outside::{self, Outside};
use load_core::protocol::{Control, Fault, LinkId, Outcome, Probe, Protocol, Script, Sharing, Vu};
use load_core::record::Unobserved;
use load_core::sample::{Exporter, Sampler};
use load_net::exporter::exporter;
use load_report::gauge::GaugePlan;
use load_report::model::{ExtraPlan, RatePlan, RunFile};
use load_suite::suite::Suite;

use super::args::PostgresArgs;
use super::perform::{Performance, Stop};
use super::server::Server;
use super::session::{Kept, Wire};
use super::suite::rules::Rules;
use super::wire::login::Login;
use super::wire::{Connection, Failure, Table};
use super::workload::{Program, Target, Work};
use super::{build, data, faults, sampler, series};
use crate::names::Nonce;
use crate::{pool, target};

/// Empty while a call has the connection.
type Lendable = Rc<Cell<Option<Box<Connection>>>>;
type Pool = pool::Pool<Lendable>;

/// Requests that were given up are ended by then, or will not be.
const PATIENCE: Duration = Duration::from_secs(3);

/// PostgreSQL.
pub struct Postgres {
    pub(super) server: Server,
    pub(super) login: Arc<Login>,
    pub(super) work: Work,
    pub(super) plans: Plans,
    pub(super) script: Script<Step>,
    /// The steps of the suite before and behind the run.
    pub(super) setup: Vec<Outside<Step>>,
    pub(super) cleanup: Vec<Outside<Step>>,
    pub(super) has_pool: bool,
    pub(super) tries: u32,
    pub(super) record: serde_json::Value,
    /// The scripts for the target; the same in all workers.
    pub(super) program: OnceLock<Result<Arc<Program>, String>>,
    /// When the first of the connections was lost that have not been opened again; 0 when there is none.
    pub(super) lost_at: AtomicI64,
    /// The run that this process would prepare.
    pub(super) run: Nonce,
    /// The connection that is preparing or has been left half way.
    pub(super) preparing: Mutex<Option<Wire>>,
}

/// What one call does.
#[derive(Clone)]
pub struct Step {
    /// Index of the script.
    pub script: usize,
    /// What a suite asks of the answer.
    pub rules: Option<Box<Rules>>,
}

/// How a lane gets to a connection.
pub enum Way {
    /// From the pool of its worker.
    Pool(Rc<Pool>),
    /// It has one.
    Own(Box<Connection>),
}

/// A lane's way to the server, and what it does there.
pub struct Session {
    way: Way,
    program: Arc<Program>,
    table: Table,
}

impl Session {
    fn new(way: Way, program: &Arc<Program>) -> Self {
        Self { way, program: Arc::clone(program), table: Table::default() }
    }
}

impl Postgres {
    fn program(&self, target: &Target) -> Result<&Arc<Program>, &str> {
        self.program.get_or_init(|| self.work.compile(target).map(Arc::new)).as_ref().map_err(String::as_str)
    }

    /// Opens a connection on which the scripts can run.
    async fn dial(&self, program: &Program, probe: &mut Probe<'_>) -> Result<Box<Connection>, Fault> {
        match self.open(program).await {
            Ok(connection) => {
                let since = self.lost_at.swap(0, Ordering::Relaxed);
                if since != 0 {
                    probe.observe(series::OUTAGE, probe.now().0.abs_diff(since));
                }
                Ok(connection)
            }
            Err(failure) => {
                self.lose(probe);
                Err(Fault { ends_session: true, ..faults::lost(&failure, false, probe) })
            }
        }
    }

    async fn open(&self, program: &Program) -> Result<Box<Connection>, Failure> {
        let mut connection = self.login.open().await?;
        program.get_ready(&mut connection).await?;
        Ok(Box::new(connection))
    }

    /// A connection is no more.
    #[cold]
    fn lose(&self, probe: &Probe<'_>) {
        let _ = self.lost_at.compare_exchange(0, probe.now().0, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Runs the script of `step`, and looks at the answer as a suite wants it.
    #[inline]
    async fn perform(
        &self,
        connection: &mut Connection,
        (program, table): (&Program, &mut Table),
        step: &Step,
        vu: &mut Vu,
        probe: &mut Probe<'_>,
    ) -> Result<Outcome, Stop> {
        let script = &program.scripts[step.script];
        let mut performance =
            Performance { connection, table, vu, probe: &mut *probe, tries: self.tries, affected: 0 };
        let Some(rules) = &step.rules else { return performance.run(script).await };
        let begun = performance.probe.now();
        let ended = performance.run(script).await;
        let affected = performance.affected;
        let time = Duration::from_nanos(probe.now().since(begun));
        if probe.shows() {
            rules.show(script, affected, table, probe);
        }
        match ended {
            Err(Stop::Lost(fault)) => Err(Stop::Lost(
                rules.judge(Err(fault), (affected, table), time, &mut vu.scope, probe).err().unwrap_or(fault),
            )),
            Err(Stop::Failed(fault)) => {
                rules.judge(Err(fault), (affected, table), time, &mut vu.scope, probe).map_err(Stop::Failed)
            }
            Ok(outcome) => {
                rules.judge(Ok(outcome), (affected, table), time, &mut vu.scope, probe).map_err(Stop::Failed)
            }
        }
    }

    /// One call over a connection of the pool, or a new one where there is none.
    #[inline]
    async fn over_pool(
        &self,
        pool: &Pool,
        (program, table): (&Program, &mut Table),
        step: &Step,
        vu: &mut Vu,
        probe: &mut Probe<'_>,
    ) -> Result<Outcome, Fault> {
        let dial = async |probe: &mut Probe<'_>| {
            let connection = self.dial(program, probe).await?;
            Ok(Rc::new(Cell::new(Some(connection))))
        };
        let lent = pool.get(probe, dial).await?;
        let Some(mut connection) = lent.connection.take() else {
            return Err(Fault::fatal(load_report::fault::FaultKind::Local));
        };
        let ended = self.perform(&mut connection, (program, table), step, vu, probe).await;
        if let Err(Stop::Lost(fault)) = ended {
            self.lose(probe);
            // The pool repairs itself.
            return Err(Fault { ends_session: false, ..fault });
        }
        lent.connection.set(Some(connection));
        lent.done();
        ended.map_err(|(Stop::Lost(fault) | Stop::Failed(fault))| fault)
    }
}

impl Protocol for Postgres {
    const NAME: &'static str = "db-postgres";
    const SUITE: &'static str = "db";
    const RESUMES: bool = true;
    type Args = PostgresArgs;
    type Target = Target;
    type Step = Step;
    type Link = Session;
    type Session = Session;

    fn new(args: PostgresArgs) -> Result<Self, UsageError> {
        build::from_flags(&args)
    }

    fn with_suite(args: PostgresArgs, suite: Suite) -> Result<Self, UsageError> {
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
        sampler::gauges(!self.work.watched(&self.run).is_empty())
    }

    fn sampler(self: &Arc<Self>, target: &Target) -> Option<Box<dyn Sampler>> {
        Some(Box::new(sampler::Asker::new(self, self.work.watched(&target.run))))
    }

    fn exporter(
        args: &PostgresArgs,
        url: &str,
        token: Option<&str>,
    ) -> Result<Arc<dyn Exporter>, UsageError> {
        exporter(url, token, &args.tls)
    }

    fn script(&self) -> &Script<Step> {
        &self.script
    }

    fn sharing(&self) -> Sharing {
        if self.has_pool { Sharing::Pool } else { Sharing::Exclusive }
    }

    async fn prepare(&self, control: &mut Control) -> Result<Target, PrepareError> {
        let label = self.label();
        let failed = |error| target::failed(&label, faults::explain(&error));
        let wire = self.server.wire().await?;
        let target = {
            // Cleanup gets the connection of a preparation that was dropped, to speak after what was said last.
            let kept = Kept::new(wire, &self.preparing);
            let made = match &kept.wire {
                Some(wire) => self.work.prepare(wire, &self.run, control, failed).await,
                None => Err(PrepareError::new("no connection")),
            };
            if made.is_ok() {
                kept.forget();
            }
            made?
        };
        Ok(target)
    }

    async fn setup(&self, target: &Target, control: &mut Control) -> Result<(), PrepareError> {
        outside::setup(self, target, &self.setup, control).await?;
        // What the server says of the scripts is said before the run.
        let label = self.label();
        let program = self.program(target).map_err(PrepareError::new)?;
        let mut note = String::new();
        let opened = self.open(program).await;
        let mut probe = Probe::unobserved(&Unobserved, &mut note);
        match opened {
            Ok(connection) => connection.close().await,
            Err(failure) => {
                faults::lost(&failure, false, &mut probe);
                return Err(target::failed(&label, note));
            }
        }
        Ok(())
    }

    async fn aside(&self, target: &Target, _vu: &Vu, probe: &mut Probe<'_>) -> Result<Session, Fault> {
        let program = self.program(target).map_err(|why| {
            probe.note(why);
            Fault::fatal(load_report::fault::FaultKind::Local)
        })?;
        // Nothing is prepared: what the statements of the load need is not there yet, or not any more.
        match self.login.open().await {
            Ok(connection) => Ok(Session::new(Way::Own(Box::new(connection)), program)),
            Err(failure) => Err(Fault { ends_session: true, ..faults::lost(&failure, false, probe) }),
        }
    }

    async fn connect(&self, target: &Target, link: LinkId, probe: &mut Probe<'_>) -> Result<Session, Fault> {
        let program = match self.program(target) {
            Ok(program) => program,
            Err(why) => {
                probe.note(why);
                return Err(Fault::fatal(load_report::fault::FaultKind::Local));
            }
        };
        if !self.has_pool {
            let connection = self.dial(program, probe).await?;
            return Ok(Session::new(Way::Own(connection), program));
        }
        // The first alone tells whether the server is there; the others at once.
        let start = probe.now();
        let first = self.dial(program, probe).await?;
        probe.connected(start);
        let seen = &*probe;
        let other = |_| pool::recorded(seen, self.open(program));
        let others = try_join_all((1..link.connections.get()).map(other)).await;
        let others = others.map_err(|failure| {
            self.lose(probe);
            Fault { ends_session: true, ..faults::lost(&failure, false, probe) }
        })?;
        let lendable = |connection| Rc::new(Cell::new(Some(connection)));
        let connections = std::iter::once(first).chain(others).map(lendable).collect();
        let pool = Rc::new(Pool::new(connections, std::num::NonZeroU32::MIN));
        Ok(Session::new(Way::Pool(pool), program))
    }

    fn share(&self, link: &Session) -> Option<Session> {
        let Way::Pool(pool) = &link.way else { return None };
        Some(Session::new(Way::Pool(Rc::clone(pool)), &link.program))
    }

    async fn open(&self, link: Session, _vu: &Vu) -> Result<Session, Fault> {
        Ok(link)
    }

    async fn call(
        &self,
        session: &mut Session,
        step: &Step,
        vu: &mut Vu,
        probe: &mut Probe<'_>,
    ) -> Result<Outcome, Fault> {
        let Session { way, program, table } = session;
        match way {
            Way::Pool(pool) => self.over_pool(pool, (program, table), step, vu, probe).await,
            Way::Own(connection) => match self.perform(connection, (program, table), step, vu, probe).await {
                Ok(outcome) => Ok(outcome),
                Err(Stop::Failed(fault)) => Err(fault),
                Err(Stop::Lost(fault)) => {
                    self.lose(probe);
                    Err(Fault { ends_session: true, ..fault })
                }
            },
        }
    }

    async fn idle(&self, session: &mut Session, probe: &mut Probe<'_>) -> Fault {
        match &mut session.way {
            Way::Pool(pool) => pool.gone().await,
            Way::Own(connection) => {
                let failure = connection.gone().await;
                self.lose(probe);
                Fault { ends_session: true, ..faults::lost(&failure, false, probe) }
            }
        }
    }

    async fn close(&self, session: Session, _probe: &mut Probe<'_>) {
        if let Way::Own(connection) = session.way {
            connection.close().await;
        }
    }

    async fn cleanup(&self, target: Option<&Target>, control: &mut Control) -> Result<(), PrepareError> {
        if let Some(done) = self.login.canceller.done() {
            // What was given up at the very end holds locks, perhaps.
            let waited = tokio::task::spawn_blocking(move || done.recv_timeout(PATIENCE));
            drop(waited.await);
        }
        if let Some(target) = target.filter(|_| !self.cleanup.is_empty()) {
            let made = outside::cleanup(self, target, &self.cleanup, control).await;
            made.map_err(|error| target::failed(&self.label(), error))?;
        }
        let tables = self.work.tables(&self.run);
        let left = self.preparing.lock().unwrap_or_else(PoisonError::into_inner).take();
        if tables.is_empty() {
            return Ok(());
        }
        let wire = match (left, target) {
            (Some(wire), _) if !wire.is_closed() => wire,
            // Nothing was made, or the server has rolled it back.
            (_, None) => return Ok(()),
            (_, Some(_)) => self.server.wire().await?,
        };
        let removed = data::remove(&wire, &tables, control).await;
        removed.map_err(|error| target::failed(&self.label(), faults::explain(&error)))
    }

    fn remarks(&self, run: &RunFile) -> Vec<String> {
        pool::remark(run).into_iter().collect()
    }

    fn leaves(&self) -> Option<String> {
        let tables = self.work.tables(&self.run).join(", ");
        let run = &self.run;
        (!tables.is_empty())
            .then(|| format!("if {tables} is left: db-load cleanup --url ... {run}, or DROP TABLE {tables}"))
    }
}
