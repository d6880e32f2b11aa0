//! `api-load`: loads HTTP services.

use std::process::ExitCode;

fn main() -> ExitCode {
    load_core::main::<api_load::Api>(api_load::ABOUT)
}
