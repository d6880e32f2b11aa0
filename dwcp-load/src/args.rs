//! Which flags does dwcp-load have of its own?

use std::time::Duration;

use load_net::args::{HeaderArgs, TlsArgs};
use load_suite::units;

/// What is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum What {
    /// The job API: migrations are ordered and watched, no image is moved.
    Job,
    /// The data plane: images are moved.
    Data,
}

/// The flags of migrations. No `Debug`: some of them are secrets.
#[derive(clap::Args, Clone)]
pub struct DwcpArgs {
    /// What is loaded: the job API, or the data plane. Each has its own flags: dwcp-load --mode data --help.
    #[arg(long, value_enum, value_name = "MODE", default_value = "job", help_heading = "DWCP")]
    pub mode: What,
    /// Where the API is, without its path, http or https.
    #[arg(
        long,
        alias = "host",
        value_name = "URL",
        env = "API_URL",
        hide_env_values = true,
        help_heading = "Target"
    )]
    pub url: Option<String>,
    /// Where the events are [default: /dwcp/v3/stream at the host of --url].
    #[arg(long, value_name = "URL", env = "DWCP_WS_URL", hide_env_values = true, help_heading = "Target")]
    pub stream_url: Option<String>,
    /// Do without the event stream: the end of a migration is then seen by the next look only.
    #[arg(long, help_heading = "DWCP")]
    pub no_stream: bool,
    /// Pause between two looks at a job.
    #[arg(long, value_name = "D", value_parser = units::duration, default_value = "1s", help_heading = "DWCP")]
    pub poll_interval: Duration,
    /// Looks at a job; one that has not ended at the last of them is lost.
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..), help_heading = "DWCP")]
    pub max_polls: u32,
    /// Do not ask for the statistics and the list after a migration. Without the list no duplicates are found.
    #[arg(long, help_heading = "DWCP")]
    pub no_list: bool,
    /// What names of VMs begin with; a run's own mark and the migration's number follow.
    #[arg(long, value_name = "TEXT", default_value = "test-vm", help_heading = "DWCP")]
    pub vm_prefix: String,
    /// Zone to migrate from.
    #[arg(long, value_name = "ZONE", default_value = "us-west-1", help_heading = "DWCP")]
    pub source_zone: String,
    /// Zone to migrate to.
    #[arg(long, value_name = "ZONE", default_value = "us-east-1", help_heading = "DWCP")]
    pub target_zone: String,
    /// Headers of all requests and who is asking.
    #[command(flatten)]
    pub headers: HeaderArgs,
    /// Whom to trust.
    #[command(flatten)]
    pub tls: TlsArgs,
}
