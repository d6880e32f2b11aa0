//! How do several processes share a run? The parent hands the plan to children of the same binary and reads frames.
//!
//! On a child's stdin: one line of JSON with the plan, then a line a command. On its stdout: messages in the
//! journal's framing. A child leaves when its stdin ends or its parent dies.

use std::io::{BufRead as _, Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::Arc;

use load_report::journal::{Entry, Next, decode, encode};
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, watch};

use crate::clock::{Clock, Nanos};
use crate::crew::Crew;
use crate::engine::{Command, Message, Ready};
use crate::error::RunError;
use crate::plan::RunPlan;
use crate::protocol::Protocol;
use crate::usage::Meter;

/// The only argument of a child.
const CHILD: &str = "--quintet-child";

/// What a child must know: the parent's command line and what the parent learnt.
#[derive(Serialize, Deserialize)]
pub(crate) struct Setup {
    /// The parent's arguments, the name of the program included.
    pub(crate) argv: Vec<String>,
    /// Which child this is, and of how many.
    pub(crate) process: u32,
    /// What [`Protocol::prepare`] learnt, as JSON.
    pub(crate) target: String,
}

/// What a child says, beside messages that it passes on.
#[derive(Serialize, Deserialize)]
enum Say {
    /// Ready, with the hash of the plan that it made of the parent's command line.
    Ready {
        plan: u32,
        ready: Ready,
    },
    Entry(Vec<u8>),
    Done {
        end_ns: i64,
    },
    Lost(String),
}

/// Tells two plans apart.
pub(crate) fn plan_hash(plan: &RunPlan) -> u32 {
    let json = serde_json::to_vec(&plan.record).unwrap_or_default();
    // Any digest that both sides compute alike will do; the journal's is at hand.
    u32::from_le_bytes(encode(&json)[4..8].try_into().unwrap_or_default())
}

/// Starts one child a process of the plan.
///
/// # Errors
/// When the machine gives no process.
pub(crate) fn crew<P: Protocol>(
    plan: &Arc<RunPlan>,
    target: &P::Target,
    argv: &[String],
) -> Result<Crew, RunError> {
    let machine = |source| RunError::Machine { what: "cannot start a child process", source };
    let (commands, commanded) = watch::channel(Command::Prepare);
    let (sender, messages) = mpsc::unbounded_channel();
    let target = serde_json::to_string(target).map_err(|e| RunError::Internal(e.to_string()))?;
    let program = std::env::current_exe().map_err(machine)?;
    let hash = plan_hash(plan);
    for process in 0..plan.processes {
        let mut child = std::process::Command::new(&program)
            .arg(CHILD)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(machine)?;
        let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(RunError::Internal("a child without pipes".into()));
        };
        let setup = Setup { argv: argv.to_vec(), process, target: target.clone() };
        let setup = serde_json::to_string(&setup).map_err(|e| RunError::Internal(e.to_string()))?;
        writeln!(stdin, "{setup}").map_err(machine)?;
        let commanded = commanded.clone();
        tokio::task::spawn_local(command(stdin, commanded));
        let sender = sender.clone();
        let named = std::thread::Builder::new().name(format!("child-{process}"));
        named.spawn(move || listen(process, hash, child, stdout, &sender)).map_err(machine)?;
    }
    Ok(Crew { parts: plan.processes as usize, kind: "process", commands, messages })
}

/// Passes commands on as lines. Lines are short, so that a pipe takes each at once.
async fn command(mut stdin: ChildStdin, mut commands: watch::Receiver<Command>) {
    while commands.changed().await.is_ok() {
        let line = match *commands.borrow_and_update() {
            Command::Prepare => continue,
            Command::Go(t0) => format!("GO {}\n", t0.0),
            Command::Stop(t0) => format!("STOP {}\n", t0.0),
            Command::Abandon(Some(t0)) => format!("ABANDON {}\n", t0.0),
            Command::Abandon(None) => "ABANDON\n".to_owned(),
        };
        if stdin.write_all(line.as_bytes()).is_err() {
            // The child is gone; its listener says so.
            return;
        }
    }
}

/// Hears one child out, until it is done or gone.
fn listen(
    process: u32,
    hash: u32,
    mut child: Child,
    mut stdout: ChildStdout,
    tell: &mpsc::UnboundedSender<Message>,
) {
    let (mut bytes, mut chunk) = (Vec::new(), vec![0; 1 << 16]);
    let ended = 'hearing: loop {
        match stdout.read(&mut chunk) {
            Ok(0) => break None,
            Ok(n) => bytes.extend_from_slice(&chunk[..n]),
            Err(error) => break Some(error.to_string()),
        }
        loop {
            match decode(&bytes) {
                Next::Entry(say, taken) => {
                    bytes.drain(..taken);
                    let message = understand(process, hash, say);
                    let last = matches!(message, Message::Done { .. } | Message::Lost { .. });
                    // Nobody listens any more only when the run is over.
                    let _ = tell.send(message);
                    if last {
                        let _ = child.wait();
                        return;
                    }
                }
                Next::Incomplete => break,
                Next::Damaged => break 'hearing Some("sent something that cannot be read".to_owned()),
            }
        }
    };
    let status = child.wait();
    let why = ended.unwrap_or_else(|| match status {
        Ok(status) => format!("ended with {status}"),
        Err(error) => error.to_string(),
    });
    let _ = tell.send(Message::Lost { worker: process, why });
}

