//! Do many calls on one connection fit the trait? HTTP/2 without TLS; the lanes of a link are its streams.

use std::future::poll_fn;
use std::net::SocketAddr;

use h2::client::SendRequest;
use http::{Method, Request, StatusCode, Uri, Version};
use load_core::error::{PrepareError, UsageError};
use load_core::protocol::{Control, Fault, LinkId, Outcome, Probe, Protocol, Sharing, Task, TaskStep, Vu};
use load_report::fault::FaultKind;
use tokio::net::{TcpStream, lookup_host};

/// HTTP/2 with prior knowledge.
struct Http2 {
    url: String,
    /// Host and port.
    authority: String,
    tasks: Vec<Task<Request<()>>>,
}

#[derive(clap::Args)]
struct Args {
    /// What to get: `http://HOST:PORT/PATH`.
    #[arg(long)]
    url: String,
}

fn fault(error: &h2::Error, probe: &mut Probe<'_>) -> Fault {
    probe.note(error);
    let code = error.reason().map_or(0, u32::from);
    match error.get_io() {
        Some(error) => Fault::io(error),
        // One stream is gone, the others go on.
        None if error.is_reset() => Fault::answered(FaultKind::Reset, code),
        None if error.is_go_away() => Fault { code, ..Fault::fatal(FaultKind::Closed) },
        None => Fault { code, ..Fault::fatal(FaultKind::Malformed) },
    }
}

impl Protocol for Http2 {
    const NAME: &'static str = "h2";
    type Args = Args;
    type Target = SocketAddr;
    type Step = Request<()>;
    type Link = SendRequest<bytes::Bytes>;
    type Session = SendRequest<bytes::Bytes>;

    fn new(args: Args) -> Result<Self, UsageError> {
        let wrong = |why: String| UsageError::new(format!("--url: expected http://HOST:PORT/PATH; {why}"));
        let uri: Uri = args.url.parse().map_err(|error: http::uri::InvalidUri| wrong(error.to_string()))?;
        let Some(authority) = uri.authority().filter(|_| uri.scheme_str() == Some("http")) else {
            return Err(wrong("no http:// or no host".into()));
        };
        let authority = format!("{}:{}", authority.host(), authority.port_u16().unwrap_or(80));
        let request = Request::builder().method(Method::GET).version(Version::HTTP_2).uri(uri);
        let request = request.body(()).map_err(|error| wrong(error.to_string()))?;
        let tasks = vec![Task { weight: 1, steps: vec![TaskStep::new(0, request)] }];
        Ok(Self { url: args.url, authority, tasks })
    }

    fn label(&self) -> String {
        self.url.clone()
    }

    fn describe(&self) -> serde_json::Value {
        serde_json::json!({ "url": self.url })
    }

    fn ops(&self) -> Vec<String> {
        vec!["GET".into()]
    }

    fn tasks(&self) -> &[Task<Request<()>>] {
        &self.tasks
    }

    fn sharing(&self) -> Sharing {
        Sharing::Shared
    }

    async fn prepare(&self, _control: &mut Control) -> Result<SocketAddr, PrepareError> {
        let wrong = |error| PrepareError::new(format!("{}: {error}", self.authority));
        let mut addresses = lookup_host(&self.authority).await.map_err(wrong)?;
        let address = addresses.next().ok_or_else(|| PrepareError::new("the name has no address"))?;
        TcpStream::connect(address).await.map_err(wrong)?;
        Ok(address)
    }

    async fn connect(
        &self,
        target: &SocketAddr,
        _link: LinkId,
        probe: &mut Probe<'_>,
    ) -> Result<Self::Link, Fault> {
        let stream = TcpStream::connect(target).await.map_err(|error| Fault::io(&error))?;
        stream.set_nodelay(true).map_err(|error| Fault::io(&error))?;
        let (sender, connection) =
            h2::client::handshake(stream).await.map_err(|error| fault(&error, probe))?;
        // Its calls meet the same end, and say so.
        tokio::task::spawn_local(async move { drop(connection.await) });
        Ok(sender)
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
        step: &Request<()>,
        _vu: &mut Vu,
        probe: &mut Probe<'_>,
    ) -> Result<Outcome, Fault> {
        poll_fn(|context| session.poll_ready(context)).await.map_err(|error| fault(&error, probe))?;
        let (answer, _) = session.send_request(step.clone(), true).map_err(|error| fault(&error, probe))?;
        let mut answer = answer.await.map_err(|error| fault(&error, probe))?;
        let mut received = 0;
        while let Some(data) = answer.body_mut().data().await {
            let data = data.map_err(|error| fault(&error, probe).after(0, received))?;
            received += data.len() as u64;
            // Fails only when the stream is gone, and then nobody needs the window.
            let _ = answer.body_mut().flow_control().release_capacity(data.len());
        }
        if answer.status() == StatusCode::OK {
            Ok(Outcome { received, messages: 1, ..Outcome::default() })
        } else {
            probe.note(answer.status());
            Err(Fault::answered(FaultKind::Rejected, answer.status().as_u16().into()).after(0, received))
        }
    }
}

fn main() -> std::process::ExitCode {
    load_core::main::<Http2>(load_core::About {
        name: "h2",
        version: env!("CARGO_PKG_VERSION"),
        about: "HTTP/2 on the engine",
        examples: "  h2 --url http://127.0.0.1:8080/ -c 8 -u 64",
    })
}
