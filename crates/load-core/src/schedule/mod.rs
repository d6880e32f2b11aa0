//! When is something due? The schedule of one worker, as a pure function of plan, seed and segment.
//!
//! Nothing here reads a clock. The union of the schedules of n segments is the whole plan, for any n.

mod arrivals;
mod users;

pub use arrivals::{Arrivals, Kind};
pub use users::Users;
