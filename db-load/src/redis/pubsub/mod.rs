//! How late does a published message come to each who has subscribed, and does it come at all?
//!
//! | question | module |
//! |---|---|
//! | Which messages were sent to how many, and which came? | [`board`] |
//! | How do subscribers get what is published? | [`receive`] |
//! | What do publishers send? | [`perform`] |

pub mod board;
pub mod perform;
pub mod receive;

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};

use load_core::protocol::{Script, Task, TaskStep, UserClass};

use super::protocol::Step;
use board::Board;

/// The flags of `--workload pubsub`.
#[derive(clap::Args, Clone, Copy, Debug)]
pub struct PubSubArgs {
    /// Connections that each message of --workload pubsub goes to; every thread has a channel with so many.
    #[arg(long, value_name = "N", default_value = "10", help_heading = "Publish and subscribe")]
    pub subscribers: NonZeroU32,
}

/// What the workers of one process know of their channels.
pub struct PubSub {
    /// What was asked for.
    pub args: PubSubArgs,
    /// The account of each worker, by the number of its link: it outlives the connections.
    boards: Mutex<HashMap<u64, Arc<Board>>>,
}

/// Names of the ops, in the order of their ids.
pub const OPS: [&str; 2] = ["publish", "leave"];

impl PubSub {
    /// With so many subscribers.
    pub fn new(args: PubSubArgs) -> Self {
        Self { args, boards: Mutex::default() }
    }

    /// The account of the worker whose link has this number.
    pub fn board(&self, link: u64) -> Arc<Board> {
        let mut boards = self.boards.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(boards.entry(link).or_insert_with(|| Arc::new(Board::new(self.args.subscribers))))
    }
}

/// The channel of a worker; names of the run begin with `prefix`.
pub fn channel(prefix: &str, link: u64) -> String {
    format!("{prefix}channel:{link}")
}

/// One class of users: publishers. Subscribers are no users, for nothing makes them act but what they are sent.
pub fn script() -> Script<Step> {
    Script::new(vec![UserClass {
        name: "publisher".to_owned(),
        weight: 1,
        think: None,
        start: Vec::new(),
        tasks: vec![Task::new(1, vec![TaskStep::new(0, Step::Publish)])],
        stop: vec![TaskStep::new(1, Step::Leave)],
    }])
}
