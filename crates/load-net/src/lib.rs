//! How is a target reached? What the tools that take a URL share; each brings what it says on the connection.
//!
//! | question | module |
//! |---|---|
//! | What does a URL say? | [`url`] |
//! | Which flags do all of them have? | [`args`] |
//! | Which way do connections take? | [`route`], [`local`], [`proxy`] |
//! | Is the target there? | [`reach`] |
//! | Whom is trusted? | [`tls`] |
//! | How do bytes pass? | [`connection`] |
//! | How long does each stage take? | [`stages`] |
//! | What must not be shown? | [`redact`] |
//! | Who reads a page of an exporter? | [`exporter`] |
//! | How does an HTTP/1.1 call go? | [`http`] |
//! | How does an HTTP/2 call go? | [`http2`] |

pub mod args;
pub mod connection;
pub mod exporter;
pub mod http;
pub mod http2;
pub mod local;
pub mod proxy;
pub mod reach;
pub mod redact;
pub mod route;
pub mod stages;
pub mod tls;
pub mod url;
