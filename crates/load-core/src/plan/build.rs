//! Does the command line make sense? Flags become a plan, or an error that says what to change.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use load_report::gauge::GaugePlan;
use load_report::model::{ExtraPlan, LoadModel, PhasePlan, Plan, RatePlan, Stage as StageRecord};
use load_suite::shape::Shape;
use load_suite::stage::Stage;
use load_suite::suite::Event;
use load_suite::think::Think;

use super::args::{AUTO, ArrivalKind, LoadArgs};
use super::check::{check, enough_rows, enough_to_do, users_or_rate};
use super::outs::Outs;
use super::preflight::{self, opened};
use super::sample::sample;
use super::{Load, RunPlan, promises};
use crate::clock::Nanos;
use crate::error::UsageError;
use crate::protocol::{Protocol, Sharing, Weight};
use crate::schedule::Kind;
use crate::secret::Secrets;

/// Users when nothing says how many, and seconds when nothing says how long: wrk's.
const DEFAULT_VUS: u64 = 10;
const DEFAULT_DURATION: Duration = Duration::from_secs(10);
/// Lanes at the start of the open model when nothing says how many: oha's and hey's connections.
const DEFAULT_LANES: u64 = 50;
/// The longest that a run with --requests alone may take: k6's maxDuration.
const REQUESTS_DURATION: Duration = Duration::from_mins(10);

/// How long a call may take, and calls in flight at the end, when nothing says so: k6's graceful stop.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a protocol contributes to the plan.
pub struct Context {
    /// What is loaded, without secrets.
    pub target: String,
    /// Names of the ops.
    pub ops: Vec<String>,
    /// The protocol's own series.
    pub extras: Vec<ExtraPlan>,
    /// [`Protocol::counters`].
    pub counters: Vec<ExtraPlan>,
    /// [`Protocol::rates`].
    pub rates: Vec<RatePlan>,
    /// [`Protocol::gauges`].
    pub gauges: Vec<GaugePlan>,
    /// The protocol's flags, without secrets.
    pub args: serde_json::Value,
    /// How lanes and links go together.
    pub sharing: Sharing,
    /// [`Protocol::users_only`].
    pub users_only: Option<&'static str>,
    /// What a link takes of this machine.
    pub weight: Weight,
    /// [`Protocol::spreads`].
    pub spreads: bool,
    /// How many calls a user has under way at most.
    pub width: u64,
    /// What must never be printed.
    pub secrets: Arc<Secrets>,
}

impl Context {
    /// What `protocol` contributes.
    pub fn of<P: Protocol>(protocol: &P) -> Self {
        Self {
            target: protocol.label(),
            ops: protocol.ops(),
            extras: protocol.extras(),
            counters: protocol.counters(),
            rates: protocol.rates(),
            gauges: protocol.gauges(),
            args: protocol.describe(),
            sharing: protocol.sharing(),
            users_only: protocol.users_only(),
            weight: protocol.weight(),
            spreads: protocol.spreads(),
            width: protocol.script().width(),
            secrets: Arc::new(Secrets::new(protocol.secrets())),
        }
    }
}

pub(super) fn refuse<T>(message: impl Into<String>) -> Result<T, UsageError> {
    Err(UsageError::new(message))
}

