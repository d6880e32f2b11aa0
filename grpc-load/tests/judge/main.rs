//! Is the instrument right? The whole binary against servers that do what a script says, and against faults.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod answers;
mod connections;
mod faults;
mod grpcio;
mod prepare;
mod raw;
mod secrets;
mod stops;
mod streams;
mod suites;
mod support;
mod truth;
