//! From the command line to an exit code: the same main for every tool.

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{ArgMatches, Command, FromArgMatches as _};
use load_report::exit::Exit;
use load_report::hints::Topic;
use load_report::model::RunFile;
use load_report::render::units::counted;
use load_suite::suite::Event;

use crate::child::{self, Setup};
use crate::command::{command, described, read, with_words};
use crate::error::{RunError, UsageError};
use crate::null::Null;
use crate::once::once;
use crate::output::Console;
use crate::plan::args::LoadArgs;
use crate::plan::sample::Asked;
use crate::plan::{Context, build};
use crate::protocol::{Protocol, Sharing};
use crate::run::run;
use crate::secret::Secrets;
use crate::suite;
use crate::tidy::tidy;

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

/// The whole program of a tool with one protocol: reads the command line, runs `P`, returns the exit code.
pub fn main<P: Protocol>(about: About) -> ExitCode {
    guarded(|argv| match child::setup(&argv) {
        Some(setup) => in_child::<P>(about, setup),
        None => at_terminal::<P>(about, &argv),
    })
}

/// Loads a target from within a program, a test for instance, and returns the result, which is also left in the results
/// folder. `words` are the tool's command line without its name; nothing is printed. All work is done in this process.
///
/// # Errors
/// There is no result: a mistake in `words`, a target that cannot be reached, results that cannot be written.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let words = ["--null", "-r", "500", "-d", "2s", "--results", "/tmp/results"];
/// let run = load_core::load::<load_core::null::Null>(&words)?;
/// assert_eq!(run.verdict.label(), "PASS");
/// assert!(run.totals.response_ms.is_some_and(|ms| ms.p95 < 200.0));
/// # Ok(())
/// # }
/// ```
pub fn load<P: Protocol>(words: &[&str]) -> Result<Box<RunFile>, RunError> {
    let usage = |error: clap::Error| UsageError::new(error.to_string());
    let about = About { name: P::NAME, version: "", about: "", examples: "" };
    let argv: Vec<String> =
        std::iter::once(P::NAME).chain(words.iter().copied()).map(str::to_owned).collect();
    let matches = command::<P>(about).try_get_matches_from(&argv).map_err(usage)?;
    let mut args = LoadArgs::from_arg_matches(&matches).map_err(usage)?;
    if args.processes != 1 {
        return Err(UsageError::new(
            "--processes: a call from within a program has no processes of its own; leave it out",
        )
        .into());
    }
    args.quiet = true;
    let finished = if args.null {
        run(Null::from_args(&args), &args, &argv, &Console::new(Arc::default(), true))
    } else {
        let protocol = protocol::<P>(&matches, &mut args)?;
        let console = Console::new(secrets(&protocol, &args), true);
        run(protocol, &args, &argv, &console)
    };
    finished?.run.ok_or_else(|| RunError::Internal("nothing was measured".into()))
}

/// The whole program of a tool with one protocol and something besides: a first word that names one of `words` chooses it,
/// every other command line runs `P`.
pub fn main_with<P: Protocol>(about: About, words: &[Tool]) -> ExitCode {
    guarded(|argv| with::<P>(about, words, argv, child::setup))
}

/// Like [`main_with`], for a tool with two protocols that a flag chooses between: `second` says by the command line whether it
/// is `Q`. Each has its own `words`.
pub fn main_either<P: Protocol, Q: Protocol>(
    about: About,
    first: &[Tool],
    other: &[Tool],
    second: fn(&[String]) -> bool,
) -> ExitCode {
    guarded(|argv| {
        // A child reads its parent's command line from its standard input, once.
        let setup = child::setup(&argv);
        let typed = match &setup {
            Some(Ok(setup)) => second(&setup.argv),
            _ => second(&argv),
        };
        if typed {
            with::<Q>(about, other, argv, |_| setup)
        } else {
            with::<P>(about, first, argv, |_| setup)
        }
    })
}