/// The plan that `args` ask for.
///
/// # Errors
/// When the flags contradict each other or cannot do what they say.
pub fn build(args: &LoadArgs, mut context: Context) -> Result<RunPlan, UsageError> {
    check(args)?;
    args.asked.join(args, &mut context)?;
    users_or_rate(args, &context)?;
    let duration = duration(args);
    let (load, vus, max_vus, record_rate) = load(args, duration, context.sharing)?;
    enough_to_do(args, &load, vus)?;
    enough_rows(args, max_vus)?;
    let warmup = args.warmup.unwrap_or_default();
    if warmup >= duration {
        return refuse(format!(
            "--warmup {warmup:?} covers the whole run of {duration:?}; nothing would be counted: make the run longer"
        ));
    }
    let lanes = context.sharing.lanes().unwrap_or(1);
    let connections = args.connections.unwrap_or_else(|| vus.div_ceil(lanes));
    let (timeout, graceful_stop) = (args.timeout.unwrap_or(PATIENCE), args.graceful_stop.unwrap_or(PATIENCE));
    let thresholds = promises::read(args, &context)?;
    let sample = sample(args, &context, &thresholds)?;
    let (Load::Closed { users: shape, .. } | Load::Open { rate: shape, .. }) = &load;
    let processes = processes(args, &context, max_vus, connections);
    let threads = threads(args, processes, context.sharing, max_vus, connections)?;
    let seconds = |d: Duration| d.as_secs_f64();
    let narrow = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    let mut record = Plan {
        target: context.target,
        model: if args.rate.is_some() { LoadModel::Open } else { LoadModel::Closed },
        vus: narrow(vus),
        max_vus: narrow(max_vus),
        connections: narrow(connections),
        rate_per_s: record_rate,
        arrivals: args.rate.map(|_| args.arrivals.unwrap_or(ArrivalKind::Constant).name().to_owned()),
        duration_s: seconds(duration),
        warmup_s: seconds(warmup),
        requests: args.requests,
        stages: args.stages.iter().map(stage_record).collect(),
        phases: phases(shape, &args.stages, warmup, duration),
        think_s: args.think.and_then(Think::bounds).map(|(low, high)| (seconds(low), seconds(high))),
        timeout_s: seconds(timeout),
        graceful_stop_s: seconds(graceful_stop),
        threads,
        processes,
        seed: args.seed,
        ops: context.ops,
        extras: context.extras,
        counters: context.counters,
        rates: context.rates,
        gauges: context.gauges,
        sample_s: sample.map(seconds),
        thresholds: Vec::new(),
        rehearsal: args.rehearsal,
        tags: args.tags.iter().cloned().collect::<BTreeMap<_, _>>(),
        args: context.args,
    };
    let thresholds = promises::of_plan(args, thresholds, &record)?;
    record.thresholds = thresholds.iter().map(ToString::to_string).collect();
    Ok(RunPlan {
        record,
        load,
        segment: args.segment,
        thresholds,
        vus,
        max_vus,
        connections,
        spreads: context.spreads,
        connect_rate: args.connect_rate,
        lifetime: lifetime(args, context.sharing)?,
        sharing: context.sharing,
        weight: context.weight,
        width: context.width,
        duration: duration.into(),
        graceful_stop: graceful_stop.into(),
        timeout: timeout.into(),
        threads,
        processes,
        outs: Outs::of(args)?,
        events: events(args, duration)?,
        has_cleanup: args.has_cleanup,
        sample: sample.filter(|_| args.segment.index == 0).map(Nanos::from),
        secrets: context.secrets,
    })
}

/// Processes of this segment.
fn processes(args: &LoadArgs, context: &Context, max_vus: u64, connections: u64) -> u32 {
    if args.processes != AUTO {
        return args.processes;
    }
    let links = opened(context.sharing, max_vus, context.width, connections);
    preflight::processes(args.segment.share_of(links.saturating_mul(context.weight.connections)))
}

/// Workers of each process, every one of which has a lane, and a connection.
fn threads(
    args: &LoadArgs,
    processes: u32,
    sharing: Sharing,
    max_vus: u64,
    connections: u64,
) -> Result<u32, UsageError> {
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get() as u32);
    let workers = if sharing == Sharing::Exclusive { max_vus } else { max_vus.min(connections) };
    let workers = u32::try_from(workers).unwrap_or(u32::MAX);
    let parts = processes.saturating_mul(args.segment.of);
    let fewer = |what: String| {
        refuse(format!(
            "{what} than the {parts} processes of all segments, each of which needs one: ask for fewer processes"
        ))
    };
    if sharing != Sharing::Exclusive && connections < u64::from(parts) {
        return fewer(format!("--connections {connections} is fewer"));
    }
    if max_vus < u64::from(parts) {
        return fewer(format!("{max_vus} {} fewer", if max_vus == 1 { "user is" } else { "users are" }));
    }
    let threads = args.threads.unwrap_or_else(|| (cores / processes).max(1));
    Ok(threads.clamp(1, (workers / processes / args.segment.of).max(1)))
}

fn duration(args: &LoadArgs) -> Duration {
    let staged: Duration = args.stages.iter().map(|stage| stage.duration).sum();
    match (args.duration, args.requests) {
        _ if !args.stages.is_empty() => staged,
        (Some(duration), _) => duration,
        (None, Some(_)) => REQUESTS_DURATION,
        (None, None) => DEFAULT_DURATION,
    }
}

