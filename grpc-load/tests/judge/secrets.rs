//! Does anything that must stay secret leave the process?

use crate::support::{args, run, server, tool, url};

const CANARY: &str = "s3cr3t-canary";

#[test]
fn no_secret_reaches_the_results_or_the_output() {
    let server = server(
        "[grpc]\nfail = { every = 3, code = \"unauthenticated\", message = \"not s3cr3t-canary-env\" }\n",
    );
    let tool = tool();
    let key = format!("X-Api-Key: {CANARY}-header");
    let json = r#"{"agent_id": "a{{seq}}", "host": "h"}"#;
    let url = url(&server);
    let mut line = args(&url, "-r 100 -d 1s -c 4 -vv --processes 2 --json");
    // The JSON goes behind its flag.
    line.insert(line.iter().position(|word| *word == "--json").unwrap() + 1, json);
    line.extend(["--metadata", &key, "--metadata", "token-bin: czNjcjN0LWNhbmFyeS1iaW4="]);
    let left = tool.left(&tool.command(line).env("API_TOKEN", format!("{CANARY}-env")).output().unwrap());
    assert_eq!(left.code, 99, "{}", left.stderr);
    // The second one is how the canary would begin in base64.
    tool.keeps(&[CANARY, "czNjcjN0LWNhbmFye"], &left);
}

#[test]
fn a_secret_in_a_url_is_not_shown() {
    let left = run(&format!("http://user:{CANARY}@127.0.0.1:1"), "-d 1s");
    assert_eq!(left.code, 104);
    assert!(!left.stderr.contains(CANARY), "{}", left.stderr);
}
