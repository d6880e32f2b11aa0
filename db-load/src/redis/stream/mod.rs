//! How does a message pass from XADD to XREADGROUP, how late, and does each come exactly once?
//!
//! | question | module |
//! |---|---|
//! | Which messages came, which came twice, which never? | [`audit`] |
//! | What do producers and consumers send, and what do they make of the replies? | [`perform`] |

pub mod audit;
pub mod perform;

use std::num::NonZeroU32;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use load_core::protocol::{Script, Task, TaskStep, UserClass};
use load_suite::units;

use super::protocol::Step;
use crate::mix::{self, MixArgs};

use audit::Audit;

/// The flags of `--workload stream`.
#[derive(clap::Args, Clone, Debug)]
pub struct StreamArgs {
    /// The stream of --workload stream; it stays after the run [default: one of the run's own].
    #[arg(long, value_name = "KEY", help_heading = "Streams")]
    pub stream: Option<String>,
    /// The group of consumers; it is made where it is not there.
    #[arg(long, value_name = "NAME", default_value = "quintet", help_heading = "Streams")]
    pub group: String,
    /// Messages that a consumer takes at a time.
    #[arg(long, value_name = "N", default_value = "10", help_heading = "Streams")]
    pub batch: NonZeroU32,
    /// How long a consumer waits for a message.
    #[arg(long, value_name = "D", default_value = "100ms", value_parser = units::duration, help_heading = "Streams")]
    pub block: Duration,
    /// Consumers take messages over that another one has had for so long without acknowledging them.
    #[arg(long, value_name = "D", value_parser = units::duration, help_heading = "Streams")]
    pub claim: Option<Duration>,
    /// The stream is cut to about so many messages.
    #[arg(long, value_name = "N", value_parser = units::count, help_heading = "Streams")]
    pub maxlen: Option<u64>,
}

/// What producers and consumers of one process share.
pub struct Stream {
    /// What was asked for.
    pub args: StreamArgs,
    /// Some users consume.
    pub has_consumers: bool,
    /// What is known of the messages.
    pub audit: Mutex<Audit>,
    /// Users who have begun and not left.
    pub members: AtomicU64,
}

/// Names of the ops, in the order of their ids.
pub const OPS: [&str; 3] = ["xadd", "xreadgroup", "leave"];

impl Stream {
    /// For users of whom a share consumes.
    pub fn new(args: StreamArgs, mix: MixArgs) -> Self {
        Self {
            args,
            has_consumers: mix.read_ratio > 0.0,
            audit: Mutex::default(),
            members: AtomicU64::new(0),
        }
    }

    /// Its key; keys of the run begin with `prefix`.
    pub fn key(&self, prefix: &str) -> String {
        self.args.stream.clone().unwrap_or_else(|| format!("{prefix}stream"))
    }
}

/// Two classes of users, producers and consumers.
pub fn script(mix: MixArgs) -> Script<Step> {
    let weights = mix.weights();
    let divisor = weights.iter().fold(0, |divisor, (_, weight)| gcd(divisor, *weight));
    let class = |(kind, weight): &(mix::Step, u32)| {
        let (name, op, step) = match kind {
            mix::Step::Write => ("producer", 0, Step::Produce),
            mix::Step::Read => ("consumer", 1, Step::Consume),
        };
        UserClass {
            name: name.to_owned(),
            weight: weight / divisor,
            think: None,
            start: Vec::new(),
            tasks: vec![Task::new(1, vec![TaskStep::new(op, step)])],
            stop: vec![TaskStep::new(2, Step::Leave)],
        }
    };
    Script::new(weights.iter().map(class).collect())
}

fn gcd(a: u32, b: u32) -> u32 {
    if a == 0 { b } else { gcd(b % a, a) }
}