/// The load, users or lanes at the start, the most of them, and the highest rate.
fn load(
    args: &LoadArgs,
    duration: Duration,
    sharing: Sharing,
) -> Result<(Load, u64, u64, Option<f64>), UsageError> {
    if let (Some(vus), Some(connections)) = (args.vus, args.connections)
        && sharing == Sharing::Exclusive
        && vus != connections
    {
        return refuse(format!(
            "--vus {vus} and --connections {connections} differ, but every user has a connection of its own here: give one of the two"
        ));
    }
    if let (Some(vus), Some(connections), Some(lanes)) = (args.vus, args.connections, sharing.lanes())
        && connections.saturating_mul(lanes) != vus
    {
        return refuse(format!(
            "--vus {vus} and --connections {connections} do not go with {lanes} streams a connection: leave one of the three out"
        ));
    }
    let all_lanes = args.connections.map(|n| n.saturating_mul(sharing.lanes().unwrap_or(1)));
    let given = args.vus.or(all_lanes);
    if let Some(rate) = args.rate {
        let shape = if args.stages.is_empty() {
            Shape::constant(rate, duration)
        } else {
            Shape::stages(rate, &args.stages)
        };
        let kind = match args.arrivals {
            None | Some(ArrivalKind::Constant) => Kind::Constant,
            Some(ArrivalKind::Poisson) => Kind::Poisson,
        };
        let lanes = given.unwrap_or_else(|| DEFAULT_LANES.min(args.max_vus.unwrap_or(u64::MAX)));
        let most = args.max_vus.unwrap_or(lanes);
        if most < lanes {
            return refuse(format!("--max-vus {most} is less than the {lanes} lanes at the start"));
        }
        let peak = shape.peak();
        return Ok((Load::Open { rate: shape, kind }, lanes, most, Some(peak)));
    }
    let users = match (args.stages.is_empty(), sharing) {
        (true, _) => given.unwrap_or(DEFAULT_VUS),
        // How large a pool is says nothing about the users who are there at the begin.
        (false, Sharing::Pool) => args.vus.unwrap_or(0),
        (false, _) => given.unwrap_or(0),
    };
    let shape = match args.spawn_rate {
        _ if !args.stages.is_empty() => Shape::stages(users as f64, &args.stages),
        Some(spawn_rate) => spawning(users, spawn_rate, duration),
        None => Shape::constant(users as f64, duration),
    };
    let most = shape.peak().ceil() as u64;
    if most == 0 {
        return refuse("no stage has a user; give a target above 0");
    }
    Ok((Load::Closed { users: shape, think: args.think }, most, most, None))
}

/// `users` started at `spawn_rate` a second, as far as `duration` allows.
fn spawning(users: u64, spawn_rate: f64, duration: Duration) -> Shape {
    let ramp = Duration::from_secs_f64((users as f64 / spawn_rate).min(duration.as_secs_f64()));
    let reached = (ramp.as_secs_f64() * spawn_rate).min(users as f64);
    Shape::from_corners(0.0, &[(ramp, reached), (duration.saturating_sub(ramp), reached)])
}

fn stage_record(stage: &Stage) -> StageRecord {
    StageRecord { name: stage.name.clone(), duration_s: stage.duration.as_secs_f64(), target: stage.target }
}

/// The parts that are recorded apart: `connect`, `warm-up`, then one a ramp, by the user's name or what it does.
fn phases(shape: &Shape, stages: &[Stage], warmup: Duration, duration: Duration) -> Vec<PhasePlan> {
    let warm = Nanos::from(warmup).0;
    let end = Nanos::from(duration).0;
    let mut phases = vec![PhasePlan { name: "connect".into(), counted: false, start_ns: 0, end_ns: 0 }];
    let mut add = |name: &str, counted, start_ns: i64, end_ns: i64| {
        if start_ns < end_ns {
            let same = phases.iter().filter(|p: &&PhasePlan| is_numbered(&p.name, name)).count();
            let name = if same == 0 { name.to_owned() } else { format!("{name}-{}", same + 1) };
            phases.push(PhasePlan { name, counted, start_ns, end_ns });
        }
    };
    add("warm-up", false, 0, warm);
    let mut named = stages.iter().filter(|stage| !stage.duration.is_zero());
    for ramp in shape.ramps() {
        let does = match ramp.to.total_cmp(&ramp.from) {
            std::cmp::Ordering::Less => "ramp-down",
            std::cmp::Ordering::Equal => "sustain",
            std::cmp::Ordering::Greater => "ramp-up",
        };
        let name = named.next().and_then(|stage| stage.name.as_deref()).unwrap_or(does);
        let at = |s: f64| (Nanos::from_secs_f64(s).0).clamp(warm, end);
        add(name, true, at(ramp.start_s), at(ramp.end_s));
    }
    phases
}

/// Whether `name` is `base`, or `base` with a number.
fn is_numbered(name: &str, base: &str) -> bool {
    name.strip_prefix(base).is_some_and(|rest| {
        rest.is_empty() || rest.strip_prefix('-').is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()))
    })
}

/// After how long a connection is replaced.
fn lifetime(args: &LoadArgs, sharing: Sharing) -> Result<Option<Think>, UsageError> {
    match args.lifetime {
        Some(_) if sharing != Sharing::Exclusive => refuse(
            "--lifetime is for connections that belong to one user each; here users share them: leave it out",
        ),
        Some(Think::None | Think::Pacing(_)) => {
            refuse("--lifetime: expected a time above 0, like 30s, 30s..60s or \"exponential 45s\"")
        }
        lifetime => Ok(lifetime),
    }
}

/// The events of the run, each of which has to come within it.
fn events(args: &LoadArgs, duration: Duration) -> Result<Vec<Event>, UsageError> {
    if let Some(late) = args.events.iter().find(|event| event.at >= duration) {
        return refuse(format!(
            "{}: the event {} comes at {:?}, when the run of {duration:?} is over: make the run longer, or --scale-time smaller",
            late.place, late.name, late.at
        ));
    }
    let is_first = args.segment.index == 0;
    Ok(if is_first { args.events.clone() } else { Vec::new() })
}
