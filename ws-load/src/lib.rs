//! The load generator for WebSockets, plain and over TLS.
//!
//! | question | module |
//! |---|---|
//! | Which flags are there? | [`args`] |
//! | What is sent? | [`text`] |
//! | When was a message sent, and which one is it? | [`stamp`] |
//! | In which frames is a message sent? | [`frames`] |
//! | How does a connection become a WebSocket? | [`upgrade`] |
//! | Is this the answer to our upgrade? | [`answer`] |
//! | How does a connection end? | [`end`] |
//! | How far is the server's clock off? | [`offset`] |
//! | What is done about the server's clock? | [`clock`] |
//! | Is there a WebSocket, and what time is it there? | `ask` |
//! | What is counted? | [`count`] |
//! | What is a message? | [`heard`] |
//! | How does one call go, and what comes by itself? | [`session`] |
//! | What does the engine get? | [`protocol`], by `from_args` or `from_suite` |
//! | What does a suite make of all that? | [`suite`] |
//!
//! How the target is reached is in `load-net`.

pub mod answer;
pub mod args;
mod ask;
pub mod clock;
pub mod count;
pub mod end;
pub mod frames;
mod from_args;
mod from_suite;
pub mod heard;
pub mod offset;
pub mod protocol;
pub mod session;
pub mod stamp;
pub mod suite;
pub mod text;
pub mod upgrade;

pub use protocol::Ws;

/// What `--help` says about the tool.
pub const ABOUT: load_core::About = load_core::About {
    name: "ws-load",
    version: env!("CARGO_PKG_VERSION"),
    about: "Holds WebSockets and tells the truth about echoes, pings and pushed messages",
    examples: "  ws-load --url ws://127.0.0.1:8091/ -u 1000 --spawn-rate 100 --think 1s -d 1m   1,000 held connections, an echo a second each\n  \
               ws-load --url ws://127.0.0.1:8091/ -u 5000 --send none --think 5s -d 5m       listens only: age of what is pushed\n  \
               ws-load --url ws://127.0.0.1:8091/ -c 500 -r 200 --send echo=3,ping=1,publish=1 --threshold 'message_latency: p(95)<50'",
};
