//! What does the engine get? The protocol of the trait.

use std::num::NonZeroU32;
use std::rc::Rc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};

use futures_util::future::try_join_all;
use load_core::error::{PrepareError, UsageError};
use load_core::protocol::{Control, Fault, LinkId, Outcome, Probe, Protocol, Script, Sharing, Vu};
use load_report::model::{ExtraPlan, RunFile};

use super::args::RedisArgs;
use super::command::Scratch;
use super::server::Server;
use super::stream::Stream;
use super::stream::perform::{Performance, Stop};
use super::wire::{Connection, Failure, Shared, Slot, reply};
use super::workload::Work;
use super::{data, faults, series};
use crate::names::Nonce;
use crate::pool;
use crate::target;

type Pool = pool::Pool<Rc<Shared>>;

/// Redis.
pub struct Redis {
    server: Server,
    work: Work,
    script: Script<Step>,
    pipeline: u32,
    multiplex: NonZeroU32,
    record: serde_json::Value,
    /// When a connection was lost that has not been replaced, on the engine's clock; 0 for none.
    lost_at: AtomicI64,
    /// The run that this process would prepare.
    run: Nonce,
    /// The connection that has prepared the keys.
    preparing: Mutex<Option<Connection>>,
}

/// What one call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The command of this index, as often as the pipeline is long.
    Command(usize),
    /// Adds a message to the stream.
    Produce,
    /// Takes messages from the stream.
    Consume,
    /// Leaves the stream.
    Leave,
}

/// A lane's view of its worker's pool, and what it writes and reads with.
pub struct Session {
    pool: Rc<Pool>,
    prefix: Rc<str>,
    slot: Rc<Slot>,
    /// The rows of the commands that are under way.
    rows: Vec<u64>,
    scratch: Scratch,
}

impl Session {
    fn new(pool: Rc<Pool>, prefix: Rc<str>) -> Self {
        Self { pool, prefix, slot: Rc::default(), rows: Vec::new(), scratch: Scratch::default() }
    }
}

impl Redis {
    async fn dial(&self, probe: &mut Probe<'_>) -> Result<Rc<Shared>, Fault> {
        match self.server.login.open().await {
            Ok(connection) => {
                let since = self.lost_at.swap(0, Ordering::Relaxed);
                if since != 0 {
                    probe.observe(series::OUTAGE, probe.now().0.abs_diff(since));
                }
                Ok(self.shared(connection))
            }
            Err(failure) => {
                self.lose(probe);
                Err(Fault { ends_session: true, ..faults::lost(&failure, probe) })
            }
        }
    }

    fn shared(&self, connection: Connection) -> Rc<Shared> {
        Rc::new(Shared::new(connection, self.multiplex.get() > 1))
    }

    /// A connection is no more.
    #[cold]
    fn lose(&self, probe: &Probe<'_>) {
        let _ = self.lost_at.compare_exchange(0, probe.now().0, Ordering::Relaxed, Ordering::Relaxed);
    }

    fn failed(&self, failure: &Failure) -> PrepareError {
        target::failed(&self.server.label(), faults::explain(failure))
    }

    /// A call of a producer or consumer.
    async fn stream(
        &self,
        stream: &Stream,
        step: Step,
        session: &mut Session,
        vu: &mut Vu,
        probe: &mut Probe<'_>,
    ) -> Result<Outcome, Fault> {
        let lent = session.pool.get(probe, async |probe: &mut Probe<'_>| self.dial(probe).await).await?;
        if session.slot.is_busy() {
            session.slot = Rc::default();
        }
        let run = session.prefix.trim_start_matches("quintet:").trim_end_matches(':');
        let key = stream.key(&session.prefix);
        let begun = probe.now();
        let mut performance = Performance {
            stream,
            key: &key,
            run,
            over: &lent.connection,
            slot: &session.slot,
            payload: self.work.shape.size(0),
            vu,
            probe: &mut *probe,
            begun,
            outcome: Outcome::default(),
        };
        let ended = match step {
            Step::Produce => performance.produce().await,
            Step::Consume => performance.consume().await,
            Step::Leave | Step::Command(_) => performance.leave().await,
        };
        let outcome = performance.outcome;
        match ended {
            Ok(()) => {
                lent.done();
                Ok(outcome)
            }
            Err(Stop::Failed(fault)) => {
                lent.done();
                Err(fault.after(outcome.sent, outcome.received))
            }
            Err(Stop::Lost(failure)) => {
                self.lose(probe);
                let fault = faults::lost(&failure, probe);
                Err(Fault { ends_session: false, ..fault }.after(outcome.sent, outcome.received))
            }
        }
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
        for kind in &self.work.filled {
            data::make(over, &self.run, kind, &self.work.shape, control).await?;
        }
        Ok(())
    }

    async fn remove(&self, over: &mut Connection, control: &mut Control) -> Result<(), Failure> {
        if let Some(stream) = self.work.stream.as_ref().filter(|stream| stream.args.stream.is_none()) {
            control.calls += 1;
            data::unlink(over, &[stream.key(&self.run.prefix())]).await?;
        }
        for kind in &self.work.kinds {
            data::remove(over, &self.run, kind, self.work.shape.keys, control).await?;
        }
        Ok(())
    }
}

impl Protocol for Redis {
    const NAME: &'static str = "db-redis";
    type Args = RedisArgs;
    type Target = Nonce;
    type Step = Step;
    const RESUMES: bool = true;
    type Link = Session;
    type Session = Session;

