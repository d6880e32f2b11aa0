//! Which expressions are read, how, and what do they say about a run?

mod deltas;
mod errors;
mod expressions;
mod properties;
mod sample;
mod severities;
mod verdicts;
