//! Does a client library that multiplexes fit the trait? Redis, one connection for all lanes or one for each.

use load_core::error::{PrepareError, UsageError};
use load_core::protocol::{Control, Fault, LinkId, Outcome, Probe, Protocol, Sharing, Task, TaskStep, Vu};
use load_report::fault::FaultKind;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, ErrorKind, RedisError, RedisResult, Value};

const KEY: &str = "protocol-proof";
const VALUE: &[u8] = b"xxx";

/// GET of one key.
struct Redis {
    url: String,
    client: Client,
    mode: Mode,
    tasks: Vec<Task<Cmd>>,
}

#[derive(clap::Args)]
struct Args {
    /// Where: `redis://HOST:PORT`.
    #[arg(long)]
    url: String,
    /// Who shares a connection.
    #[arg(long, value_enum, default_value = "multiplexed")]
    mode: Mode,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Mode {
    /// Several lanes share each connection.
    Multiplexed,
    /// Every lane has its own.
    Lane,
}

impl Redis {
    /// A connection that keeps no time of its own: all deadlines are the engine's.
    async fn dial(&self) -> RedisResult<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        self.client.get_multiplexed_async_connection_with_config(&config).await
    }
}

fn fault(error: &RedisError, probe: &mut Probe<'_>) -> Fault {
    probe.note(error);
    match error.kind() {
        ErrorKind::Io if error.is_connection_refusal() => Fault::fatal(FaultKind::Connect),
        ErrorKind::Io => Fault::fatal(FaultKind::Closed),
        ErrorKind::Server(_) | ErrorKind::Extension => Fault::answered(FaultKind::Rejected, 0),
        _ => Fault::fatal(FaultKind::Malformed),
    }
}

impl Protocol for Redis {
    const NAME: &'static str = "redis";
    type Args = Args;
    type Target = ();
    type Step = Cmd;
    type Link = MultiplexedConnection;
    type Session = MultiplexedConnection;

    fn new(args: Args) -> Result<Self, UsageError> {
        let wrong = |error| UsageError::new(format!("--url: expected redis://HOST:PORT; {error}"));
        let client = Client::open(args.url.as_str()).map_err(wrong)?;
        let tasks = vec![Task { weight: 1, steps: vec![TaskStep::new(0, Cmd::get(KEY))] }];
        Ok(Self { url: args.url, client, mode: args.mode, tasks })
    }

    fn label(&self) -> String {
        self.client.get_connection_info().addr().to_string()
    }

    fn describe(&self) -> serde_json::Value {
        serde_json::json!({ "address": self.label(), "mode": format!("{:?}", self.mode) })
    }

    fn secrets(&self) -> Vec<String> {
        self.url.rsplit_once('@').map(|(secret, _)| secret.into()).into_iter().collect()
    }

    fn ops(&self) -> Vec<String> {
        vec!["GET".into()]
    }

    fn tasks(&self) -> &[Task<Cmd>] {
        &self.tasks
    }

    fn sharing(&self) -> Sharing {
        match self.mode {
            Mode::Multiplexed => Sharing::Shared,
            Mode::Lane => Sharing::Exclusive,
        }
    }

    async fn prepare(&self, control: &mut Control) -> Result<(), PrepareError> {
        let wrong = |error| PrepareError::new(format!("{}: {error}", self.label()));
        let mut connection = self.dial().await.map_err(wrong)?;
        control.calls += 1;
        Cmd::set(KEY, VALUE).exec_async(&mut connection).await.map_err(wrong)
    }

    async fn connect(&self, _target: &(), _link: LinkId, probe: &mut Probe<'_>) -> Result<Self::Link, Fault> {
        self.dial().await.map_err(|error| fault(&error, probe))
    }

    fn share(&self, link: &Self::Link) -> Option<Self::Link> {
        Some(link.clone())
    }

    async fn open(&self, link: Self::Link, _vu: &Vu) -> Result<Self::Session, Fault> {
        Ok(link)
    }

    async fn call(
        &self,
        session: &mut Self::Session,
        step: &Cmd,
        _vu: &mut Vu,
        probe: &mut Probe<'_>,
    ) -> Result<Outcome, Fault> {
        match session.send_packed_command(step).await {
            Ok(Value::BulkString(value)) if value == VALUE => {
                Ok(Outcome { received: value.len() as u64, messages: 1, ..Outcome::default() })
            }
            Ok(_) => Err(Fault::answered(FaultKind::Wrong, 0)),
            Err(error) => Err(fault(&error, probe)),
        }
    }

    async fn cleanup(&self, _target: Option<&()>, control: &mut Control) -> Result<(), PrepareError> {
        let wrong = |error| PrepareError::new(format!("the key {KEY} is left, delete it: {error}"));
        let mut connection = self.dial().await.map_err(wrong)?;
        control.calls += 1;
        Cmd::del(KEY).exec_async(&mut connection).await.map_err(wrong)
    }
}

fn main() -> std::process::ExitCode {
    load_core::main::<Redis>(load_core::About {
        name: "redis",
        version: env!("CARGO_PKG_VERSION"),
        about: "Redis on the engine",
        examples: "  redis --url redis://127.0.0.1:6379 -c 1 -u 64",
    })
}
