//! What does the engine get? The protocol of the trait.

use std::rc::Rc;
use std::sync::{Mutex, PoisonError};

use load_core::error::{PrepareError, UsageError};
use load_core::protocol::{Control, Fault, LinkId, Outcome, Probe, Protocol, Script, Sharing, Vu};
use load_net::args::wrong;
use load_net::tls::{Settings, client_config};
use load_report::fault::FaultKind;
use load_report::model::ExtraPlan;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Config, Error};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::args::PostgresArgs;
use super::session::{Connection, Wire};
use super::{data, faults};
use crate::mix::{self, MixArgs, Step};
use crate::names::Nonce;
use crate::pool::{self, Lent};
use crate::target;

type Pool = pool::Pool<Rc<Connection>>;

/// PostgreSQL.
pub struct Postgres {
    config: Config,
    tls: MakeRustlsConnect,
    verified: bool,
    secrets: Vec<String>,
    rows: u64,
    mix: MixArgs,
    script: Script<Step>,
    /// The run that this process would prepare.
    run: Nonce,
    /// The connection that is preparing or has been left half way.
    preparing: Mutex<Option<Wire>>,
}

impl Postgres {
    /// The server at `--url`, for whatever is done there.
    ///
    /// # Errors
    /// What is wrong with the flags.
    pub fn server(args: &PostgresArgs) -> Result<(Config, MakeRustlsConnect, Vec<String>), UsageError> {
        let example = "postgres://USER@HOST[:PORT]/DATABASE";
        let url = target::url(args.url.clone(), &["postgres", "postgresql"], example, "DATABASE_URL")?;
        let mut config: Config = url.parse().map_err(|error| wrong("--url", faults::explain(&error)))?;
        if config.get_hosts().is_empty() {
            return Err(wrong("--url", format!("no host; expected {example}")));
        }
        if let Some(password) = target::password(args.password_file.as_deref())? {
            config.password(password);
        }
        if config.get_application_name().is_none() {
            config.application_name("quintet db-load");
        }
        // Without TLS there is nobody to trust.
        let nobody = args.tls.insecure || config.get_ssl_mode() == SslMode::Disable;
        let tls = client_config(&Settings { insecure: nobody, ..args.tls.settings() }, &[])?;
        let password = config.get_password().map(|password| String::from_utf8_lossy(password).into_owned());
        let secrets = target::secrets(&url, password.as_deref());
        Ok((config, MakeRustlsConnect::new((*tls).clone()), secrets))
    }

    async fn wire(&self) -> Result<Wire, PrepareError> {
        let open = Wire::open(&self.config, &self.tls);
        target::soon(open, &self.label(), "PostgreSQL", faults::explain_first).await
    }

    /// One call over a connection of the pool, or a new one where there is none.
    async fn over_pool(
        &self,
        session: &Session,
        step: Step,
        row: u64,
        probe: &mut Probe<'_>,
    ) -> Result<Outcome, Fault> {
        let dial = async |probe: &mut Probe<'_>| {
            let opened = Connection::open(&self.config, &self.tls, &session.run).await;
            opened.map_err(|error| faults::fault(&error, probe))
        };
        let lent = session.pool.get(probe, dial).await?;
        let answered = match step {
            Step::Read => lent.connection.read(row).await,
            Step::Write => lent.connection.write(row).await,
        };
        settle(lent, answered, probe)
    }
}

/// What came of a call, and whether its connection may be lent again.
#[inline]
fn settle(
    lent: Lent<'_, Rc<Connection>>,
    answered: Result<Option<&'static str>, Error>,
    probe: &mut Probe<'_>,
) -> Result<Outcome, Fault> {
    match answered {
        Ok(wrong) => {
            lent.done();
            let Some(wrong) = wrong else { return Ok(Outcome { messages: 1, ..Outcome::default() }) };
            probe.note(wrong);
            Err(Fault::answered(FaultKind::Wrong, 0))
        }
        Err(error) => {
            if faults::is_usable_after(&error) {
                lent.done();
            }
            Err(faults::fault(&error, probe))
        }
    }
}

/// A lane's view of its worker's pool.
pub struct Session {
    pool: Rc<Pool>,
    run: Rc<Nonce>,
}

impl Protocol for Postgres {
    const NAME: &'static str = "db-postgres";
    type Args = PostgresArgs;
    type Target = Nonce;
    type Step = Step;
    type Link = Session;
    type Session = Session;

