//! What does the engine get? The protocol of the trait: flags in, one compiled request, faults told apart.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use load_core::error::{PrepareError, UsageError};
use load_core::protocol::{Control, Fault, LinkId, Outcome, Probe, Protocol, Task, TaskStep, Vu};
use load_report::fault::FaultKind;
use load_suite::template::Template;
use rustls::pki_types::ServerName;
use serde::{Deserialize, Serialize};

use crate::args::ApiArgs;
use crate::connection::{Connection, NoConnection, Tls};
use crate::expect::{Expect, Statuses};
use crate::redact::{self, Collector};
use crate::request::{Parts, Request};
use crate::search::Needle;
use crate::session::{Exchanged, Session};
use crate::url::Url;
use crate::{reach, tls};

/// Largest body of an answer unless `--max-body` says otherwise.
const MAX_BODY: u64 = 1 << 30;

/// HTTP/1.1.
pub struct Api {
    url: Url,
    method: String,
    /// All headers but `Content-Length`.
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
    tls: Option<Tls>,
    insecure: bool,
    max_body: u64,
    tasks: Vec<Task<Step>>,
}

/// One call, compiled.
#[derive(Clone)]
pub struct Step {
    /// What is sent.
    pub request: Request,
    /// What must come back.
    pub expect: Expect,
}

/// Where connections go.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Target {
    /// The addresses that accepted a connection; links take them in turn.
    pub addresses: Vec<SocketAddr>,
}

impl Protocol for Api {
    const NAME: &'static str = "api";
    type Args = ApiArgs;
    type Target = Target;
    type Step = Step;
    type Link = Connection;
    type Session = Session;

    fn new(args: ApiArgs) -> Result<Self, UsageError> {
        let text = args.url.as_deref().ok_or_else(|| {
            UsageError::new("no target: give --url http://HOST[:PORT]/PATH, or set API_URL")
        })?;
        Template::parse(text).map_err(|error| wrong("--url", error))?;
        let url = Url::parse(text).map_err(|error| wrong("--url", error))?;
        let body = body(&args)?;
        let method = method(&args, body.is_some())?;
        let headers = headers(&args, &url)?;
        let parts = Parts { method: &method, target: &url.target, headers: &headers, body: body.as_deref() };
        let request = Request::new(&parts).map_err(|error| wrong("request", error))?;
        let text = args.expect_text.as_deref().and_then(Needle::new);
        if request.head_only && text.is_some() {
            return Err(UsageError::new("--expect-text: the answer to HEAD has no body; use --method GET"));
        }
        let expect = Expect { statuses: Statuses::new(args.expect_status.clone()), text };
        let tls = if url.https { Some(tls_of(&args, &url)?) } else { None };
        let tasks = vec![Task { weight: 1, steps: vec![TaskStep::new(0, Step { request, expect })] }];
        let (insecure, max_body) = (args.insecure, args.max_body.unwrap_or(MAX_BODY));
        Ok(Self { url, method, headers, body, tls, insecure, max_body, tasks })
    }

    fn label(&self) -> String {
        self.url.label()
    }

    fn describe(&self) -> serde_json::Value {
        let shown = |(name, value): &(String, String)| format!("{name}: {}", redact::header(name, value));
        let expect = &self.tasks[0].steps[0].step.expect;
        serde_json::json!({
            "url": self.label(),
            "method": self.method,
            "headers": self.headers.iter().map(shown).collect::<Vec<_>>(),
            "body_bytes": self.body.as_ref().map(Vec::len),
            "expect_status": expect.statuses.to_string(),
            "expect_text": expect.text.as_ref().map(Needle::text),
            "tls": self.tls.as_ref().map(|_| if self.insecure { "NOT VERIFIED (--insecure)" } else { "verified" }),
            "max_body": self.max_body,
        })
    }

