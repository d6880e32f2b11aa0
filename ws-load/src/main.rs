//! `ws-load`: loads WebSocket servers.

use std::process::ExitCode;

use load_core::{Tool, main_with};
use ws_load::{ABOUT, Ws};

fn main() -> ExitCode {
    let words = [
        Tool::check::<Ws>("ws-load check", ABOUT),
        Tool::once::<Ws>("ws-load once", ABOUT),
        Tool::cleanup::<Ws>("ws-load cleanup", ABOUT),
    ];
    main_with::<Ws>(ABOUT, &words)
}
