//! How do schedule, protocol and recorder come together? The only place that knows all three.
//!
//! A worker is one thread with a current-thread runtime. Its dispatcher hands ticks to idle lanes, its lanes make
//! calls over links, its recorder counts, and once a second a frame with what was counted leaves the worker.

mod admission;
mod backoff;
pub mod dispatch;
mod lane;
mod lanes;
mod links;
mod seat;
mod within;
mod words;
mod worker;

pub use lanes::lane_bytes;
pub(crate) use within::within;
pub use words::{Command, Message, Ready};
pub use worker::{Job, spawn};

#[cfg(test)]
mod tests;