    fn secrets(&self) -> Vec<String> {
        let mut all = Collector::default();
        for (name, value) in &self.headers {
            all.add_header(name, value);
        }
        if let Some((user, password)) = self.url.credentials() {
            all.add_credentials(&user, &password);
        }
        if let Some(userinfo) = &self.url.userinfo {
            all.add(userinfo);
        }
        if let Some((_, query)) = self.url.target.split_once('?') {
            all.add_pairs(query);
        }
        all.add_body(self.body.as_deref().unwrap_or_default());
        all.into_values()
    }

    fn ops(&self) -> Vec<String> {
        vec![format!("{} {}", self.method, redact::target(&self.url.target))]
    }

    fn tasks(&self) -> &[Task<Step>] {
        &self.tasks
    }

    async fn prepare(&self, _control: &mut Control) -> Result<Target, PrepareError> {
        let addresses = reach::addresses(self.url.host.clone(), self.url.port, self.tls.clone()).await?;
        Ok(Target { addresses })
    }

    async fn connect(
        &self,
        target: &Target,
        link: LinkId,
        probe: &mut Probe<'_>,
    ) -> Result<Connection, Fault> {
        let turn = link.index % (target.addresses.len() as u64).max(1);
        let Some(&address) = target.addresses.get(turn as usize) else {
            return Err(Fault::fatal(FaultKind::Dns));
        };
        Connection::open(address, self.tls.as_ref()).await.map_err(|error| match error {
            NoConnection::Tcp(error) => {
                probe.note(format_args!("{address}: {error}"));
                Fault::io(&error)
            }
            NoConnection::Tls(error) => {
                probe.note(format_args!("{address}: {}", tls::explain(&error)));
                Fault::fatal(FaultKind::Tls)
            }
        })
    }

    async fn open(&self, link: Connection, _vu: &Vu) -> Result<Session, Fault> {
        Ok(Session::new(link, self.max_body))
    }

    #[inline]
    async fn call(
        &self,
        session: &mut Session,
        step: &Step,
        vu: &mut Vu,
        probe: &mut Probe<'_>,
    ) -> Result<Outcome, Fault> {
        let exchanged = session.exchange(step, &vu.scope).await;
        judge(exchanged, &step.expect, probe)
    }

    async fn idle(&self, session: &mut Session, probe: &mut Probe<'_>) -> Fault {
        session.unasked().await.fault(probe)
    }

    async fn close(&self, session: Session) {
        session.close().await;
    }
}

/// Was the answer what it had to be?
#[inline]
fn judge(exchanged: Exchanged, expect: &Expect, probe: &mut Probe<'_>) -> Result<Outcome, Fault> {
    let Exchanged { result, sent, received, found } = exchanged;
    let sent = u32::try_from(sent).unwrap_or(u32::MAX);
    let answer = match result {
        Ok(answer) => answer,
        Err(failure) => return Err(failure.fault(probe).after(sent, received)),
    };
    let ends_session = !answer.keep_alive;
    let unexpected = !expect.statuses.contains(answer.status);
    if !unexpected && (found || expect.text.is_none()) {
        return Ok(Outcome { sent, received, ends_session, ..Outcome::default() });
    }
    let fault = if unexpected { refused(answer.status, expect, probe) } else { lacking(expect, probe) };
    Err(Fault { ends_session, ..fault }.after(sent, received))
}

#[cold]
fn refused(status: u16, expect: &Expect, probe: &mut Probe<'_>) -> Fault {
    let known = http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    probe.note(format_args!(
        "status {status} {}, expected {}",
        known.unwrap_or("(no name)"),
        expect.statuses
    ));
    let kind = if status == 429 { FaultKind::RateLimited } else { FaultKind::Rejected };
    Fault::answered(kind, status)
}

#[cold]
fn lacking(expect: &Expect, probe: &mut Probe<'_>) -> Fault {
    probe.note(format_args!(
        "the body lacks {:?}",
        expect.text.as_ref().map(Needle::text).unwrap_or_default()
    ));
    Fault::answered(FaultKind::Wrong, 0)
}

