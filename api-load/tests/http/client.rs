//! One lane without an engine.

use std::future::Future;
use std::num::NonZeroU32;
use std::time::Duration;

use api_load::Api;
use api_load::args::ApiArgs;
use api_load::protocol::Session;
use clap::Parser;
use load_core::clock::Nanos;
use load_core::protocol::{Control, Fault, LinkId, Outcome, Probe, Protocol as _, Vu};
use load_core::record::Observer;
use load_net::reach::Target;
use target_server::{Config, Report, Script, Server};

/// A test that hangs fails instead.
const LIMIT: Duration = Duration::from_secs(20);

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: ApiArgs,
}

/// The protocol that these flags make.
pub(crate) fn try_api(flags: &[&str]) -> Result<Api, String> {
    let line = Line::try_parse_from([&["api-load"], flags].concat()).map_err(|error| error.to_string())?;
    Api::new(line.args).map_err(|error| error.to_string())
}

pub(crate) fn api(flags: &[&str]) -> Api {
    try_api(flags).unwrap()
}

/// A server with this script, on a free port.
pub(crate) fn server(script: &str) -> Server {
    let script = Script::parse("test", script).unwrap();
    Server::start(Config { script, ring: 1 << 10, ..Config::default() }).unwrap()
}

/// The URL of `path` on `server`.
pub(crate) fn url(server: &Server, path: &str) -> String {
    format!("http://{}{path}", server.http_addr().unwrap())
}

/// The server's record once nothing is in flight: it writes an answer before it writes down that it did.
pub(crate) fn settled(server: &Server) -> Report {
    let idle = || Some(server.truth()).filter(|truth| truth.in_flight == 0);
    (0..1_000_000).find_map(|_| idle()).expect("nothing in flight in the end")
}

/// Runs `future` on a worker's kind of runtime.
pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { within(LIMIT, future).await.expect("the test hangs") })
}

/// The output of `future`, if it has one in time.
#[expect(clippy::disallowed_methods, reason = "a test has no engine whose clock it could use")]
pub(crate) async fn within<T>(limit: Duration, future: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(limit, future).await.ok()
}

struct NoRecord;

impl Observer for NoRecord {
    fn now(&self) -> Nanos {
        Nanos::ZERO
    }

    fn observe(&self, _extra: usize, _ns: u64) {}
    fn count(&self, _: usize, _: u64) {}
}

/// A lane with a session.
pub(crate) struct Client {
    pub(crate) api: Api,
    pub(crate) target: Target,
    session: Session,
    vu: Vu,
    /// What the probe was told last.
    pub(crate) note: String,
}

pub(crate) fn link(index: u64) -> LinkId {
    LinkId { index, connections: NonZeroU32::MIN, generation: 0 }
}

impl Client {
    /// Prepares and connects.
    pub(crate) async fn new(flags: &[&str]) -> Self {
        let api = api(flags);
        let target = api.prepare(&mut Control::default()).await.unwrap();
        Self::on(api, target).await.map_err(|(_, note)| note).unwrap()
    }

    /// Connects; the fault and its note otherwise.
    pub(crate) async fn on(api: Api, target: Target) -> Result<Self, (Fault, String)> {
        Self::by(api, target, link(0)).await
    }

    /// Connects as this link.
    pub(crate) async fn by(api: Api, target: Target, link: LinkId) -> Result<Self, (Fault, String)> {
        let (vu, mut note) = (Vu::new(5), String::new());
        let connected = api.connect(&target, link, &mut Probe::unobserved(&NoRecord, &mut note)).await;
        let session = match connected {
            Ok(link) => api.open(link, &vu).await.unwrap(),
            Err(fault) => return Err((fault, note)),
        };
        Ok(Self { api, target, session, vu, note })
    }

    pub(crate) async fn call(&mut self) -> Result<Outcome, Fault> {
        let step = &self.api.script().calls().next().unwrap().step;
        let mut probe = Probe::unobserved(&NoRecord, &mut self.note);
        let result = self.api.call(&mut self.session, step, &mut self.vu, &mut probe).await;
        self.vu.scope.seq += 1;
        result
    }

    /// The same user on a new connection.
    pub(crate) async fn reconnect(&mut self) {
        let mut probe = Probe::unobserved(&NoRecord, &mut self.note);
        let connection = self.api.connect(&self.target, link(0), &mut probe).await.unwrap();
        self.session = self.api.open(connection, &self.vu).await.unwrap();
    }

    pub(crate) async fn idle(&mut self) -> Fault {
        let mut probe = Probe::unobserved(&NoRecord, &mut self.note);
        self.api.idle(&mut self.session, &mut probe).await
    }

    pub(crate) async fn close(self) {
        let mut note = String::new();
        self.api.close(self.session, &mut Probe::unobserved(&NoRecord, &mut note)).await;
    }
}