fn with<P: Protocol>(
    about: About,
    words: &[Tool],
    mut argv: Vec<String>,
    setup: impl FnOnce(&[String]) -> Option<Result<Setup, RunError>>,
) -> Exit {
    if let Some(setup) = setup(&argv) {
        return in_child::<P>(about, setup);
    }
    if let Some(tool) = choose(words, &mut argv) {
        return (tool.at_terminal)(tool.about, &argv);
    }
    let command = with_words(command::<P>(about), words.iter().filter_map(Tool::line));
    read(command, &argv).map_or_else(|exit| exit, |matches| run_at_terminal::<P>(about, &matches, &argv))
}

/// One subcommand of a tool that has several.
pub struct Tool {
    about: About,
    at_terminal: fn(About, &[String]) -> Exit,
    in_child: fn(About, Result<Setup, RunError>) -> Exit,
}

impl Tool {
    /// A subcommand that runs `P`. The name in `about` is that of the tool and, behind a space, its own: `db-load redis`.
    pub const fn new<P: Protocol>(about: About) -> Self {
        Self { about, at_terminal: at_terminal::<P>, in_child: in_child::<P> }
    }

    /// A subcommand that loads nothing: `run` gets the command line, without the tool's own name.
    pub const fn other(about: About, run: fn(About, &[String]) -> Exit) -> Self {
        Self { about, at_terminal: run, in_child: |_, _| Exit::Internal }
    }

    /// The subcommand that checks a command line and its suite of `P`, without sending anything. `name` is the tool's and,
    /// behind spaces, the words that choose it: `db-load check redis`; the rest of `about` is the tool's.
    pub const fn check<P: Protocol>(name: &'static str, about: About) -> Self {
        let does = if P::SUITES {
            "Check a suite and a command line; nothing is sent"
        } else {
            "Check a command line; nothing is sent"
        };
        let about = About { name, about: does, ..about };
        Self {
            about,
            at_terminal: |about, argv| aside::<P>(about, argv, Aside::Check),
            in_child: |_, _| Exit::Internal,
        }
    }

    /// The subcommand that runs each task of `P` once and shows every message; its `name` as in [`Tool::check`].
    pub const fn once<P: Protocol>(name: &'static str, about: About) -> Self {
        let about = About { name, about: "Run each task once and show what comes of it", ..about };
        Self {
            about,
            at_terminal: |about, argv| aside::<P>(about, argv, Aside::Once),
            in_child: |_, _| Exit::Internal,
        }
    }

    /// The subcommand that makes the steps of a suite of `P` behind its runs, for one that could not; its `name` as in
    /// [`Tool::check`].
    pub const fn cleanup<P: Protocol>(name: &'static str, about: About) -> Self {
        let about = About { name, about: "Make a suite's [[cleanup]], for a run that could not", ..about };
        Self {
            about,
            at_terminal: |about, argv| aside::<P>(about, argv, Aside::Cleanup),
            in_child: |_, _| Exit::Internal,
        }
    }

    /// The words that choose it, behind the name of the program.
    fn words(&self) -> impl Iterator<Item = &'static str> {
        self.about.name.split(' ').skip(1)
    }

    /// How many words of `argv` choose it; none when they choose another one.
    fn chosen(&self, argv: &[String]) -> Option<usize> {
        let count = self.words().count();
        let given = argv.get(1..=count)?;
        self.words().eq(given.iter().map(String::as_str)).then_some(count)
    }

    /// Its word, and what it does; none where it has several: those of the first one tell of them.
    fn line(&self) -> Option<(&'static str, &'static str)> {
        let mut words = self.words();
        let line = (words.next()?, self.about.about);
        words.next().is_none().then_some(line)
    }
}

