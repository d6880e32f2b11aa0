//! The reference system under test, as a program.

mod args;
mod processes;

use std::{
    io::{self, Write},
    net::SocketAddr,
    process::ExitCode,
};

use args::Args;
use clap::Parser;
use processes::{Family, READY};
use target_server::{BindError, Config, ContractError, Group, Script, ScriptError, Server, StartError};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Why the program ends other than by a signal.
enum Failure {
    /// Bad usage, script or TLS files.
    Usage(String),
    /// An address cannot be listened on.
    Bind(String),
    /// A child process has told its failure and ended with this code.
    Child(u8),
    /// Anything else.
    Internal(String),
}

/// The signals that end the program.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            // Nothing is left to do for an output that is closed.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(104) } else { ExitCode::SUCCESS };
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
    match runtime.map_err(Failure::from).and_then(|runtime| runtime.block_on(run(&args))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.tell(),
    }
}

async fn run(args: &Args) -> Result<(), Failure> {
    let mut signals =
        Signals { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? };
    // The parent too reads the script, so that a mistake in it is told once.
    let script = args.script.as_deref().map(Script::load).transpose()?.unwrap_or_default();
    if args.grpc.is_some() && args.processes > 1 {
        return Err(Failure::Usage("--grpc: one process serves it: expected --processes 1".to_owned()));
    }
    if args.dwcp.is_some() && args.processes > 1 {
        return Err(Failure::Usage("--dwcp: one process serves it: expected --processes 1".to_owned()));
    }
    if args.dwcp_data.is_some() && args.processes > 1 {
        return Err(Failure::Usage("--dwcp-data: one process serves it: expected --processes 1".to_owned()));
    }
    if args.contract.is_some() && args.processes > 1 {
        return Err(Failure::Usage(
            "--contract: one process keeps its state: expected --processes 1".to_owned(),
        ));
    }
    if args.processes == 1 || args.member.is_some() {
        serve(args, script, &mut signals).await
    } else {
        watch(args, &mut signals).await
    }
}

/// Serves in this process.
async fn serve(args: &Args, script: Script, signals: &mut Signals) -> Result<(), Failure> {
    let group = match &args.member {
        Some(member) => processes::join(member, args.processes)?,
        None => Group::default(),
    };
    let https = args.https.zip(args.tls());
    let (http, ring) = (args.http(), args.ring());
    let (dwcp, dwcp_data) = (args.dwcp, args.dwcp_data);
    let contract = args.contract()?;
    let config =
        Config { contract, http, https, grpc: args.grpc, ws: args.ws, dwcp, dwcp_data, script, ring, group };
    let server = Server::start(config)?;
    if args.member.is_some() {
        say(READY)?;
    } else {
        announce(server.http_addr(), server.https_addr())?;
        if let Some(address) = server.grpc_addr() {
            say(&format!("grpc http://{address}"))?;
        }
        if let Some(address) = server.dwcp_addr() {
            say(&format!("dwcp http://{address}"))?;
        }
        if let Some(address) = server.dwcp_data_addr() {
            say(&format!("dwcp-data tcp://{address}"))?;
        }
        if let Some(address) = server.ws_addr() {
            say(&format!("ws ws://{address}"))?;
        }
    }
    signals.any().await;
    Ok(())
}

/// Serves in child processes until a signal, or until one of them ends.
async fn watch(args: &Args, signals: &mut Signals) -> Result<(), Failure> {
    let mut family = tokio::select! {
        started = Family::start(args) => started?,
        () = signals.any() => return Ok(()),
    };
    announce(family.http_addr(), family.https_addr())?;
    if let Some(address) = family.ws_addr() {
        say(&format!("ws ws://{address}"))?;
    }
    let result = tokio::select! {
        failure = family.broken() => Err(failure),
        () = signals.any() => Ok(()),
    };
    // When this program has ended, its address is free.
    family.end().await;
    result
}

fn announce(http: Option<SocketAddr>, https: Option<SocketAddr>) -> Result<(), Failure> {
    if let Some(address) = http {
        say(&format!("http http://{address}"))?;
    }
    if let Some(address) = https {
        say(&format!("https https://{address}"))?;
    }
    Ok(())
}

fn say(line: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}")?;
    Ok(stdout.flush()?)
}

impl Signals {
    async fn any(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

impl Failure {
    /// Prints it and gives the exit code.
    fn tell(self) -> ExitCode {
        let (code, message) = match self {
            Self::Usage(message) => (104, message),
            Self::Bind(message) => (114, message),
            Self::Child(code) => return ExitCode::from(code),
            Self::Internal(message) => (1, message),
        };
        // Nothing is left to do for an output that is closed.
        let _ = writeln!(io::stderr(), "target-server: {message}");
        ExitCode::from(code)
    }
}

impl From<ScriptError> for Failure {
    fn from(error: ScriptError) -> Self {
        Self::Usage(error.to_string())
    }
}

impl From<ContractError> for Failure {
    fn from(error: ContractError) -> Self {
        Self::Usage(error.to_string())
    }
}

impl From<BindError> for Failure {
    fn from(error: BindError) -> Self {
        Self::Bind(error.to_string())
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Bind(error) => error.into(),
            StartError::Tls(message) => Self::Usage(message),
            StartError::System(error) => error.into(),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Internal(error.to_string())
    }
}
