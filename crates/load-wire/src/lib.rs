//! Wire formats that a tool and the reference server share: bytes and nothing else.
//!
//! A format is here only so that it is written down once. What is made of the bytes, each side writes for itself, so
//! that a mistake cannot agree with itself.
//!
//! | question | module |
//! |---|---|
//! | What passes between source and target of a migration? | [`dwcp`] |
//! | What does Nova-Torch speak over gRPC? | [`nova_torch`] |

pub mod dwcp;
pub mod nova_torch;
