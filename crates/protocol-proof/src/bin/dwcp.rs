//! Does a job flow fit the trait? One call starts a job, the next is made again until the job is completed.

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use load_core::clock::Nanos;
use load_core::error::{PrepareError, UsageError};
use load_core::protocol::{Control, Fault, LinkId, Outcome, Poll, Probe, Protocol, Task, TaskStep, Vu};
use load_report::fault::FaultKind;

const JOBS: &str = "/api/v1/dwcp/migrations";
const ORDER: &str = r#"{"vm_id":"test-vm","source_zone":"us-west-1","target_zone":"us-east-1","protocol":"dwcp-v3","live_migration":true}"#;

/// Migrations as jobs.
struct Dwcp {
    address: SocketAddr,
    tasks: Vec<Task<Step>>,
}

#[derive(clap::Args)]
struct Args {
    /// Where the jobs are done.
    #[arg(long)]
    target: SocketAddr,
    /// Pause between two looks at a job, in ms.
    #[arg(long, default_value_t = 1_000)]
    every_ms: i64,
}

#[derive(Clone, Copy)]
enum Step {
    Start,
    Look,
}

struct Session {
    http: SendRequest<Full<Bytes>>,
    /// The job of the current iteration.
    job: String,
}

fn gone(error: &hyper::Error, probe: &mut Probe<'_>) -> Fault {
    probe.note(error);
    Fault::fatal(if error.is_parse() { FaultKind::Malformed } else { FaultKind::Closed })
}

impl Protocol for Dwcp {
    const NAME: &'static str = "dwcp";
    type Args = Args;
    type Target = ();
    type Step = Step;
    type Link = SendRequest<Full<Bytes>>;
    type Session = Session;

    fn new(args: Args) -> Result<Self, UsageError> {
        let poll = Poll { every: Nanos(args.every_ms * 1_000_000), at_most: 30 };
        let steps = vec![TaskStep::new(0, Step::Start), TaskStep::polled(1, Step::Look, poll)];
        Ok(Self { address: args.target, tasks: vec![Task { weight: 1, steps }] })
    }
    fn label(&self) -> String {
        self.address.to_string()
    }
    fn describe(&self) -> serde_json::Value {
        serde_json::json!({ "target": self.address })
    }
    fn ops(&self) -> Vec<String> {
        vec!["POST migrations".into(), "GET migrations/{job_id}".into()]
    }
    fn tasks(&self) -> &[Task<Step>] {
        &self.tasks
    }

    async fn prepare(&self, _: &mut Control) -> Result<(), PrepareError> {
        let reached = tokio::net::TcpStream::connect(self.address).await;
        reached.map(drop).map_err(|error| PrepareError::new(format!("{}: {error}", self.address)))
    }

    async fn connect(&self, (): &(), _: LinkId, probe: &mut Probe<'_>) -> Result<Self::Link, Fault> {
        let stream = tokio::net::TcpStream::connect(self.address).await.map_err(|error| Fault::io(&error))?;
        stream.set_nodelay(true).map_err(|error| Fault::io(&error))?;
        let (http, driver) = handshake(TokioIo::new(stream)).await.map_err(|error| gone(&error, probe))?;
        // What ends the connection is told to the next call.
        tokio::spawn(async move { driver.await.ok() });
        Ok(http)
    }

    async fn open(&self, http: Self::Link, _: &Vu) -> Result<Session, Fault> {
        Ok(Session { http, job: String::new() })
    }

    async fn call(
        &self,
        session: &mut Session,
        step: &Step,
        _: &mut Vu,
        probe: &mut Probe<'_>,
    ) -> Result<Outcome, Fault> {
        let (method, path, body, expected) = match step {
            Step::Start => (Method::POST, JOBS.to_owned(), ORDER, StatusCode::ACCEPTED),
            Step::Look => (Method::GET, format!("{JOBS}/{}", session.job), "", StatusCode::OK),
        };
        let request = Request::builder().method(method).uri(path).header("host", self.label());
        let request = request.body(Full::from(body)).map_err(|_| Fault::fatal(FaultKind::Local))?;
        session.http.ready().await.map_err(|error| gone(&error, probe))?;
        let answer = session.http.send_request(request).await.map_err(|error| gone(&error, probe))?;
        let status = answer.status();
        let body = answer.into_body().collect().await.map_err(|error| gone(&error, probe))?.to_bytes();
        if status != expected {
            probe.note(format_args!("status {status}, expected {expected}"));
            return Err(Fault::answered(FaultKind::Rejected, status.as_u16().into()));
        }
        let json: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
        let mut outcome = Outcome { received: body.len() as u64, ..Outcome::default() };
        match (step, json["job_id"].as_str(), json["status"].as_str()) {
            (Step::Start, Some(job), _) => job.clone_into(&mut session.job),
            (Step::Look, _, Some("in_progress")) => outcome.pending = true,
            (Step::Look, _, Some("completed")) if json["data_loss"] == false => {}
            _ => {
                probe.note(format_args!("unexpected answer {json}"));
                return Err(Fault::answered(FaultKind::Wrong, 0));
            }
        }
        Ok(outcome)
    }
}

fn main() -> std::process::ExitCode {
    load_core::main::<Dwcp>(load_core::About {
        name: "dwcp",
        version: env!("CARGO_PKG_VERSION"),
        about: "Migrations as jobs, polled until they are completed",
        examples: "  dwcp --target 127.0.0.1:8090 -u 10 -d 10s",
    })
}
