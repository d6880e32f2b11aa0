//! What exactly will happen? The command line, checked and turned into a plan before the first packet.

pub mod args;
mod baseline;
mod build;
mod check;
mod outs;
mod preflight;
mod promises;
pub(crate) mod sample;

use std::sync::Arc;

use load_report::model::Segment;
use load_report::threshold::Threshold;
use load_suite::shape::Shape;
use load_suite::suite::Event;
use load_suite::think::Think;

use crate::clock::Nanos;
use crate::protocol::{Sharing, Weight};
use crate::schedule::Kind;
use crate::secret::Secrets;

pub(crate) use baseline::baseline;
pub use build::{Context, build};
pub use outs::Outs;
pub use preflight::{Needs, needs, preflight, raise_descriptors};

/// How load comes about.
#[derive(Clone, Debug, PartialEq)]
pub enum Load {
    /// Users who wait for answers; their number follows the shape.
    Closed {
        /// Users over time, over all segments.
        users: Shape,
        /// Pause between two iterations of a user, whatever its class says.
        think: Option<Think>,
    },
    /// Iterations that arrive whatever the target does; their rate follows the shape.
    Open {
        /// Arrivals/s over time, over all segments.
        rate: Shape,
        /// How arrivals are spread.
        kind: Kind,
    },
}

/// A checked plan: what the engine needs, and what is stored.
#[derive(Clone, Debug)]
pub struct RunPlan {
    /// What is stored and printed.
    pub record: load_report::model::Plan,
    /// How load comes about.
    pub load: Load,
    /// The part of the run that this process is responsible for; its children and workers divide it further.
    pub segment: Segment,
    /// Thresholds, the default one included.
    pub thresholds: Vec<Threshold>,
    /// Lanes at the start, over all segments.
    pub vus: u64,
    /// Most lanes, over all segments.
    pub max_vus: u64,
    /// Connections, over all segments.
    pub connections: u64,
    /// Connections come from as many of this machine's addresses as there are ports for.
    pub spreads: bool,
    /// New connections/s over all segments, at most.
    pub connect_rate: Option<f64>,
    /// After how long a connection is replaced.
    pub lifetime: Option<Think>,
    /// How lanes and links go together.
    pub sharing: Sharing,
    /// What a link takes of this machine.
    pub weight: Weight,
    /// How many calls a user has under way at most: 1 unless steps make several at the same time.
    pub width: u64,
    /// When new work stops, since time zero.
    pub duration: Nanos,
    /// How long calls in flight may take after that.
    pub graceful_stop: Nanos,
    /// How long one call may take.
    pub timeout: Nanos,
    /// Workers of each process.
    pub threads: u32,
    /// Child processes; 1 means that this process does the work.
    pub processes: u32,
    /// How often the target is asked about itself; none when it is not, or another segment does.
    pub sample: Option<Nanos>,
    /// What must never be printed.
    pub secrets: Arc<Secrets>,
    /// `--out KIND=WHERE`.
    pub outs: Outs,
    /// What is done to the system while the run lasts; by the first segment alone.
    pub events: Vec<Event>,
    /// The suite has steps behind the run.
    pub has_cleanup: bool,
}
