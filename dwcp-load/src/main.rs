//! `dwcp-load`: loads DWCP's migration API.

use std::process::ExitCode;

use dwcp_load::{ABOUT, Dwcp};
use load_core::{Tool, main_with};

fn main() -> ExitCode {
    let words = [Tool::check::<Dwcp>("dwcp-load check", ABOUT), Tool::once::<Dwcp>("dwcp-load once", ABOUT)];
    main_with::<Dwcp>(ABOUT, &words)
}
