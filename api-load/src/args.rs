//! Which flags does api-load have of its own?

use std::num::NonZeroU32;

use load_net::args::{HeaderArgs, TlsArgs};
use load_net::http::content::ContentArgs;
use load_net::http::redirect::RedirectArgs;
use load_net::route::RouteArgs;
use load_suite::units;

use crate::expect::StatusRange;

/// The flags of HTTP. No `Debug`: some of them are secrets.
#[derive(clap::Args, Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct ApiArgs {
    /// Target, plain http or https; {{seq}}, {{vu}}, {{uuid}} and others (docs/suites.md) may stand in its path and query.
    #[arg(
        long,
        alias = "host",
        value_name = "URL",
        env = "API_URL",
        hide_env_values = true,
        help_heading = "Target"
    )]
    pub url: Option<String>,
    /// Method [default: GET, or POST with a body].
    #[arg(short = 'X', long, value_name = "METHOD", help_heading = "HTTP")]
    pub method: Option<String>,
    /// What is sent in the body.
    #[command(flatten)]
    pub content: ContentArgs,
    /// Statuses of a good answer, as 200,201 or 200-299 or 2xx [default: 200-399].
    #[arg(long, value_name = "LIST", value_delimiter = ',', help_heading = "HTTP")]
    pub expect_status: Vec<StatusRange>,
    /// Text that the body of a good answer contains.
    #[arg(long, value_name = "TEXT", help_heading = "HTTP")]
    pub expect_text: Option<String>,
    /// Largest body of an answer, in bytes; a larger one is a fault [default: 1 GiB].
    #[arg(long, value_name = "BYTES", value_parser = units::count, help_heading = "HTTP")]
    pub max_body: Option<u64>,
    /// Follow redirects.
    #[command(flatten)]
    pub redirects: RedirectArgs,
    /// Keep cookies and send them, each user its own; they outlive connections.
    #[arg(long, help_heading = "HTTP")]
    pub cookies: bool,
    /// Ask for compressed answers (gzip, deflate, br, zstd); a body that is looked at is decompressed for it.
    #[arg(long, help_heading = "HTTP")]
    pub compressed: bool,
    /// Measure the stages of calls and connections, as series with the names of k6.
    #[arg(id = "call_stages", long = "stages", help_heading = "HTTP")]
    pub stages: bool,
    /// Make a new connection for every call, and say so to the server (Connection: close).
    #[arg(long, conflicts_with = "http2", help_heading = "Connections")]
    pub disable_keepalive: bool,
    /// Which way connections take.
    #[command(flatten)]
    pub route: RouteArgs,
    /// Speak HTTP/2: over http:// with prior knowledge, over https:// as TLS agrees (ALPN).
    #[arg(long, help_heading = "Connections")]
    pub http2: bool,
    /// Calls at a time on each connection of HTTP/2: with -c 8, --streams 8 makes 64 users.
    #[arg(long, value_name = "N", requires = "http2", help_heading = "Connections")]
    pub streams: Option<NonZeroU32>,
    /// Headers and who is asking; {{...}} works in headers as in --url.
    #[command(flatten)]
    pub headers: HeaderArgs,
    /// Whom to trust.
    #[command(flatten)]
    pub tls: TlsArgs,
}
