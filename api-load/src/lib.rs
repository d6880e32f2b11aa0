//! The load generator for HTTP/1.1 and HTTP/2, plain and over TLS.
//!
//! | question | module |
//! |---|---|
//! | Which flags are there? | [`args`] |
//! | Which HTTP is spoken? | [`client`] |
//! | What must an answer be? | [`expect`], [`search`] |
//! | How does a suite become calls? | [`compile`], [`content`] |
//! | What does a suite make of the protocol? | `from_suite` |
//! | What does a suite ask of an answer? | [`rules`] |
//! | How are calls made? | [`manner`] |
//! | What does the engine get? | [`protocol`] |
//! | What does another description of an API say as a suite? | [`import`] |
//!
//! How the target is reached and how a call goes over a connection is in `load-net`.

pub mod args;
pub mod client;
pub mod compile;
pub mod content;
pub mod expect;
mod from_suite;
pub mod import;
pub mod manner;
pub mod protocol;
pub mod rules;
pub mod search;

pub use protocol::Api;

/// What `--help` says about the tool.
pub const ABOUT: load_core::About = load_core::About {
    name: "api-load",
    version: env!("CARGO_PKG_VERSION"),
    about: "Loads an HTTP service and tells the truth about its response times",
    examples: "  api-load --url http://127.0.0.1:8080/ -c 64 -d 30s          64 users as fast as they can\n  \
               api-load --url http://127.0.0.1:8080/ -r 1000 -d 1m         1,000 arrivals/s, whatever the server does\n  \
               api-load --url http://127.0.0.1:8080/ -r 500 --threshold 'http_req_duration: p(95)<200'\n  \
               api-load import har shop.har --out shop.toml                A suite of a recording; see api-load import --help",
};

/// What `import --help` says.
pub const IMPORT: load_core::About = load_core::About {
    name: "api-load import",
    version: env!("CARGO_PKG_VERSION"),
    about: "Writes a suite from an OpenAPI description, a recording (HAR), a Postman collection or lines of curl",
    examples: "  api-load import openapi openapi.yaml --out shop.toml      each operation is a task\n  \
               api-load import har shop.har --out shop.toml              the calls to one host, in their order\n  \
               api-load import curl -                                    what is pasted, to standard output",
};
