//! What is the course of a run? Plan, prepare, connect, go, drain, judge, report.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use load_report::exit::Exit;
use load_report::fault::FaultKind;
use load_report::figures::Record;
use load_report::hist::Histogram;
use load_report::model::{Header, RunFile, SCHEMA, Segment};
use load_report::render::text;
use load_report::render::units::counted;
use load_report::threshold::unreachable;

use crate::around::{all_ended, clean_up, set_up};
use crate::child;
use crate::clock::{Clock, Nanos};
use crate::conduct::{Conductor, Signals, ready};
use crate::crew::Crew;
use crate::error::{PrepareError, RunError, UsageError};
use crate::events::{self, Events};
use crate::live::{Live, Show};
use crate::output::{Console, Folder, Progress, check_reports};
use crate::plan::args::LoadArgs;
use crate::plan::{Context, Outs, RunPlan, baseline, build, needs, preflight};
use crate::protocol::{Control, Protocol};
use crate::record::{RAW_COLUMNS, points_head};
use crate::sample::{Sampler, Sampling, Together};
use crate::usage::Meter;

/// Time from the last word of the crew to time zero: enough for every thread, or child, to have heard it.
const LEAD: Nanos = Nanos(20_000_000);
const LEAD_OF_CHILDREN: Nanos = Nanos(200_000_000);

/// What a run came to.
pub(crate) struct Finished {
    /// The code to leave with.
    pub(crate) exit: Exit,
    /// The result, unless nothing was measured.
    pub(crate) run: Option<Box<RunFile>>,
}

impl Finished {
    fn without_result(exit: Exit) -> Self {
        Self { exit, run: None }
    }
}

/// Runs `protocol` as `args` say.
///
/// # Errors
/// When there is no result: see [`RunError`].
pub(crate) fn run<P: Protocol>(
    protocol: P,
    args: &LoadArgs,
    argv: &[String],
    console: &Console,
) -> Result<Finished, RunError> {
    let plan = build(args, Context::of(&protocol))?;
    check_reports(&args.reports)?;
    preflight(&plan)?;
    nothing_there_yet(&plan.outs)?;
    let component = args.name.clone().unwrap_or_else(|| P::NAME.to_owned());
    let baseline = baseline(args, &plan, &component)?;
    console.say(&load_report::render::plan::text(&plan.record));
    let needs = needs(&plan);
    tracing::debug!("needs {} descriptors, about {} MiB", needs.descriptors, needs.memory_bytes >> 20);
    for notice in args.asked.notices() {
        console.say(&notice);
    }
    for reason in plan.thresholds.iter().filter_map(|t| unreachable(t, &plan.record)) {
        console.say(&format!("warning: {reason}"));
    }
    if args.dry_run {
        return Ok(Finished::without_result(Exit::Pass));
    }
    let live =
        args.live.map(|address| Live::open(address, Arc::clone(&plan.secrets), console)).transpose()?;
    let (run_id, mut folder) = folder(args, &component, plan.segment)?;
    make_growing(&plan)?;
    let (plan, protocol) = (Arc::new(plan), Arc::new(protocol));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default())
        .map_err(|source| RunError::Machine { what: "no event loop", source })?;
    let names = Names { run_id, component };
    let course = course(&protocol, &plan, args, argv, console, &mut folder, names, live.as_ref());
    let course = runtime.block_on(course);
    match course {
        Ok(Some(record)) => {
            let record = (record, baseline.as_ref());
            let finished = report(record, &plan, args, console, &folder, &|run| protocol.remarks(run));
            if let (Some(live), Some(run)) = (live, &finished.run) {
                live.end(run, finished.exit);
            }
            Ok(finished)
        }
        Ok(None) => {
            folder.discard();
            console.complain("stopped before the run began: nothing was measured");
            Ok(Finished::without_result(Exit::Interrupted))
        }
        Err(error) => {
            folder.discard();
            Err(error)
        }
    }
}

