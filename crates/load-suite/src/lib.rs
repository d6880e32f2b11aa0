//! Suites, profiles and environments as data: what a user wrote, parsed and checked.
//!
//! Pure: no clock, no socket, no file. What the engine makes of a shape or a template is the engine's business.

pub mod shape;
pub mod stage;
pub mod template;
pub mod units;
