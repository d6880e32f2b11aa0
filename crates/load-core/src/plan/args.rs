//! What can be typed? The flags that all tools share, as typed; sense is made of them in [`super::build`].

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args};
use load_report::model::{Rehearsal, Segment};
use load_suite::stage::Stage;
use load_suite::suite::{Event, k6_thresholds};
use load_suite::think::Think;
use load_suite::units;

use super::sample::Asked;

/// Load, limits and outputs: the same in every tool.
#[derive(Args, Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "every one is a switch of the command line")]
#[expect(clippy::doc_markdown, reason = "the docs are the help text, where backticks would be noise")]
pub struct LoadArgs {
    /// Virtual users; each waits for its answer before it goes on (closed model).
    #[arg(short = 'u', long, alias = "users", value_name = "N", value_parser = units::count, env = "QUINTET_VUS", help_heading = "Load")]
    pub vus: Option<u64>,
    /// Users started a second, until all are there (Locust's -r; ours is the arrival rate).
    #[arg(long, value_name = "N", value_parser = units::rate, help_heading = "Load")]
    pub spawn_rate: Option<f64>,
    /// Connections in the pool [default: one a virtual user; in the open model the lanes at the start].
    #[arg(short = 'c', long, value_name = "N", value_parser = units::count, env = "QUINTET_CONNECTIONS", help_heading = "Load")]
    pub connections: Option<u64>,
    /// Arrivals/s in TOTAL over all threads and processes, whatever the target does (open model): 500, 500/s, 6000/m.
    #[arg(short = 'r', long, visible_aliases = ["rps", "qps"], value_name = "R", value_parser = units::rate, env = "QUINTET_RATE", help_heading = "Load")]
    pub rate: Option<f64>,
    /// How arrivals are spread [default: constant].
    #[arg(long, value_name = "KIND", value_enum, help_heading = "Load")]
    pub arrivals: Option<ArrivalKind>,
    /// New connections/s in TOTAL at most, the first ones and those after an outage: 500, 6000/m [default: no limit].
    #[arg(long, value_name = "R", value_parser = units::rate, help_heading = "Load")]
    pub connect_rate: Option<f64>,
    /// Close a connection after so long, when no call is under way on it, and open another one: 30s, 30s..60s,
    /// "exponential 45s" [default: never].
    #[arg(long, value_name = "D | A..B", value_parser = Think::parse, help_heading = "Load")]
    pub lifetime: Option<Think>,
    /// Most lanes that the open model may add when those at the start are all waiting [default: none are added].
    #[arg(long, value_name = "N", value_parser = units::count, help_heading = "Load")]
    pub max_vus: Option<u64>,
    /// How long: 30s, 5m, 1h30m; a bare number is seconds [default: 10s].
    #[arg(short = 'd', long, visible_short_alias = 'z', alias = "run-time", value_name = "D", value_parser = units::duration, env = "QUINTET_DURATION", help_heading = "Load")]
    pub duration: Option<Duration>,
    /// Stop after N calls in total, with a suite after N iterations; 10k and 1m work.
    #[arg(short = 'n', long, value_name = "N", value_parser = units::count, help_heading = "Load")]
    pub requests: Option<u64>,
    /// Ramp to TARGET users, or TARGET/s with --rate, over D; repeatable, also a comma list.
    #[arg(long = "stage", value_name = "[NAME=]D:TARGET", value_delimiter = ',', help_heading = "Load")]
    pub stages: Vec<Stage>,
    /// The first D of the run is recorded but not counted.
    #[arg(long, value_name = "D", value_parser = units::duration, help_heading = "Load")]
    pub warmup: Option<Duration>,
    /// Pause after each iteration of a user: 2s, 1s..3s, "exponential 2s", or "pacing 10s" from begin to begin.
    #[arg(long, value_name = "D | A..B", value_parser = Think::parse, help_heading = "Load")]
    pub think: Option<Think>,
    /// One call, and one attempt to connect, may take so long [default: 30s].
    #[arg(long, value_name = "D", value_parser = units::duration, help_heading = "Load")]
    pub timeout: Option<Duration>,
    /// How long calls in flight at the end may still take [default: 30s].
    #[arg(long, value_name = "D", value_parser = units::duration, help_heading = "Load")]
    pub graceful_stop: Option<Duration>,