    fn new(args: RedisArgs) -> Result<Self, UsageError> {
        let (work, script) = Work::new(&args)?;
        let server = Server::new(args.url, args.password_file.as_deref(), &args.tls, args.resp3)?;
        let mut record = serde_json::json!({
            "url": server.label(),
            "user": server.login.user,
            "tls": server.trust(),
            "protocol": if server.login.resp3 { "RESP3" } else { "RESP2" },
            "pipeline": args.pipeline,
            "multiplex": args.multiplex,
        });
        if let Some(record) = record.as_object_mut() {
            record.extend(work.record().clone());
        }
        Ok(Self {
            server,
            work,
            script,
            pipeline: args.pipeline,
            multiplex: args.multiplex,
            record,
            lost_at: AtomicI64::new(0),
            run: Nonce::of_now(),
            preparing: Mutex::default(),
        })
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
        self.work.ops.clone()
    }

    fn extras(&self) -> Vec<ExtraPlan> {
        series::extras(self.pipeline > 1, self.work.stream.is_some())
    }

    fn counters(&self) -> Vec<ExtraPlan> {
        series::counters(self.work.stream.is_some())
    }

    fn script(&self) -> &Script<Step> {
        &self.script
    }

    fn sharing(&self) -> Sharing {
        Sharing::Pool
    }

    async fn prepare(&self, control: &mut Control) -> Result<Nonce, PrepareError> {
        // Cleanup gets the connection, to speak after what was said last, should this be dropped half way.
        let mut kept = Kept { connection: Some(self.server.open().await?), to: &self.preparing };
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
        let other = |_| pool::recorded(seen, self.server.login.open());
        let others = try_join_all((1..link.connections.get()).map(other)).await;
        let others = others.map_err(|failure| {
            self.lose(probe);
            Fault { ends_session: true, ..faults::lost(&failure, probe) }
        })?;
        let others = others.into_iter().map(|connection| self.shared(connection));
        let pool = Pool::new(std::iter::once(first).chain(others).collect(), self.multiplex);
        Ok(Session::new(Rc::new(pool), run.prefix().into()))
    }

    fn share(&self, link: &Session) -> Option<Session> {
        Some(Session::new(Rc::clone(&link.pool), Rc::clone(&link.prefix)))
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
        let index = match (step, &self.work.stream) {
            (Step::Command(index), _) => *index,
            (step, Some(stream)) => return self.stream(stream, *step, session, vu, probe).await,
            (_, None) => return Err(Fault::fatal(load_report::fault::FaultKind::Local)),
        };
        let Session { pool, prefix, slot, rows, scratch } = session;
        let (command, shape) = (&self.work.commands[index], &self.work.shape);
        let lent = pool.get(probe, async |probe: &mut Probe<'_>| self.dial(probe).await).await?;
        if slot.is_busy() {
            // Its replies are those of a call that was given up.
            *slot = Rc::default();
        }
        rows.clear();
        let sent = lent.connection.submit(slot, self.pipeline, |out| {
            for _ in 0..self.pipeline {
                let row = shape.draw(vu);
                command.write((prefix, row), shape, vu, scratch, out);
                rows.push(row);
            }
        });
        let answered = if self.pipeline == 1 {
            lent.connection.replies(slot, |_| {}).await
        } else {
            let begun = probe.now();
            let came = |count| {
                let time = probe.now().since(begun);
                (0..count).for_each(|_| probe.observe(series::COMMAND, time));
            };
            lent.connection.replies(slot, came).await
        };
        if let Err(failure) = answered {
            self.lose(probe);
            // The pool repairs itself.
            return Err(Fault { ends_session: false, ..faults::lost(&failure, probe) }.after(sent, 0));
        }
        lent.done();
        let bytes = slot.bytes.borrow();
        let (mut rest, mut first, mut failed) = (&bytes[..], None, 0);
        for row in rows.iter() {
            // They were whole when they came.
            let Ok(Some((reply, length))) = reply::read(rest) else { break };
            rest = &rest[length..];
            if let Err(fault) = command.look(reply, *row, shape, scratch, probe) {
                first.get_or_insert(fault);
                failed += 1;
            }
        }
        probe.count(series::COMMANDS, self.pipeline.into());
        let received = bytes.len() as u64;
        match first {
            None => Ok(Outcome { sent, received, messages: self.pipeline, ..Outcome::default() }),
            Some(fault) => {
                probe.count(series::COMMANDS_FAILED, failed);
                Err(fault.after(sent, received))
            }
        }
    }

    async fn idle(&self, session: &mut Session, _probe: &mut Probe<'_>) -> Fault {
        session.pool.gone().await
    }

    async fn cleanup(&self, _run: Option<&Nonce>, control: &mut Control) -> Result<(), PrepareError> {
        let prepared = self.preparing.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Without it nothing was made.
        let Some(mut connection) = prepared else { return Ok(()) };
        if data::ping(&mut connection).await.is_err() {
            connection = self.server.open().await?;
        }
        control.calls += 1;
        self.remove(&mut connection, control).await.map_err(|failure| self.failed(&failure))
    }

    fn remarks(&self, run: &RunFile) -> Vec<String> {
        pool::remark(run).into_iter().collect()
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
