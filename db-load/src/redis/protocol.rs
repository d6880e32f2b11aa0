//! What does the engine get? The protocol of the trait.

use std::num::NonZeroU32;
use std::rc::Rc;
use std::sync::{Mutex, PoisonError};

use load_core::error::{PrepareError, UsageError};
use load_core::protocol::{Control, Fault, LinkId, Outcome, Probe, Protocol, Script, Sharing, Vu};
use load_net::args::wrong;
use load_report::fault::FaultKind;
use load_report::model::ExtraPlan;
use redis::aio::MultiplexedConnection;
use redis::{Client, IntoConnectionInfo as _};

use super::args::RedisArgs;
use super::{data, session};
use crate::mix::{self, MixArgs, Step};
use crate::names::Nonce;
use crate::pool;
use crate::target;

/// A value in Redis has at most 512 MiB; ours stay well below, for each lane holds one.
const MOST_BYTES: u64 = 16 << 20;

type Pool = pool::Pool<MultiplexedConnection>;

/// Redis.
pub struct Redis {
    client: Client,
    secrets: Vec<String>,
    keys: u64,
    value_bytes: usize,
    pipeline: NonZeroU32,
    mix: MixArgs,
    script: Script<Step>,
    /// The run that this process would prepare.
    run: Nonce,
    /// The connection that has prepared the keys.
    preparing: Mutex<Option<MultiplexedConnection>>,
}

/// A worker's pool, and whose keys it is for.
pub struct Link {
    pool: Rc<Pool>,
    prefix: Rc<str>,
}

/// A lane's view of its worker's pool.
pub struct Session {
    pool: Rc<Pool>,
    lane: session::Session,
}

impl Redis {
    /// The server at `--url`, for whatever is done there.
    ///
    /// # Errors
    /// What is wrong with the flags.
    pub fn server(args: &RedisArgs) -> Result<(Client, Vec<String>), UsageError> {
        let example = "redis://[USER@]HOST[:PORT][/DATABASE]";
        let url = target::url(args.url.clone(), &["redis"], example, "REDIS_URL")?;
        let unfit = |error: redis::RedisError| {
            let why = error.detail().unwrap_or(error.category()).to_owned();
            wrong("--url", format!("expected {example}: {why}"))
        };
        let mut server = url.as_str().into_connection_info().map_err(unfit)?;
        let password = target::password(args.password_file.as_deref())?;
        if let Some(password) = &password {
            let settings = server.redis_settings().clone().set_password(password);
            server = server.set_redis_settings(settings);
        }
        let client = Client::open(server).map_err(unfit)?;
        Ok((client, target::secrets(&url, password.as_deref())))
    }

    async fn dial(&self) -> Result<MultiplexedConnection, PrepareError> {
        let open = async {
            let mut connection = session::dial(&self.client, NonZeroU32::MIN).await?;
            data::ping(&mut connection).await?;
            Ok(connection)
        };
        target::soon(open, &self.label(), "Redis", session::explain_first).await
    }
}

impl Protocol for Redis {
    const NAME: &'static str = "db-redis";
    type Args = RedisArgs;
    type Target = Nonce;
    type Step = Step;
    type Link = Link;
    type Session = Session;

    fn new(args: RedisArgs) -> Result<Self, UsageError> {
        if args.keys == 0 {
            return Err(wrong("--keys", "expected at least 1"));
        }
        if args.value_bytes > MOST_BYTES {
            return Err(wrong("--value-bytes", format!("expected at most {MOST_BYTES}")));
        }
        let (client, secrets) = Self::server(&args)?;
        Ok(Self {
            client,
            secrets,
            keys: args.keys,
            value_bytes: args.value_bytes as usize,
            pipeline: args.pipeline,
            mix: args.mix,
            script: args.mix.script(),
            run: Nonce::of_now(),
            preparing: Mutex::default(),
        })
    }

    fn label(&self) -> String {
        label(&self.client)
    }

    fn describe(&self) -> serde_json::Value {
        serde_json::json!({
            "url": self.label(),
            "keys": self.keys,
            "value_bytes": self.value_bytes,
            "pipeline": self.pipeline,
            "read_ratio": self.mix.read_ratio,
        })
    }

