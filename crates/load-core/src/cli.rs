//! From the command line to an exit code: the same main for every tool.

use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args as _, Command, FromArgMatches as _};
use load_report::exit::Exit;

use crate::child;
use crate::error::{RunError, UsageError};
use crate::null::Null;
use crate::output::Console;
use crate::plan::args::LoadArgs;
use crate::plan::{Context, build};
use crate::protocol::Protocol;
use crate::run::run;
use crate::secret::Secrets;

/// What a tool says about itself in `--help`.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// The binary's name.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// One line.
    pub about: &'static str,
    /// Examples, one a line.
    pub examples: &'static str,
}

/// The whole program: reads the command line, runs `P`, returns the exit code.
pub fn main<P: Protocol>(about: About) -> ExitCode {
    let argv: Vec<String> = std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect();
    // A panic is a bug of the tool, and has an exit code of its own; its message is already on stderr.
    let exit = std::panic::catch_unwind(|| {
        if argv.get(1).is_some_and(|arg| arg == child::CHILD) {
            in_child::<P>(about)
        } else {
            at_terminal::<P>(about, &argv)
        }
    });
    exit.unwrap_or(Exit::Internal).into()
}

fn command<P: Protocol>(about: About) -> Command {
    let command = LoadArgs::augment_args(P::Args::augment_args(Command::new(about.name)));
    // The flags' own structs would say what they are about.
    let after = format!("Examples:\n{}\n\n{}", about.examples, Exit::help());
    command.version(about.version).about(about.about).long_about(None).after_help(after)
}

fn at_terminal<P: Protocol>(about: About, argv: &[String]) -> Exit {
    let matches = match command::<P>(about).try_get_matches_from(argv) {
        Ok(matches) => matches,
        Err(error) => {
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Pass };
            // Nobody is left to be told when this cannot be written.
            let _ = error.print();
            return exit;
        }
    };
    let outcome = LoadArgs::from_arg_matches(&matches)
        .map_err(|error| UsageError::new(error.to_string()).into())
        .and_then(|args| {
            log(&args);
            if args.null {
                start(about, Null::from_args(&args), &args, argv)
            } else {
                let own = P::Args::from_arg_matches(&matches).map_err(|e| UsageError::new(e.to_string()))?;
                start(about, P::new(own)?, &args, argv)
            }
        });
    match outcome {
        Ok(exit) => exit,
        Err(error) => {
            let console = Console::new(Arc::default(), false);
            console.complain(&format!("{}: {error}", about.name));
            error.exit()
        }
    }
}

fn start<P: Protocol>(about: About, protocol: P, args: &LoadArgs, argv: &[String]) -> Result<Exit, RunError> {
    let secrets = Arc::new(Secrets::new(protocol.secrets()));
    let console = Console::new(Arc::clone(&secrets), args.quiet);
    run(protocol, args, argv, &console).or_else(|error| {
        console.complain(&format!("{}: {error}", about.name));
        Ok(error.exit())
    })
}

fn in_child<P: Protocol>(about: About) -> Exit {
    let outcome = child::read_setup().and_then(|setup| {
        let matches = command::<P>(about).try_get_matches_from(&setup.argv);
        let matches = matches.map_err(|e| UsageError::new(e.to_string()))?;
        let args = LoadArgs::from_arg_matches(&matches).map_err(|e| UsageError::new(e.to_string()))?;
        log(&args);
        if args.null {
            serve(Null::from_args(&args), &args, setup)
        } else {
            let own = P::Args::from_arg_matches(&matches).map_err(|e| UsageError::new(e.to_string()))?;
            serve(P::new(own)?, &args, setup)
        }
    });
    match outcome {
        Ok(()) => Exit::Pass,
        Err(error) => {
            Console::new(Arc::default(), false).complain(&format!("child: {error}"));
            error.exit()
        }
    }
}

fn serve<P: Protocol>(protocol: P, args: &LoadArgs, setup: child::Setup) -> Result<(), RunError> {
    let plan = build(args, Context::of(&protocol))?;
    crate::plan::preflight(&plan)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default())
        .map_err(|source| RunError::Machine { what: "no event loop", source })?;
    runtime.block_on(child::serve(Arc::new(protocol), Arc::new(plan), setup))
}

fn log(args: &LoadArgs) {
    let level = args.log_level.unwrap_or(match args.verbose {
        0 => tracing::Level::WARN,
        1 => tracing::Level::DEBUG,
        _ => tracing::Level::TRACE,
    });
    // In tests a subscriber may be there already.
    let _ = tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).try_init();
}
