//! `dwcp-load`: loads DWCP's migration API.

use std::process::ExitCode;

fn main() -> ExitCode {
    load_core::main::<dwcp_load::Dwcp>(dwcp_load::ABOUT)
}
