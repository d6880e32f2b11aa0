//! What was asked for on the command line?

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use load_report::exit::Exit;

/// Merges the results of all components of a run, judges them together, and says PASS, WARNING, FAIL or INVALID.
#[derive(Debug, Parser)]
#[command(version, after_help = Exit::help(), args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    /// The results folder of one run, for example results/latest
    #[arg(value_name = "RESULTS", required = true)]
    pub(crate) results: Option<PathBuf>,

    /// TOML file with targets that may span components: a list of tables `[[target]]` with `name`, `expr` (such as
    /// `api::response_time: p(95)<500ms`) and, optionally, `level` (`fail` or `warn`) and `description`
    #[arg(long, value_name = "FILE")]
    pub(crate) targets: Option<PathBuf>,

    /// Compare with an earlier run: a results folder, a component's summary file, or a baseline's name. What is worse by more
    /// than noise is a regression (exit code 112); thresholds with `delta(...)` are judged by it, too
    #[arg(long, value_name = "RUN|NAME")]
    pub(crate) baseline: Option<String>,

    #[command(flatten)]
    pub(crate) against: Against,

    /// Fail when a component was skipped, instead of warning
    #[arg(long)]
    pub(crate) require_all: bool,

    /// Report what can be read although a file cannot; the exit code stays that of the unreadable file
    #[arg(long)]
    pub(crate) keep_going: bool,

    /// Write one more report; the extension says what: html, md, json, xml (JUnit), csv
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Vec<PathBuf>,

    /// Print nothing but the verdict
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// What else can be asked for: what there is to run.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the suites of a folder: what they are, their tools, profiles and environments
    Suites(SuitesArgs),
    /// List or show the profiles of a suite
    Profiles {
        #[command(subcommand)]
        command: Profiles,
    },
    /// Compare runs with a baseline: what is worse by more than noise (exit code 112), and what is better
    Compare(CompareArgs),
    /// Keep runs as baselines, by names
    Baseline {
        #[command(subcommand)]
        command: Baselines,
    },
    /// Print how a run kept its objectives (thresholds and targets), in all and by op; the exit code is that of the verdict
    Slo(SloArgs),
    /// Print what has to run for a profile of a system, a line a component, for scripts: turn, component, kind of
    /// target, tool and flags, separated by tabs. Those of one turn run together.
    Components(ComponentsArgs),
}

