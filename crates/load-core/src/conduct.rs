//! Who says go, stop and leave? The conductor: from the crew's readiness to the last frame.

use load_report::collect::Collector;
use load_report::figures::Record;
use load_report::gauge::Sample;
use load_report::journal::{Entry, Footer, encode};
use load_report::model::{End, Header};
use load_report::threshold::{Threshold, evaluate_one};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::clock::{Clock, Nanos};
use crate::crew::Crew;
use crate::engine::{Command, Message, Ready};
use crate::error::RunError;
use crate::live::Show;
use crate::output::{Console, Folder, Progress};
use crate::plan::RunPlan;
use crate::sample::Sampling;
use crate::usage::Meter;

const SECOND: Nanos = Nanos(1_000_000_000);
/// After the graceful stop the crew is told to leave, and after this it is left behind: together less than the
/// second that a run may take longer than it said.
const LEAVE: Nanos = Nanos(300_000_000);

/// SIGINT, SIGTERM and SIGHUP.
pub(crate) struct Signals {
    all: [Signal; 3],
    /// How many have come.
    pub(crate) heard: u32,
}

impl Signals {
    /// From now on these signals no longer end the process.
    pub(crate) fn listen() -> Result<Self, RunError> {
        let listen = |kind| {
            signal(kind).map_err(|source| RunError::Machine { what: "cannot listen to signals", source })
        };
        let all = [
            listen(SignalKind::interrupt())?,
            listen(SignalKind::terminate())?,
            listen(SignalKind::hangup())?,
        ];
        Ok(Self { all, heard: 0 })
    }

    /// The next one.
    pub(crate) async fn next(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.all;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
        self.heard += 1;
    }
}

/// Waits until every part is ready. None when a signal came first, or a part was lost.
pub(crate) async fn ready(crew: &mut Crew, signals: &mut Signals) -> Result<Option<Ready>, RunError> {
    let (mut all, mut said) = (Ready::default(), 0);
    while said < crew.parts {
        let message = tokio::select! {
            message = crew.messages.recv() => message,
            () = signals.next() => {
                crew.tell(Command::Abandon(None));
                return Ok(None);
            }
        };
        match message {
            Some(Message::Ready(ready)) => {
                said += 1;
                all.connected += ready.connected;
                all.failed += ready.failed;
                all.fault = all.fault.or(ready.fault);
            }
            Some(Message::Lost { worker, why }) => {
                crew.tell(Command::Abandon(None));
                return Err(RunError::Internal(format!(
                    "{} {worker} was lost before the run: {why}",
                    crew.kind
                )));
            }
            Some(Message::Entry(_) | Message::Done { .. }) => {}
            None => return Err(RunError::Internal("the crew left before the run".into())),
        }
    }
    Ok(Some(all))
}

/// A run that is under way.
pub(crate) struct Conductor<'a> {
    pub(crate) clock: Clock,
    pub(crate) plan: &'a RunPlan,
    pub(crate) folder: &'a mut Folder,
    pub(crate) console: &'a Console,
    pub(crate) progress: Progress,
    pub(crate) meter: Meter,
    pub(crate) control_calls: u64,
    pub(crate) sampling: Sampling,
    /// Those who watch.
    pub(crate) show: Option<Show<'a>>,
    pub(crate) t0: Nanos,
}

/// Where the run stands.
struct State {
    collector: Collector,
    /// Parts that have not said their last.
    left: usize,
    lost: Vec<String>,
    end_ns: i64,
    /// When new work stopped, if before its time.
    stopped: Option<Nanos>,
    interrupted: bool,
    abandoned: bool,
}