    fn secrets(&self) -> Vec<String> {
        self.secrets.clone()
    }

    fn ops(&self) -> Vec<String> {
        mix::ops()
    }

    fn extras(&self) -> Vec<ExtraPlan> {
        pool::extras()
    }

    fn script(&self) -> &Script<Step> {
        &self.script
    }

    fn sharing(&self) -> Sharing {
        Sharing::Pool
    }

    async fn prepare(&self, control: &mut Control) -> Result<Nonce, PrepareError> {
        let mut connection = self.dial().await?;
        control.calls += 1;
        // Cleanup speaks on the same connection: after what was said last, should this be dropped half way.
        *self.preparing.lock().unwrap_or_else(PoisonError::into_inner) = Some(connection.clone());
        let made = data::make(&mut connection, &self.run, self.keys, self.value_bytes, control).await;
        made.map_err(|error| target::failed(&self.label(), error))?;
        Ok(self.run.clone())
    }

    async fn connect(&self, run: &Nonce, link: LinkId, probe: &mut Probe<'_>) -> Result<Link, Fault> {
        let opened = session::dial_all(link.connections.get(), &self.client, self.pipeline).await;
        let opened = opened.map_err(|error| Fault { ends_session: true, ..session::fault(&error, probe) })?;
        Ok(Link { pool: Rc::new(Pool::new(opened, self.pipeline)), prefix: run.prefix().into() })
    }

    fn share(&self, link: &Link) -> Option<Link> {
        Some(Link { pool: Rc::clone(&link.pool), prefix: Rc::clone(&link.prefix) })
    }

    async fn open(&self, link: Link, _vu: &Vu) -> Result<Session, Fault> {
        let lane = session::Session::new(link.prefix.as_ref().to_owned(), self.value_bytes);
        Ok(Session { pool: link.pool, lane })
    }

    async fn call(
        &self,
        session: &mut Session,
        step: &Step,
        vu: &mut Vu,
        probe: &mut Probe<'_>,
    ) -> Result<Outcome, Fault> {
        let row = mix::row(vu, self.keys);
        let dial = async |probe: &mut Probe<'_>| {
            let opened = session::dial(&self.client, self.pipeline).await;
            opened.map_err(|error| session::fault(&error, probe))
        };
        let mut lent = session.pool.get(probe, dial).await?;
        let answered = match step {
            Step::Read => session.lane.read(&mut lent.connection, row).await,
            Step::Write => session.lane.write(&mut lent.connection, row).await,
        };
        match answered {
            Ok(((sent, received), wrong)) => {
                lent.done();
                let Some(wrong) = wrong else {
                    return Ok(Outcome { sent, received, messages: 1, ..Outcome::default() });
                };
                probe.note(wrong);
                Err(Fault::answered(FaultKind::Wrong, 0).after(sent, received))
            }
            Err(error) => {
                if session::is_usable_after(&error) {
                    lent.done();
                }
                Err(session::fault(&error, probe))
            }
        }
    }

    async fn idle(&self, session: &mut Session, _probe: &mut Probe<'_>) -> Fault {
        session.pool.gone().await
    }

    async fn cleanup(&self, _run: Option<&Nonce>, control: &mut Control) -> Result<(), PrepareError> {
        let prepared = self.preparing.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Without it nothing was made.
        let Some(mut connection) = prepared else { return Ok(()) };
        if data::ping(&mut connection).await.is_err() {
            connection = self.dial().await?;
        }
        control.calls += 1;
        let removed = data::remove(&mut connection, &self.run, self.keys, control).await;
        removed.map_err(|error| target::failed(&self.label(), error))
    }

    fn leaves(&self) -> Option<String> {
        let (run, prefix) = (&self.run, self.run.prefix());
        Some(format!("if keys {prefix}* are left: db-load cleanup --url ... {run}"))
    }
}

/// Where the server is, without user and password.
pub fn label(client: &Client) -> String {
    let server = client.get_connection_info();
    format!("redis://{}/{}", server.addr(), server.redis_settings().db())
}
