//! `grpc-load`: loads gRPC services.

use std::process::ExitCode;

fn main() -> ExitCode {
    load_core::main::<grpc_load::Grpc>(grpc_load::ABOUT)
}
