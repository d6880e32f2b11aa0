//! `api-load`: loads HTTP services.

use std::process::ExitCode;

use api_load::{ABOUT, Api, IMPORT};
use load_core::{Tool, main_with};

fn main() -> ExitCode {
    let words = [
        Tool::check::<Api>("api-load check", ABOUT),
        Tool::once::<Api>("api-load once", ABOUT),
        Tool::cleanup::<Api>("api-load cleanup", ABOUT),
        Tool::other(IMPORT, api_load::import::main),
    ];
    main_with::<Api>(ABOUT, &words)
}
