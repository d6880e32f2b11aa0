//! What does the engine get for PostgreSQL?
//!
//! | question | module |
//! |---|---|
//! | Which flags are there? | [`args`] |
//! | How does a connection come about, and a call go over it? | [`session`] |
//! | What does a run make and remove? | [`data`] |
//! | What does an error mean? | [`faults`] |

pub mod args;
pub mod data;
pub mod faults;
pub mod protocol;
pub mod session;

pub use protocol::Postgres;
