//! `ws-load`: loads WebSocket servers.

use std::process::ExitCode;

fn main() -> ExitCode {
    load_core::main::<ws_load::Ws>(ws_load::ABOUT)
}
