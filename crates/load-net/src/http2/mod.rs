//! How does an HTTP/2 call go? Many calls at a time on one connection, on the frames of the h2 crate.
//!
//! | question | module |
//! |---|---|
//! | Does the target speak it? | [`greet`] |
//! | How do connections live and die? | [`link`] |
//! | What is sent? | [`request`] |
//! | How does one call go? | [`session`] |
//! | How does a call go that takes more? | [`detour`] |

pub mod detour;
pub mod greet;
pub mod link;
pub mod request;
pub mod session;

pub use link::Link;
pub use request::Request;
pub use session::Session;
