//! Do held connections with pushes fit the trait? A `WebSocket` a user; what is pushed is read between the calls.

use std::net::SocketAddr;

use futures_util::{SinkExt as _, StreamExt as _};
use load_core::error::{PrepareError, UsageError};
use load_core::protocol::{Control, Fault, LinkId, Outcome, Probe, Protocol, Task, TaskStep, Vu};
use load_report::fault::FaultKind;
use load_report::model::ExtraPlan;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

/// Bytes that a connection reads and writes at once.
const BUFFER: usize = 1 << 10;

/// Echoes and pushes.
struct Ws {
    url: String,
    tasks: Vec<Task<()>>,
}

#[derive(clap::Args)]
struct Args {
    /// Where to connect to: `ws://HOST:PORT`.
    #[arg(long)]
    url: String,
}

type Socket = WebSocketStream<TcpStream>;

fn fault(error: &Error, probe: &mut Probe<'_>) -> Fault {
    probe.note(error);
    match error {
        Error::Io(error) => Fault::io(error),
        Error::ConnectionClosed | Error::AlreadyClosed => Fault::fatal(FaultKind::Closed),
        _ => Fault::fatal(FaultKind::Malformed),
    }
}

/// The next text that is no push; of a push, the age is taken.
async fn answer(socket: &mut Socket, probe: &mut Probe<'_>) -> Result<Utf8Bytes, Fault> {
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => match text.strip_prefix("push ").map(str::parse::<i64>) {
                None => return Ok(text),
                Some(Ok(sent)) => probe.observe(0, (probe.now().0 - sent).max(0) as u64),
                Some(Err(_)) => return Err(Fault::fatal(FaultKind::Malformed)),
            },
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(_)) | None => return Err(Fault::fatal(FaultKind::Closed)),
            Some(Err(error)) => return Err(fault(&error, probe)),
        }
    }
}

impl Protocol for Ws {
    const NAME: &'static str = "ws";
    type Args = Args;
    type Target = SocketAddr;
    type Step = ();
    type Link = Socket;
    type Session = Socket;

    fn new(args: Args) -> Result<Self, UsageError> {
        Ok(Self { url: args.url, tasks: vec![Task { weight: 1, steps: vec![TaskStep::new(0, ())] }] })
    }
    fn label(&self) -> String {
        self.url.clone()
    }
    fn describe(&self) -> serde_json::Value {
        serde_json::json!({ "url": self.url })
    }
    fn ops(&self) -> Vec<String> {
        vec!["echo".into()]
    }
    fn extras(&self) -> Vec<ExtraPlan> {
        vec![ExtraPlan { name: "push_age".into(), help: "From the push to its being read".into() }]
    }
    fn tasks(&self) -> &[Task<()>] {
        &self.tasks
    }

    async fn prepare(&self, _: &mut Control) -> Result<SocketAddr, PrepareError> {
        let authority = self.url.strip_prefix("ws://").unwrap_or(&self.url).trim_end_matches('/');
        let mut found = tokio::net::lookup_host(authority)
            .await
            .map_err(|error| PrepareError::new(format!("{authority}: {error}")))?;
        found.next().ok_or_else(|| PrepareError::new(format!("{authority}: no address")))
    }

    async fn connect(&self, target: &SocketAddr, _: LinkId, probe: &mut Probe<'_>) -> Result<Socket, Fault> {
        let stream = TcpStream::connect(target).await.map_err(|error| Fault::io(&error))?;
        stream.set_nodelay(true).map_err(|error| Fault::io(&error))?;
        let config = WebSocketConfig::default().read_buffer_size(BUFFER).write_buffer_size(0);
        let upgraded = client_async_with_config(&self.url, stream, Some(config)).await;
        upgraded.map(|(socket, _)| socket).map_err(|error| fault(&error, probe))
    }

    async fn open(&self, socket: Socket, _: &Vu) -> Result<Socket, Fault> {
        Ok(socket)
    }

    async fn call(
        &self,
        socket: &mut Socket,
        (): &(),
        vu: &mut Vu,
        probe: &mut Probe<'_>,
    ) -> Result<Outcome, Fault> {
        let text = format!("echo {}", vu.scope.seq);
        let message = Message::text(text.clone());
        socket.send(message).await.map_err(|error| fault(&error, probe))?;
        let back = answer(socket, probe).await?;
        if back.as_str() != text {
            probe.note(format_args!("{back:?}, expected {text:?}"));
            return Err(Fault::answered(FaultKind::Wrong, 0));
        }
        let bytes = text.len() as u32;
        Ok(Outcome { sent: bytes, received: u64::from(bytes), messages: 1, ..Outcome::default() })
    }

    async fn idle(&self, socket: &mut Socket, probe: &mut Probe<'_>) -> Fault {
        match answer(socket, probe).await {
            Ok(text) => {
                probe.note(format_args!("unasked: {text:?}"));
                Fault::fatal(FaultKind::Wrong)
            }
            Err(fault) => fault,
        }
    }

    async fn close(&self, mut socket: Socket, _: &mut Probe<'_>) {
        // The run is over; a connection that is already gone is closed as well.
        let _ = socket.close(None).await;
    }
}

fn main() -> std::process::ExitCode {
    load_core::main::<Ws>(load_core::About {
        name: "ws",
        version: env!("CARGO_PKG_VERSION"),
        about: "Held WebSockets with echoes and pushes",
        examples: "  ws --url ws://127.0.0.1:8091 -r 500 -c 15000 -d 15s",
    })
}
