//! Does anything that must stay secret leave the process?

use crate::support::{args, server, tool, url};

const CANARY: &str = "s3cr3t-canary";

#[test]
fn no_secret_reaches_the_results_or_the_output() {
    // It fails, so that samples are kept.
    let server =
        server(&format!("[ws]\ntoken = \"{CANARY}-file\"\nfail = {{ every = 3, how = \"wrong\" }}\n"));
    let tool = tool();
    let file = tool.folder().join("token");
    std::fs::write(&file, format!("{CANARY}-file\n")).unwrap();
    let address = server.ws_addr().unwrap();
    let target = format!("ws://user:{CANARY}-url@{address}/realtime?token={CANARY}-query");
    let mut command = tool.command(args(&target, "-r 100 -d 1s -c 4 -vv --processes 2"));
    command.args(["-H", &format!("X-Api-Key: {CANARY}-header"), "--message"]);
    command.arg(format!("{{\"password\":\"{CANARY}-message\",\"seq\":{{{{seq}}}}}}"));
    command.env("API_TOKEN", format!("{CANARY}-env")).arg("--token-file").arg(&file);
    let left = tool.left(&command.output().unwrap());
    assert_eq!(server.ws_truth().received.echo, 100, "{}", left.stderr);
    std::fs::remove_file(&file).unwrap();
    // The second one is how the canary would begin in base64.
    tool.keeps(&[CANARY, "czNjcjN0LWNhbmFye"], &left);
}

#[test]
fn a_secret_in_an_unreachable_url_is_not_shown() {
    let target = format!("ws://user:{CANARY}@127.0.0.1:1/?token={CANARY}");
    let left = tool().run(args(&target, "-d 1s"));
    assert!(left.code == 114 && !left.stderr.contains(CANARY), "{}", left.stderr);
    let refusing = server("[ws]\ntoken = \"t\"\n");
    let left = tool().run(args(&url(&refusing, &format!("/?token={CANARY}")), "-d 1s"));
    assert!(left.code == 114 && !left.stderr.contains(CANARY), "{}", left.stderr);
}
