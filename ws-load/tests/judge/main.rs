//! Is the instrument right? The whole binary against a server that does what a script says, against servers that
//! others wrote, and against faults.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod clocks;
mod ends;
mod fanout;
mod faults;
mod floods;
mod frames;
mod halfopen;
mod others;
mod raw;
mod secrets;
mod stops;
mod support;
mod truth;
mod upgrades;
mod words;
