//! What is sent? The one trait that a tool implements.
//!
//! A protocol knows no rate, clock, thread, histogram or file. The engine takes the time, waits, retries, draws
//! lots and counts, so that all of it is the same for every tool.
#![expect(async_fn_in_trait, reason = "a worker is one thread; its futures never move to another")]

mod outcome;
mod probe;
mod vu;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use load_report::gauge::GaugePlan;
use load_report::model::{ExtraPlan, RatePlan, RunFile};
use load_suite::suite::Suite;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{PrepareError, UsageError};
use crate::plan::RunPlan;
use crate::sample::{Exporter, Sampler};

pub use outcome::{Fault, Outcome};
pub use probe::Probe;
pub use vu::{Keep, Vu};

pub use crate::script::{Act, Branch, Call, Hold, Parallel, Poll, Script, Task, TaskStep, Timer, UserClass};

/// Index of an op in [`Protocol::ops`].
pub type OpId = u16;

/// What a tool sends. One implementation a tool; one value a process, shared by its workers.
pub trait Protocol: Sized + Send + Sync + 'static {
    /// The component's name in results: `api`, `grpc`.
    const NAME: &'static str;
    /// The tool's name in suites: `api` for `api.toml`.
    const SUITE: &'static str = Self::NAME;
    /// A suite can say what is sent: see [`Protocol::with_suite`]. Where it cannot, `--help` leaves its flags out.
    const SUITES: bool = true;
    /// A session knows nothing that a new one would not: one that has ended is replaced between two calls of an iteration.
    /// Where it is not so, the iteration fails.
    const RESUMES: bool = false;
    /// A session is a visit: a new one begins with the first steps of its class, and one that a call has ended in good order is
    /// followed by the next one when the user's next iteration is due, not before.
    const VISITS: bool = false;
    /// This protocol's own flags.
    type Args: clap::Args + Send;
    /// What [`Protocol::prepare`] learnt about the target, handed to every worker of every process.
    type Target: Clone + Send + Sync + Serialize + DeserializeOwned;
    /// What one call sends, compiled before the run: templates, paths, weights.
    type Step;
    /// A connection, or a pool of them.
    type Link;
    /// One lane's share of a link, and the lane's own state.
    type Session;

    /// Parses and checks the flags; never dials.
    ///
    /// # Errors
    /// What is wrong, where, and what was expected.
    fn new(args: Self::Args) -> Result<Self, UsageError>;

    /// Like [`Protocol::new`], with a suite that says what is sent.
    ///
    /// # Errors
    /// What is wrong, where, and what was expected.
    fn with_suite(_args: Self::Args, _suite: Suite) -> Result<Self, UsageError> {
        Err(UsageError::new(format!(
            "--suite: {} takes its load from the command line alone; leave --suite out",
            Self::NAME
        )))
    }

    /// Is told every threshold, as it is written, before the plan is made: what costs something and is named in one of them
    /// has to be measured.
    fn promised(&mut self, threshold: &str) {
        let _ = threshold;
    }

    /// What the run loads, without secrets: a URL, say.
    fn label(&self) -> String;

    /// The protocol's flags as they took effect, without secrets, for the record.
    fn describe(&self) -> serde_json::Value;

    /// Values that must never appear in any output.
    fn secrets(&self) -> Vec<String> {
        Vec::new()
    }

    /// Names of the ops: fixed before the run, so that series are arrays and their ids dense.
    fn ops(&self) -> Vec<String>;

    /// Series of the protocol's own, for [`Probe::observe`].
    fn extras(&self) -> Vec<ExtraPlan> {
        Vec::new()
    }

    /// Counters of the protocol's own, for [`Probe::count`].
    fn counters(&self) -> Vec<ExtraPlan> {
        Vec::new()
    }

    /// Shares of the protocol's own counters.
    fn rates(&self) -> Vec<RatePlan> {
        Vec::new()
    }

    /// What the target can be asked about itself while the run lasts; for every part of a run the same.
    fn gauges(&self) -> Vec<GaugePlan> {
        Vec::new()
    }

    /// Who asks for the [gauges](Protocol::gauges). Called once a run at most, in the process that conducts and in the first
    /// segment alone; used on its thread, from just before time zero to the end.
    fn sampler(self: &Arc<Self>, _target: &Self::Target) -> Option<Box<dyn Sampler>> {
        None
    }

    /// Who reads the page at `url` for gauges that are nobody's own, with this bearer token: see `--sample-url`. The protocol's own
    /// flags say whom to trust.
    ///
    /// # Errors
    /// The URL is none, or this tool reads no pages.
    fn exporter(
        _args: &Self::Args,
        _url: &str,
        _token: Option<&str>,
    ) -> Result<Arc<dyn Exporter>, UsageError> {
        Err(UsageError::new(format!("{} reads no pages; leave it out", Self::NAME)))
    }

    /// What virtual users do.
    fn script(&self) -> &Script<Self::Step>;

    /// Why its users cannot be arrivals, for people; none where they can.
    fn users_only(&self) -> Option<&'static str> {
        None
    }

    /// How lanes and links go together.
    fn sharing(&self) -> Sharing {
        Sharing::Exclusive
    }

    /// What a link takes of this machine, for the check before the run.
    fn weight(&self) -> Weight {
        Weight::default()
    }

    /// Whether connections come from as many addresses of this machine as they need ports for.
    fn spreads(&self) -> bool {
        false
    }

    /// Whether a call that is given up ends on the wire when its future is dropped, so that its session can make the
    /// next one. Where it is not so, the session goes with the call.
    fn cancels(&self) -> bool {
        false
    }

    /// Once a run, before anything else: resolves, checks that the target is there, makes schema and data.
    ///
    /// # Errors
    /// Why the target cannot be reached or prepared, in one line.
    async fn prepare(&self, control: &mut Control) -> Result<Self::Target, PrepareError>;

    /// Once a run, behind [`Protocol::prepare`]: makes what a suite needs before its load, with [`outside::setup`], and looks whether
    /// what is to be sent makes sense to the target then.
    ///
    /// # Errors
    /// Which step failed, and why, in one line.
    ///
    /// [`outside::setup`]: crate::outside::setup
    async fn setup(&self, _target: &Self::Target, _control: &mut Control) -> Result<(), PrepareError> {
        Ok(())
    }

    /// A session for the steps before and behind the run.
    ///
    /// # Errors
    /// The fault that ended the attempt.
    async fn aside(
        &self,
        target: &Self::Target,
        vu: &Vu,
        probe: &mut Probe<'_>,
    ) -> Result<Self::Session, Fault> {
        let link = self.connect(target, LinkId::FIRST, probe).await?;
        self.open(link, vu).await
    }

    /// Opens one link. Timed as a series of its own.
    ///
    /// # Errors
    /// The fault that ended the attempt.
    async fn connect(
        &self,
        target: &Self::Target,
        link: LinkId,
        probe: &mut Probe<'_>,
    ) -> Result<Self::Link, Fault>;

    /// A second handle to `link` for another lane. Only [`Sharing::Shared`] and [`Sharing::Pool`] need it.
    fn share(&self, _link: &Self::Link) -> Option<Self::Link> {
        None
    }

    /// Begins a lane's session on `link`.
    ///
    /// # Errors
    /// The fault that ended the attempt.
    async fn open(&self, link: Self::Link, vu: &Vu) -> Result<Self::Session, Fault>;

    /// Makes one call: the only hot method.
    ///
    /// # Errors
    /// The fault, unless the answer came and was right.
    async fn call(
        &self,
        session: &mut Self::Session,
        step: &Self::Step,
        vu: &mut Vu,
        probe: &mut Probe<'_>,
    ) -> Result<Outcome, Fault>;

    /// Runs between calls: reads what the target pushes and returns when the connection is no more. May be dropped
    /// at any await.
    async fn idle(&self, _session: &mut Self::Session, _probe: &mut Probe<'_>) -> Fault {
        std::future::pending().await
    }

    /// Like [`Protocol::idle`], and returns when what `until` waits for has come, where there is such a step.
    ///
    /// # Errors
    /// The connection is no more.
    async fn wait(
        &self,
        session: &mut Self::Session,
        _until: Option<&Self::Step>,
        _vu: &mut Vu,
        probe: &mut Probe<'_>,
    ) -> Result<(), Fault> {
        Err(self.idle(session, probe).await)
    }

    /// Ends a session in good order.
    async fn close(&self, _session: Self::Session, _probe: &mut Probe<'_>) {}

    /// Once a run, after everything else: removes what [`Protocol::prepare`] and the calls have made. Runs in the
    /// process that prepared, for at most 10 s, also when `prepare` failed or was dropped half way; then there is no
    /// target.
    ///
    /// # Errors
    /// Why it could not be removed; [`Protocol::leaves`] says what.
    async fn cleanup(
        &self,
        _target: Option<&Self::Target>,
        _control: &mut Control,
    ) -> Result<(), PrepareError> {
        Ok(())
    }

    /// What a reader should know about the figures of `run`, a sentence each: why they came out so, and what to do about it.
    fn remarks(&self, _run: &RunFile) -> Vec<String> {
        Vec::new()
    }

    /// What is left when [`Protocol::cleanup`] does not come to its end, and how to remove it.
    fn leaves(&self) -> Option<String> {
        None
    }
}