    /// What a suite says.
    #[command(flatten)]
    pub suite: SuiteArgs,
    /// Thresholds of the suite, each behind its place.
    #[arg(skip)]
    pub suite_thresholds: Vec<(String, String)>,
    /// What the suite does to the system while the run lasts.
    #[arg(skip)]
    pub events: Vec<Event>,
    /// The suite has steps behind the run.
    #[arg(skip)]
    pub has_cleanup: bool,
    /// The suite's smallest table with a row for each user: its name, and how many users that makes at most.
    #[arg(skip)]
    pub rows: Option<(String, u64)>,

    /// Whom to ask what the target uses, besides the protocol's own.
    #[arg(skip)]
    pub asked: Asked,

    /// Times and users were multiplied by T and U already: what is without a suite is marked as a rehearsal so.
    #[arg(long, value_name = "T,U", value_parser = rehearsal, hide = true)]
    pub rehearsal: Option<Rehearsal>,

    /// Worker threads of each process [default: all cores].
    #[arg(long, value_name = "N", help_heading = "Machine")]
    pub threads: Option<u32>,
    /// Processes that share the work on this machine: a number, or auto: one a core, and more where the connections are
    /// more than the descriptors of so many.
    #[arg(long, value_name = "N|auto", value_parser = processes, default_value = "1", help_heading = "Machine")]
    pub processes: u32,
    /// Do part I of N of the run; N such runs together are exactly the whole one.
    #[arg(long, value_name = "I/N", value_parser = segment, default_value = "0/1", help_heading = "Machine")]
    pub segment: Segment,
    /// Begin at this instant (RFC 3339), to start segments on several machines together.
    #[arg(long, value_name = "RFC3339", value_parser = instant, help_heading = "Machine")]
    pub start_at: Option<jiff::Timestamp>,
    /// All random data derive from it.
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Machine")]
    pub seed: u64,

    /// What must hold, in k6's grammar: 'http_req_duration: p(95)<500'; 'warn ...' only warns; @FILE for k6's thresholds in
    /// JSON. Repeatable.
    #[arg(long = "threshold", value_name = "EXPR | @FILE", value_parser = expressions, help_heading = "Verdict")]
    pub thresholds: Vec<Expressions>,
    /// What thresholds with delta(...) compare with: a results folder, a component's summary file, or a baseline's name
    /// (aggregate baseline).
    #[arg(long, value_name = "RUN|NAME", help_heading = "Verdict")]
    pub baseline: Option<String>,
    /// How often the target is asked about itself beside the load (docs/gauges.md), or off [default: 1s, where it can be].
    #[arg(long, value_name = "D|off", value_parser = sampled, help_heading = "Verdict")]
    pub sample: Option<Sampled>,
    /// Ask this page, too, what the target uses: Prometheus' text of the process (the default) or of its machine, by a
    /// node_exporter; docs/gauges.md. Repeatable.
    #[arg(long = "sample-url", value_name = "[process=|node=]URL", help_heading = "Verdict")]
    pub sample_urls: Vec<String>,
    /// Ask the system what a process of this machine uses: its number, or a file that has it.
    #[arg(long, value_name = "PID|FILE", help_heading = "Verdict")]
    pub sample_pid: Option<String>,
    /// Judge nothing, not even error_rate < 1%.
    #[arg(long, help_heading = "Verdict")]
    pub no_thresholds: bool,

