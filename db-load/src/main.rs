//! `db-load`: loads databases.

use std::process::ExitCode;

use db_load::{ABOUT, CLEANUP, POSTGRES, Postgres, REDIS, Redis};
use load_core::{Tool, tools};

fn main() -> ExitCode {
    let all = [
        Tool::new::<Postgres>(POSTGRES),
        Tool::new::<Redis>(REDIS),
        Tool::check::<Postgres>("db-load check", POSTGRES),
        Tool::once::<Postgres>("db-load once", POSTGRES),
        Tool::check::<Postgres>("db-load check postgres", POSTGRES),
        Tool::once::<Postgres>("db-load once postgres", POSTGRES),
        Tool::check::<Redis>("db-load check redis", REDIS),
        Tool::once::<Redis>("db-load once redis", REDIS),
        Tool::cleanup::<Postgres>("db-load cleanup postgres", POSTGRES),
        Tool::cleanup::<Redis>("db-load cleanup redis", REDIS),
        Tool::other(CLEANUP, db_load::cleanup::main),
    ];
    tools(ABOUT, &all)
}