/// How lanes and links go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// Every lane has a link of its own.
    Exclusive,
    /// `--connections` links, each shared by several lanes of one worker.
    Shared {
        /// How many lanes a link has; none where users and connections alone say so.
        lanes: Option<NonZeroU32>,
    },
    /// One link a worker, which is a pool of the worker's share of `--connections`. It repairs its connections by
    /// itself, and a call that timed out ends the session only. A fault that [ends the session](Fault::ends_session)
    /// ends the pool for all lanes: the engine opens it again, with growing pauses.
    Pool,
}

impl Sharing {
    /// How many lanes a link has, where that is fixed.
    pub(crate) fn lanes(self) -> Option<u64> {
        match self {
            Self::Shared { lanes } => lanes.map(|lanes| lanes.get().into()),
            Self::Exclusive | Self::Pool => None,
        }
    }
}

/// What one link takes of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weight {
    /// Its connections.
    pub connections: u64,
    /// Its memory beside that of its connections, bytes; an upper estimate.
    pub bytes: u64,
}

impl Default for Weight {
    /// One connection and nothing else.
    fn default() -> Self {
        Self { connections: 1, bytes: 0 }
    }
}

/// Which link is to be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkId {
    /// Number of the link over all workers, processes and segments, counted from 0.
    pub index: u64,
    /// Connections to open in it: 1, or the worker's share with [`Sharing::Pool`].
    pub connections: NonZeroU32,
    /// How often this link has been opened before.
    pub generation: u32,
}

