//! Is the target there? One line when it is not, and not one request to find out.

use load_core::protocol::{Control, Protocol as _};

use crate::client::{api, run, server, url};

fn refusal(flags: &[&str]) -> String {
    let api = api(flags);
    let error = run(async { api.prepare(&mut Control::default()).await.err() }).unwrap().to_string();
    assert_eq!(error.lines().count(), 1, "{error}");
    error
}

#[test]
fn looking_sends_no_request() {
    let server = server("");
    let (api, mut control) = (api(&["--url", &url(&server, "/")]), Control::default());
    let target = run(async { api.prepare(&mut control).await.unwrap() });
    assert_eq!(target.addresses, [server.http_addr().unwrap()]);
    assert_eq!((control.calls, server.truth().requests), (0, 0));
}

#[test]
fn addresses_that_refuse_are_left_out() {
    let server = server("");
    // Where localhost has an IPv6 address too, nobody listens there.
    let api = api(&["--url", &format!("http://localhost:{}/", server.http_addr().unwrap().port())]);
    let target = run(async { api.prepare(&mut Control::default()).await.unwrap() });
    assert_eq!(target.addresses, [server.http_addr().unwrap()]);
}

#[test]
fn a_closed_port_is_named() {
    let error = refusal(&["--url", "http://127.0.0.1:1/x"]);
    assert_eq!(error, "cannot connect to 127.0.0.1:1: connection refused; is the server running?");
}

#[test]
fn an_unknown_host_is_named() {
    let error = refusal(&["--url", "http://no-such-host.invalid/"]);
    assert!(error.starts_with("cannot resolve no-such-host.invalid: "), "{error}");
}