    fn new(args: PostgresArgs) -> Result<Self, UsageError> {
        if args.rows == 0 {
            return Err(wrong("--rows", "expected at least 1"));
        }
        let (config, tls, secrets) = Self::server(&args)?;
        Ok(Self {
            config,
            tls,
            verified: !args.tls.insecure,
            secrets,
            rows: args.rows,
            mix: args.mix,
            script: args.mix.script(),
            run: Nonce::of_now(),
            preparing: Mutex::default(),
        })
    }

    fn label(&self) -> String {
        label(&self.config)
    }

    fn describe(&self) -> serde_json::Value {
        let tls = match (self.config.get_ssl_mode(), self.verified) {
            (SslMode::Disable, _) => "off",
            (_, false) => "NOT VERIFIED (--insecure)",
            (SslMode::Require, true) => "verified",
            (_, true) => "verified, where the server has it",
        };
        serde_json::json!({
            "url": self.label(),
            "user": self.config.get_user(),
            "tls": tls,
            "rows": self.rows,
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
        let wire = self.wire().await?;
        let made = {
            // Cleanup gets the connection of a preparation that was dropped, to speak after what was said last.
            let kept = Kept { wire: Some(wire), to: &self.preparing };
            let made = match &kept.wire {
                Some(wire) => data::make(wire, &self.run, self.rows, control).await,
                None => Ok(()),
            };
            if made.is_ok() {
                kept.forget();
            }
            made
        };
        made.map_err(|error| target::failed(&self.label(), faults::explain(&error)))?;
        Ok(self.run.clone())
    }

    async fn connect(&self, run: &Nonce, link: LinkId, probe: &mut Probe<'_>) -> Result<Session, Fault> {
        let opened = Connection::open_all(link.connections.get(), &self.config, &self.tls, run).await;
        let opened = opened.map_err(|error| Fault { ends_session: true, ..faults::fault(&error, probe) })?;
        Ok(Session { pool: Rc::new(Pool::new(opened, std::num::NonZeroU32::MIN)), run: Rc::new(run.clone()) })
    }

    fn share(&self, link: &Session) -> Option<Session> {
        Some(Session { pool: Rc::clone(&link.pool), run: Rc::clone(&link.run) })
    }

    async fn open(&self, link: Session, _vu: &Vu) -> Result<Session, Fault> {
        Ok(link)
    }

    async fn call(
        &self,
        session: &mut Session,
        step: &Step,
        vu: &mut Vu,
        probe: &mut Probe<'_>,
    ) -> Result<Outcome, Fault> {
        let row = mix::row(vu, self.rows);
        self.over_pool(session, *step, row, probe).await
    }

    async fn idle(&self, session: &mut Session, _probe: &mut Probe<'_>) -> Fault {
        session.pool.gone().await
    }

    async fn cleanup(&self, run: Option<&Nonce>, control: &mut Control) -> Result<(), PrepareError> {
        let left = self.preparing.lock().unwrap_or_else(PoisonError::into_inner).take();
        let wire = match (left, run) {
            (Some(wire), _) if !wire.is_closed() => wire,
            // Nothing was made, or the server has rolled it back.
            (_, None) => return Ok(()),
            (_, Some(_)) => self.wire().await?,
        };
        let removed = data::remove(&wire, &self.run, control).await;
        removed.map_err(|error| target::failed(&self.label(), faults::explain(&error)))
    }

    fn leaves(&self) -> Option<String> {
        let (run, table) = (&self.run, self.run.table());
        Some(format!("if {table} is left: db-load cleanup --url ... {run}, or DROP TABLE {table}"))
    }
}

/// Where the server is, without user and password.
pub fn label(config: &Config) -> String {
    let ports = config.get_ports();
    let hosts = config.get_hosts().iter().enumerate().map(|(i, host)| {
        let port = ports.get(i).or(ports.first()).copied().unwrap_or(5432);
        match host {
            Host::Tcp(name) if name.contains(':') => format!("[{name}]:{port}"),
            Host::Tcp(name) => format!("{name}:{port}"),
            Host::Unix(path) => path.display().to_string(),
        }
    });
    let hosts = hosts.collect::<Vec<_>>().join(",");
    format!("postgres://{hosts}/{}", config.get_dbname().or(config.get_user()).unwrap_or_default())
}

/// Keeps a connection when its owner is dropped half way.
struct Kept<'a> {
    wire: Option<Wire>,
    to: &'a Mutex<Option<Wire>>,
}

impl Kept<'_> {
    fn forget(mut self) {
        self.wire = None;
    }
}

impl Drop for Kept<'_> {
    fn drop(&mut self) {
        *self.to.lock().unwrap_or_else(PoisonError::into_inner) = self.wire.take();
    }
}