/// The whole program of a tool with several protocols: the first word chooses one of `tools`.
pub fn tools(about: About, tools: &[Tool]) -> ExitCode {
    guarded(|mut argv| {
        if let Some(setup) = child::setup(&argv) {
            // The parent's command line begins with the name of the tool that was chosen.
            let named = setup.as_ref().ok().and_then(|setup| setup.argv.first());
            let chosen = tools.iter().find(|tool| named.is_some_and(|name| name == tool.about.name));
            return chosen.map_or(Exit::Internal, |tool| (tool.in_child)(tool.about, setup));
        }
        if let Some(tool) = choose(tools, &mut argv) {
            return (tool.at_terminal)(tool.about, &argv);
        }
        let command = with_words(Command::new(about.name), tools.iter().filter_map(Tool::line));
        let command = command.subcommand_required(true).arg_required_else_help(true);
        // None of the words is there, so this tells what is wrong, or helps.
        read(described(command, about), &argv).err().unwrap_or(Exit::Usage)
    })
}

/// The one of `tools` that most of the first words of `argv` choose, which become its name.
fn choose<'a>(tools: &'a [Tool], argv: &mut Vec<String>) -> Option<&'a Tool> {
    let chosen = tools.iter().filter_map(|tool| Some((tool.chosen(argv)?, tool)));
    let (words, tool) = chosen.max_by_key(|(words, _)| *words)?;
    argv.splice(..=words, [tool.about.name.to_owned()]);
    Some(tool)
}

/// A panic is a bug of the tool, and has an exit code of its own; its message is already on stderr.
fn guarded(run: impl FnOnce(Vec<String>) -> Exit) -> ExitCode {
    let argv = std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect();
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(argv))).unwrap_or(Exit::Internal).into()
}

fn at_terminal<P: Protocol>(about: About, argv: &[String]) -> Exit {
    read(command::<P>(about), argv)
        .map_or_else(|exit| exit, |matches| run_at_terminal::<P>(about, &matches, argv))
}

/// Loads the target as `matches`, the command line `argv`, say.
fn run_at_terminal<P: Protocol>(about: About, matches: &ArgMatches, argv: &[String]) -> Exit {
    let outcome = LoadArgs::from_arg_matches(matches)
        .map_err(|error| UsageError::new(error.to_string()).into())
        .and_then(|args| {
            log(&args);
            if args.null {
                start(about, Null::from_args(&args), &args, argv)
            } else {
                let mut args = args;
                let protocol = protocol::<P>(matches, &mut args)?;
                start(about, protocol, &args, argv)
            }
        });
    match outcome {
        Ok(exit) => exit,
        Err(error) => {
            let console = Console::new(Arc::default(), false);
            console.complain(&told(about, &error));
            error.exit()
        }
    }
}

/// In one line why there is no result, and what to do where that is known.
fn told(about: About, error: &RunError) -> String {
    let hint = match error {
        RunError::Prepare(why) => Topic::of_reason(&why.to_string()),
        _ => None,
    };
    let hint = hint.map(|topic| format!("; hint: {topic}")).unwrap_or_default();
    format!("{}: {error}{hint}", about.name)
}

/// The protocol that the command line and the suite ask for; what the suite says of the load goes into `args`.
fn protocol<P: Protocol>(matches: &ArgMatches, args: &mut LoadArgs) -> Result<P, UsageError> {
    let own = P::Args::from_arg_matches(matches).map_err(|error| UsageError::new(error.to_string()))?;
    let suite = suite::read(args, P::SUITE)?;
    let samples = suite.as_ref().map_or_else(Vec::new, |suite| suite.samples.clone());
    args.asked = Asked::of(args, &samples, |url, token| P::exporter(&own, url, token))?;
    let mut protocol = match suite {
        Some(suite) => {
            let once = suite.profile.once;
            let typed = (args.vus.is_some() || once, args.connections.is_some() && !once);
            suite::apply(args, &suite)?;
            let protocol = P::with_suite(own, suite)?;
            if protocol.sharing() == Sharing::Exclusive {
                // The two are one number, and the one that was typed wins over the one of the profile.
                match typed {
                    (true, false) => args.connections = None,
                    (false, true) => args.vus = None,
                    _ => {}
                }
            }
            protocol
        }
        None => P::new(own)?,
    };
    args.all_thresholds().for_each(|(_, text)| protocol.promised(text));
    Ok(protocol)
}

/// What must never be printed.
fn secrets<P: Protocol>(protocol: &P, args: &LoadArgs) -> Arc<Secrets> {
    Arc::new(Secrets::new(protocol.secrets().into_iter().chain(args.asked.secrets()).collect()))
}

