//! How is the protocol made of flags, or of a suite?

use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex, OnceLock};

use load_core::compile::Plans;
use load_core::error::UsageError;
use load_core::protocol::Script;
use load_report::model::ExtraPlan;
use load_suite::suite::Suite;
use serde_json::{Map, Value};

use super::args::PostgresArgs;
use super::protocol::{Postgres, Step};
use super::series;
use super::server::Server;
use super::suite::{Compiled, compiled};
use super::workload::{Program, Work};
use crate::names::Nonce;
use crate::pool;

/// What the command line asks for.
///
/// # Errors
/// What is wrong with it.
pub fn from_flags(args: &PostgresArgs) -> Result<Postgres, UsageError> {
    let work = Work::new(args)?;
    let run = Nonce::of_now();
    let (ops, tasks) = work.draft(&run)?.tasks();
    let plans = Plans { ops, extras: extras(), counters: series::counters(), rates: Vec::new() };
    let record = work.describe();
    build(args, (run, work), (tasks, plans), record)
}

/// What `suite` asks for; what `args` say wins over its environment.
///
/// # Errors
/// The first mistake in the suite, with its place, or flags that mean nothing with one.
pub fn from_suite(mut args: PostgresArgs, suite: &Suite) -> Result<Postgres, UsageError> {
    if !args.workloads.is_empty() || !args.files.is_empty() {
        return Err(UsageError::new(
            "--workload and --file: the steps of the suite say what is done; leave them out with --suite",
        ));
    }
    if let Some(url) = suite.environment.url.as_ref().filter(|_| args.url.is_none()) {
        args.url = Some(url.value.clone());
    }
    let work = Work::none(&args)?;
    let Compiled { scripts, tasks, from_suite } = compiled(suite, work.manner, extras())?;
    let mut record = work.describe();
    record.insert("suite".into(), from_suite.describe());
    let mut made = build(&args, (Nonce::of_now(), work), (tasks, from_suite.plans), record)?;
    (made.setup, made.cleanup) = (from_suite.setup, from_suite.cleanup);
    made.program = OnceLock::from(Ok(Arc::new(Program::of(scripts))));
    made.server.secrets.extend(from_suite.secrets);
    Ok(made)
}

/// Series that every run has.
fn extras() -> Vec<ExtraPlan> {
    let mut extras = pool::extras();
    extras.extend(series::extras());
    extras
}

fn build(
    args: &PostgresArgs,
    (run, work): (Nonce, Work),
    (script, plans): (Script<Step>, Plans),
    of_work: Map<String, Value>,
) -> Result<Postgres, UsageError> {
    let server = Server::new(args.url.clone(), args.password_file.as_deref(), &args.tls)?;
    let mut login = server.login.clone();
    let isolation = args.isolation.map(|level| level.sql().to_owned());
    let timeout = args.statement_timeout.map(|limit| limit.as_millis().max(1).to_string());
    let set = [("default_transaction_isolation", isolation), ("statement_timeout", timeout)];
    let set: Vec<_> = set.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
    let mut record = serde_json::json!({
        "url": server.label(),
        "user": server.user(),
        "tls": server.trust(),
        "pool": !args.no_pool,
        "max_tries": args.max_tries,
    });
    if let Some(record) = record.as_object_mut() {
        record.extend(of_work);
        record.extend(set.iter().map(|(name, value)| (name.clone(), value.as_str().into())));
    }
    login.settings.extend(set);
    Ok(Postgres {
        server,
        login: Arc::new(login),
        work,
        plans,
        script,
        setup: Vec::new(),
        cleanup: Vec::new(),
        has_pool: !args.no_pool,
        tries: args.max_tries,
        record,
        program: OnceLock::new(),
        lost_at: AtomicI64::new(0),
        run,
        preparing: Mutex::default(),
    })
}
