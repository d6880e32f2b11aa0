//! How many lanes, and until when? Starts them, adds more when the load needs them, ends them.

use std::io;
use std::rc::Rc;

use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::{JoinError, JoinSet};

use super::lane::Lane;
use super::words::{Command, Ready};
use super::worker::Worker;
use crate::clock::{Alarm, Nanos};
use crate::plan::Load;
use crate::protocol::{Fault, Protocol};

/// Lanes are added at most this often, and then at most a tenth of those there are, or this many.
const GROWTH_STEP: Nanos = Nanos(100_000_000);
const GROWTH_MIN: u64 = 8;
/// Attempts to connect that one worker has under way before time zero.
const CONNECTING: usize = 128;

/// How a lane tells how its first attempt to connect has ended.
type Told = mpsc::UnboundedSender<Result<(), (Fault, String)>>;
/// How it is told time zero.
type Go = watch::Receiver<Option<Nanos>>;

/// The lanes of one worker.
pub(super) struct Lanes<P: Protocol> {
    worker: Rc<Worker<P>>,
    tasks: JoinSet<()>,
    /// Lanes started so far.
    started: u64,
    /// Most lanes.
    most: u64,
    go: watch::Sender<Option<Nanos>>,
}

/// What the lanes' time is over for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    Finished,
    Stop(Nanos),
    Abandon,
}

impl<P: Protocol> Lanes<P> {
    pub(super) fn new(worker: Rc<Worker<P>>) -> Self {
        let most = worker.lane_counts().1;
        Self { worker, tasks: JoinSet::new(), started: 0, most, go: watch::channel(None).0 }
    }

    /// Starts the first lanes and waits until each has tried to connect. None when told to leave before that.
    pub(super) async fn connect(
        &mut self,
        commands: &mut watch::Receiver<Command>,
    ) -> io::Result<Option<Ready>> {
        let (first, _) = self.worker.lane_counts();
        let (tell, mut told) = mpsc::unbounded_channel();
        let gate = Rc::new(Semaphore::new(CONNECTING));
        for _ in 0..first {
            let lane = self.worker.lane(self.started);
            self.started += 1;
            let (tell, gate, go) = (tell.clone(), Rc::clone(&gate), self.go.subscribe());
            self.tasks.spawn_local(live(lane, tell, gate, go));
        }
        drop(tell);
        let mut ready = Ready::default();
        while ready.connected + ready.failed < first {
            tokio::select! {
                outcome = told.recv() => match outcome {
                    Some(Ok(())) => ready.connected += 1,
                    Some(Err((fault, note))) => {
                        ready.failed += 1;
                        ready.fault.get_or_insert_with(|| format!("{}: {note}", fault.kind.name()));
                    }
                    None => break,
                },
                Some(ended) = self.tasks.join_next() => ended.map_err(bug)?,
                _ = commands.wait_for(|command| *command == Command::Abandon(None)) => {
                    return Ok(None);
                }
            }
        }
        Ok(Some(ready))
    }

    /// From time zero until the last call has ended or is abandoned.
    pub(super) async fn work(
        &mut self,
        t0: Nanos,
        commands: &mut watch::Receiver<Command>,
    ) -> io::Result<()> {
        self.go.send_replace(Some(t0));
        let planned = t0 + self.worker.plan.duration;
        let stop = match self.until(planned, commands, false).await? {
            Ending::Stop(stop) => stop,
            Ending::Finished | Ending::Abandon => self.worker.clock.now().min(planned),
        };
        self.worker.stop(stop);
        let deadline = stop + self.worker.plan.graceful_stop;
        self.until(deadline, commands, true).await?;
        Ok(())
    }

    /// Waits until `end`, until all lanes are finished, or until a command ends it.
    async fn until(
        &mut self,
        end: Nanos,
        commands: &mut watch::Receiver<Command>,
        stopping: bool,
    ) -> io::Result<Ending> {
        let clock = self.worker.clock.clone();
        let (over, grow) = (clock.alarm(), clock.alarm());
        over.set(end);
        if !stopping {
            self.look_again(&grow);
        }
        loop {
            let told = |command: &Command| match command {
                Command::Stop(_) => !stopping,
                Command::Abandon(_) => true,
                Command::Prepare | Command::Go(_) => false,
            };
            tokio::select! {
                biased;
                ended = self.tasks.join_next() => match ended {
                    Some(ended) => ended.map_err(bug)?,
                    None => return Ok(Ending::Finished),
                },
                command = commands.wait_for(told) => {
                    // The sender is gone only when the run is given up.
                    let command = command.map_or(Command::Abandon(None), |command| *command);
                    let now = clock.now().min(end);
                    return Ok(match command {
                        Command::Stop(_) => Ending::Stop(now),
                        _ => Ending::Abandon,
                    });
                }
                () = over.wait() => return Ok(Ending::Stop(end)),
                () = grow.wait() => {
                    self.grow();
                    self.look_again(&grow);
                }
            }
        }
    }

    /// Looks for a backlog after a while, unless there can be no more lanes.
    fn look_again(&self, alarm: &Alarm) {
        if self.started < self.most && matches!(self.worker.plan.load, Load::Open { .. }) {
            alarm.set(self.worker.clock.now() + GROWTH_STEP);
        } else {
            alarm.clear();
        }
    }

    /// Open model: adds lanes when ticks find none.
    fn grow(&mut self) {
        let (behind, live) = {
            let dispatcher = self.worker.dispatcher.borrow();
            (dispatcher.is_behind(self.worker.clock.now()), dispatcher.live_lanes() as u64)
        };
        if !behind {
            return;
        }
        let more = GROWTH_MIN.max(live / 10).min(self.most - self.started);
        for _ in 0..more {
            let mut lane = self.worker.lane(self.started);
            self.started += 1;
            let t0 = self.worker.t0();
            self.tasks.spawn_local(async move { lane.run(t0).await });
        }
    }
}

/// What a lane does that is there from the beginning.
#[expect(clippy::manual_async_fn, reason = "an async fn has room for its arguments twice")]
fn live<P: Protocol>(
    mut lane: Lane<P>,
    tell: Told,
    gate: Rc<Semaphore>,
    mut go: Go,
) -> impl Future<Output = ()> {
    async move {
        let outcome = {
            let _permit = gate.acquire().await;
            lane.connect_first().await
        };
        let _ = tell.send(outcome);
        if let Some(t0) = lane.hold(&mut go).await {
            lane.run(t0).await;
        }
    }
}

/// Memory of a lane, bytes: all that it needs to hold a connection, but for what the protocol keeps elsewhere.
pub fn lane_bytes<P: Protocol>() -> usize {
    fn output<P: Protocol, F>(_: impl FnOnce(Lane<P>, Told, Rc<Semaphore>, Go) -> F) -> usize {
        size_of::<F>()
    }
    output(live::<P>)
}

/// A lane panicked: the worker is lost.
#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn bug(error: JoinError) -> io::Error {
    io::Error::other(format!("a lane ended before its time: {error}"))
}
