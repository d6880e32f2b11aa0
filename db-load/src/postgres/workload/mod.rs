//! What does a run do to the database? Scripts, built in or of the user, and the tables that they need.
//!
//! | question | module |
//! |---|---|
//! | Reads and writes of single rows? | [`kv`] |
//! | What does pgbench do? | [`pgbench`] |
//! | What does NovaCron's server ask? | [`novacron`] |

pub mod kv;
pub mod novacron;
pub mod pgbench;

use std::path::{Path, PathBuf};

use load_core::error::{PrepareError, UsageError};
use load_core::protocol::{Control, OpId, Script as Tasks, Task, TaskStep};
use load_net::args::wrong;
use load_suite::template::Names;
use serde::{Deserialize, Serialize};
use tokio_postgres::Error;

use super::args::PostgresArgs;
use super::protocol::Step;
use super::script::statement::SYNC;
use super::script::{Manner, Script};
use super::session::Wire;
use super::wire::{Connection, Failure};
use crate::keys::Spread;
use crate::names::Nonce;
use crate::share::{Share, share};

/// A workload that is built in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Builtin {
    /// Reads and writes of single rows of a table of its own.
    Kv,
    /// pgbench's `tpcb-like`.
    Tpcb,
    /// pgbench's `simple-update`.
    SimpleUpdate,
    /// pgbench's `select-only`.
    SelectOnly,
    /// The queries of NovaCron's server.
    Novacron,
}

impl Builtin {
    /// All, by their words on the command line; the first of each is its name.
    const WORDS: [(&'static str, Self); 6] = [
        ("kv", Self::Kv),
        ("tpcb", Self::Tpcb),
        ("tpcb-like", Self::Tpcb),
        ("simple-update", Self::SimpleUpdate),
        ("select-only", Self::SelectOnly),
        ("novacron", Self::Novacron),
    ];

    fn is_of_pgbench(self) -> bool {
        matches!(self, Self::Tpcb | Self::SimpleUpdate | Self::SelectOnly)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::WORDS.iter().find(|(_, builtin)| *builtin == self).map_or("", |(name, _)| name)
    }
}

/// For `--workload`.
///
/// # Errors
/// What was expected.
pub fn builtin(text: &str) -> Result<Share<Builtin>, String> {
    let Share { what, weight } = share(text)?;
    let known = Builtin::WORDS.iter().find(|(word, _)| *word == what);
    let known = known
        .ok_or("expected kv, tpcb, simple-update, select-only or novacron, each with @WEIGHT or without")?;
    Ok(Share { what: known.1, weight })
}

/// For `--file`.
///
/// # Errors
/// What was expected.
pub fn file(text: &str) -> Result<Share<PathBuf>, String> {
    share(text).map(|Share { what, weight }| Share { what: what.into(), weight })
}

/// What the run loads, for all workers of all processes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The run that made the tables.
    pub run: Nonce,
    /// pgbench's scale: branches.
    pub scale: u64,
}

/// Everything that is known before a server is asked.
pub struct Work {
    builtins: Vec<Share<Builtin>>,
    files: Vec<Share<(String, String, String)>>,
    defines: Vec<(String, String)>,
    /// How statements are sent.
    pub manner: Manner,
    spread: Spread,
    kv: kv::Shape,
    /// The tables of `pgbench -i` are used.
    pub uses_existing: bool,
    scale: u64,
}

/// Compiled scripts with their weights.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// In the order of the steps of the engine.
    pub scripts: Vec<Script>,
    weights: Vec<u32>,
}

impl Work {
    /// What `args` ask for.
    ///
    /// # Errors
    /// What cannot be meant, or read.
    pub fn new(args: &PostgresArgs) -> Result<Self, UsageError> {
        let mut builtins = args.workloads.clone();
        if builtins.is_empty() && args.files.is_empty() {
            builtins.push(Share { what: Builtin::Kv, weight: 1 });
        }
        let has_kv = builtins.iter().any(|share| share.what == Builtin::Kv);
        let mut work = Self::none(args)?;
        if has_kv && builtins.len() + args.files.len() > 1 {
            return Err(wrong("--workload kv", "it cannot be mixed with others; leave them out"));
        }
        let has_pgbench = builtins.iter().any(|share| share.what.is_of_pgbench());
        if args.use_existing && !has_pgbench {
            return Err(wrong(
                "--use-existing",
                "it is about the tables of tpcb, simple-update and select-only",
            ));
        }
        if args.use_existing && args.scale.is_some() {
            return Err(wrong(
                "--scale",
                "with --use-existing the tables say what their scale is; leave it out",
            ));
        }
        if args.rows == 0 {
            return Err(wrong("--rows", "expected at least 1"));
        }
        if !(1..=20_000).contains(&work.scale) {
            return Err(wrong("--scale", "expected 1 to 20000"));
        }
        let read = |share: &Share<PathBuf>| {
            let (name, place, text) = read(&share.what)?;
            Ok(Share { what: (name, place, text), weight: share.weight })
        };
        work.files = args.files.iter().map(read).collect::<Result<_, UsageError>>()?;
        work.builtins = builtins;
        Ok(work)
    }

