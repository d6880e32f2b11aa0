//! A protocol whose every call says what it does, and which notes what was done when, over which connection.

use super::*;
use load_report::model::ExtraPlan;

/// What one call does.
#[derive(Clone, Copy)]
pub(super) struct Do {
    pub(super) name: &'static str,
    pub(super) ms: i64,
    /// It fails with this kind.
    pub(super) fails: Option<FaultKind>,
    /// Its connection ends with it.
    pub(super) ends: bool,
    /// So many of these calls find that the condition does not hold.
    pub(super) pending: u64,
    /// It keeps its name as this variable.
    pub(super) keeps: Option<usize>,
}

pub(super) fn call(name: &'static str, ms: i64) -> Do {
    Do { name, ms, fails: None, ends: false, pending: 0, keeps: None }
}

pub(super) fn step(what: Do) -> TaskStep<Do> {
    TaskStep::new(0, what)
}

/// What was done.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) name: &'static str,
    /// In the order in which the calls began.
    order: u64,
    pub(super) begin_ms: i64,
    pub(super) end_ms: i64,
    pub(super) connection: u64,
    pub(super) iteration: u64,
    pub(super) drawn: (u64, u64),
    /// The first three variables, as it found them.
    pub(super) vars: [String; 3],
    pub(super) kept: u64,
}

pub(super) struct Staged<const RESUMES: bool> {
    pub(super) script: Script<Do>,
    pub(super) sharing: Sharing,
    /// This connection ends at that instant, in ms, unless a call is under way.
    pub(super) breaks: Option<(u64, i64)>,
    /// From this instant on no connection can be opened, in ms.
    pub(super) away_ms: i64,
    pub(super) seen: Mutex<Vec<Seen>>,
    pub(super) begun: AtomicU64,
    pub(super) opened: AtomicU64,
    pub(super) closed: AtomicU64,
}

pub(super) struct Connection {
    number: u64,
    alarm: Alarm,
    breaks: Nanos,
}

impl<const RESUMES: bool> Staged<RESUMES> {
    pub(super) fn of(steps: Vec<TaskStep<Do>>) -> Self {
        Self::with(Script::of(vec![Task::new(1, steps)]))
    }

    pub(super) fn with(script: Script<Do>) -> Self {
        Self {
            script,
            sharing: Sharing::Exclusive,
            breaks: None,
            away_ms: i64::MAX,
            seen: Mutex::default(),
            begun: AtomicU64::new(0),
            opened: AtomicU64::new(0),
            closed: AtomicU64::new(0),
        }
    }

    /// What was done, in the order in which it began.
    pub(super) fn seen(&self) -> Vec<Seen> {
        let mut seen = self.seen.lock().unwrap().clone();
        seen.sort_by_key(|seen| seen.order);
        seen
    }

    /// Names and beginnings, in ms.
    pub(super) fn begun(&self) -> Vec<(&'static str, i64)> {
        self.seen().iter().map(|seen| (seen.name, seen.begin_ms)).collect()
    }

    pub(super) fn opened(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }
}

impl<const RESUMES: bool> Protocol for Staged<RESUMES> {
    const NAME: &'static str = "staged";
    const RESUMES: bool = RESUMES;
    const VISITS: bool = !RESUMES;
    type Args = NoArgs;
    type Target = ();
    type Step = Do;
    type Link = ();
    type Session = Connection;

    fn new(_: NoArgs) -> Result<Self, UsageError> {
        Err(UsageError::new("made by tests alone"))
    }
    fn label(&self) -> String {
        "steps".into()
    }
    fn describe(&self) -> serde_json::Value {
        serde_json::Value::Null
    }
    fn ops(&self) -> Vec<String> {
        vec!["op".into()]
    }
    fn extras(&self) -> Vec<ExtraPlan> {
        vec![ExtraPlan { name: "whole".into(), help: String::new() }]
    }
    fn script(&self) -> &Script<Do> {
        &self.script
    }
    fn sharing(&self) -> Sharing {
        self.sharing
    }
    fn share(&self, (): &()) -> Option<()> {
        Some(())
    }
    async fn prepare(&self, _: &mut Control) -> Result<(), PrepareError> {
        Ok(())
    }
    async fn connect(&self, _: &(), _: LinkId, probe: &mut Probe<'_>) -> Result<(), Fault> {
        if probe.now().0 / MS >= self.away_ms {
            return Err(Fault::fatal(FaultKind::Connect));
        }
        self.opened.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
    async fn open(&self, (): (), _: &Vu) -> Result<Connection, Fault> {
        let number = self.opened();
        let breaks = self.breaks.filter(|(which, _)| *which == number);
        let breaks = breaks.map_or(Nanos::NEVER, |(_, at_ms)| Nanos(at_ms * MS));
        Ok(Connection { number, alarm: the_clock().alarm(), breaks })
    }
    async fn call(
        &self,
        connection: &mut Connection,
        step: &Do,
        vu: &mut Vu,
        probe: &mut Probe<'_>,
    ) -> Result<Outcome, Fault> {
        let (begin, order) = (probe.now(), self.begun.fetch_add(1, Ordering::Relaxed));
        let var = |slot| String::from_utf8_lossy(vu.scope.vars.get(slot)).into_owned();
        let (vars, drawn) = ([0, 1, 2].map(var), (vu.scope.draw(), vu.rng.random()));
        connection.alarm.set(begin + Nanos(step.ms * MS));
        connection.alarm.wait().await;
        if let Some(slot) = step.keeps {
            vu.scope.vars.set(slot, step.name.as_bytes());
        }
        let kept: std::rc::Rc<AtomicU64> = vu.keep.get();
        let mut seen = self.seen.lock().unwrap();
        let before = seen.iter().filter(|seen| seen.name == step.name).count() as u64;
        seen.push(Seen {
            name: step.name,
            order,
            begin_ms: begin.0 / MS,
            end_ms: probe.now().0 / MS,
            connection: connection.number,
            iteration: vu.scope.iteration,
            drawn,
            vars,
            kept: kept.fetch_add(1, Ordering::Relaxed) + 1,
        });
        match step.fails {
            Some(kind) => Err(Fault { ends_session: step.ends, ..Fault::answered(kind, 0) }),
            None => {
                Ok(Outcome { ends_session: step.ends, pending: before < step.pending, ..Outcome::default() })
            }
        }
    }
    async fn idle(&self, connection: &mut Connection, _: &mut Probe<'_>) -> Fault {
        // Virtual time goes on only while somebody waits, so there is no alarm beyond this future.
        if the_clock().now() < connection.breaks {
            the_clock().sleep_until(connection.breaks).await;
        }
        Fault::fatal(FaultKind::Closed)
    }
    async fn close(&self, _: Connection, _: &mut Probe<'_>) {
        self.closed.fetch_add(1, Ordering::Relaxed);
    }
}
