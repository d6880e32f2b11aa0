//! Suites, profiles and environments as data: what a user wrote, parsed and checked.
//!
//! Pure: no clock, no socket, no file. What the engine makes of a shape or a template is the engine's business.

pub mod condition;
pub mod data;
pub mod fields;
mod nearest;
pub mod node;
pub mod scope;
pub mod shape;
pub mod stage;
pub mod suite;
pub mod template;
pub mod think;
pub mod units;