/// The results folder: the one that was asked for, or a new one named by the time.
fn folder(args: &LoadArgs, component: &str, segment: Segment) -> Result<(String, Folder), RunError> {
    if let Some(run_id) = &args.run_id {
        return Ok((run_id.clone(), Folder::create(&args.results, run_id, component, segment)?));
    }
    let now = Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
    // Several runs may begin in one second.
    let names = std::iter::once(now.clone()).chain((2..100).map(|n| format!("{now}-{n}")));
    let mut refused = None;
    for run_id in names {
        match Folder::create(&args.results, &run_id, component, segment) {
            Ok(folder) => return Ok((run_id, folder)),
            Err(error @ RunError::Usage(_)) => refused = Some(error),
            Err(error) => return Err(error),
        }
    }
    Err(refused.unwrap_or_else(|| RunError::Internal("no name for the run".into())))
}

struct Names {
    run_id: String,
    component: String,
}

/// Refuses before anything is made what [`make_growing`] would refuse.
fn nothing_there_yet(outs: &Outs) -> Result<(), RunError> {
    match outs.growing().find(|(_, path)| path.exists()) {
        Some((kind, path)) => {
            let taken = format!(
                "--out {kind}={}: the file exists, and nothing is overwritten: give another name",
                path.display()
            );
            Err(UsageError::new(taken).into())
        }
        None => Ok(()),
    }
}

/// Makes the files that grow while the run lasts; never overwrites one.
fn make_growing(plan: &RunPlan) -> Result<(), RunError> {
    for (kind, path) in plan.outs.growing() {
        let head = if kind == "json" { points_head(&plan.record) } else { RAW_COLUMNS.to_owned() };
        let made = std::fs::File::options().write(true).create_new(true).open(path);
        let written = made.and_then(|mut file| std::io::Write::write_all(&mut file, head.as_bytes()));
        written.map_err(|source| RunError::Write { path: path.to_owned(), source })?;
    }
    Ok(())
}

/// From preparation to cleanup. None when a signal came before time zero.
#[expect(clippy::too_many_arguments, reason = "the one place where everything comes together")]
async fn course<P: Protocol>(
    protocol: &Arc<P>,
    plan: &Arc<RunPlan>,
    args: &LoadArgs,
    argv: &[String],
    console: &Console,
    folder: &mut Folder,
    names: Names,
    live: Option<&Live>,
) -> Result<Option<Record>, RunError> {
    let clock = Clock::real().map_err(|source| RunError::Machine { what: "no timer", source })?;
    let driver = clock.clone();
    tokio::task::spawn_local(async move { driver.drive().await });
    let mut signals = Signals::listen()?;
    let mut control = Control::of(plan);
    let prepared = tokio::select! {
        target = protocol.prepare(&mut control) => target.map(Some),
        () = signals.next() => Ok(None),
    };
    let target = prepared.as_ref().ok().and_then(Option::as_ref);
    let begun = set_up(&**protocol, target, &mut control, &clock, &mut signals, console).await;
    let mut outcome = match (begun, target) {
        (Err(error), _) => Err(error.into()),
        (Ok(true), Some(target)) => {
            let stage = Stage {
                clock: clock.clone(),
                plan,
                args,
                console,
                folder,
                names,
                control_calls: control.calls,
                live,
            };
            stage.enter(protocol, target, argv, &mut signals).await
        }
        _ => Ok(None),
    };
    let first = plan.segment.index == 0;
    // A setup that failed has others fail, too: there is nothing to wait for.
    let known = match &outcome {
        Ok(ended) if first && plan.segment.of > 1 && plan.has_cleanup => {
            let together = args.start_at.is_some();
            all_ended(ended.as_ref(), plan, together, &clock, &mut signals, console).await
        }
        _ => Ok(()),
    };
    control.cleans = first && known.is_ok();
    if let Err(warning) = &known {
        console.complain(warning);
    }
    let left = clean_up(&**protocol, target, &mut control, &clock, &mut signals, console).await;
    prepared?;
    if let Ok(Some(record)) = &mut outcome {
        record.health.control_calls = control.calls;
        record.warnings.extend(known.err().into_iter().chain(left));
    }
    outcome
}

