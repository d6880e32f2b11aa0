//! Which flags has `db-load postgres` of its own?

use std::path::PathBuf;

use load_net::args::TlsArgs;
use load_suite::units;

use crate::mix::MixArgs;

/// The flags of PostgreSQL. No `Debug`: the URL may hold a password.
#[derive(clap::Args, Clone)]
pub struct PostgresArgs {
    /// Target, as in the examples below; its query may say sslmode=disable, prefer or require.
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
    /// Rows in the table that the run makes and removes; 10k and 1m work.
    #[arg(long, value_name = "N", default_value = "10000", value_parser = units::count, help_heading = "Database")]
    pub rows: u64,
    /// What is read and what written.
    #[command(flatten)]
    pub mix: MixArgs,
    /// Whom to trust.
    #[command(flatten)]
    pub tls: TlsArgs,
}
