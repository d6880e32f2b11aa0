//! What did a killed run leave? Lists it, and removes what is named: nothing else can tell a killed run from one that
//! is under way.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;

use clap::Parser as _;
use load_core::About;
use load_core::error::{PrepareError, RunError};
use load_core::protocol::Control;
use load_core::secret::Secrets;
use load_net::args::{TlsArgs, wrong};
use load_report::exit::Exit;

use crate::names::Nonce;
use crate::postgres::{self, Server};
use crate::redis;
use crate::target;

/// Lists and removes the tables or keys that a killed run left.
#[derive(clap::Parser)]
#[command(name = "db-load cleanup", version)]
struct Args {
    /// The server: postgres://... or redis://...
    #[arg(long, alias = "host", value_name = "URL")]
    url: String,
    /// Password, from a file; wins over the one in the URL.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Whom to trust.
    #[command(flatten)]
    tls: TlsArgs,
    /// Runs to remove, as the list names them. None: only lists.
    #[arg(value_name = "RUN")]
    runs: Vec<String>,
}

/// The subcommand `cleanup`.
pub fn main(_: About, argv: &[String]) -> Exit {
    let args = match Args::try_parse_from(argv) {
        Ok(args) => args,
        Err(error) => {
            // Nobody is left to be told when this cannot be written.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage } else { Exit::Pass };
        }
    };
    let secrets = Secrets::new(target::secrets(&args.url, None));
    match run(&args) {
        Ok(()) => Exit::Pass,
        Err(error) => {
            let line = secrets.strike(&format!("db-load cleanup: {error}"));
            let _ = writeln!(std::io::stderr(), "{line}");
            error.exit()
        }
    }
}

fn run(args: &Args) -> Result<(), RunError> {
    let named = args.runs.iter().map(|name| {
        Nonce::parse(name).ok_or_else(|| {
            wrong(
                "RUN",
                format!("{name:?} is not the name of a run; expected one as 20261121t025500_1a2b3c4d"),
            )
        })
    });
    let named = named.collect::<Result<Vec<_>, _>>()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default())
        .map_err(|source| RunError::Machine { what: "no event loop", source })?;
    let url = Some(args.url.clone());
    let password_file = args.password_file.clone();
    if args.url.starts_with("redis") {
        let server = redis::Server::new(url, password_file.as_deref(), &args.tls, false)?;
        Ok(runtime.block_on(clean_redis(&server, &named))?)
    } else {
        let server = Server::new(url, password_file.as_deref(), &args.tls)?;
        Ok(runtime.block_on(clean_postgres(&server, &named))?)
    }
}

async fn clean_postgres(server: &Server, named: &[Nonce]) -> Result<(), PrepareError> {
    let label = server.label();
    let wire = server.wire().await?;
    let failed = |error| target::failed(&label, postgres::faults::explain(&error));
    let left = postgres::data::list(&wire).await.map_err(failed)?;
    for (run, tables) in &left {
        if named.contains(run) {
            postgres::data::remove(&wire, tables, &mut Control::default()).await.map_err(failed)?;
        }
        let s = if tables.len() == 1 { "" } else { "s" };
        tell(run, &format!("table{s} {}", tables.join(", ")), named);
    }
    missing(named, |run| left.contains_key(run), &label)
}

async fn clean_redis(server: &redis::Server, named: &[Nonce]) -> Result<(), PrepareError> {
    let label = server.label();
    let failed = |failure| target::failed(&label, redis::faults::explain_first(&failure));
    let mut left = BTreeMap::<Nonce, Vec<(usize, Vec<String>)>>::new();
    let mut connections = vec![server.open().await?];
    // What is in no cluster refuses to say where its nodes are.
    let nodes = redis::cluster::Nodes::open(&server.login, &[], false, 0).await.ok();
    if let Some(nodes) = &nodes {
        connections.clear();
        for login in nodes.logins() {
            connections.push(login.open().await.map_err(failed)?);
        }
    }
    for (index, connection) in connections.iter_mut().enumerate() {
        for (run, keys) in redis::data::list(connection).await.map_err(failed)? {
            left.entry(run).or_default().push((index, keys));
        }
    }
    for (run, parts) in &left {
        let mut count = 0;
        for (index, keys) in parts {
            count += keys.len();
            if !named.contains(run) {
                continue;
            }
            let connection = &mut connections[*index];
            // In a cluster no command may reach over slots.
            let at_once = if nodes.is_some() { 1 } else { redis::data::KEYS as usize };
            redis::data::unlink(connection, keys, at_once).await.map_err(failed)?;
        }
        tell(run, &format!("{count} keys {}*", run.prefix()), named);
    }
    missing(named, |run| left.contains_key(run), &label)
}

fn tell(run: &Nonce, what: &str, named: &[Nonce]) {
    let done = if named.contains(run) { "removed" } else { "left" };
    // Nobody is left to be told when this cannot be written.
    let _ = writeln!(std::io::stdout(), "{run}  {done}  {what}");
}

fn missing(named: &[Nonce], is_there: impl Fn(&Nonce) -> bool, label: &str) -> Result<(), PrepareError> {
    match named.iter().find(|run| !is_there(run)) {
        Some(run) => Err(target::failed(label, format!("nothing is left of {run}"))),
        None => Ok(()),
    }
}