impl Conductor<'_> {
    /// Says go, and gathers until everybody is done or left behind.
    pub(crate) async fn conduct(mut self, header: Header, crew: &mut Crew, signals: &mut Signals) -> Record {
        let json = serde_json::to_string(&header).unwrap_or_default();
        self.folder.append(&encode(&Entry::Header(json)));
        let mut state = State {
            collector: Collector::new(header),
            left: crew.parts,
            lost: Vec::new(),
            end_ns: 0,
            stopped: None,
            interrupted: false,
            abandoned: false,
        };
        crew.tell(Command::Go(self.t0));
        let (tick, over) = (self.clock.alarm(), self.clock.alarm());
        tick.set(self.t0 + SECOND);
        over.set(self.t0 + self.plan.duration + self.plan.graceful_stop + LEAVE);
        while state.left > 0 {
            tokio::select! {
                message = crew.messages.recv() => match message {
                    Some(message) => self.hear(message, crew.kind, &mut state),
                    None => break,
                },
                Some(()) = watched(self.show.as_ref()) => self.show(&state),
                Some(sample) = self.sampling.next() => self.sample(sample, &mut state),
                () = signals.next() => self.signal(crew, &mut state, &over),
                () = over.wait() => {
                    if state.abandoned {
                        break;
                    }
                    state.abandoned = true;
                    crew.tell(Command::Abandon(Some(self.t0)));
                    over.set(self.clock.now() + LEAVE);
                }
                () = tick.wait() => {
                    let now = self.clock.now();
                    tick.set(now + SECOND);
                    self.second(now, &mut state);
                    if state.stopped.is_none() && self.must_abort(now, &state) {
                        self.console.say("a threshold with abortOnFail failed: stopping");
                        self.stop(crew, &mut state, &over, "threshold");
                    }
                }
            }
        }
        self.finish(state, crew.kind).await
    }

    fn sample(&mut self, sample: Sample, state: &mut State) {
        state.collector.sample(&sample);
        self.folder.append(&encode(&Entry::Sample(sample)));
    }

    /// Tells those who watch how it goes.
    fn show(&mut self, state: &State) {
        if let Some(show) = &mut self.show {
            show.look(&state.collector);
        }
    }

    fn hear(&mut self, message: Message, kind: &str, state: &mut State) {
        match message {
            Message::Entry(bytes) => self.entry(&bytes, state),
            Message::Done { end_ns, .. } => {
                state.left -= 1;
                state.end_ns = state.end_ns.max(end_ns);
            }
            Message::Lost { worker, why } => {
                state.left -= 1;
                let lost = format!("{kind} {worker}: {why}");
                self.console.complain(&format!("lost {lost}"));
                if let Some(show) = &self.show {
                    show.lost(&lost);
                }
                state.lost.push(lost);
            }
            Message::Ready(_) => {}
        }
    }

    fn entry(&mut self, bytes: &[u8], state: &mut State) {
        self.folder.append(bytes);
        match load_report::journal::decode(bytes) {
            load_report::journal::Next::Entry(Entry::Frame(frame), _) => {
                state.collector.absorb(&frame);
                if let Some(show) = &mut self.show {
                    show.absorb(&frame);
                }
            }
            load_report::journal::Next::Entry(Entry::Usage(usage), _) => state.collector.usage(usage),
            _ => state.lost.push("a frame that cannot be read".into()),
        }
    }

    /// The first signal stops the run in good order, the second at once.
    fn signal(&self, crew: &Crew, state: &mut State, over: &crate::clock::Alarm) {
        if state.interrupted {
            state.abandoned = true;
            crew.tell(Command::Abandon(Some(self.t0)));
            over.set(self.clock.now() + LEAVE);
            return;
        }
        state.interrupted = true;
        self.console.say("stopping: calls in flight may end; once more to leave at once");
        self.stop(crew, state, over, "signal");
    }

    fn stop(&self, crew: &Crew, state: &mut State, over: &crate::clock::Alarm, why: &str) {
        let now = self.clock.now();
        if let Some(show) = &self.show {
            show.stopping(why);
        }
        let planned = self.t0 + self.plan.duration;
        if state.stopped.is_none() {
            state.stopped = Some(now.min(planned).max(self.t0));
        }
        crew.tell(Command::Stop(self.t0));
        over.set(now.min(planned).max(self.t0) + self.plan.graceful_stop + LEAVE);
    }

    /// Once a second: what the process has used, and how it goes.
    fn second(&mut self, now: Nanos, state: &mut State) {
        let usage = self.meter.look(self.control_calls);
        state.collector.usage(usage);
        self.folder.append(&encode(&Entry::Usage(usage)));
        if let Some(point) = state.collector.latest() {
            self.progress.show((now - self.t0).as_secs_f64(), &point);
        }
    }

    /// Whether a threshold with abortOnFail does not hold.
    fn must_abort(&self, now: Nanos, state: &State) -> bool {
        let due = |threshold: &&Threshold| {
            threshold.abort().is_some_and(|abort| now - self.t0 >= Nanos::from(abort.delay))
        };
        let mut aborting = self.plan.thresholds.iter().filter(due).peekable();
        if aborting.peek().is_none() {
            return false;
        }
        let run = state.collector.so_far().into_figures();
        // What has not been observed yet, as a gauge in the first second, has not failed yet.
        let fails = |threshold: &Threshold| {
            let report = evaluate_one(threshold, &run);
            !report.passed && report.observed.is_some()
        };
        run.totals.requests > 0 && aborting.any(fails)
    }

    async fn finish(mut self, mut state: State, kind: &str) -> Record {
        if state.left > 0 {
            state.lost.push(format!("{} {kind}(s) that did not end in time", state.left));
        }
        let end_of_all = self.clock.now();
        let (samples, remarks) = self.sampling.finish(state.interrupted && state.abandoned).await;
        samples.into_iter().for_each(|sample| self.sample(sample, &mut state));
        let usage = self.meter.look(self.control_calls);
        state.collector.usage(usage);
        self.folder.append(&encode(&Entry::Usage(usage)));
        self.show(&state);
        let end_ns = if state.end_ns > 0 { state.end_ns } else { (end_of_all - self.t0).0 };
        let stop_ns = match state.stopped {
            Some(at) => (at - self.t0).0,
            // A number of calls that ran out before the time ended when the last of them did.
            None if self.plan.record.requests.is_some() => end_ns.min(self.plan.duration.0),
            None => self.plan.duration.0,
        };
        let end = End { stop_ns, end_ns };
        let footer = Footer { end, interrupted: state.interrupted, lost: state.lost };
        self.folder.append(&encode(&Entry::Footer(footer.clone())));
        self.progress.finish();
        let mut record = state.collector.finish(footer);
        record.health.steal_ns = self.meter.stolen_ns();
        record.warnings.extend(remarks);
        record
    }
}

/// When it is time to tell those who watch; never without any.
async fn watched(show: Option<&Show<'_>>) -> Option<()> {
    show?.due().await;
    Some(())
}
