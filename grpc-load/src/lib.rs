//! The load generator for unary gRPC calls, plain and over TLS.
//!
//! | question | module |
//! |---|---|
//! | Which flags are there? | [`args`] |
//! | Which method, and what are its types? | [`descriptor`] |
//! | What does the server say of itself? | [`reflection`] |
//! | How does JSON become a message, and back? | [`json`] |
//! | Which metadata goes with a call? | [`metadata`] |
//! | What is sent, call for call? | [`call`] |
//! | How does a message travel? | [`framing`] |
//! | How did a call end? | [`status`] |
//! | Is the answer a message of its type? | [`shape`] |
//! | How does one call go? | [`session`] |
//! | What does the engine get? | [`protocol`] |

pub mod args;
pub mod call;
pub mod descriptor;
pub mod framing;
pub mod json;
pub mod metadata;
pub mod protocol;
pub mod reflection;
pub mod session;
pub mod shape;
pub mod status;

pub use protocol::Grpc;

/// What `--help` says about the tool.
pub const ABOUT: load_core::About = load_core::About {
    name: "grpc-load",
    version: env!("CARGO_PKG_VERSION"),
    about: "Loads a unary method of a gRPC service and tells the truth about its response times",
    examples: "  grpc-load --url http://127.0.0.1:50051 --method pkg.Service/Method --json '{\"id\": \"{{seq}}\"}' -u 64 -c 8 -d 30s\n  \
               grpc-load --url https://host --method pkg.Service/Method --proto service.proto --json-file m.json -r 1000 -d 1m",
};
