//! The engine of the load generators: when to send, what to record, when to stop.
//!
//! A tool implements [`protocol::Protocol`] and calls [`main`], [`main_with`] when it does something besides, or [`tools`]
//! when it has several protocols; everything else is the same for all.

mod around;
mod child;
mod cli;
pub mod clock;
mod command;
pub mod compile;
mod conduct;
mod crew;
pub mod engine;
pub mod error;
mod events;
mod live;
pub mod null;
mod once;
mod output;
pub mod outside;
pub mod plan;
pub mod protocol;
pub mod record;
mod run;
pub mod sample;
pub mod schedule;
mod script;
pub mod secret;
mod suite;
mod tidy;
mod usage;

pub use cli::{About, Tool, load, main, main_either, main_with, tools};
