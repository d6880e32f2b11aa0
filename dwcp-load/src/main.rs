//! `dwcp-load`: loads DWCP's migration API, or its data plane.

use std::process::ExitCode;

use dwcp_load::{ABOUT, Data, Dwcp};
use load_core::{Tool, main_either};

fn main() -> ExitCode {
    let job = [Tool::check::<Dwcp>("dwcp-load check", ABOUT), Tool::once::<Dwcp>("dwcp-load once", ABOUT)];
    let data = [Tool::check::<Data>("dwcp-load check", ABOUT), Tool::once::<Data>("dwcp-load once", ABOUT)];
    main_either::<Dwcp, Data>(ABOUT, &job, &data, is_data)
}

/// Whether the command line asks for the data plane. Whatever else stands there is for clap to judge.
fn is_data(argv: &[String]) -> bool {
    let after = argv.iter().skip_while(|word| *word != "--mode").nth(1);
    after.is_some_and(|mode| mode == "data") || argv.iter().any(|word| word == "--mode=data")
}
