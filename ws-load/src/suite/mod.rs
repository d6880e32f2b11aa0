//! What does a suite make of the tool? Users with connections of their classes, and calls of their steps.
//!
//! | question | module |
//! |---|---|
//! | How does a step become a call? | [`compile`] |
//! | How are the connections of a class made? | [`connect`] |
//! | What is a step, compiled? | [`step`] |
//! | What does a suite ask of an answer? | [`rules`] |
//! | What does it ask of messages that come by themselves? | [`pushes`] |
//! | What is counted besides? | [`series`] |
//! | What is one user's connection? | [`session`] |
//! | How does a call go? | `act` |
//! | How does a call over HTTP go? | [`request`] |
//!
//! Nothing of this is in a session of the plain command line, and what a session of a suite knows is in a box.

mod act;
pub mod compile;
pub mod connect;
pub mod pushes;
pub mod request;
pub mod rules;
pub mod series;
pub mod session;
pub mod step;

use load_core::compile::FromSuite;
use load_net::connection::Tls;
use load_net::url::Url;

use crate::protocol::Step;
use connect::Connect;
use pushes::Pushes;

pub use session::Session;

/// A suite, compiled.
pub struct Suite {
    /// What goes with the classes of the script, in the same order.
    pub classes: Vec<Class>,
    /// Everything besides the script.
    pub from: FromSuite<Step>,
    /// Who is asked over HTTP: a URL of each.
    pub servers: Vec<Url>,
    /// How those with TLS are trusted.
    pub tls: Option<Tls>,
}

/// What a class of users has besides its steps.
pub struct Class {
    /// How its connections are made.
    pub connect: Connect,
    /// What it asks of messages that come by themselves.
    pub pushes: Pushes,
}