    /// Folder of the results folders.
    #[arg(
        long,
        value_name = "DIR",
        default_value = "results",
        env = "QUINTET_RESULTS",
        help_heading = "Output"
    )]
    pub results: PathBuf,
    /// Name of this run's folder [default: the time in UTC].
    #[arg(long, value_name = "ID", env = "QUINTET_RUN_ID", help_heading = "Output")]
    pub run_id: Option<String>,
    /// Name of the component in the results [default: the tool's].
    #[arg(long, value_name = "NAME", help_heading = "Output")]
    pub name: Option<String>,
    /// A tag on the results; repeatable.
    #[arg(long = "tag", value_name = "K=V", value_parser = key_value, help_heading = "Output")]
    pub tags: Vec<(String, String)>,
    /// More output: json=FILE (k6's JSON lines, a point for each sample), k6-summary=FILE (its metrics as JSON), html=FILE (a page),
    /// locust=PREFIX (the files of a test with Locust), raw=FILE (CSV, a line for each call); repeatable.
    #[arg(long = "out", value_name = "KIND=WHERE", value_parser = key_value, help_heading = "Output")]
    pub outs: Vec<(String, String)>,
    /// Figures over HTTP while the run goes on (docs/live.md): /metrics for Prometheus, /events for programs, / for people. A port
    /// alone, like 9470, is for this machine only; at other addresses everybody who reaches them can read. Port 0: any, printed.
    #[arg(long, value_name = "[ADDR:]PORT", value_parser = live, help_heading = "Output")]
    pub live: Option<SocketAddr>,
    /// A report beside the results folder, its kind by extension: .html, .md, .json, .xml (JUnit), .csv; repeatable.
    #[arg(long = "report", value_name = "FILE", help_heading = "Output")]
    pub reports: Vec<PathBuf>,
    /// Print nothing but errors.
    #[arg(short = 'q', long, help_heading = "Output")]
    pub quiet: bool,
    /// No progress while the run goes on.
    #[arg(long, help_heading = "Output")]
    pub no_progress: bool,
    /// Accepted for those who come from Locust; it is the default.
    #[arg(long, help_heading = "Output")]
    pub headless: bool,
    /// Check and print the plan, send nothing.
    #[arg(long, help_heading = "Output")]
    pub dry_run: bool,
    /// Say more: -v for debug, -vv for trace.
    #[arg(short = 'v', action = ArgAction::Count, help_heading = "Output")]
    pub verbose: u8,
    /// error, warn, info, debug or trace.
    #[arg(long, value_name = "LEVEL", help_heading = "Output")]
    pub log_level: Option<tracing::Level>,

    /// Send nothing anywhere: run the whole engine against a protocol that answers at once.
    #[arg(long, help_heading = "Self-test")]
    pub null: bool,
    /// With --null: names of ops to spread the calls over.
    #[arg(long, value_name = "N", default_value_t = 1, requires = "null", help_heading = "Self-test")]
    pub null_ops: u16,
    /// With --null: one call in N fails; 0 for none.
    #[arg(long, value_name = "N", default_value_t = 0, requires = "null", help_heading = "Self-test")]
    pub null_fail_every: u64,
    /// With --null: every 20th call blocks its whole worker for so long, as no protocol should.
    #[arg(long, value_name = "D", value_parser = units::duration, requires = "null", help_heading = "Self-test")]
    pub null_block: Option<Duration>,
}

/// Which suite, and what of it.
#[derive(Args, Clone, Debug, Default)]
pub struct SuiteArgs {
    /// What users do, as data: a TOML file, a folder, or the name of a folder in suites/ (docs/suites.md).
    #[arg(long, value_name = "NAME|PATH", env = "QUINTET_SUITE", help_heading = "Suite")]
    pub suite: Option<String>,
    /// Which of the suite's profiles says how much [default: the first one].
    #[arg(long, value_name = "NAME", env = "QUINTET_PROFILE", help_heading = "Suite")]
    pub profile: Option<String>,
    /// Which of the suite's environments says where [default: the first one].
    #[arg(long, value_name = "NAME", env = "QUINTET_ENVIRONMENT", help_heading = "Suite")]
    pub environment: Option<String>,
    /// A value for {{NAME}}; repeatable.
    #[arg(short = 'e', long = "var", value_name = "NAME=VALUE", value_parser = key_value, help_heading = "Suite")]
    pub vars: Vec<(String, String)>,
    /// Only tasks with one of these tags.
    #[arg(
        id = "tasks_with",
        long = "tags",
        value_name = "TAGS",
        value_delimiter = ',',
        help_heading = "Suite"
    )]
    pub tags: Vec<String>,
    /// No task with one of these tags.
    #[arg(long, value_name = "TAGS", value_delimiter = ',', help_heading = "Suite")]
    pub exclude_tags: Vec<String>,
    /// Only these user classes or tasks.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', help_heading = "Suite")]
    pub only: Vec<String>,
    /// The profile's shape, with every time multiplied by F: 0.1 for a rehearsal.
    #[arg(long, value_name = "F", value_parser = factor, allow_hyphen_values = true, help_heading = "Suite")]
    pub scale_time: Option<f64>,
    /// The profile's shape, with users and rates multiplied by F.
    #[arg(long, value_name = "F", value_parser = factor, allow_hyphen_values = true, help_heading = "Suite")]
    pub scale_users: Option<f64>,
}

