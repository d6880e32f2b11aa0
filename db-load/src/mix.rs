//! Which calls read, which write, and which row?

use load_core::protocol::{OpId, Script, Task, TaskStep, Vu};
use rand::RngExt as _;

/// Weights of tasks are whole numbers; so many parts make a ratio.
const PARTS: u32 = 1_000_000;

/// The mix of reads and writes.
#[derive(clap::Args, Clone, Copy, Debug)]
pub struct MixArgs {
    /// Share of the calls that read, from 0 to 1; the others write.
    #[arg(long, value_name = "RATIO", default_value = "0.8", value_parser = ratio, help_heading = "Database")]
    pub read_ratio: f64,
}

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Reads a row and looks whether it is right.
    Read,
    /// Writes a row.
    Write,
}

fn ratio(text: &str) -> Result<f64, String> {
    let ratio = text.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
    ratio.ok_or_else(|| "expected a number from 0 (writes only) to 1 (reads only)".to_owned())
}

/// Names of the ops, in the order of their ids.
pub fn ops() -> Vec<String> {
    vec!["read".into(), "write".into()]
}

impl MixArgs {
    /// The kinds of calls with their weights; none of them is zero.
    pub fn weights(self) -> Vec<(Step, u32)> {
        let reads = (self.read_ratio * f64::from(PARTS)).round() as u32;
        [(Step::Read, reads), (Step::Write, PARTS - reads)]
            .into_iter()
            .filter(|&(_, weight)| weight > 0)
            .collect()
    }

    /// A task for each kind of call; the engine draws them.
    pub fn script(self) -> Script<Step> {
        let task = |(step, weight)| Task::new(weight, vec![TaskStep::new(step as OpId, step)]);
        Script::of(self.weights().into_iter().map(task).collect())
    }
}

/// The row, from 0 to `rows` - 1, that an iteration meets: each as likely as any other, and the same in any division
/// of the run.
pub fn row(vu: &mut Vu, rows: u64) -> u64 {
    vu.rng.random_range(0..rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_becomes_weights_and_none_of_them_is_zero() {
        let weights = |read_ratio| -> Vec<_> {
            let script = MixArgs { read_ratio }.script();
            script.classes()[0]
                .tasks
                .iter()
                .flat_map(|task| task.steps[0].calls().map(|call| (task.weight, call.op, call.step)))
                .collect()
        };
        assert_eq!(weights(0.8), [(800_000, 0, Step::Read), (200_000, 1, Step::Write)]);
        assert_eq!(weights(1.0), [(PARTS, 0, Step::Read)]);
        assert_eq!(weights(0.0), [(PARTS, 1, Step::Write)]);
    }

    #[test]
    fn a_ratio_is_between_zero_and_one() {
        assert_eq!(ratio("0.25"), Ok(0.25));
        for wrong in ["-0.1", "1.1", "NaN", "80%", ""] {
            assert!(ratio(wrong).is_err(), "{wrong}");
        }
    }
}