/// Everything between preparation and the record.
struct Stage<'a> {
    clock: Clock,
    plan: &'a Arc<RunPlan>,
    args: &'a LoadArgs,
    console: &'a Console,
    folder: &'a mut Folder,
    names: Names,
    control_calls: u64,
    live: Option<&'a Live>,
}

impl Stage<'_> {
    /// Gets a crew and plays.
    async fn enter<P: Protocol>(
        self,
        protocol: &Arc<P>,
        target: &P::Target,
        argv: &[String],
        signals: &mut Signals,
    ) -> Result<Option<Record>, RunError> {
        let plan = self.plan;
        let mut crew = if plan.processes > 1 {
            child::crew::<P>(plan, target, argv)?
        } else {
            Crew::threads(protocol, target, plan, 0, plan.segment)
                .map_err(|source| RunError::Machine { what: "cannot start a thread", source })?
        };
        let sampler = plan.sample.and_then(|_| {
            let own = protocol.sampler(target);
            Together::of(own, &protocol.gauges(), &self.args.asked.sources, &self.clock)
        });
        self.play(&mut crew, sampler, signals).await
    }

    async fn play(
        self,
        crew: &mut Crew,
        sampler: Option<Box<dyn Sampler>>,
        signals: &mut Signals,
    ) -> Result<Option<Record>, RunError> {
        let Some(connected) = ready(crew, signals).await? else { return Ok(None) };
        if connected.connected == 0 && connected.failed > 0 {
            crew.tell(crate::engine::Command::Abandon(None));
            let fault = connected.fault.unwrap_or_default();
            let target = &self.plan.record.target;
            return Err(PrepareError::new(format!("no connection to {target}: {fault}")).into());
        }
        let Some((t0, started_at)) = self.time_zero(signals).await? else {
            crew.tell(crate::engine::Command::Abandon(None));
            return Ok(None);
        };
        let header = Header {
            schema: SCHEMA.into(),
            component: self.names.component,
            run_id: self.names.run_id,
            version: env!("CARGO_PKG_VERSION").into(),
            segment: self.plan.segment,
            started_at: started_at.to_string(),
            t0_monotonic_ns: t0.0,
            plan: self.plan.record.clone(),
        };
        let feed = self.live.map(Live::feed).unwrap_or_default();
        let events = Events::start(&self.plan.events, &self.clock, t0, &feed);
        let show = self.live.map(|live| Show::start(live, &header, &self.plan.thresholds, &self.clock, t0));
        let every = self.plan.sample.unwrap_or_default();
        let sampling = Sampling::start(sampler, &self.plan.record.gauges, every, &self.clock, t0);
        let duration_s = self.plan.record.duration_s;
        let wanted = !self.args.quiet && !self.args.no_progress;
        let conductor = Conductor {
            clock: self.clock,
            plan: self.plan,
            folder: self.folder,
            console: self.console,
            progress: Progress::start(self.console, duration_s, wanted),
            meter: Meter::start(self.plan.processes),
            control_calls: self.control_calls,
            sampling,
            show,
            t0,
        };
        let mut record = conductor.conduct(header, crew, signals).await;
        record.events = events.finish().await;
        record.warnings.extend(record.events.iter().filter_map(events::warning));
        if connected.failed > 0 {
            let fault = connected.fault.unwrap_or_default();
            record
                .warnings
                .push(format!("{} connections could not be opened at the start: {fault}", connected.failed));
        }
        Ok(Some(record))
    }

    /// Time zero on the monotonic and on the wall clock. None when a signal came while waiting for `--start-at`.
    async fn time_zero(&self, signals: &mut Signals) -> Result<Option<(Nanos, Timestamp)>, RunError> {
        let lead = if self.plan.processes > 1 { LEAD_OF_CHILDREN } else { LEAD };
        let (now, wall) = (self.clock.now(), Timestamp::now());
        let Some(start_at) = self.args.start_at else {
            let wall = wall.checked_add(Duration::from_nanos(lead.0.unsigned_abs()));
            return Ok(Some((now + lead, wall.map_err(|e| RunError::Internal(e.to_string()))?)));
        };
        let ahead = start_at.duration_since(wall);
        let Ok(ahead) = Duration::try_from(ahead) else {
            let message = format!(
                "--start-at {start_at} passed before the connections were open; choose a later instant"
            );
            return Err(UsageError::new(message).into());
        };
        let t0 = now + Nanos::from(ahead);
        tokio::select! {
            () = self.clock.sleep_until(t0 - lead) => Ok(Some((t0, start_at))),
            () = signals.next() => Ok(None),
        }
    }
}

