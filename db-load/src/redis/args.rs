//! Which flags has `db-load redis` of its own?

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use load_net::args::TlsArgs;
use load_suite::units;

use super::pubsub::PubSubArgs;
use super::stream::StreamArgs;
use super::workload::{self, Builtin};
use crate::keys::Spread;
use crate::mix::MixArgs;
use crate::share::Share;

/// The flags of Redis. No `Debug`: the URL may hold a password.
#[derive(clap::Args, Clone)]
pub struct RedisArgs {
    /// Target, as in the examples below; rediss:// is TLS, and a number of a database may follow.
    #[arg(
        long,
        alias = "host",
        value_name = "URL",
        env = "REDIS_URL",
        hide_env_values = true,
        help_heading = "Target"
    )]
    pub url: Option<String>,
    /// Password, from a file; wins over the one in the URL, which process lists show.
    #[arg(long, value_name = "FILE", help_heading = "Target")]
    pub password_file: Option<PathBuf>,

    /// What is done: get, set, mixed, hash, list, zset, with shares as get@9,zset@1, or stream, or pubsub [default: mixed].
    #[arg(long = "workload", visible_short_alias = 'b', value_name = "NAME[@WEIGHT]", value_delimiter = ',', value_parser = workload::builtin, help_heading = "Database")]
    pub workloads: Vec<Share<Builtin>>,
    /// A command of your own, as 'SET {{key}} {{value}} EX {{int(1, 60)}}' (docs/db-load.md); repeatable.
    #[arg(long = "command", value_name = "COMMAND[@WEIGHT]", value_parser = workload::command, help_heading = "Database")]
    pub commands: Vec<Share<String>>,
    /// Keys that the run makes and removes; 10k and 1m work.
    #[arg(long, value_name = "N", default_value = "10000", value_parser = units::count, help_heading = "Database")]
    pub keys: u64,
    /// How keys are drawn: uniform, zipf, zipf:EXPONENT, normal or normal:CUT.
    #[arg(long, value_name = "KIND", default_value = "uniform", help_heading = "Database")]
    pub distribution: Spread,
    /// Bytes of a value, or of the smallest and the largest, as 100..4k.
    #[arg(long, alias = "value-bytes", value_name = "N[..M]", default_value = "100", value_parser = workload::size, help_heading = "Database")]
    pub value_size: (u32, u32),
    /// Keys that are SET expire after this.
    #[arg(long, value_name = "D", value_parser = units::duration, help_heading = "Database")]
    pub ttl: Option<Duration>,
    /// What of mixed, hash and zset reads and what writes; of stream, what share of the users consumes.
    #[command(flatten)]
    pub mix: MixArgs,

    /// Producers and consumers.
    #[command(flatten)]
    pub stream: StreamArgs,

    /// Subscribers.
    #[command(flatten)]
    pub pubsub: PubSubArgs,

    /// Commands of a call, which are sent in one piece; the call ends with the last reply.
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u32).range(1..=10_000), help_heading = "Connections")]
    pub pipeline: u32,
    /// Calls at a time on one connection.
    #[arg(long, value_name = "N", default_value = "1", help_heading = "Connections")]
    pub multiplex: NonZeroU32,
    /// The URL is that of one node of a cluster: each command goes to the node that has its key.
    #[arg(long, help_heading = "Connections")]
    pub cluster: bool,
    /// Speak RESP3.
    #[arg(long, help_heading = "Connections")]
    pub resp3: bool,
    /// Whom to trust.
    #[command(flatten)]
    pub tls: TlsArgs,
}
