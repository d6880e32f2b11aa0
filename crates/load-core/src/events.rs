//! What happens to the system while it is loaded? Commands of the suite, each run once, by the process that conducts.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitStatus, Stdio};

use load_report::model::EventReport;
use load_suite::suite::Event;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::clock::{Clock, Nanos};
use crate::live::Feed;

/// How long a command may take to leave after SIGTERM, before SIGKILL.
const LEAVE: Nanos = Nanos(300_000_000);

/// The events of a run that is under way.
pub(crate) struct Events {
    over: watch::Sender<bool>,
    all: Vec<JoinHandle<EventReport>>,
}

impl Events {
    /// Waits for the instants of `events`, which count from `t0`; those who watch are told by `feed`.
    pub(crate) fn start(events: &[Event], clock: &Clock, t0: Nanos, feed: &Feed) -> Self {
        let (over, is_over) = watch::channel(false);
        let begin = |event: &Event| {
            let (event, clock, feed) = (event.clone(), clock.clone(), feed.clone());
            let one = One { event, clock, t0, over: is_over.clone(), feed };
            tokio::task::spawn_local(one.happen())
        };
        Self { over, all: events.iter().map(begin).collect() }
    }

    /// The run is over: ends what has not ended, and says what came of each.
    pub(crate) async fn finish(self) -> Vec<EventReport> {
        self.over.send_replace(true);
        let mut reports = Vec::new();
        for event in self.all {
            reports.extend(event.await);
        }
        reports
    }
}

/// What a reader of the result should know about an event that went wrong.
pub(crate) fn warning(event: &EventReport) -> Option<String> {
    let why = match (event.exit_code, &event.note) {
        (Some(0), _) => return None,
        (Some(code), _) => format!("exit code {code}"),
        (None, note) => note.clone().unwrap_or_default(),
    };
    Some(format!("the event {}: {why}", event.name))
}

struct One {
    event: Event,
    clock: Clock,
    t0: Nanos,
    over: watch::Receiver<bool>,
    feed: Feed,
}

impl One {
    async fn happen(mut self) -> EventReport {
        let Event { name, at, run, .. } = self.event.clone();
        let mut report = EventReport { name, at_s: at.as_secs_f64(), command: run, ..EventReport::default() };
        let due = self.t0 + Nanos::from(at);
        tokio::select! {
            () = self.clock.sleep_until(due) => {}
            _ = self.over.wait_for(|over| *over) => {
                report.note = Some("the run was over before it".into());
                return report;
            }
        }
        report.began_s = Some(self.since());
        self.feed.tell("event", &report);
        match spawn(&report.command) {
            Ok(child) => self.attend(child, &mut report).await,
            Err(error) => report.note = Some(format!("cannot run {}: {error}", report.command[0])),
        }
        report.ended_s = Some(self.since());
        self.feed.tell("event", &report);
        report
    }

    /// Waits for the end of `child`, or makes it end when its time is up.
    async fn attend(&mut self, mut child: Child, report: &mut EventReport) {
        let limit = async {
            match self.event.timeout {
                Some(limit) => self.clock.sleep_until(self.clock.now() + Nanos::from(limit)).await,
                None => std::future::pending().await,
            }
        };
        let why = tokio::select! {
            status = child.wait() => return tell(status, report),
            () = limit => "killed when its timeout had passed",
            _ = self.over.wait_for(|over| *over) => "killed at the end of the run",
        };
        signal(&child, Signal::TERM);
        tokio::select! {
            _ = child.wait() => {}
            () = self.clock.sleep_until(self.clock.now() + LEAVE) => {
                signal(&child, Signal::KILL);
                let _ = child.wait().await;
            }
        }
        report.note = Some(why.into());
    }

    fn since(&self) -> f64 {
        (self.clock.now() - self.t0).as_secs_f64()
    }
}

/// In a process group of its own, so that Ctrl-C is for the run alone, and what the command starts ends with it.
fn spawn(command: &[String]) -> std::io::Result<Child> {
    Command::new(&command[0])
        .args(&command[1..])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
}

fn signal(child: &Child, signal: Signal) {
    let id = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let Some(id) = id {
        // It may have ended in the meantime.
        let _ = kill_process_group(id, signal);
    }
}

fn tell(status: std::io::Result<ExitStatus>, report: &mut EventReport) {
    match status {
        Ok(status) => {
            report.exit_code = status.code();
            report.note = status.signal().map(|signal| format!("ended by signal {signal}"));
        }
        Err(error) => report.note = Some(error.to_string()),
    }
}
