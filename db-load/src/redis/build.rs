//! How is the protocol made of flags, or of a suite?

use std::sync::Mutex;
use std::sync::atomic::AtomicI64;

use load_core::compile::{Plans, plan};
use load_core::error::UsageError;
use load_core::protocol::Script;
use load_net::args::wrong;
use load_suite::suite::Suite;
use serde_json::{Map, Value};

use super::args::RedisArgs;
use super::numbered::Numbered;
use super::protocol::{Cluster, Redis, Step};
use super::series;
use super::server::Server;
use super::suite::{Compiled, compiled};
use super::workload::Work;
use crate::names::Nonce;

/// What the command line asks for.
///
/// # Errors
/// What is wrong with it.
pub fn from_flags(args: &RedisArgs) -> Result<Redis, UsageError> {
    let (work, script) = Work::new(args)?;
    let (streams, publishes) = (work.stream.is_some(), work.pubsub.is_some());
    if args.cluster {
        if streams || publishes {
            let why = "streams and pubsub run against a single server; leave one of the two out";
            return Err(wrong("--cluster", why));
        }
        for (command, op) in work.commands.iter().zip(&work.ops) {
            command.same_slot(&work.shape).map_err(|why| wrong(&format!("{op:?}"), why))?;
        }
    }
    let plans = Plans {
        ops: work.ops.clone(),
        extras: series::extras(args.pipeline > 1, streams, publishes),
        counters: series::counters(streams, publishes),
        rates: Vec::new(),
    };
    let record = work.record().clone();
    build(args, work, (script, plans), record)
}

/// What `suite` asks for; what `args` say wins over its environment.
///
/// # Errors
/// The first mistake in the suite, with its place, or flags that mean nothing with one.
pub fn from_suite(mut args: RedisArgs, suite: &Suite) -> Result<Redis, UsageError> {
    let said = [
        ("--workload", !args.workloads.is_empty()),
        ("--command", !args.commands.is_empty()),
        ("--pipeline", args.pipeline > 1),
    ];
    if let Some((flag, _)) = said.into_iter().find(|(_, given)| *given) {
        let why = format!("{flag}: the steps of the suite say what is sent; leave it out with --suite");
        return Err(UsageError::new(why));
    }
    if let Some(url) = suite.environment.url.as_ref().filter(|_| args.url.is_none()) {
        args.url = Some(url.value.clone());
    }
    let work = Work::none(&args);
    let Compiled { asked, script, mut from_suite } = compiled(suite, series::extras(false, false, false))?;
    if args.cluster {
        let mut free = asked.iter().flat_map(|asked| &asked.commands).filter(|command| command.is_free());
        free.try_for_each(|command| command.same_slot(&work.shape)).map_err(UsageError::new)?;
    }
    let record = Map::from_iter([("suite".to_owned(), from_suite.describe())]);
    let plans = std::mem::take(&mut from_suite.plans);
    let mut made = build(&args, work, (script, plans), record)?;
    made.numbered = asked.iter().any(|asked| asked.numbered).then(Numbered::default);
    made.asked = asked;
    (made.setup, made.cleanup) = (from_suite.setup, from_suite.cleanup);
    made.server.secrets.extend(from_suite.secrets);
    Ok(made)
}

fn build(
    args: &RedisArgs,
    work: Work,
    (script, mut plans): (Script<Step>, Plans),
    of_work: Map<String, Value>,
) -> Result<Redis, UsageError> {
    let server = Server::new(args.url.clone(), args.password_file.as_deref(), &args.tls, args.resp3)?;
    let mut record = serde_json::json!({
        "url": server.label(),
        "user": server.login.user,
        "tls": server.trust(),
        "protocol": if server.login.resp3 { "RESP3" } else { "RESP2" },
        "pipeline": args.pipeline,
        "multiplex": args.multiplex,
        "cluster": args.cluster,
    });
    if let Some(record) = record.as_object_mut() {
        record.extend(of_work);
    }
    let cluster = if args.cluster {
        if server.login.database != 0 {
            return Err(wrong("--cluster", "a cluster has database 0 alone; leave the number out of --url"));
        }
        let counters = plans.counters.len();
        plans.counters.extend(series::cluster::COUNTERS.map(plan));
        Some(Cluster { counters, known: Mutex::default() })
    } else {
        None
    };
    Ok(Redis {
        server,
        work,
        plans,
        script,
        asked: Vec::new(),
        setup: Vec::new(),
        numbered: None,
        cleanup: Vec::new(),
        cluster,
        pipeline: args.pipeline,
        multiplex: args.multiplex,
        record,
        lost_at: AtomicI64::new(0),
        run: Nonce::of_now(),
        preparing: Mutex::default(),
    })
}