fn understand(process: u32, hash: u32, say: Say) -> Message {
    match say {
        Say::Ready { plan, ready } if plan == hash => Message::Ready(ready),
        Say::Ready { .. } => {
            Message::Lost { worker: process, why: "made another plan of the same command line".into() }
        }
        Say::Entry(bytes) => Message::Entry(bytes),
        Say::Done { end_ns } => Message::Done { worker: process, end_ns },
        Say::Lost(why) => Message::Lost { worker: process, why },
    }
}

/// The setup of a child, when `argv` is that of one: from stdin, whose later lines are for [`serve`].
pub(crate) fn setup(argv: &[String]) -> Option<Result<Setup, RunError>> {
    argv.get(1).is_some_and(|arg| arg == CHILD).then(read_setup)
}

fn read_setup() -> Result<Setup, RunError> {
    let mut line = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut line)
        .map_err(|source| RunError::Machine { what: "cannot read the plan", source })?;
    serde_json::from_str(&line).map_err(|e| RunError::Internal(format!("the plan on stdin: {e}")))
}

/// A child's whole life: does its part of `plan` as the lines on stdin say.
pub(crate) async fn serve<P: Protocol>(
    protocol: Arc<P>,
    plan: Arc<RunPlan>,
    setup: Setup,
) -> Result<(), RunError> {
    // Should the parent be killed, so are we; should it have died before this line, stdin is at its end.
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    let machine = |what| move |source| RunError::Machine { what, source };
    let clock = Clock::real().map_err(machine("no timer"))?;
    let driver = clock.clone();
    tokio::task::spawn_local(async move { driver.drive().await });
    let target = serde_json::from_str(&setup.target).map_err(|e| RunError::Internal(e.to_string()))?;
    let segment = plan.segment.part(setup.process, plan.processes);
    let crew = Crew::threads(&protocol, &target, &plan, setup.process, segment);
    let mut crew = crew.map_err(machine("cannot start a thread"))?;
    let mut commands = read_commands();
    let mut meter = Meter::start(setup.process);
    let (tick, mut all, mut said, mut left, mut last) = (clock.alarm(), Ready::default(), 0, crew.parts, 0);
    while left > 0 {
        tokio::select! {
            command = commands.recv() => {
                let command = command.unwrap_or(Command::Abandon(None));
                if let Command::Go(t0) = command {
                    tick.set(t0 + Nanos(1_000_000_000));
                }
                crew.tell(command);
            }
            () = tick.wait() => {
                tick.set(clock.now() + Nanos(1_000_000_000));
                say(&Say::Entry(encode(&Entry::Usage(meter.look(0)))))?;
            }
            message = crew.messages.recv() => match message {
                Some(Message::Ready(ready)) => {
                    said += 1;
                    all = Ready {
                        connected: all.connected + ready.connected,
                        failed: all.failed + ready.failed,
                        fault: all.fault.or(ready.fault),
                    };
                    if said == crew.parts {
                        say(&Say::Ready { plan: plan_hash(&plan), ready: all.clone() })?;
                    }
                }
                Some(Message::Entry(bytes)) => say(&Say::Entry(bytes))?,
                Some(Message::Done { end_ns, .. }) => (left, last) = (left - 1, last.max(end_ns)),
                Some(Message::Lost { worker, why }) => return say(&Say::Lost(format!("worker {worker}: {why}"))),
                None => break,
            },
        }
    }
    say(&Say::Entry(encode(&Entry::Usage(meter.look(0)))))?;
    say(&Say::Done { end_ns: last })
}

fn say(what: &Say) -> Result<(), RunError> {
    let mut stdout = std::io::stdout().lock();
    let said = stdout.write_all(&encode(what)).and_then(|()| stdout.flush());
    said.map_err(|source| RunError::Machine { what: "the parent is gone", source })
}

/// The parent's commands. The channel closes when stdin does.
fn read_commands() -> mpsc::UnboundedReceiver<Command> {
    let (sender, commands) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            let mut words = line.split(' ');
            let command = match (words.next(), words.next().and_then(|t0| t0.parse().ok()).map(Nanos)) {
                (Some("GO"), Some(t0)) => Command::Go(t0),
                (Some("STOP"), Some(t0)) => Command::Stop(t0),
                (_, t0) => Command::Abandon(t0),
            };
            if sender.send(command).is_err() {
                break;
            }
        }
    });
    commands
}
