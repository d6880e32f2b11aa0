//! The engine without a target.
fn main() -> std::process::ExitCode {
    load_core::main::<load_core::null::Null>(load_core::About {
        name: "null-load",
        version: env!("CARGO_PKG_VERSION"),
        about: "The engine without a target",
        examples: "  null-load --null -r 1000",
    })
}
