//! Is the instrument right? The whole binary against servers that do what a script says, and against faults.

mod faults;
mod invalid;
mod merge;
mod secrets;
mod stops;
mod support;
mod truth;
