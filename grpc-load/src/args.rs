//! Which flags does grpc-load have of its own?

use std::path::PathBuf;

use load_net::args::{TlsArgs, TokenArgs};
use load_suite::units;

use crate::status::Code;

/// The flags of gRPC. No `Debug`: some of them are secrets.
#[derive(clap::Args, Clone, Default)]
pub struct GrpcArgs {
    /// Target: `http://HOST[:PORT]` (HTTP/2 with prior knowledge) or `https://HOST[:PORT]`.
    #[arg(
        long,
        alias = "host",
        value_name = "URL",
        env = "GRPC_URL",
        hide_env_values = true,
        help_heading = "Target"
    )]
    pub url: Option<String>,
    /// Unary method to call: pkg.Service/Method or pkg.Service.Method.
    #[arg(long, value_name = "NAME", help_heading = "gRPC")]
    pub method: Option<String>,
    /// Request as JSON; {{seq}}, {{vu}} and {{iteration}} may stand in it [default: {}].
    #[arg(long, value_name = "TEXT", help_heading = "gRPC")]
    pub json: Option<String>,
    /// Request as JSON, from a file; {{...}} works as in --json.
    #[arg(long, value_name = "FILE", conflicts_with = "json", help_heading = "gRPC")]
    pub json_file: Option<PathBuf>,
    /// Definition of the service, instead of the server's reflection.
    #[arg(long, value_name = "FILE", help_heading = "gRPC")]
    pub proto: Option<PathBuf>,
    /// Where --proto and what it imports are looked for; repeatable [default: the folder of --proto].
    #[arg(short = 'I', long = "import-path", value_name = "DIR", requires = "proto", help_heading = "gRPC")]
    pub import_paths: Vec<PathBuf>,
    /// Metadata, as 'name: value'; repeatable. The value of a name that ends with -bin is base64.
    #[arg(short = 'H', long = "metadata", value_name = "PAIR", help_heading = "gRPC")]
    pub metadata: Vec<String>,
    /// The :authority to send [default: host and port of --url].
    #[arg(long, value_name = "NAME", help_heading = "gRPC")]
    pub authority: Option<String>,
    /// Statuses of a good answer, as `OK,NOT_FOUND` or 0,5 [default: OK].
    #[arg(long, value_name = "LIST", value_delimiter = ',', help_heading = "gRPC")]
    pub expect_code: Vec<Code>,
    /// Text that a good answer contains when it is written as JSON; decoding takes CPU.
    #[arg(long, value_name = "TEXT", help_heading = "gRPC")]
    pub expect_text: Option<String>,
    /// Largest message of an answer, in bytes; a larger one is a fault [default: 64 MiB].
    #[arg(long, value_name = "BYTES", value_parser = units::count, help_heading = "gRPC")]
    pub max_message: Option<u64>,
    /// Who is asking.
    #[command(flatten)]
    pub token: TokenArgs,
    /// Whom to trust.
    #[command(flatten)]
    pub tls: TlsArgs,
}
