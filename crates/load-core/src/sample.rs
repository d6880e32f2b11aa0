//! What does the target say of itself while it is loaded? Asked every second, beside the load, by the process that conducts.
//!
//! A protocol that can ask offers a [`Sampler`], which says what it reads and knows nothing of time. This module asks it, on
//! the thread of the conductor and never on those of the workers, and makes values of what it reads.

mod exposition;
mod process;
mod source;
mod together;
mod values;

use std::future::Future;
use std::pin::Pin;

use load_report::gauge::{GaugePlan, Sample};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::clock::{Clock, Nanos};
use values::Values;

pub(crate) use source::Source;
pub use source::{Exporter, Page};
pub(crate) use together::Together;

/// A target that has not answered by then is asked anew.
const PATIENCE: Nanos = Nanos(5_000_000_000);
/// The same for the last look, with which the run waits for its end.
const LAST_PATIENCE: Nanos = Nanos(200_000_000);
/// The longest pause between two attempts to reach a target that does not answer, unless looks are further apart.
const LONGEST_PAUSE: Nanos = Nanos(5_000_000_000);

/// Asks a target about itself, over a connection of its own.
pub trait Sampler {
    /// Asks for every gauge, in the order of [`Protocol::gauges`](crate::protocol::Protocol::gauges).
    ///
    /// Connects where there is no connection, and again after an error. The future may be dropped at any await; then the
    /// connection must not be used any more, since an answer may still come over it.
    ///
    /// # Errors
    /// Why there is no answer, in one line.
    fn look(&mut self) -> Look<'_>;

    /// What a reader should know about the gauges of this target, a sentence each: those that it does not have, say.
    fn remarks(&self) -> Vec<String> {
        Vec::new()
    }
}

/// One look, under way.
pub type Look<'a> = Pin<Box<dyn Future<Output = Result<Vec<Reading>, String>> + 'a>>;

/// What the target said of one gauge.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Reading {
    /// Nothing.
    #[default]
    Unknown,
    /// A level, or a running total, as the gauge's kind says.
    Value(f64),
    /// Two running totals: so many cases of so many.
    Share {
        /// The cases in question.
        cases: f64,
        /// All cases.
        of: f64,
    },
}

impl<T: Into<f64>> From<Option<T>> for Reading {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Unknown, |value| Self::Value(value.into()))
    }
}

/// The looks of a run that is under way.
pub(crate) struct Sampling {
    samples: mpsc::UnboundedReceiver<Sample>,
    over: watch::Sender<bool>,
    task: Option<JoinHandle<Vec<String>>>,
}

impl Sampling {
    /// Looks at once, which is to be just before `t0`, and then every `every`, counted from `t0`. Without a sampler there is never anything.
    pub(crate) fn start(
        sampler: Option<Box<dyn Sampler>>,
        gauges: &[GaugePlan],
        every: Nanos,
        clock: &Clock,
        t0: Nanos,
    ) -> Self {
        let (sender, samples) = mpsc::unbounded_channel();
        let (over, is_over) = watch::channel(false);
        let task = sampler.map(|sampler| {
            let asking = Asking {
                sampler,
                values: Values::of(gauges, every),
                every,
                clock: clock.clone(),
                t0,
                is_over,
                tell: sender,
                looks: 0,
                failed: 0,
                why: None,
            };
            tokio::task::spawn_local(asking.until_over())
        });
        Self { samples, over, task }
    }

    /// The next look. None when there will be no more.
    pub(crate) async fn next(&mut self) -> Option<Sample> {
        self.samples.recv().await
    }

    /// The run is over: looks a last time, unless it is to end at once. Gives what has not been taken yet, and what a reader
    /// should know.
    pub(crate) async fn finish(&mut self, at_once: bool) -> (Vec<Sample>, Vec<String>) {
        let mut remarks = Vec::new();
        if let Some(task) = self.task.take() {
            if at_once {
                task.abort();
            } else {
                self.over.send_replace(true);
            }
            remarks = task.await.unwrap_or_default();
        }
        let mut rest = Vec::new();
        while let Ok(sample) = self.samples.try_recv() {
            rest.push(sample);
        }
        (rest, remarks)
    }
}

/// The task that asks.
struct Asking {
    sampler: Box<dyn Sampler>,
    values: Values,
    every: Nanos,
    clock: Clock,
    t0: Nanos,
    is_over: watch::Receiver<bool>,
    tell: mpsc::UnboundedSender<Sample>,
    looks: u64,
    failed: u64,
    /// When and why the first look failed.
    why: Option<(Nanos, String)>,
}

impl Asking {
    async fn until_over(mut self) -> Vec<String> {
        let mut failed_in_a_row = 0;
        loop {
            let answer = self.look().await;
            // The conductor is there until it says so.
            let was_last = *self.is_over.borrow() || self.is_over.has_changed().is_err();
            let now = self.clock.now();
            failed_in_a_row = if answer.is_ok() { 0 } else { failed_in_a_row + 1 };
            match answer {
                Ok(()) => {}
                // The target need not outlive the run.
                Err(_) if was_last => {}
                Err(why) => self.fail(now, why),
            }
            if was_last {
                return self.remarks();
            }
            let due = self.due_after(now, failed_in_a_row);
            tokio::select! {
                () = self.clock.sleep_until(due) => {}
                _ = self.is_over.wait_for(|over| *over) => {}
            }
        }
    }

    /// Asks once and tells what came.
    async fn look(&mut self) -> Result<(), String> {
        let clock = self.clock.clone();
        let is_over = &mut self.is_over;
        let too_late = async {
            tokio::select! {
                () = clock.sleep_until(clock.now() + PATIENCE) => PATIENCE,
                _ = is_over.wait_for(|over| *over) => {
                    clock.sleep_until(clock.now() + LAST_PATIENCE).await;
                    LAST_PATIENCE
                }
            }
        };
        let readings = tokio::select! {
            answer = self.sampler.look() => answer?,
            patience = too_late => return Err(format!("no answer within {} ms", patience.0 / 1_000_000)),
        };
        let at_ns = (clock.now() - self.t0).0;
        let sample = self.values.take(at_ns, &readings, *self.is_over.borrow());
        self.looks += 1;
        // Nobody listens any more only when the run is over.
        let _ = self.tell.send(sample);
        Ok(())
    }

    fn fail(&mut self, now: Nanos, why: String) {
        (self.looks, self.failed) = (self.looks + 1, self.failed + 1);
        let at = now - self.t0;
        self.why.get_or_insert((at, why));
        let _ = self.tell.send(Sample { from_ns: at.0, at_ns: at.0, values: Vec::new() });
    }

    /// When to look next: at the next full interval since time zero, or later the more often it was in vain.
    fn due_after(&self, now: Nanos, failed_in_a_row: u32) -> Nanos {
        let every = self.every.0.max(1);
        // The first look is that of time zero.
        let next = self.t0 + Nanos(((now - self.t0).0.div_euclid(every).max(0) + 1) * every);
        match failed_in_a_row {
            0 => next,
            n => {
                let pause = every.saturating_mul(1 << (n - 1).min(30));
                now + Nanos(pause.min(LONGEST_PAUSE.0.max(every)))
            }
        }
    }

    fn remarks(self) -> Vec<String> {
        let mut remarks = self.sampler.remarks();
        if let Some((at, why)) = self.why {
            let (failed, looks, s) = (self.failed, self.looks, at.as_secs_f64().max(0.0));
            remarks.push(format!(
                "{failed} of {looks} looks at the gauges failed, the first after {s:.1} s: {why}"
            ));
        }
        remarks
    }
}

#[cfg(test)]
mod tests;
