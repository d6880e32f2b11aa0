//! Imported suites, run against a server that answers as the recorded one did.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Stdio};

use target_server::{Config, Script, Server};
use tool_tests::{Left, Tool, timed};

/// What the inputs do not tell, and a suite takes from the environment.
const SECRETS: [&str; 7] =
    ["API_PASSWORD", "API_X_API_KEY", "API_KEY", "API_BASIC", "API_USER", "API_COOKIE", "API_TOKEN"];

/// What came of the suite of `text`.
struct Ran {
    left: Left,
    /// Good calls by name.
    ok: BTreeMap<String, u64>,
}

/// Imports `text`, checks the suite, and runs it against a server that follows `script`.
fn run(kind: &str, text: &str, script: &str, args: &str) -> Ran {
    let tool = Tool::new(env!("CARGO_BIN_EXE_api-load"), "api");
    let file = |name: &str| tool.folder().join(name).to_str().unwrap().to_owned();
    fs::write(file("input"), text).unwrap();
    let imported = crate::api_load(&["import", kind, &file("input"), "--out", &file("suite.toml")]);
    assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));

    let checked = Command::new(env!("CARGO_BIN_EXE_api-load"))
        .args(["check", "--suite", &file("suite.toml")])
        .envs(SECRETS.map(|name| (name, "x")))
        .output()
        .unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));

    let script = Script::parse("test", script).unwrap();
    let server = Server::start(Config { script, ..Config::default() }).unwrap();
    let url = format!("http://{}", server.http_addr().unwrap());
    let suite = file("suite.toml");
    let line = ["--suite", &suite, "--url", &url, "--think", "0"];
    let mut command = tool.command(line.into_iter().chain(args.split_whitespace()));
    command.envs(SECRETS.map(|name| (name, "x"))).stdout(Stdio::piped()).stderr(Stdio::piped());
    let left = tool.wait(command.spawn().unwrap());
    let ops = left.run().ops.iter().map(|op| (op.name.clone(), op.figures.requests - op.figures.failures));
    Ran { ok: ops.collect(), left }
}

impl Ran {
    /// Every call was made `each` times, and well.
    #[track_caller]
    fn all(&self, calls: usize, each: u64) {
        assert_eq!(self.ok.len(), calls, "{:?}", self.ok);
        assert!(self.ok.values().all(|&ok| ok == each), "{:?}\n{}", self.ok, self.left.stdout);
    }
}

#[test]
fn a_recording_hands_values_on() {
    // The pauses of a user are not what is tested.
    let mut text = fs::read_to_string(crate::data("shop.har")).unwrap();
    for (recorded, quick) in [
        ("10:00:02.340", "10:00:00.010"),
        ("10:00:05.050", "10:00:00.050"),
        ("10:00:45.000", "10:00:00.080"),
        ("10:00:45.090", "10:00:00.090"),
    ] {
        text = text.replace(recorded, quick);
    }
    let script = r#"
        [[rule]]
        path = "/api/login"
        body = '{"token": "another-token", "user": {"id": 424242424}}'
        [[rule]]
        path = "/api/users/424242424/cart"
        body = '{"cart": {"id": "another-cart", "items": [{"sku-no": "A"}, {"sku-no": "B"}]}}'
        [[rule]]
        path = "/api/carts/another-cart"
        [[rule]]
        path = "/api/"
        status = 404
        [[rule]]
        path = "/feedback"
        status = 201
    "#;
    timed(|| {
        let ran = run("har", &text, script, "--requests 3");
        ran.left.exits(0)?;
        ran.all(5, 3);
        Ok(())
    });
}

#[test]
fn a_collection_hands_values_on() {
    let text =
        fs::read_to_string(crate::data("shop.postman.json")).unwrap().replace("below(800)", "below(60000)");
    let script = r#"
        [[rule]]
        path = "/v1/login"
        body = '{"access": {"token": "t"}, "user": {"id": 7}}'
        [[rule]]
        path = "/v1/areas/garden/tools/products"
        body = '{"page": 1}'
        [[rule]]
        path = "/v1/users/7/products/17"
        [[rule]]
        path = "/v1/pictures"
        [[rule]]
        path = "/v1/feedback"
        [[rule]]
        path = "/v1/graphql"
        [[rule]]
        path = "/"
        status = 404
    "#;
    timed(|| {
        let ran = run("postman", &text, script, "--requests 3");
        ran.left.exits(0)?;
        ran.all(6, 3);
        Ok(())
    });
}

#[test]
fn command_lines_run_in_their_order() {
    let text = fs::read_to_string(crate::data("shop.curl")).unwrap();
    timed(|| {
        let ran = run("curl", &text, "", "--requests 2");
        ran.left.exits(0)?;
        // Two of them differ in their body alone, and so have one name.
        let mut twice = ran.ok.clone();
        assert_eq!(twice.remove("POST /upload"), Some(4), "{twice:?}");
        assert!(twice.len() == 5 && twice.values().all(|&ok| ok == 2), "{twice:?}");
        Ok(())
    });
}

#[test]
fn operations_that_write_run_when_it_is_said() {
    let text = fs::read_to_string(crate::data("shop.yaml")).unwrap();
    let rule = |method: &str, path: &str, status: u16| {
        format!("[[rule]]\nmethod = \"{method}\"\npath = \"{path}\"\nstatus = {status}\n")
    };
    let script = [
        rule("POST", "/products", 201),
        rule("POST", "/orders", 202),
        rule("POST", "/login", 204),
        rule("PUT", "/pictures", 201),
    ];
    timed(|| {
        let ran = run("openapi", &text, &script.concat(), "--requests 60");
        ran.left.exits(0)?;
        let made = |ran: &Ran| {
            ran.ok.iter().filter(|(_, ok)| **ok > 0).map(|(name, _)| name.clone()).collect::<Vec<_>>()
        };
        let reads = made(&ran);
        assert!(reads.len() == 3 && reads.iter().all(|name| name.starts_with("GET ")), "{reads:?}");
        assert_eq!(ran.left.run().ledger.calls.ok, 60, "each iteration reads");
        let ran = run("openapi", &text, &script.concat(), "--requests 200 -e write=yes");
        ran.left.exits(0)?;
        assert_eq!(made(&ran).len(), 8, "{:?}", ran.ok);
        Ok(())
    });
}
