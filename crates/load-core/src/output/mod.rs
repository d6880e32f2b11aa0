//! Who is told what, and where is it kept?

mod console;
mod folder;
mod progress;

pub(crate) use console::Console;
pub(crate) use folder::{Folder, check_reports};
pub(crate) use progress::Progress;
