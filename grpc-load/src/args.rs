//! Which flags does grpc-load have of its own?

use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;
use std::time::Duration;

use load_net::args::{TlsArgs, TokenArgs};
use load_suite::units;

use crate::status::Code;

/// Which server, who asks it, and how its types are known. No `Debug`: some of it is secret.
#[derive(clap::Args, Clone, Default)]
pub struct ServerArgs {
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
    /// Definition of the service, instead of the server's reflection.
    #[arg(long, value_name = "FILE", help_heading = "gRPC")]
    pub proto: Option<PathBuf>,
    /// Where --proto and what it imports are looked for; repeatable [default: the folder of --proto].
    #[arg(short = 'I', long = "import-path", value_name = "DIR", requires = "proto", help_heading = "gRPC")]
    pub import_paths: Vec<PathBuf>,
    /// The same as a set of descriptors, which `protoc -o FILE --include_imports` and `buf build -o FILE` write.
    #[arg(long, alias = "protoset", value_name = "FILE", conflicts_with = "proto", help_heading = "gRPC")]
    pub descriptor_set: Option<PathBuf>,
    /// Metadata, as 'name: value'; repeatable. The value of a name that ends with -bin is base64.
    #[arg(short = 'H', long = "metadata", value_name = "PAIR", help_heading = "gRPC")]
    pub metadata: Vec<String>,
    /// The :authority to send [default: host and port of --url].
    #[arg(long, value_name = "NAME", help_heading = "gRPC")]
    pub authority: Option<String>,
    /// Who is asking.
    #[command(flatten)]
    pub token: TokenArgs,
    /// Whom to trust.
    #[command(flatten)]
    pub tls: TlsArgs,
}

/// The flags of gRPC. No `Debug`: some of them are secrets.
#[derive(clap::Args, Clone, Default)]
pub struct GrpcArgs {
    /// Which server, and who asks it.
    #[command(flatten)]
    pub server: ServerArgs,
    /// Method to call, unary or streaming: pkg.Service/Method or pkg.Service.Method.
    #[arg(long, value_name = "NAME", help_heading = "gRPC")]
    pub method: Option<String>,
    /// Request as JSON, a list of them where the client streams; {{seq}}, {{vu}}, {{uuid}} and the like may stand in it
    /// [default: {}].
    #[arg(long, value_name = "TEXT", help_heading = "gRPC")]
    pub json: Option<String>,
    /// Request as JSON, from a file; {{...}} works as in --json.
    #[arg(long, value_name = "FILE", conflicts_with = "json", help_heading = "gRPC")]
    pub json_file: Option<PathBuf>,
    /// Messages that the client sends in a stream: those of --json, again and again [default: each once].
    #[arg(long, value_name = "N", value_parser = units::count, help_heading = "gRPC")]
    pub messages: Option<u64>,
    /// Messages of a stream of both sides that may be without an answer; 1 sends each after the answer to the one before
    /// [default: no limit].
    #[arg(long, value_name = "N", help_heading = "gRPC")]
    pub in_flight: Option<NonZeroU64>,
    /// What the server is told of its time (grpc-timeout); --timeout is how long the client waits. An OK that comes later is
    /// a timeout.
    #[arg(long, value_name = "TIME", value_parser = deadline, help_heading = "gRPC")]
    pub deadline: Option<Duration>,
    /// Compress requests with gzip, and take compressed answers.
    #[arg(long, help_heading = "gRPC")]
    pub gzip: bool,
    /// Statuses of a good answer, as `OK,NOT_FOUND` or 0,5 [default: OK].
    #[arg(long, value_name = "LIST", value_delimiter = ',', help_heading = "gRPC")]
    pub expect_code: Vec<Code>,
    /// Text that a good answer contains when it is written as JSON; decoding takes CPU.
    #[arg(long, value_name = "TEXT", help_heading = "gRPC")]
    pub expect_text: Option<String>,
    /// Largest message of an answer, in bytes; a larger one is a fault [default: 64 MiB].
    #[arg(long, value_name = "BYTES", value_parser = units::count, help_heading = "gRPC")]
    pub max_message: Option<u64>,
    /// Calls at a time on each connection: with -c 8, --streams 8 makes 64 users.
    #[arg(long, value_name = "N", help_heading = "Connections")]
    pub streams: Option<NonZeroU32>,
}

fn deadline(text: &str) -> Result<Duration, String> {
    match units::duration(text) {
        Ok(Duration::ZERO) => Err("expected a time above 0".into()),
        given => given.map_err(|error| error.to_string()),
    }
}
