//! A load test as a Rust test: start what is to be tested, load it, assert on the figures. The counterpart of calling a
//! load test from Python. `cargo run -p api-load --example in_a_test`

use std::error::Error;

use api_load::Api;
use target_server::{Config, Server};

fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::start(Config::default())?;
    let url = format!("http://{}/", server.http_addr().ok_or("no address")?);
    let results = tempfile::tempdir()?;
    let folder = results.path().display().to_string();

    let words = ["--url", &url, "--rate", "200", "--duration", "2s", "--results", &folder];
    let run = load_core::load::<Api>(&words)?;

    // Every figure of the result is there to be asserted on, and every call is in the server's own record, too.
    assert_eq!(run.totals.failures, 0, "{:?}", run.faults);
    assert_eq!(run.totals.requests, server.truth().requests);
    assert!(run.totals.response_ms.is_some_and(|ms| ms.p95 < 1_000.0), "{:?}", run.totals.response_ms);
    Ok(())
}

#[test]
fn the_example_runs() {
    main().unwrap_or_else(|error| panic!("{error}"));
}
