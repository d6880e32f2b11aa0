//! Which flags has `db-load postgres` of its own?

use std::path::PathBuf;
use std::time::Duration;

use load_net::args::TlsArgs;
use load_suite::units;

use super::script::statement::Style;
use super::workload::{self, Builtin};
use crate::keys::Spread;
use crate::mix::MixArgs;
use crate::share::Share;

/// The flags of PostgreSQL. No `Debug`: the URL may hold a password.
#[derive(clap::Args, Clone)]
pub struct PostgresArgs {
    /// Target, as in the examples below; its query may say sslmode=disable, prefer or require, or host=/run/postgresql.
    #[arg(
        long,
        alias = "host",
        value_name = "URL",
        env = "DATABASE_URL",
        hide_env_values = true,
        help_heading = "Target"
    )]
    pub url: Option<String>,
    /// Password, from a file; wins over the one in the URL, which process lists show.
    #[arg(long, value_name = "FILE", help_heading = "Target")]
    pub password_file: Option<PathBuf>,

    /// What is done: kv, tpcb, simple-update, select-only, novacron; repeatable, with shares as tpcb@1,select-only@9 [default: kv].
    #[arg(long = "workload", visible_short_alias = 'b', value_name = "NAME[@WEIGHT]", value_delimiter = ',', value_parser = workload::builtin, help_heading = "Database")]
    pub workloads: Vec<Share<Builtin>>,
    /// A script of SQL, in pgbench's language or with {{...}} (docs/db-load.md); repeatable.
    #[arg(short = 'f', long = "file", value_name = "FILE[@WEIGHT]", value_parser = workload::file, help_heading = "Database")]
    pub files: Vec<Share<PathBuf>>,
    /// A value for :NAME in scripts; repeatable.
    #[arg(short = 'D', long = "define", value_name = "NAME=VALUE", value_parser = define, help_heading = "Database")]
    pub defines: Vec<(String, String)>,
    /// Size of the tables that a run makes and removes: branches of 100,000 accounts of pgbench, thousands of machines of
    /// novacron [default: 1].
    #[arg(short = 's', long, value_name = "N", value_parser = units::count, help_heading = "Database")]
    pub scale: Option<u64>,
    /// Use the tables that pgbench -i made, and leave them there.
    #[arg(long, help_heading = "Database")]
    pub use_existing: bool,
    /// Rows in the table that a run of kv makes and removes; 10k and 1m work.
    #[arg(long, value_name = "N", default_value = "10000", value_parser = units::count, help_heading = "Database")]
    pub rows: u64,
    /// Bytes of a text in each row of kv, read and written with it.
    #[arg(long, alias = "value-bytes", value_name = "N", default_value = "0", value_parser = value_size, help_heading = "Database")]
    pub value_size: u32,
    /// What kv reads and what it writes.
    #[command(flatten)]
    pub mix: MixArgs,
    /// How rows and accounts are drawn: uniform, zipf, zipf:EXPONENT, normal or normal:CUT.
    #[arg(long, value_name = "KIND", default_value = "uniform", help_heading = "Database")]
    pub distribution: Spread,

    /// How statements are sent.
    #[arg(
        short = 'M',
        long,
        value_name = "KIND",
        value_enum,
        default_value = "prepared",
        help_heading = "Connections"
    )]
    pub protocol: Style,
    /// Send the statements of a script in one piece, as far as none of them needs the row of another.
    #[arg(long, help_heading = "Connections")]
    pub pipelined: bool,
    /// A connection for each user, instead of a pool.
    #[arg(long, conflicts_with = "connections", help_heading = "Connections")]
    pub no_pool: bool,
    /// Isolation of transactions that say nothing else [default: the server's].
    #[arg(long, value_name = "LEVEL", value_enum, help_heading = "Connections")]
    pub isolation: Option<Isolation>,
    /// How often a transaction is tried when it fails with a serialization failure or a deadlock.
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Connections")]
    pub max_tries: u32,
    /// The server ends statements that take longer.
    #[arg(long, value_name = "D", value_parser = units::duration, help_heading = "Connections")]
    pub statement_timeout: Option<Duration>,
    /// Whom to trust.
    #[command(flatten)]
    pub tls: TlsArgs,
}

/// How transactions are kept apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Isolation {
    /// Each statement sees what was committed before it.
    ReadCommitted,
    /// All statements see the same.
    RepeatableRead,
    /// As if transactions came one after the other.
    Serializable,
}

impl Isolation {
    /// In SQL.
    pub fn sql(self) -> &'static str {
        match self {
            Self::ReadCommitted => "read committed",
            Self::RepeatableRead => "repeatable read",
            Self::Serializable => "serializable",
        }
    }
}

fn define(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".into()),
    }
}

fn value_size(text: &str) -> Result<u32, String> {
    let size = units::count(text).ok().and_then(|size| u32::try_from(size).ok());
    size.filter(|size| *size <= 1 << 20).ok_or_else(|| "expected at most 1048576".to_owned())
}
