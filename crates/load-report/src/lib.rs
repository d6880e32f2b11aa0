//! What happened, was it good, tell people.
//!
//! Pure, but for [`store`] and [`baseline`]: values in, values out. Nothing here opens a socket, reads a clock or knows a command line, so that
//! `aggregate` judges stored files with the very code that judged the live run.

pub mod baseline;
pub mod collect;
pub mod compare;
pub mod exit;
pub mod fanout;
pub mod fault;
pub mod figures;
pub mod gauge;
pub mod hints;
pub mod hist;
pub mod journal;
pub mod laws;
pub mod live;
pub mod merge;
pub mod model;
pub mod read;
pub mod render;
pub mod slo;
pub mod store;
pub mod summary;
pub mod tally;
pub mod threshold;
pub mod verdict;
