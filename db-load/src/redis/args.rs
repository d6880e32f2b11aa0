//! Which flags has `db-load redis` of its own?

use std::num::NonZeroU32;
use std::path::PathBuf;

use load_suite::units;

use crate::mix::MixArgs;

/// The flags of Redis. No `Debug`: the URL may hold a password.
#[derive(clap::Args, Clone)]
pub struct RedisArgs {
    /// Target, as in the examples below; a number of a database may follow.
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
    /// Keys that the run makes and removes; 10k and 1m work.
    #[arg(long, value_name = "N", default_value = "10000", value_parser = units::count, help_heading = "Database")]
    pub keys: u64,
    /// Size of a value in bytes.
    #[arg(long, value_name = "N", default_value = "100", value_parser = units::count, help_heading = "Database")]
    pub value_bytes: u64,
    /// Calls at a time on one connection; 1 is what most clients do.
    #[arg(long, value_name = "N", default_value = "1", help_heading = "Database")]
    pub pipeline: NonZeroU32,
    /// What is read and what written.
    #[command(flatten)]
    pub mix: MixArgs,
}
