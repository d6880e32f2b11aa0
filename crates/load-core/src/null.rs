//! How fast is the engine itself? A protocol that answers at once: the full path of dispatcher, timeout and recorder,
//! and nothing else.

use std::time::Duration;

use load_report::fault::FaultKind;

use crate::error::{PrepareError, UsageError};
use crate::plan::args::LoadArgs;
use crate::protocol::{Control, Fault, LinkId, OpId, Outcome, Probe, Protocol, Script, Task, TaskStep, Vu};

/// Sends nothing.
pub struct Null {
    script: Script<()>,
    fail_every: u64,
    block: Option<Duration>,
}

/// One call in so many blocks its worker, when asked to.
const BLOCK_EVERY: u64 = 20;

impl Null {
    /// The null protocol that `args` ask for.
    pub fn from_args(args: &LoadArgs) -> Self {
        let task = |op| Task::new(1, vec![TaskStep::new(op, ())]);
        let script = Script::of((0..args.null_ops.max(1)).map(task).collect());
        Self { script, fail_every: args.null_fail_every, block: args.null_block }
    }
}

/// The null protocol has no flags of its own.
#[derive(clap::Args, Clone, Debug)]
pub struct NoArgs {}

impl Protocol for Null {
    const NAME: &'static str = "null";
    const SUITES: bool = false;
    type Args = NoArgs;
    type Target = ();
    type Step = ();
    type Link = ();
    type Session = ();

    fn new(NoArgs {}: NoArgs) -> Result<Self, UsageError> {
        Ok(Self { script: Script::call(()), fail_every: 0, block: None })
    }

    fn label(&self) -> String {
        "nothing (--null)".into()
    }

    fn describe(&self) -> serde_json::Value {
        serde_json::json!({ "null": true, "ops": self.ops().len(), "fail_every": self.fail_every })
    }

    fn ops(&self) -> Vec<String> {
        (0..self.script.calls().count() as OpId).map(|op| format!("null {op}")).collect()
    }

    fn script(&self) -> &Script<()> {
        &self.script
    }

    async fn prepare(&self, _control: &mut Control) -> Result<(), PrepareError> {
        Ok(())
    }

    async fn connect(&self, _target: &(), _link: LinkId, _probe: &mut Probe<'_>) -> Result<(), Fault> {
        Ok(())
    }

    async fn open(&self, _link: (), _vu: &Vu) -> Result<(), Fault> {
        Ok(())
    }

    async fn call(
        &self,
        _session: &mut (),
        _step: &(),
        vu: &mut Vu,
        probe: &mut Probe<'_>,
    ) -> Result<Outcome, Fault> {
        if let Some(block) = self.block
            && vu.scope.seq.is_multiple_of(BLOCK_EVERY)
        {
            std::thread::sleep(block);
        }
        if self.fail_every > 0 && vu.scope.seq.is_multiple_of(self.fail_every) {
            probe.note("the null protocol was asked to fail");
            return Err(Fault::answered(FaultKind::Rejected, (vu.scope.seq % 7) as u32));
        }
        Ok(Outcome::default())
    }
}