impl LinkId {
    /// The first connection of a run.
    pub const FIRST: Self = Self { index: 0, connections: NonZeroU32::MIN, generation: 0 };
}

/// What is done outside the schedule, and by whom.
#[derive(Debug)]
pub struct Control {
    /// Calls made to prepare and clean up, as the target counts them.
    pub calls: u64,
    /// This is the first segment of the run, or all of it: it makes what is made once.
    pub first: bool,
    /// The steps of a suite behind the run are to be made. Of several segments the first one makes them, when all have ended.
    pub cleans: bool,
    /// How long a call may take that does not say so itself.
    pub timeout: Duration,
    /// All random data derive from it.
    pub seed: u64,
    /// Who makes the steps of a suite that are no part of its load: what the first ones have learnt, the last ones know.
    pub vu: Vu,
}

impl Default for Control {
    /// All of a run of which nothing is known.
    fn default() -> Self {
        Self {
            calls: 0,
            first: true,
            cleans: true,
            timeout: Duration::from_secs(30),
            seed: 1,
            vu: Vu::new(0),
        }
    }
}

impl Control {
    /// As `plan` wants it.
    pub(crate) fn of(plan: &RunPlan) -> Self {
        let timeout = Duration::from_nanos(plan.timeout.0.unsigned_abs());
        Self { first: plan.segment.index == 0, timeout, seed: plan.record.seed, ..Self::default() }
    }
}
