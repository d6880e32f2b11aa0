//! Does anything that must stay secret leave the process?

use crate::support::{Tool, server, url};

const CANARY: &str = "s3cr3t-canary";

#[test]
fn no_secret_reaches_the_results_or_the_output() {
    // The server echoes nothing, but fails, so that samples are kept.
    let server = server("[[rule]]\npath = \"/\"\nfail = { every = 3, how = \"status:401\" }\n");
    let tool = Tool::new();
    let file = tool.folder().join("token");
    std::fs::write(&file, format!("{CANARY}-file\n")).unwrap();
    let address = server.http_addr().unwrap();
    let target = format!("http://user:{CANARY}-url@{address}/?api_key={CANARY}-query");
    let mut command = tool.command(&target, "-r 100 -d 1s -c 4 -vv --processes 2");
    command.args([
        "-H",
        &format!("X-Api-Key: {CANARY}-header"),
        "-H",
        &format!("Cookie: session={CANARY}-cookie"),
    ]);
    command.env("API_TOKEN", format!("{CANARY}-env")).arg("--token-file").arg(&file);
    let left = tool.left(&command.output().unwrap());
    std::fs::remove_file(&file).unwrap();
    // The second one is how the canary would begin in base64.
    tool.keeps(&[CANARY, "czNjcjN0LWNhbmFye"], &left);
}

#[test]
fn a_secret_in_an_unreachable_url_is_not_shown() {
    let left = Tool::new().run(&format!("http://user:{CANARY}@127.0.0.1:1/"), "-d 1s");
    assert_eq!(left.code, 114);
    assert!(!left.stderr.contains(CANARY), "{}", left.stderr);
    let (server, tool) = (server(""), Tool::new());
    let left = tool.run(&url(&server, &format!("/?token={CANARY}")), "-r 10 -d 500ms --dry-run");
    assert!(!left.stderr.contains(CANARY) && !left.stdout.contains(CANARY), "{}", left.stderr);
}