/// What is asked of the profiles of a suite.
#[derive(Debug, Subcommand)]
pub(crate) enum Profiles {
    /// List them, and which tools know them
    List(ListArgs),
    /// Show one as text, JSON, a k6 script or a locustfile
    Show(ShowArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct SuitesArgs {
    /// The folder of suites
    #[arg(value_name = "DIR", default_value = "suites")]
    pub(crate) folder: PathBuf,

    /// How it is printed
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: ListFormat,
}

#[derive(Debug, clap::Args)]
pub(crate) struct SloArgs {
    /// The results folder of one run
    #[arg(value_name = "RESULTS")]
    pub(crate) results: Option<PathBuf>,

    /// A recorded run instead of one of yours, to see what the report is like
    #[arg(long, conflicts_with = "results")]
    pub(crate) demo: bool,

    /// Judge by the thresholds of this suite instead of the run's own: a name in suites/, or a path
    #[arg(long, value_name = "NAME|PATH")]
    pub(crate) suite: Option<String>,

    /// Which of the suite's profiles [default: its first one; with --demo the suite is aragora]
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,

    /// TOML file with targets that may span components
    #[arg(long, value_name = "FILE")]
    pub(crate) targets: Option<PathBuf>,

    /// How it is printed
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: ListFormat,
}

/// From when on a change counts.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Against {
    /// Changes up to this are noise, however certain [with --baseline]
    #[arg(long, value_name = "SHARE", default_value = "5%", value_parser = share)]
    pub(crate) noise: f64,

    /// So are differences of error rates up to this share of all calls
    #[arg(long, value_name = "SHARE", default_value = "0.1%", value_parser = share)]
    pub(crate) error_noise: f64,

    /// Of comparisons of equal runs so many may find a change by chance
    #[arg(long, value_name = "SHARE", default_value = "5%", value_parser = share)]
    pub(crate) level: f64,

    /// Compare what did not do the same, too, and say so
    #[arg(long)]
    pub(crate) allow_different: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct CompareArgs {
    /// A results folder, a component's summary file, or the name of a baseline
    #[arg(value_name = "BASELINE")]
    pub(crate) baseline: String,

    /// The same of the runs in question; several tell more than one
    #[arg(value_name = "CURRENT", required = true)]
    pub(crate) current: Vec<String>,

    /// One more run of the baseline; repeatable
    #[arg(short = 'b', long = "and-baseline", value_name = "RUN")]
    pub(crate) more: Vec<String>,

    #[command(flatten)]
    pub(crate) against: Against,

    /// Folder of the results folders, where baselines are kept
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub(crate) results: PathBuf,

    /// How it is printed; md is for comments on a change
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: CompareFormat,
}

/// What is done with baselines.
#[derive(Debug, Subcommand)]
pub(crate) enum Baselines {
    /// Keep the results of a run, its segments merged
    Save {
        /// What it is called from now on
        #[arg(value_name = "NAME")]
        name: String,
        /// Its results folder
        #[arg(value_name = "RUN")]
        run: PathBuf,
        /// Take the place of the baseline of that name
        #[arg(long)]
        replace: bool,
        /// Folder of the results folders, where baselines are kept
        #[arg(long, value_name = "DIR", default_value = "results")]
        results: PathBuf,
    },
    /// List them
    List {
        /// Folder of the results folders, where baselines are kept
        #[arg(long, value_name = "DIR", default_value = "results")]
        results: PathBuf,
    },
    /// Show what one of them did
    Show {
        /// What it is called
        #[arg(value_name = "NAME")]
        name: String,
        /// Folder of the results folders, where baselines are kept
        #[arg(long, value_name = "DIR", default_value = "results")]
        results: PathBuf,
    },
}

/// How comparisons are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum CompareFormat {
    /// For people
    #[default]
    Text,
    /// For programs (docs/schema/compare.v1.json)
    Json,
    /// Markdown
    Md,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    /// A name in suites/, or a path
    #[arg(value_name = "SUITE")]
    pub(crate) suite: String,

    /// How it is printed
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: ListFormat,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ShowArgs {
    /// A name in suites/, or a path; with a profile behind it, or else the suite's first one
    #[arg(value_name = "SUITE[/PROFILE]")]
    pub(crate) suite: String,

    /// The profile, instead of behind the suite
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,

    /// The environment [default: the suite's first one]
    #[arg(long, value_name = "NAME")]
    pub(crate) environment: Option<String>,

    /// Only the part of one tool: api, ws, db, grpc
    #[arg(long, value_name = "KIND")]
    pub(crate) tool: Option<String>,

    /// How it is printed; k6 and locust are files for these tools, of api-load's part where there is one
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: ShowFormat,

    /// All times of the profile by this
    #[arg(long, value_name = "X", default_value_t = 1.0, value_parser = factor)]
    pub(crate) scale_time: f64,

    /// All users and rates of the profile by this
    #[arg(long, value_name = "X", default_value_t = 1.0, value_parser = factor)]
    pub(crate) scale_users: f64,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ComponentsArgs {
    /// A name in suites/, or a path
    #[arg(value_name = "SUITE")]
    pub(crate) suite: String,

    /// The profile of the system
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: String,

    /// The environment, passed to every tool that has a suite
    #[arg(long, value_name = "NAME")]
    pub(crate) environment: Option<String>,

    /// A value for {{NAME}}, passed to every tool that has a suite; repeatable
    #[arg(short = 'e', long = "var", value_name = "NAME=VALUE", value_parser = variable)]
    pub(crate) vars: Vec<String>,

    /// All times by this
    #[arg(long, value_name = "X", default_value_t = 1.0, value_parser = factor)]
    pub(crate) scale_time: f64,

    /// All users and rates by this
    #[arg(long, value_name = "X", default_value_t = 1.0, value_parser = factor)]
    pub(crate) scale_users: f64,
}

/// How lists are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListFormat {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

/// How a profile is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ShowFormat {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
    /// A script for k6
    K6,
    /// A locustfile
    Locust,
}

/// NAME=VALUE that can stand between tabs in a line.
fn variable(text: &str) -> Result<String, String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !value.contains(['\t', '\n', '\r']) => Ok(text.to_owned()),
        _ => Err("expected NAME=VALUE, in one line without tabs".into()),
    }
}

fn factor(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(factor) if factor.is_finite() && factor > 0.0 => Ok(factor),
        _ => Err("expected a number above 0, like 0.1".to_owned()),
    }
}

/// A share of one: `5%` or `0.05`.
fn share(text: &str) -> Result<f64, String> {
    let (number, by) =
        text.trim().strip_suffix('%').map_or((text.trim(), 1.0), |number| (number.trim_end(), 100.0));
    match number.parse::<f64>() {
        Ok(number) if (0.0..1.0).contains(&(number / by)) => Ok(number / by),
        _ => Err("expected a share below all, like 5% or 0.05".to_owned()),
    }
}
