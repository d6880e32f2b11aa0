//! Is the instrument right? The whole binary against servers that do what a script says, and against faults.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod changes;
mod faults;
mod invalid;
mod live;
mod merge;
mod options;
mod outputs;
mod samples;
mod secrets;
mod stops;
mod support;
mod truth;
