//! The protocol against real servers: what it sends, what it makes of every kind of answer, whom it trusts.
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "what a test needs is there, or it fails")]

mod answers;
mod client;
mod compressed;
mod contents;
mod cookies;
mod curl;
mod faults;
mod handshakes;
mod idle;
mod plan;
mod prepare;
mod proxies;
mod raw;
mod redirects;
mod routes;
mod site;
mod stages;
mod tls;
