//! What does the engine get for PostgreSQL?
//!
//! | question | module |
//! |---|---|
//! | Which flags are there? | [`args`] |
//! | How is the protocol made of flags, or of a suite? | [`build`] |
//! | Where is the server, and how does a session begin? | [`server`] |
//! | What does a run do to the database? | [`workload`] |
//! | How does a suite become scripts? | [`suite`] |
//! | What does a script of SQL do? | [`script`] |
//! | How does a script run over a connection? | [`perform`] |
//! | How do requests and answers pass over a connection? | [`wire`] |
//! | How is the server spoken to before and after the run? | [`session`] |
//! | What of a run is in the database, and how is it removed? | [`data`] |
//! | What does a run count and time besides calls? | [`series`] |
//! | What does the server say of itself? | [`sampler`] |
//! | What does an error mean? | [`faults`] |

pub mod args;
pub mod build;
pub mod data;
pub mod faults;
pub mod perform;
pub mod protocol;
pub mod sampler;
pub mod script;
pub mod series;
pub mod server;
pub mod session;
pub mod suite;
pub mod wire;
pub mod workload;

pub use protocol::Postgres;
pub use server::Server;
