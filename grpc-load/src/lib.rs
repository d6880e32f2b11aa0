//! The load generator for gRPC: unary calls and streams, plain and over TLS.
//!
//! | question | module |
//! |---|---|
//! | Which flags are there? | [`args`] |
//! | Which server is it, and who asks it? | [`server`] |
//! | Which method, and what are its types? | [`descriptor`] |
//! | What does the server say of itself? | [`reflection`], [`catalogue`] |
//! | How does JSON become a message, and back? | [`json`] |
//! | Which metadata goes with a call? | [`metadata`] |
//! | What is sent, call for call? | [`asked`], [`call`], [`round`] |
//! | How does a message travel? | [`framing`] |
//! | Is there a free stream? | [`link`] |
//! | How does one call go? | [`session`], `stream` |
//! | What came back, and how did the call end? | `answer`, [`status`] |
//! | Is the answer a message of its type? | [`shape`] |
//! | How does a suite become calls, and what does it ask of answers? | `from_suite`, [`rules`] |
//! | What does the engine get? | [`protocol`] |

mod answer;
pub mod args;
pub mod asked;
pub mod call;
pub mod catalogue;
pub mod descriptor;
pub mod framing;
mod from_suite;
pub mod json;
pub mod link;
pub mod metadata;
pub mod protocol;
pub mod reflection;
pub mod round;
pub mod rules;
pub mod server;
pub mod session;
pub mod shape;
pub mod status;
mod stream;

pub use protocol::Grpc;

use load_core::About;

/// What `--help` says about the tool.
pub const ABOUT: About = About {
    name: "grpc-load",
    version: env!("CARGO_PKG_VERSION"),
    about: "Loads a gRPC service, unary or streaming, and tells the truth about its response times",
    examples: "  grpc-load list --url http://127.0.0.1:50051                   What is there; describe NAME says more\n  \
               grpc-load --url http://127.0.0.1:50051 --method pkg.Service/Method --json '{\"id\": \"{{seq}}\"}' -u 64 -c 8 -d 30s\n  \
               grpc-load --url https://host --method pkg.Service/Method --proto service.proto --json-file m.json -r 1000 -d 1m\n  \
               grpc-load --url http://127.0.0.1:50051 --method pkg.Service/Chat --messages 1000 --in-flight 10 -u 8 -d 30s",
};

/// What `list --help` says.
pub const LIST: About = About {
    name: "grpc-load list",
    version: env!("CARGO_PKG_VERSION"),
    about: "Lists the methods that a server offers, or a definition has",
    examples: "  grpc-load list --url http://127.0.0.1:50051",
};

/// What `describe --help` says.
pub const DESCRIBE: About = About {
    name: "grpc-load describe",
    version: env!("CARGO_PKG_VERSION"),
    about: "Describes a service, method or type, with a request to begin with",
    examples: "  grpc-load describe --url http://127.0.0.1:50051 pkg.Service/Method",
};
