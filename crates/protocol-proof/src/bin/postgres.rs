//! Does a pool fit the trait? PostgreSQL, one pool a worker; lanes wait for its connections, and the wait is seen.

use deadpool_postgres::{Client, Manager, ManagerConfig, Pool, PoolError, RecyclingMethod};
use load_core::error::{PrepareError, UsageError};
use load_core::protocol::{Control, Fault, LinkId, Outcome, Probe, Protocol, Sharing, Task, TaskStep, Vu};
use load_report::fault::FaultKind;
use load_report::model::ExtraPlan;
use tokio_postgres::{Config, Error, NoTls};

const ROWS: i32 = 100_000;
const SELECT: &str = "SELECT filler FROM protocol_proof WHERE id = $1";
const MAKE: &str = "DROP TABLE IF EXISTS protocol_proof; \
    CREATE TABLE protocol_proof (id int PRIMARY KEY, filler int NOT NULL);";
const FILL: &str = "INSERT INTO protocol_proof SELECT i, 2 * i FROM generate_series(1, $1) i";
const DROP: &str = "DROP TABLE protocol_proof";

/// One row by its key.
struct Postgres {
    config: Config,
    tasks: Vec<Task<()>>,
}

#[derive(clap::Args)]
struct Args {
    /// Where: `host=HOST port=PORT user=USER dbname=NAME`, or a `postgresql://` URL.
    #[arg(long)]
    url: String,
}

/// A connection out of the pool. One that is given up in the middle of a call has an answer to come, and the pool
/// must not have it back.
struct Borrowed(Option<Client>);

impl Drop for Borrowed {
    fn drop(&mut self) {
        self.0.take().map(Client::take);
    }
}

fn fault(error: &Error) -> Fault {
    match error.code() {
        // The class: all of an SQLSTATE, five digits to the base of 36, is too much for the code.
        Some(state) => {
            let class = state.code().get(..2).and_then(|class| u16::from_str_radix(class, 36).ok());
            Fault::answered(FaultKind::Rejected, class.unwrap_or(0))
        }
        None if error.is_closed() => Fault::answered(FaultKind::Closed, 0),
        None => Fault::answered(FaultKind::Malformed, 0),
    }
}

fn pool_fault(error: &PoolError, probe: &mut Probe<'_>) -> Fault {
    probe.note(error);
    match error {
        PoolError::Backend(error) => match std::error::Error::source(error).and_then(|e| e.downcast_ref()) {
            Some(io) => Fault { ends_session: false, ..Fault::io(io) },
            None => fault(error),
        },
        _ => Fault::answered(FaultKind::Local, 0),
    }
}

impl Postgres {
    /// A connection outside the schedule.
    async fn control(&self) -> Result<tokio_postgres::Client, Error> {
        let (client, connection) = self.config.connect(NoTls).await?;
        // Ends with the client; an error of it is the client's too.
        tokio::task::spawn_local(async move { drop(connection.await) });
        Ok(client)
    }

    async fn make(&self, control: &mut Control) -> Result<(), Error> {
        let client = self.control().await?;
        control.calls += 2;
        client.batch_execute(MAKE).await?;
        client.execute(FILL, &[&ROWS]).await.map(drop)
    }
}

impl Protocol for Postgres {
    const NAME: &'static str = "postgres";
    type Args = Args;
    type Target = ();
    type Step = ();
    type Link = Pool;
    type Session = Pool;

    fn new(args: Args) -> Result<Self, UsageError> {
        let config = args.url.parse().map_err(|error| UsageError::new(format!("--url: {error}")))?;
        Ok(Self { config, tasks: vec![Task { weight: 1, steps: vec![TaskStep::new(0, ())] }] })
    }

    fn label(&self) -> String {
        format!("{:?} {:?}", self.config.get_hosts(), self.config.get_ports())
    }

    fn describe(&self) -> serde_json::Value {
        serde_json::json!({ "target": self.label(), "statement": SELECT, "rows": ROWS })
    }

    fn secrets(&self) -> Vec<String> {
        self.config.get_password().map(|it| String::from_utf8_lossy(it).into_owned()).into_iter().collect()
    }

    fn ops(&self) -> Vec<String> {
        vec!["SELECT".into()]
    }

    fn extras(&self) -> Vec<ExtraPlan> {
        vec![ExtraPlan { name: "pool_wait".into(), help: "Wait for a connection of the pool.".into() }]
    }

    fn tasks(&self) -> &[Task<()>] {
        &self.tasks
    }

    fn sharing(&self) -> Sharing {
        Sharing::Pool
    }

    async fn prepare(&self, control: &mut Control) -> Result<(), PrepareError> {
        self.make(control).await.map_err(|error| PrepareError::new(format!("{}: {error}", self.label())))
    }

    async fn connect(&self, _target: &(), link: LinkId, probe: &mut Probe<'_>) -> Result<Pool, Fault> {
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(self.config.clone(), NoTls, recycling);
        let size = link.connections.get() as usize;
        let pool = Pool::builder(manager).max_size(size).build();
        let pool = pool.map_err(|_| Fault::fatal(FaultKind::Local))?;
        // The pool is lazy; all of it is to be there before time zero.
        let mut all = Vec::with_capacity(size);
        for _ in 0..size {
            let client = pool.get().await.map_err(|error| pool_fault(&error, probe))?;
            client.prepare_cached(SELECT).await.map_err(|error| fault(&error))?;
            all.push(client);
        }
        Ok(pool)
    }

    fn share(&self, link: &Pool) -> Option<Pool> {
        Some(link.clone())
    }

    async fn open(&self, link: Pool, _vu: &Vu) -> Result<Pool, Fault> {
        Ok(link)
    }

    async fn call(
        &self,
        pool: &mut Pool,
        (): &(),
        vu: &mut Vu,
        probe: &mut Probe<'_>,
    ) -> Result<Outcome, Fault> {
        let asked = probe.now();
        let mut lent = Borrowed(Some(pool.get().await.map_err(|error| pool_fault(&error, probe))?));
        probe.observe(0, (probe.now() - asked).0 as u64);
        let Some(client) = &lent.0 else { return Err(Fault::answered(FaultKind::Local, 0)) };
        let id = (vu.scope.seq.wrapping_mul(0x9E37_79B9) % ROWS as u64) as i32 + 1;
        let row = async { client.query_one(&client.prepare_cached(SELECT).await?, &[&id]).await }.await;
        drop(lent.0.take());
        match row.and_then(|row| row.try_get::<_, i32>(0)) {
            Ok(filler) if filler == 2 * id => Ok(Outcome { received: 4, messages: 1, ..Outcome::default() }),
            Ok(_) => Err(Fault::answered(FaultKind::Wrong, 0)),
            Err(error) => {
                probe.note(&error);
                Err(fault(&error))
            }
        }
    }

    async fn cleanup(&self, _target: &(), control: &mut Control) -> Result<(), PrepareError> {
        let wrong = |error| PrepareError::new(format!("the table protocol_proof is left, drop it: {error}"));
        control.calls += 1;
        self.control().await.map_err(wrong)?.batch_execute(DROP).await.map_err(wrong)
    }
}

fn main() -> std::process::ExitCode {
    load_core::main::<Postgres>(load_core::About {
        name: "postgres",
        version: env!("CARGO_PKG_VERSION"),
        about: "PostgreSQL on the engine",
        examples: "  postgres --url 'host=127.0.0.1 user=postgres' -c 16 -u 64",
    })
}