    /// No workload: a suite says what is done.
    ///
    /// # Errors
    /// What cannot be meant.
    pub fn none(args: &PostgresArgs) -> Result<Self, UsageError> {
        if args.pipelined && args.protocol == super::script::statement::Style::Simple {
            return Err(wrong(
                "--pipelined",
                "the simple protocol has no pipelines; choose another --protocol",
            ));
        }
        Ok(Self {
            builtins: Vec::new(),
            files: Vec::new(),
            defines: args.defines.clone(),
            manner: Manner { style: args.protocol, pipelined: args.pipelined },
            spread: args.distribution,
            kv: kv::Shape { rows: args.rows, value_size: args.value_size, mix: args.mix },
            uses_existing: args.use_existing,
            scale: args.scale.unwrap_or(1),
        })
    }

    /// The scripts for `target`.
    ///
    /// # Errors
    /// The first mistake in a script.
    pub fn compile(&self, target: &Target) -> Result<Program, String> {
        let mut program = Program::default();
        let (mut number, mut slots) = (0, Names::none());
        let mut add = |(name, place, text): (&str, &str, &str), weight| {
            let mut names = slots.scope(slots.end());
            names.set("scale", &target.scale.to_string());
            names.set("rows", &self.kv.rows.to_string());
            self.defines.iter().for_each(|(name, value)| names.set(name, value));
            program.scripts.push(Script::compile((name, place), text, &mut names, self.manner, &mut number)?);
            program.weights.push(weight);
            slots = names;
            Ok::<_, String>(())
        };
        for Share { what, weight } in &self.builtins {
            // Nothing stands beside kv, whose shares are many parts already.
            let factor = if *what == Builtin::Kv { 1 } else { *weight };
            let scripts = match what {
                Builtin::Kv => self.kv.scripts(&target.run.table(), self.spread),
                Builtin::Novacron => novacron::scripts(&own_prefix(&target.run), self.spread),
                _ => vec![(what.name(), pgbench::script(*what, &self.prefix(&target.run), self.spread), 1)],
            };
            for (name, text, share) in scripts {
                add((name, name, &text), share * factor)?;
            }
        }
        for Share { what: (name, place, text), weight } in &self.files {
            add((name, place, text), *weight)?;
        }
        Ok(program)
    }

    /// The program before anything is known of the target: the same steps with the same names.
    ///
    /// # Errors
    /// The first mistake in a script.
    pub fn draft(&self, run: &Nonce) -> Result<Program, UsageError> {
        self.compile(&Target { run: run.clone(), scale: self.scale }).map_err(UsageError::new)
    }

    /// What the names of pgbench's tables begin with.
    fn prefix(&self, run: &Nonce) -> String {
        if self.uses_existing { "pgbench_".to_owned() } else { own_prefix(run) }
    }

    fn has(&self, is: impl Fn(Builtin) -> bool) -> bool {
        self.builtins.iter().any(|share| is(share.what))
    }

    /// The tables that the run makes.
    pub fn tables(&self, run: &Nonce) -> Vec<String> {
        let mut tables = Vec::new();
        if self.has(|builtin| builtin == Builtin::Kv) {
            tables.push(run.table());
        }
        if self.has(Builtin::is_of_pgbench) && !self.uses_existing {
            tables.extend(pgbench::TABLES.map(|table| format!("{}{table}", self.prefix(run))));
        }
        if self.has(|builtin| builtin == Builtin::Novacron) {
            tables.extend(novacron::TABLES.map(|table| format!("{}{table}", own_prefix(run))));
        }
        tables
    }

    /// The tables whose size is of interest: those of the run, and those of pgbench.
    pub fn watched(&self, run: &Nonce) -> Vec<String> {
        let mut tables = self.tables(run);
        if self.uses_existing {
            tables.extend(pgbench::TABLES.map(|table| format!("{}{table}", self.prefix(run))));
        }
        tables
    }