/// How arrivals are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ArrivalKind {
    /// Evenly.
    Constant,
    /// At random, as independent users arrive.
    Poisson,
}

impl ArrivalKind {
    /// The word on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Poisson => "poisson",
        }
    }
}

/// How often the target is asked about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sampled {
    /// Never.
    Off,
    /// After each such time.
    Every(Duration),
}

fn sampled(text: &str) -> Result<Sampled, String> {
    if text == "off" {
        return Ok(Sampled::Off);
    }
    let sensible = Duration::from_millis(100)..=Duration::from_hours(1);
    let every = units::duration(text).ok().filter(|every| sensible.contains(every));
    every.map(Sampled::Every).ok_or_else(|| "expected a time from 100ms to 1h, or off".into())
}

/// A port alone, with or without the colon, is one of this machine for itself.
fn live(text: &str) -> Result<SocketAddr, String> {
    let local = |port: &str| port.parse().ok().map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
    let port = ["localhost:", ":"].iter().find_map(|prefix| text.strip_prefix(prefix)).unwrap_or(text);
    let address = local(port).or_else(|| text.parse().ok());
    address.ok_or_else(|| {
        "expected a port like 9470, or an address of this machine with one: 0.0.0.0:9470, [::1]:9470".into()
    })
}

/// What one `--threshold` says: an expression, or all those of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expressions(pub Vec<String>);

fn expressions(text: &str) -> Result<Expressions, String> {
    let Some(file) = text.strip_prefix('@') else { return Ok(Expressions(vec![text.to_owned()])) };
    let json = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    k6_thresholds(file, &json).map(Expressions).map_err(|error| error.to_string())
}

/// The place of thresholds that are on the command line.
pub(super) const TYPED: &str = "--threshold";

/// `--processes auto`.
pub(super) const AUTO: u32 = 0;

fn processes(text: &str) -> Result<u32, String> {
    if text == "auto" {
        return Ok(AUTO);
    }
    text.parse()
        .ok()
        .filter(|&n| (1..=1_024).contains(&n))
        .ok_or_else(|| "expected auto, or 1 to 1024".into())
}

fn factor(text: &str) -> Result<f64, String> {
    let factor = text.parse().ok().filter(|factor: &f64| factor.is_finite() && *factor > 0.0);
    factor.ok_or_else(|| "expected a factor above 0, like 0.1".into())
}

fn rehearsal(text: &str) -> Result<Rehearsal, String> {
    let factors = text.split_once(',').map(|(time, users)| (factor(time), factor(users)));
    match factors {
        Some((Ok(time), Ok(users))) => Ok(Rehearsal { time, users }),
        _ => Err("expected two factors, like 0.05,0.1".into()),
    }
}

fn instant(text: &str) -> Result<jiff::Timestamp, String> {
    text.parse().map_err(|_| "expected an instant like 2026-11-21T08:00:00Z".into())
}

fn segment(text: &str) -> Result<Segment, String> {
    let parts = text.split_once('/').and_then(|(index, of)| Some((index.parse().ok()?, of.parse().ok()?)));
    match parts {
        Some((index, of)) if index < of && of <= 65_536 => Ok(Segment { index, of }),
        _ => Err("expected I/N with I from 0 to N-1, like 0/3".into()),
    }
}

fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE".into()),
    }
}

impl LoadArgs {
    /// The thresholds of the command line and of the suite, each behind its place.
    pub(crate) fn all_thresholds(&self) -> impl Iterator<Item = (&str, &str)> {
        let typed = self.thresholds.iter().flat_map(|given| &given.0);
        let typed = typed.map(|text| (TYPED, text.as_str()));
        typed.chain(self.suite_thresholds.iter().map(|(place, text)| (place.as_str(), text.as_str())))
    }
}
