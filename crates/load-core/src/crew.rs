//! Who does the work? The threads of this process, or child processes; to the conductor they look the same.

use std::io;
use std::sync::Arc;

use load_report::model::Segment;
use tokio::sync::{mpsc, watch};

use crate::engine::{Command, Job, Message, spawn};
use crate::plan::RunPlan;
use crate::protocol::Protocol;

/// The parts of a run: each says ready, sends entries, and says done or is lost.
pub(crate) struct Crew {
    /// How many parts there are.
    pub(crate) parts: usize,
    /// What a part is, for people.
    pub(crate) kind: &'static str,
    /// Tells every part.
    pub(crate) commands: watch::Sender<Command>,
    /// What the parts say.
    pub(crate) messages: mpsc::UnboundedReceiver<Message>,
}

impl Crew {
    /// One worker a thread, which together do `segment` of the run.
    pub(crate) fn threads<P: Protocol>(
        protocol: &Arc<P>,
        target: &P::Target,
        plan: &Arc<RunPlan>,
        process: u32,
        segment: Segment,
    ) -> io::Result<Self> {
        let (commands, commanded) = watch::channel(Command::Prepare);
        let (sender, messages) = mpsc::unbounded_channel();
        for worker in 0..plan.threads {
            let job = Job {
                protocol: Arc::clone(protocol),
                target: target.clone(),
                plan: Arc::clone(plan),
                process,
                worker,
                segment: segment.part(worker, plan.threads),
            };
            spawn(job, commanded.clone(), sender.clone())?;
        }
        Ok(Self { parts: plan.threads as usize, kind: "worker", commands, messages })
    }

    /// Tells every part.
    pub(crate) fn tell(&self, command: Command) {
        self.commands.send_replace(command);
    }
}
