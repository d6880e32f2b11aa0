//! The load generator for DWCP's migration API: orders, looks, and the stream of events.
//!
//! | question | module |
//! |---|---|
//! | What is a migration of a real image? | [`data`] |
//! | Which flags are there? | [`args`] |
//! | What does an answer say of a job? | [`job`] |
//! | What comes on the event stream? | [`events`] |
//! | How does one call go? | [`session`] |
//! | What does the engine get? | [`protocol`] |
//!
//! How the target is reached, and how an HTTP call goes over a connection, is in `load-net`.

pub mod args;
pub mod data;
pub mod events;
pub mod job;
pub mod protocol;
pub mod session;
mod version;

pub use data::Data;
pub use protocol::Dwcp;

/// What `--help` says about the tool.
pub const ABOUT: load_core::About = load_core::About {
    name: "dwcp-load",
    version: env!("CARGO_PKG_VERSION"),
    about: "Orders VM migrations, watches them to their end, and reports those that fail, get lost or run twice",
    examples: "  dwcp-load --url http://127.0.0.1:8080 -u 100 -d 1m            100 migrations at a time\n  \
               dwcp-load --url http://127.0.0.1:8080 -r 20 -d 5m --max-vus 500\n  \
               dwcp-load --mode data --url tcp://127.0.0.1:9876 -u 10 --vm-memory 1GiB   moves memory images\n  \
               dwcp-load --url http://127.0.0.1:8080 -u 10 --threshold 'migration_time: p(95)<30s' \
               --threshold 'jobs_lost: count==0'",
};
