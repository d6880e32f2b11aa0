//! Where does a single call go besides the tally? Files that were asked for; a run without them pays for one question a call.

use load_report::fault::FaultKind;

use super::points::Points;
use super::{CallTimes, Raw};
use crate::clock::Nanos;
use crate::plan::RunPlan;
use crate::protocol::OpId;

/// How a call ended.
#[derive(Clone, Copy, Debug)]
pub enum Ended {
    /// As expected.
    Ok,
    /// With a fault and its code.
    Failed(FaultKind, u32),
    /// Not before the graceful stop ran out.
    Abandoned,
}

/// The files that one worker appends to.
pub struct Sinks {
    raw: Option<Raw>,
    points: Option<Points>,
}

impl Sinks {
    /// Those that `plan` asks for; none when it asks for none. `now` is the present instant on the worker's clock.
    ///
    /// # Errors
    /// A file cannot be opened.
    pub fn open(plan: &RunPlan, now: Nanos) -> std::io::Result<Option<Box<Self>>> {
        let raw = plan.outs.raw.as_deref().map(Raw::open).transpose()?;
        let points =
            plan.outs.json.as_deref().map(|path| Points::open(path, &plan.record, now)).transpose()?;
        Ok((raw.is_some() || points.is_some()).then(|| Box::new(Self { raw, points })))
    }

    pub(super) fn call(&mut self, t0: Nanos, (phase, op): (usize, OpId), times: &CallTimes, ended: Ended) {
        if let Some(raw) = &mut self.raw {
            let outcome = match ended {
                Ended::Ok => ("ok", 0),
                Ended::Failed(kind, code) => (kind.name(), code),
                Ended::Abandoned => ("abandoned", 0),
            };
            raw.call(t0, (phase, op), times, outcome);
        }
        if let Some(points) = &mut self.points {
            points.call(phase, op, times, ended);
        }
    }

    pub(super) fn iteration(&mut self, phase: usize, at: Nanos, ns: u64, ok: bool) {
        if let Some(points) = &mut self.points {
            points.iteration(phase, at, ns, ok);
        }
    }

    pub(super) fn connected(&mut self, phase: usize, at: Nanos, ns: u64) {
        if let Some(points) = &mut self.points {
            points.connected(phase, at, ns);
        }
    }

    pub(super) fn observed(&mut self, phase: usize, at: Nanos, extra: usize, ns: u64) {
        if let Some(points) = &mut self.points {
            points.observed(phase, at, extra, ns);
        }
    }

    pub(super) fn counted(&mut self, phase: usize, at: Nanos, counter: usize, n: u64) {
        if let Some(points) = &mut self.points {
            points.counted(phase, at, counter, n);
        }
    }

    pub(super) fn flush(&mut self) {
        if let Some(raw) = &mut self.raw {
            raw.flush();
        }
        if let Some(points) = &mut self.points {
            points.flush();
        }
    }
}
