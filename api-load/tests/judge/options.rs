//! Do the options of the transport go together, and is everything counted with them?

use crate::support::{Tool, server, url};

const CANARY: &str = "s3cr3t-canary";

#[test]
fn a_new_connection_a_call_with_everything_else_switched_on() {
    let server = server("[[rule]]\npath = \"/\"\nbody = \"welcome\"\n");
    let left = Tool::new().run(
        &url(&server, "/x"),
        "-u 3 -n 200 --disable-keepalive --cookies --compressed --max-redirects 3 --redirect-hosts localhost --stages \
         --local-ips 127.0.0.1-127.0.0.9 --connect-to ::: --form a=b --expect-text welcome --no-tls-resumption",
    );
    assert_eq!(left.code, 0, "{}{}", left.stdout, left.stderr);
    let (run, truth) = (left.run(), server.truth());
    assert_eq!((run.totals.requests, run.totals.failures), (200, 0));
    // Behind the last call each of three users is at a new connection, done with it or not; and one looked whether the server
    // is there.
    let opened = run.connections.opened;
    assert!((200..=203).contains(&opened), "{opened}");
    assert!((opened + 1..=204).contains(&truth.connections.accepted), "{opened} {:?}", truth.connections);
    let series = |name: &str| run.extras.iter().find(|extra| extra.name == name).map(|extra| extra.count);
    for name in ["http_req_sending", "http_req_waiting", "http_req_receiving"] {
        assert_eq!(series(name), Some(200), "{name}");
    }
    // Those before time zero are in no total.
    let connecting = series("http_req_connecting").unwrap();
    assert!((196..=203).contains(&connecting), "{connecting}");
    assert_eq!(series("http_req_tls_handshaking"), Some(0));
}

#[test]
fn passwords_of_users_and_proxies_stay_secret() {
    // The server takes the part of a proxy that refuses.
    let server = server("[[rule]]\npath = \"/\"\nstatus = 401\n");
    let tool = Tool::new();
    let file = tool.folder().join("password");
    std::fs::write(&file, format!("{CANARY}-password\n")).unwrap();
    let mut command = tool.command("http://shop.invalid/", "-r 50 -d 500ms -c 2 -vv");
    command.args(["--basic-user", "bob", "--password-file"]).arg(&file);
    command.args(["--proxy", &format!("http://ann:{CANARY}-proxy@{}", server.http_addr().unwrap())]);
    command.args(["--form", &format!("password={CANARY}-form")]);
    let left = tool.left(&command.output().unwrap());
    assert_eq!(left.code, 99, "{}{}", left.stdout, left.stderr);
    assert!(server.truth().requests > 0);
    std::fs::remove_file(&file).unwrap();
    tool.keeps(&[CANARY, "czNjcjN0LWNhbmFye"], &left);
}