    /// Makes the tables, or looks at those that are there.
    ///
    /// # Errors
    /// Why that was not possible.
    pub async fn prepare(
        &self,
        wire: &Wire,
        run: &Nonce,
        control: &mut Control,
        failed: impl Fn(Error) -> PrepareError,
    ) -> Result<Target, PrepareError> {
        let mut scale = self.scale;
        if self.has(|builtin| builtin == Builtin::Kv) {
            self.kv.make(wire, run, control).await.map_err(&failed)?;
        }
        if self.has(Builtin::is_of_pgbench) {
            if self.uses_existing {
                scale = pgbench::scale_of_existing(wire, control, &failed).await?;
            } else {
                pgbench::make(wire, &self.prefix(run), scale, control).await.map_err(&failed)?;
            }
        }
        if self.has(|builtin| builtin == Builtin::Novacron) {
            novacron::make(wire, &own_prefix(run), scale, control).await.map_err(&failed)?;
        }
        Ok(Target { run: run.clone(), scale })
    }

    /// For the record.
    pub fn describe(&self) -> serde_json::Map<String, serde_json::Value> {
        let mut all = serde_json::Map::new();
        let mut set = |key: &str, value: serde_json::Value| all.insert(key.to_owned(), value);
        let builtins = self.builtins.iter().map(|share| format!("{}@{}", share.what.name(), share.weight));
        let files = self.files.iter().map(|share| format!("{}@{}", share.what.1, share.weight));
        set("workload", builtins.chain(files).collect::<Vec<_>>().into());
        set("protocol", format!("{:?}", self.manner.style).to_lowercase().into());
        set("pipelined", self.manner.pipelined.into());
        set("distribution", self.spread.to_string().into());
        if self.has(|builtin| builtin == Builtin::Kv) {
            set("rows", self.kv.rows.into());
            set("read_ratio", self.kv.mix.read_ratio.into());
            set("value_size", self.kv.value_size.into());
        } else if self.uses_existing {
            set("tables", "those that were there".into());
        } else if !self.builtins.is_empty() {
            set("scale", self.scale.into());
        }
        all
    }
}

impl Program {
    /// That of a suite.
    pub fn of(scripts: Vec<Script>) -> Self {
        Self { scripts, weights: Vec::new() }
    }

    /// Makes a session ready for all scripts: prepares their statements, where that is how they are sent.
    ///
    /// # Errors
    /// What the server refused, or why there is no answer.
    pub async fn get_ready(&self, connection: &mut Connection) -> Result<(), Failure> {
        let statements =
            || self.scripts.iter().flat_map(Script::statements).filter(|one| !one.name.is_empty());
        for statement in statements() {
            connection.out.extend(statement.parse());
        }
        if connection.out.is_empty() {
            return Ok(());
        }
        connection.out.extend(SYNC);
        let answer = connection.exchange(None).await?;
        let Some(mut refusal) = answer.refusal else { return Ok(()) };
        if let Some(statement) = statements().nth(answer.parsed as usize) {
            refusal.message = format!("{}: {:?}", refusal.message, statement.sql);
        }
        Err(Failure::Refused(refusal))
    }

    /// Names of the ops, and a task for each script.
    pub fn tasks(&self) -> (Vec<String>, Tasks<Step>) {
        let mut ops: Vec<String> = Vec::new();
        let mut tasks = Vec::new();
        for (index, (script, &weight)) in self.scripts.iter().zip(&self.weights).enumerate() {
            let op = ops.iter().position(|op| *op == script.name).unwrap_or_else(|| {
                ops.push(script.name.clone());
                ops.len() - 1
            });
            tasks.push(Task::new(
                weight,
                vec![TaskStep::new(op as OpId, Step { script: index, rules: None })],
            ));
        }
        (ops, Tasks::of(tasks))
    }
}

/// What the names of a run's tables begin with, where it has several.
fn own_prefix(run: &Nonce) -> String {
    format!("{}_", run.table())
}

/// Name, place and text of a script.
fn read(path: &Path) -> Result<(String, String, String), UsageError> {
    let text = String::from_utf8(load_net::args::read("--file", path)?)
        .map_err(|_| wrong(&format!("--file {}", path.display()), "expected SQL as UTF-8 text"))?;
    let name = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    Ok((name, path.display().to_string(), text))
}

/// The call that draws a key, in the language of scripts.
fn draw(spread: Spread, low: &str, high: &str) -> String {
    match spread {
        Spread::Uniform => format!("random({low}, {high})"),
        Spread::Zipf(exponent) => format!("random_zipfian({low}, {high}, {exponent})"),
        Spread::Normal(cut) => format!("random_gaussian({low}, {high}, {cut})"),
    }
}