/// What is done with a protocol besides loading its target.
#[derive(Clone, Copy)]
enum Aside {
    Check,
    Once,
    Cleanup,
}

fn aside<P: Protocol>(about: About, argv: &[String], what: Aside) -> Exit {
    let matches = match read(command::<P>(about), argv) {
        Ok(matches) => matches,
        Err(exit) => return exit,
    };
    let outcome = LoadArgs::from_arg_matches(&matches)
        .map_err(|error| UsageError::new(error.to_string()).into())
        .and_then(|mut args| {
            log(&args);
            let protocol = protocol::<P>(&matches, &mut args)?;
            let plan = build(&args, Context::of(&protocol))?;
            let console = Console::new(secrets(&protocol, &args), args.quiet);
            match what {
                Aside::Check => {
                    let script = protocol.script();
                    let classes = counted(script.classes().len() as u64, "user class", "user classes");
                    let steps = counted(script.calls().count() as u64, "step", "steps");
                    console.say(&load_report::render::plan::text(&plan.record));
                    for notice in args.asked.notices() {
                        console.say(&notice);
                    }
                    for Event { name, at, run, .. } in &args.events {
                        console.say(&format!("event at {at:?}: {name}: {}", run.join(" ")));
                    }
                    let said = format!("nothing wrong: {classes}, {steps}; nothing was sent\n");
                    Ok(if console.result(&said) { Exit::Pass } else { Exit::NotWritten })
                }
                Aside::Once => local()?.block_on(once(&protocol, &plan, &console)),
                Aside::Cleanup if !plan.has_cleanup => Err(UsageError::new(
                    "cleanup: no [[cleanup]] to make; give --suite NAME of one that has it",
                )
                .into()),
                Aside::Cleanup => local()?.block_on(tidy(&protocol, &plan, &console)),
            }
        });
    outcome.unwrap_or_else(|error: RunError| {
        Console::new(Arc::default(), false).complain(&told(about, &error));
        error.exit()
    })
}

fn local() -> Result<tokio::runtime::LocalRuntime, RunError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default())
        .map_err(|source| RunError::Machine { what: "no event loop", source })
}

fn start<P: Protocol>(about: About, protocol: P, args: &LoadArgs, argv: &[String]) -> Result<Exit, RunError> {
    let console = Console::new(secrets(&protocol, args), args.quiet);
    run(protocol, args, argv, &console).map(|finished| finished.exit).or_else(|error| {
        console.complain(&told(about, &error));
        Ok(error.exit())
    })
}

fn in_child<P: Protocol>(about: About, setup: Result<Setup, RunError>) -> Exit {
    let outcome = setup.and_then(|setup| {
        let matches = command::<P>(about).try_get_matches_from(&setup.argv);
        let matches = matches.map_err(|e| UsageError::new(e.to_string()))?;
        let args = LoadArgs::from_arg_matches(&matches).map_err(|e| UsageError::new(e.to_string()))?;
        log(&args);
        if args.null {
            serve(Null::from_args(&args), &args, setup)
        } else {
            let mut args = args;
            let protocol = protocol::<P>(&matches, &mut args)?;
            serve(protocol, &args, setup)
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

fn serve<P: Protocol>(protocol: P, args: &LoadArgs, setup: Setup) -> Result<(), RunError> {
    let plan = build(args, Context::of(&protocol))?;
    // The parent has looked at the machine; this is about this process alone.
    crate::plan::raise_descriptors(&plan)?;
    local()?.block_on(child::serve(Arc::new(protocol), Arc::new(plan), setup))
}

fn log(args: &LoadArgs) {
    let level = args.log_level.unwrap_or(match args.verbose {
        0 => tracing::Level::WARN,
        1 => tracing::Level::DEBUG,
        _ => tracing::Level::TRACE,
    });
    // In tests a subscriber may be there already.
    let log = tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr);
    let _ = log.with_ansi(std::io::stderr().is_terminal()).try_init();
}
