//! `grpc-load`: loads gRPC services.

use std::process::ExitCode;

use grpc_load::{ABOUT, DESCRIBE, Grpc, LIST, catalogue};
use load_core::{Tool, main_with};

fn main() -> ExitCode {
    let words = [
        Tool::other(LIST, catalogue::list),
        Tool::other(DESCRIBE, catalogue::describe),
        Tool::check::<Grpc>("grpc-load check", ABOUT),
        Tool::once::<Grpc>("grpc-load once", ABOUT),
        Tool::cleanup::<Grpc>("grpc-load cleanup", ABOUT),
    ];
    main_with::<Grpc>(ABOUT, &words)
}
