//! Does a pool fit the trait? PostgreSQL, one pool a worker; lanes wait for its connections, and the wait is seen.

use deadpool_postgres::{Client, Manager, Pool, PoolError};
use load_core::error::{PrepareError, UsageError};
use load_core::protocol::{Control, Fault, LinkId, Outcome, Probe, Protocol, Sharing, Task, TaskStep, Vu};
use load_report::fault::FaultKind;
use load_report::model::ExtraPlan;
use tokio_postgres::{Config, NoTls};

const SELECT: &str = "SELECT filler FROM protocol_proof WHERE id = $1";
const MAKE: &str = "DROP TABLE IF EXISTS protocol_proof; \
    CREATE TABLE protocol_proof (id int PRIMARY KEY, filler int NOT NULL); \
    INSERT INTO protocol_proof SELECT i, 2 * i FROM generate_series(1, 100000) i";
type Answer = Result<Outcome, Fault>;

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

/// A connection out of the pool, which must not have it back from a call that was given up: an answer is to come.
struct Borrowed(Option<Client>);

impl Drop for Borrowed {
    fn drop(&mut self) {
        self.0.take().map(Client::take);
    }
}

fn fault(error: &PoolError, probe: &mut Probe<'_>) -> Fault {
    probe.note(error);
    let PoolError::Backend(error) = error else { return Fault::answered(FaultKind::Local, 0) };
    // The class: all of an SQLSTATE, five digits to the base of 36, is too much for the code.
    let class = error.code().and_then(|state| u32::from_str_radix(state.code(), 36).ok());
    class.map_or(Fault::answered(FaultKind::Closed, 0), |class| Fault::answered(FaultKind::Rejected, class))
}

impl Postgres {
    async fn execute(&self, statements: &str, control: &mut Control) -> Result<(), PrepareError> {
        let wrong = |error| PrepareError::new(format!("{}: {statements}: {error}", self.label()));
        let (client, connection) = self.config.connect(NoTls).await.map_err(wrong)?;
        tokio::task::spawn_local(async move { drop(connection.await) });
        control.calls += 1;
        client.batch_execute(statements).await.map_err(wrong)
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
        serde_json::json!({ "target": self.label(), "statement": SELECT })
    }

    fn secrets(&self) -> Vec<String> {
        self.config.get_password().map(|it| String::from_utf8_lossy(it).into()).into_iter().collect()
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
        self.execute(MAKE, control).await
    }

    async fn connect(&self, _target: &(), link: LinkId, probe: &mut Probe<'_>) -> Result<Pool, Fault> {
        let manager = Manager::new(self.config.clone(), NoTls);
        let size = link.connections.get() as usize;
        let pool = Pool::builder(manager).max_size(size).build();
        let pool = pool.map_err(|_| Fault::fatal(FaultKind::Local))?;
        // The pool is lazy; all of it is to be there before time zero.
        let mut all = Vec::with_capacity(size);
        for _ in 0..size {
            let client = pool.get().await.map_err(|error| fault(&error, probe))?;
            client.prepare_cached(SELECT).await.map_err(|error| fault(&error.into(), probe))?;
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

    async fn call(&self, pool: &mut Pool, _: &(), vu: &mut Vu, probe: &mut Probe<'_>) -> Answer {
        let asked = probe.now();
        let mut lent = Borrowed(Some(pool.get().await.map_err(|error| fault(&error, probe))?));
        probe.observe(0, (probe.now() - asked).0 as u64);
        let Some(client) = &lent.0 else { return Err(Fault::answered(FaultKind::Local, 0)) };
        let id = (vu.scope.seq.wrapping_mul(0x9E37_79B9) % 100_000) as i32 + 1;
        let row = async { client.query_one(&client.prepare_cached(SELECT).await?, &[&id]).await }.await;
        drop(lent.0.take());
        match row.and_then(|row| row.try_get::<_, i32>(0)) {
            Ok(filler) if filler == 2 * id => Ok(Outcome { received: 4, messages: 1, ..Outcome::default() }),
            Ok(_) => Err(Fault::answered(FaultKind::Wrong, 0)),
            Err(error) => Err(fault(&error.into(), probe)),
        }
    }

    async fn cleanup(&self, _target: Option<&()>, control: &mut Control) -> Result<(), PrepareError> {
        self.execute("DROP TABLE protocol_proof", control).await
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
