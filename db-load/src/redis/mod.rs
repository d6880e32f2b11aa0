//! What does the engine get for Redis, and for servers that speak like it?
//!
//! | question | module |
//! |---|---|
//! | Which flags are there? | [`args`] |
//! | Which server is meant? | [`server`] |
//! | What does a run do to the server? | [`workload`] |
//! | How is the protocol made of flags, or of a suite? | [`build`] |
//! | How is a call made? | [`perform`] |
//! | What do the commands of a call look like, and what came back? | [`batch`] |
//! | How does a step of a suite become a call? | [`suite`] |
//! | Which node of a cluster gets which command? | [`cluster`] |
//! | Which bytes does a command become, and what is right in its reply? | [`command`] |
//! | Where do the words of a command begin and end? | [`words`] |
//! | How does a message pass through a stream? | [`stream`] |
//! | Are the messages that a suite has numbered still there? | [`numbered`] |
//! | How late does a published message come to each who has subscribed? | [`pubsub`] |
//! | How do commands and replies pass over a connection? | [`wire`] |
//! | What does a run make and remove? | [`data`] |
//! | What does a run count and time besides calls? | [`series`] |
//! | What does the server say of itself? | [`sampler`] |
//! | What does an error mean? | [`faults`] |

pub mod args;
pub mod batch;
pub mod build;
pub mod cluster;
pub mod command;
pub mod data;
pub mod faults;
pub mod numbered;
pub mod perform;
pub mod protocol;
pub mod pubsub;
pub mod sampler;
pub mod series;
pub mod server;
pub mod stream;
pub mod suite;
pub mod wire;
pub mod words;
pub mod workload;

pub use protocol::Redis;
pub use server::Server;