/// Judges, writes, prints.
fn report(
    (record, baseline): (Record, Option<&RunFile>),
    plan: &RunPlan,
    args: &LoadArgs,
    console: &Console,
    folder: &Folder,
    remarks: &dyn Fn(&RunFile) -> Vec<String>,
) -> Finished {
    let mut run = record.judge_against(&plan.thresholds, baseline);
    run.warnings.extend(explain(&run));
    run.warnings.extend(remarks(&run));
    if !run.invalid.is_empty() {
        run.health.causes = causes(&run);
    }
    let shown = console.result(&text::run(&run, Console::coloured()));
    console.say(&format!("results: {}", folder.path().display()));
    let written = folder.write(&run, &console.log(), &args.reports, &plan.outs);
    if args.results == std::path::Path::new("results")
        && let Err(error) = folder.link_latest()
    {
        tracing::warn!("results/latest does not point here: {error}");
    }
    if let Err(error) = &written {
        console.complain(&format!("error: {error}"));
        if args.quiet {
            console.complain(&text::run(&run, false));
        }
    }
    Finished { exit: exit(&run, shown && written.is_ok()), run: Some(Box::new(run)) }
}

/// What a reader should know about why the run came out as it did.
fn explain(run: &RunFile) -> Vec<String> {
    let mut why = Vec::new();
    for (index, extra) in run.header.plan.extras.iter().enumerate() {
        let of_phases = run.data.phases.iter().filter_map(|phase| phase.extras.get(index));
        let clamped = of_phases.map(Histogram::clamped).sum();
        if clamped > 0 {
            why.push(format!(
                "{} of {} lie above 3,600,000 ms, an hour, and count as that: a series is of times; use a counter for other numbers",
                counted(clamped, "value", "values"),
                extra.name
            ));
        }
    }
    let idle = run.ledger.calls.unsent_while_idle;
    if run.ledger.calls.unsent > idle
        && let (Some(rate), Some(service)) = (run.header.plan.rate_per_s, run.totals.service_ms)
    {
        let lanes = (rate * service.mean / 1e3).ceil();
        why.push(format!(
            "{} calls found no free lane; by Little's law {rate}/s of {:.1} ms each keep {lanes} lanes busy: --max-vus {}",
            run.ledger.calls.unsent - idle,
            service.mean,
            lanes * 2.0
        ));
    }
    let wrong = run.ledger.calls.failed.get(FaultKind::Wrong);
    let judged = |name: &str| run.thresholds.iter().any(|threshold| threshold.expression.contains(name));
    if wrong > 0 && judged("http_req_failed") && !judged("error_rate") && !judged("checks") {
        why.push(format!(
            "{wrong} answers were wrong, which http_req_failed does not count, as in k6; a threshold on error_rate does"
        ));
    }
    why
}

/// What may have kept the generator of an invalid run from its work.
fn causes(run: &RunFile) -> Vec<String> {
    let (seconds, health) = (|ns: u64| ns as f64 / 1e9, &run.health);
    let causes = [
        ("waited for a CPU", health.run_queue_ns),
        ("taken by the hypervisor", health.steal_ns),
        ("CPU used by the generator", health.cpu_ns),
    ];
    let spent = causes.into_iter().filter(|(_, ns)| *ns > 1_000_000);
    spent
        .map(|(what, ns)| format!("{:.2} s {what} in {:.1} s", seconds(ns), run.end.end_ns as f64 / 1e9))
        .collect()
}

fn exit(run: &RunFile, written: bool) -> Exit {
    Exit::first_of([Some(run.exit), (!written).then_some(Exit::NotWritten)].into_iter().flatten())
}
