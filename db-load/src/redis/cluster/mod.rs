//! Which node of a cluster gets which command?
//!
//! | question | module |
//! |---|---|
//! | Which slot does a key lie in, and which node has it? | [`slots`] |
//! | Which words of a command are keys? | [`keys`] |
//! | How do commands get to their nodes, and after them where they have moved? | [`nodes`] |
//! | What does a run make and remove? | [`data`] |

pub mod data;
pub mod keys;
pub mod nodes;
pub mod slots;

pub use nodes::Nodes;
