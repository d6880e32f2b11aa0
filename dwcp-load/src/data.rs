//! What is a migration of a real image? The source of DWCP v3's data plane, `docs/dwcp.md`.
//!
//! | question | module |
//! |---|---|
//! | Which flags are there? | [`args`] |
//! | How is a migration to go? | `settings` |
//! | What is in the VM's memory, and what is dirty? | `vm` |
//! | How does one stream go? | `stream` |
//! | How do pages become a frame? | `encode` |
//! | How are the dirty pages copied once? | `copy` |
//! | How do pages go without frames? | `raw` |
//! | Which phase follows which? | `migration` |
//! | How is it slowed down, so that others get their turn? | `pace` |
//! | What is counted? | `series` |
//! | What does the engine get? | `protocol` |

pub mod args;
mod copy;
mod encode;
mod fail;
mod migration;
mod pace;
mod protocol;
mod raw;
mod series;
mod settings;
mod stream;
mod vm;

pub use protocol::Data;
