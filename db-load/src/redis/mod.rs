//! What does the engine get for Redis?
//!
//! | question | module |
//! |---|---|
//! | Which flags are there? | [`args`] |
//! | How does a connection come about, and a call go over it? | [`session`] |
//! | What does a run make and remove? | [`data`] |

pub mod args;
pub mod data;
pub mod protocol;
pub mod session;

pub use protocol::Redis;