fn wrong(flag: &str, why: impl std::fmt::Display) -> UsageError {
    UsageError::new(format!("{flag}: {why}"))
}

fn read(flag: &str, file: &Path) -> Result<Vec<u8>, UsageError> {
    fs::read(file).map_err(|error| wrong(&format!("{flag} {}", file.display()), error))
}

fn body(args: &ApiArgs) -> Result<Option<Vec<u8>>, UsageError> {
    match (&args.body, &args.body_file) {
        (Some(text), _) => Ok(Some(text.clone().into_bytes())),
        (None, Some(file)) => read("--body-file", file).map(Some),
        (None, None) => Ok(None),
    }
}

fn method(args: &ApiArgs, has_body: bool) -> Result<String, UsageError> {
    let method = args.method.as_deref().unwrap_or(if has_body { "POST" } else { "GET" });
    if method == "CONNECT" || http::Method::from_bytes(method.as_bytes()).is_err() {
        return Err(wrong("--method", format!("{method:?}; expected a method like GET or POST")));
    }
    Ok(method.to_owned())
}

fn tls_of(args: &ApiArgs, url: &Url) -> Result<Tls, UsageError> {
    let name = match url.ip() {
        Some(ip) => ServerName::from(ip),
        None => ServerName::try_from(url.host.clone()).map_err(|error| wrong("--url", error))?,
    };
    Ok(Tls { config: tls::client_config(args.cacert.as_deref(), args.insecure)?, name })
}

/// The headers to send: the user's, and ours where the user has none of the same name.
fn headers(args: &ApiArgs, url: &Url) -> Result<Vec<(String, String)>, UsageError> {
    let given = args.headers.iter().map(|line| header(line)).collect::<Result<Vec<_>, _>>()?;
    let agent = args
        .user_agent
        .clone()
        .unwrap_or_else(|| concat!("quintet-api-load/", env!("CARGO_PKG_VERSION")).into());
    let mut ours = vec![("Host", url.authority.clone()), ("User-Agent", agent)];
    if let Some(token) = token(args)? {
        ours.push(("Authorization", format!("Bearer {token}")));
    } else if let Some((user, password)) = url.credentials() {
        ours.push((
            "Authorization",
            format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}"))),
        ));
    }
    let mut all = Vec::new();
    for (name, value) in ours {
        if !given.iter().any(|(theirs, _)| theirs.eq_ignore_ascii_case(name)) {
            all.push(checked(name, &value)?);
        }
    }
    all.extend(given);
    Ok(all)
}

fn header(line: &str) -> Result<(String, String), UsageError> {
    // Without the line itself, which may hold a secret.
    let (name, value) =
        line.split_once(':').ok_or_else(|| wrong("--header", "no colon; expected 'Name: value'"))?;
    if ["content-length", "transfer-encoding"].iter().any(|ours| name.trim().eq_ignore_ascii_case(ours)) {
        return Err(wrong("--header", format!("{} follows from the body; leave it out", name.trim())));
    }
    checked(name.trim(), value.trim())
}

fn checked(name: &str, value: &str) -> Result<(String, String), UsageError> {
    if http::HeaderName::from_bytes(name.as_bytes()).is_err() {
        return Err(wrong("--header", format!("{name:?} is not a header name; expected 'Name: value'")));
    }
    if http::HeaderValue::from_bytes(value.as_bytes()).is_err() {
        return Err(wrong(
            "--header",
            format!("the value of {name} has a line break or a control character"),
        ));
    }
    Ok((name.to_owned(), value.to_owned()))
}

fn token(args: &ApiArgs) -> Result<Option<String>, UsageError> {
    let Some(file) = &args.token_file else {
        return Ok(args.token.clone().filter(|token| !token.is_empty()));
    };
    let text = String::from_utf8(read("--token-file", file)?).unwrap_or_default();
    match text.trim() {
        "" => Err(wrong(&format!("--token-file {}", file.display()), "expected a token as text")),
        token => Ok(Some(token.to_owned())),
    }
}
